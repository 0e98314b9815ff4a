"""Tools in real front ends: input that grows, calls that are allowed by a key, results folded."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import DEAF
from tests.browser.test_live import LIVE, SETTLED
from tests.played import end, said, start, text, tool_use

TOOLS = """\
import pandas as pd, time
df = pd.DataFrame({"customer": ["Aster", "Birch", "Cobalt"], "growth": [0.41, 0.22, 0.17]})

def top_customers(by: str, limit: int = 3) -> pd.DataFrame:
    '''The customers that grew fastest.'''
    print("looking at", by)
    return df.head(limit)

def wait(by: str) -> str:
    '''Waits.'''
    print("waiting")
    time.sleep(600)

def fail(by: str) -> str:
    '''Fails.'''
    return {}[by]
"""
CALL = [
    start(),
    *text("Let me look at the quarters side by side first."),
    *tool_use(*('{"by": ', '"growth"', ', "limit": 2', "}"), index=1, name="top_customers"),
]
ANSWER = Stream(said("Growth is concentrated: **Aster** and **Birch**."))


def call(
    name: str = "top_customers", arguments: str = '{"by": "growth"}', number: int = 1
) -> Stream:
    """A message that calls a function, by the conversation's call number."""
    called = tool_use(arguments, name=name, call=f"toolu_{number}")
    return Stream([start(), *called, *end("tool_use")])


def test_the_settled_output_shows_call_and_result_folded(open_cells, simulator):
    """The function runs, and its table is in the pane of the call."""
    simulator.enqueue(Stream([*CALL, *end("tool_use")]), ANSWER)
    notebook = open_cells(TOOLS, "%%claude --tools top_customers\nWho grew?")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    settled = notebook.output(2).locator(SETTLED)
    expect(settled).to_contain_text("Growth is concentrated")
    notebook.wait_idle()
    pane = settled.locator("details")
    label = pane.locator("summary")
    expect(label).to_have_text(
        re.compile(r'top_customers\(by="growth", limit=2\) → 2 rows · \d\.\d s')
    )
    assert pane.get_attribute("open") is None
    label.click()
    expect(pane.locator("td", has_text="Birch")).to_be_visible()
    assert settled.locator("th", has_text="1 · tool use").count() == 1
    expect(notebook.output(2)).to_contain_text("looking at growth")
    assert notebook.errors == []
    notebook.reopen_without_kernel(trusted=False)
    expect(notebook.output(2)).to_contain_text("→ 2 rows")


