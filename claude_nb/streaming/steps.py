"""A stream, step by step: each event, its lane, and what it changed in the message.

The changes are the differences between the reducer's message (``progress`` and ``block``) after one
event and after the next. Whoever applies them in order, as the page does, has the reducer's message
at each step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from claude_nb.redaction import Redactor, redacted
from claude_nb.streaming.block import TOOL_CALLS, Block, as_dict, as_string
from claude_nb.streaming.events import DELTA_FIELDS, TEXT_FIELDS, StreamEvent
from claude_nb.streaming.message import Message
from claude_nb.streaming.progress import Progress
from claude_nb.streaming.wire import Writer

LONGEST = 90.0
"""The longest silence, in seconds: a longer one is a clock that jumped."""

Change = list[Any]
"""One change of the message, which is a dict or None.

- ``["message", value]``: it is now this
- ``["fields", {…}]``: these fields have new values
- ``["open", n, block]``: block ``n``, the last one, begins
- ``["grow", n, field, text]``: ``text`` is added to a field of block ``n``
- ``["put", n, {…}, [names]]``: these fields of block ``n`` have new values; those named are removed
"""


class Lane(NamedTuple):
    """Where events belong: the request as a whole, or a content block of one request.

    Attributes:
        number: From 0, which is the request as a whole.
        kind: ``request``, or the type of the block.
        name: Of the tool that a block calls, or empty.
        attempt: The number of the block's request in the reply, from 1; 0 for the first lane.
        block: The block's index in its message; -1 for the first lane.
    """

    number: int
    kind: str
    name: str = ""
    attempt: int = 0
    block: int = -1


class Step(NamedTuple):
    """One event.

    Attributes:
        seq: Its number in the reply.
        time: Seconds since the first event, by a clock that neither jumps nor goes back.
        gap: Seconds since the event before, as measured.
        lane: The number of its lane.
        kind: Its type, or the type of its delta.
        text: What it adds to a text, to thinking or to a tool's input.
        event: Its JSON.
        changes: What it changed in the message.
    """

    seq: int
    time: float
    gap: float
    lane: int
    kind: str
    text: str
    event: Any
    changes: list[Change]


class Steps:
    """Turns events into steps.

    Attributes:
        progress: The reply so far.
        lanes: The lanes so far.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self.lanes = [Lane(0, "request")]
        self._writer = Writer()
        self._lane_of: dict[tuple[int, Any], int] = {}
        self._lane_of_call: dict[str, int] = {}
        self._last = 0.0
        self._time = 0.0
        self._began = False
        self._message: Message | None = None
        self._fields: dict[str, Any] = {}
        self._blocks: list[_BlockState] = []
        self._empty = True

    def take(self, events: Iterable[StreamEvent]) -> list[Step]:
        """The steps of the next events."""
        events = list(events)
        written = [self._writer.write(event.data) for event in events]
        return [self._take(event, wire) for event, wire in zip(events, written, strict=True)]

    def _take(self, event: StreamEvent, wire: dict[str, Any]) -> Step:
        gap = event.time - self._last if self._began else 0.0
        self._began, self._last = True, event.time
        self._time += min(max(gap, 0.0), LONGEST)
        self.progress.apply(event)
        kind, text = event.type, ""
        if kind == "content_block_delta" and isinstance(delta := wire.get("delta"), dict):
            kind = str(delta.get("type") or kind)
            text = as_string(delta.get(DELTA_FIELDS.get(kind, "")))
        lane = self._lane(event, wire, kind)
        return Step(event.seq, self._time, gap, lane, kind, text, wire, self._changes(event.type))

    def _lane(self, event: StreamEvent, wire: dict[str, Any], kind: str) -> int:
        if event.type in ("tool_asked", "tool_started", "tool_ran"):
            return self._lane_of_call.get(str(wire.get("id")), 0)
        if not event.type.startswith("content_block_"):
            return 0
        index = wire.get("index")
        key = event.attempt, str(index)
        if event.type == "content_block_start" or key not in self._lane_of:
            block = as_dict(wire.get("content_block"))
            number = len(self.lanes)
            named = str(block.get("type") or kind.removesuffix("_delta"))
            place = index if isinstance(index, int) else -1
            lane = Lane(number, named, str(block.get("name") or ""), event.attempt, place)
            self.lanes.append(lane)
            self._lane_of[key] = number
            if block.get("id"):
                self._lane_of_call[str(block["id"])] = number
        return self._lane_of[key]

    def _changes(self, kind: str) -> list[Change]:
        """What is new in the message since the last call."""
        message = self.progress.last
        if message is None:
            return []
        blocks = [block for block in message.content if not block.lost]
        seen = [found.block for found in self._blocks]
        if message is not self._message or blocks[: len(seen)] != seen:
            return self._whole_message(message, blocks)
        changes: list[Change] = []
        if kind not in ("content_block_delta", "content_block_stop"):
            fields = redacted(message.fields())
            fields.pop("content", None)
            new = {k: v for k, v in fields.items() if k not in self._fields or self._fields[k] != v}
            if new:
                changes.append(["fields", new])
            self._fields = fields
        for block in blocks[len(seen) :]:
            found = _BlockState(block)
            self._blocks.append(found)
            changes.append(["open", len(self._blocks) - 1, found.view])
        for number, found in enumerate(self._blocks[: len(seen)]):
            changes += found.changes(number)
        if changes and self._empty:
            return self._whole_message(message, blocks)
        return changes

    def _whole_message(self, message: Message, blocks: list[Block]) -> list[Change]:
        was_empty, self._message = self._empty, message
        self._blocks = [_BlockState(block) for block in blocks]
        self._fields = redacted(message.fields())
        self._fields.pop("content", None)
        whole = view(message)
        self._empty = whole is None
        return [] if was_empty and whole is None else [["message", whole]]


