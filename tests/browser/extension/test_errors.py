"""A button below a traceback asks about the error of that cell, and its answer can replace it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from claude_nb import errors
from claude_nb.simulator import Stream
from tests.browser.extension.test_buttons import sources
from tests.browser.lab import FRONT_ENDS
from tests.code_map import PACKAGE
from tests.played import said

ASK = "Ask Claude about this error"
ANSWER = "The name is missing:\n\n```python\nprice = 3\nprint(price)\n```\n"


def asked(simulator):
    """What was sent last, with the error."""
    return simulator.requests[-1].body["messages"][-1]["content"][0]["text"]


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_from_an_error_to_the_corrected_cell_without_a_pointer(open_notebook, simulator, front_end):
    """Of the cell that was chosen, not the newest; claude_nb is loaded by itself; one step back."""
    notebook = open_notebook(["print(price)", "1 / 0"], front_end)
    for index in (0, 1):
        notebook.run(index)
        notebook.wait_idle()
    simulator.enqueue(Stream(said(ANSWER)))

    notebook.output(0).get_by_role("button", name=ASK).focus()
    notebook.page.keyboard.press("Enter")
    expect(notebook.output(1)).to_contain_text("The name is missing")
    sent = asked(simulator)
    assert '<error cell="1">' in sent
    assert "NameError: name 'price' is not defined" in sent
    assert "ZeroDivisionError" not in sent

    replace = notebook.output(1).get_by_role("button", name="Replace the cell that failed")
    replace.focus()
    notebook.page.keyboard.press("Enter")
    expect(notebook.output(1).get_by_text("Replace cell [1]: 1 added, 0 removed")).to_be_visible()
    notebook.page.keyboard.press("Enter")
    assert sources(notebook)[0] == "price = 3\nprint(price)"
    expect(notebook.output(0)).to_contain_text("NameError")  # nothing was run
    notebook.output(1).get_by_role("button", name="Undo").focus()
    notebook.page.keyboard.press("Enter")
    assert sources(notebook)[0] == "print(price)"
    assert not notebook.errors


def test_an_error_is_asked_about_after_a_restart_of_the_kernel(open_notebook, simulator):
    """The page has the traceback, the kernel has none; and again, when the cell is run again."""
    notebook = open_notebook(["print(price)"])
    notebook.run(0)
    notebook.wait_idle()
    notebook.restart_kernel()
    simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
    notebook.output(0).get_by_role("button", name=ASK).press("Enter")
    expect(notebook.output(1)).to_contain_text("One.")
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("Two.")
    assert "NameError: name 'price'" in asked(simulator)


def test_a_failed_question_has_no_such_button(open_cells):
    """It has a card of its own."""
    notebook = open_cells("%%claude --max-tokens 0\nhello")
    notebook.run(1)
    notebook.wait_idle()
    assert notebook.output(1).get_by_role("button", name=ASK).count() == 0


def test_the_page_knows_each_exception_of_ours():
    """The list in errors.js is that of claude_nb.errors."""
    text = (PACKAGE / "labextension" / "static" / "errors.js").read_text(encoding="utf-8")
    listed = re.search(r"const OURS = new Set\((.*?)\);", text, re.DOTALL)
    assert listed
    ours = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(re.findall(r'"(\w+)"', listed[1])) == {name for name in ours if "Error" in name}
