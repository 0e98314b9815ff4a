"""Answers of a given form: what is asked for, what comes of it, and why there is none."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import Literal

import pytest
from pydantic import BaseModel, Field, create_model, field_validator

import claude_nb
from claude_nb.client.output import Output
from claude_nb.errors import DroppedError, InputError
from claude_nb.simulator import Stream
from claude_nb.simulator.schemarules import about_constraints
from tests.played import end, said, start, text, tool_use


class Train(BaseModel):
    """A connection."""

    to: str
    minutes: int = Field(gt=0)
    kind: Literal["day", "night"] = "day"


@dataclasses.dataclass
class Point:
    """A place."""

    x: int
    y: int


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def ask(api, *events: object, output=Train, **options: object):
    """Ask for an answer of a form, and let the server send these events."""
    api.enqueue(Stream(list(events)))
    return claude_nb.ask("Which train?", output=output, show=False, **options)


def test_the_answer_is_an_object(api):
    """Of the model's own class; the server is told its schema, in the API's form."""
    reply = ask(api, *said('{"to": "Wien", ', '"minutes": 90}'))

    assert reply.parsed == Train(to="Wien", minutes=90)
    asked = api.requests[-1].body["output_config"]["format"]
    assert asked["type"] == "json_schema"
    assert asked["schema"]["additionalProperties"] is False
    assert set(asked["schema"]["properties"]) == {"to", "minutes", "kind"}


@pytest.mark.parametrize(
    ("output", "came", "parsed"),
    [
        (Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (list[int], "[1, 2]", [1, 2]),
        (int | None, "3", 3),
        (SCHEMA, '{"n": 3}', {"n": 3}),
    ],
    ids=["dataclass", "list", "union", "schema"],
)
def test_other_types_and_schemas(api, output, came, parsed):
    """What pydantic knows, and JSON schemas as dicts."""
    assert ask(api, *said(came), output=output).parsed == parsed


def test_the_effort_is_asked_for_beside_the_form(api):
    """Both are parts of ``output_config``."""
    ask(api, *said('{"to": "Wien", "minutes": 9}'), effort="low")

    assert set(api.requests[-1].body["output_config"]) == {"effort", "format"}


@pytest.mark.parametrize(
    ("events", "outcome", "why"),
    [
        (
            [start(), *text('{"to": "Wi'), *end("max_tokens")],
            "truncated",
            "is incomplete",
        ),
        ([start(), *text("No."), *end("refusal")], "refused", "is incomplete"),
        (said('{"to": "Wien"}'), "complete", "minutes"),
        (said('{"to": "Wien", "minutes": -1}'), "complete", "greater than 0"),
        (said("It is late."), "complete", "Invalid JSON"),
    ],
)
def test_why_there_is_no_object(api, events, outcome, why):
    """The text is kept, and the card says why."""
    reply = ask(api, *events)

    assert (str(reply.outcome), reply.parsed) == (outcome, None)
    assert reply.text
    assert why in reply.parse_error
    assert why.split()[0] in reply._repr_mimebundle_()["text/plain"]


def test_a_reply_that_was_dropped_has_none(api):
    """Its text is in the error's reply."""
    api.enqueue(Stream([start(), *text('{"to"')[:-1]], end="drop"))

    with pytest.raises(DroppedError) as raised:
        claude_nb.ask("Which?", output=Train, show=False)

    assert raised.value.reply.parse_error == "There is no Train: the answer is incomplete."


def test_after_tools_the_last_text_is_the_answer(api):
    """What was said before the calls is none."""

    def now() -> str:
        return "12:00"

    calls = [start(), *text("Let me look."), *tool_use("{}", index=1, name="now")]
    api.enqueue(Stream([*calls, *end("tool_use")]))

    reply = ask(api, *said('{"to": "Wien", "minutes": 9}'), tools=[now])

    assert reply.parsed == Train(to="Wien", minutes=9)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("Wien"), "KeyError: 'Wien'"),
        (SystemExit(3), "SystemExit: 3"),
        (asyncio.CancelledError(), "asyncio.exceptions.CancelledError"),
    ],
)
def test_a_validator_that_fails_is_told(api, error, told):
    """It is the user's own code; what came stays, also in the background."""

    class Odd(BaseModel):
        to: str

        @field_validator("to")
        @classmethod
        def check(cls, to: str) -> str:
            raise error

    reply = ask(api, *said('{"to": "Wien"}'), output=Odd)
    assert (reply.parsed, reply.text) == (None, '{"to": "Wien"}')
    assert reply.parse_error == f"There is no Odd: {told}"


def test_an_answer_that_is_nested_too_deep_is_told(api):
    """Python's own parser gives up, as it has in each version."""
    deep = ask(api, *said("[" * 5_000), output={"type": "array", "items": {"type": "integer"}})
    assert deep.parsed is None
    assert re.search("RecursionError|Expecting value", deep.parse_error)


