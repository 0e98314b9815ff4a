"""Tab in JupyterLab: on the line of a magic and in a prompt only what fits there is offered."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.cost.models import models_by_use
from claude_nb.magics.commands import COMMANDS

ITEM = ".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item"


@pytest.fixture
def offered(open_cells):
    """What the front end offers at the end of a cell's text, as a page shows it."""
    notebook = open_cells("table = [1, 2, 3]\ntable_of_two = 'ab'\n_hidden = 0", "")
    notebook.run(1)
    notebook.wait_idle()

    def offer(text):
        notebook.page.evaluate(
            """text => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.activeCellIndex = 2;
                content.mode = "edit";
                content.activeCell.model.sharedModel.setSource(text);
                const { editor } = content.activeCell;
                editor.focus();
                const lines = text.split("\\n");
                const [line, column] = [lines.length - 1, lines.at(-1).length];
                editor.setCursorPosition({ line, column });
            }""",
            text,
        )
        expect(notebook.cell(2).locator(".jp-mod-completer-enabled")).to_have_count(1)
        notebook.page.keyboard.press("Tab")
        items = notebook.page.locator(ITEM)
        items.first.wait_for()
        found = items.locator(".jp-Completer-match").all_text_contents()
        kinds = items.locator(".jp-Completer-typeExtended").all_text_contents()
        notebook.page.keyboard.press("Escape")
        items.first.wait_for(state="hidden")
        return found, kinds

    return offer


def test_only_what_fits_is_offered(offered):
    """Commands, what they take, models, and variables with what they are; nothing of Python's."""
    assert offered("%claude_nb ")[0] == list(COMMANDS)
    assert offered("%claude_nb usage by ")[0] == ["model", "conversation", "cell", "day"]
    # In the front end's own order: it puts in "claude-" by itself, and sorts what begins so.
    assert sorted(offered("%%claude -m ")[0]) == sorted(models_by_use())
    names, kinds = offered("%%claude\nWhat is in {{ta")
    found = dict(zip(names, kinds, strict=True))
    assert found == {"table}}": "list 3", "table_of_two}}": "str 2"}
    for typed in ("%claude_nb undo ", "%%claude -o "):
        assert offered(typed) == ([""], ["nothing fits"])
