"""Cells as they are put together from what a page has told, without a kernel."""

from __future__ import annotations

from claude_nb.notebook.context import forget, of_cells
from claude_nb.redaction import remember
from claude_nb.render.displayed import WIDGET
from claude_nb.request.request import Request
from claude_nb.views.page_outputs import DisplayedCell, Output
from tests.benchmarks.context import notebook
from tests.work import calls


def sent(*found: DisplayedCell):
    """The texts of a request with these cells, and its note."""
    cells = of_cells("above", found, {}, is_page=True)
    request = Request("Why?", cells=cells).with_cells()
    return [block.get("text", "image") for block in request.content], request.notes[-1]


def test_of_many_cells_only_those_are_made_that_are_sent_and_once():
    """So a notebook of 300 cells takes little longer than a short one."""
    forget()
    cells = of_cells("above", notebook(300), {}, is_page=True)
    first = calls(lambda: Request("Why?", cells=cells).with_cells())

    assert calls(lambda: Request("Why?", cells=cells).with_cells()) < first / 5
    assert calls(lambda: of_cells("above", notebook(300), {}, is_page=True)) < first


def test_a_cell_is_made_anew_where_another_credential_is_known():
    """What was put together before is not sent with it."""
    cell = DisplayedCell(1, "x", (Output(("text/plain",), {"text/plain": "hunter2-hunter2"}),))
    assert "hunter2" in sent(cell)[0][1]

    remember("hunter2-hunter2")

    assert "hunter2" not in "".join(sent(cell)[0])


def test_an_output_that_was_cleared_is_not_sent():
    """A page shows what there is; widgets and what is too large are noted."""
    widget = Output((WIDGET, "text/plain"), {"text/plain": "IntSlider()"})
    large = Output(("image/png",), {}, large=True)

    texts, note = sent(DisplayedCell(1, "print(1)"), DisplayedCell(2, "w", (widget, large)))

    assert texts[1] == '<cell number="1">\n<input>\nprint(1)\n</input>\n</cell>\n'
    assert "IntSlider()" in texts[2]
    assert note == (
        "cells above: 2; not included: a widget in [2], an output of more than 2 MB in [2]"
    )


def test_two_cells_of_one_id_are_two_cells():
    """As a notebook has them that was edited by hand."""
    one, other = (DisplayedCell(number, f"x = {number}", id="a") for number in (1, 2))

    texts, _ = sent(one, other)

    assert texts[1].startswith('<cell id="')
    assert texts[2].startswith('<cell number="2">')


def test_raw_and_empty_cells_are_left_out():
    """They say nothing."""
    found = [DisplayedCell(0, "raw", kind="raw"), DisplayedCell(0, " \n"), DisplayedCell(0, "x")]

    assert len(sent(*found)[0]) == 4
