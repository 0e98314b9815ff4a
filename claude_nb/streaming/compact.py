"""A reply's events as they are saved with a notebook: deltas joined, without what was sent.

They are the lines of a recording (``recording.lines``), as one text: a notebook's file would give
each name in an object a line of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from claude_nb.streaming.block import as_dict
from claude_nb.streaming.events import DELTA_FIELDS, Delta, RequestSent, StreamEvent, event_type
from claude_nb.streaming.wire import Writer

MAX_SAVED = 4_000_000
"""Characters of an answer's events that are saved at most: a tool's result may hold pictures."""

_OF_SENDING = ("params", "replayed", "kept")
"""The fields of ``RequestSent`` that are not saved."""


def compact(entries: Iterable[StreamEvent | Delta]) -> str:
    """Events as lines of JSON, without credentials; the times are in seconds since the first.

    Args:
        entries: The events of a reply, as an ``EventLog`` keeps them.
    """
    writer, lines = Writer(), []
    began: float | None = None
    for time, data in _joined(entries):
        began = time if began is None else began
        written = writer.write(_without_diagnostics(data))
        if isinstance(data, RequestSent):
            written = {n: v for n, v in written.items() if v and n not in _OF_SENDING}
        name = "wire" if isinstance(data, dict) else "event"
        lines.append({"at": round(time - began, 6), name: written})
    writer.finish()
    return "\n".join(json.dumps(line, ensure_ascii=False, default=str) for line in lines)


def _without_diagnostics(data: Any) -> Any:
    """An event without what the server says of its cache, which holds for that request alone."""
    message = as_dict(data.get("message")) if isinstance(data, dict) else {}
    if "diagnostics" not in message:
        return data
    return data | {"message": {n: v for n, v in message.items() if n != "diagnostics"}}


def _joined(entries: Iterable[StreamEvent | Delta]) -> Iterator[tuple[float, Any]]:
    """Events with their times: the deltas of a text that follow each other are one, pings none."""
    at, texts, shape = 0.0, list[str](), (0, 0, "")
    for entry in entries:
        if not isinstance(entry, StreamEvent):
            time, text, new = entry
            if texts and new == shape:
                texts.append(text)
                continue
            yield from _delta(at, texts, shape)
            at, texts, shape = time, [text], new
        elif event_type(entry.data) != "ping":
            yield from _delta(at, texts, shape)
            texts = []
            yield entry.time, entry.data
    yield from _delta(at, texts, shape)


def _delta(
    time: float, texts: list[str], shape: tuple[int, int, str]
) -> Iterator[tuple[float, dict[str, Any]]]:
    if texts:
        _, index, kind = shape
        delta = {"type": kind, DELTA_FIELDS[kind]: "".join(texts)}
        yield time, {"type": "content_block_delta", "index": index, "delta": delta}


def sealed(answer: dict[str, Any] | None, turn: dict[str, Any] | None) -> dict[str, Any] | None:
    """An answer as it is saved, with a digest of it; None where it is none, or too large.

    Args:
        answer: What ``Progress.saved_answer`` returned.
        turn: The record of its turn, or what stands for one, whose text the digest is of too.
    """
    if answer is None or len(answer["events"]) > MAX_SAVED:
        return None
    return answer | {"digest": _seal(answer, turn)}


def is_unedited(record: dict[str, Any]) -> bool:
    """Whether the answer in a reply's record is as it was saved."""
    answer = as_dict(record.get("answer"))
    rest = {name: value for name, value in answer.items() if name != "digest"}
    return answer.get("digest") == _seal(rest, record.get("turn") or record.get("once"))


def _seal(answer: dict[str, Any], turn: Any) -> str:
    return digest([answer, as_dict(turn).get("text")])


def digest(value: Any) -> str:
    """A hash of a JSON value."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
