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
    panel.get_by_role("button", name="Go on from what is saved").click()
    expect(log.get_by_text("Six.")).to_be_visible()
    assert len(simulator.requests) == sent
    panel.get_by_role("textbox").fill("And then?")
    page.keyboard.press("Enter")
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
