"""A reply and more than one window, or a window that sleeps while it streams."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS
from tests.browser.test_live import LIVE, SETTLED, WORDS
from tests.played import end, said, start, text


def test_the_same_cell_run_again_in_another_window(open_cells, another_window, simulator):
    """It waits for its turn and then has a reply of its own; the first is not touched."""
    replies = said(*WORDS), said("The second reply.")
    simulator.enqueue(*(Stream(reply, delay=0.1) for reply in replies))
    first = open_cells("%%claude\nhello")
    second = another_window(first)
    first.run(1)
    expect(first.output(1).locator(LIVE)).to_contain_text("word3 ")
    second.run(1)
    settled = second.output(1).locator(SETTLED)
    expect(settled).to_contain_text("complete")
    expect(settled).to_contain_text("The second reply.")
    whole = first.output(1).locator(SETTLED)
    expect(whole).to_contain_text("complete")
    assert "".join(WORDS).strip() in whole.text_content()
    assert "The second reply." not in whole.text_content()
    first.wait_idle()
    assert (first.errors, second.errors) == ([], [])


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_page_that_sleeps_while_it_streams(open_cells, simulator, front_end):
    """A page that is frozen in mid-stream, as browsers do to hidden ones, wakes to all of it."""
    simulator.enqueue(Stream([start(), *text(*WORDS), *end()], delay=0.1))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    notebook.run(1)
    expect(notebook.output(1).locator(LIVE)).to_contain_text("word3 ")
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    simulator.wait_for(lambda requests: requests[-1].ended, 20)
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text("complete")
    assert "".join(WORDS).strip() in settled.text_content()
    notebook.wait_idle()
    assert notebook.errors == []
