"""The extension is loaded in both front ends, and each execution says so to the kernel."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import claude_nb
from tests.browser.lab import FRONT_ENDS, PANEL

SHOW = """\
from claude_nb.request.page import Page
page = Page()
page.version, *sorted(page.capabilities)
"""


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_kernel_knows_of_the_extension_in_each_execution(open_cells, front_end):
    """Also after a restart of the kernel, which makes a new connection; with what it can do."""
    notebook = open_cells(SHOW, "%claude_nb status", front_end=front_end)
    shown = notebook.output(1).locator(".jp-OutputArea-output")
    notebook.run(1)
    expect(shown).to_have_text(f"({claude_nb.__version__!r}, 'outputs', 'settle')")
    notebook.wait_idle()
    notebook.page.evaluate(f"{PANEL}.content.widgets[1].model.outputs.clear()")
    notebook.restart_kernel()
    for index in (0, 1):
        notebook.run(index)
    expect(shown).to_have_text(f"({claude_nb.__version__!r}, 'outputs', 'settle')")
    notebook.wait_idle()
    notebook.run(2)
    notebook.wait_idle()
    expect(notebook.output(2)).to_contain_text(f"JupyterLab extension {claude_nb.__version__}")
    assert not notebook.errors


def test_a_setting_is_the_default_of_cells(open_cells, request):
    """What the settings editor saves is what the next cell asks."""
    notebook = open_cells("%%claude\nhello")

    def save(text):
        notebook.page.evaluate(
            "text => window.jupyterapp.serviceManager.settings.save('claude-nb:plugin', text)", text
        )
        notebook.reload()

    request.addfinalizer(lambda: save("{}"))
    save('{"model": "claude-haiku-4-5"}')
    notebook.run(1)
    notebook.wait_idle()
    expect(notebook.output(1)).to_contain_text("claude-haiku-4-5")
