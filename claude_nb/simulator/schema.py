"""A value that fits a JSON schema, for calls of tools that the simulator knows nothing about."""

import math
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from claude_nb.simulator.values import Values

_DEPTH = 4
"""How often a schema is followed into itself, where it leaves no other way."""

_MOST = 20
"""Items of a list that are taken from a prompt."""

_PROSE = ("text", "content", "body", "code", "message", "note", "script", "story")
"""What in a parameter's name says that it may be a long text."""

_LINES = 60
_FIRST_DAY = date(2026, 1, 1)
_FORMATS = {
    "date": "{day}",
    "date-time": "{day}T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT{number}H",
    "email": "someone{number}@example.org",
    "hostname": "example{number}.org",
    "ipv4": "192.0.2.{number}",
    "ipv6": "2001:db8::{number}",
    "uri": "https://example.org/{number}",
    "uuid": "00000000-0000-4000-8000-{number:012}",
    "path": "example{number}.txt",
    "file-path": "example{number}.txt",
    "json-string": "{number}",
}
_FREE = {None, "text", "password"}
"""Formats that any text has."""

_KINDS = {
    "date": ("date",),
    "date-time": ("date",),
    "uri": ("url",),
    "email": ("email",),
    "path": ("quoted", "file"),
    "file-path": ("quoted", "file"),
}
"""What of a prompt can have the other formats."""

_LIMITS = re.compile(
    r"\b(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|minLength|maxLength|minItems"
    r"|maxItems): (-?\d+(?:\.\d+)?)"
)
_NOTHING: Any = object()


def sample(schema: dict[str, Any], values: Values | None = None, variant: int = 0) -> Any:
    """Return a value that fits a JSON schema.

    What the prompt names is preferred, then constants, defaults and examples of the schema, and
    the rest is made up. A parameter that is ``null`` unless it is given is left out. Patterns and
    the rarer conditions (``not``, ``if``, ``contains``) are not looked at.

    Args:
        schema: Such as a tool's ``input_schema``. References must be local (``#/$defs/…``).
        values: What the prompt names.
        variant: For another value than the first, where the schema lets there be one.
    """
    return _Sampler(schema, values or Values(), variant).value(schema, "value", ())


