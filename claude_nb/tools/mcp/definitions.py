"""What a server lists, as tools that the API takes: names, descriptions, schemas, digests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import anthropic  # noqa: F401 - all of it first: another thread may be importing it (preload)
from anthropic.lib.tools.mcp import async_mcp_tool

from claude_nb.characters import wellformed_json
from claude_nb.errors import InputError
from claude_nb.tools.definition import check_definition

_LONGEST = 128
"""Characters of a tool's name at most."""

_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), dict),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems", "enum", "required"), list),
    **dict.fromkeys(("$ref", "pattern", "format", "title", "description"), str),
    **dict.fromkeys(("minimum", "maximum", "minLength", "maxLength", "minItems"), (int, float)),
}
_OF_SCHEMAS = _KEYWORDS.keys() & {
    *("properties", "patternProperties", "$defs", "definitions"),
    *("anyOf", "oneOf", "allOf", "prefixItems"),
}
_SCHEMA = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
"""Keywords of a schema: what their values are, and which hold schemas."""

_OTHER = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool of a server.

    Attributes:
        name: What the server calls it.
        description: What it says that it does.
        definition: What is sent of it, as the API's dict; its name begins with the server's.
        digest: Another one whenever its description or its schema is another.
    """

    name: str
    description: str
    definition: dict[str, Any]
    digest: str


def definitions(
    server: str, listed: list[Any], left_out: dict[str, str]
) -> tuple[list[ServerTool], dict[str, str]]:
    """The tools that can be used, and why others cannot.

    Args:
        server: The server's name.
        listed: What it lists, as the ``mcp`` package has it.
        left_out: What is left out already, with the reasons.
    """
    found: dict[str, ServerTool] = {}
    left_out = dict(left_out)
    for tool in listed:
        if tool.name in found:
            left_out[tool.name] = "It is listed twice; the first is used."
            continue
        try:
            found[tool.name] = _server_tool(server, tool)
        except InputError as error:
            left_out[tool.name] = error.what
        except RecursionError:
            left_out[tool.name] = "Its schema is nested too deeply."
    return list(found.values()), left_out


def _server_tool(server: str, tool: Any) -> ServerTool:
    made = dict(async_mcp_tool(tool, None).to_dict())  # type: ignore[arg-type]
    made = wellformed_json(made)
    description = str(made.get("description") or "")
    if not description:
        made.pop("description", None)
    digest = _digest([description, made["input_schema"]])
    made["name"] = sent_name(server, tool.name)
    _check_schema(made["input_schema"])
    check_definition(made)
    return ServerTool(tool.name, description, made, digest)


def _check_schema(schema: dict[str, Any]) -> None:
    """Refuse what the API refuses of the schema of a tool's input.

    Raises:
        InputError: It is refused.
    """
    if found := [key for key in ("anyOf", "oneOf", "allOf") if key in schema]:
        raise InputError(
            f"Its schema has {found[0]} at its top level, which the API does not accept."
        )
    if wrong := next(_wrong(schema), ""):
        raise InputError(f"Its schema is not valid JSON Schema: {wrong[:200]}")


def _wrong(schema: Any) -> Iterator[str]:
    """Where a schema is none of draft 2020-12, which the API asks for."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield f"{schema!r} is not a schema."
        return
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _TYPES:
            yield f"there is no type {kind!r}."
    for key, value in schema.items():
        if key in _KEYWORDS and not isinstance(value, _KEYWORDS[key]):
            yield f"{key} cannot be {value!r}."
        elif key in _OF_SCHEMAS:
            parts = value.values() if isinstance(value, dict) else value
            yield from chain.from_iterable(map(_wrong, parts))
        elif key in _SCHEMA:
            yield from _wrong(value)


def sent_name(server: str, tool: str) -> str:
    """What the model calls a tool: a name that the API takes, with the server's before it."""
    whole = f"{server}__{tool}"
    name = _OTHER.sub("_", whole)
    if name == whole and len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}_{_digest(tool)[:8]}"


def _digest(value: Any) -> str:
    written = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()
