"""From an answer to the events that stream it, and from events to bytes.

The order and the shapes of the events are those of the Messages API's streaming documentation
(platform.claude.com/docs, "Streaming messages", read 2026-09-02) and of the SDK's types.
"""

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Event: TypeAlias = dict[str, Any]
Display: TypeAlias = Literal["summarized", "omitted"]

_SIZES = (1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 7, 9, 14, 20)
"""Characters in a delta, each as likely as the others."""

_EVENTS_BETWEEN_PINGS = 250
_FIELDS = {"text": "text", "thinking": "thinking", "tool_use": "input"}
"""The field that deltas fill, by type of block."""


@dataclass(frozen=True, slots=True)
class Written:
    """A content block, and what is written into it by deltas.

    Attributes:
        block: The block as ``content_block_start`` sends it, still empty.
        text: What the deltas carry: text, thinking, or a tool's input as JSON.
    """

    block: dict[str, Any]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request, before it is cut into events.

    Attributes:
        content: The blocks in their order.
        stop_reason: The API's ``stop_reason``.
        stop_sequence: The one that was met, if one was.
        stop_details: Of a refusal.
    """

    content: list[Written] = field(default_factory=list)
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None


def text(written: str) -> Written:
    """Make a text block."""
    return Written({"type": "text", "text": ""}, written)


def thinking(written: str) -> Written:
    """Make a thinking block; its signature follows from its text."""
    return Written({"type": "thinking", "thinking": "", "signature": ""}, written)


def tool_use(identifier: str, name: str, tool_input: Any) -> Written:
    """Make a call of a client tool."""
    block = {"type": "tool_use", "id": identifier, "name": name, "input": {}}
    return Written(block, json.dumps(tool_input, ensure_ascii=False))


def signature(written: str) -> str:
    """Return a thinking block's signature: opaque as the real ones, and recognisably simulated."""
    mark = random.Random(written).randbytes(48)  # noqa: S311  (not a secret)
    return base64.b64encode(b"claude_nb simulator, signs nothing. " + mark).decode()


def sse(event: Event) -> bytes:
    """Encode one event as server-sent event; one without a type has no ``event:`` line."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"{name}data: {data}\n\n".encode()


def message(head: dict[str, Any], answer: Answer, usage: dict[str, Any], display: Display) -> Event:
    """Return the message as a request without ``stream`` gets it.

    Args:
        head: The message's fields that do not depend on the answer: id, model.
        answer: The answer.
        usage: The usage of the whole message.
        display: Whether thinking is shown.
    """
    return {
        **head,
        "content": [_whole(written, display) for written in answer.content],
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "stop_details": answer.stop_details,
        "usage": usage,
    }


def events(
    head: dict[str, Any],
    answer: Answer,
    usage: dict[str, Any],
    display: Display,
    rng: random.Random,
) -> Iterator[tuple[float, Event]]:
    """Write an answer down as timed events.

    Args:
        head: As in :func:`message`.
        answer: The answer.
        usage: The usage of the whole message.
        display: Whether thinking is shown.
        rng: Decides the sizes of the deltas and the pace.

    Yields:
        Seconds since the event before, at speed 1, and the event.
    """
    start = {**head, "content": [], "stop_reason": None, "stop_sequence": None}
    first_usage = {k: v for k, v in usage.items() if k != "output_tokens_details"}
    start["usage"] = first_usage | {"output_tokens": 1}
    yield rng.uniform(0.3, 0.6), {"type": "message_start", "message": start}
    count = 0
    for index, written in enumerate(answer.content):
        begun = {"type": "content_block_start", "index": index, "content_block": written.block}
        yield rng.uniform(0, 0.05), begun
        if index == 0:
            yield 0.0, {"type": "ping"}
        for gap, delta in _deltas(written, display, rng):
            yield gap, {"type": "content_block_delta", "index": index, "delta": delta}
            count += 1
            if count % _EVENTS_BETWEEN_PINGS == 0:
                yield 0.0, {"type": "ping"}
        yield 0.0, {"type": "content_block_stop", "index": index}
    stop: Event = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}
    if answer.stop_details is not None:
        stop["stop_details"] = answer.stop_details
    totals = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    last_usage = {k: usage[k] for k in (*totals, "output_tokens", "output_tokens_details")}
    yield 0.0, {"type": "message_delta", "delta": stop, "usage": last_usage}
    yield 0.0, {"type": "message_stop"}


def pieces(written: str, rng: random.Random) -> Iterator[str]:
    """Cut a text into deltas of irregular sizes, wherever they fall."""
    at = 0
    while at < len(written):
        size = rng.choice(_SIZES)
        yield written[at : at + size]
        at += size


def _deltas(
    written: Written, display: Display, rng: random.Random
) -> Iterator[tuple[float, Event]]:
    match written.block["type"]:
        case "text":
            for piece in pieces(written.text, rng):
                yield _pace(rng), {"type": "text_delta", "text": piece}
        case "thinking":
            hidden = display == "omitted"
            for piece in pieces("" if hidden else written.text, rng):
                yield _pace(rng), {"type": "thinking_delta", "thinking": piece}
            # Thinking that is not shown is a silence, shorter than writing it would be.
            gap = rng.uniform(1.0, 2.0) if hidden else 0.0
            yield gap, {"type": "signature_delta", "signature": signature(written.text)}
        case "tool_use":
            yield 0.0, {"type": "input_json_delta", "partial_json": ""}
            for piece in pieces(written.text, rng):
                yield _pace(rng), {"type": "input_json_delta", "partial_json": piece}


def _pace(rng: random.Random) -> float:
    """Return the seconds before a delta: 0.008 to 0.016, about 80 a second."""
    return rng.uniform(0.008, 0.016)


def _whole(written: Written, display: Display) -> dict[str, Any]:
    kind = written.block["type"]
    if kind == "thinking":
        shown = written.text if display == "summarized" else ""
        return {**written.block, "thinking": shown, "signature": signature(written.text)}
    if kind == "tool_use":
        try:
            return {**written.block, "input": json.loads(written.text)}
        except json.JSONDecodeError:  # max_tokens cut it
            return written.block
    field_name = _FIELDS.get(kind)
    return {**written.block, field_name: written.text} if field_name else written.block
