"""Recorded streams, and events to make others of: what the tests play through the simulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAMS = Path(__file__).parent / "streams"
GOOD = sorted(path.stem for path in (STREAMS / "good").glob("*.json"))
BAD = sorted(path.stem for path in (STREAMS / "bad").glob("*.json"))

Event = dict[str, Any]


def recorded(name: str) -> list[Event]:
    """The events of a recorded stream, by its name."""
    (path,) = STREAMS.glob(f"*/{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))["events"]


def escaped(*events: Event) -> bytes:
    """The bytes of a stream, in which JSON escapes what is not ASCII, such as half a character."""
    parts = [(event["type"], json.dumps(event)) for event in events]
    return "".join(f"event: {kind}\ndata: {data}\n\n" for kind, data in parts).encode()


def start(**fields: Any) -> Event:
    """``message_start``."""
    usage = {"input_tokens": 25, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return {"type": "message_start", "message": message | fields}


def block(index: Any, *deltas: Event, **fields: Any) -> list[Event]:
    """A content block: its start, its deltas, its stop."""
    return [
        {"type": "content_block_start", "index": index, "content_block": fields},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces: str, index: int = 0) -> list[Event]:
    """A text block, a delta for each piece."""
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, *deltas, type="text", text="")


def citation(title: str, /, **fields: Any) -> Event:
    """A citation of a page that a search has found; or of what ``fields`` say."""
    found = {
        "type": "web_search_result_location",
        "cited_text": f"what {title} says",
        "url": f"https://example.org/{title.lower()}",
        "title": title,
        "encrypted_index": "RU5D",
    }
    return {"type": "citations_delta", "citation": found | fields}


def cited(*pieces: str, sources: Iterable[str | Event] = ("Page",), index: int = 0) -> list[Event]:
    """A text block that cites sources: pages by their titles, or citations made before."""
    deltas: list[Event] = [{"type": "text_delta", "text": piece} for piece in pieces]
    deltas += [citation(source) if isinstance(source, str) else source for source in sources]
    return block(index, *deltas, type="text", text="", citations=[])


def thinking(*pieces: str, index: int = 0) -> list[Event]:
    """A thinking block with its signature."""
    deltas: list[Event] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    deltas.append({"type": "signature_delta", "signature": "signed"})
    return block(index, *deltas, type="thinking", thinking="", signature="")


def tool_use(
    *pieces: str, index: int = 0, call: str = "toolu_1", name: str = "look_up"
) -> list[Event]:
    """A call of a tool, a delta for each piece of its input's JSON."""
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, *deltas, type="tool_use", id=call, name=name, input={})


def end(reason: str = "end_turn", output_tokens: int = 15, **usage: Any) -> list[Event]:
    """``message_delta`` and ``message_stop``."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    counts = {"output_tokens": output_tokens, **usage}
    return [
        {"type": "message_delta", "delta": delta, "usage": counts},
        {"type": "message_stop"},
    ]


def said(*pieces: str) -> list[Event]:
    """A whole message of one text block."""
    return [start(), *text(*pieces), *end()]
