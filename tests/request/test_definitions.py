"""The source of functions and classes, those that were written in a cell too."""

from __future__ import annotations

import linecache

import pytest

from claude_nb.request.attachments.definitions import source

CELL = """
import functools

def before():
    class Model:
        def other(self):
            pass
    return Model

def mark(kind):
    return kind

@mark
class Model:
    "A model."
    size = 1

    @staticmethod
    def fit(x):
        return 2 * x

class Bare:
    size = 1
"""


@pytest.fixture
def cell():
    """The names of a cell that was run, as in a notebook: its lines are known, and no file is."""
    name = "<cell 1>"
    linecache.cache[name] = (len(CELL), None, CELL.splitlines(keepends=True), name)
    names = {"__name__": "__main__"}
    exec(compile(CELL, name, "exec"), names)
    yield names
    del linecache.cache[name]


def test_a_function_of_a_cell(cell):
    """Its lines, as they were typed."""
    assert source(cell["mark"]) == "def mark(kind):\n    return kind"


def test_a_class_of_a_cell_is_found_by_its_methods(cell):
    """With its decorators, and not another class of that name."""
    expected = CELL[CELL.index("@mark") : CELL.index("\n\nclass Bare")]

    assert source(cell["Model"]) == expected


def test_a_class_in_a_function_of_a_cell(cell):
    """Dedented."""
    expected = "class Model:\n    def other(self):\n        pass"

    assert source(cell["before"]()) == expected


@pytest.mark.parametrize("get", [lambda cell: cell["Bare"], lambda _: len, lambda _: int])
def test_what_cannot_be_found_is_none(cell, get):
    """A class of a cell without methods, and what was written in C."""
    assert source(get(cell)) is None
