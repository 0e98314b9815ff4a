"""What gateways do to a stream, made good where the SDK decodes it, or told where that cannot be.

Bytes that are no UTF-8 become U+FFFD, as half an emoji does; where no event has a name, each is
called by its type. A body that is no stream, although it is called one, is kept to be looked at.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from anthropic import AsyncStream
from anthropic._streaming import ServerSentEvent, SSEDecoder

from claude_nb.streaming.block import as_dict, as_string

_MOST = 10_000_000
"""Characters of a body that are kept of what is no stream."""

_FIELDS = (":", "data", "event", "id", "retry")
"""How the lines of a stream begin."""


class Decoder(SSEDecoder):
    """Decodes the lines of a stream.

    Attributes:
        strange: The lines so far that are not of a stream, or of events that no API sends.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []
        self._size = 0
        self._has_names = False

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
        """The events in these bytes."""
        async for event in super().aiter_bytes(_repaired(iterator)):
            yield event

    def decode(self, line: str) -> ServerSentEvent | None:
        """The event that ends with this line, if one does."""
        if line and not line.startswith(_FIELDS):
            self._keep(line)
        event = super().decode(line)
        self._has_names = self._has_names or (event is not None and event.event is not None)
        if event is None or self._has_names or not event.data:
            return event
        name = ""
        with suppress(ValueError, RecursionError):
            name = as_string(as_dict(json.loads(event.data)).get("type"))
        if not name:
            for each in event.raw:
                self._keep(each)
            return event
        return ServerSentEvent(event=name, data=event.data, id=event.id, raw=event.raw)

    def _keep(self, line: str) -> None:
        self._size += len(line)
        if self._size <= _MOST:
            self.strange.append(line)


class DecodedStream(AsyncStream[object]):
    """The SDK's stream, which decodes what gateways send too. Bedrock's has another form."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        if type(self._decoder) is SSEDecoder:
            self._decoder = Decoder()

    @property
    def strange(self) -> str:
        """What came that is of no stream of the API, or an empty text."""
        return "\n".join(self._decoder.strange) if isinstance(self._decoder, Decoder) else ""


async def _repaired(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes as UTF-8: what is none becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for part in parts:
        yield decoder.decode(part).encode()
    yield decoder.decode(b"", final=True).encode()
