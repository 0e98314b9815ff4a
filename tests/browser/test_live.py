"""The live view in real front ends: what a reader sees and can do while a reply streams."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS, SET_UP, NotebookPage, Server
from tests.played import end, start, text, thinking, tool_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIVE = ".claude-nb-live"
SETTLED = ".jp-RenderedHTML[data-mime-type='text/html'] .claude-nb"
WORDS = [f"word{number} " for number in range(40)]


def growing(*pieces: str) -> list[dict[str, Any]]:
    """A message up to the middle of its text."""
    return [start(), *text(*pieces)[:-1]]


WATCH = """live => {
    window.lived = [];
    window.watch = new MutationObserver(() => {
        for (const each of document.querySelectorAll(live)) lived.push(each.textContent);
    });
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@contextmanager
def shown_live(notebook: NotebookPage) -> Iterator[Callable[[str], None]]:
    """Gives what waits until these words have been in a live view, even if it has ended since."""
    notebook.page.evaluate(WATCH, LIVE)
    yield lambda words: notebook.page.wait_for_function(
        "words => lived.some((text) => text.includes(words))", arg=words
    )
    notebook.page.evaluate("watch.disconnect()")


def left(requests) -> float | None:
    """When the client left the newest message request, as the server saw it."""
    return [r for r in requests if r.path == "/v1/messages"][-1].client_left


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("subshells", [True, False], ids=["default", "no-subshells"])
def test_stop_ends_the_request_and_keeps_the_words(open_cells, simulator, front_end, subshells):
    """Text is there before the end; Stop closes the connection, in any setting.

    With subshells off it asks the server to interrupt, at the base URL that a JupyterHub sets.
    """
    simulator.enqueue(Stream(growing("The **first** wo", "rds"), end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end, subshells=subshells)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live.locator("strong")).to_have_text("first")
    expect(live).to_contain_text("The first words")
    live.get_by_role("button", name="Stop").click()
    simulator.wait_for(left)
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text("stopped")
    expect(settled).to_contain_text("The first words")
    notebook.wait_idle()
    expect(notebook.output(1)).to_contain_text("StoppedError: see above")
    assert notebook.errors == []


def test_stop_is_there_before_the_first_word(open_cells, simulator):
    """A request that nobody answers can be stopped too."""
    simulator.enqueue(Stream([], end="hang"))
    notebook = open_cells("%%claude\nhello")
    notebook.run(1)
    simulator.wait_for(lambda requests: len(requests) and requests[-1].path == "/v1/messages")
    notebook.output(1).get_by_role("button", name="Stop").press("Enter")
    simulator.wait_for(left)
    expect(notebook.output(1).locator(SETTLED)).to_contain_text("Nothing had arrived yet.")
    notebook.wait_idle()


def test_thinking_is_open_while_it_is_written(open_cells, simulator):
    """The thinking pane shows what comes, and the status line says so."""
    simulator.enqueue(Stream([start(), *thinking("First, *count*.")[:2]], end="hang"))
    notebook = open_cells("%%claude\nhello")
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live.locator("details[open] em")).to_have_text("count")
    expect(live.locator(".claude-nb-status")).to_contain_text("thinking")
    live.get_by_role("button", name="Stop").click()
    notebook.wait_idle()


