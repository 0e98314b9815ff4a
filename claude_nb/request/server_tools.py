"""The tools that the server runs: their versions, by model, and the settings that they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from claude_nb.cost.models import facts
from claude_nb.errors import InputError, nearest

_FIRST = {
    "web_search": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
}
"""The versions that every model takes (platform.claude.com/docs, page on each, read 2026-08-22)."""

SERVER_TOOLS = tuple(_FIRST)
"""Their names."""

MEMORY = "memory"
"""The name of the API's memory tool, which runs here and is named as those are."""

BUILT_IN_TOOLS = (*SERVER_TOOLS, MEMORY)
"""The names of all tools of which the API knows the schema."""

_WEB = ("web_search", "web_fetch")
_FILTERS_SINCE = "20260209"
"""The version of the web's tools from which on Claude filters what they find by code of its own."""

_LOCATION = ("city", "region", "country", "timezone")
"""What a location is made of: the SDK's ``UserLocationParam``."""


def kind(definition: Mapping[str, Any]) -> str:
    """Which of ``SERVER_TOOLS`` a definition is of, whatever its version; empty for none."""
    if "type" not in definition and "input_schema" not in definition:
        name = str(definition.get("name"))
        return name if name in SERVER_TOOLS else ""
    name, _, version = str(definition.get("type")).rpartition("_")
    return name if name in SERVER_TOOLS and version.isdecimal() else ""


def versioned(definition: dict[str, Any], model: str) -> dict[str, Any]:
    """A definition with the newest version that the model is known to take.

    Args:
        definition: One that names a version, or is of a function, stays as it is.
        model: The id of the model that is asked.
    """
    name = kind(definition)
    if not name or "type" in definition:
        return definition
    known = facts(model)
    newest = known.web_tools if known is not None and name in _WEB else None
    return {"type": f"{name}_{newest}" if newest else _FIRST[name], **definition}


def includes_code(definitions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the price of one of these covers the code that is run beside it.

    platform.claude.com/docs, page on pricing, read 2026-08-21.

    Args:
        definitions: With their versions.
    """
    types = [str(d["type"]).rpartition("_")[2] for d in definitions if kind(d) in _WEB]
    return any(version >= _FILTERS_SINCE for version in types)


def web_tool(name: str, **settings: Any) -> dict[str, Any]:
    """The definition of ``web_search`` or ``web_fetch``, without a version.

    Args:
        name: Which of the two.
        **settings: What the API takes; None for what is not set.

    Raises:
        InputError: One of them is none that the API takes.
    """
    given = {setting: value for setting, value in settings.items() if value is not None}
    check_numbers(name, given)
    lists = sorted({"allowed_domains", "blocked_domains"} & given.keys())
    if len(lists) > 1:
        raise InputError(
            f"{name} takes allowed_domains or blocked_domains, not both.",
            "Leave one of them out; allowed_domains blocks all others.",
        )
    for setting in lists:
        given[setting] = _domains(name, setting, given[setting])
    if "user_location" in given:
        given["user_location"] = _location(given["user_location"])
    return {"name": name, **given}


MCP_TOOLSET = "mcp_toolset"
"""The type of the tools of an MCP server that the API calls."""

MCP_BETA = "mcp-client-2026-09-15"
"""The beta that they need: documentation, "MCP connector"; the SDK's ``AnthropicBetaParam``."""

_MCP_BLOCKS = ("mcp_tool_use", "mcp_tool_result", "mcp_tool_listing")


def mcp_parts(
    tools: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Definitions as they are sent, and the entries of ``mcp_servers`` that belong to them.

    Args:
        tools: Definitions; those of an MCP server's tools may hold it as ``server``.
    """
    servers = [tool["server"] for tool in tools if "server" in tool]
    return [{n: v for n, v in tool.items() if n != "server"} for tool in tools], servers


def without_listings(
    content: list[dict[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Content without the lists of tools of those MCP servers that a request does not name.

    Such a list is sent back so that its server is not asked again.

    Args:
        content: The content blocks of a turn.
        tools: The definitions of the tools that the request names.
    """
    named = {tool.get("mcp_server_name") for tool in tools}
    return [
        block
        for block in content
        if block["type"] != "mcp_tool_listing" or block.get("mcp_server_name") in named
    ]


def holds_mcp(blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are calls of an MCP server by the API among content blocks."""
    return any(block["type"] in _MCP_BLOCKS for block in blocks)


_EXAMPLES = {"max_uses": 3, "max_content_tokens": 50_000}


def check_numbers(name: str, definition: Mapping[str, Any]) -> None:
    """Refuse a number in a definition that the API refuses.

    Raises:
        InputError: One is not a whole number of at least 1.
    """
    for setting, example in _EXAMPLES.items():
        value = definition.get(setting)
        if value is not None and (type(value) is not int or value < 1):
            raise InputError(
                f"{setting} of {name} must be a whole number of at least 1, not {value!r:.40}.",
                f"For example: Tools.{name}({setting}={example})",
            )


def _domains(name: str, setting: str, value: Any) -> list[str]:
    """Domains as the API takes them: without ``https://``, perhaps with a path."""
    example = f'For example: Tools.{name}({setting}=["example.com", "docs.python.org/3"])'
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not value:
        raise InputError(f"{setting} must be a list of domains, not {value!r:.60}.", example)
    for domain in value:
        text = domain if isinstance(domain, str) else ""
        if "://" in text or "." not in text.partition("/")[0] or not text.isascii() or " " in text:
            raise InputError(f"{domain!r:.60} in {setting} is not a domain.", example)
    return list(value)


def _location(value: Any) -> dict[str, str]:
    """A location as the API takes it, from its parts."""
    example = 'For example: user_location={"city": "Lisbon", "country": "PT"}'
    parts = dict(value) if isinstance(value, Mapping) else {}
    if parts.pop("type", "approximate") != "approximate" or not parts:
        raise InputError(
            f"user_location must be a dict of {', '.join(_LOCATION)}, not {value!r:.60}.", example
        )
    for part, text in parts.items():
        if part not in _LOCATION:
            near = nearest(str(part), _LOCATION)
            hint = f"Did you mean {near}?" if near else f"Its keys are {', '.join(_LOCATION)}."
            raise InputError(f"user_location has no {part!r:.40}.", hint)
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{part} in user_location must be a string, not {text!r:.40}.", example
            )
    country = parts.get("country", "XX")
    if len(country) != 2 or not country.isascii() or not country.isalpha():
        raise InputError(
            f"country in user_location must be a two-letter code, not {country!r:.40}.", example
        )
    return {"type": "approximate", **parts}
