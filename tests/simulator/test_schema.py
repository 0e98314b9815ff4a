"""A sample fits its JSON schema, and the type hints that the schema was made from."""

import datetime as dt
import enum
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import jsonschema
import pytest
from anthropic import beta_tool
from anthropic.lib._parse._transform import transform_schema
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from claude_nb.simulator.schema import sample

SCALARS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 30},
        {"type": "string", "maxLength": 3},
        {"type": "string", "format": "date"},
        {"enum": ["a", "b"]},
        {"const": 5},
        {"type": "integer", "minimum": 7},
        {"type": "integer", "exclusiveMaximum": -3},
        {"type": "number", "exclusiveMinimum": 2.5},
        {"type": "number", "maximum": 0.5},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
        {"type": "integer", "minimum": 11, "multipleOf": 5},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["integer", "null"]},
        {"type": "string", "default": "d"},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"$ref": "#/$defs/named"},
        {"allOf": [{"$ref": "#/$defs/named"}, {"properties": {"b": {"type": "null"}}}]},
        {},
    ]
)


def _object(properties):
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: (
        st.dictionaries(st.text(max_size=5), inner, max_size=3).map(_object)
        | st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner, "minItems": st.integers(0, 3)}
        )
    ),
    max_leaves=5,
)
NAMED = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@settings(max_examples=60)
@given(SCHEMAS)
def test_a_sample_is_valid(schema):
    """The validator of the JSON schema project finds nothing to complain about."""
    rooted = {**schema, "$defs": {"named": NAMED}}

    jsonschema.validate(sample(rooted), rooted)


def test_a_recursive_schema_ends():
    """A tree of trees is followed only so far, and what may be left out is."""
    tree = {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "children": {"type": "array", "items": {"$ref": "#"}},
        },
        "required": ["value"],
    }

    jsonschema.validate(sample(tree), tree)


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"const": "a", "examples": ["b"], "default": "c", "enum": ["a", "b"]}, "aaa"),
        ({"examples": ["a", "b"], "default": "c", "enum": ["d"]}, "aba"),
        ({"example": "a", "default": "b"}, "aaa"),
        ({"default": "a", "enum": ["b", "a"]}, "aaa"),
        ({"enum": ["a", "b", "c"]}, "abc"),
        ({"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}]}, "aba"),
        ({"type": "integer"}, [0, 1, 2]),
        ({"type": "integer", "minimum": 2}, [2, 3, 4]),
        ({"type": "integer", "maximum": -2}, [-2, -3, -4]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [0.25, 0.5, 0.75]),
        ({"type": "string"}, ["example", "example 2", "example 3"]),
        ({"type": "array", "items": {"type": "string"}}, [[], [], []]),
        ({"const": None}, [None, None, None]),
    ],
)
def test_a_schemas_own_values_come_first(schema, values):
    """``const``, ``examples``, ``default``, ``enum``; else something small. They are counted."""
    assert [sample(schema, number) for number in range(3)] == list(values)


def test_an_object_has_what_is_required_and_what_has_a_value():
    """A property that is ``null`` unless it is given is left out."""
    schema = {
        "properties": {
            "must": {"type": "integer"},
            "may": {"type": "integer"},
            "never": {"type": "string", "default": None},
            "unit": {"$ref": "#/$defs/unit"},
        },
        "required": ["must", "unknown"],
        "$defs": {"unit": {"enum": ["km"]}},
    }

    assert sample(schema) == {"must": 0, "unit": "km", "unknown": "example"}


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Stay(BaseModel):
    """With bounds, and with a default that is no part of the schema's required fields."""

    town: str = Field(min_length=2, max_length=30)
    nights: int = Field(ge=1, le=14, multiple_of=2)
    rating: Annotated[float, Field(gt=0, lt=1)]
    colour: Colour = Colour.BLUE


class Tree(BaseModel):
    """Holds itself, with every way to end that Python has."""

    value: int
    left: "Tree | None" = None
    right: "Tree | None"
    children: list["Tree"]
    named: dict[str, "Tree"]


PLAIN = [
    str,
    int,
    float,
    bool,
    None,
    Any,
    Decimal,
    Path,
    bytes,
    uuid.UUID,
    dt.date,
    dt.datetime,
    dt.time,
    dt.timedelta,
    Colour,
    Stay,
    Tree,
    Literal["a", 2] | None,
    Annotated[int, Field(gt=-5, lt=0)],
    Annotated[str, Field(max_length=4)],
    Annotated[list[int], Field(min_length=2, max_length=3)],
    Annotated[dict[str, int], Field(min_length=2)],
    Annotated[set[int], Field(min_length=3)],
    Annotated[set[Colour], Field(min_length=2)],
]
HINTS = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: (
        inner.map(lambda hint: list[hint])
        | inner.map(lambda hint: dict[str, hint])
        | inner.map(lambda hint: dict[Colour, hint])
        | st.tuples(inner, inner).map(lambda hints: tuple[hints])
        | st.tuples(inner, inner | st.none()).map(lambda hints: Union[hints])  # noqa: UP007
        | st.sampled_from([int, str, Colour]).map(lambda hint: set[hint])
    ),
    max_leaves=4,
)


@settings(max_examples=150)
@given(HINTS, st.integers(0, 3))
def test_a_sample_is_what_the_hint_says(hint, number):
    """Schemas made from type hints get what Pydantic takes for these hints."""
    adapter = TypeAdapter(hint)
    schema = adapter.json_schema()

    value = sample(schema, number)

    jsonschema.validate(value, schema)
    adapter.validate_python(value)


@pytest.mark.parametrize(
    "hint", [Stay, Tree, list[Stay], Annotated[list[Stay], Field(min_length=2)], dict[str, Stay]]
)
def test_limits_in_a_description_hold(hint):
    """The SDK moves limits that the API does not know into the description; they are read there."""
    adapter = TypeAdapter(hint)
    schema = adapter.json_schema()

    adapter.validate_python(sample(schema | transform_schema(schema)))


def book(
    town: str,
    nights: int = 2,
    colour: Literal["red", "blue"] = "red",
    stays: list[Stay] = [],  # noqa: B006
    guest: str | None = None,
    when: dt.date | None = None,
    extras: dict[str, int] = {},  # noqa: B006
) -> str:
    """Book a stay."""
    return f"{town}, {nights}, {colour}, {guest}, {when}"


def test_a_function_gets_its_defaults():
    """What it does not require is given where it has a value."""
    tool = beta_tool(book)

    assert tool.call(sample(tool.to_dict()["input_schema"])) == "example, 2, red, None, None"
