"""``settle.js`` alone: two pages of a notebook, and Python's side of it as it is."""

from __future__ import annotations

import pytest

from claude_nb.request.place import Place
from claude_nb.streaming.record import MIME
from claude_nb.views.synced_output import MARK, WIDGET, SyncedOutput
from tests.browser.test_output_sync import OUTPUTS, exchange, marked, outputs
from tests.code_map import PACKAGE
from tests.views.test_synced_output import sync as sync  # noqa: PLC0414 - a fixture

STATIC = PACKAGE / "labextension" / "static"
ADDRESS = "http://settle.test/"

LIVE = """<div class="claude-nb-live"><div class="claude-nb" aria-busy="true"><p
class="claude-nb-status"><button>Stop</button><b>claude-opus-5-5</b></p><!----><p>The first words</p
><div class="claude-nb-reserved">usage</div></div></div>"""

# Two pages, and the notebook that they share or one each; their tab once had the session "old".
PAGES = """async ([outputs, count, shared, state, shown = ""]) => {
    sessionStorage.setItem("claude_nb.sessions", '["old"]');
    const { settle } = await import("/settle.js");
    const signal = () => ({ connect(handler) { this.emit = (it) => handler(null, it); } });
    const notebook = () => Object.assign([{
        id: "a", type: "code", executionCount: count, executionState: state,
        outputs: OUTPUTS }], { changed: signal() });
    const one = notebook();
    window.pages = ["one", "other"].map((session) => {
        const cells = shared ? one : notebook();
        const page = { cells, sent: [], model: { cells, collaborative: shared, dirty: false } };
        const kernel = {
            clientId: session,
            id: "here",
            requestCommInfo: async () => ({
                header: { session: "now" }, content: { comms: { "WIDGET": {} } },
            }),
            sendShellMessage: ({ content }) => page.sent.push(content.data.content),
        };
        const sessionContext = { session: { kernel }, iopubMessage: signal(),
            kernelChanged: signal(), connectionStatusChanged: signal() };
        page.hear = (content) => sessionContext.iopubMessage.emit({
            header: { msg_type: "comm_msg" },
            content: { comm_id: "WIDGET", data: { method: "custom", content } },
        });
        const context = { ready: Promise.resolve(), model: page.model, sessionContext };
        const node = document.createElement("div");
        node.innerHTML = session === "one" ? shown : "";
        const cell = { model: cells[0], outputArea: { widgets: [{ node }, { node }] } };
        const panels = [{ context, content: { widgets: [cell] } }];
        const running = () => [{ id: "here" }, { id: "other" }];
        const kernels = { refreshRunning: async () => {}, running };
        settle(context, panels, { createMessage: (it) => it }, kernels);
        return page;
    });
    window.receive = (message) => pages.forEach((page) => page.hear(message));
}""".replace("WIDGET", WIDGET).replace("OUTPUTS", OUTPUTS)


@pytest.fixture
def page(page_with_clock):
    """A page whose clock stands still, and that can import the extension's files."""
    page = page_with_clock
    page.route(
        f"{ADDRESS}**",
        lambda route: (
            route.fulfill(path=STATIC / route.request.url.removeprefix(ADDRESS))
            if route.request.url.endswith(".js")
            else route.fulfill(body="<!doctype html>", content_type="text/html")
        ),
    )
    page.goto(ADDRESS)
    page.evaluate("sessionStorage.clear()")
    yield page
    page.unroute_all()


@pytest.fixture
def output(sync, monkeypatch):
    """An output of a cell that was run from a page with the extension, which is gone."""
    page = {"protocol": 1, "capabilities": ["settle"]}
    monkeypatch.setattr("claude_nb.request.page.execution_metadata", lambda: {"claude_nb": page})
    output = SyncedOutput()
    output.place = Place("a", 7)
    output.session = "old"
    return output


def say_all(page, sync) -> None:
    """Let pages and Python speak until nobody has anything to say."""
    exchange(page, sync)
    while any(exchange(page, sync)):
        pass


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "each its own"])
def test_of_two_pages_one_replaces_an_output(page, sync, output, shared):
    """At once where each has its own; in a shared notebook one of them, and it is there once."""
    output.show({"text/plain": "old"})
    output.settle({"text/plain": "settled"})
    page.evaluate(PAGES, [[marked(output, 1)], 2, shared, "idle"])
    say_all(page, sync)
    if shared:
        assert outputs(page)[0] == [marked(output, 1)]
    page.clock.run_for(1500)
    say_all(page, sync)
    page.clock.run_for(10_000)
    say_all(page, sync)
    settled = {"output_type": "display_data", "data": {"text/plain": "settled"}, "metadata": {}}
    assert outputs(page) == [[settled], [settled]]
    assert page.evaluate("pages.map(page => page.cells[0].outputs.put)") == [1, 1]
    assert True in page.evaluate("pages.map(page => page.model.dirty)")


