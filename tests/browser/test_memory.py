"""A notebook that is opened again tomorrow: what was said comes back from its file."""

from __future__ import annotations

from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import SET_UP
from tests.played import said


def sent(simulator):
    """The user's words in the newest request."""
    messages = simulator.requests[-1].body["messages"]
    return [message["content"] for message in messages if message["role"] == "user"]


def test_a_saved_notebook_goes_on_after_its_kernel_is_gone(open_notebook, simulator):
    """``restore`` lists what it found; the next cell is sent with it, and an old one forks."""
    cells = [SET_UP, "%%claude\nFirst", "%%claude\nSecond", "%claude_nb restore", "%%claude\nThird"]
    notebook = open_notebook(cells)
    simulator.enqueue(*(Stream(said(words)) for words in ("One.", "Two.", "Three.", "Again.")))
    for cell in (0, 1, 2):
        notebook.run(cell)
    notebook.wait_idle()
    expect(notebook.output(2)).to_contain_text("turn 2 · sent with the 1 before it")
    notebook.saved()

    notebook.restart_kernel()
    for cell in (0, 3, 4):
        notebook.run(cell)
    notebook.wait_idle()

    expect(notebook.output(3)).to_contain_text("First")
    expect(notebook.output(3)).to_contain_text("Second")
    expect(notebook.output(4)).to_contain_text("turn 3 · sent with the 2 before it")
    assert sent(simulator) == ["First", "Second", "Third"]

    notebook.run(2)
    notebook.wait_idle()
    assert sent(simulator) == ["First", "Second"]
    expect(notebook.output(2)).to_contain_text("no longer in this conversation: cell [3]")
