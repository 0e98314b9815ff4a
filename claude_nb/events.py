"""What happened while a reply came, in order: the SDK's own events, and a few of ours.

A ``StreamEvent`` is made once, where the event arrives, and never changed. Everything that is
shown, saved, priced or taught is computed from such events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from claude_nb.errors import ClaudeError


class StreamEvent(NamedTuple):
    """One thing that happened (a named tuple: ten thousand of them are made in a long reply).

    Attributes:
        seq: Its number within the reply, from 0.
        time: ``time.monotonic()`` when it arrived, in seconds.
        attempt: Which request of the reply it belongs to, from 1.
        data: An SDK event (``RawMessageStreamEvent``), or one of the classes below.
    """

    seq: int
    time: float
    attempt: int
    data: Any

    @property
    def type(self) -> str:
        """The event's type: ``content_block_delta``, ``request_sent`` and so on."""
        return str(getattr(self.data, "type", "unknown"))


@dataclass(frozen=True, slots=True)
class RequestSent:
    """A request is on its way to the server.

    Attributes:
        model: The model id that was asked for.
        simulated: Whether it goes to our own simulator.
        runs_tools: Whether the calls of tools in its reply are going to be run.
        whole: Whether the message will come as a whole, at the end.
        replayed: Whether it goes nowhere: a recording answers.
        params: What is sent: the arguments of ``messages.create``.
    """

    model: str
    simulated: bool = False
    runs_tools: bool = False
    whole: bool = False
    replayed: bool = False
    params: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    type: str = "request_sent"


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """The server accepted the request: status 200 and headers, no event yet.

    Attributes:
        request_id: The ``request-id`` header, or None.
        simulated: Whether the server says that it is the simulator.
    """

    request_id: str | None = None
    simulated: bool = False
    type: str = "response_started"


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
    type: str = "waiting"


@dataclass(frozen=True, slots=True)
class Resumed:
    """The next request goes on from the text that came before the failure.

    Attributes:
        error: What had broken the stream off.
    """

    error: ClaudeError
    type: str = "resumed"


@dataclass(frozen=True, slots=True)
class ToolAsked:
    """Somebody is asked whether a call of a tool may run.

    Attributes:
        id: The id of the call.
    """

    id: str
    type: str = "tool_asked"


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A call of a tool has begun to run.

    Attributes:
        id: The id of the call.
    """

    id: str
    type: str = "tool_started"


@dataclass(frozen=True, slots=True)
class ToolRan:
    """What came of a call of a tool, whether it ran or not.

    Attributes:
        id: The id of the call.
        content: The result as the model gets it: content blocks, as the API's dicts.
        is_error: Whether it failed, or was not run.
        note: The result in a few words, for the label; may be empty.
        details: What only the user gets to see, such as a traceback; may be empty.
        seconds: How long it ran; 0 if it did not.
    """

    id: str
    content: tuple[dict[str, Any], ...]
    is_error: bool = False
    note: str = ""
    details: str = ""
    seconds: float = 0.0
    type: str = "tool_ran"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody stopped the reply."""

    type: str = "stopped"


@dataclass(frozen=True, slots=True)
class Failed:
    """The reply cannot go on.

    Attributes:
        error: What happened, in our words.
    """

    error: ClaudeError
    type: str = "failed"
