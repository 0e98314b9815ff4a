"""From an answer to the events that stream it, and from events to bytes.

The order and the shapes of the events are those of the Messages API's streaming documentation
(platform.claude.com/docs, "Streaming messages", read 2026-09-02) and of the SDK's types.

The delays are made up, so that what is sooner with the API is sooner here. Two have a source:

- Reading a prompt: 100,000 tokens took 11.5 s to the first token, and 2.4 s from the cache; 10,000
  took 1.6 s, and 1.1 s (Anthropic, "Prompt caching with Claude", 2024-08-14). So 1,000 tokens take
  0.09 s here, and 0.02 s from the cache.
- Thinking that is not shown: its text is not streamed, so the answer begins sooner, by how much is
  not published (platform.claude.com/docs, "Thinking", ``display``). It takes half of the time here
  that writing its summary takes, and all else takes as long as with it.
"""

import contextlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Event: TypeAlias = dict[str, Any]
Display: TypeAlias = Literal["summarized", "omitted"]

_SIZES = (1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 7, 9, 14, 20)
"""Characters in a delta, each as likely as the others."""

_EVENTS_BETWEEN_PINGS = 250
_SILENCE = 10.0
"""Seconds without an event, at speed 1, after which there is a ping. The API's own is not known."""

_READING = {
    "input_tokens": 0.09,
    "cache_creation_input_tokens": 0.09,
    "cache_read_input_tokens": 0.02,
}
"""Seconds before the first event for 1,000 tokens of the prompt, at speed 1."""

_LONGEST_READING = 20.0
"""Seconds. A silence before the stream has no pings, and clients have time-outs."""

_OMITTED = 0.5
"""The time of thinking that is not shown, as a share of the time that writing it takes."""

_ENDING = ("stop_reason", "stop_sequence", "stop_details", "container")
SERVER_CALLS = {"server_tool_use", "mcp_tool_use"}
"""The calls that the API runs itself."""

_CALLS = {"tool_use", *SERVER_CALLS}


