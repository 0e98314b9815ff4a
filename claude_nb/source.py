"""The seam to the network: a ``Request`` in, events out. The SDK decodes the wire."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, get_args

from claude_nb.api import CONNECT_TIMEOUT, is_simulator
from claude_nb.errors import DroppedError, MalformedError
from claude_nb.events import RequestSent, ResponseStarted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from anthropic import AsyncStream

    from claude_nb.api import Connection
    from claude_nb.prompt import Request


_LINGER = 1.0
"""Seconds to wait after ``message_stop`` for the end of the body: the connection of a body that was
read to its end serves the next request too, but a gateway may hold it open for ever."""


LONG = 21_334
"""``max_tokens`` from which on the API wants a message to be streamed, as the SDK reckons: an hour
for 128,000 tokens, ten minutes at most (``_calculate_nonstreaming_timeout``)."""

_WHOLE_TIMEOUT = 600.0
"""Seconds that a message may take which comes as a whole: the SDK's own limit."""

_ENDS = ("stop_reason", "stop_sequence", "stop_details", "container")


class Source(Protocol):
    """Where events come from: the API, or whatever else can tell the same story."""

    def params(self, request: Request) -> dict[str, Any]:
        """What is sent for ``request``: the arguments of the SDK's ``messages.create``."""
        ...

    def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """What happens after ``request`` is sent, as it happens.

        Yields:
            ``RequestSent``, ``ResponseStarted``, then the SDK's events.

        Raises:
            Exception: Whatever ended the stream early; ``api.explain`` puts it into words.
        """
        ...


class ApiSource:
    """The Messages API, or the simulator, through the SDK's raw event stream.

    ``create(stream=True)`` rather than the SDK's ``stream()`` helper: the helper yields each delta
    twice, parses a tool's input again at each delta, and loses the stream when that JSON is bad.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def params(self, request: Request) -> dict[str, Any]:
        """All that the request says."""
        return request.params()

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """Send the request once, and yield what comes."""
        params = self.params(request)
        yield RequestSent(request.model, self._connection.simulated, params=params)
        # Elsewhere: to import the SDK, or to read certificates, would hold up the engine, which
        # could then neither stop this stream nor take in what comes for others.
        client = await asyncio.to_thread(self._connection.client)
        stream = await client.messages.create(**params, stream=True)
        try:
            headers = stream.response.headers
            yield ResponseStarted(headers.get("request-id"), is_simulator(headers))
            empty, complete = True, False
            while not complete:
                try:
                    event = await stream.__anext__()
                except StopAsyncIteration:  # the SDK finds nothing wrong with an early clean end
                    raise _nothing() if empty else _unfinished() from None
                yield event
                empty = False
                complete = getattr(event, "type", None) == "message_stop"
            await _finish(stream)
        finally:
            await stream.close()


class WholeSource:
    """The Messages API without streaming: one plain request, its message told as events.

    Where the message may be so long that the API wants it streamed, it is, and kept back until it
    has ended.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def params(self, request: Request) -> dict[str, Any]:
        """All that the request says."""
        return request.params()

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """Send the request once, and yield what comes when all of it is there."""
        params = self.params(request)
        yield RequestSent(request.model, self._connection.simulated, whole=True, params=params)
        if request.max_tokens >= LONG:
            async for event in self._streamed(request):
                yield event
            return
        client = await asyncio.to_thread(self._connection.client)
        timeout: dict[str, Any] = {}
        if self._connection.own_client is None:  # whose time-outs are its owner's
            import httpx2

            timeout = {"timeout": httpx2.Timeout(_WHOLE_TIMEOUT, connect=CONNECT_TIMEOUT)}
        response = await client.messages.with_raw_response.create(**params, **timeout)
        headers = response.headers
        yield ResponseStarted(headers.get("request-id"), is_simulator(headers))
        for event in _told(await response.parse()):
            yield event

    async def _streamed(self, request: Request) -> AsyncGenerator[Any, None]:
        """A stream that nobody sees until it ends, or breaks off: what came is then kept."""
        kept: list[Any] = []
        try:
            async with aclosing(ApiSource(self._connection).events(request)) as events:
                async for event in events:
                    if isinstance(event, ResponseStarted):
                        yield event
                    elif not isinstance(event, RequestSent):
                        kept.append(event)
        except Exception:
            for event in kept:
                yield event
            raise
        for event in kept:
            yield event


