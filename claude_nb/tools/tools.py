"""A notebook's functions as tools: their definitions, which are sent to the model.

``calls`` runs the calls.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from claude_nb.errors import InputError, nearest
from claude_nb.request.attachments.definitions import source
from claude_nb.request.server_tools import (
    BUILT_IN_TOOLS,
    MCP_TOOLSET,
    MEMORY,
    SERVER_TOOLS,
    check_numbers,
    kind,
    web_tool,
)
from claude_nb.tools.definition import is_json
from claude_nb.tools.functions import EXAMPLE, Tool, function, short
from claude_nb.tools.mcp.consent import Confirm
from claude_nb.tools.mcp.named import find, servers
from claude_nb.tools.mcp.server import CalledBy, McpServer
from claude_nb.tools.memory.memory import Memory
from claude_nb.tools.side_loop import check_waiting

MAX_TURNS = 25
"""How often tools are run for one reply by default."""

NOTE = "tools: "
"""How the note on a reply begins that names the tools which it may call."""

AT_API = " (called by the API, without asking)"
"""What the note says of the tools of an MCP server that the API calls."""

_OTHER_TYPES = ("tool_search_tool_", MCP_TOOLSET)
"""Of tools that the server runs; the servers of the second may be named in ``extra``."""

_LARGE = 8_000
"""Characters of the definitions of an MCP server from which on their tokens are told."""

_OPTIONS = ("eager", "confirm", "timeout", "max_turns")


class Tools:
    """Functions that Claude may call, and how they are called.

    The model gets each function's name, docstring and the type hints of its parameters; a result
    goes back as it would into a prompt: text, JSON, a table, an image.

    Args:
        *tools: Functions, asynchronous ones too; and what the server runs itself: by name
            (``"web_search"``, ``"web_fetch"``, ``"code_execution"``), with settings, as
            ``Tools.web_search(max_uses=3)``, or as the API's definition with its ``type``. Without
            a ``type`` it is sent in the newest version that the model takes. ``"memory"`` is a
            folder of notes beside the notebook: see ``Tools.memory``.
        eager: Stream tool input as it is written, unchecked. The model learns where it is invalid.
        confirm: Ask before each call.
        timeout: The time limit of a call in seconds, or None for no limit.
        max_turns: How many times one reply may use tools.

    Attributes:
        definitions: Their definitions, as the API's dicts.
        is_named: Whether the current question names them.

    Raises:
        InputError: One of them cannot be a tool; the error says why.

    Example:
        >>> def add(a: int, b: int) -> int:
        ...     '''Add two numbers.'''
        ...     return a + b
        >>> claude_nb.ask("What is 2 + 3?", tools=Tools(add, confirm=True))
    """

    def __init__(
        self,
        *tools: Any,
        eager: bool = False,
        confirm: bool = False,
        timeout: float | None = None,
        max_turns: int = MAX_TURNS,
    ) -> None:
        if timeout is not None and not (_is_number(timeout) and 0 < timeout < math.inf):
            raise InputError(f"timeout must be a number of seconds above 0, not {timeout!r}.")
        if not (_is_number(max_turns) and max_turns >= 1):
            raise InputError(f"max_turns must be at least 1, not {max_turns!r}.")
        self.eager = eager
        self.confirm = confirm
        self.timeout = timeout
        self.max_turns = max_turns
        self.is_named = True
        tools = tuple(map(_named, tools))
        self._values = tools
        self._functions: dict[str, Tool] = {}
        self._parts: list[tuple[Any, list[dict[str, Any]]]] = []
        for value in tools:
            definition = _server_tool(value)
            if definition is not None:
                self._parts.append((value, [definition]))
                continue
            more = {"eager_input_streaming": True} if eager else {}
            if isinstance(value, McpServer):
                own = _of_server(value)
            elif isinstance(value, Tools):
                what = f"{short(value)} is not a function."
                raise InputError(what, "Pass it without a list around it.")
            elif isinstance(value, Memory):
                own, more = [_memory(value)], {}
            else:
                own = [function(value)]
            self._parts.append((value, [tool.definition | more for tool in own]))
            self._functions |= {tool.name: tool for tool in own}
        self.definitions = tuple(d for _, definitions in self._parts for d in definitions)
        _check_servers([value for value in tools if isinstance(value, McpServer)])
        names = [*map(tool_name, self.definitions)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"There are two tools named {name}.", "Rename one of them.")

    @staticmethod
    def web_search(
        *,
        max_uses: int | None = None,
        allowed_domains: Sequence[str] | None = None,
        blocked_domains: Sequence[str] | None = None,
        user_location: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The API's web search with settings, as a tool for ``Tools``.

        Args:
            max_uses: The most searches for one request, each of which is paid for.
            allowed_domains: The only domains that results come from, such as ``"example.com"``.
            blocked_domains: Domains that no result comes from; not together with the others.
            user_location: Where the user is: ``city``, ``region``, ``country`` (two letters) and
                ``timezone``, or some of them.

        Raises:
            InputError: The API does not accept a setting.
        """
        return web_tool("web_search", **locals())

    @staticmethod
    def web_fetch(
        *,
        max_uses: int | None = None,
        allowed_domains: Sequence[str] | None = None,
        blocked_domains: Sequence[str] | None = None,
        citations: bool = True,
        max_content_tokens: int | None = None,
    ) -> dict[str, Any]:
        """The API's web fetch with settings, as a tool for ``Tools``.

        Args:
            max_uses: The most pages for one request; they cost their tokens.
            allowed_domains: The only domains that pages are fetched from.
            blocked_domains: Domains that no page is fetched from; not together with the others.
            citations: Whether the answer cites the pages.
            max_content_tokens: How many tokens of a page are taken at most, roughly.

        Raises:
            InputError: The API does not accept a setting.
        """
        settings = {**locals(), "citations": {"enabled": True} if citations else None}
        return web_tool("web_fetch", **settings)

    @staticmethod
    def code_execution() -> dict[str, Any]:
        """The API's code execution, as a tool for ``Tools``."""
        return {"name": "code_execution"}

    @staticmethod
    def mcp(
        where: str,
        *,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        env: Mapping[str, str] | None = None,
        confirm: Confirm = "always",
        called_by: CalledBy = "kernel",
    ) -> McpServer:
        """An MCP server with all of its tools, for ``Tools``.

        Args:
            where: A command line, which is started without a shell, or an address.
            name: What its tools are called by; by default made of ``where``.
            headers: Sent with each request to an address; they are treated as secrets.
            token: Sent to an address as ``Authorization: Bearer``; a secret.
            env: Variables of the environment of a command, beside a few that programs need.
            confirm: When a call asks first: ``"always"``, ``"session"`` for once a tool, or
                ``"never"``.
            called_by: ``"kernel"``, or ``"api"`` for a server on the public net (a beta): the API
                then gets the token, calls the tools, and asks nobody.

        Raises:
            InputError: The server, or an option, is invalid.
        """
        return McpServer(**locals())

    @staticmethod
    def memory(folder: str | Path | None = None) -> Memory:
        """A memory folder that Claude reads and changes, as a tool for ``Tools``.

        Each change is shown as a difference, and ``.old`` in the folder keeps what is overwritten
        or deleted. A folder from elsewhere asks before its first use.

        Args:
            folder: The folder; by default ``claude_memory`` beside the notebook.

        Raises:
            InputError: The folder is a link, or there is no such home directory.
        """
        return Memory(folder)

    @classmethod
    def of(cls, tools: Any) -> Tools:
        """Tools as they are, or made of one function or several."""
        if isinstance(tools, Tools):
            return tools
        several = isinstance(tools, Iterable) and not isinstance(tools, (str, dict, McpServer))
        return cls(*tools) if several else cls(tools)

    def get(self, name: str) -> Tool | None:
        """The function of that name, or None."""
        return self._functions.get(name)

    @property
    def names(self) -> list[str]:
        """The names of the functions."""
        return list(self._functions)

    @property
    def sources(self) -> dict[str, str | None]:
        """The source of each function, by its name; None where it is unknown."""
        plain = [v for v in self._values if not isinstance(v, str | dict | McpServer | Memory)]
        names = [name for name, tool in self._functions.items() if tool.consent is None]
        return dict(zip(names, (source(getattr(v, "func", v)) for v in plain), strict=True))

    @property
    def note(self) -> str:
        """Which of them a reply may call, in a line for the user."""
        functions = ", ".join(n for n, tool in self._functions.items() if tool.consent is None)
        asks = " (asks first)" if functions and self.confirm else ""
        at_api = (d for d in self.definitions if tool_name(d) not in self._functions)
        server = [f"{tool_name(d)}{AT_API if d.get('type') == MCP_TOOLSET else ''}" for d in at_api]
        called = [(v, d) for v, d in self._parts if isinstance(v, McpServer) and v.toolset is None]
        mcp = [self._in_short(value, definitions) for value, definitions in called]
        memory = [self._of_memory(v) for v, _ in self._parts if isinstance(v, Memory)]
        return NOTE + ", ".join(filter(None, (f"{functions}{asks}", *memory, *mcp, *server)))

    def _of_memory(self, memory: Memory) -> str:
        asks = ", asks first" if self.asks(self._functions[MEMORY]) else ""
        return f"memory (in {memory.folder.name}{asks})"

    def _in_short(self, server: McpServer, definitions: Sequence[dict[str, Any]]) -> str:
        """An MCP server: how many tools it has, what they add to a request, whether one asks."""
        number, size = len(definitions), len(json.dumps(definitions))
        asks = any(self.asks(self._functions[tool_name(each)]) for each in definitions)
        about = (
            f"{number:,} tool{'s' * (number != 1)}",
            f"about {size // 4_000:,},000 tokens" if size >= _LARGE else "",
            f"{len(server.left_out)} left out" if server.left_out else "",
            "asks first" if asks else "",
        )
        return f"{server.name} ({', '.join(filter(None, about))})"

    def asks(self, tool: Tool) -> bool:
        """Whether a call of one of them asks first."""
        return self.confirm if tool.consent is None else tool.consent.asks(always=self.confirm)

    @property
    def ask_first(self) -> bool:
        """Whether a call of any of them asks first."""
        return any(map(self.asks, self._functions.values()))

    def unnamed(self) -> Tools:
        """The same for a question that does not name them: each call asks first."""
        found = copy.copy(self)
        found.confirm, found.is_named = True, False
        return found

    def without(self, names: Container[str]) -> Tools:
        """The same without those of these names."""
        values = []
        for value, definitions in self._parts:
            left = [d for d in definitions if tool_name(d) not in names]
            if left and isinstance(value, McpServer):
                values.append(value.without(names))
            elif left:
                values.append(value)
        return Tools(*values, **self._settings)

    def current(self) -> Tools:
        """The same with the tools that its MCP servers have now; one that has ended is restarted.

        Raises:
            ClaudeError: A server cannot be reached, or an asynchronous function asks and blocks
                the thread of these.
        """
        for name in (name for name, tool in self._functions.items() if tool.is_async):
            check_waiting(name)
        servers = [value for value in self._values if isinstance(value, McpServer)]
        for server in servers:
            if not server.is_ended:
                server.connect()
                server.introduce()
        if not servers:
            return self
        found = Tools(*self._values, **self._settings)
        found.is_named = self.is_named
        return found

    def renewed(self, variables: Mapping[str, Any]) -> Tools:
        """The same with the functions of those names that are defined now.

        Args:
            variables: The user's variables; what is no function any more stays as it was.

        Raises:
            InputError: One of them cannot be a tool.
        """
        now = (variables.get(getattr(value, "__name__", "")) for value in self._values)
        values = [
            new if callable(new) and callable(old) else old
            for old, new in zip(self._values, now, strict=True)
        ]
        return Tools(*values, **self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _OPTIONS}

    def __repr__(self) -> str:
        return f"Tools({', '.join(map(tool_name, self.definitions))})"


