"""The MCP servers of this kernel by name: ``%claude_nb mcp`` adds them, ``--tools`` takes them."""

from __future__ import annotations

from claude_nb.errors import InputError
from claude_nb.request.server_tools import BUILT_IN_TOOLS
from claude_nb.tools.mcp.server import McpServer

servers: dict[str, McpServer] = {}
"""Those of this process, by name."""

_TAKEN = (*BUILT_IN_TOOLS, "none")
"""Other things that ``--tools`` takes."""


def check_name(name: str) -> None:
    """Refuse a name that is taken.

    Raises:
        InputError: It is.
    """
    if name in _TAKEN:
        raise InputError(f"{name} has another meaning in --tools.", "Choose another name.")
    if name in servers:
        raise InputError(
            f"There is already an MCP server {name}: {servers[name].where}",
            f"To end that one: %claude_nb mcp remove {name}",
        )


def find(name: str) -> McpServer | None:
    """The server of that name, with one of its tools alone for ``NAME.tool``; None for no server.

    Raises:
        InputError: The server has no such tool.
    """
    of_server, dot, tool = name.partition(".")
    server = servers.get(of_server)
    return server.only([tool]) if server is not None and dot else server
