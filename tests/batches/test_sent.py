"""What is sent for the rows of a batch, and what cannot be sent."""

from __future__ import annotations

import json

import anthropic
import pandas as pd
import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.batches import rows
from claude_nb.batches.batch import recent
from claude_nb.errors import InputError
from claude_nb.recording.replay import RecordingStore
from tests.batches.service import HAIKU, handed_in, sent


def test_what_is_sent(service):
    """One request for each row, never with ``stream``; nobody watches, so thinking is not shown."""
    made = handed_in(["hello", "sky blue"], system="Be brief.", max_tokens=500, effort="low")
    first, second = sent(service)
    assert first["params"] == {
        "model": HAIKU,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "hello"}],
        "system": "Be brief.",
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "low"},
    }
    assert first["custom_id"].startswith("0-2-")
    assert second["params"]["messages"][0]["content"] == "sky blue"
    assert (made.state, len(made), made.done) == ("in progress", 2, False)


def test_other_fields_are_in_each_row_and_betas_in_the_header(service):
    """The body is as long as announced; what a batch does not take is refused."""
    options = {"stop_sequences": ["END"], "metadata": {"user_id": "a1"}}
    extra = {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    beta = "context-management-2025-06-27"

    made = handed_in(["hello", "sky blue"], extra=extra, betas=[beta], max_cost=1.0, **options)
    newest = [r for r in service.requests if r.path == "/v1/messages/batches"][-1]
    service.advance(1000)

    for row in newest.body["requests"]:
        assert row["params"].items() >= {**options, **extra}.items()
        assert row["params"].keys() & {"extra_body", "extra_headers", "betas"} == set()
    assert newest.headers["anthropic-beta"] == beta
    assert made.wait().counts == {"complete": 2}
    with pytest.raises(InputError, match="A batch takes no speed"):
        handed_in(["hello"], extra={"speed": "fast"})
    with pytest.raises(InputError, match="extra contains inference_geo"):
        handed_in(["hello"], extra={"inference_geo": "us"}, max_cost=1.0)
    with pytest.raises(TypeError, match="no option 'tool_choice'"):
        handed_in(["hello"], tool_choice="any")


def test_a_dry_run_shows_other_fields_without_secrets(service):
    """As for a single question."""
    servers = [
        {
            "type": "url",
            "url": "https://x.example",
            "name": "x",
            "authorization_token": "secret-of-mine",
        }
    ]
    options = {"betas": ["mcp-client-2025-04-04"], "dry_run": True}

    shown = repr(
        handed_in(["hello"], extra={"mcp_servers": servers}, **options)._repr_mimebundle_()
    )

    assert "mcp_servers" in shown
    assert "mcp-client-2025-04-04" in shown
    assert "secret-of-mine" not in shown


def test_every_character_arrives(service):
    """The body is as long as it was announced to be, whatever is in the prompts."""
    prompts = ['"quoted" \\n', "ü 😀 \u2028 \x00", "a\nb"]
    handed_in(prompts)
    assert [row["params"]["messages"][0]["content"] for row in sent(service)] == prompts


def test_a_cached_system_prompt_is_kept_for_an_hour(service):
    """A batch takes longer than five minutes; it is said, and what is cached costs less."""
    manual = claude_nb.CachedSystem(("manual", "word " * 4000))
    made = handed_in(["hello"] * 4, system=manual, max_tokens=300)
    (block,) = sent(service)[0]["params"]["system"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    service.advance(1000)
    usage = made.wait().usage
    assert usage.cache_write_1h_tokens > 0
    assert usage.cache_read_tokens == 3 * usage.cache_write_1h_tokens
    assert "1 hour" in repr(made._repr_mimebundle_())


def test_a_batch_is_split_by_requests_and_by_bytes(service, monkeypatch):
    """Several batches of the service are one of ours, each row in one of them."""
    monkeypatch.setattr(rows, "MAX_REQUESTS", 4)
    made = handed_in([f"hello {n}" for n in range(10)])
    assert len(made.ids) == 3
    service.advance(1000)
    assert made.wait().counts == {"complete": 10}
    monkeypatch.setattr(rows, "MAX_BYTES", 5000)
    made = handed_in(["x" * 1500] * 8)
    assert len(made.ids) == 4
    assert all(len(json.dumps(r.body)) < 5200 for r in service.requests[-8:] if r.body)


def test_rows_that_cannot_be_sent_are_named_and_the_others_are_sent(service):
    """Empty, missing and enormous prompts among many; each keeps its place."""
    huge = "x" * 33_000_000
    made = handed_in(pd.Series(["hello", "", None, huge, "  ", "sky blue"], index=list("abcdef")))
    assert len(sent(service)) == 2
    service.advance(1000)
    made.wait()
    assert {r.label: r.outcome for r in made.failed} == dict.fromkeys("bcde", "not sent")
    assert "empty" in made.results[1].error
    assert "missing" in made.results[2].error
    assert "32 MB" in made.results[3].error
    assert [r.outcome for r in made.results] == [
        "complete",
        *["not sent"] * 4,
        "complete",
    ]


@pytest.mark.parametrize(
    ("prompts", "options", "said"),
    [
        (["", None], {}, "No row can be sent"),
        (["x"], {"effort": "lots"}, "no effort"),
        (["x"], {"model": " "}, "model id is empty"),
        (["x"], {"output": 7}, "cannot be used for structured output"),
        (["x"], {"template": "nothing"}, "no {{name}}"),
        (["x"], {"max_cost": -1}, "above 0"),
    ],
    ids=str,
)
def test_what_cannot_be_handed_in_at_all(service, prompts, options, said):
    """Nothing is sent."""
    before = len(service.requests)
    with pytest.raises(InputError, match=said):
        handed_in(prompts, **options)
    paths = {request.path for request in service.requests[before:]}
    assert paths <= {"/v1/messages/count_tokens"}


@pytest.mark.parametrize(
    "send",
    [
        lambda client: handed_in(["x"], client=client),
        lambda client: claude_nb.Batch.resume("msgbatch_1", client=client, show=False),
        lambda client: recent(client=client),
    ],
    ids=["batch", "resume", "recent"],
)
def test_nothing_is_sent_while_recordings_are_replayed(service, send):
    """Neither with the session's connection nor with a client of the user's own."""
    planned = handed_in(["x"], dry_run=True)
    before = len(service.requests)
    asking.session.library = RecordingStore([])
    with pytest.raises(InputError, match="nothing is sent"):
        planned.submit()
    for client in (None, anthropic.AsyncAnthropic()):
        with pytest.raises(InputError, match="nothing is sent"):
            send(client)
    assert len(service.requests) == before


def test_a_client_that_has_no_batches_says_so(service):
    """Bedrock's and Vertex's clients refuse them themselves."""
    client = anthropic.AsyncAnthropicVertex(project_id="p", region="r", access_token="t")
    with pytest.raises(InputError, match="does not support batches"):
        handed_in(["x"], client=client)


@pytest.mark.parametrize(
    ("arguments", "arrives"),
    [
        ((["a\ud83d"],), "a\ufffd"),
        (([{"x": "a\ud83d"}], "{{x}} b\ud83d"), "a\ufffd b\ufffd"),
        ((pd.Series(["a\ud83d"], index=["i\ud83d"], name="x"),), "a\ufffd"),
    ],
)
def test_half_a_character_is_sent_as_a_whole_one(service, arguments, arrives):
    """In a prompt, a template and a value; a row's name can be shown."""
    made = handed_in(*arguments)

    (request,) = sent(service)
    assert request["params"]["messages"][0]["content"] == arrives
    for shown in map(str, made._repr_mimebundle_().values()):
        shown.encode()