@pytest.mark.parametrize(("count", "kept"), [(None, True), (3, False), (7, True)])
def test_a_settled_output_that_the_notebook_lacks(page, sync, output, count, kept):
    """It is put into its cell once, in place of the outputs of an earlier execution."""
    output.show({"text/plain": "live"})
    output.settle({"text/plain": "settled"})
    other = {"output_type": "stream", "name": "stdout", "text": "other"}
    page.evaluate(PAGES, [[other], count, False, "idle"])
    say_all(page, sync)
    settled = {"output_type": "display_data", "data": {"text/plain": "settled"}, "metadata": {}}
    assert outputs(page)[0] == ([other, settled] if kept else [settled])
    is_trusted = page.evaluate("pages[0].cells[0].trusted === true")
    assert is_trusted is not kept, "as a cell that is run; not what came with the file"
    assert page.evaluate("pages[0].cells[0].executionCount") == 7
    assert output.cell == ""
    sync.announce(output)
    say_all(page, sync)
    assert page.evaluate("pages[0].cells[0].outputs.put") == 1


def test_what_is_displayed_later_is_put_into_the_notebook_of_the_page_that_asked(
    page, sync, output
):
    """Before it was reloaded; a cell that runs again is left alone, and what another page runs."""
    page.evaluate(PAGES, [[], None, False, "idle"])
    say_all(page, sync)
    output.session = "another page's"
    output.show({"text/plain": "1"})
    say_all(page, sync)
    assert outputs(page) == [[], []]
    output.session = "old"
    page.evaluate("pages[0].cells[0].executionState = 'running'")
    output.show({"text/plain": "2"})
    say_all(page, sync)
    assert [len(each) for each in outputs(page)] == [0, 1]
    assert outputs(page)[1][0]["data"][MARK] == output.mark_of_version()


def test_the_page_on_which_a_cell_was_run_says_that_it_has_its_output(page, sync, output):
    """So that no other page puts it in."""
    page.evaluate(PAGES, [[], 7, False, "idle"])
    say_all(page, sync)
    output.session = "one"
    output.show({"text/plain": "live"})
    output.settle({"text/plain": "settled"})
    assert output.cell == "a"
    say_all(page, sync)
    assert output.cell == ""
    assert outputs(page) == [[], []]


def test_an_output_with_an_old_version_is_brought_up_to_date_where_it_was_run(page, sync, output):
    """The host does not: the cell was moved, or the notebook was reverted, also after the last."""
    output.show({"text/plain": "1"})
    page.evaluate(PAGES, [[marked(output, 0)], 7, False, "idle"])
    say_all(page, sync)
    output.session = "one"
    for text in ("2", "3"):
        output.show({"text/plain": text})
        say_all(page, sync)
        assert outputs(page)[0][0]["data"]["text/plain"] == text
    page.evaluate("old => { pages[0].cells[0].outputs.list = [old]; }", marked(output, 1))
    page.evaluate("pages[0].cells.changed.emit()")
    page.clock.run_for(10)
    say_all(page, sync)
    assert outputs(page)[0][0]["data"]["text/plain"] == "3"


def test_what_was_being_written_when_the_kernel_ended_says_so(page, sync, output):
    """With what the page shows of it; a chat, which is saved as it is, is left alone."""
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "gone"}}
    live = marked(output, 1)
    live["data"] |= {**widget, "text/plain": "Claude is answering…"}
    chat = {**live, "data": {**live["data"], MIME: {"chat": []}}}
    page.evaluate(PAGES, [[live, chat], 2, False, "idle", LIVE])
    say_all(page, sync)
    for left, kept in outputs(page):
        assert sorted(left["data"]) == ["text/html", "text/plain"]
        assert kept == chat
    shown, blank = [each["data"] for each, _ in outputs(page)]
    line = "claude-opus-5-5 · not finished: the kernel ended."
    assert shown["text/plain"] == f"{line}\nThe first words"
    assert (
        shown["text/html"] == f'<div class="claude-nb"><p>{line}</p>\n<p>The first words</p></div>'
    )
    assert blank["text/plain"].strip() == "Not finished: the kernel ended."


@pytest.mark.parametrize(
    ("kernel", "process", "left"),
    [
        ("here", "now", False),
        ("other", "its", False),
        ("here", "before", True),
        ("no more", "", True),
    ],
    ids=["the same", "of another notebook", "restarted", "shut down"],
)
def test_only_a_kernel_that_has_ended_has_left_its_outputs(
    page, sync, output, kernel, process, left
):
    """Not one that does not know of them any more, nor that of the notebook that was copied."""
    live = marked(output, 1)
    live["data"][MARK] |= {"id": "unknown", "kernel": kernel, "process": process}
    live["data"]["application/vnd.jupyter.widget-view+json"] = {"model_id": "gone"}
    page.evaluate(PAGES, [[live], 7, False, "idle"])
    say_all(page, sync)
    page.clock.run_for(10)
    assert outputs(page)[0] != [live] if left else outputs(page)[0] == [live]