@pytest.mark.parametrize(
    ("front_end", "button", "came"),
    [("lab", "Run", "→ 3 rows"), ("notebook", "Don’t run", "not allowed")],
)
def test_a_call_is_allowed_or_not_by_key(open_cells, simulator, front_end, button, came):
    """The question waits below the input; Tab and Enter answer it."""
    simulator.enqueue(call(), ANSWER)
    notebook = open_cells(
        TOOLS, "%%claude --tools top_customers --confirm\nWho grew?", front_end=front_end
    )
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    live = notebook.output(2).locator(LIVE)
    question = live.get_by_role("group", name="May this call run?")
    expect(question.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(live.locator(".claude-nb-status")).to_contain_text("waiting for your answer")
    said_ = notebook.page.get_by_role("status").get_by_text("Claude asks to run top_customers(")
    expect(said_).to_have_count(1)
    live.get_by_role("button", name="Stop").focus()
    for _ in range(4):
        notebook.page.keyboard.press("Tab")
        if notebook.page.evaluate("document.activeElement.textContent") == button:
            break
    notebook.page.keyboard.press("Enter")
    settled = notebook.output(2).locator(SETTLED)
    expect(settled).to_contain_text(came)
    expect(settled).to_contain_text("Growth is concentrated")
    notebook.wait_idle()
    assert notebook.errors == []


def test_a_cell_that_names_no_tools_asks_before_a_call(open_cells, simulator):
    """The notes above the replies say so; the function runs once it is allowed."""
    simulator.enqueue(call(), ANSWER, call(number=2), ANSWER)
    notebook = open_cells(TOOLS, "%%claude --tools top_customers\nWho?", "%%claude\nAnd now?")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("tools: top_customers")
    notebook.wait_idle()
    notebook.run(3)
    live = notebook.output(3).locator(LIVE)
    expect(live).to_contain_text("tools: top_customers (asks first)")
    question = live.get_by_role("group", name="May this call run?")
    question.get_by_role("button", name="Run", exact=True).press("Enter")
    settled = notebook.output(3).locator(SETTLED)
    expect(settled).to_contain_text("→ 3 rows")
    expect(settled).to_contain_text("tools: top_customers (asks first)")
    notebook.wait_idle()
    assert notebook.errors == []


def test_a_hidden_call_is_seen_while_it_is_asked_about(open_cells, simulator):
    """With its whole input, above the buttons; what came of it is not seen."""
    simulator.enqueue(Stream([*CALL, *end("tool_use")]), ANSWER)
    notebook = open_cells(TOOLS, "%%claude --tools top_customers --confirm --hide-tools\nWho grew?")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    live = notebook.output(2).locator(LIVE)
    question = live.get_by_role("group", name="May this call run?")
    expect(question).to_be_visible()
    expect(live.locator("details + .claude-nb-question")).to_have_count(1)
    expect(live.locator("details pre")).to_contain_text('"by": "growth"')
    question.get_by_role("button", name="Run", exact=True).press("Enter")
    settled = notebook.output(2).locator(SETTLED)
    expect(settled).to_contain_text("Growth is concentrated")
    assert settled.inner_text().count("top_customers") == 1  # in the note that names the tools
    expect(notebook.output(2)).to_contain_text("looking at growth")
    notebook.wait_idle()
    assert notebook.errors == []


def test_where_no_click_arrives_the_cell_asks(open_cells, simulator):
    """Where a busy kernel hears no widget, the question is an input."""
    simulator.enqueue(call(), ANSWER)
    notebook = open_cells(
        DEAF + TOOLS, "%%claude --tools top_customers --confirm\nWho grew?", subshells=False
    )
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    field = notebook.output(2).locator("input.jp-Stdin-input")
    expect(notebook.output(2)).to_contain_text('Run top_customers(by="growth")? [y/N]')
    field.fill("y")
    field.press("Enter")
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("→ 3 rows")
    notebook.wait_idle()


@pytest.mark.parametrize("subshells", [True, False], ids=["default", "no-subshells"])
def test_stop_ends_a_function_that_runs(open_cells, simulator, subshells):
    """Though it sleeps for ten minutes; the call says that it was stopped."""
    simulator.enqueue(call("wait"))
    notebook = open_cells(TOOLS, "%%claude --tools wait\nWait.", subshells=subshells)
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    live = notebook.output(2).locator(LIVE)
    expect(live.locator(".claude-nb-status")).to_contain_text("running wait")
    expect(notebook.output(2)).to_contain_text("waiting")
    live.get_by_role("button", name="Stop").click()
    settled = notebook.output(2).locator(SETTLED)
    expect(settled.locator("summary")).to_contain_text("stopped")
    notebook.wait_idle()
    expect(notebook.output(2)).to_contain_text("StoppedError: see above")


def test_a_failing_function_shows_its_traceback_folded(open_cells, simulator):
    """The model is told what; where it happened is for the user."""
    simulator.enqueue(call("fail"), ANSWER)
    notebook = open_cells(TOOLS, "%%claude --tools fail\nFail.")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    settled = notebook.output(2).locator(SETTLED)
    expect(settled).to_contain_text("failed: KeyError")
    notebook.wait_idle()
    pane = settled.locator("details").first
    pane.locator("summary").first.click()
    expect(pane.locator("pre", has_text="KeyError: 'growth'").first).to_be_visible()
    inner = pane.locator("details")
    assert inner.get_attribute("open") is None
    inner.locator("summary").click()
    expect(inner.locator("pre")).to_contain_text("in fail")
    (result,) = simulator.requests[-1].body["messages"][-1]["content"]
    assert result["content"] == [{"type": "text", "text": "KeyError: 'growth'"}]


DISPLAYING = """\
import tempfile, pathlib, claude_nb
from PIL import Image
place = pathlib.Path(tempfile.mkdtemp())
(place / "notes.md").write_text("# Notes\\n\\n- from Lisbon\\n")
notes = claude_nb.Tools.memory(place)

def plot() -> claude_nb.Result:
    '''A picture for the reader, a long text for the model.'''
    picture = Image.linear_gradient("L").resize((1200, 800))
    return claude_nb.Result("first line\\n" + "word " * 19_000, display=picture, note="drawn")
"""
CHANGE = {
    "command": "str_replace",
    "path": "/memories/notes.md",
    "old_str": "from Lisbon",
    "new_str": "<b onmouseover='window.ran = 1'>from Porto</b>",
}


def test_a_foreign_memory_asks_and_what_tools_display_is_seen(open_cells, simulator):
    """One question for the folder, then a difference; a picture opens, a long result is folded."""
    simulator.enqueue(call("memory", json.dumps(CHANGE)), call("plot", "{}", number=2), ANSWER)
    notebook = open_cells(DISPLAYING, "%%claude --tools notes,plot\nRemember where it leaves.")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    live = notebook.output(2).locator(LIVE)
    question = live.get_by_role("group", name="May this call run?")
    expect(question).to_contain_text("(1 file) was not created by you on this computer")
    question.get_by_role("button", name="Always use it").press("Enter")
    settled = notebook.output(2).locator(SETTLED)
    expect(settled).to_contain_text("Growth is concentrated")
    notebook.wait_idle()
    memory, plot = settled.locator("> details").all()
    expect(memory.locator("summary").first).to_contain_text("+1 −1 lines")
    expect(memory.locator(".gd")).to_have_text("-- from Lisbon\n")
    expect(memory.locator(".gi")).to_contain_text("<b onmouseover=")
    expect(plot.locator("img").first).to_be_visible()
    expect(plot.locator("img").last).not_to_be_visible()
    plot.locator("details summary").first.press("Enter")
    expect(plot.locator("img").last).to_be_visible()
    expect(plot.get_by_text("word word").last).not_to_be_visible()
    assert notebook.errors == []
    notebook.reopen_without_kernel(trusted=False)
    saved = notebook.output(2)
    expect(saved.locator("img").first).to_be_visible()
    expect(saved.get_by_text("+- <b onmouseover").first).to_be_visible()
    assert notebook.page.evaluate("window.ran") is None
