"""Answers that are out of date: which ones, why, and of what nobody can tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from IPython.core.interactiveshell import InteractiveShell

from claude_nb.keeping.keeper import keeper
from claude_nb.keeping.stale import sample
from claude_nb.magics.magics import load
from claude_nb.simulator import Stream
from tests import work
from tests.played import said


@pytest.fixture
def cells(api, monkeypatch):
    """Runs cells in a shell of this test's own, each with its id."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    load(shell)
    ids = iter(())
    monkeypatch.setattr(
        "claude_nb.request.place.execution_metadata", lambda: {"cellId": shell.cell}
    )

    def run(source, cell=""):
        shell.cell = cell
        if "%claude " in source or source.startswith("%%claude"):
            api.enqueue(Stream(said(f"Reply {len(api.requests)}.")))
        shell.run_cell(source, store_history=True).raise_error()
        return shell

    yield run
    del ids
    InteractiveShell.clear_instance()


def why(run):
    """What %claude_nb stale says: of each cell, why."""
    return {row[1]: row[2] for row in run("%claude_nb stale").user_ns["_"].rows}


class Broken:
    """A value whose text fails once it is told to."""

    fails = False

    def __str__(self) -> str:
        if self.fails:
            raise ValueError("no text")
        return "whole"

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    __hash__ = None


def test_what_changed_is_named_and_nothing_else(cells):
    """A value that is another one, in place or not; one that is gone; one that cannot be put in."""
    run = cells
    run("a, b, c, d = [1], 'same', 3, 4")
    shell = run("import pandas as pd; df = pd.DataFrame({'x': [1]})")
    shell.user_ns["broken"] = broken = Broken()
    for number, names in enumerate(("a", "b", "c", "df", "broken", "d")):
        run(f"%%claude --once\nQ{number} {{{{{names}}}}}", f"cell{number}")
    assert why(run) == {}

    run("a.append(2); b = 'sa' + 'me'; del c; df.loc[0, 'x'] = 2")
    broken.fails = True

    found = why(run)
    assert found["Q0 {{a}}"] == "{{a}} changed"
    assert found["Q2 {{c}}"] == "{{c}} no longer exists"
    assert found["Q3 {{df}}"] == "{{df}} changed"
    assert "{{broken}} counts as changed: " in found["Q4 {{broken}}"]
    assert len(found) == 4


def test_a_cell_that_is_run_again_is_up_to_date(cells):
    """And its note said what had changed."""
    run = cells
    run("a = 1")
    run("%%claude --once -o first\nQ {{a}}", "cell")
    run("a = 2")
    shell = run("%%claude --once -o second\nQ {{a}}", "cell")

    assert shell.user_ns["second"].notes == ("asked again: {{a}} changed",)
    assert why(run) == {}


def test_an_earlier_turn_that_was_asked_again_makes_what_follows_out_of_date(cells, capsys):
    """Where its answer is another one now; the status names the cells."""
    run = cells
    run("%%claude\nFirst", "one")
    run("%%claude\nSecond", "two")
    run("%%claude\nFirst", "one")

    assert why(run) == {"Second": "cell [3] was asked again"}
    run("%claude_nb status")
    assert "out of date: [2] (%claude_nb stale says why)" in capsys.readouterr().out


def test_a_kept_answer_makes_nothing_out_of_date(cells):
    """It is the same."""
    run = cells
    run("%claude_nb keep on")
    for cell, prompt in (("one", "First"), ("two", "Second"), ("one", "First")):
        run(f"%%claude\n{prompt}", cell)

    assert why(run) == {}


def test_a_large_value_is_never_called_unchanged(cells):
    """Rows that were not sent may have changed: it is not checked, or a sample shows a change."""
    run = cells
    run("import pandas as pd; df = pd.DataFrame({'x': range(1000)})")
    run("%%claude --once\nQ {{df}}", "cell")
    assert why(run) == {"Q {{df}}": "{{df}} not checked: it was not sent in full"}

    run("df = df.copy(); df['x'] = df['x'].where(df['x'] < 500, 0)")
    assert why(run) == {"Q {{df}}": "{{df}} changed"}


def test_a_generator_is_not_consumed(cells):
    """It is not checked, as its values were not sent."""
    run = cells
    run("g = (n for n in range(3))")
    run("%%claude --once\nQ {{g}}", "cell")

    assert why(run) == {"Q {{g}}": "{{g}} not checked: it was not sent in full"}
    assert list(run("1").user_ns["g"]) == [0, 1, 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: pd.DataFrame({"a": np.arange(n), "b": np.arange(n)}),
        lambda n: pd.Series(np.arange(n)),
        lambda n: pl.DataFrame({"a": np.arange(n)}),
        lambda n: pl.Series(np.arange(n)),
        lambda n: np.arange(n).reshape(-1, 10),
    ],
)
def test_a_sample_of_ten_million_rows_takes_no_more_than_one_of_a_thousand(make):
    """In calls and in memory."""
    small, large = make(1_000), make(10_000_000)

    assert sample(large)
    assert work.calls(lambda: sample(large)) <= 1.1 * work.calls(lambda: sample(small))
    assert work.memory(lambda: sample(large)) < 1_000_000


def test_no_value_is_held(cells):
    """A table that nobody else holds any more is gone."""
    import gc
    import weakref

    run = cells
    shell = run("import pandas as pd; df = pd.DataFrame({'x': [1]})")
    run("%%claude --once\nQ {{df}}", "cell")
    held = weakref.ref(shell.user_ns["df"])
    run("del df")
    gc.collect()

    assert held() is None
    assert len(list(keeper.shown)) == 1
