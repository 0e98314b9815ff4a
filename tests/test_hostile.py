"""A server that sends control characters, and halves of characters, wherever it sends a text.

Nothing of them reaches a terminal, an output or a file; what can be seen of the text stays.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.gateway import running
from tests.played import block, citation, end, escaped, start, text, thinking, tool_use

pytestmark = pytest.mark.kernel

EVIL = "x\x1b]0;title\x07\x1b[2J\x9b31m\u202e\u2066\u200b\ud83d"
"""A title for the terminal's window, a cleared screen, C1, text from right to left, half a pair."""

HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def hostile(value):
    """A value of JSON in which every text is followed by such characters, but for its structure."""
    if isinstance(value, dict):
        kept = ("type", "role", "id", "processing_status", "url", "signature")
        return {n: v if n in kept and isinstance(v, str) else hostile(v) for n, v in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return value + EVIL if isinstance(value, str) else value


MESSAGE = [
    start(model="model"),
    *thinking("Hm."),
    *text("Text.", index=1),
    *tool_use('{"a": "b\\u001b[2J\\ud83d"}', name="tool", index=2),
    *block(3, {"type": "text_delta", "text": "Cited"}, citation("Title"), type="text", text=""),
    *block(4, type="new", field="value"),
    *end("reason"),
]
BATCH = {
    "id": f"msgbatch_1{EVIL}",
    "processing_status": "ended",
    "request_counts": {"succeeded": 1},
    "created_at": "2026-11-01T00:00:00Z",
}
ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "why"}}
ROW = {"custom_id": "row", "result": {"type": "errored", "error": ERROR}}
MODEL = {"type": "model", "id": f"m{EVIL}", "lifecycle": "active"}

BODIES = {
    "/messages": escaped(*hostile(MESSAGE)),
    "/models": json.dumps({"data": [hostile(MODEL), MODEL], "has_more": False}).encode(),
    "/batches": json.dumps({"data": [hostile(BATCH)], "has_more": False}).encode(),
    "/results": json.dumps(hostile(ROW)).encode(),
    "/msgbatch_1": json.dumps(hostile(BATCH)).encode(),
}


@pytest.fixture(scope="module")
def server():
    """Such a server."""
    with running() as server:
        server.headers = {"request-id": "req\x1b[2J\x9b\x07", "retry-after": "soon\x1b[2J"}
        yield server


def shown(kernel, reply):
    """All that a front end was given for the last cell, and what stands in the file."""
    traceback = "\n".join(reply.get("traceback", ()))
    # IPython's own colours.
    errors = [re.sub(r"\x1b\[[\d;]*m", "", traceback), reply.get("evalue", "")]
    outputs = [str(form) for one in kernel.shown.values() for form in one["data"].values()]
    return [kernel.printed, *errors, *outputs]


def assert_clean(kernel, reply, words):
    """These words are there, and no hidden character is."""
    seen = shown(kernel, reply)
    assert words in "".join(seen)
    assert [part for part in seen if HIDDEN.search(part)] == []
    # The record holds the text as it came, for the conversation to go on with.
    json.dumps(kernel.shown, ensure_ascii=False).encode()


GOOD_CELLS = {
    "%claude_nb connect {url} --model m": "{url}",
    "%claude_nb connect {url}": "x␛]0;title␇",
    "%claude_nb models": "x␛]0;title␇",
    "%%claude --once\nHi": "Text.x␛]0;title␇",
    "%%claude --once --no-stream\nHi": "Text.x␛]0;title␇",
    "%%claude --once --events\nHi": "Text.x␛]0;title␇",
    "%claude_nb usage": "model",
    "%claude_nb usage by cell": "requests",
    "import claude_nb\nclaude_nb.last().timeline()": "tool",
    "claude_nb.last()": "Text.x␛]0;title␇",
    "print(claude_nb.last(), claude_nb.last().timeline())": "model",
    "claude_nb.ask('Hi', view='terminal')": "Text.x␛]0;title␇",
    "claude_nb.compare('Hi', models=['a', 'b'])": "Text.x␛]0;title␇",
    "%%claude\nIn a conversation": "Text.x␛]0;title␇",
    "%claude_nb history": "Text",
    "%claude_nb batches": "msgbatch_1",
    "batch = claude_nb.Batch.resume('msgbatch_1')\nbatch": "why",
    "print(batch, batch.results, batch.failed)\nbatch.to_pandas()": "why",
    "import claude_nb\nprint(claude_nb.ledger.to_pandas().to_string())": "model",
}
BAD_CELLS = {
    "%%claude --once\nHi": "why",
    "%%claude --once --no-stream\nHi": "why",
    "%%claude --once --dry-run\nHi": "why",
    "import claude_nb\nclaude_nb.ask('Hi', view='terminal', policy=once)": "why",
    "claude_nb.last()": "why",
    "claude_nb.batch(['a'], policy=once)": "why",
    "%claude_nb batches": "why",
    "%claude_nb models": "The API could not be asked",
}


@pytest.fixture(scope="module")
def connected(started_kernel, server):
    """A kernel that asks this server."""
    started_kernel.clear()
    once = "import claude_nb\nonce = claude_nb.Policy(tries=1)"
    started_kernel.run(f"%claude_nb connect {server.url} --model m\n{once}")
    yield started_kernel
    started_kernel.run("%claude_nb connect off")


@pytest.mark.parametrize(("cell", "words"), GOOD_CELLS.items(), ids=GOOD_CELLS)
def test_what_a_server_sends_is_clean_wherever_it_is_shown(connected, server, cell, words):
    """Names, texts, ids and headers."""
    server.status, server.bodies = 200, BODIES

    reply = connected.run(cell.replace("{url}", server.url))

    assert reply["status"] == "ok"
    assert_clean(connected, reply, words.replace("{url}", server.url))


@pytest.mark.parametrize("status", [200, 400, 429, 500])
@pytest.mark.parametrize(("cell", "words"), BAD_CELLS.items(), ids=BAD_CELLS)
def test_an_error_of_a_server_is_clean_wherever_it_is_shown(connected, server, status, cell, words):
    """In the card, the traceback and the value of the exception."""
    server.status, server.bodies = status, {}
    server.body = json.dumps(hostile(ERROR)).encode()

    reply = connected.run(cell)

    assert_clean(connected, reply, words)
