"""A chat beside the notebook: the folded chat of one of its cells, in the side panel."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.extension.test_buttons import sources
from tests.browser.lab import FRONT_ENDS, PANEL
from tests.played import said

OUTPUTS = f"{PANEL}.content.widgets[1].model.outputs.toJSON()"

CHAT = 'import claude_nb\nclaude_nb.Chat("panel")'


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_chat_beside_the_notebook_goes_on_after_a_restart(open_notebook, simulator, front_end):
    """It is saved in a folded cell at the end, and what goes on from it sends nothing by itself."""
    notebook = open_notebook(["x = 1"], front_end)
    page, panel = notebook.page, notebook.page.locator(".claude-nb-panel")
    log = panel.get_by_role("log")
    simulator.enqueue(Stream(said("Six.")), Stream(said("Seven.")))
    notebook.run(0)
    notebook.wait_idle()

    page.get_by_role("button", name="Open a chat with Claude beside the notebook").click()
    box = panel.get_by_role("textbox")
    expect(box).to_be_focused()
    page.keyboard.type("When?")
    page.keyboard.press("Enter")
    expect(log.get_by_text("Six.")).to_be_visible()
    assert sources(notebook) == ["x = 1", CHAT]
    page.wait_for_function(f"JSON.stringify({OUTPUTS}).includes('Six.')")
    cell = notebook.saved().cells[1]
    assert cell.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    assert "Six." in json.dumps(cell.outputs)

    sent = len(simulator.requests)
    notebook.restart_kernel()
    panel.get_by_role("button", name="Continue from the saved chat").click()
    expect(log.get_by_text("Six.")).to_be_visible()
    assert len(simulator.requests) == sent
    box.fill("And then?")
    box.press("Enter")
    expect(log.get_by_text("Seven.")).to_be_visible()
    assert len(simulator.requests[-1].body["messages"]) == 3
    assert sources(notebook) == ["x = 1", CHAT]

    height, width = page.viewport_size["height"], panel.bounding_box()["width"]
    assert panel.locator(".claude-nb-chat").bounding_box()["height"] > 0.75 * height
    assert width >= 250
    if front_end == "lab":
        notebook.command("claude-nb:move-chat")
        page.wait_for_function("document.querySelector('.claude-nb-panel').clientWidth > 300")
        expect(log.get_by_text("Seven.")).to_be_visible()
        notebook.command("claude-nb:move-chat")
        page.wait_for_function("document.querySelector('.claude-nb-panel').clientWidth <= 300")
    assert not notebook.errors


def test_the_panel_shows_the_chat_only_while_the_notebook_saves_it(open_notebook, simulator):
    """A moved or reverted cell is followed; without it or its output, a button brings it."""
    notebook = open_notebook(["x = 1"])
    page, panel = notebook.page, notebook.page.locator(".claude-nb-panel")
    box, log = panel.get_by_role("textbox"), panel.get_by_role("log")
    simulator.enqueue(*(Stream(said(word)) for word in ("One.", "Two.", "Three.")))

    def ask(answer):
        box.fill("And?")
        box.press("Enter")
        expect(log.get_by_text(answer)).to_be_visible()
        page.wait_for_function(f"JSON.stringify({OUTPUTS}).includes('{answer}')")

    notebook.command("claude-nb:chat")
    ask("One.")
    notebook.saved()
    page.evaluate(f"{PANEL}.content.moveCell(1, 0)")
    page.evaluate(f"{PANEL}.content.moveCell(0, 1)")
    ask("Two.")
    notebook.revert()
    page.wait_for_function(f"JSON.stringify({OUTPUTS}).includes('Two.')")
    ask("Three.")

    box.focus()
    page.evaluate(f"{PANEL}.content.model.sharedModel.deleteCell(1)")
    again = panel.get_by_role("button", name="Open it again")
    expect(again).to_be_focused()
    expect(log).to_have_count(0)
    page.keyboard.press("Enter")
    expect(log.get_by_text("Three.")).to_be_visible()
    assert sources(notebook) == ["x = 1", CHAT]

    notebook.command("notebook:clear-all-cell-outputs")
    go_on = panel.get_by_role("button", name="Continue from the saved chat")
    go_on.press("Enter")
    expect(log.get_by_text("Three.")).to_be_visible()
    page.evaluate(f"{PANEL}.content.widgets[0].model.sharedModel.setSource('1 / 0')")
    notebook.run_all()  # it ends before the chat
    go_on.press("Enter")
    expect(log.get_by_text("Three.")).to_be_visible()

    notebook.open_beside(["y = 2"])
    expect(log).to_have_count(0)
    panel.get_by_role("button", name="Open the chat of this notebook").press("Enter")
    expect(log.get_by_text("Three.")).to_be_visible()
    assert not notebook.errors
