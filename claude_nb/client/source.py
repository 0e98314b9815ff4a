"""The way to the network: a ``Request`` in, events out. The SDK decodes the wire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Protocol

from claude_nb.client import file_service
from claude_nb.client.connection import CONNECT_TIMEOUT, Connection
from claude_nb.client.explain import explain, is_simulator, json_of
from claude_nb.errors import DroppedError
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request
from claude_nb.streaming.events import RequestSent, ResponseStarted

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic, AsyncStream


_LINGER = 1.0
"""Seconds to wait after ``message_stop`` for the end of the body: the connection of a body that was
read to its end serves the next request too, but a gateway may hold it open for ever."""


LONG = 21_334
"""``max_tokens`` from which on the SDK refuses to ask for a message as a whole: it reckons with an
hour for 128,000 tokens, and ten minutes at most (``_calculate_nonstreaming_timeout``)."""

_WHOLE_TIMEOUT = 600.0
"""Seconds that a message may take which comes as a whole: the SDK's own limit."""

_LIKE_A_STREAM = re.compile(rb"\s*(?:event|data):")
"""How the body of a stream begins."""

_ENDS = ("stop_reason", "stop_sequence", "stop_details", "container")


class Source(Protocol):
    """Where events come from: the API, or a recording.

    Attributes:
        sent: The arguments of each ``messages.create`` so far; their messages are the turns
            themselves, in no copy.
    """

    sent: list[dict[str, Any]]

    def params(self, request: Request) -> dict[str, Any]:
        """What is sent for ``request``: the arguments of the SDK's ``messages.create``."""

    def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """What happens after ``request`` is sent, as it happens.

        Yields:
            ``RequestSent``, ``ResponseStarted``, then the wire's events, as dicts; a kept answer
            each as a ``StreamEvent``, with its own time.

        Raises:
            Exception: What ended the stream early; ``explain`` makes a ``ClaudeError`` of it.
        """


class ApiSource(Source):
    """The Messages API, or the simulator, as a stream.

    Args:
        connection: Where requests go.
        diagnostics: What the server is asked about its cache, or None. It is no part of the
            request: a recording is found without it, and no other server gets the id in it.
    """

    whole = False
    """Whether nothing is shown before all of the message is there."""

    def __init__(
        self, connection: Connection, diagnostics: dict[str, str | None] | None = None
    ) -> None:
        self.uploading = ""
        """What is being uploaded before the request is sent, in words; empty for nothing."""
        self.sent = []
        self._connection = connection
        self._asked = {} if diagnostics is None else {"diagnostics": diagnostics}
        self._gone: set[str] = set()

    def params(self, request: Request) -> dict[str, Any]:
        """The arguments of ``messages.create``, without the ids of uploaded files."""
        return request.params()

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """Upload what has to be uploaded, send the request once, and yield what comes."""
        params = self.params(request)
        connection = self._connection
        # Made before the clock starts: importing the SDK and reading certificates takes seconds.
        client = await _client(connection)
        files = await file_service.uploaded(connection, request, self._tell)
        shown = without_secrets(params)
        yield RequestSent(request.model, connection.simulated, whole=self.whole, params=shown)
        most = params["max_tokens"]
        is_whole = most == 0 or (self.whole and most < LONG)
        if files:
            params = request.params(file_service.ids(files))
        sent = params | self._asked | ({} if is_whole else {"stream": True})
        self.sent.append(sent)
        began = False
        try:
            come = _whole(connection, client, sent) if is_whole else _streamed(client, sent)
            async with aclosing(come) as events:
                async for event in events:
                    began = True
                    yield event
        except Exception as error:
            explained = explain(error, connection.advice, began=began)
            missing = file_service.lost(explained, error, files)
            if not self._gone >= missing.keys():
                self._gone.update(missing)  # a file that is sent anew and refused again is there
                raise file_service.gone(explained, missing) from error
            raise explained from error

    def _tell(self, uploading: str) -> None:
        self.uploading = uploading


class WholeSource(ApiSource):
    """The Messages API without streaming: one plain request, its message as events.

    A message that may be so long that the SDK refuses to ask for it as a whole is streamed.
    """

    whole = True