def test_tool_input_is_seen_growing_and_thinking_is_folded(open_cells, simulator):
    """Half-written JSON is readable: indented, with the line breaks of its strings."""
    call = tool_use('{"by": "growth", "code": "a = 1\\nx', index=1)[:-1]
    simulator.enqueue(Stream([start(), *thinking("Count."), *call], end="hang"))
    notebook = open_cells("%%claude\nhello")
    notebook.run(1)
    panes = notebook.output(1).locator(f"{LIVE} details")
    expect(panes.nth(1)).to_contain_text('"by": "growth"')
    assert '{\n  "by": "growth",\n  "code": "a = 1\nx' in panes.nth(1).text_content()
    assert [panes.nth(i).get_attribute("open") for i in (0, 1)] == [None, ""]
    expect(panes.nth(0).locator("summary")).to_contain_text("Thought for")
    notebook.output(1).get_by_role("button", name="Stop").click()
    notebook.wait_idle()


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_selection_and_an_opened_pane_survive(open_cells, simulator, front_end):
    """What the reader selected and opened stays so while more comes, and after the settle."""
    paragraphs = ["The first paragraph.\n\n", "The second.\n\n", *WORDS * 20]
    events = [start(), *thinking("Count."), *text(*paragraphs, index=1)]
    simulator.enqueue(Stream(events, delay=0.04, end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("word1 ")
    live.locator("summary").press("Enter")
    live.locator("p", has_text="The first paragraph.").select_text()
    before = len(live.text_content())
    notebook.page.wait_for_function(
        "([s, n]) => document.querySelector(s).textContent.length > n + 100", arg=[LIVE, before]
    )
    assert notebook.page.evaluate("getSelection().toString()").strip() == "The first paragraph."
    assert live.locator("details").get_attribute("open") == ""
    notebook.interrupt()
    notebook.wait_idle()
    settled = notebook.output(1).locator(SETTLED)
    assert settled.locator("details").get_attribute("open") == ""


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_reader_who_scrolled_away_is_not_moved(open_cells, simulator, front_end):
    """The page follows a reader at the end of the reply, and leaves one who reads elsewhere."""
    lines = [f"Line {number}.\n\n" for number in range(120)]
    simulator.enqueue(Stream([start(), *text(*lines)], delay=0.04, end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end, viewport=(1000, 600))
    page = notebook.page
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("Line 40.")
    bottom = "document.querySelector(s).getBoundingClientRect().bottom"
    page.wait_for_function(f"s => {bottom} < 620", arg=LIVE)  # followed
    scroller = ".jp-WindowedPanel-outer"
    page.evaluate("s => { document.querySelector(s).scrollTop = 0; }", scroller)
    top = "s => document.querySelector(s).getBoundingClientRect().top"
    position = page.evaluate(top, LIVE)
    expect(live).to_contain_text("Line 80.")
    assert position == page.evaluate(top, LIVE)
    notebook.interrupt()
    notebook.wait_idle()
    assert page.evaluate("s => document.querySelector(s).scrollTop", scroller) == 0


REPLY = (
    "# Title\n\nSome *text* with `code`, 5 < 6 and a [link](https://example.org).\n\n",
    "- one\n- two\n  - three\n\n| a | b |\n|--:|:-:|\n| 1 | 2 |\n\n> quoted\n\n",
    '```python\ndef f():\n    return "x"\n```\n\nThe end.',
)
# Waits until nothing glides; the dot of a reply that is under way pulses without an end.
AT_REST = """element => Promise.all(
    element.getAnimations({ subtree: true })
        .filter(({ effect }) => effect.getTiming().iterations !== Infinity)
        .map(({ finished }) => finished.catch(() => {}))
)"""

# Where it is in its cell: the page around the notebook may settle a moment after it was opened.
IN_CELL = """element => {
    const [own, cell] = [element, element.closest(".jp-Cell")].map(e => e.getBoundingClientRect());
    return [own.left - cell.left, own.top - cell.top, own.width, own.height];
}"""

PLACES = """root => [...root.querySelectorAll("p, h1, li, td, th, pre, summary, blockquote, code")]
    .filter(e => e.offsetParent && !e.closest("table[style]"))
    .map(e => { const r = e.getBoundingClientRect(), s = getComputedStyle(e);
        return [e.tagName, r.left, r.width, s.fontSize, s.color, s.fontFamily,
                Math.round((r.top - root.getBoundingClientRect().top) * 10) / 10].join(" "); })"""


@pytest.mark.parametrize(("front_end", "theme"), [("lab", "light"), ("notebook", "dark")])
def test_live_equals_settled(open_cells, simulator, front_end, theme):
    """When the settled output takes the widget's place, nothing moves and nothing changes style."""
    events = [start(), *thinking("Count."), *text(*REPLY, index=1), *tool_use('{"a": 1}', index=2)]
    simulator.enqueue(Stream(events, end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    notebook.theme(theme)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live.locator("details").nth(1)).to_contain_text("(a=1)")
    live.evaluate(AT_REST)
    before = live.locator(".claude-nb").evaluate(PLACES)
    left_before = live.locator("h1").evaluate(IN_CELL)
    live.get_by_role("button", name="Stop").click()
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text("stopped")
    notebook.output(1).evaluate(AT_REST)
    after = settled.evaluate(PLACES)
    assert before == after[: len(before)]
    assert left_before == settled.locator("h1").evaluate(IN_CELL)
    notebook.wait_idle()


def test_messages_that_the_server_drops_are_healed(browser, simulator, tmp_path):
    """A server that drops more than half of the messages costs smoothness, not words."""
    limit = "--ZMQChannelsWebsocketConnection.iopub_msg_rate_limit=8"
    numbers = [f"{number}, " for number in range(300)]
    with Server(tmp_path / "jupyter", limit, api=simulator.base_url) as server:
        simulator.enqueue(Stream([start(), *text(*numbers), *end()], delay=0.02))
        cells = [SET_UP, "%%claude\nhello"]
        path = server.write("dropped", [new_code_cell(cell) for cell in cells], trusted=True)
        with browser.new_context() as context:
            notebook = NotebookPage(context.new_page(), server, path, "lab")
            notebook.run(0)
            notebook.wait_idle()
            notebook.run(1)
            settled = notebook.output(1).locator(SETTLED)
            expect(settled).to_contain_text("complete")
            assert "".join(numbers).strip(" ,") in settled.text_content()
            expect(notebook.output(1)).to_contain_text("rate exceeded")  # messages were dropped
