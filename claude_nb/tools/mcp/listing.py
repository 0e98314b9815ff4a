"""The tools of a server as a table: what each is for, and which cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render.table import Table

if TYPE_CHECKING:
    from claude_nb.tools.mcp.definitions import ServerTool

_MOST = 50
"""Tools that a table shows."""

_LONGEST = 80
"""Characters of a name or a description that a table shows."""


def listing(
    server: str, where: str, tools: Sequence[ServerTool], left_out: Mapping[str, str]
) -> Table:
    """The tools of a server, with their descriptions.

    Args:
        server: Its name.
        where: Its command line or address, without credentials.
        tools: Its tools.
        left_out: Those that cannot be used, with the reasons.
    """
    rows: list[tuple[str, ...]] = [
        (_short(f"{server}.{tool.name}"), _short(tool.description)) for tool in tools[:_MOST]
    ]
    lines = [f"{len(tools):,} tools of the MCP server {server}: {clean(where)}"]
    if len(tools) == 1:
        lines = [f"The tool of the MCP server {server}: {clean(where)}"]
    if len(tools) > _MOST:
        lines.append(f"The first {_MOST} are shown.")
    lines += [f"Left out: {_short(n)}. {_short(w)}" for n, w in list(left_out.items())[:_MOST]]
    return Table(("tool", "what it is for"), rows, "\n".join(lines), left=(0, 1))


def _short(text: str) -> str:
    line = clean(redact(text)).strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