class Warming(ApiSource):
    """Writes a system prompt to the cache and generates nothing: one request, one message.

    ``max_tokens=0`` is for that (platform.claude.com/docs, page "Prompt caching", read 2026-10-08).
    """

    def params(self, request: Request) -> dict[str, Any]:
        """The system prompt and the prompt of the request, with ``max_tokens`` 0."""
        params = request.params()
        messages = [{"role": "user", "content": request.prompt}]
        kept = {name: params[name] for name in ("model", "system")}
        return {**kept, "messages": messages, "max_tokens": 0}


async def _streamed(client: AsyncAnthropic, params: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """Send a request and yield what comes: ``ResponseStarted``, then the wire's events.

    The SDK decodes them and hands them out as the dicts that came; its typed events would cost
    twice as much. ``create(stream=True)`` rather than its ``stream()`` helper: the helper yields
    each delta twice, parses a tool's input again at each delta, and loses the stream when that
    JSON is bad.
    """
    from anthropic import AsyncStream

    response = await client.messages.with_raw_response.create(**params)
    headers = response.headers
    yield ResponseStarted(headers.get("request-id"), is_simulator(headers))
    if _is_stream(headers):
        stream = await response.parse(to=AsyncStream[object])
        events = _of_stream(stream)
    else:
        await response.read()
        events = _of_body(client, response.http_response)
    async with aclosing(events):
        async for event in events:
            yield event


async def _whole(
    connection: Connection, client: AsyncAnthropic, params: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    """Send a request whose message comes at once, and yield it as ``_streamed`` would."""
    timeout: dict[str, Any] = {}
    if connection.own_client is None:  # whose time-outs are its owner's
        import httpx2

        timeout = {"timeout": httpx2.Timeout(_WHOLE_TIMEOUT, connect=CONNECT_TIMEOUT)}
    response = await client.messages.with_raw_response.create(**params, **timeout)
    headers = response.headers
    yield ResponseStarted(headers.get("request-id"), is_simulator(headers))
    async with aclosing(_of_body(client, response.http_response)) as events:
        async for event in events:
            yield event


def _is_stream(headers: Mapping[str, str]) -> bool:
    """Whether a response is a stream; some servers do not say what they send.

    The streams of Amazon Bedrock are ``application/vnd.amazon.eventstream``.
    """
    kind = headers.get("content-type", "").partition(";")[0]
    if not kind.strip():
        return "content-length" not in headers
    return "eventstream" in kind.lower().replace("-", "")


async def _of_stream(stream: AsyncStream[object]) -> AsyncGenerator[dict[str, Any], None]:
    """The events of a stream, until ``message_stop``."""
    try:
        empty, complete = True, False
        while not complete:
            try:
                event = await stream.__anext__()
            except StopAsyncIteration:  # the SDK finds nothing wrong with an early clean end
                if not empty:
                    raise DroppedError("The stream ended before the reply was complete.") from None
                raise DroppedError(
                    "The server accepted the request, but sent no reply.",
                    "A gateway or proxy may not support streaming.",
                ) from None
            if isinstance(event, dict):  # as all events of the API are
                yield event
                empty = False
                complete = event.get("type") == "message_stop"
        with suppress(Exception):  # nothing that follows could take the message back
            async with asyncio.timeout(_LINGER):
                async for _ in stream:
                    pass
    finally:
        await stream.close()


async def _of_body(
    client: AsyncAnthropic, response: httpx2.Response
) -> AsyncGenerator[dict[str, Any], None]:
    """The events of a body that came as a whole: a message, or a stream that is called otherwise.

    Raises:
        ClaudeError: It is neither; the error says what came.
    """
    if _LIKE_A_STREAM.match(response.content):
        from anthropic import AsyncStream

        stream = AsyncStream[object](cast_to=object, response=response, client=client)
        async with aclosing(_of_stream(stream)) as events:
            async for event in events:
                yield event
        return
    message = json_of(response, "a reply", "content", list)
    yield {"type": "message_start", "message": message | {"content": []}}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    delta = {name: message.get(name) for name in _ENDS}
    yield {"type": "message_delta", "delta": delta, "usage": message.get("usage")}
    yield {"type": "message_stop"}


async def _client(connection: Connection) -> AsyncAnthropic:
    """The client to ask with, made on another thread.

    To import the SDK, or to read certificates, would hold up the engine, which could then neither
    stop this stream nor take in what comes for others.
    """
    return await asyncio.to_thread(connection.client)
