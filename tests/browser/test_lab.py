"""The harness itself: what all other browser tests take for granted about the front ends."""

import os

import pytest
from nbformat.v4 import new_code_cell, new_output
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS

STREAMING_CELL = """\
handle = display("first", display_id=True)
for word in ("second", "third"):
    with open("go") as fifo:  # opens when the test opens it too
        fifo.read()
    handle.update(word)
"""


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_updates_are_on_the_page_while_the_cell_still_runs(open_notebook, server, front_end):
    """Text that a cell shows reaches the reader before the cell ends, update by update."""
    os.mkfifo(server.root / "go")
    notebook = open_notebook([STREAMING_CELL], front_end)
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("first")
    (server.root / "go").write_text("")
    expect(notebook.output(0)).to_have_text("'second'")
    (server.root / "go").write_text("")
    notebook.wait_idle()
    expect(notebook.output(0)).to_have_text("'third'")
    assert notebook.errors == []
    (server.root / "go").unlink()


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_what_was_shown_is_saved_and_there_after_a_reload(open_notebook, front_end):
    """Run all, save and load anew: the file and the page still say the same."""
    notebook = open_notebook(["a = 6 * 7", "a"], front_end)
    notebook.run_all()
    notebook.wait_idle()
    saved = notebook.saved()
    assert saved.cells[1].outputs[0]["data"]["text/plain"] == "42"
    notebook.reload()
    expect(notebook.output(1)).to_contain_text("42")


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_themes_switch(open_notebook, front_end):
    """Dark is dark and light is light again."""
    notebook = open_notebook(["1"], front_end)
    background = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
    notebook.theme("dark")
    dark = notebook.page.evaluate(background)
    notebook.theme("light")
    assert (dark, notebook.page.evaluate(background)) == ("#111", "white")


def test_an_unsigned_notebook_is_not_trusted_until_it_is_signed(open_notebook):
    """Outputs that came from elsewhere are opened untrusted, as a stranger's notebook is."""
    html = new_output("display_data", {"text/html": "<b onclick='x()'>hi</b>"})
    cells = [new_code_cell("1", outputs=[html], execution_count=1)]
    for trusted in (False, True):
        notebook = open_notebook(cells, trusted=trusted)
        assert notebook.is_trusted() == trusted
        expect(notebook.output(0)).to_have_text("hi")
        for opened_trusted in (False, True):
            notebook.reopen_without_kernel(trusted=opened_trusted)
            assert notebook.is_trusted() == opened_trusted
            expect(notebook.output(0)).to_have_text("hi")
        notebook.reset()


LEFT_BEHIND = """\
left = 1
%load_ext claude_nb
import claude_nb, ipywidgets
from claude_nb.session.session import session
display(ipywidgets.Label("a widget"))
reply = %claude --background hello
"""
THERE = """\
from ipywidgets.widgets import widget
from claude_nb.session.session import session
magic = get_ipython().find_line_magic("claude")
print("left" in globals(), len(In), magic, widget._instances, session.last)"""


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_what_a_test_leaves_behind_is_reset(open_notebook, simulator, front_end):
    """Variables, widgets, a reply that goes on, a cell that runs, tabs, theme: as in a new page."""
    simulator.enqueue(Stream([], end="hang"))
    notebook = open_notebook([LEFT_BEHIND, "import threading\nthreading.Event().wait()"], front_end)
    notebook.run_all()
    expect(notebook.cell(1)).to_contain_text("[*]")
    simulator.wait_for(lambda requests: requests)
    notebook.theme("dark")
    notebook.subshells(on=False)
    notebook.reset()
    simulator.wait_for(lambda requests: requests[-1].client_left)

    notebook = open_notebook([THERE], front_end)
    notebook.run(0)
    notebook.wait_idle()
    expect(notebook.output(0)).to_have_text("False 2 None {} None")
    expect(notebook.cell(0).locator(".jp-InputPrompt").first).to_have_text("[1]:")
    assert notebook.page.evaluate("document.body.dataset.jpThemeLight") == "true"


def test_interrupt_ends_a_cell_that_waits(open_notebook):
    """A cell that would block for ever is ended by Interrupt Kernel."""
    notebook = open_notebook(["import threading\nprint('waiting')\nthreading.Event().wait()"])
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("waiting")
    notebook.interrupt()
    notebook.wait_idle()
    expect(notebook.output(0)).to_contain_text("KeyboardInterrupt")
