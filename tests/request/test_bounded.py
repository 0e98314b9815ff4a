"""Python values as text that ends somewhere."""

from __future__ import annotations

import ast
import json
from collections import OrderedDict, deque, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.request.attachments.bounded import MAX_DEPTH, as_json, as_python

LEAVES = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
PYTHON = st.recursive(
    LEAVES | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.integers() | st.text(), inner)
        | st.sets(st.integers())
    ),
    max_leaves=20,
)


@given(JSON)
def test_json_says_the_same_as_the_value(value):
    """What there is of it can be read back."""
    text = as_json(value, 10_000)

    assert text is None or json.loads(text) == value


@pytest.mark.parametrize(
    "value", [{1: 2}, [(1,)], {1}, [object()], [float("inf")], list(range(100))]
)
def test_what_json_cannot_say_in_that_room_is_none(value):
    """Keys that are no texts, tuples, sets, other objects, infinity; and what is too long."""
    assert as_json(value, 100) is None


def test_json_of_a_circle_or_of_a_thousand_levels_is_none():
    """It ends, without a RecursionError."""
    circle, deep = [], []
    circle.append(circle)
    for _ in range(100_000):
        deep = [deep]

    assert (as_json(circle, 100), as_json(deep, 1_000_000)) == (None, None)


@given(PYTHON)
def test_python_writes_what_repr_does(value):
    """Where there is room for all of it."""
    assert as_python(value, 100_000) == (repr(value), True)


@pytest.mark.parametrize("value", [frozenset({1}), frozenset(), deque([1, 2]), deque(), set()])
def test_python_writes_the_other_collections_as_repr_does(value):
    """With their names where Python gives them."""
    assert as_python(value, 100) == (repr(value), True)


def test_a_kind_of_dict_is_written_as_a_dict():
    """So that it can end anywhere."""
    assert as_python(OrderedDict(a=1), 100) == ("{'a': 1}", True)


def test_a_named_tuple_is_written_with_its_names():
    """The names of its fields say what the values are."""
    assert as_python([namedtuple("P", "x")(1)], 100) == ("[P(x=1)]", True)  # noqa: PYI024


@given(PYTHON, st.integers(0, 60))
def test_what_is_cut_is_the_beginning_of_repr(value, limit):
    """At most as long as asked for."""
    text, whole = as_python(value, limit)

    assert len(text) <= limit
    assert whole == (text == repr(value))
    assert repr(value).startswith(text) or any(quote in text for quote in "'\"")


def test_a_number_is_never_cut_and_a_text_is():
    """Half a number is another number."""
    assert as_python([123456, 123456], 10) == ("[123456, ", False)
    assert as_python(["abcdef", 1], 5) == ("['abc", False)


def test_what_is_too_deep_is_an_ellipsis():
    """After ``MAX_DEPTH`` brackets."""
    deep = []
    for _ in range(1000):
        deep = [deep]

    assert as_python(deep, 1000) == ("[" * MAX_DEPTH + "..." + "]" * MAX_DEPTH, True)
    assert ast.literal_eval(as_python(deep, 1000)[0])


def test_what_stands_within_itself_is_an_ellipsis():
    """As ``repr`` writes it, but without its brackets."""
    circle = [1]
    circle.append({"a": circle})

    assert as_python(circle, 100) == ("[1, {'a': ...}]", True)


def test_the_same_value_twice_is_no_circle():
    """Only what stands within itself is."""
    part = [1]

    assert as_python([part, part], 100) == ("[[1], [1]]", True)
