"""Two browsers on one notebook, with jupyter-collaboration."""

from __future__ import annotations

import json

import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import PANEL, NotebookPage, Server
from tests.hosts.conftest import ChatBox
from tests.played import said, start, text

SET_UP = "%load_ext claude_nb\nimport claude_nb"
LONG = [f"word{number} " for number in range(400)]


@pytest.fixture(scope="module")
def server(simulator, tmp_path_factory):
    """A server whose notebooks are shared."""
    with Server(tmp_path_factory.mktemp("shared") / "server", api=simulator.base_url) as running:
        yield running


@pytest.fixture
def pages(browser, server, request):
    """A notebook, open in two browsers: the first runs its cells."""
    cells = [SET_UP, *request.param]
    path = server.write(request.node.originalname, [new_code_cell(cell) for cell in cells])
    contexts = [browser.new_context(viewport={"width": 1100, "height": 900}) for _ in range(2)]
    opened = [NotebookPage(context.new_page(), server, path, "lab") for context in contexts]
    opened[0].run(0)
    opened[0].wait_idle()
    yield opened
    for context in contexts:
        context.close()


def outputs(page: NotebookPage, cell: int = 1) -> list[dict[str, object]]:
    """The outputs of a cell in the shared notebook, as a page has them."""
    code = f"{PANEL}.content.widgets[{cell}].model.outputs.toJSON()"
    return json.loads(page.page.evaluate(f"JSON.stringify({code})"))


@pytest.mark.parametrize("pages", [["%%claude\nHi"]], indirect=True)
def test_the_other_page_reads_along(pages, simulator):
    """The text grows there too; it can stop the reply, and both end with one settled output."""
    one, other = pages
    simulator.enqueue(Stream([start(), *text("First. ", "Second.")], end="hang"))

    one.run(1)
    for page in pages:
        expect(page.output(1)).to_contain_text("Second.")
    other.output(1).get_by_role("button", name="Stop").press("Enter")
    one.wait_idle()

    for page in pages:
        expect(page.output(1)).to_contain_text("stopped")
        expect(page.output(1).locator(".claude-nb")).to_have_count(1)
        (output,) = [each for each in outputs(page) if each["output_type"] == "display_data"]
        assert "First. Second." in output["data"]["text/plain"]
        assert page.errors == []


@pytest.mark.parametrize("pages", [["%%claude\nHi"]], indirect=True)
def test_a_page_that_was_reloaded_reads_along_too(pages, simulator):
    """While the reply streams the shared notebook stays as it is; at the end it has it once."""
    one, other = pages
    simulator.enqueue(Stream([start(), *text("First. ", "Second.")], end="hang"))
    one.run(1)
    expect(other.output(1)).to_contain_text("Second.")
    (placeholder,) = outputs(other)
    assert "Second." not in json.dumps(placeholder)

    one.reload()
    expect(one.output(1)).to_contain_text("Second.")
    one.output(1).get_by_role("button", name="Stop").press("Enter")

    for page in pages:
        expect(page.output(1)).to_contain_text("stopped")
        expect(page.output(1).locator(".claude-nb")).to_have_count(1)


@pytest.mark.parametrize("pages", [["chat = claude_nb.Chat()\nchat"]], indirect=True)
def test_a_chat_stays_one_output(pages, simulator):
    """Both browsers ask in it, also after one was reloaded, and both show each answer once."""
    one, other = pages
    one.run(1)
    for number, page in enumerate([one, other, one, other, one]):
        if number == 2:
            one.reload()
        simulator.enqueue(Stream(said(f"Answer {number}.")))
        for each in pages:
            expect(each.page.locator(".claude-nb-chat")).to_have_count(1)
        ChatBox(page.page.locator(".claude-nb-chat")).ask("Hi", f"Answer {number}.")
        for each in pages:
            expect(each.page.locator(".claude-nb-chat")).to_contain_text(f"Answer {number}.")
            each.page.wait_for_function(
                f"""words => {{
                    const outputs = {PANEL}.content.widgets[1].model.outputs;
                    return outputs.length === 1
                        && outputs.get(0).data["text/html"]?.includes(words);
                }}""",
                arg=f"Answer {number}.",
            )
