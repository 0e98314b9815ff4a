"""`McpServer`: a server of tools, by its command line or its address."""

from __future__ import annotations

import asyncio
import atexit
import re
import shlex
import weakref
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from claude_nb.client import fork
from claude_nb.client.credentials import remember_command, remember_environment, remember_headers
from claude_nb.errors import ClaudeError, InputError, either, nearest
from claude_nb.redaction import redact_error
from claude_nb.tools import approvals
from claude_nb.tools.approvals import Approval
from claude_nb.tools.mcp.consent import Confirm, Consent
from claude_nb.tools.mcp.listing import Listing, ServerRows, ToolRow, shown_name
from claude_nb.tools.mcp.toolset import check_public, checked_token, toolset
from claude_nb.tools.results import CallFailedError
from claude_nb.tools.side_loop import check_waiting, side_loop

if TYPE_CHECKING:
    from claude_nb.tools.mcp.connection import Connection
    from claude_nb.tools.mcp.definitions import ServerTool

CalledBy = Literal["kernel", "api"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_RUNNERS = ("uvx", "uv", "run", "npx", "bunx", "pipx", "docker", "node", "deno", "bun", "py")
_RUNNER = re.compile(r"python[0-9.]*(\.exe)?|.*/python[0-9.]*")
_ENDING = re.compile(r"(?<=.)(@.*|==.*|\[.*|\.(py|js|mjs|cjs|ts|exe|sh))$")
_ASKS = {
    "always": "each call asks first",
    "session": "asks once for each tool",
    "never": "calls do not ask",
}
_EXAMPLE = 'Tools.mcp("uvx mcp-server-time")'


class McpServer:
    """A server that speaks MCP, whose tools Claude may call.

    Args:
        where: A command line, which is started without a shell, or an address
            (``"http://localhost:8000/mcp"``).
        name: What its tools are called by: ``NAME.tool``; by default made of ``where``.
        headers: Sent with each request to an address; they are treated as secrets.
        token: Sent to an address as ``Authorization: Bearer``; a secret.
        env: Variables of its environment, beside a few that programs need. It gets no others.
        folder: Where a command is started; by default in the working folder.
        confirm: When a call asks first: ``"always"``, ``"session"`` for once a tool, ``"never"``.
        called_by: ``"kernel"``, or ``"api"`` for a server on the public net (a beta): the API then
            gets the token, calls the tools, and asks nobody.

    Attributes:
        name: Its name.
        where: Its command line or address.
        parts: The words of its command line, or its address.
        confirm: When a call asks first; ``"never"`` where the API calls.
        called_by: Who calls its tools.

    Raises:
        InputError: It can be no server; the error says why.
    """

    def __init__(
        self,
        where: str,
        *,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        env: Mapping[str, str] | None = None,
        folder: str | Path | None = None,
        confirm: Confirm = "always",
        called_by: CalledBy = "kernel",
    ) -> None:
        if not isinstance(where, str) or not where.strip():
            raise InputError(f"{where!r:.80} is not an MCP server.", f"For example: {_EXAMPLE}")
        where = where.strip()
        if confirm not in get_args(Confirm):
            raise InputError(
                f"There is no confirm={confirm!r}.", f"Use {either(get_args(Confirm))}."
            )
        if called_by not in get_args(CalledBy):
            raise InputError(
                f"There is no called_by={called_by!r}.",
                f"Use {either(get_args(CalledBy))}.",
            )
        self.where = where
        self.confirm = confirm if called_by == "kernel" else "never"
        self.called_by = called_by
        self.parts = _parts(where)
        remember_command(where.split() if isinstance(self.parts, str) else self.parts)
        remember_headers(headers or {})
        remember_environment((env or {}).items())
        self._token = None if token is None else checked_token(token)
        headers = self._with_token(headers or {})
        if isinstance(self.parts, str) and env:
            raise InputError("A URL takes no env.", "Leave env out, or pass headers.")
        if not isinstance(self.parts, str) and headers:
            raise InputError("A command takes no headers.", "Leave headers out, or pass env.")
        self.name = name if name is not None else _name_of(self.parts)
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r:.80} cannot be the name of a server.",
                "Use letters a to z, digits, _ and -, at most 40.",
            )
        self._link = _Link(self, headers, env or {}, Path.cwd() if folder is None else folder)
        self._only: frozenset[str] | None = None
        self._off: frozenset[str] = frozenset()

    def _with_token(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that the kernel sends, the token among them."""
        if self.called_by == "api":
            check_public(self.where)
            if headers:
                raise InputError("The API cannot send your headers.", "Pass a token: token=…")
        elif self._token is not None:
            if not isinstance(self.parts, str):
                raise InputError("A command takes no token.", "Pass what it needs in env.")
            return {"Authorization": f"Bearer {self._token}", **headers}
        return headers

    def connect(self) -> McpServer:
        """Start or reach it, unless that is done, and read the list of its tools.

        Raises:
            ClaudeError: It could not be started or reached, or did not answer.
        """
        if self.called_by == "api":
            return self
        try:
            from claude_nb.tools.mcp.connection import ServerError
        except ModuleNotFoundError:
            raise InputError(
                "MCP servers need the package mcp, which is not installed here.",
                '%pip install "claude-nb[mcp]"',
            ) from None
        check_waiting(f"the MCP server {self.name}")
        self._link.is_ended = False
        try:
            side_loop().call(self._link.connect())
        except ServerError as error:
            shown = redact_error(self.where)
            raise ClaudeError(
                f"The MCP server {self.name} ({shown}) {error.what}",
                error.advice,
                detail=error.more,
            ) from None
        self._check_known(self._only or ())
        return self

    @property
    def is_connected(self) -> bool:
        """Whether it runs, as far as is known."""
        return self._link.is_open

    def is_like(self, other: McpServer) -> bool:
        """Whether another one has the same name, command line or address, and settings."""
        return self._settings == other._settings

    @property
    def _settings(self) -> object:
        return self.name, self.parts, self.confirm, self._link.settings

    @property
    def is_ended(self) -> bool:
        """Whether it was closed: no question and no call starts it again."""
        return self._link.is_ended

    @property
    def is_listed(self) -> bool:
        """Whether it was connected once, so that its tools are known."""
        return self._link.is_listed

    @property
    def tools(self) -> list[ServerTool]:
        """Its tools, after ``connect``; of one that the API calls they are not known here."""
        only, off = self._only, self._off
        tools = [tool for tool in self._link.tools if only is None or tool.name in only]
        return [tool for tool in tools if tool.definition["name"] not in off]

    @property
    def toolset(self) -> dict[str, Any] | None:
        """What is sent of a server that the API calls; None for one that the kernel calls."""
        if self.called_by == "kernel":
            return None
        return toolset(self.name, self.where, self._token, self._only)

    @property
    def left_out(self) -> dict[str, str]:
        """The tools that it lists and that cannot be used, with the reasons."""
        return self._link.left_out

    def is_same(self, other: McpServer) -> bool:
        """Whether another one is this server too, perhaps with other tools of it."""
        return self._link is other._link

    def consent(self, tool: ServerTool) -> Consent:
        """What the user allowed of one of its tools."""
        key = approvals.key_of(self.parts, self._link.folder, tool.name, tool.digest)
        shown = redact_error(self.where)
        approval = Approval(shown, self._link.folder, tool.name, key)
        return Consent(self.name, approval, self.confirm)

    def introduce(self) -> None:
        """Show its tools with their descriptions, unless that was done for the same ones."""
        from IPython.display import display

        if not self._versions <= self._link.introduced:
            display(self.listing())

    @property
    def _versions(self) -> frozenset[tuple[str, str]]:
        return frozenset((tool.name, tool.digest) for tool in self.tools)

    def listing(self) -> Listing:
        """Its tools with their descriptions, as they are shown."""
        return Listing([self.rows()])

    def rows(self) -> ServerRows:
        """It and its tools, to be shown: ``introduce`` then shows no more."""
        self._link.introduced |= self._versions
        always = {approval.key for approval in approvals.listed()}
        tools = [
            ToolRow(
                f"{self.name}.{shown_name(tool.name)}",
                tool.description,
                approvals.duration(self.consent(tool).approval, always),
            )
            for tool in self.tools
        ]
        tools += [
            ToolRow(f"{self.name}.{shown_name(name)}", f"cannot be used: {why}")
            for name, why in self.left_out.items()
        ]
        state = "running" if self.is_connected else "ended; the next question restarts it"
        about = f"{state} · {_ASKS[self.confirm]}"
        return ServerRows(self.name, redact_error(self.where), about, tuple(tools))

    def only(self, names: Iterable[str]) -> McpServer:
        """The same server with some of its tools.

        Args:
            names: What the server calls them.
        """
        names = [names] if isinstance(names, str) else list(names)
        if self.is_listed:
            self._check_known(names)
        return self._with(_only=frozenset(names))

    def without(self, names: Container[str]) -> McpServer:
        """The same server without tools of these names, as they are sent."""
        sent = {tool.definition["name"] for tool in self.tools}
        return self._with(_off=self._off | {name for name in sent if name in names})

    def _with(self, **chosen: object) -> McpServer:
        found = object.__new__(McpServer)
        found.__dict__.update(self.__dict__ | chosen)
        return found

    def close(self) -> None:
        """End its process, or the session with it, until it is connected again."""
        self._link.is_ended = True
        side_loop().call(self._link.close())

    async def call(self, tool: ServerTool, arguments: dict[str, Any]) -> Any:
        """Call a tool; on the side loop.

        Returns:
            Its result, as content blocks of the API.

        Raises:
            CallFailedError: The tool failed, or the server ended or sent what cannot be read.
        """
        return await self._link.call(tool, arguments)

    def _check_known(self, names: Iterable[str]) -> None:
        there = [tool.name for tool in self._link.tools]
        for name in names:
            if name not in there and name not in self._link.left_out:
                near = nearest(name, there)
                hint = f"Did you mean {self.name}.{near}?" if near else f"It has {_some(there)}."
                raise InputError(f"The server {self.name} has no tool {name!r:.80}.", hint)

    def _repr_html_(self) -> str | None:
        return self.listing()._repr_html_() if self.is_connected else None

    def __repr__(self) -> str:
        return f"McpServer({redact_error(self.where)!r}, name={self.name!r})"


class _Link:
    """What a server and its ``only`` share: the connection, and the list of its tools."""

    def __init__(
        self,
        server: McpServer,
        headers: Mapping[str, str],
        env: Mapping[str, str],
        folder: str | Path,
    ) -> None:
        self.tools: list[ServerTool] = []
        self.left_out: dict[str, str] = {}
        self.is_listed = False
        self.introduced: frozenset[tuple[str, str]] = frozenset()
        self.is_ended = False
        self.folder = str(folder) if isinstance(server.parts, tuple) else ""
        self._name, self._parts = server.name, server.parts
        self._where = redact_error(server.where)
        self._headers, self._env = dict(headers), dict(env)
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def settings(self) -> object:
        return self._headers, self._env, self.folder

    @property
    def is_open(self) -> bool:
        return self._connection is not None and self._connection.is_open

    async def connect(self) -> Connection:
        """Open the connection if it is not, and read the list of tools.

        Raises:
            ServerError: It failed.
        """
        from claude_nb.tools.mcp.connection import Connection, ServerError
        from claude_nb.tools.mcp.definitions import definitions
        from claude_nb.tools.mcp.stdio import environment

        async with self._connecting:
            connection, listed = self._connection, None
            if connection is not None and connection.is_open:
                with suppress(ServerError):  # it hangs or has ended: another is begun
                    listed = await connection.tools()
            if connection is None or listed is None:
                env = environment(self._env)
                connection = Connection(self._parts, self._headers, env, self.folder)
                self._connection = connection
                _open.add(self)
                await connection.open()
                listed = await connection.tools()
            self.is_listed = True
            self.tools, self.left_out = definitions(self._name, *listed)
            return connection

    async def call(self, tool: ServerTool, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        from claude_nb.tools.mcp.connection import ServerError
        from claude_nb.tools.mcp.content import content

        if self.is_ended:
            raise CallFailedError(
                f"The user ended the server {self._name}.", "not run: its server has ended"
            )
        try:
            connection = self._connection
            if connection is None or not connection.is_current:
                connection = await self.connect()
                if tool not in self.tools:
                    raise CallFailedError(
                        "This tool has changed since it was listed, so it was not called.",
                        "not run: the tool has changed",
                        "The next question uses the tool as it is now.",
                    )
            return content(await connection.call(tool.name, arguments))
        except ServerError as error:
            what = f"The MCP server {self._name} {error.what}"
            told = filter(None, (self._where, error.more, error.advice))
            raise CallFailedError(what, "failed in the server", "\n".join(told)) from None

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def leave(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        fork.leave(self._connection, self._connecting)
        self._connection, self._connecting = None, asyncio.Lock()


_open: weakref.WeakSet[_Link] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """End the servers with the kernel; what is killed closes their stdin, which ends them too."""
    links = list(_open)
    if links:
        with suppress(Exception):
            side_loop().call(_close(links))


async def _close(links: list[_Link]) -> None:
    await asyncio.gather(*(link.close() for link in links))


def _leave_all() -> None:
    for link in list(_open):
        link.leave()
    _open.clear()


fork.in_child(_leave_all)


def _parts(where: str) -> str | tuple[str, ...]:
    """The address, or the words of the command line as a shell would split it."""
    if re.match(r"https?://", where, re.IGNORECASE):
        return where
    try:
        words = tuple(shlex.split(where))
    except ValueError as error:
        raise InputError(f"The command line {where!r:.200} has an unclosed quote.") from error
    if not words:
        raise InputError(f"{where!r:.80} is not an MCP server.", f"For example: {_EXAMPLE}")
    return words


def _name_of(parts: str | tuple[str, ...]) -> str:
    """A name for a server: its host, or the first word of its command that is no runner's."""
    if isinstance(parts, str):
        found = urlsplit(parts).hostname or "server"
    else:
        words = [word for word in parts if not word.startswith("-")]
        own = [w for w in words if w not in _RUNNERS and not _RUNNER.fullmatch(w)] or words
        found = _ENDING.sub("", PurePath(own[0]).name)
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", found).strip("_")[:40] or "server"


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
