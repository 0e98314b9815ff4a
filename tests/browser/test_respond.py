"""A chat in which a function answers: in whatever form, on the page, in the file and restored."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import FRONT_ENDS
from tests.browser.test_chat import ChatPage, open_chat  # noqa: F401 - a fixture

CHAT = """\
import asyncio
import threading

import ipywidgets
import matplotlib.pyplot as plt

%matplotlib inline
go_on = threading.Event()

def generate(messages):
    yield "The **first** words"
    go_on.wait(60)
    yield " and more."

async def wait(messages):
    await asyncio.sleep(0)
    return "Awaited."

async def step(messages):
    for number in (1, 2):
        yield f"Step {number}. "
        await asyncio.sleep(0)

def draw(messages):
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([3, 1, 2])
    return figure

def slide(messages):
    return ipywidgets.IntSlider(description="Speed")

def fail(messages):
    raise ValueError("no such city")

def teacher(messages):
    return globals()[messages[-1]["content"]](messages)

claude_nb.Chat("lesson", respond=teacher, starters=["generate", "draw"])"""
IS_DRAWN = "image => image.complete && image.naturalWidth > 100"


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_function_answers(open_chat, front_end):  # noqa: F811
    """Streamed, with figures and live widgets; saved, and there again after a restart."""
    chat = open_chat(CHAT, "go_on.set()", front_end=front_end)
    notebook = chat.notebook
    starters = chat.el.get_by_role("group", name="Suggested questions")
    expect(chat.el.get_by_label("Model")).to_be_hidden()
    expect(chat.el.get_by_label("Effort")).to_be_hidden()

    starters.get_by_role("button", name="generate").press("Enter")
    expect(chat.turns.last.locator("strong")).to_have_text("first")
    expect(chat.button("Stop the answer")).to_be_visible()
    expect(starters).to_be_hidden()
    notebook.run(2)
    expect(chat.turns.last).to_contain_text("The first words and more.")
    expect(chat.button("Send (Enter)")).to_be_visible()
    notebook.wait_idle()
    chat.ask("wait", "Awaited.")
    chat.ask("step", "Step 1. Step 2.")
    chat.ask("slide", "Speed")
    expect(chat.turns.last.locator(".widget-slider .noUi-target")).to_be_visible()
    chat.ask("fail", "teacher raised ValueError: no such city")
    chat.send("draw")
    image = chat.turns.last.locator("img")
    expect(image).to_be_visible()
    assert image.evaluate(IS_DRAWN)
    expect(chat.el).not_to_contain_text("$")

    chat.wait_saved("data:image/png")
    output = chat.saved_output()
    assert "$" not in output["data"]["text/html"]
    assert "[picture, " in output["data"]["text/plain"]
    assert notebook.saved().cells[2].outputs == []
    notebook.restart_kernel()
    notebook.run_all()
    notebook.wait_idle()
    chat.covered()
    expect(chat.turns).to_have_count(5)
    assert image.evaluate(IS_DRAWN)
    expect(chat.turns.first.locator("strong")).to_have_text("first")
    expect(chat.turns.nth(3)).to_contain_text("a widget")
    chat.button("More: copy, save, clear").press("Enter")
    chat.el.get_by_role("menuitem", name="Clear").press("Enter")
    expect(starters).to_be_visible()
    chat.button("Restore the earlier turns").press("Enter")
    chat.wait_saved("data:image/png")
    notebook.saved()
    assert notebook.errors == []
    notebook.reload()
    expect(image).to_be_visible()
    assert image.evaluate(IS_DRAWN)
    if front_end == "notebook":
        return  # which has no tab to open it in again
    notebook.reopen_without_kernel(trusted=False)
    shown = notebook.output(1).locator("img")
    expect(shown).to_be_visible()
    assert shown.evaluate(IS_DRAWN)
