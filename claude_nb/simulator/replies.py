"""The replies that a test can enqueue, and the requests that the simulator received.

All of it is plain data that crosses the pipe between the two processes as JSON.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

End: TypeAlias = Literal["close", "drop", "reset", "hang"]
"""How a body ends, once everything in it was sent.

- ``close``: as HTTP says, with the last chunk. Whether the stream is complete is up to its events.
- ``drop``: the connection is closed (FIN) in the middle of the chunked body.
- ``reset``: the connection is reset (RST).
- ``hang``: nothing more is sent until the client goes away.
"""


@dataclass(frozen=True, slots=True)
class Stream:
    """A server-sent event stream with exactly these events.

    Attributes:
        events: The events in the API's JSON shape; each is sent with ``event:`` set to its type
            (left out where it has none). An ``{"type": "error"}`` event is a failure in mid-stream.
        delay: Seconds between one event and the next.
        end: What happens after the last event.
        headers: Response headers beside the usual ones.
    """

    events: list[dict[str, Any]]
    delay: float = 0.0
    end: End = "close"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """A response of exactly these bytes, such as no well-formed stream has.

    Attributes:
        chunks: Written to the connection one by one, each as one chunk of the chunked body.
        status: HTTP status.
        headers: Response headers beside the usual ones; ``Content-Type`` is ``text/event-stream``
            unless it is given here.
        delay: Seconds between one chunk and the next.
        end: What happens after the last chunk.
    """

    chunks: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    end: End = "close"


@dataclass(frozen=True, slots=True)
class Error:
    """An API error instead of a reply.

    Attributes:
        status: HTTP status, such as 529.
        type: The API's ``error.type``, such as ``"overloaded_error"``.
        message: The API's ``error.message``.
        headers: Response headers beside the usual ones, such as ``{"retry-after": "2"}``.
    """

    status: int
    type: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scripted:
    """The stream that the simulator would have sent by itself, cut short or slowed down.

    A request without ``stream`` gets its whole message all the same.

    Attributes:
        events: How many of the scripted events are sent, pings included; ``None``: all; ``middle``:
            those up to the middle of the text, in a sentence if there is one, and never the last
            piece of it; where there is no text, those up to the middle of what there is.
        then: Events that follow them, such as an ``error``.
        end: What happens after these.
        pace: Factor on the simulator's own pace.
    """

    events: int | Literal["middle"] | None
    then: list[dict[str, Any]] = field(default_factory=list)
    end: End = "drop"
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The message that the simulator would have sent by itself, ended in the middle of its text.

    The stream of it is whole: the model has written no more.

    Attributes:
        stop_reason: Why it ended, such as ``max_tokens``.
        half_call: The beginning of a tool's input as JSON, which follows the text in a call; empty
            for none.
    """

    stop_reason: str
    half_call: str = ""


Reply: TypeAlias = Stream | Raw | Error | Scripted | Ended
_KINDS: dict[str, type[Stream | Raw | Error | Scripted | Ended]] = {
    kind.__name__: kind for kind in (Stream, Raw, Error, Scripted, Ended)
}


@dataclass(frozen=True, slots=True)
class Received:
    """One request as the simulator saw it.

    Times are ``time.monotonic()`` seconds, a clock that all processes of a machine share.

    Attributes:
        number: Counts all requests from 0.
        method: HTTP method.
        path: Path without the query.
        headers: Lower-case names; credentials and cookies are left out.
        body: The parsed JSON body, or ``None`` where there was none that could be parsed.
        at: When the request had arrived.
        sent: How many events (or chunks) were written so far.
        ended: When the reply was over, for whatever reason; ``None`` until then.
        client_left: When the client closed the connection before the reply was over, as Stop does;
            ``None`` if it did not.
    """

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float
    sent: int = 0
    ended: float | None = None
    client_left: float | None = None


def to_json(reply: Reply) -> dict[str, Any]:
    """Turn a reply into JSON data that :func:`from_json` understands."""
    data = asdict(reply)
    if isinstance(reply, Raw):
        data["chunks"] = [chunk.decode("latin-1") for chunk in reply.chunks]
    return {"kind": type(reply).__name__, **data}


def from_json(data: dict[str, Any]) -> Reply:
    """Make the reply that :func:`to_json` described."""
    fields = dict(data)
    kind = _KINDS[fields.pop("kind")]
    if kind is Raw:
        fields["chunks"] = [chunk.encode("latin-1") for chunk in fields["chunks"]]
    return kind(**fields)
