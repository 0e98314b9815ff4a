"""Replies in the background, in real front ends: each in its own cell, whatever else runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME
from tests.browser.lab import FRONT_ENDS
from tests.browser.test_live import LIVE, SETTLED, growing, shown_live
from tests.played import end, said, start, text, tool_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claude_nb.simulator.replies import Received

STREAMS = 8
DELTAS = 30


def marked(number: int, deltas: int = DELTAS) -> Stream:
    """A reply whose every word says which one it is; some seconds long."""
    words = [f"r{number}w{word} " for word in range(deltas)]
    return Stream([start(), *text(*words), *end()], delay=0.3)


def by_cell(requests: Sequence[Received]) -> list[int]:
    """Which of the queued replies each cell's request got: they are given as requests come."""
    asked = [r.body["messages"][-1]["content"] for r in requests if r.path == "/v1/messages"]
    return [asked.index(f"Cell {cell}") for cell in range(STREAMS)]


def test_eight_at_once_each_in_its_own_cell(open_cells, simulator):
    """All stream while later cells run; in no frame is there a word of another, and all end."""
    simulator.enqueue(*map(marked, range(STREAMS)))
    names = [f"r{cell}" for cell in range(STREAMS)]
    cells = [f"%%claude --background -o {name}\nCell {n}" for n, name in enumerate(names)]
    outcomes = f"print(*{{str(reply.outcome) for reply in ({', '.join(names)})}})"
    notebook = open_cells(*cells, outcomes, "%claude_nb jobs wait")
    # Every word that is ever shown in a cell, also for one frame, and which cells show some live.
    notebook.page.evaluate(
        """() => {
            window.seen = {};
            window.live = new Set();
            const look = () => {
                document.querySelectorAll(".jp-Notebook .jp-Cell").forEach((cell, n) => {
                    const words = cell.querySelector(".claude-nb-live")?.textContent;
                    if (words?.includes("w3 ")) live.add(n);
                    const text = cell.querySelector(".jp-Cell-outputArea")?.textContent ?? "";
                    for (const [, reply] of text.matchAll(/r(\\d+)w/g)) (seen[n] ??= {})[reply] = 1;
                });
            };
            window.watch = new MutationObserver(look);
            watch.observe(document.body, { subtree: true, childList: true, characterData: true });
        }"""
    )
    for index in range(1, STREAMS + 3):
        notebook.run(index)
    expect(notebook.output(STREAMS + 1)).to_have_text("streaming")
    expect(notebook.output(STREAMS + 2)).to_contain_text("8 replies have ended")

    replies = by_cell(simulator.requests)
    for cell, reply in enumerate(replies):
        settled = notebook.output(cell + 1).locator(SETTLED)
        expect(settled).to_contain_text("complete")
        whole = " ".join(f"r{reply}w{word}" for word in range(DELTAS))
        assert whole in settled.text_content()
    seen, live = notebook.page.evaluate("watch.disconnect(), [seen, [...live]]")
    assert sorted(live) == list(range(1, STREAMS + 1))
    assert seen == {str(cell + 1): {str(reply): 1} for cell, reply in enumerate(replies)}
    outputs = [cell.outputs for cell in notebook.saved().cells[1 : STREAMS + 1]]
    assert [len(shown) for shown in outputs] == [1] * STREAMS
    assert all(shown[0].data[MIME].outcome == "complete" for shown in outputs)
    assert notebook.errors == []


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_stop_ends_one_while_another_cell_runs(open_cells, simulator, front_end):
    """The other reply and the cell go on; nothing is interrupted."""
    simulator.enqueue(*[Stream(growing("The first words"), end="hang")] * 2)
    notebook = open_cells(
        "%%claude --background -o a\nhello",
        "%%claude --background -o b\nhello",
        "import threading\nprint('waits')\nthreading.Event().wait(600)",
        "b.stop()",
        front_end=front_end,
    )
    for index in (1, 2):
        notebook.run(index)
        expect(notebook.output(index).locator(LIVE)).to_contain_text("The first words")
    notebook.wait_idle()
    notebook.run(3)
    expect(notebook.output(3)).to_contain_text("waits")
    notebook.output(1).get_by_role("button", name="Stop").click()
    expect(notebook.output(1).locator(SETTLED)).to_contain_text("stopped")
    expect(notebook.cell(3)).to_contain_text("[*]")
    expect(notebook.output(2).locator(LIVE)).to_contain_text("writing")
    assert "Error" not in notebook.text(1)
    assert "KeyboardInterrupt" not in notebook.text(3)
    notebook.interrupt()
    notebook.wait_idle()
    expect(notebook.output(2).locator(LIVE)).to_contain_text("writing")
    notebook.run(4)
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("stopped")
    notebook.wait_idle()


def test_an_error_is_a_card_in_its_own_cell(open_cells, simulator):
    """And the notebook goes on."""
    simulator.enqueue(Error(404, "not_found_error", "No such model."))
    notebook = open_cells("%%claude --background\nhello", "%claude_nb jobs wait")
    notebook.run_all()
    expect(notebook.output(1).locator(SETTLED)).to_contain_text("refused the request (404)")
    notebook.wait_idle()
    assert "Error" not in notebook.text(2)


def test_a_cell_that_is_run_again_begins_anew(open_cells, simulator):
    """What it had begun is stopped, and what it shows is the new reply alone."""
    simulator.enqueue(Stream(growing("The old words"), end="hang"), marked(1, deltas=20))
    notebook = open_cells("%%claude --background\nhello", "%claude_nb jobs wait")
    notebook.run(1)
    expect(notebook.output(1).locator(LIVE)).to_contain_text("The old words")
    with shown_live(notebook) as wait_for_live:
        notebook.run(1)
        simulator.wait_for(lambda requests: requests[0].client_left)
        wait_for_live("r1w3 ")
    notebook.run(2)
    expect(notebook.output(1).locator(SETTLED)).to_contain_text("complete")
    assert "The old words" not in notebook.text(1)
    notebook.wait_idle()


def test_who_is_asked_allows_a_call_in_the_background(open_cells, simulator):
    """By the buttons in its own cell, while the kernel is free."""
    call = [start(), *tool_use("{}", name="act"), *end("tool_use")]
    simulator.enqueue(Stream(call), Stream(said("It has acted.")))
    notebook = open_cells(
        "def act() -> str:\n    return 'acted'",
        "%%claude --background --tools act --confirm\nhello",
    )
    notebook.run(1)
    notebook.run(2)
    notebook.output(2).get_by_role("button", name="Run", exact=True).click()
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("It has acted.")
    notebook.wait_idle()