def fields(number, kind):
    """A model with so many fields of a kind."""
    return create_model("Wide", **{f"f{n}": kind for n in range(number)})


class Scores(BaseModel):
    """Keys of its own."""

    scores: dict[str, int]


@pytest.mark.parametrize(
    "kind",
    [Scores, list[Scores], dict[str, int], {"type": "object"}],
    ids=["in a model", "in a list", "dict", "schema"],
)
def test_what_could_only_be_empty_is_no_form(kind):
    """The API closes every object, so the model could not write a single key."""
    with pytest.raises(InputError) as raised:
        Output.of(kind)

    assert "would always be empty" in raised.value.what
    assert "a list of models" in raised.value.advice


class Folder(BaseModel):
    """A tree."""

    folders: list[Folder]


class Shelf(BaseModel):
    """Around a tree."""

    folder: Folder


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Folder, "Folder cannot be used for structured output: Folder refers to itself"),
        (Shelf, "Shelf cannot be used for structured output: Folder refers to itself"),
        (fields(25, (int, 0)), "Wide cannot be used for structured output: it has 25 fields that"),
        (
            fields(17, (int | None, ...)),
            "Wide cannot be used for structured output: it has 17 fields",
        ),
        (
            {"type": "object", "properties": {"x": {"type": "string", "enum": ["\ud83d"]}}},
            "the schema cannot be used for structured output: it contains inf, nan or half a",
        ),
    ],
    ids=["recursive", "around a recursive one", "optional", "unions", "half a character"],
)
def test_what_the_api_would_refuse_is_no_form(kind, what):
    """Its limits are known, and the error names the model."""
    with pytest.raises(InputError) as raised:
        Output.of(kind)

    assert raised.value.what.startswith(what)
    assert raised.value.advice


@pytest.mark.parametrize("kind", [fields(24, (int, 0)), fields(16, (int | None, ...))])
def test_what_is_just_within_the_limits_is_a_form(kind):
    """The simulator, which has the API's rules, takes it."""
    form = {"type": "json_schema", "schema": Output.of(kind).schema}
    request = {"model": "claude-opus-5-5", "output_config": {"format": form}}

    assert list(about_constraints(request)) == []


def test_limits_that_the_api_refuses_move_into_descriptions():
    """Lengths and ranges are 400s, as is an object that is open; of a dict as of a model."""
    limits = {"n": {"type": "integer", "minimum": 7}, "s": {"type": "string", "minLength": 5}}
    given = {"type": "object", "properties": limits, "required": ["n", "s"]}
    schema = Output.of(given).schema
    request = {"model": "claude-opus-5-5"}
    refused, taken = (
        [*about_constraints({**request, "output_config": {"format": {"schema": form}}})]
        for form in (given, schema)
    )

    assert (len(refused), taken) == (3, [])
    parts = schema["properties"]
    assert "minimum: 7" in parts["n"]["description"]
    assert "minLength: 5" in parts["s"]["description"]


@pytest.mark.parametrize("kind", ["Train", 3, {}, {"title": "x"}, object])
def test_what_is_no_form_is_said(kind):
    """With what to give instead."""
    with pytest.raises(InputError) as raised:
        Output.of(kind)

    assert "cannot be used for structured output" in raised.value.what
    assert "pydantic model" in raised.value.advice


def test_a_schema_may_list_types(api):
    """The API is told the same as ``anyOf``, as the SDK knows no such list."""
    note = {"type": ["string", "null"], "description": "If any."}
    rows = {"type": ["array", "null"], "items": {"type": ["integer", "string"]}}
    fields = {"note": note, "rows": rows, "kind": {"type": ["string", "null"], "enum": ["a", None]}}
    schema = {"type": "object", "properties": fields, "required": list(fields)}

    reply = ask(api, *said('{"note": null, "rows": [1], "kind": "a"}'), output=schema)

    assert reply.parsed == {"note": None, "rows": [1], "kind": "a"}
    sent = api.requests[-1].body["output_config"]["format"]["schema"]["properties"]
    text_or_null = [{"type": "string"}, {"type": "null"}]
    assert sent["note"] == {"anyOf": text_or_null, "description": "If any."}
    assert sent["kind"] == {"enum": ["a", None]}
    items = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert sent["rows"] == {"anyOf": [{"type": "array", "items": items}, {"type": "null"}]}


def test_half_a_character_is_no_obstacle(api):
    """It is U+FFFD in the object, and two halves are one character."""
    answer = r'{"to": "A\ud83d \\ud83d \ud83d\ude00", "minutes": 5}'

    reply = ask(api, *said(answer))

    assert reply.parsed.to == "A\ufffd \\ud83d 😀"
    assert ask(api, *said(r'{"n": 1, "a": "\ud83d"}'), output=SCHEMA).parsed["a"] == "\ufffd"
