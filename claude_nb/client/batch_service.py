"""The Message Batches service: create, retrieve, cancel and list batches, and read their results.

Bodies and results are streamed, so that a batch of 256 MB needs little memory: the SDK's own
``batches.create`` would hold it several times over. And the SDK's ``batches.results`` goes, with
the key, wherever the server's ``results_url`` points; here it stays with the server that was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from claude_nb.characters import clean
from claude_nb.client.connection import Connection
from claude_nb.client.explain import explain, is_simulator, json_of, unexpected
from claude_nb.errors import ClaudeError, InputError, MalformedError, RequestError
from claude_nb.streaming.block import as_dict

MAX_REQUESTS = 100_000
MAX_BYTES = 256_000_000
"""What one batch may hold (platform.claude.com/docs, "Batch processing", read 2026-08-22)."""

RESULTS_KEPT_DAYS = 29
"""For how long results can be read, from the day on which the batch was submitted (likewise)."""

_PATH = "/v1/messages/batches"
_COUNTED = ("processing", "succeeded", "errored", "canceled", "expired")
_BATCH, _LIST = ("a batch", "id", str), ("a list of batches", "data", list)
"""What an answer is called, the field that it has to have, and the type of that."""

_UPLOAD_TIMEOUT = 600.0
"""Seconds that the server may take to answer, once it has all of a batch."""

_LONGEST_LINE = 64_000_000
"""Bytes; a reply cannot be so long, and what is longer is no result."""


@dataclass(frozen=True, slots=True)
class Status:
    """A batch as the server describes it.

    Attributes:
        id: Its id.
        state: ``in_progress``, ``canceling`` or ``ended``.
        counts: How many requests are ``processing``, ``succeeded``, ``errored``, ``canceled``,
            ``expired``. Until the end all of them are ``processing``.
        created: When it was submitted, or None where the server does not say so.
        archived: Whether its results are gone.
        simulated: Whether the simulator has it.
    """

    id: str
    state: str
    counts: dict[str, int]
    created: datetime | None
    archived: bool
    simulated: bool

    @property
    def ended(self) -> bool:
        """Whether its results can be read."""
        return self.state == "ended"

    @property
    def requests(self) -> int:
        """How many requests it has."""
        return sum(self.counts.values())


def deleted(batch_id: str) -> Status:
    """The status of a batch that the server does not know any more."""
    return Status(batch_id, "ended", {}, None, archived=True, simulated=False)


async def create(
    connection: Connection, body: AsyncIterator[bytes], size: int, headers: Mapping[str, str]
) -> Status:
    """Submit a batch.

    Args:
        connection: Where to.
        body: The JSON that is sent, in pieces.
        size: Its length in bytes.
        headers: Headers to send with it, such as betas.

    Raises:
        ClaudeError: The server did not take it, or did not answer.
    """
    import httpx2

    options = {
        "headers": {
            **headers,
            "Content-Type": "application/json",
            "Content-Length": str(size),
        },
        "timeout": httpx2.Timeout(_UPLOAD_TIMEOUT, connect=10.0),
    }
    return _status(*await _ask(connection, "post", _PATH, content=_Body(body), options=options))


async def retrieve(connection: Connection, batch_id: str) -> Status:
    """Ask how far a batch is.

    Raises:
        ClaudeError: The server does not know it, or did not answer.
    """
    return _status(*await _ask(connection, "get", f"{_PATH}/{batch_id}"))


async def cancel(connection: Connection, batch_id: str) -> Status:
    """Ask for a batch to be stopped; what is done of it can be read later.

    Raises:
        ClaudeError: The server does not know it, or it has ended.
    """
    return _status(*await _ask(connection, "post", f"{_PATH}/{batch_id}/cancel"))


async def newest(connection: Connection, limit: int = 20) -> list[Status]:
    """List the batches of the account, the newest first.

    Args:
        connection: Where to ask.
        limit: How many at most, up to 1,000.

    Raises:
        ClaudeError: The server did not say.
    """
    page, simulated = await _ask(connection, "get", f"{_PATH}?limit={limit}", _LIST)
    return [_status(item, simulated) for item in page["data"]]


async def results(connection: Connection, batch_id: str) -> AsyncGenerator[bytes, None]:
    """Read the results of a batch, in any order.

    Yields:
        A line for each: JSON, as it came.

    Raises:
        ClaudeError: They cannot be read, or not all of them came.
    """
    with _explained(connection):
        import anthropic

        client = await asyncio.to_thread(connection.client)
        stream = await client.get(
            f"{_PATH}/{batch_id}/results",
            cast_to=object,
            stream=True,
            stream_cls=anthropic.AsyncStream[object],  # for its response, which is no event stream
        )
        try:
            if "html" in stream.response.headers.get("content-type", ""):
                await stream.response.aread()
                raise unexpected(stream.response, "the results")
            rest = b""
            async for chunk in stream.response.aiter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield line
                if len(rest) > _LONGEST_LINE:
                    raise MalformedError("The server sent a result that is too long.")
            if rest.strip():
                yield rest
        finally:
            await stream.close()


async def _ask(
    connection: Connection,
    verb: str,
    path: str,
    wanted: tuple[str, str, type] = _BATCH,
    **arguments: Any,
) -> tuple[dict[str, Any], bool]:
    """Send a request; returns the JSON of the answer, and whether it is the simulator's."""
    with _explained(connection):
        import httpx2

        client = await asyncio.to_thread(connection.client)
        response = await getattr(client, verb)(path, cast_to=httpx2.Response, **arguments)
        return json_of(response, *wanted), is_simulator(response.headers)


class _Body:
    """The body of a request, in pieces; the SDK's clients for other platforms copy it."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    def __deepcopy__(self, _memo: object) -> _Body:
        return self


@contextmanager
def _explained(connection: Connection) -> Iterator[None]:
    """Put what goes wrong into our words."""
    try:
        yield
    except (ClaudeError, asyncio.CancelledError, GeneratorExit):
        raise
    except Exception as error:
        import anthropic

        if type(error) is anthropic.AnthropicError:  # as Bedrock's and Vertex's clients do
            raise InputError("This client does not support batches.", detail=str(error)) from error
        explained = explain(error, connection.advice)
        if isinstance(explained, RequestError) and explained.status == 404:
            explained.advice = (
                "It may be deleted or belong to another account, or this server has no batches."
                " %claude_nb batches lists the batches of this key."
            )
        raise explained from error


def _status(data: Any, simulated: bool) -> Status:  # noqa: FBT001
    found = as_dict(data)
    batch_id, state = found.get("id"), found.get("processing_status")
    if not isinstance(batch_id, str) or not isinstance(state, str):
        raise MalformedError(
            "The server's answer is not a batch.",
            "A gateway or proxy may not support batches.",
        )
    counts = as_dict(found.get("request_counts"))
    known = {name: counts.get(name) for name in _COUNTED}
    counts = {name: n if isinstance(n, int) and n > 0 else 0 for name, n in known.items()}
    created, archived = _time(found.get("created_at")), found.get("archived_at") is not None
    return Status(clean(batch_id), state, counts, created, archived=archived, simulated=simulated)


def _time(value: Any) -> datetime | None:
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo else None
