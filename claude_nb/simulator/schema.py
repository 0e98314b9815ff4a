"""A value that fits a JSON schema, for calls of tools that the simulator knows nothing about."""

from typing import Any

_DEPTH = 8
"""How far recursive schemas are followed."""

_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: dict[str, Any]) -> Any:
    """Return a value that fits a JSON schema.

    Constants, defaults, examples and choices of the schema are preferred. Patterns and the rarer
    conditions (``not``, ``if``, ``multipleOf``) are not looked at.

    Args:
        schema: Such as a tool's ``input_schema``. References must be local (``#/$defs/…``).
    """
    return _value(schema, schema, "value", _DEPTH)


def _value(schema: Any, root: dict[str, Any], name: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0:
        return None
    schema = _resolved(schema, root)
    given = [schema[key] for key in ("const", "default") if key in schema]
    given += [schema[key][0] for key in ("examples", "enum") if schema.get(key)]
    if given:
        return given[0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    match kind:
        case "object":
            return _object(schema, root, depth)
        case "array":
            count = schema.get("minItems", 1)
            return [_value(schema.get("items", {}), root, name, depth - 1)] * count
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema, name)


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow references and take the first of alternatives, until there is nothing to choose."""
    for _ in range(_DEPTH):
        if "$ref" in schema:
            target: Any = root
            for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
                target = target.get(step, {}) if step else target
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        elif options := schema.get("anyOf") or schema.get("oneOf"):
            schema = {k: v for k, v in schema.items() if k not in {"anyOf", "oneOf"}} | options[0]
        elif "allOf" in schema:
            parts = [_resolved(part, root) for part in schema["allOf"]]
            schema = {k: v for k, v in schema.items() if k != "allOf"}
            for part in parts:
                properties = schema.get("properties", {}) | part.get("properties", {})
                required = [*schema.get("required", []), *part.get("required", [])]
                schema = {**schema, **part, "properties": properties, "required": required}
        else:
            break
    return schema


def _object(schema: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    # What recursion cannot reach any more is left out, where it may be.
    names = [n for n in properties if n in required or depth > _DEPTH // 2]
    names += [n for n in required if n not in properties]
    return {n: _value(properties.get(n, {}), root, n, depth - 1) for n in names}


def _number(schema: dict[str, Any]) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - 1
    if low is not None and low > 1:
        return float(low) if schema.get("type") == "number" else int(low)
    return min(1, high) if high is not None else 1


def _string(schema: dict[str, Any], name: str) -> str:
    written: str = _FORMATS.get(schema.get("format", ""), f"example {name.replace('_', ' ')}")
    written = written.ljust(schema.get("minLength", 0), ".")
    return written[: schema.get("maxLength", len(written))]
