"""A sample fits its JSON schema."""

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=60, deadline=None)
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
