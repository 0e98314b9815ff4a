"""The seam to the network: a ``Request`` in, events out. The SDK decodes the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from claude_nb.errors import DroppedError
from claude_nb.events import RequestSent, ResponseStarted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from claude_nb.api import Connection
    from claude_nb.prompt import Request


class Source(Protocol):
    """Where events come from: the API, or whatever else can tell the same story."""

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

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """Send the request once, and yield what comes."""
        yield RequestSent(request.model, self._connection.simulated)
        client = self._connection.client()
        stream = await client.messages.create(**request.params(), stream=True)
        try:
            yield ResponseStarted(stream.response.headers.get("request-id"))
            complete = False
            async for event in stream:
                yield event
                complete = complete or getattr(event, "type", None) == "message_stop"
            if not complete:  # the SDK raises nothing when a body ends early but cleanly
                raise DroppedError("The stream ended before the reply did.")
        finally:
            await stream.close()
