"""What happened while a reply came, in order: the events of the wire, and a few of ours.

An event is recorded once, where it arrives, and never changed. Everything that is shown, saved,
priced or taught is computed from the events, so their texts are made well-formed here: no reader
meets half a character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, overload

from claude_nb.characters import find_half, split_half, wellformed, wellformed_json
from claude_nb.errors import ClaudeError
from claude_nb.streaming import sdk

DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "tool_use"),
    "compaction_delta": ("content", "compaction"),
}
"""The deltas that bring a text, by type: the field that holds it, and the type of its block."""

DELTA_FIELDS = {kind: field for kind, (field, _) in DELTAS.items()}
TEXT_FIELDS = {block: field for field, block in DELTAS.values()}
"""The field that grows, by the type of the block."""


class StreamEvent(NamedTuple):
    """One thing that happened.

    Attributes:
        seq: Its number within the reply, from 0.
        time: ``time.monotonic()`` when it arrived, in seconds.
        attempt: Which request of the reply it belongs to, from 1.
        data: The event as it came over the wire, a dict; or one of the classes below.
    """

    seq: int
    time: float
    attempt: int
    data: Any

    @property
    def type(self) -> str:
        """The event's type: ``content_block_delta``, ``request_sent`` and so on."""
        return event_type(self.data)

    @property
    def sdk(self) -> Any:
        """The event as the SDK's typed object (``RawMessageStreamEvent``); ours as it is."""
        return sdk.event(self.data) if isinstance(self.data, dict) else self.data


def event_type(data: Any) -> str:
    """The type that an event names; ``unknown`` if it names none."""
    kind = data.get("type") if isinstance(data, dict) else data.type
    return kind if isinstance(kind, str) else "unknown"


Delta = tuple[float, str, tuple[int, int, str]]
"""A delta that brings a text and nothing else: its time, the text, and the attempt, the block's
index and the delta's type. A plain tuple: the garbage collector need not look at it again."""


class EventLog(Sequence[StreamEvent]):
    """The events of one reply. One thread appends, any thread reads.

    Most events are deltas of a text. They are kept as small tuples, and made into a dict when
    somebody asks for one: 64,000 of them take 9 MB in place of 58.

    A character outside the basic plane can be escaped in JSON as two halves, one in each of two
    deltas: the first half waits for the second, and becomes U+FFFD if that does not come.

    Args:
        events: Events to begin with.
    """

    def __init__(self, events: Iterable[StreamEvent] = ()) -> None:
        self._entries: list[StreamEvent | Delta] = []
        self._shape = (0, 0, "")
        self._halves: dict[tuple[int, int | None, str], str] = {}
        self.extend(events)

    def record(self, time: float, attempt: int, data: Any) -> None:
        """Record an event.

        Args:
            time: ``time.monotonic()`` when it arrived, in seconds.
            attempt: Which request of the reply it belongs to, from 1.
            data: The event: a dict of the wire, or an event of ours.
        """
        grows = False
        if type(data) is dict and data.get("type") == "content_block_delta":
            index = data.get("index")
            delta: Any = data.get("delta")
            kind: Any = delta.get("type") if type(delta) is dict else None
            name = DELTA_FIELDS.get(kind) if type(kind) is str else None
            text = delta.get(name) if name else None
            if type(text) is str:
                grows = True
                if self._halves or not (text.isascii() or find_half(text) is None):
                    text = self._joined(attempt, index if type(index) is int else None, kind, text)
                if len(data) == 3 and len(delta) == 2 and type(index) is int:
                    if self._shape != (attempt, index, kind):
                        self._shape = (attempt, index, kind)
                    self._entries.append((time, text, self._shape))
                    return
                data = data | {"delta": delta | {name: text}}
        if self._halves and not grows:
            self._end_halves(time)
        if type(data) is dict:
            data = wellformed_json(data)
        self._entries.append(StreamEvent(len(self._entries), time, attempt, data))

    def _joined(self, attempt: int, index: int | None, kind: str, text: str) -> str:
        """A delta's text behind the half that waits for it; a half at its end waits in turn."""
        block = (attempt, index, kind)
        text, half = split_half(self._halves.pop(block, "") + text)
        if half:
            self._halves[block] = half
        return wellformed(text)

    def _end_halves(self, time: float) -> None:
        """Record U+FFFD for the halves that wait: what follows is no text of theirs."""
        halves, self._halves = self._halves, {}
        for (attempt, index, kind), half in halves.items():
            delta = {"type": kind, DELTA_FIELDS[kind]: wellformed(half)}
            data = {"type": "content_block_delta", "index": index, "delta": delta}
            self.record(time, attempt, data)

    def extend(self, events: Iterable[StreamEvent]) -> None:
        """Record events that have happened already."""
        for event in events:
            self.record(event.time, event.attempt, event.data)

    def entries(self, start: int) -> list[StreamEvent | Delta]:
        """The events from number ``start`` on as they are kept."""
        return self._entries[start:]

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> StreamEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[StreamEvent]: ...
    def __getitem__(self, index: int | slice) -> StreamEvent | list[StreamEvent]:
        numbers = range(len(self._entries))[index]
        return self._event(numbers) if isinstance(numbers, int) else list(map(self._event, numbers))

    def __iter__(self) -> Iterator[StreamEvent]:
        return map(self._event, range(len(self._entries)))

    def _event(self, seq: int) -> StreamEvent:
        entry = self._entries[seq]
        if isinstance(entry, StreamEvent):
            return entry
        time, text, (attempt, index, kind) = entry
        delta = {"type": kind, DELTA_FIELDS[kind]: text}
        data = {"type": "content_block_delta", "index": index, "delta": delta}
        return StreamEvent(seq, time, attempt, data)

    def __repr__(self) -> str:
        return f"<EventLog of {len(self):,} events>"


