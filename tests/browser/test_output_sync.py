"""``output_sync.js`` alone in a page: two pages of a notebook, and Python's side of it as it is."""

from __future__ import annotations

import pytest

from claude_nb.render.scripts import source
from claude_nb.request.place import Place
from claude_nb.views.synced_output import MARK, SyncedOutput
from tests.views.test_synced_output import sync as sync  # noqa: PLC0414 - a fixture

# The outputs of a cell, as the host has them, and how often one was put there.
OUTPUTS = """{
    list: structuredClone(outputs),
    put: 0,
    get length() { return this.list.length; },
    get(i) { return this.list[i]; },
    set(i, output) { this.list[i] = output; this.put += 1; },
    add(output) { this.list.push(output); this.put += 1; },
    clear() { this.list = []; },
}"""

# Two pages, each with a model of the same widget, and the notebook that they share or one each.
PAGES = """async ([source, snapshot, outputs, shared, count]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: widget } = await import(url);
    const notebook = () => [{ id: "a", executionCount: count, outputs: OUTPUTS }];
    const one = notebook();
    window.pages = [one, shared ? one : notebook()].map((cells) => {
        const page = { cells, sent: [], handlers: {} };
        widget().initialize({ model: {
            get: () => snapshot,
            on: (name, handler) => { page.handlers[name] = handler; },
            send: (message) => { if (message.op !== "here") page.sent.push(message); },
            widget_manager: { context: { model: { cells } } },
        } });
        return page;
    });
    window.receive = (message) => {
        for (const page of pages) page.handlers["msg:custom"](message);
    };
}""".replace("OUTPUTS", OUTPUTS)


@pytest.fixture
def page(page_with_clock):
    """An empty page whose clock stands still."""
    page_with_clock.goto("about:blank")
    return page_with_clock


def exchange(page, sync) -> list[int]:
    """Hand what the pages have sent to Python and its answers to all; how many each has sent."""
    sent = page.evaluate("pages.map(page => page.sent.splice(0))")
    for message in [message for messages in sent for message in messages]:
        sync.receive(message, [])
    for answer in sync.sent:
        page.evaluate("receive", answer)
    sync.sent.clear()
    return [len(messages) for messages in sent]


def outputs(page) -> list[list[dict]]:
    """What is in the notebook of each page."""
    return page.evaluate("pages.map(page => page.cells[0].outputs.list)")


def marked(output: SyncedOutput, version: int, text: str = "old") -> dict:
    """The output as it was, in a notebook."""
    data = {"text/plain": text, MARK: {**output.mark_of_version(), "version": version}}
    return {"output_type": "display_data", "data": data, "metadata": {}}


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "each its own"])
def test_of_two_pages_one_replaces_an_output(page, sync, shared):
    """The other then sees that it is done in a shared notebook, and does the same in its own."""
    output = SyncedOutput()
    output.show({"text/plain": "old"})
    page.evaluate(PAGES, [source("output_sync"), {}, [marked(output, 1)], shared, 2])
    output.settle({"text/plain": "settled"})
    assert exchange(page, sync) == [0, 0]
    page.clock.run_for(1500)
    assert exchange(page, sync) == [1, 1]
    settled = {"output_type": "display_data", "data": {"text/plain": "settled"}, "metadata": {}}
    first, second = outputs(page)
    assert first == [settled]
    assert second == [settled if shared else marked(output, 1)]
    page.clock.run_for(1500)
    assert exchange(page, sync) == [0, 0 if shared else 1]
    assert outputs(page) == [[settled], [settled]]
    page.clock.run_for(10_000)
    assert exchange(page, sync) == [0, 0]
    assert page.evaluate("pages.map(page => page.cells[0].outputs.put)") == [1, 1]


@pytest.mark.parametrize(("count", "kept"), [(None, True), (3, False), (7, True)])
def test_an_output_that_the_notebook_lacks(page, sync, count, kept):
    """It is put into its cell by one page, in place of the outputs of an earlier execution."""
    output = SyncedOutput()
    output.place = Place("a", 7)
    output.show({"text/plain": "live"})
    other = {"output_type": "stream", "name": "stdout", "text": "other"}
    page.evaluate(PAGES, [source("output_sync"), sync.whole(), [other], True, count])
    assert exchange(page, sync) == [1, 1]
    live = marked(output, 1, "live")
    assert outputs(page)[0] == ([other, live] if kept else [live])
    page.clock.run_for(1500)
    assert exchange(page, sync) == [0, 0]
    assert page.evaluate("pages[0].cells[0].executionCount") == 7
