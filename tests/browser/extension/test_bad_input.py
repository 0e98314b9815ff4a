"""What may go wrong between a click and its answer, and the kernels that cannot answer at all."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_output
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.browser.extension.test_buttons import sources
from tests.browser.extension.test_errors import ASK
from tests.browser.lab import PANEL
from tests.played import said

CODE = "Here:\n\n```python\nx = 1\n```\n"

FORGET = """\
import sys
class Absent:
    def find_spec(self, name, *_):
        if name == "claude_nb":
            raise ModuleNotFoundError("No module named 'claude_nb'", name=name)
sys.meta_path.insert(0, Absent())
"""
RESTORE = "import sys\nsys.meta_path.pop(0)"


@pytest.fixture
def replied(open_cells, simulator):
    """A cell with a reply, and one with an error below it."""

    def run(text, cell=""):
        simulator.enqueue(Stream(said(text)))
        notebook = open_cells("%%claude --once\nx?", "1 / 0", cell)
        for index in (1, 2):
            notebook.run(index)
            notebook.wait_idle()
        expect(notebook.output(1).get_by_role("toolbar", name="Reply")).to_be_attached()
        expect(notebook.output(2).get_by_role("button", name=ASK)).to_be_attached()
        return notebook

    return run


def test_a_reply_with_hundreds_of_blocks_has_one_tab_stop_for_each(open_notebook):
    """The arrow keys go from button to button; replies of earlier versions have them, too."""
    code = '<pre><code class="language-python">x = 1\n</code></pre>'
    data = {"text/html": f'<div class="claude-nb">{code * 200}</div>', MIME: {}}
    reply = new_output("display_data", data)
    older = {"text/html": f'<div class="claude-nb">{code}</div>'}
    outputs = [reply, new_output("display_data", older, metadata={"claude_nb": {}})]
    notebook = open_notebook([new_code_cell("%%claude\nx?", outputs=outputs)], trusted=True)
    bars = notebook.output(0).get_by_role("toolbar")
    expect(bars).to_have_count(203)
    assert bars.locator("button[tabindex='0']").count() == 203
    bar = notebook.output(0).get_by_role("toolbar", name="Code block 200")
    bar.get_by_role("button", name="Copy").focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(bar.get_by_role("button", name="Replace the next cell")).to_be_focused()
    notebook.page.keyboard.press("ArrowRight")
    expect(bar.get_by_role("button", name="Copy")).to_be_focused()


def test_cells_are_moved_and_deleted_while_a_difference_or_a_menu_is_open(replied):
    """Where the cell is still there, it is found; else nothing happens."""
    notebook = replied(CODE, "z = 3")
    page, move = notebook.page, f"([a, b]) => {PANEL}.content.moveCell(a, b)"
    first = sources(notebook)[0]
    bar = notebook.output(1).get_by_role("toolbar", name="Code block 1")
    bar.get_by_role("button", name="Replace the next cell").press("Enter")
    page.evaluate(move, [2, 3])
    page.keyboard.press("Enter")
    expect(bar.get_by_role("button", name="Undo")).to_be_visible()
    assert sources(notebook) == [first, "%%claude --once\nx?", "z = 3", "x = 1"]
    page.evaluate(move, [3, 2])
    bar.get_by_role("button", name="Undo").press("Enter")
    assert sources(notebook) == [first, "%%claude --once\nx?", "1 / 0", "z = 3"]

    bar.get_by_role("button", name="Replace the next cell").press("Enter")
    page.evaluate(f"{PANEL}.content.model.sharedModel.deleteCell(2)")
    page.keyboard.press("Enter")
    expect(bar.get_by_text("The cell no longer exists.")).to_be_visible()

    another = notebook.output(1).get_by_role("button", name="Ask another model")
    another.press("Enter")
    item = page.get_by_role("menuitem", name="claude-sonnet-5-5")
    item.wait_for()
    page.evaluate(f"{PANEL}.content.model.sharedModel.deleteCell(1)")
    item.click()
    expect(item).to_have_count(0)
    assert sources(notebook) == [first, "z = 3"]
    assert not notebook.errors


def test_a_kernel_that_restarts_leaves_no_question_open(replied):
    """The button says so, nothing is asked, and no promise of ours is rejected unseen."""
    notebook = replied(CODE, "import time\ntime.sleep(100)")
    notebook.run(3)
    notebook.page.wait_for_function(f"{PANEL}.sessionContext.session.kernel.status === 'busy'")
    notebook.output(1).get_by_role("button", name="Ask another model").press("Enter")
    notebook.output(2).get_by_role("button", name=ASK).press("Enter")
    expect(notebook.output(2).get_by_text("The kernel is busy")).to_be_visible()
    notebook.restart_kernel()
    for index in (1, 2):
        expect(notebook.output(index).get_by_text("The kernel was restarted")).to_be_visible()
    assert len(sources(notebook)) == 4
    assert not notebook.errors


def test_two_views_of_a_notebook_have_buttons_of_their_own(replied, simulator):
    """Each acts on the view that it is in, also when the other one is closed."""
    notebook = replied(CODE)
    page = notebook.page
    notebook.command("docmanager:clone")
    second = page.locator(".jp-NotebookPanel").nth(1)
    expect(second.get_by_role("button", name=ASK)).to_be_attached()
    page.evaluate("[...window.jupyterapp.shell.widgets('main')][0].activate?.()")
    simulator.enqueue(Stream(said("It is zero.")))
    second.get_by_role("button", name=ASK).press("Enter")
    expect(second).to_contain_text("It is zero.")
    page.evaluate("[...window.jupyterapp.shell.widgets('main')][1].dispose()")
    first = page.locator(".jp-NotebookPanel").first
    first.get_by_role("button", name="Insert below").first.press("Enter")
    assert sources(notebook)[2] == "x = 1"
    assert not notebook.errors


def test_a_kernel_without_claude_nb_says_what_to_install(open_notebook):
    """Below an error and in the chat's panel."""
    notebook = open_notebook(["1 / 0"])
    notebook.run(0)
    notebook.wait_idle()
    notebook.execute(FORGET)
    try:
        notebook.output(0).get_by_role("button", name=ASK).press("Enter")
        expect(notebook.output(0).get_by_text("%pip install claude-nb")).to_be_visible()
        notebook.command("claude-nb:chat")
        panel = notebook.page.locator(".claude-nb-panel")
        expect(panel.get_by_text("%pip install claude-nb")).to_be_visible()
    finally:
        notebook.execute(RESTORE)
    assert sources(notebook) == ["1 / 0"]
    assert not notebook.errors


def test_a_kernel_of_another_language_is_not_asked(open_notebook):
    """Its errors have no button, and the chat says what it needs."""
    notebook = open_notebook(["1 / 0"])
    notebook.page.evaluate(
        f"""async () => {{
            {PANEL}.context.model.setMetadata("language_info", {{ name: "R" }});
            (await {PANEL}.sessionContext.session.kernel.info).language_info.name = "R";
        }}"""
    )
    try:
        notebook.run(0)
        notebook.wait_idle()
        expect(notebook.output(0)).to_contain_text("ZeroDivisionError")
        assert notebook.output(0).get_by_role("button", name=ASK).count() == 0
        notebook.command("claude-nb:chat")
        panel = notebook.page.locator(".claude-nb-panel")
        expect(panel.get_by_text("Claude needs a Python kernel")).to_be_visible()
    finally:
        notebook.page.evaluate(
            f"""async () => {{
                const info = await {PANEL}.sessionContext.session.kernel.info;
                info.language_info.name = "python";
            }}"""
        )
    assert not notebook.errors
