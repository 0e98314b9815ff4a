"""The tools of a chat, each of which the user can switch off and on again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from claude_nb.characters import clean
from claude_nb.errors import InputError
from claude_nb.request.server_tools import MCP_TOOLSET, MEMORY
from claude_nb.tools.tools import AT_API, Tools, tool_name

_LONGEST = 100
"""Characters of a description that are shown."""


@dataclass
class ChatTools:
    """Which tools a chat has, and which of them are switched off.

    Attributes:
        given: Returns those that it was given, or None.
        off: The names of those that are not sent.
    """

    given: Callable[[], Tools | None]
    off: set[str] = field(default_factory=set)

    def on(self) -> Tools | None:
        """Those that are sent with the next question; None where the chat was given none."""
        tools = self.given()
        return tools.without(self.off) if tools is not None and self.off else tools

    def switch(self, name: str, *, on: bool) -> None:
        """Switch one on or off, from the next question on.

        Raises:
            InputError: There is none of that name.
        """
        if name not in {tool["name"] for tool in self.shown()}:
            raise InputError(f"This chat has no tool {clean(name):.100}.")
        (self.off.discard if on else self.off.add)(name)

    def shown(self) -> list[dict[str, Any]]:
        """Each of them as ``render.protocol`` describes it."""
        if (tools := self.given()) is None:
            return []
        named = [(tool_name(definition), definition) for definition in tools.definitions]
        return [
            {"name": name, "about": _about(tools, definition), "on": name not in self.off}
            for name, definition in named
        ]


def _about(tools: Tools, definition: dict[str, Any]) -> str:
    tool = tools.get(tool_name(definition))
    if tool is None:
        is_mcp = definition.get("type") == MCP_TOOLSET
        return f"MCP server{AT_API}" if is_mcp else "runs on the server"
    if tool_name(definition) == MEMORY:
        return ("asks first · " if tools.confirm else "") + "files in a folder"
    line = clean(str(definition.get("description") or "").strip().partition("\n")[0])[:_LONGEST]
    return " · ".join(filter(None, ("asks first" if tools.asks(tool) else "", line)))
