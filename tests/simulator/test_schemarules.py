"""Schemas that constrain what is generated are refused where the API cannot compile them.

Where no other source is named, the rule is that of platform.claude.com/docs, "Structured outputs".
"""

from typing import Any

import pytest
from anthropic import transform_schema
from pydantic import BaseModel, Field

from claude_nb.simulator.validation import problem

AT = "output_config.format.schema: "
EMPTY = {"type": "object", "properties": {}, "additionalProperties": False}


def an_object(**properties: Any):
    """Return the schema of an object all of whose properties are required."""
    return {**EMPTY, "properties": properties, "required": list(properties)}


def refused(schema: Any = EMPTY, **changes: Any):
    """Return why a request for an answer of this form is refused, or nothing."""
    form = {"type": "json_schema", "schema": schema}
    error = problem(
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 99,
            "messages": [{"role": "user", "content": "Hello"}],
            "output_config": {"format": form},
            **changes,
        }
    )
    assert error is None or (error.status, error.type) == (400, "invalid_request_error")
    return error and error.message


class Person(BaseModel):
    """A model with all that the SDK has to fold into descriptions."""

    name: str = Field(min_length=3, pattern="^A")
    age: int = Field(ge=0, lt=150, multiple_of=1)
    tags: list[str] = Field(max_length=3)
    friend: "Friend | None" = None


class Friend(BaseModel):
    """Another one, which is referred to."""

    since: float = Field(gt=1900)


@pytest.mark.parametrize(
    "schema",
    [
        EMPTY,
        transform_schema(Person),
        an_object(
            a={"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1}
        ),
        an_object(a={"enum": ["x", 1, True, None]}, b={"const": 5}, c={"type": ["string", "null"]}),
        {**an_object(a={"$ref": "#/$defs/b"}, b={"$ref": "#/$defs/b"}), "$defs": {"b": EMPTY}},
        {"type": "string", "pattern": "^a+$", "default": "a", "examples": ["aa"]},
        {"type": "array", "items": EMPTY},
        an_object(**{f"p{n}": {"type": "string"} for n in range(99)}),
        {**EMPTY, "properties": {f"p{n}": {"type": "string"} for n in range(24)}},
        an_object(**{f"p{n}": {"type": ["string", "null"]} for n in range(16)}),
    ],
)
def test_what_can_be_compiled_passes(schema):
    """What the SDK makes of a pydantic model among it."""
    assert refused(schema) is None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "object"}, "For 'object' type, 'additionalProperties' must be explicitly set"),
        (an_object(a={**EMPTY, "additionalProperties": True}), "For 'object' type, 'additional"),
        (
            an_object(a={"type": "string", "minLength": 1}),
            "For 'string' type, property 'minLength'",
        ),
        (
            an_object(a={"type": "string", "maxLength": 1}),
            "For 'string' type, property 'maxLength'",
        ),
        (
            an_object(a={"type": "integer", "minimum": 1}),
            "For 'integer' type, property 'minimum' is",
        ),
        (
            an_object(a={"type": "number", "multipleOf": 1}),
            "For 'number' type, property 'multipleOf'",
        ),
        ({"type": "array", "items": {}, "minItems": 2}, "For 'array' type, property 'minItems'"),
        ({"type": "array", "items": {}, "maxItems": 2}, "For 'array' type, property 'maxItems'"),
        ({"type": "array", "items": {}, "uniqueItems": True}, "For 'array' type, property 'unique"),
        ({"oneOf": [{"type": "string"}]}, "For 'None' type, property 'oneOf' is not supported"),
        ({"type": "string", "format": "phone"}, "String format 'phone' is not supported"),
        ({"type": "text"}, "Schema type 'text' is not supported"),
        ({"type": []}, "Schema type [] is not supported"),
        ({"type": [["string"]]}, "Schema type [['string']] is not supported"),
        ({"anyOf": [{"type": "string"}, "x"]}, "Schema should be an object"),
        ({"$ref": "https://example.org/schema"}, "$ref should begin with '#'"),
        ({"$ref": "#/$defs/missing"}, "Schema should be an object"),
        ({"$ref": "#"}, "Recursive schemas are not supported: #"),
        (
            {
                "anyOf": [{"$ref": "#/$defs/a"}],
                "$defs": {"a": an_object(b={"$ref": "#/$defs/b"}), "b": {"$ref": "#/$defs/a"}},
            },
            "Recursive schemas are not supported: #/$defs/b",
        ),
    ],
)
def test_what_cannot_be_compiled_is_refused(schema, message):
    """Objects that are open, limits, formats, references to elsewhere and into themselves."""
    assert refused(schema)[: len(AT + message)] == AT + message


