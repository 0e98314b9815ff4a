"""Buttons on finished replies: copy, insert, replace, ask again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS, PANEL
from tests.played import said

ANSWER = "Here:\n\n```python\nx = 1\ny = 2\n```\n\nOutput:\n\n```\n1\n```\n"


@pytest.fixture
def answered(open_cells, simulator):
    """A cell with an answer that holds code, and a cell of Python below it."""

    def ask(front_end, options=""):
        simulator.enqueue(Stream(said(ANSWER)))
        notebook = open_cells(f"%%claude --once {options}\nx?", "x = 1\nz = 3", front_end=front_end)
        notebook.run(1)
        notebook.wait_idle()
        expect(notebook.output(1).get_by_role("toolbar", name="Code block 1")).to_be_attached()
        return notebook

    return ask


def sources(notebook):
    """The text of each cell."""
    return notebook.page.evaluate(
        f"[...{PANEL}.content.model.sharedModel.cells].map((cell) => cell.getSource())"
    )


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_code_is_copied_inserted_and_put_in_place_and_each_is_undone(answered, front_end):
    """By keyboard alone; only a block with a language has buttons, and nothing runs by itself."""
    notebook = answered(front_end)
    output, keys = notebook.output(1), notebook.page.keyboard
    expect(output.get_by_role("toolbar", name="Code block")).to_have_count(1)
    before = sources(notebook)

    def press(name):
        output.get_by_role("button", name=name, exact=True).last.focus()
        keys.press("Enter")

    press("Copy")
    expect(output.get_by_text("Copied")).to_be_visible()
    assert notebook.page.evaluate("navigator.clipboard.readText()") == "x = 1\ny = 2"

    press("Insert below")
    expect(output.get_by_role("button", name="Undo")).to_be_attached()
    assert sources(notebook) == [*before[:2], "x = 1\ny = 2", before[2]]
    for key in ("b", "a", "m", "d", "d"):  # keys of the notebook, where a cell is selected
        keys.press(key)
    press("Undo")
    assert sources(notebook) == before

    press("Replace the next cell")
    lines = output.get_by_role("group", name="Replace the cell: 1 added, 1 removed")
    expect(lines.locator("pre > *")).to_have_text(["  x = 1", "- z = 3", "+ y = 2"])
    keys.press("Escape")
    expect(lines).to_have_count(0)
    assert sources(notebook) == before
    press("Replace the next cell")
    expect(lines.locator(":focus")).to_have_count(1)
    keys.press("Enter")
    expect(output.get_by_role("button", name="Undo")).to_be_attached()
    assert sources(notebook) == [*before[:2], "x = 1\ny = 2"]
    press("Undo")
    assert sources(notebook) == before
    assert not notebook.errors


def test_an_undo_takes_nothing_away_that_was_written_since(answered):
    """The inserted cell stays if its text was changed."""
    notebook = answered("lab")
    output = notebook.output(1)
    output.get_by_role("button", name="Insert below").press("Enter")
    notebook.page.evaluate(f"{PANEL}.content.model.sharedModel.cells[2].setSource('mine')")
    output.get_by_role("button", name="Undo").press("Enter")
    expect(output.get_by_text("The cell has changed since")).to_be_visible()
    assert sources(notebook)[2] == "mine"


def test_a_read_only_cell_is_left_as_it_is(answered):
    """The button says why."""
    notebook = answered("lab")
    notebook.page.evaluate(f"{PANEL}.content.widgets[2].model.setMetadata('editable', false)")
    notebook.output(1).get_by_role("button", name="Replace the next cell").press("Enter")
    expect(notebook.output(1).get_by_text("That cell is read-only.")).to_be_visible()


def test_another_model_is_asked_in_a_cell_below(answered, simulator):
    """With the cell's other options; the models are those that the kernel knows."""
    notebook = answered("lab", "-m claude-opus-5 --effort low")
    simulator.enqueue(Stream(said("Another.")))
    notebook.output(1).get_by_role("button", name="Ask another model").press("Enter")
    notebook.page.get_by_role("menuitem", name="claude-sonnet-5-5").click()
    expect(notebook.output(2)).to_contain_text("Another.")
    assert sources(notebook)[2] == "%%claude --once --effort low -m claude-sonnet-5-5\nx?"
    assert simulator.requests[-1].body["model"] == "claude-sonnet-5-5"


def test_the_buttons_are_there_after_a_reload_and_not_in_the_file(answered):
    """They belong to the page."""
    notebook = answered("lab")
    assert "claude-nb-actions" not in str(notebook.saved())
    notebook.reload()
    expect(notebook.output(1).get_by_role("toolbar", name="Code block 1")).to_be_attached()
