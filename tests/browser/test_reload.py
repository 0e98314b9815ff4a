"""A page that is loaded while something is written: it shows that at once, and saves its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Simulator, Stream
from claude_nb.streaming.record import MIME
from claude_nb.views.synced_output import MARK
from tests.browser.lab import FRONT_ENDS, PANEL
from tests.browser.test_batch import HAND_IN
from tests.browser.test_comparison import CELL
from tests.browser.test_inspector import INSPECTOR
from tests.browser.test_live import LIVE, SETTLED, WORDS, growing, left
from tests.browser.test_tools import ANSWER, TOOLS, call
from tests.played import end, start, text

if TYPE_CHECKING:
    import nbformat

    from tests.browser.lab import NotebookPage

ENDLESS = [f"word{number} " for number in range(1000)]
SHOWN = "s => document.querySelector(s).textContent"


def reload(notebook: NotebookPage, *, saved: bool = True) -> None:
    """Load the page anew while a cell runs."""
    if saved:
        notebook.command("docmanager:save")
        notebook.page.wait_for_function(f"!{PANEL}.context.model.dirty")
    notebook.reload()


def wait_settled(notebook: NotebookPage, index: int, words: str) -> nbformat.NotebookNode:
    """Wait until the settled output is the only one, save, and return it."""
    expect(notebook.output(index).locator(SETTLED)).to_contain_text(words)
    expect(notebook.output(index).locator(LIVE)).to_have_count(0)
    notebook.wait_idle()
    (output,) = notebook.saved().cells[index].outputs
    assert MARK not in output.data
    return output


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("saved", [True, False], ids=["saved", "unsaved"])
def test_the_stream_is_seen_at_once(open_cells, simulator, front_end, saved):
    """While the cell runs it grows and can be stopped; the file then has the settled output.

    Also if the notebook was not saved since the cell began.
    """
    simulator.enqueue(Stream(growing(*ENDLESS), delay=0.15, end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    notebook.saved()
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("word3 ")
    reload(notebook, saved=saved)
    expect(live).to_contain_text("word0 word1 ")
    before = len(live.text_content())
    notebook.page.wait_for_function(f"([s, n]) => ({SHOWN})(s).length > n + 50", arg=[LIVE, before])
    assert notebook.output(1).locator(SETTLED).count() == 0
    live.get_by_role("button", name="Stop").press("Enter")
    output = wait_settled(notebook, 1, "stopped")
    assert output.data[MIME].turn.text.startswith("word0 word1 word2 ")
    assert output.data[MIME].turn.text in output.data["text/markdown"]
    assert notebook.saved().cells[1].execution_count == 2
    assert notebook.errors == []


def test_a_question_about_a_call_is_asked_again(open_cells, simulator):
    """The page that is loaded shows the buttons, and its answer is heard while the cell waits."""
    simulator.enqueue(call(), ANSWER)
    notebook = open_cells(TOOLS, "%%claude --tools top_customers --confirm\nWho grew?")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    question = notebook.output(2).get_by_role("group", name="May this call run?")
    expect(question).to_be_visible()
    reload(notebook)
    question.get_by_role("button", name="Run", exact=True).click()
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("Growth is concentrated")
    expect(notebook.output(2)).to_contain_text("→ 3 rows")
    notebook.wait_idle()


def test_replies_side_by_side(open_cells, simulator):
    """All of them are seen again, and the file has all of them."""
    simulator.enqueue(*(Stream(growing(f"{one} side"), end="hang") for one in ("One", "Other")))
    notebook = open_cells(CELL)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("One side")
    expect(live).to_contain_text("Other side")
    reload(notebook)
    expect(live).to_contain_text("One side")
    expect(live).to_contain_text("Other side")
    live.get_by_role("button", name="Stop all").click()
    output = wait_settled(notebook, 1, "Prices as of")
    assert [reply.outcome for reply in output.data[MIME].replies] == ["stopped"] * 2


def test_what_is_written_in_the_background_while_a_cell_runs(open_cells, simulator):
    """A chat, a reply and a timeline are seen at once, though the kernel is busy with another."""
    simulator.enqueue(*[Stream(growing("The first words"), end="hang")] * 3)
    notebook = open_cells(
        "chat = claude_nb.Chat()\nchat",
        "%%claude --background -o job\nhello",
        "%%claude --events\nhello",
        "job.stop(), chat.stop()",
    )
    for index in (1, 2):
        notebook.run(index)
    notebook.wait_idle()
    expect(notebook.output(1).locator(".claude-nb-covered")).to_have_count(1)
    notebook.output(1).get_by_role("textbox").fill("hello")
    notebook.output(1).get_by_role("textbox").press("Enter")
    chat = notebook.output(1).locator(".claude-nb-chat:visible")
    expect(chat).to_contain_text("The first words")
    expect(notebook.output(2).locator(LIVE)).to_contain_text("The first words")
    notebook.run(3)
    expect(notebook.output(3).locator(INSPECTOR)).to_contain_text("text")
    reload(notebook)
    expect(chat).to_contain_text("The first words")
    for index in (2, 3):
        expect(notebook.output(index).locator(LIVE)).to_contain_text("The first words")
    expect(notebook.output(3).locator(INSPECTOR)).to_contain_text("text")
    notebook.output(3).get_by_role("button", name="Stop", exact=True).click()
    expect(notebook.output(3).locator(SETTLED).first).to_contain_text("stopped")
    notebook.wait_idle()
    notebook.run(4)
    wait_settled(notebook, 2, "stopped")
    notebook.page.wait_for_function(
        f"""() => {PANEL}.content.model.cells.get(1).outputs.get(0).data["text/html"]
            .includes("The first words")"""
    )
    saved = notebook.saved().cells
    assert len(saved[1].outputs) == 1
    reply, timeline = saved[3].outputs
    assert reply.data[MIME].outcome == "stopped"
    assert "stopped" in timeline.data["text/html"]


def test_a_batch_that_is_waited_for(open_notebook):
    """Its line goes on, and the file has its end."""
    with Simulator(speed=0.001) as simulator:
        notebook = open_notebook(
            [HAND_IN.format(url=simulator.base_url), "made.wait()"], trusted=True
        )
        notebook.run_all()
        expect(notebook.output(1)).to_contain_text("50 processing")
        reload(notebook)
        expect(notebook.output(1)).to_contain_text("50 processing")
        before = notebook.text(1)
        expect(notebook.output(1)).not_to_have_text(before)
        simulator.advance(3600)
        expect(notebook.output(1)).to_contain_text("50 complete")
        notebook.wait_idle()
        *_, output = notebook.saved().cells[1].outputs
    assert output.data[MIME].batch.counts == {"complete": 50}


def test_a_notebook_that_was_closed_when_the_reply_ended(open_cells, simulator):
    """When it is opened again the settled output is put in its place."""
    simulator.enqueue(Stream([start(), *text(*WORDS), *end()], delay=0.1))
    notebook = open_cells("%%claude\nhello")
    notebook.run(1)
    expect(notebook.output(1).locator(LIVE)).to_contain_text("word3 ")
    notebook.command("docmanager:save")
    notebook.page.wait_for_function(f"!{PANEL}.context.model.dirty")
    with notebook.closed():
        simulator.wait_for(lambda requests: requests[-1].ended, 20)
    output = wait_settled(notebook, 1, "complete")
    assert "".join(WORDS).strip() in output.data["text/markdown"]


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_second_window(open_cells, another_window, simulator, front_end):
    """It shows the stream and can stop it; both windows have the settled output, each once."""
    simulator.enqueue(Stream(growing("The first ", *WORDS), end="hang"))
    first = open_cells("%%claude\nhello", front_end=front_end)
    first.run(1)
    expect(first.output(1).locator(LIVE)).to_contain_text("The first word0")
    second = another_window(first, front_end)
    live = second.output(1).locator(LIVE)
    expect(live).to_contain_text("The first word0")
    live.get_by_role("button", name="Stop").click()
    simulator.wait_for(left)
    for window in (first, second):
        expect(window.output(1).locator(SETTLED)).to_contain_text("The first word0")
    first.wait_idle()
    count = f"{PANEL}.content.model.cells.get(1).outputs.length"
    counts = [window.page.evaluate(count) for window in (first, second)]
    assert counts == [2, 1], "the reply, and where the cell was run the error"
    assert (first.errors, second.errors) == ([], [])
