"""The API's rules for JSON schemas: of tools, and those that constrain what is generated.

The rules are those of platform.claude.com/docs ("Structured outputs") and of the SDK's
``transform_schema``, which leaves out what the API does not take. The wording is that of the API's
own errors, where it is known.
"""

import re
from collections.abc import Iterator
from typing import Any

from claude_nb.simulator import catalogue
from claude_nb.simulator.refusals import mistyped, required
from claude_nb.simulator.schema import FORMATS, sample

_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}
_TAKEN = {
    *("type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "format"),
    *("pattern", "items", "minItems", "properties", "required", "additionalProperties"),
    *("title", "description", "default", "examples", "$schema", "$id", "$comment"),
}
"""The keywords of a schema that constrains what is generated; the last line constrains nothing."""

_FORMATS = FORMATS.keys() - {"json-string"}
_SHAPES: dict[str, type] = {
    **dict.fromkeys(("properties", "$defs", "definitions"), dict),
    **dict.fromkeys(("anyOf", "allOf", "enum", "required"), list),
    **dict.fromkeys(("$ref", "format"), str),
}
_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_MOST_OPTIONAL = 24
_MOST_UNIONS = 16
_MOST_STRICT_TOOLS = 20


def about_input(at: str, tool: dict[str, Any]) -> Iterator[str]:
    """Look at the schema of a tool's input."""
    yield from required(f"{at}.", tool, input_schema=dict)
    at, schema = f"{at}.input_schema", tool["input_schema"]
    if schema.get("type") != "object":
        wrong = "Input should be 'object'" if "type" in schema else "Field required"
        yield f"{at}.type: {wrong}"
    elif not {"oneOf", "allOf", "anyOf"}.isdisjoint(schema):
        yield f"{at}: input_schema does not support oneOf, allOf, or anyOf at the top level"
    elif not _can_be_filled(schema):
        yield (
            f"{at}: JSON schema is invalid. It must match JSON Schema draft 2020-12 "
            "(https://json-schema.org/draft/2020-12)."
        )
    elif not all(map(_KEY.fullmatch, schema.get("properties", ()))):
        yield f"{at}.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{{1,64}}$'"


def about_constraints(request: dict[str, Any]) -> Iterator[str]:
    """Look at the schemas that constrain what is generated: of strict tools, and of the answer."""
    tools = enumerate(request.get("tools") or [])
    strict = ((n, t) for n, t in tools if t.get("strict") is True and "input_schema" in t)
    found = [(f"tools.{number}.custom", tool["input_schema"]) for number, tool in strict]
    if len(found) > _MOST_STRICT_TOOLS:
        yield f"tools: {len(found)} tools are strict; at most {_MOST_STRICT_TOOLS} may be"
    form = catalogue.output_format(request)
    if form is not None:
        found.append(("output_config.format.schema", form["schema"]))
    for at, schema in found:
        yield from _about_part(at, schema, schema, (), set())
        if not _can_be_filled(schema):
            yield f"{at}: JSON schema is invalid"
    parameters = [p for _, schema in found for p in _parameters(schema)]
    optional = sum(not required for required, _ in parameters)
    if optional > _MOST_OPTIONAL:
        yield (
            f"Schemas contains too many optional parameters ({optional}), which would make grammar "
            f"compilation inefficient (limit: {_MOST_OPTIONAL})."
        )
    unions = sum("anyOf" in p or isinstance(p.get("type"), list) for _, p in parameters)
    if unions > _MOST_UNIONS:
        yield (
            f"Schemas contains too many parameters with union types ({unions} parameters with type "
            f"arrays or anyOf; limit: {_MOST_UNIONS})."
        )


def _can_be_filled(schema: dict[str, Any]) -> bool:
    try:
        sample(schema | {"required": [*schema.get("required", ()), *schema.get("properties", ())]})
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return False
    return True


def _about_part(
    at: str, schema: Any, root: dict[str, Any], within: tuple[str, ...], known: set[str]
) -> Iterator[str]:
    """Look at a part of a schema.

    Args:
        at: Where the schema stands in the request.
        schema: The part.
        root: The whole schema, which references point into.
        within: The references that were followed on the way to the part.
        known: The references that were looked at; they are added to it.
    """
    if not isinstance(schema, dict):
        yield f"{at}: Schema should be an object"
    yield from _about_keywords(at, schema)
    reference = schema.get("$ref")
    if reference is not None and reference not in known:
        if not reference.startswith("#"):
            yield f"{at}: $ref should begin with '#': {reference}"
        if reference in within:
            yield f"{at}: Recursive schemas are not supported: {reference}"
        target: Any = root
        for step in filter(None, reference.removeprefix("#").split("/")):
            target = target.get(step) if isinstance(target, dict) else None
        yield from _about_part(at, target, root, (*within, reference), known)
        known.add(reference)
    for part in _parts(schema):
        yield from _about_part(at, part, root, within, known)


def _about_keywords(at: str, schema: dict[str, Any]) -> Iterator[str]:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "type" in schema and not (kinds and all(isinstance(k, str) and k in _TYPES for k in kinds)):
        yield f"{at}: Schema type {kind!r} is not supported"
    yield from mistyped(f"{at}.", schema, **_SHAPES)
    for name, value in schema.items():
        if name not in _TAKEN or (name == "minItems" and value not in (0, 1)):
            yield f"{at}: For '{kind}' type, property '{name}' is not supported"
    if schema.get("format", "date") not in _FORMATS:
        yield f"{at}: String format '{schema['format']}' is not supported"
    if any(isinstance(value, dict | list) for value in schema.get("enum") or ()):
        yield f"{at}.enum: Input should be strings, numbers, booleans or null"
    if "object" in kinds and schema.get("additionalProperties") is not False:
        yield f"{at}: For 'object' type, 'additionalProperties' must be explicitly set to false"


def _parts(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield the schemas right inside a schema."""
    for name in ("properties", "$defs", "definitions"):
        yield from (schema.get(name) or {}).values()
    for name in ("anyOf", "allOf"):
        yield from schema.get(name) or ()
    yield from [schema["items"]] if "items" in schema else []


def _parameters(schema: dict[str, Any]) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Yield the properties of all objects in a schema, each with whether it is required."""
    for name, part in (schema.get("properties") or {}).items():
        yield name in (schema.get("required") or ()), part
    for part in _parts(schema):
        yield from _parameters(part)
