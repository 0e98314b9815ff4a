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
from claude_nb.simulator.values import Values

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
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"city_name": {"type": "string"}}}, "example city name"),
        ({"properties": {"city_name": {"examples": ["Rome"]}}}, "Rome"),
    ],
)
def test_samples_read_well(schema, expected):
    """Examples are taken as they are; other strings say what they stand for."""
    assert sample(schema) == {"city_name": expected}


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
PROMPTS = st.sampled_from(
    [
        "",
        'Use "two words", `x.csv` and 3, 4.5 or -7 of them in Rome on 2026-02-28, blue',
        "value=12, key: b, https://example.org/x a@example.org",
    ]
)


@settings(max_examples=150)
@given(HINTS, PROMPTS, st.integers(0, 3))
def test_a_sample_is_what_the_hint_says(hint, prompt, variant):
    """Schemas made from type hints get what Pydantic takes for these hints, whatever is asked."""
    adapter = TypeAdapter(hint)
    schema = adapter.json_schema()

    value = sample(schema, Values(prompt), variant)

    jsonschema.validate(value, schema)
    adapter.validate_python(value)


@settings(max_examples=60)
@given(st.sampled_from([Stay, Tree, list[Stay], dict[str, Stay]]), PROMPTS)
def test_limits_in_a_description_hold(hint, prompt):
    """The SDK moves limits that the API does not know into the description; they are read there."""
    adapter = TypeAdapter(hint)
    schema = adapter.json_schema()

    adapter.validate_python(sample(schema | transform_schema(schema), Values(prompt)))


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


@pytest.mark.parametrize(
    ("prompt", "booked"),
    [
        ("", "example town, 2, red, None, None"),
        ('Book 3 nights in "Bad Ischl"', "Bad Ischl, 3, red, None, None"),
        ("book something blue in Rome on 2026-03-04", "Rome, 2, blue, None, 2026-03-04"),
        ("book(town='Graz', nights=5, guest='Ana')", "Graz, 5, red, Ana, None"),
        ("town: New Delhi, nights: 4", "New Delhi, 4, red, None, None"),
        ("It's for 2,000 nights. Don't use 'my' word", "my, 2000, red, None, None"),
    ],
)
def test_a_function_gets_what_the_prompt_names(prompt, booked):
    """Values of the prompt go before defaults, and these before what is made up."""
    tool = beta_tool(book)

    assert tool.call(sample(tool.to_dict()["input_schema"], Values(prompt))) == booked


SEVERAL = {
    "properties": {
        "towns": {"type": "array", "items": {"type": "string"}},
        "unit": {"type": "string", "default": "km"},
        "limits": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    },
    "required": ["towns"],
}


def test_what_must_be_there_comes_first():
    """An optional text does not take what is meant for one that is required."""
    texts = {name: {"type": "string"} for name in ("note", "town")}
    schema = {"type": "object", "properties": texts, "required": ["town"]}

    assert sample(schema, Values("It is for Graz")) == {"note": "example note", "town": "Graz"}


def test_a_list_takes_all_that_is_named():
    """Texts of one kind, as many numbers as fit, and nothing that may be meant for others."""
    values = Values("Compare them for Graz, Linz and Wien: 3, 4 and 5")

    assert sample(SEVERAL, values) == {
        "towns": ["Graz", "Linz", "Wien"],
        "unit": "km",
        "limits": [3, 4],
    }
