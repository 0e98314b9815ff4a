"""Values that fit a JSON schema, for the input of tools and for answers in a given form.

A schema's own value is taken first: its ``const``, ``examples``, ``default`` or ``enum``, in this
order. The rest is as small as the schema permits.
"""

import math
import re
from typing import Any

Schema = dict[str, Any]

_DEPTH = 3
"""How often a reference is followed inside itself, where the schema leaves no other way."""

_LARGEST = 1000
"""The most items, properties or characters, whatever the schema demands."""

FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "json-string": "1",
}
"""A text in each format."""

_LIMIT = re.compile(
    r"\b(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|minLength|maxLength|minItems"
    r"|maxItems): (-?\d+(?:\.\d+)?)"
)
"""A limit in a description, where the SDK writes those that the API does not know."""


def sample(schema: Schema, number: int = 0) -> Any:
    """Return a value that fits a JSON schema.

    Patterns and the rarer conditions (``not``, ``if``, ``contains``) are ignored.

    Args:
        schema: Such as a tool's ``input_schema``. References must be local (``#/$defs/…``).
        number: Counts from 0, for different values where the schema permits some.
    """
    return _value(schema, schema, number, ())


def _value(schema: Any, root: Schema, number: int, within: tuple[str, ...]) -> Any:
    """Return a value for a part of a schema.

    Args:
        schema: The part.
        root: The whole schema, which references point into.
        number: As in :func:`sample`.
        within: The references that were followed on the way to the part.
    """
    schema, within = _resolved(schema, root, within)
    if choices := _choices(schema):
        return choices[number % len(choices)]
    match _type(schema):
        case "object":
            return _object(schema, root, number, within)
        case "array":
            items = list(schema.get("prefixItems", ()))
            fewest = min(schema.get("minItems", 0), _LARGEST)
            items += [schema.get("items")] * (fewest - len(items))
            step = 1 if schema.get("uniqueItems") else 0
            return [_value(item, root, number + step * i, within) for i, item in enumerate(items)]
        case "integer" | "number":
            return _number(schema, number)
        case "string":
            return _string(schema, number)
        case "boolean":
            return number % 2 == 1
    return None


def _choices(schema: Schema) -> list[Any]:
    """Return the values that a schema names; a default of ``null`` or ``[]`` is none."""
    for key in ("const", "examples", "example", "default", "enum"):
        if key in schema and (key == "const" or schema[key] not in (None, [])):
            return schema[key] if key in {"examples", "enum"} else [schema[key]]
    return []


def _object(schema: Schema, root: Schema, number: int, within: tuple[str, ...]) -> dict[str, Any]:
    """Return an object with what is required, and what the schema names a value for."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    made = {}
    for name in {**properties, **dict.fromkeys(required)}:
        part = properties.get(name, {})
        if name in required or _choices(_resolved(part, root, within)[0]):
            made[name] = _value(part, root, number, within)
    for i in range(min(schema.get("minProperties", 0), _LARGEST) - len(made)):
        key = _value(schema.get("propertyNames"), root, i, within)
        made[key] = _value(schema.get("additionalProperties"), root, number, within)
    return made


def _resolved(schema: Any, root: Schema, within: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
    """Follow references, take one of alternatives, and merge what holds together."""
    schema = dict(schema) if isinstance(schema, dict) else {}
    while True:
        if "$ref" in schema:
            reference = schema.pop("$ref")
            if within.count(reference) == _DEPTH:
                return {"type": "null"}, within
            target: Any = root
            for step in reference.removeprefix("#").strip("/").split("/"):
                target = target.get(step, {}) if step else target
            schema, within = {**target, **schema}, (*within, reference)
        elif options := schema.pop("anyOf", None) or schema.pop("oneOf", None):
            schema |= _chosen(options, within)
        elif "allOf" in schema:
            for part in [_resolved(part, root, within)[0] for part in schema.pop("allOf")]:
                properties = schema.get("properties", {}) | part.get("properties", {})
                required = [*schema.get("required", []), *part.get("required", [])]
                schema |= part | {"properties": properties, "required": required}
        else:
            limits = {k: float(v) for k, v in _LIMIT.findall(str(schema.get("description")))}
            whole = {k: int(v) if v.is_integer() else v for k, v in limits.items()}
            return whole | schema, within


def _chosen(options: list[Any], within: tuple[str, ...]) -> Schema:
    """Return the first alternative that is not ``null`` and does not lead back into itself."""
    known = [option for option in options if isinstance(option, dict)] or [{}]
    ends = [option for option in known if option.get("$ref") not in within]
    return next((option for option in ends if option.get("type") != "null"), (ends or known)[0])


def _type(schema: Schema) -> str:
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kinds, str):
        return kinds
    return next((kind for kind in kinds if kind != "null"), "null")


def _number(schema: Schema, number: int) -> float:
    """Return the number nearest to a limit, or to 0 where there is none; then those behind it."""
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    up = low > -math.inf or high == math.inf
    first = low if low > -math.inf else high if high < math.inf else 0
    grid = schema.get("multipleOf") or int(_type(schema) == "integer")
    if grid:
        first = (math.ceil(first / grid) if up else math.floor(first / grid)) * grid
    step = (grid or min(1, (high - low) / 4)) * (1 if up else -1)
    excluded = (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum"))
    tries = [first + step * i for i in range(number + 2)]
    fitting = [n for n in tries if low <= n <= high and n not in excluded] or [first]
    return fitting[min(number, len(fitting) - 1)]


def _string(schema: Schema, number: int) -> str:
    text = f"example {number + 1}" if number else "example"
    least = min(schema.get("minLength", 0), _LARGEST)
    text = FORMATS.get(schema.get("format", ""), text).ljust(least, ".")
    return text[: schema.get("maxLength", len(text))]
