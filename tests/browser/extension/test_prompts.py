"""A ``%%claude`` cell is prose to the editor: its colours, lines, brackets and completion."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import FRONT_ENDS

PROMPT = "%%claude --once\nDon't *shout* about {{table}}, nor \\{{this}}; " + "for and while " * 20


def editor(notebook, index):
    """The editor of a cell."""
    return notebook.cell(index).locator(".cm-content")


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_prompt_is_prose_as_soon_as_its_magic_is_typed(open_cells, front_end):
    """It wraps, no bracket closes itself, and ``{{`` offers variables; Python cells stay."""
    notebook = open_cells("table = [1]", PROMPT, "", front_end=front_end)
    python, prompt, typed = (editor(notebook, index) for index in (1, 2, 3))
    notebook.run(1)
    notebook.wait_idle()
    expect(prompt).to_have_attribute("data-language", "markdown")
    expect(prompt).to_have_class(re.compile("cm-lineWrapping"))
    expect(prompt.locator(".claude-nb-value")).to_have_text(["{{table}}"])
    expect(prompt.locator(".claude-nb-magic")).to_have_text("%%claude --once")

    typed.click()
    notebook.page.keyboard.type("%%claud")
    expect(typed).not_to_have_attribute("data-language", "markdown")
    notebook.page.keyboard.type("e\nIt's (so) and {{")
    expect(typed).to_have_attribute("data-language", "markdown")
    offered = notebook.page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-match")
    expect(offered).to_have_text(["table}}"])
    notebook.page.keyboard.press("Enter")
    expect(typed).to_contain_text("It's (so) and {{table}}")

    typed.press("Control+Home")
    notebook.page.keyboard.press("Delete")
    expect(typed).not_to_have_attribute("data-language", "markdown")
    expect(typed.locator(".claude-nb-magic")).to_have_count(0)
    expect(python).not_to_have_attribute("data-language", "markdown")
    expect(python).not_to_have_class(re.compile("cm-lineWrapping"))
    assert not notebook.errors


def test_prompts_stay_prose_in_a_long_notebook_and_after_a_reload(open_notebook):
    """Their editors are made when they are scrolled into view."""
    notebook = open_notebook([*["x = 1"] * 30, PROMPT])
    notebook.command("notebook:move-cursor-down")
    notebook.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 30")
    notebook.command("notebook:enter-command-mode")
    notebook.cell(30).scroll_into_view_if_needed()
    expect(editor(notebook, 30)).to_have_attribute("data-language", "markdown")
    notebook.reload()
    notebook.cell(30).scroll_into_view_if_needed()
    expect(editor(notebook, 30)).to_have_attribute("data-language", "markdown")
