"""The copy button of a code block, while the reply is live."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS
from tests.browser.test_live import LIVE, SETTLED, growing
from tests.played import start, text, thinking, tool_use

CODE = 'def f(x):\n    return "<é>" if x < 2 else x\n'
NO_CLIPBOARD = (
    "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })"
)
# The tick after the button is shown by an animation: this stops it in its middle.
PAUSE = """button => {
    button.animate = (...given) => {
        window.tick = Element.prototype.animate.apply(button, given);
        tick.pause();
    };
}"""
COPIED = "b => getComputedStyle(b, '::after').opacity"


@pytest.mark.parametrize(
    ("front_end", "clipboard"),
    [("lab", True), ("notebook", False)],
    ids=["lab-clipboard", "notebook-no-clipboard"],
)
def test_a_code_block_can_be_copied(open_cells, simulator, front_end, clipboard):
    """Hidden until it is pointed at; a press puts the code and nothing else on the clipboard.

    A page that came over http has no ``navigator.clipboard``, and copies all the same.
    """
    simulator.enqueue(Stream(growing(f"Look:\n\n```python\n{CODE}```\n\nThe end."), end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    page = notebook.page
    if not clipboard:
        page.evaluate(NO_CLIPBOARD)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("The end.")
    button = live.get_by_role("button", name="Copy this code")
    expect(button).to_have_css("opacity", "0")
    live.locator("pre").hover()
    expect(button).to_have_css("opacity", "1")
    button.evaluate(PAUSE)
    button.click()
    expect(page.get_by_role("status").get_by_text("Copied.", exact=True)).to_have_count(1)
    page.wait_for_function("window.tick")
    assert button.evaluate(COPIED) == "1"
    page.evaluate("delete navigator.clipboard")
    assert page.evaluate("navigator.clipboard.readText()") == CODE.removesuffix("\n")
    live.get_by_role("button", name="Stop").click()
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text("stopped")
    assert settled.locator("button").count() == 0
    assert settled.locator("pre").text_content() == CODE
    notebook.wait_idle()
    assert notebook.errors == []


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_button_is_reached_by_keyboard_and_stays_while_code_grows(
    open_cells, simulator, front_end
):
    """Focused it is seen; it keeps the focus while its code is written; Enter copies what came."""
    lines = [f"line_{number} = {number}\n" for number in range(200)]
    simulator.enqueue(Stream(growing("```python\n", *lines), delay=0.03, end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    page = notebook.page
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("line_3 ")
    button = live.get_by_role("button", name="Copy this code")
    live.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(button).to_have_css("opacity", "1")
    expect(live).to_contain_text("line_60 ")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").get_by_text("Copied.", exact=True)).to_have_count(1)
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "".join(lines).startswith(copied)
    assert "line_60 = 60" in copied
    notebook.interrupt()
    notebook.wait_idle()


def test_tool_input_and_thinking_have_it_too(open_cells, simulator):
    """Every block of code has one button, also where tool input grows."""
    pieces = ['{"by": "growth", ', '"code": "a = 1\\n', 'b = 2"}']
    events = [
        start(),
        *thinking("Try:\n\n```\nx\n```\n"),
        *text("A list:\n\n- one\n\n  ```\n  y\n  ```\n- two\n", index=1),
        *tool_use(*pieces, index=2)[:-1],
    ]
    simulator.enqueue(Stream(events, delay=0.05, end="hang"))
    notebook = open_cells("%%claude\nhello")
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("b = 2")
    counts = "all => all.map(pre => pre.querySelectorAll('.claude-nb-copy').length)"
    assert live.locator("pre").evaluate_all(counts) == [1, 1, 1]
    live.locator("pre").last.hover()
    live.locator("pre").last.get_by_role("button").click()
    expect(notebook.page.get_by_role("status").get_by_text("Copied.", exact=True)).to_have_count(1)
    expected = live.locator("pre").last.text_content().removesuffix("\n")
    assert notebook.page.evaluate("navigator.clipboard.readText()") == expected
    notebook.interrupt()
    notebook.wait_idle()
