"""A reply takes its place in the notebook, though the page that asked is gone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from claude_nb.views.synced_output import MARK
from tests.browser.lab import FRONT_ENDS, PANEL
from tests.browser.test_comparison import CELL as COMPARISON
from tests.browser.test_live import LIVE, SETTLED, growing
from tests.browser.test_reload import reload
from tests.browser.test_tools import call
from tests.played import said

DIRTY = f"{PANEL}.context.model.dirty"
WAITING = """\
import os, time

def gate() -> str:
    '''Waits until it may go on.'''
    while not os.path.exists({path!r}):
        time.sleep(0.01)
    return "open"
"""
ASK = "%%claude --once --tools gate\nAfter the gate?"


def answered(count: int):
    """That so many replies were sent to their end."""
    return lambda requests: sum(request.ended is not None for request in requests) == count


def only(notebook, index: int):
    """The output of a cell in the file, which has no other and is no longer replaced."""
    (output,) = notebook.saved().cells[index].outputs
    assert MARK not in output.data
    return output


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_replies_are_in_the_notebook_though_its_page_was_gone(
    open_cells, simulator, tmp_path, front_end
):
    """Each once: one that ends later, one that has ended unsaved, and two side by side after it."""
    simulator.enqueue(
        *(Stream(growing("The first words"), end="hang"), call("gate", "{}")),
        *(Stream(said(words)) for words in ("Through the gate.", "A side.", "A side.")),
    )
    notebook = open_cells(
        *(WAITING.format(path=str(tmp_path / "go")), "%%claude --once --background\nhello"),
        *(ASK, COMPARISON),
        front_end=front_end,
    )
    notebook.run(1)
    notebook.run(2)
    live = notebook.output(2).locator(LIVE)
    expect(live).to_contain_text("The first words")
    notebook.wait_idle()
    notebook.saved()
    notebook.run(3)
    notebook.run(4)
    expect(notebook.output(3).locator(LIVE)).to_contain_text("gate()")
    expect(notebook.cell(4)).to_contain_text("[*]")
    # What is not saved is lost: the question is answered by yes.
    notebook.page.once("dialog", lambda dialog: dialog.accept())
    with notebook.closed():
        (tmp_path / "go").touch()
        simulator.wait_for(answered(4), 20)

    expect(notebook.output(3).locator(SETTLED)).to_contain_text("Through the gate.")
    expect(notebook.output(4).locator(SETTLED)).to_contain_text("A side.")
    notebook.page.wait_for_function(DIRTY)
    assert only(notebook, 3).data[MIME].outcome == "complete"
    assert len(only(notebook, 4).data[MIME].replies) == 2
    expect(live).to_contain_text("The first words")
    live.get_by_role("button", name="Stop").click()
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("stopped")
    notebook.page.wait_for_function(DIRTY)
    assert "The first words" in only(notebook, 2).data["text/markdown"]
    assert [notebook.saved().cells[n].execution_count for n in (2, 3, 4)] == [3, 4, 5]
    assert notebook.errors == []


def test_a_cell_that_is_run_again_keeps_its_new_output(open_cells, simulator, tmp_path):
    """After a reload, while the one before still comes; a cell that waited is shown as well."""
    simulator.enqueue(
        call("gate", "{}"), *(Stream(said(words)) for words in ("Old.", "Beside it.", "New."))
    )
    waiting = WAITING.format(path=str(tmp_path / "go"))
    notebook = open_cells(waiting, ASK, "%%claude --once\nhello")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    notebook.run(3)
    expect(notebook.output(2).locator(LIVE)).to_contain_text("gate()")
    expect(notebook.cell(3)).to_contain_text("[*]")
    reload(notebook)
    expect(notebook.output(2).locator(LIVE)).to_contain_text("gate()")
    notebook.run(2)
    expect(notebook.output(2).locator(LIVE)).to_have_count(0)
    (tmp_path / "go").touch()
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("New.")
    expect(notebook.output(3).locator(SETTLED)).to_contain_text("Beside it.")
    notebook.wait_idle()
    assert "New." in only(notebook, 2).data["text/markdown"]
    assert "Beside it." in only(notebook, 3).data["text/markdown"]
