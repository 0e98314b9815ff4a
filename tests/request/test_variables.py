"""Which variables are offered, and what is said of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from claude_nb.request.attachments.variables import MOST, about, variables


class Stranger:
    """An object whose own code fails."""

    def __len__(self) -> int:
        raise RuntimeError("not yours")

    @property
    def shape(self):
        raise RuntimeError("not yours")


NAMES = {"alpha": 1, "Alps": "x", "beta": None, "_private": 2, "math": math, "In": []}


@pytest.mark.parametrize(
    ("beginning", "names"),
    [
        ("", ["alpha", "Alps", "beta"]),
        ("al", ["alpha", "Alps"]),
        ("_", ["_private"]),
        ("x", []),
    ],
)
def test_names_that_begin_so(beginning, names):
    """Private ones where one was begun; no modules, and none of IPython's own."""
    assert [name for name, _ in variables(NAMES, beginning, {"In"})] == names


def test_there_is_an_end():
    """Of very many the first are offered."""
    assert len(variables({f"x{n}": n for n in range(1000)}, "x")) == MOST


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (pd.DataFrame({"a": range(1204), "b": 0}), "DataFrame 1,204 × 2"),
        (np.zeros((3, 4)), "ndarray 3 × 4"),
        ([1, 2], "list 2"),
        ("word", "str 4"),
        (3.5, "float"),
        (None, "NoneType"),
        (Stranger(), "Stranger"),
    ],
)
def test_what_a_value_is(value, said):
    """Its type, and its size where that can be known without running its code."""
    assert about(value) == said
