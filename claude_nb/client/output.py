"""What an answer has to be: a JSON schema, and the object that is made of a text that fits it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import UnionType
from typing import Any

from claude_nb.characters import wellformed_escapes
from claude_nb.client.connection import output_schema
from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.request.attachments.attachment import describe_error

_HINT = "Pass a pydantic model, class Answer(BaseModel): …, or a JSON schema as a dict."
_MOST_OPTIONAL = 24
_MOST_UNIONS = 16
_SAYS_SOMETHING = frozenset({"type", "properties", "anyOf", "allOf", "$ref", "enum"})


@dataclass(frozen=True, slots=True)
class Output:
    """A form of answers.

    Attributes:
        name: What it is called.
        schema: The JSON schema, as the API takes it.
        decode: Makes the object of an answer's text; raises an error if it does not fit.
    """

    name: str
    schema: dict[str, Any]
    decode: Callable[[str], Any]

    @classmethod
    def of(cls, kind: Any) -> Output:
        """The form of a pydantic model, of another type, or of a JSON schema.

        Args:
            kind: A type that pydantic knows, such as a ``BaseModel``, a dataclass, ``list[int]``;
                or a JSON schema, as a dict.

        Raises:
            InputError: It is none of these.
        """
        name = str(getattr(kind, "__name__", None) or "the schema")
        is_type = isinstance(kind, (type, UnionType)) or hasattr(kind, "__origin__")
        if not is_type and not (isinstance(kind, dict) and kind.keys() & _SAYS_SOMETHING):
            raise InputError(f"{kind!r:.60} cannot be used for structured output.", _HINT)
        try:
            if is_type:
                from pydantic import TypeAdapter

                adapter: TypeAdapter[Any] = TypeAdapter(kind)
                schema, decode = adapter.json_schema(), adapter.validate_json
            else:
                schema, decode = kind, json.loads
            form = cls(name, output_schema(schema), decode)
        except Exception as error:  # pydantic and the SDK have many
            reason = str(error).split("\n", maxsplit=1)[0][:300]
            what = f"{name} cannot be used for structured output."
            raise InputError(what, _HINT, detail=reason) from error
        _check_limits(name, form.schema)
        if (place := _open_object(schema)) is not None:
            raise InputError(
                f"{name} cannot be used for structured output: {place or 'it'} is a dict without"
                " named keys, so it would always be empty.",
                "Use a list of models instead, each with a key and a value.",
            )
        return form

    def parse(self, text: str) -> Any:
        """Make the object of an answer's text.

        Raises:
            InputError: The text does not fit; the error says why.
        """
        try:
            return self.decode(wellformed_escapes(text))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a validator is the user's own code
            why = str(error) if isinstance(error, ValueError) else describe_error(error)
            raise InputError(f"There is no {self.name}: {redact(why)[:1000]}") from error


def _check_limits(name: str, schema: dict[str, Any]) -> None:
    """Refuse what the API is known to refuse (its documentation, "Structured outputs")."""
    what = f"{name} cannot be used for structured output:"
    try:
        json.dumps(schema, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise InputError(f"{what} it contains inf, nan or half a character.", _HINT) from None
    parts = [schema, *schema.get("$defs", {}).values()]
    names = ["#", *(f"#/$defs/{each}" for each in schema.get("$defs", {}))]
    uses = {name: set(_references(part)) for name, part in zip(names, parts, strict=True)}
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as circle:
        within = str(circle.args[1][0]).removeprefix("#/$defs/").replace("#", name)
        raise InputError(
            f"{what} {within} refers to itself, which the API does not accept.",
            "Use a flat list instead, in which each item names its parent.",
        ) from None
    fields = [field for part in parts for field in _fields(part)]
    optional = sum(not required for required, _ in fields)
    unions = sum("anyOf" in field or isinstance(field.get("type"), list) for _, field in fields)
    for count, most, kind in (
        (optional, _MOST_OPTIONAL, "fields that may be left out"),
        (unions, _MOST_UNIONS, "fields of several types, such as int | None"),
    ):
        if count > most:
            raise InputError(
                f"{what} it has {count} {kind}; the API accepts {most}.",
                "Use fewer of them, or ask for the answer in parts.",
            )


def _within(schema: Any) -> Iterator[dict[str, Any]]:
    """A part of a schema and all parts inside it, but for definitions."""
    if not isinstance(schema, dict):
        return
    yield schema
    inside = [*schema.get("properties", {}).values(), schema.get("items")]
    for part in (*inside, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _within(part)


def _references(schema: Any) -> Iterator[str]:
    return (str(part["$ref"]) for part in _within(schema) if "$ref" in part)


def _fields(schema: Any) -> Iterator[tuple[bool, dict[str, Any]]]:
    """The fields of the objects in a schema, each with whether it is required."""
    for part in _within(schema):
        for name, field in part.get("properties", {}).items():
            yield name in part.get("required", ()), field


def _open_object(schema: Any, place: str = "") -> str | None:
    """Where a schema has an object without named properties; None if nowhere.

    An answer holds only what its schema names: the SDK closes every object
    (``anthropic.transform_schema``, 2.14).
    """
    if isinstance(schema, list):
        found = (_open_object(part, place) for part in schema)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" not in schema:
            return place
        found = (
            _open_object(part, name if within == "properties" else place)
            for within, parts in schema.items()
            for name, part in (parts.items() if isinstance(parts, dict) else [("", parts)])
            if within not in ("default", "enum", "examples", "const")
        )
    else:
        return None
    return next((where for where in found if where is not None), None)
