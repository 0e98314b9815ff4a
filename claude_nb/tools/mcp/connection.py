"""A connection to an MCP server, which lives on the side loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, Implementation

from claude_nb.characters import brief, clean
from claude_nb.errors import ClaudeError
from claude_nb.redaction import redact_error
from claude_nb.tools.mcp.stdio import MAX_MESSAGE, Output, stdio

T = TypeVar("T")

CONNECTING = 60.0
"""Seconds that a server has for its beginning: ``uvx`` and ``npx`` download it first."""

LISTING = 20.0
"""Seconds that a running server has to list its tools."""

_MOST_PAGES = 200

for _name in ("mcp", "client"):  # its own; what nobody handles, Python prints as it is
    logging.getLogger(_name).addHandler(logging.NullHandler())


class ConnectionLostError(Exception):
    """The server has ended or cannot be reached; the message says what is known of that."""


class Connection:
    """A session with a server. All its methods run on the side loop.

    Args:
        where: Its address, or the words of its command line.
        headers: Sent with each request to an address.
        env: The environment of a command.
    """

    def __init__(
        self, where: str | tuple[str, ...], headers: Mapping[str, str], env: Mapping[str, str]
    ) -> None:
        self._where, self._headers, self._env = where, headers, env
        self._output = Output()
        self._client: Any = None
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._client is not None

    async def open(self) -> None:
        """Start or reach the server.

        Raises:
            ConnectionLostError: It could not be started or reached, or did not answer in time.
        """
        self._task = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(CONNECTING):
                await self._opened.wait()
        except TimeoutError:
            await self.close()
            raise self._lost(f"It did not begin to speak MCP within {CONNECTING:g} s.") from None
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if self._client is None:
            await asyncio.wait([self._task])
            raise self._lost()

    async def close(self) -> None:
        """End the session, and the server's process."""
        self._closing.set()
        if self._task is None:
            return
        if not self._opened.is_set():
            self._task.cancel()
        await asyncio.wait([self._task])

    async def tools(self) -> list[Any]:
        """The server's tools as it lists them now.

        Raises:
            ConnectionLostError: It did not answer.
        """
        found: list[Any] = []
        cursor = None
        try:
            async with asyncio.timeout(LISTING):
                for _ in range(_MOST_PAGES):
                    listing = partial(_list, cursor=cursor)
                    page = await self._ask(listing)
                    found += page.tools
                    cursor = page.next_cursor
                    if cursor is None:
                        break
        except TimeoutError:
            raise self._lost(f"It did not list its tools within {LISTING:g} s.") from None
        return found

    async def call(self, name: str, arguments: dict[str, Any]) -> Any:
        """Call a tool; cancelling the call cancels it at the server.

        Returns:
            The result, as the ``mcp`` package has it.

        Raises:
            ConnectionLostError: The server ended.
            ClaudeError: It refused the call.
        """
        return await self._ask(lambda client: client.call_tool(name, arguments))

    async def _ask(self, ask: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        if self._client is None:
            raise self._lost()
        try:
            return await ask(self._client)
        except mcp.MCPError as error:
            if (error.code, error.message) == (CONNECTION_CLOSED, "Connection closed"):
                await self.close()
                raise self._lost() from None
            raise ClaudeError("The server refused it.", detail=_text(error)) from None

    async def _serve(self) -> None:
        """Hold the session: what it enters is left in the same task."""
        try:
            async with AsyncExitStack() as stack:
                streams = await self._transport(stack)
                client = mcp.Client(
                    streams,
                    client_info=Implementation(name="claude_nb", version=version("claude-nb")),
                    cache=None,
                )
                self._client = await stack.enter_async_context(client)
                self._opened.set()
                await self._closing.wait()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the connection has ended
            self._error = error
        finally:
            self._client = None
            self._opened.set()

    async def _transport(self, stack: AsyncExitStack) -> Any:
        if isinstance(self._where, tuple):
            return stdio(self._where, self._env, self._output)
        timeout = httpx2.Timeout(30, read=None)  # a call may take its time
        http = httpx2.AsyncClient(headers=dict(self._headers), timeout=timeout)
        await stack.enter_async_context(http)
        return streamable_http_client(self._where, http_client=http, max_sse_event_size=MAX_MESSAGE)

    def _lost(self, why: str = "") -> ConnectionLostError:
        """The error of a connection that ended."""
        told = self._output.text
        if not why and not told:
            why = "Its connection has ended."
            if self._error is not None and not isinstance(self._error, asyncio.CancelledError):
                why = _text(self._error)
        return ConnectionLostError("\n".join(filter(None, (why, told))))


def _list(client: mcp.Client, cursor: str | None) -> Coroutine[Any, Any, Any]:
    return client.list_tools(cursor=cursor, cache_mode="refresh")


def _text(error: BaseException) -> str:
    """What an exception says, the first of several, without secrets and control characters."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return clean(redact_error(brief(str(error) or type(error).__name__)))
