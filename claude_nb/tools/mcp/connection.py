"""A connection to an MCP server, which lives on the side loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any, TypeVar

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CONNECTION_CLOSED,
    PARSE_ERROR,
    Implementation,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from claude_nb.characters import brief, clean
from claude_nb.redaction import redact_error
from claude_nb.tools.mcp.screening import screened
from claude_nb.tools.mcp.stdio import MAX_MESSAGE, Output, stdio

T = TypeVar("T")

BEGINNING = 60.0
"""Seconds that a server has to begin: ``uvx`` and ``npx`` download it first."""

LISTING = 10.0
"""Seconds that a server has to list its tools."""

_ENDING = 5.0
"""Seconds for a connection to end in good order."""

_MOST_PAGES = 200

for _name in ("mcp", "client"):  # its own; what nobody handles, Python prints as it is
    logging.getLogger(_name).addHandler(logging.NullHandler())


class ServerError(Exception):
    """A server cannot be started or reached, has ended, or failed.

    Args:
        what: What it did, as a sentence about it without its subject.
        more: What else is known of it: several lines, or none.
        advice: What to do about it.
    """

    def __init__(self, what: str, more: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.more = more
        self.advice = advice


class Connection:
    """A session with a server. All its methods run on the side loop.

    Args:
        where: Its address, or the words of its command line.
        headers: Sent with each request to an address.
        env: The environment of a command.
        folder: Where a command is started.
    """

    def __init__(
        self,
        where: str | tuple[str, ...],
        headers: Mapping[str, str],
        env: Mapping[str, str],
        folder: str,
    ) -> None:
        self._where, self._headers, self._env, self._folder = where, headers, env, folder
        self._output = Output()
        self._client: mcp.Client | None = None
        self._has_changed = False
        self._refused: int | None = None  # the HTTP status
        self._left_out: dict[str, str] = {}
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self._client is not None and not self._output.has_ended

    @property
    def is_current(self) -> bool:
        """Whether it is open, and the server has not said that its tools are others now."""
        return self.is_open and not self._has_changed

    async def open(self) -> None:
        """Start or reach the server.

        Raises:
            ServerError: It could not be started or reached, or did not answer in time.
        """
        self._task = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(BEGINNING):
                await self._opened.wait()
        except TimeoutError:
            await self.close()
            raise self._ended(f"did not start an MCP session within {BEGINNING:g} s.") from None
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not self.is_open:
            await self.close()
            is_address = isinstance(self._where, str)
            raise self._ended(
                "cannot be reached." if is_address else "ended before it started an MCP session."
            )

    async def close(self) -> None:
        """End the session, and the server's process."""
        if self._task is None:
            return
        if not self._opened.is_set():
            self._task.cancel()
        self._closing.set()
        _, running = await asyncio.wait([self._task], timeout=_ENDING)
        if running:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_ENDING)

    async def tools(self) -> tuple[list[Any], dict[str, str]]:
        """The server's tools as it lists them now, and those that are none, with the reasons.

        Raises:
            ServerError: It did not answer, or not with a list of tools.
        """
        self._has_changed = False
        self._left_out = {}
        found: list[Any] = []
        cursor: str | None = None
        try:
            async with asyncio.timeout(LISTING):
                for _ in range(_MOST_PAGES):
                    page = await self._ask(_listing(cursor))
                    found += page.tools
                    cursor = page.next_cursor
                    if not cursor:
                        break
        except TimeoutError:
            await self.close()
            raise self._ended(f"did not list its tools within {LISTING:g} s.") from None
        except ServerError:
            if self._client is not None and self._client.server_capabilities.tools is None:
                return [], {}  # it has others' things alone, such as prompts
            await self.close()
            raise
        return found, self._left_out

    async def call(self, name: str, arguments: dict[str, Any]) -> Any:
        """Call a tool; cancelling the call cancels it at the server.

        Returns:
            The result, as the ``mcp`` package has it.

        Raises:
            ServerError: The server ended, or refused the call.
        """
        return await self._ask(lambda client: client.call_tool(name, arguments))

    async def _ask(self, ask: Callable[[mcp.Client], Awaitable[T]]) -> T:
        if self._client is None:
            raise self._ended("is not running.")
        try:
            return await ask(self._client)
        except mcp.MCPError as error:
            if self._output.has_ended or (error.code, error.message) == _CLOSED:
                await self.close()
                raise self._ended("ended before it answered.") from None
            what = "sent" if error.code == PARSE_ERROR else "refused:"
            raise ServerError(f"{what} {_text(error)}") from None
        except (httpx2.HTTPError, ValueError, RuntimeError) as error:
            raise ServerError(f"sent an invalid message: {_text(error)}") from None

    async def _serve(self) -> None:
        """Hold the session: what it enters is left in the same task."""
        try:
            async with AsyncExitStack() as stack:
                client = mcp.Client(
                    screened(await self._transport(stack), self._left_out_tool),
                    client_info=Implementation(name="claude_nb", version=version("claude-nb")),
                    message_handler=self._take,
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

    async def _take(self, message: object) -> None:
        self._has_changed |= isinstance(message, ToolListChangedNotification)

    def _left_out_tool(self, name: str, why: str) -> None:
        self._left_out[name] = why

    async def _transport(self, stack: AsyncExitStack) -> Any:
        if isinstance(self._where, tuple):
            return stdio(self._where, self._env, self._folder, self._output)
        timeout = httpx2.Timeout(30, read=None)  # a call may take its time
        http = httpx2.AsyncClient(
            headers=dict(self._headers),
            timeout=timeout,
            event_hooks={"response": [self._look_at]},
        )
        await stack.enter_async_context(http)
        return streamable_http_client(self._where, http_client=http, max_sse_event_size=MAX_MESSAGE)

    async def _look_at(self, response: httpx2.Response) -> None:
        if response.status_code >= 400:
            self._refused = response.status_code
        size = response.headers.get("content-length", "0")
        if size.isdecimal() and int(size) > MAX_MESSAGE:
            raise httpx2.RequestError(f"It sent a message of more than {MAX_MESSAGE // 10**6} MB.")

    def _ended(self, what: str) -> ServerError:
        """The error of a connection that ended, with all that is known of its end."""
        error = self._error
        if isinstance(error, FileNotFoundError):
            command = clean(redact_error(self._where[0]))
            return ServerError(
                f"cannot be started: there is no command {command}.",
                advice="Install it, or pass its path.",
            )
        known = error is not None and not isinstance(error, asyncio.CancelledError)
        if self._refused in _NO_ACCESS:
            return ServerError(
                f"{what.rstrip('.')}: it answers with HTTP status {self._refused}.",
                advice='Pass the header that it needs: headers={"Authorization": "Bearer …"}',
            )
        if self._refused is not None:
            what = f"{what.rstrip('.')}: it answers with HTTP status {self._refused}."
        told = self._output.text or (_text(error) if known and error is not None else "")
        return ServerError(what, told)


_NO_ACCESS = (401, 403)

_CLOSED = (CONNECTION_CLOSED, "Connection closed")
"""What the ``mcp`` package raises for a connection that has ended."""


def _listing(cursor: str | None) -> Callable[[mcp.Client], Awaitable[Any]]:
    return lambda client: client.list_tools(cursor=cursor, cache_mode="refresh")


def _text(error: BaseException) -> str:
    """What an exception says, the first of several, without secrets and control characters."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error) or type(error).__name__
    if isinstance(error, ValidationError):  # whose text has a line of pydantic's for each field
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return clean(redact_error(brief(text)))