class _Sampler:
    """One value being made.

    Args:
        root: The schema that references point into.
        values: What the prompt names.
        variant: Which of several possible values is made.
    """

    def __init__(self, root: dict[str, Any], values: Values, variant: int) -> None:
        self._root = root
        self._values = values
        self._variant = variant

    def value(self, schema: Any, name: str, within: tuple[str, ...]) -> Any:
        """Return a value for a schema.

        Args:
            schema: The schema.
            name: What the value is called.
            within: The references that were followed on the way to it.
        """
        if not isinstance(schema, dict):
            return None
        schema, within = self._resolved(schema, within)
        named = self._named(schema, name)
        if named is not _NOTHING:
            return named
        if _loops(within) >= _DEPTH:
            return None
        if "const" in schema:
            return schema["const"]
        given = [schema["default"]] if "default" in schema else []
        given += [schema[key][0] for key in ("examples", "enum") if schema.get(key)]
        if schema.get("enum"):
            return _after(given[0], schema["enum"], self._variant)
        if given and not (self._variant and _is_number(given[0])):
            return given[0]
        return self._made_up(schema, name, within)

    def _made_up(self, schema: dict[str, Any], name: str, within: tuple[str, ...]) -> Any:
        match _kind(schema):
            case "object":
                return self._object(schema, within)
            case "array":
                return self._array(schema, name, within)
            case "integer" | "number":
                return _number(schema, self._variant, schema.get("default", 1))
            case "boolean":
                return self._variant % 2 == 0
            case "null":
                return None
            case _:
                prose = self._values.are_long and any(part in name for part in _PROSE)
                return _string(schema, name, self._variant, lines=_LINES if prose else 0)

    def _named(self, schema: dict[str, Any], name: str, like: Any = None) -> Any:
        """Return what the prompt names for a schema, or ``_NOTHING``.

        Args:
            schema: The schema.
            name: What the value is called.
            like: The first item of the list that it goes into.
        """
        found = None
        kind = _kind(schema)
        if schema.get("enum"):
            found = self._values.member(name, schema["enum"])
        elif "const" in schema:
            return _NOTHING
        elif kind == "string":
            found = self._text(schema, name, like)
        elif kind in {"integer", "number"}:
            found = self._values.number(name, lambda number: _fits(number, schema))
        elif kind == "array" and "prefixItems" not in schema:
            return self._list(schema, name)
        return _NOTHING if found is None else found

    def _text(self, schema: dict[str, Any], name: str, like: Any) -> Any:
        def fits(text: str) -> bool:
            least, most = schema.get("minLength", 0), schema.get("maxLength", len(text))
            return least <= len(text) <= most and _matches(schema.get("pattern", ""), text)

        form = schema.get("format")
        if form in _FREE:
            # What can be left out is not given what may be meant for another parameter.
            kinds: tuple[str, ...] = ()
            if "default" in schema:
                kinds = ("said",) if schema["default"] is None else ("quoted",)
            return self._values.text(name, fits, kinds, like)
        if form not in _KINDS:
            return None
        found = self._values.text(name, _FITS.get(form, fits), _KINDS[form])
        return f"{found}T12:00:00Z" if found and form == "date-time" else found

    def _list(self, schema: dict[str, Any], name: str) -> Any:
        items, _ = self._resolved(schema.get("items") or {}, ())
        most = schema.get("maxItems", _MOST)
        found: list[Any] = []
        while len(found) < most and _kind(items) not in {"array", "object", "anything"}:
            item = self._named(items, name, like=found[0] if found else None)
            if item is _NOTHING or item in found:
                break
            found.append(item)
        enough = len(found) >= max(1, schema.get("minItems", 0))
        return found if enough else _NOTHING

    def _object(self, schema: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        # What must be there comes first, and may take what the prompt names.
        names = sorted({**properties, **dict.fromkeys(required)}, key=lambda n: n not in required)
        made = {}
        for name in names:
            inner = properties.get(name, {})
            if name in required or not (_loops(within) or self._is_null_unless_given(inner)):
                made[name] = self.value(inner, name, within)
            elif isinstance(inner, dict):
                made[name] = self._named(self._resolved(inner, within)[0], name)
        made = {n: made[n] for n in {**properties, **made} if made[n] is not _NOTHING}
        return made | self._entries(schema, within, made)

    def _entries(
        self, schema: dict[str, Any], within: tuple[str, ...], made: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what a dictionary holds: one entry, or as many as it must."""
        inner = schema.get("additionalProperties")
        dictionary = isinstance(inner, dict) and not schema.get("properties")
        usual = min(dictionary and not _loops(within), schema.get("maxProperties", 1))
        count = max(schema.get("minProperties", 0) - len(made), usual)
        if inner is False or count <= 0:
            return {}
        keys, _ = self._resolved(schema.get("propertyNames") or {"type": "string"}, ())
        named = self._named(keys, "key")
        names = keys.get("enum") or [_string(keys, "key", number) for number in range(count)]
        names = [*([] if named is _NOTHING else [named]), *names]
        value = inner if isinstance(inner, dict) else {}
        return {name: self.value(value, name, within) for name in dict.fromkeys(names[:count])}

    def _array(self, schema: dict[str, Any], name: str, within: tuple[str, ...]) -> list[Any]:
        first = [self.value(inner, name, within) for inner in schema.get("prefixItems") or []]
        items = schema.get("items", {})
        least = schema.get("minItems", 0)
        usual = 0 if first or items is False or _loops(within) else 1
        count = max(least - len(first), min(usual, schema.get("maxItems", 1)))
        if schema.get("uniqueItems"):
            made = [
                _Sampler(self._root, Values(), self._variant + number).value(items, name, within)
                for number in range(count)
            ]
            return [*first, *made]
        return [*first, *([self.value(items, name, within)] * count if count else [])]

    def _is_null_unless_given(self, schema: Any) -> bool:
        return isinstance(schema, dict) and schema.get("default", _NOTHING) is None

    def _resolved(
        self, schema: dict[str, Any], within: tuple[str, ...]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Follow references and take one of alternatives, until there is nothing to choose."""
        for _ in range(2 * _DEPTH):
            if "$ref" in schema:
                reference = schema["$ref"]
                target: Any = self._root
                for step in reference.removeprefix("#").strip("/").split("/"):
                    target = target.get(step, {}) if step else target
                within = (*within, reference)
                schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                rest = {k: v for k, v in schema.items() if k not in {"anyOf", "oneOf"}}
                schema = rest | _chosen(options, within)
            elif "allOf" in schema:
                schema = self._together(schema, within)
            else:
                break
        limits = {k: float(v) for k, v in _LIMITS.findall(str(schema.get("description", "")))}
        return {k: int(v) if v.is_integer() else v for k, v in limits.items()} | schema, within

    def _together(self, schema: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        parts = [self._resolved(part, within)[0] for part in schema["allOf"]]
        schema = {k: v for k, v in schema.items() if k != "allOf"}
        for part in parts:
            properties = schema.get("properties", {}) | part.get("properties", {})
            required = [*schema.get("required", []), *part.get("required", [])]
            schema = {**schema, **part, "properties": properties, "required": required}
        return schema


def _loops(within: tuple[str, ...]) -> int:
    """Return how often the last reference had been followed before."""
    return within.count(within[-1]) - 1 if within else 0


def _chosen(options: list[Any], within: tuple[str, ...]) -> dict[str, Any]:
    """Return the first alternative that is not null; in what holds itself, one that ends it."""
    known = [option for option in options if isinstance(option, dict)] or [{}]
    null = [option for option in known if option.get("type") == "null"]
    ends = [option for option in known if option.get("$ref") not in within]
    others = [option for option in known if option not in null]
    if _loops(within):
        others = [option for option in others if option in ends]
        return next(iter([*null, *others, *known]))
    return next(iter([*(o for o in others if o in ends), *null, *known]))


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "string" if schema else "anything"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _after(value: Any, members: list[Any], steps: int) -> Any:
    """Return the member of a list that comes so many steps after another one."""
    start = members.index(value) if value in members else 0
    return members[(start + steps) % len(members)]


def _fits(number: float, schema: dict[str, Any]) -> bool:
    """Say whether a schema takes a number."""
    step = schema.get("multipleOf")
    return (
        (isinstance(number, int) or schema.get("type") != "integer")
        and number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and number > schema.get("exclusiveMinimum", -math.inf)
        and number < schema.get("exclusiveMaximum", math.inf)
        and (step is None or (number / step).is_integer())
    )


def _number(schema: dict[str, Any], variant: int, preferred: float = 1) -> float:
    """Return a number: the preferred one if it fits, and later variants after it."""
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    step = schema.get("multipleOf") or 1
    if "multipleOf" not in schema and schema.get("type") != "integer" and high - low < 4:
        step = (high - low) / 4
    first = preferred if _fits(preferred, schema) else 0
    if not _fits(first, schema):
        near = math.ceil(low / step) if low > -math.inf else math.floor(high / step)
        first = near * step
    back = low == -math.inf and not _fits(first + step, schema)
    down = -step if back else step
    tries = [first + down * number for number in range(variant + 3)]
    fitting = [number for number in tries if _fits(number, schema)]
    if not fitting:
        return first
    return fitting[min(variant, len(fitting) - 1)]


def _string(schema: dict[str, Any], name: str, variant: int, lines: int = 0) -> str:
    number = variant + 1
    form = _FORMATS.get(schema.get("format", ""))
    if form:
        written = form.format(day=_FIRST_DAY + timedelta(days=variant), number=number)
    else:
        written = f"example {name.replace('_', ' ')}" + (f" {number}" if variant else "")
        written = "\n".join(f"Line {n} of an {written}." for n in range(1, lines + 1)) or written
    written = written.ljust(schema.get("minLength", 0), ".")
    return written[: schema.get("maxLength", len(written))]


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # a pattern that only JavaScript knows
        return False


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_FITS: dict[str, Callable[[str], bool]] = {"date": _is_date, "date-time": _is_date}