@pytest.mark.parametrize("name", ["properties", "$defs", "anyOf", "allOf", "enum", "required"])
@pytest.mark.parametrize("value", [5, "x", True])
def test_a_keyword_of_another_type_is_refused(name, value):
    """Not with a 500."""
    assert refused({"type": "string", name: value}).startswith(
        f"output_config.format.schema.{name}:"
    )


def test_an_enum_holds_no_objects():
    """Complex types within enums are not supported."""
    assert refused({"enum": [{}]}).startswith("output_config.format.schema.enum: ")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "output_config.format.type: Input should be 'json_schema'"),
        ({"type": "json"}, "output_config.format.type: Input should be 'json_schema'"),
        ({"type": "json_schema"}, "output_config.format.schema: Field required"),
        ({"type": "json_schema", "schema": "x"}, "output_config.format.schema: Input should be an"),
    ],
)
def test_a_form_has_a_type_and_a_schema(form, message):
    """The SDK's ``JSONOutputFormatParam`` requires both."""
    assert refused(output_config={"format": form})[: len(message)] == message


OPTIONAL = (
    "Schemas contains too many optional parameters (25), which would make grammar compilation"
)
UNIONS = "Schemas contains too many parameters with union types (17 parameters with type arrays or"


def strict(schema: Any, number: int = 1):
    """Return strict tools that take an input of this schema."""
    return [{"name": f"f{n}", "strict": True, "input_schema": schema} for n in range(number)]


def test_there_are_limits_to_what_is_compiled():
    """24 optional parameters and 16 unions in all schemas together, and 20 strict tools.

    The errors are quoted in many public repositories, such as TanStack/ai#682.
    """
    optional = {
        **EMPTY,
        "properties": {"a": {**EMPTY, "properties": {f"p{n}": {} for n in range(23)}}},
    }
    unions = an_object(
        **{f"p{n}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for n in range(16)}
    )
    one = {**EMPTY, "properties": {"a": {"type": ["string", "null"]}}}

    assert [refused(optional), refused(unions)] == [None, None]
    assert refused(optional, tools=strict(one)).startswith(OPTIONAL)
    assert refused(unions, tools=strict(one)).startswith(UNIONS)
    assert (
        refused(EMPTY, tools=strict(EMPTY, 21)) == "tools: 21 tools are strict; at most 20 may be"
    )


def test_the_rules_hold_for_strict_tools_alone():
    """``strict`` guarantees the schema of a tool, and only then is it compiled."""
    tools = strict({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}})
    message = (
        "tools.0.custom: For 'object' type, 'additionalProperties' must be explicitly set to false"
    )

    assert refused(tools=tools) == message
    assert refused(tools=[{**tools[0], "strict": False}]) is None


CITED = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
    "citations": {"enabled": True},
}


def test_a_form_goes_with_no_citations_and_no_prefill():
    """Both are named as incompatible."""
    cited = [{"role": "user", "content": [CITED]}]
    prefill = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "{"}]

    assert refused(messages=cited) == "output_config.format: cannot be combined with citations"
    assert refused(messages=cited, output_config={}) is None
    assert refused(messages=prefill) == (
        "output_config.format: cannot be combined with assistant message prefill"
    )
    assert refused(messages=prefill, output_config={}) is None