@dataclass(frozen=True, slots=True)
class Written:
    """A content block, and the content of its deltas.

    Attributes:
        block: The block as ``content_block_start`` sends it, still empty. The result of a server
            tool is whole from the start.
        text: What the deltas carry: text, thinking, or a tool's input as JSON.
        citations: Of a text, the citations.
        signature: Of thinking, the signature.
        eager: Of a call, whether its input is sent as it is written (``eager_input_streaming``).
        by_word: Of a text, whether each word is a delta; they are cut at random otherwise.
    """

    block: dict[str, Any]
    text: str = ""
    citations: tuple[dict[str, Any], ...] = ()
    signature: str = ""
    eager: bool = False
    by_word: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, before it is cut into events.

    Attributes:
        content: The blocks in their order.
        stop_reason: The API's ``stop_reason``.
        stop_sequence: The one that was met, if one was.
        stop_details: Of a refusal.
        container: Where code was run.
        declined: What a model wrote that declined, where another one went on.
    """

    content: list[Written] = field(default_factory=list)
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    container: dict[str, Any] | None = None
    declined: list[Written] = field(default_factory=list)


def text(written: str, *citations: dict[str, Any]) -> Written:
    """Make a text block."""
    block: dict[str, Any] = {"type": "text", "text": ""}
    return Written(block | {"citations": []} if citations else block, written, citations)


def thinking(written: str) -> Written:
    """Make a thinking block, not signed yet."""
    return Written({"type": "thinking", "thinking": "", "signature": ""}, written)


def tool_use(
    identifier: str, name: str, tool_input: dict[str, Any], *, eager: bool = False
) -> Written:
    """Make a call of a client tool."""
    block = {"type": "tool_use", "id": identifier, "name": name, "input": {}}
    return Written(block, json.dumps(tool_input, ensure_ascii=False), eager=eager)


def server_tool_use(identifier: str, name: str, tool_input: dict[str, Any]) -> Written:
    """Make a call of a tool that the API runs itself."""
    block = {"type": "server_tool_use", "id": identifier, "name": name, "input": {}}
    return Written(block, json.dumps(tool_input, ensure_ascii=False))


def mcp_tool_use(identifier: str, server: str, name: str, tool_input: dict[str, Any]) -> Written:
    """Make a call of a tool of an MCP server."""
    named = {"id": identifier, "name": name, "server_name": server}
    block = {"type": "mcp_tool_use", **named, "input": {}}
    return Written(block, json.dumps(tool_input, ensure_ascii=False))


def server_tool_result(identifier: str, name: str, content: Any) -> Written:
    """Make the result of such a call, whose block is named after the tool."""
    return Written({"type": f"{name}_tool_result", "tool_use_id": identifier, "content": content})


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
        "content": [whole(written, display) for written in answer.content],
        **{name: getattr(answer, name) for name in _ENDING},
        "usage": usage,
    }


def events(
    head: dict[str, Any],
    answer: Answer,
    usage: tuple[dict[str, Any], dict[str, Any]],
    display: Display,
    rng: random.Random,
) -> Iterator[tuple[float, Event]]:
    """Write an answer down as timed events.

    Args:
        head: As in :func:`message`.
        answer: The answer.
        usage: What is known of the usage when the message starts, and that of the whole message.
        display: Whether thinking is shown.
        rng: Decides the sizes of the deltas and the pace.

    Yields:
        Seconds since the event before, at speed 1, and the event.
    """
    begun, done = usage
    start = {**head, "content": [], "stop_reason": None, "stop_sequence": None}
    later = ("output_tokens_details", "iterations")
    start["usage"] = {k: v for k, v in begun.items() if k not in later}
    reading = sum(begun[kind] / 1000 * seconds for kind, seconds in _READING.items())
    # Little of it is chance: a hit is sooner than a miss, also of a prompt that is not long.
    waited = rng.uniform(0.4, 0.43) + min(reading, _LONGEST_READING)
    yield waited, {"type": "message_start", "message": start}
    count = 0
    for index, written in enumerate(answer.content):
        opened = {"type": "content_block_start", "index": index, "content_block": written.block}
        # A result comes when the server's tool has run.
        ran = written.block["type"].endswith("_tool_result")
        yield rng.uniform(0.6, 1.4) if ran else rng.uniform(0, 0.05), opened
        if index == 0:
            yield 0.0, {"type": "ping"}
        for gap, delta in _deltas(written, display, rng):
            silences = int(gap / _SILENCE)
            yield from [(_SILENCE, {"type": "ping"})] * silences
            event = {"type": "content_block_delta", "index": index, "delta": delta}
            yield gap - silences * _SILENCE, event
            count += 1
            if count % _EVENTS_BETWEEN_PINGS == 0:
                yield 0.0, {"type": "ping"}
        yield 0.0, {"type": "content_block_stop", "index": index}
    found = {name: getattr(answer, name) for name in _ENDING}
    stop = {k: v for k, v in found.items() if v is not None or k == "stop_sequence"}
    totals = {k: v for k, v in done.items() if k not in {"cache_creation", "service_tier"}}
    yield 0.0, {"type": "message_delta", "delta": stop, "usage": totals}
    yield 0.0, {"type": "message_stop"}


def pieces(written: str, rng: random.Random) -> Iterator[str]:
    """Cut a text into deltas of irregular sizes, wherever they fall."""
    at = 0
    while at < len(written):
        size = rng.choice(_SIZES)
        yield written[at : at + size]
        at += size


def values(written: str) -> Iterator[str]:
    """Cut a JSON object behind each of its values; what is left of a value that was cut is one."""
    decoder = json.JSONDecoder()
    start, at = 0, 1
    while at < len(written) - 1:
        try:
            _, at = decoder.raw_decode(written, at)
            _, at = decoder.raw_decode(written, at + len(": "))
        except json.JSONDecodeError:
            break
        yield written[start:at]
        start, at = at, at + len(", ")
    yield written[start:]


def whole(written: Written, display: Display) -> dict[str, Any]:
    """Return a block as it is when its deltas have come."""
    kind = written.block["type"]
    if kind == "thinking":
        shown = written.text if display == "summarized" else ""
        return {**written.block, "thinking": shown, "signature": written.signature}
    if kind == "text":
        cited = {"citations": list(written.citations)} if written.citations else {}
        return {**written.block, "text": written.text, **cited}
    if kind in _CALLS:
        with contextlib.suppress(json.JSONDecodeError):  # max_tokens cut it
            return {**written.block, "input": json.loads(written.text)}
    return written.block


def _deltas(
    written: Written, display: Display, rng: random.Random
) -> Iterator[tuple[float, Event]]:
    kind = written.block["type"]
    if kind == "text":
        # The API sends citations before the text that they support.
        for citation in written.citations:
            yield _pace(rng), {"type": "citations_delta", "citation": citation}
        words = re.findall(r"\s*\S+(?:\s+$)?", written.text)
        for piece in words if written.by_word else pieces(written.text, rng):
            yield _pace(rng), {"type": "text_delta", "text": piece}
    elif kind == "thinking":
        timed = [(_pace(rng), piece) for piece in pieces(written.text, rng)]
        silence = 0.0
        if display == "omitted":
            silence = _OMITTED * sum(gap for gap, _ in timed)
            timed = []
        for gap, piece in timed:
            yield gap, {"type": "thinking_delta", "thinking": piece}
        yield silence, {"type": "signature_delta", "signature": written.signature}
    elif kind in _CALLS:
        yield 0.0, {"type": "input_json_delta", "partial_json": ""}
        for gap, piece in _input(written, rng):
            yield gap, {"type": "input_json_delta", "partial_json": piece}


def _input(written: Written, rng: random.Random) -> Iterator[tuple[float, str]]:
    """Cut the input of a call.

    Unless the tool asks for it as it is written, the API holds it back until a value is complete,
    and sends that at once. No input at all is nothing beyond the first, empty delta.
    """
    if written.text == "{}":
        return
    for value in [written.text] if written.eager else values(written.text):
        timed = [(_pace(rng), piece) for piece in pieces(value, rng)]
        if not written.eager:
            held = sum(gap for gap, _ in timed)
            timed = [(0.0 if number else held, piece) for number, (_, piece) in enumerate(timed)]
        yield from timed


def _pace(rng: random.Random) -> float:
    """Return the seconds before a delta: 0.008 to 0.016, about 80 a second."""
    return rng.uniform(0.008, 0.016)