@dataclass(frozen=True, slots=True)
class RequestSent:
    """A request is on its way to the server.

    Attributes:
        model: The model id that was asked for.
        simulated: Whether it goes to our own simulator.
        runs_tools: Whether the calls of tools in its reply are going to be run.
        whole: Whether the message will come as a whole, at the end.
        replayed: Whether it goes nowhere: a recording answers.
        kept: Of a request that was answered before, so that it goes nowhere, when that was, as
            ISO 8601; empty for all others.
        part: Which part of an answer that a function of the user's gives this is, from 1; 0 for all
            other answers. Such an answer ends with ``Responded``.
        params: What is sent: the arguments of ``messages.create``. An uploaded file stands here
            with its content, as it did not change with its id.
    """

    model: str
    simulated: bool = False
    runs_tools: bool = False
    whole: bool = False
    replayed: bool = False
    kept: str = ""
    part: int = 0
    params: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    type: ClassVar[str] = "request_sent"

    @property
    def is_local(self) -> bool:
        """Whether the function's own words follow, which come from no server."""
        return self.part > 0 and not self.model


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """The server accepted the request: status 200 and headers, no event yet.

    Attributes:
        request_id: The ``request-id`` header, or None.
        simulated: Whether the server says that it is the simulator.
    """

    request_id: str | None = None
    simulated: bool = False
    type: ClassVar[str] = "response_started"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The request failed, and will be sent again.

    Attributes:
        error: What happened, in our words.
        seconds: How long to wait first.
        until: The end of the wait, as ``time.time()``.
        number: Which try the next one is, from 2.
        tries: How many tries there are at most.
    """

    error: ClaudeError
    seconds: float
    until: float
    number: int
    tries: int
    type: ClassVar[str] = "waiting"


@dataclass(frozen=True, slots=True)
class Unthought:
    """The server refused the thinking of earlier turns: the request is sent again without it.

    Attributes:
        error: What the server said, in our words.
    """

    error: ClaudeError
    type: ClassVar[str] = "unthought"


@dataclass(frozen=True, slots=True)
class Resumed:
    """The next request goes on from the text that came before the failure.

    Attributes:
        error: What had broken the stream off.
    """

    error: ClaudeError
    type: ClassVar[str] = "resumed"


@dataclass(frozen=True, slots=True)
class ToolAsked:
    """Somebody is asked whether a call of a tool may run.

    Attributes:
        id: The id of the call.
    """

    id: str
    type: ClassVar[str] = "tool_asked"


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A call of a tool has begun to run.

    Attributes:
        id: The id of the call.
    """

    id: str
    type: ClassVar[str] = "tool_started"


@dataclass(frozen=True, slots=True)
class ToolRan:
    """The result of a call of a tool, whether it ran or not.

    Attributes:
        id: The id of the call.
        content: The result as the model gets it: content blocks, as the API's dicts.
        is_error: Whether it failed, or was not run.
        note: The result in a few words, for the label; may be empty.
        details: What only the user gets to see, such as a traceback; may be empty.
        seconds: How long it ran; 0 if it did not.
        display: What the function shows to the reader, as parts (``render.displayed``); it is not
            sent.
    """

    id: str
    content: tuple[dict[str, Any], ...]
    is_error: bool = False
    note: str = ""
    details: str = ""
    seconds: float = 0.0
    display: tuple[dict[str, Any], ...] = ()
    type: ClassVar[str] = "tool_ran"


@dataclass(frozen=True, slots=True)
class Responded:
    """The function that answers has come to its end."""

    type: ClassVar[str] = "responded"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody stopped the reply."""

    type: ClassVar[str] = "stopped"


@dataclass(frozen=True, slots=True)
class Failed:
    """The reply cannot go on.

    Attributes:
        error: What happened, in our words.
    """

    error: ClaudeError
    type: ClassVar[str] = "failed"