class _BlockState:
    """A block as it was at the last step."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.view = block_view(block)
        self._field = _field(block)
        self._grown = False
        self._parts = len(block.parts)
        self._keys = Redactor()
        self._keys.feed(block.text)
        if block.ended is not None:
            self._keys.finish()
        self._state = self._now()

    def _now(self) -> tuple[Any, ...]:
        block = self.block
        counts = len(block.citations), len(block.breaks)
        return block.ended, block.signature, block.encrypted_content, *counts

    def changes(self, number: int) -> list[Change]:
        """What is new in the block, number ``number`` of its message."""
        found: list[Change] = []
        parts = self.block.parts
        text = ""
        if self._parts < len(parts):
            text = self._keys.feed("".join(parts[self._parts :]))
            self._parts = len(parts)
        if self.block.ended is not None:
            text += self._keys.finish()
        if self._field and text:
            self._grown = True
            found.append(["grow", number, self._field, text])
        state = self._now()
        if state != self._state:
            self._state = state
            old, new = self.view, block_view(self.block)
            changed = (k for k, v in new.items() if k not in old or old[k] != v)
            # What grew is in a change of its own, and is not compared: it may be long.
            put = {name: new[name] for name in changed if name != self._field}
            known = {*old, self._field} if self._grown else old
            gone = sorted(name for name in known if name not in new)
            self.view, self._field, self._grown = new, _field(self.block), False
            if put or gone:
                found.append(["put", number, put, gone])
        return found


def view(message: Message | None) -> dict[str, Any] | None:
    """The message so far, as the API's dict; None while nothing of it has come.

    A tool call that is still being written has its JSON so far in ``partial_json``.
    """
    if message is None:
        return None
    content = [block_view(block) for block in message.content if not block.lost]
    fields = redacted(message.fields())
    return _ordered(fields | {"content": content}) if fields or content else None


def block_view(block: Block) -> dict[str, Any]:
    """A content block as it is in ``view``."""
    shown = _ordered(redacted(block.to_dict()))
    if block.type in TOOL_CALLS and block.ended is None:
        shown["input"] = {}
    field = _field(block)
    if block.ended is None and field and block.text:
        shown[field] = Redactor().feed(block.text)
    return shown


def _ordered(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields in the order in which they are best read; unknown ones at the end."""
    return {name: fields[name] for name in _ORDER if name in fields} | fields


_ORDER = (
    *("id", "type", "role", "model", "name", "text", "thinking", "input", "content"),
    *("stop_reason", "stop_sequence", "usage"),
)


def _field(block: Block) -> str:
    """The field that grows; empty where none does."""
    if block.type in TOOL_CALLS:
        return "partial_json" if block.ended is None else ""
    return TEXT_FIELDS.get(block.type, "")
