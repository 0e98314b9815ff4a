"""A reply's events as they are saved with a notebook: deltas joined, without what was sent.

They are the lines of a recording (``recording.lines``), as one text: a notebook's file would give
each name in an object a line of its own. The pieces of which a text came are in ``pace``, two
numbers for each: the milliseconds since the one before, and its characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.events import DELTA_FIELDS, Delta, RequestSent, StreamEvent, event_type
from claude_nb.streaming.wire import Writer

MAX_SAVED = 4_000_000
"""Characters of an answer's events that are saved at most: a tool's result may hold pictures."""

_LONGEST = 10**9
"""Milliseconds between two pieces at most, and characters of one: a larger number is no such."""

_OF_SENDING = ("params", "replayed", "kept")
"""The fields of ``RequestSent`` that are not saved."""


def compact(entries: Iterable[StreamEvent | Delta]) -> str:
    """Events as lines of JSON, without credentials; the times are in seconds since the first.

    Args:
        entries: The events of a reply, as an ``EventLog`` keeps them.
    """
    writer = Writer()
    lines: list[dict[str, Any]] = []
    joined: list[tuple[dict[str, Any], list[_Piece]]] = []
    began: float | None = None
    for time, data, pieces in _joined(entries):
        began = time if began is None else began
        written = writer.write(_without_diagnostics(data))
        if isinstance(data, RequestSent):
            written = {n: v for n, v in written.items() if v and n not in _OF_SENDING}
        name = "wire" if isinstance(data, dict) else "event"
        lines.append({"at": round(time - began, 6), name: written})
        if len(pieces) > 1:
            joined.append((lines[-1], pieces))
    writer.finish()
    for line, pieces in joined:
        line["pace"] = _pace(pieces, len(_text(line["wire"])))
    return "\n".join(json.dumps(line, ensure_ascii=False, default=str) for line in lines)


def _without_diagnostics(data: Any) -> Any:
    """An event without what the server says of its cache, which holds for that request alone."""
    message = as_dict(data.get("message")) if isinstance(data, dict) else {}
    if "diagnostics" not in message:
        return data
    return data | {"message": {n: v for n, v in message.items() if n != "diagnostics"}}


_Piece = tuple[float, str]
"""A piece of a text, and when it came."""


def _joined(
    entries: Iterable[StreamEvent | Delta],
) -> Iterator[tuple[float, Any, list[_Piece]]]:
    """Events with their times: the deltas of a text that follow each other are one, pings none."""
    pieces, shape = list[_Piece](), (0, 0, "")
    for entry in entries:
        if not isinstance(entry, StreamEvent):
            time, text, new = entry
            if pieces and new != shape:
                yield _delta(pieces, shape)
                pieces = []
            pieces.append((time, text))
            shape = new
        elif event_type(entry.data) != "ping":
            if pieces:
                yield _delta(pieces, shape)
                pieces = []
            yield entry.time, entry.data, []
    if pieces:
        yield _delta(pieces, shape)


def _delta(
    pieces: list[_Piece], shape: tuple[int, int, str]
) -> tuple[float, dict[str, Any], list[_Piece]]:
    _, index, kind = shape
    delta = {"type": kind, DELTA_FIELDS[kind]: "".join(text for _, text in pieces)}
    event = {"type": "content_block_delta", "index": index, "delta": delta}
    return pieces[0][0], event, pieces


def _pace(pieces: list[_Piece], left: int) -> str:
    """When pieces came, and how long they are.

    Args:
        pieces: The pieces.
        left: The characters of the text as it is saved: a credential in it has become shorter.
    """
    numbers: list[int] = []
    began, before = pieces[0][0], 0
    for time, text in pieces:
        at, size = round((time - began) * 1000), min(len(text), left)
        numbers += [at - before, size]
        before, left = at, left - size
    numbers[-1] += left
    return " ".join(map(str, numbers))


def pieces(at: float, data: Any, pace: Any) -> Iterator[tuple[float, Any]]:
    """An event that was saved, as the events that it was.

    Args:
        at: Its time.
        data: The event.
        pace: What ``compact`` wrote of its pieces, or None; a file may hold anything.

    Raises:
        ValueError: The pace is none.
    """
    if pace is None:
        yield at, data
        return
    numbers = [int(number) for number in str(pace).split()]
    text, delta = _text(data), as_dict(as_dict(data).get("delta"))
    if not (text and numbers) or len(numbers) % 2 or max(map(abs, numbers)) > _LONGEST:
        raise ValueError(pace)
    name = DELTA_FIELDS[delta["type"]]
    done, milliseconds = 0, 0
    for number in range(0, len(numbers), 2):
        milliseconds += numbers[number]
        end = len(text) if number + 2 == len(numbers) else done + max(numbers[number + 1], 0)
        yield at + milliseconds / 1000, data | {"delta": delta | {name: text[done:end]}}
        done = end


def _text(wire: Any) -> str:
    """The text that a delta brings; empty for all else."""
    delta = as_dict(as_dict(wire).get("delta"))
    return as_string(delta.get(DELTA_FIELDS.get(as_string(delta.get("type")), "")))


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
