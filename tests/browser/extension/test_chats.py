"""Chats with the extension: buttons on their code, and replies of cells that are continued."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.extension.test_buttons import ANSWER, sources
from tests.browser.lab import FRONT_ENDS, PANEL
from tests.played import said

CODE = "x = 1\ny = 2"
OPEN_CHAT = "Open a chat with Claude beside the notebook"


def ask(page, place, words="x?"):
    """Ask in the chat that is in a place of the page, by keyboard."""
    place.get_by_label("Message to Claude").focus()
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def press(place, name):
    """Press a button by keyboard: the last one of that name."""
    place.get_by_role("button", name=name, exact=True).last.press("Enter")


def activate(page, index):
    """Make a cell the active one."""
    notebook = "window.jupyterapp.shell.currentWidget.content"
    page.evaluate(f"i => {{ {notebook}.activeCellIndex = i; }}", index)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_code_in_a_chat_beside_the_notebook_acts_on_the_active_cell(
    open_notebook, simulator, front_end
):
    """Inserted below it, one block after another, or in its place; each is undone, nothing runs."""
    notebook = open_notebook(["a = 1", "x = 1\nz = 3", "b = 2"], front_end)
    page, panel = notebook.page, notebook.page.locator(".claude-nb-panel")
    simulator.enqueue(Stream(said(ANSWER)))
    page.get_by_role("button", name=OPEN_CHAT).click()
    expect(panel.get_by_role("textbox")).to_be_focused()
    ask(page, panel)
    bar = panel.get_by_role("toolbar", name="Code block")
    expect(bar).to_have_count(1)
    activate(page, 1)
    before = sources(notebook)

    press(bar, "Copy")
    expect(bar).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == CODE
    assert panel.get_by_role("button", name="Copy this code").count() == 1  # no language, no bar

    press(bar, "Insert below")
    press(bar, "Insert below")
    assert sources(notebook) == [*before[:2], CODE, CODE, *before[2:]]
    assert page.evaluate(f"{PANEL}.content.activeCellIndex") == 3
    press(bar, "Undo")
    assert sources(notebook) == [*before[:2], CODE, *before[2:]]

    activate(page, 1)
    press(bar, "Replace the active cell")
    shown = panel.get_by_role("group", name="Replace the cell: 1 added, 1 removed")
    assert shown.locator("pre > *").all_inner_texts() == ["  x = 1\n", "- z = 3\n", "+ y = 2\n"]
    page.keyboard.press("Enter")
    assert sources(notebook)[1] == CODE
    press(bar, "Undo")
    assert sources(notebook)[1] == "x = 1\nz = 3"

    activate(page, len(sources(notebook)) - 1)
    press(bar, "Replace the active cell")
    expect(bar).to_contain_text("That cell holds a chat.")
    assert not notebook.errors


def test_code_in_a_chat_s_cell_acts_on_the_cells_around_it(open_cells, simulator):
    """As on a reply; only once the answer is complete; after a reload, and in what is saved."""
    simulator.enqueue(Stream(said(ANSWER)[:-2], end="hang"), Stream(said(ANSWER)))
    notebook = open_cells("claude_nb.Chat()", "x = 1\nz = 3")
    notebook.run(1)
    notebook.wait_idle()
    output, page = notebook.output(1), notebook.page
    bar = output.get_by_role("toolbar", name="Code block")
    expect(output.locator(".claude-nb-covered")).to_have_count(1)  # no view is taken away any more
    ask(page, output)
    expect(output.locator("pre code.language-python")).to_contain_text("y = 2")
    expect(bar).to_have_count(0)
    press(output, "Stop the answer; the text so far is kept")
    expect(bar).to_have_count(1)
    expect(output.get_by_role("button", name="Copy this code")).to_have_count(1)

    press(bar, "Insert below")
    assert sources(notebook)[1:] == ["claude_nb.Chat()", CODE, "x = 1\nz = 3"]
    press(bar, "Undo")
    press(bar, "Replace the next cell")
    page.keyboard.press("Enter")
    assert sources(notebook)[1:] == ["claude_nb.Chat()", CODE]

    notebook.saved()
    notebook.reload()
    expect(bar).to_have_count(1)
    notebook.reopen_without_kernel(trusted=True)
    expect(output.get_by_role("toolbar", name="Code block")).to_have_count(1)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_reply_is_continued_in_the_chat_beside_the_notebook(open_cells, simulator, front_end):
    """From that turn, also of a cell with --once and after a restart; nothing is sent by itself."""
    notebook = open_cells(
        "%%claude\nFirst", "%%claude\nSecond", "%%claude --once\nAlone", front_end=front_end
    )
    simulator.enqueue(*(Stream(said(f"{word}.")) for word in ("One", "Two", "Three", "Four")))
    notebook.run_all()
    notebook.wait_idle()
    page, panel = notebook.page, notebook.page.locator(".claude-nb-panel")
    turns, count = panel.locator(".claude-nb-turn"), len(simulator.requests)

    press(notebook.output(1), "Continue in a chat")
    expect(turns).to_have_count(1)
    expect(turns.last).to_contain_text("One.")
    expect(panel.get_by_role("textbox")).to_be_focused()
    ask(page, panel, "Third")
    expect(turns.last).to_contain_text("Four.")
    expect(panel.get_by_role("button", name="Send (Enter)")).to_be_visible()  # it is complete
    sent = simulator.requests[-1].body["messages"]
    assert [m["content"] for m in sent if m["role"] == "user"] == ["First", "Third"]

    if front_end == "lab":
        notebook.restart_kernel()
    press(notebook.output(3), "Continue in a chat")
    expect(turns).to_have_count(1)
    expect(turns.last).to_contain_text("Alone")
    expect(turns.last).to_contain_text("Three.")
    assert len(simulator.requests) == count + 1
    assert not notebook.errors
