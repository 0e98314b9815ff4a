"""What can be a tool, what the model is told of it, and what is said of what cannot."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Literal

import anthropic
import pydantic
import pytest

from claude_nb import Tools
from claude_nb.errors import InputError


def look_up(city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
    """The weather in a city.

    Args:
        city: Its name.
        days: How many days ahead.
        unit: Celsius or Fahrenheit.
    """
    return f"{city} {days} {unit}"


async def wait(seconds: float) -> str:
    """Waits."""
    return f"{seconds}"


def test_the_model_is_told_name_description_and_schema():
    """From type hints and docstring, by the SDK's own helper: the same bytes each time."""
    (definition,) = Tools(look_up).definitions

    assert definition == anthropic.beta_tool(look_up).to_dict()
    assert definition["input_schema"]["properties"]["days"] == {
        "type": "integer",
        "default": 3,
        "title": "Days",
        "description": "How many days ahead.",
    }
    assert str(Tools(look_up).definitions) == str(Tools(look_up).definitions)


def test_what_the_sdk_made_a_tool_is_one():
    """With its own name and description."""
    made = anthropic.beta_tool(look_up, name="weather", description="Says it.")

    tools = Tools(made)

    assert tools.definitions == (made.to_dict(),)
    assert tools.get("weather").call({"city": "Lisbon"}) == "Lisbon 3 C"


def test_methods_and_asynchronous_functions_are_tools():
    """A method without its object."""

    class Table:
        def row(self, number: int) -> int:
            """A row."""
            return number

    tools = Tools(Table().row, wait)

    assert tools.names == ["row", "wait"]
    assert list(tools.definitions[0]["input_schema"]["properties"]) == ["number"]
    assert [tools.get(name).is_async for name in tools.names] == [False, True]


def test_a_cached_function_is_a_tool():
    """With what it is told by; an asynchronous one too."""
    tools = Tools(cached, functools.lru_cache(maxsize=1)(wait))

    assert tools.definitions == Tools(look_up, wait).definitions
    assert tools.get("look_up").call({"city": "Lisbon", "days": 1}) == "Lisbon 1 C"


def test_a_function_without_a_docstring_has_no_description():
    """Rather than an empty one."""

    def bare(x: int) -> int:
        return x

    assert "description" not in Tools(bare).definitions[0]


def test_server_tools_by_name_and_by_definition():
    """Among functions; a definition stays as it is."""
    search = {"type": "web_search_20260318", "name": "search", "max_uses": 2}

    tools = Tools("web_search", look_up, search)

    assert tools.definitions == (
        {"name": "web_search"},
        *Tools(look_up).definitions,
        search,
    )
    assert tools.names == ["look_up"]
    assert repr(tools) == "Tools(web_search, look_up, search)"


def test_eager_is_said_of_each_function():
    """The server's own tools have no such switch."""
    definitions = Tools("web_search", look_up, wait, eager=True).definitions

    assert [d.get("eager_input_streaming") for d in definitions] == [None, True, True]


def unhinted(city, days: int):
    """No hint."""


def places(city: str, /, days: int):
    """By place."""


def several(*cities: str):
    """Any number."""


def one_by_one(city: str):
    """In parts."""
    yield city


def table(frame: object.__class__, place: memoryview):
    """No JSON."""


def forward(x: Nowhere):  # noqa: F821 - that is the point
    """Unknown."""


def endless(limit: float = math.inf):
    """JSON has no such number."""


def nested_nan(limits: list[float] = [math.nan]):  # noqa: B006
    """Nor here."""


def sentinel(limit: int = object()):
    """No JSON at all."""


def half(mark: str = "\ud83d"):
    """Half a character."""


def half_told(mark: str):
    pass


half_told.__doc__ = "Half a character: \ud83d."  # Python 3.13 does not compile it as a docstring


def umlaut(größe: int):  # noqa: PLC2401
    """Python takes it."""


def größe(x: int):  # noqa: PLC2401
    """Python takes it."""


def aliased(x: Annotated[int, pydantic.Field(alias="a b")]):
    """By another name."""


def long_name(xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: int):
    """One character too many."""


def bounded(days: int, limit: int = pydantic.Field(gt="x")):
    """An argument that pydantic does not take."""


class Tool:
    """A callable object."""

    def call(self, x: int):
        """A method."""

    __call__ = call


cached = functools.cache(look_up)
SERVER_TOOL = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("tools", "what"),
    [
        ([3], "3 is not a function."),
        ([look_up, "web_serach"], "There is no tool 'web_serach'."),
        ([dict], "dict is not a function."),
        ([endless], "The default of limit in endless is inf, which JSON cannot express."),
        ([nested_nan], "The default of limits in nested_nan is [nan], which JSON cannot express."),
        ([sentinel], "The default of limit in sentinel is <object object at 0x"),
        ([half], "The default of mark in half is '\\ud83d', which JSON cannot express."),
        ([umlaut], "umlaut has a parameter größe, which the API does not accept as a name."),
        ([aliased], "aliased has a parameter a b, which the API does not accept as a name."),
        (
            [long_name],
            f"long_name has a parameter {'x' * 65}, which the API does not accept as a name.",
        ),
        ([größe], "größe has no valid tool name."),
        ([anthropic.beta_tool(look_up, name="größe")], "größe cannot be the name of a tool."),
        ([anthropic.beta_tool(endless)], "The default of limit in endless is inf"),
        ([half_told], "The definition of half_told cannot be written as JSON."),
        ([SERVER_TOOL | {"max_uses": math.inf}], "The definition of web_search_20250305 cannot"),
        ([Tool.call], "call is a method without its object."),
        ([Tool()], "<tests.tools.test_tools.Tool object at 0x"),
        ([look_up, cached], "There are two tools named look_up."),
        ([bounded], "bounded cannot be a tool: JSON cannot express the argument limit."),
        ([lambda: 1], "<lambda> has no valid tool name."),
        ([functools.partial(look_up, "x")], "functools.partial("),
        ([unhinted], "The argument city of unhinted has no type hint."),
        ([table], "table cannot be a tool: JSON cannot express the arguments frame, place."),
        ([forward], "forward cannot be a tool"),
        ([places], "places takes city by position only."),
        ([several], "several takes cities by position only."),
        ([print], "print takes args by position only."),
        ([one_by_one], "one_by_one yields its values one by one."),
        ([dict.fromkeys], "fromkeys takes iterable by position only."),
        ([look_up, look_up], "There are two tools named look_up."),
        ([{"name": "x", "input_schema": {}}], "The definition of x has no function to run."),
        (
            [{"type": "bash_20250124", "name": "bash"}],
            "The definition of bash has no function to run.",
        ),
    ],
)
def test_what_cannot_be_a_tool_is_said(tools, what):
    """Before anything is sent, with what to do."""
    with pytest.raises(InputError) as raised:
        Tools(*tools)

    assert raised.value.what.startswith(what)
    assert raised.value.advice


@pytest.mark.parametrize(
    "how",
    [
        *({"timeout": value} for value in (0, float("nan"), "3", True)),
        *({"max_turns": value} for value in (0, "3", None)),
    ],
)
def test_limits_are_above_zero(how):
    """Others mean nothing."""
    with pytest.raises(InputError):
        Tools(look_up, **how)


@pytest.mark.parametrize("tools", [look_up, "web_search", {"type": "web_search_20250305"}])
def test_one_tool_need_not_be_in_a_list(tools):
    """What is meant is plain."""
    assert Tools.of(tools).definitions == Tools(tools).definitions