def _check_servers(servers: Sequence[McpServer]) -> None:
    """Refuse two servers of one name; of one server there may be several tools."""
    known: dict[str, McpServer] = {}
    for server in servers:
        if not known.setdefault(server.name, server).is_same(server):
            raise InputError(
                f"There are two MCP servers named {server.name}.",
                f'Give one another name: Tools.mcp({server.where!r}, name="other")',
            )


def _memory(memory: Memory) -> Tool:
    """The memory tool."""
    return Tool(MEMORY, memory.definition, memory.call, is_async=False, consent=memory.consent)


def _of_server(server: McpServer) -> list[Tool]:
    """The tools of an MCP server, which is connected if that was never done."""
    if not (server.is_listed or server.is_ended):
        server.connect()
    return [
        Tool(
            str(tool.definition["name"]),
            tool.definition,
            partial(server.call, tool),
            is_async=True,
            consent=server.consent(tool),
        )
        for tool in server.tools
    ]


def tool_name(definition: Mapping[str, Any]) -> str:
    """What a tool is called, by its definition."""
    named = (definition.get(field) for field in ("name", "mcp_server_name", "type"))
    return str(next(filter(None, named)))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _named(value: Any) -> Any:
    """The memory or the MCP server of a name; any other value as it is."""
    if isinstance(value, str) and value == MEMORY:
        return Memory()
    server = find(value) if isinstance(value, str) else None
    return value if server is None else server


def _server_tool(value: Any) -> dict[str, Any] | None:
    """The definition of a tool that the server runs; None for what is a function."""
    if isinstance(value, McpServer):
        return value.toolset
    if isinstance(value, str):
        if value in SERVER_TOOLS:
            made: dict[str, Any] = getattr(Tools, value)()
            return made
        known = [*BUILT_IN_TOOLS, *servers]
        near = nearest(value, known)
        hint = f"Did you mean {near}?" if near else f"There are {', '.join(known)}."
        raise InputError(f"There is no tool {value!r}.", hint)
    if not isinstance(value, dict):
        return None
    named = str(value.get("type") or "")
    if kind(value) or named.startswith(_OTHER_TYPES):
        if not is_json(value):
            what = f"The definition of {named or value['name']} cannot be written as JSON."
            raise InputError(what, f"It contains inf, nan, or a Python object: {value!r:.200}")
        check_numbers(kind(value), value)
        return value
    raise InputError(
        f"The definition of {value.get('name') or named or 'a tool'} has no function to run.",
        'Pass "memory", or claude_nb.Tools.memory("folder").'
        if named.startswith(MEMORY)
        else f"Pass a function: {EXAMPLE}",
    )