class Warming:
    """Has a system prompt written to the cache, and nothing generated: one request, one message.

    ``max_tokens=0`` is for that (platform.claude.com/docs, page "Prompt caching", read 2026-10-08).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def params(self, request: Request) -> dict[str, Any]:
        """The system prompt and the words of the request, and no room for an answer."""
        whole = request.params()
        wanted = {name: whole[name] for name in ("model", "system")}
        words = [{"role": "user", "content": request.prompt}]
        return {**wanted, "messages": words, "max_tokens": 0}

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """Send the system prompt with the words of ``request``; the message is told as events."""
        params = self.params(request)
        yield RequestSent(request.model, self._connection.simulated, params=params)
        client = await asyncio.to_thread(self._connection.client)
        response = await client.messages.with_raw_response.create(**params)
        headers = response.headers
        yield ResponseStarted(headers.get("request-id"), is_simulator(headers))
        for event in _told(await response.parse()):
            yield event


def _told(message: Any) -> Iterator[Any]:
    """A whole message as the events of a stream, whose blocks come complete.

    Raises:
        MalformedError: It is no message.
    """
    from anthropic.types import (
        Message,
        RawContentBlockStartEvent,
        RawContentBlockStopEvent,
        RawMessageDeltaEvent,
        RawMessageStartEvent,
        RawMessageStopEvent,
    )

    content = getattr(message, "content", None)
    if not isinstance(message, Message) or not isinstance(content, list):
        raise MalformedError(
            "The server's answer is not a message.",
            "If a gateway or proxy stands between, it may have changed the answer.",
        )
    whole: dict[str, Any] = message.to_dict(warnings=False)
    empty = Message.construct(**whole | {"content": []})
    yield RawMessageStartEvent.construct(type="message_start", message=empty)
    for index, block in enumerate(content):
        yield RawContentBlockStartEvent.construct(
            type="content_block_start", index=index, content_block=block
        )
        yield RawContentBlockStopEvent.construct(type="content_block_stop", index=index)
    delta = {name: whole.get(name) for name in _ENDS}
    yield RawMessageDeltaEvent.construct(
        type="message_delta", delta=delta, usage=whole.get("usage")
    )
    yield RawMessageStopEvent.construct(type="message_stop")


def to_wire(event: Any) -> Any:
    """One of the SDK's events as the JSON that came over the wire."""
    to_dict = getattr(event, "to_dict", None)
    return event if to_dict is None else to_dict(mode="json", warnings=False)


def from_wire(data: Any) -> Any:
    """The SDK's event that its JSON makes: of the type that a stream of the SDK would give it."""
    if not isinstance(data, dict):
        return data
    named, otherwise = _event_types()
    return named.get(str(data.get("type")), otherwise).construct(**data)


@cache
def _event_types() -> tuple[dict[str, Any], Any]:
    """The SDK's types of events by name; and the first, of which it makes what it does not know."""
    from anthropic.types import RawMessageStreamEvent

    types = get_args(get_args(RawMessageStreamEvent)[0])
    return {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in types}, types[0]


async def _finish(stream: AsyncStream[Any]) -> None:
    """Read what follows a complete message: nothing in it could take the message back."""
    with suppress(Exception):
        async with asyncio.timeout(_LINGER):
            async for _ in stream:
                pass


def _unfinished() -> DroppedError:
    return DroppedError("The stream ended before the reply did.")


def _nothing() -> DroppedError:
    return DroppedError(
        "The server accepted the request, but sent no reply.",
        "If a gateway or proxy stands between, it may not pass streams on.",
    )
