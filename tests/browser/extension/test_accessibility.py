"""What axe-core finds in what the extension puts on a page."""

from __future__ import annotations

from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.axe import check
from tests.browser.extension.test_buttons import ANSWER
from tests.played import said


def test_buttons_differences_and_errors(open_cells, simulator):
    """In JupyterLab's light and dark theme."""
    simulator.enqueue(Stream(said(ANSWER)))
    notebook = open_cells("%%claude --once\nx?", "print(price)")
    for index in (1, 2):
        notebook.run(index)
        notebook.wait_idle()
    expect(notebook.output(2).get_by_role("button", name="Ask Claude")).to_be_visible()
    bar = notebook.output(1).get_by_role("toolbar", name="Code block 1")
    bar.get_by_role("button", name="Insert below").press("Enter")
    bar.get_by_role("button", name="Undo").press("Enter")
    expect(bar).to_contain_text("Undone")
    bar.get_by_role("button", name="Replace the next cell").press("Enter")
    expect(notebook.output(1).get_by_role("group", name="Replace")).to_be_visible()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        check(notebook.page, theme, texts=10)
