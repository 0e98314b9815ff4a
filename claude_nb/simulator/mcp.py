"""MCP servers that the API calls: the rules for them, and calls with made-up results.

The rules are those of platform.claude.com/docs, "MCP connector", and of the SDK's beta types of
2.14.0; the wording of errors is ours. No server is reached.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from claude_nb.simulator.refusals import mistyped, required
from claude_nb.simulator.tokens import Part, blocks, parts
from claude_nb.simulator.turns import words
from claude_nb.simulator.wire import Answer, Written, mcp_tool_use, text

TOOLSET = "mcp_toolset"
LISTING = "mcp_tool_listing"

_LISTS = "mcp-client-2026-09-15"
"""The beta from which on an answer brings the tools that a server has listed."""

_ANY = "mcp-client-"
_FIRST = "mcp-client-2025-04-04"
"""The deprecated beta: it has no toolsets."""

_FIELDS = {"mcp_tool_use": {"id": str, "name": str, "server_name": str, "input": dict}}
_FIELDS |= {LISTING: {"mcp_server_name": str, "tools": list}}
_SERVER = ("type", "url", "name", "authorization_token", "tool_configuration")
_SET = ("type", "mcp_server_name", "cache_control", "configs", "default_config", "tools")
_TOOLS = ("search", "read")
"""What every server has."""


def complaints(request: dict[str, Any], betas: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a request's servers, their toolsets and blocks of earlier calls.

    Args:
        request: The body, whose messages are known to be good otherwise.
        betas: The names in the ``anthropic-beta`` header.
    """
    yield from mistyped("", request, mcp_servers=list)
    servers = request.get("mcp_servers") or []
    for number, server in enumerate(servers):
        yield from _about_server(f"mcp_servers.{number}", server)
    sets = [tool for tool in request.get("tools") or [] if tool.get("type") == TOOLSET]
    for number, tool in enumerate(request.get("tools") or []):
        if tool.get("type") == TOOLSET:
            yield from _about_set(f"tools.{number}.{TOOLSET}", tool)
    named = Counter(tool["mcp_server_name"] for tool in sets)
    there = [server["name"] for server in servers]
    if len(set(there)) < len(there):
        yield "mcp_servers: Server names must be unique."
    for name in named:
        if name not in there:
            yield f"tools: MCP server '{name}' not found in mcp_servers"
    for name in () if _FIRST in betas else there:
        if named[name] != 1:
            yield f"mcp_servers: MCP server '{name}' must be referenced by exactly one mcp_toolset"
    for part in parts(request):
        yield from _about_block(part, betas)


def _about_server(at: str, server: Any) -> Iterator[str]:
    if not isinstance(server, dict):
        yield f"{at}: Input should be an object"
    yield from required(f"{at}.", server, type=str, url=str, name=str)
    yield from mistyped(f"{at}.", server, authorization_token=str, tool_configuration=dict)
    if server["type"] != "url":
        yield f"{at}.type: Input should be 'url'"
    if not server["url"].startswith("https://"):
        yield f"{at}.url: Input should start with 'https://'"
    for name in server:
        if name not in _SERVER:
            yield f"{at}.{name}: Extra inputs are not permitted"


def _about_set(at: str, tool: dict[str, Any]) -> Iterator[str]:
    yield from required(f"{at}.", tool, mcp_server_name=str)
    yield from mistyped(f"{at}.", tool, configs=dict, default_config=dict, tools=list)
    for name in tool:
        if name not in _SET:
            yield f"{at}.{name}: Extra inputs are not permitted"


def _about_block(part: Part, betas: Collection[str]) -> Iterator[str]:
    kind = part.block.get("type")
    if kind not in ("mcp_tool_use", "mcp_tool_result", LISTING):
        return
    needed = _LISTS if kind == LISTING else _ANY
    if part.role != "assistant" or not any(beta.startswith(needed) for beta in betas):
        yield f"{part.path}: Input tag '{kind}' does not match any of the expected tags"
    yield from required(f"{part.path}.{kind}.", part.block, **_FIELDS.get(kind, {}))


@dataclass(frozen=True, slots=True)
class Use:
    """A call of a tool of such a server, as ``servertools.Use``.

    Attributes:
        server: The server.
        name: The tool.
        failed: Whether the server answers with an error.
    """

    server: str
    name: str
    failed: bool

    def called(self, rng: random.Random) -> Written:
        """Return the call, with an id of its own."""
        identifier = f"mcptoolu_sim_{rng.randbytes(8).hex()}"
        return mcp_tool_use(identifier, self.server, self.name, {"query": "simulated"})

    def returned(self, identifier: str) -> Written:
        """Return the result of the call with this id."""
        what = "is unavailable" if self.failed else "was not reached: this result is simulated"
        content = [{"type": "text", "text": f"{self.server} {what}."}]
        return Written(
            {
                "type": "mcp_tool_result",
                "tool_use_id": identifier,
                "is_error": self.failed,
                "content": content,
            }
        )

    @property
    def about(self) -> tuple[Written, ...]:
        """The text about it in the answer."""
        outcome = "failed" if self.failed else "answered"
        return (text(f"`{self.name}` of `{self.server}` {outcome}; nothing was called. "),)


def uses(request: dict[str, Any], prompt: str, *, failed: bool) -> list[Use]:
    """Return the calls that a prompt asks for: one of each server whose name it has.

    Args:
        request: The body of the request.
        prompt: The prompt.
        failed: Whether the servers answer with an error.
    """
    if (request.get("tool_choice") or {}).get("type") == "none":
        return []
    spoken = set(words(prompt))
    found = [
        (str(tool["mcp_server_name"]), _offered(tool))
        for tool in request.get("tools") or []
        if tool.get("type") == TOOLSET
    ]
    return [
        Use(server, tools[0], failed)
        for server, tools in found
        if tools and spoken.issuperset(words(server.replace("-", " ")))
    ]


def listed(answer: Answer, request: dict[str, Any], betas: Collection[str]) -> Answer:
    """Return an answer with the tools of the servers that were asked for them, which come first."""
    if _LISTS not in betas:
        return answer
    held = [b for m in request["messages"] for b in blocks(m["content"]) if b["type"] == LISTING]
    known = {block.get("mcp_server_name") for block in held}
    new = [
        Written({"type": LISTING, "mcp_server_name": name, "tools": list(map(_described, _TOOLS))})
        for tool in request.get("tools") or []
        if tool.get("type") == TOOLSET and tool.get("tools") is None
        if (name := tool["mcp_server_name"]) not in known
    ]
    answer.content[:0] = new
    return answer


def _offered(tool: dict[str, Any]) -> list[str]:
    """Return the names of the tools of a toolset that are switched on."""
    configs, rest = tool.get("configs") or {}, tool.get("default_config") or {}
    names = dict.fromkeys((*configs, *_TOOLS))
    return [n for n in names if configs.get(n, {}).get("enabled", rest.get("enabled", True))]


def _described(name: str) -> dict[str, Any]:
    query = {"type": "object", "properties": {"query": {"type": "string"}}}
    return {"name": name, "description": f"A simulated tool: {name}.", "input_schema": query}
