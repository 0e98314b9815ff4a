"""In Voila, which runs a notebook with nbclient and shows its outputs as an application."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.hosts.conftest import SET_UP, ChatBox, notebook
from tests.played import said, start, text

CHAT = "claude_nb.Chat(height=300)"
BOXED = "VBox([IntSlider(), HBox([claude_nb.Chat('boxed', height=300)])])"
FORMULA = r"An eigenvalue \(\lambda\) solves \[\det(A - \lambda I) = 0.\]"


@pytest.fixture(scope="module")
def page(browser, serve, simulator, tmp_path_factory):
    """The application, in which a cell has asked."""
    simulator.enqueue(Stream(said(FORMULA)))
    path = tmp_path_factory.mktemp("voila") / "app.ipynb"
    nbformat.write(notebook(SET_UP, CHAT, BOXED, "%%claude\nWhat is an eigenvalue?"), path)
    address = serve("voila", str(path), "--no-browser", "--port=PORT", "--Voila.ip=127.0.0.1")
    page = browser.new_page(viewport={"width": 1100, "height": 1400})
    page.set_default_timeout(60_000)
    page.goto(address)
    expect(page.locator(".claude-nb-chat")).to_have_count(2)
    yield page
    page.close()


def test_a_chat_as_the_value_of_a_cell(page, simulator):
    """It is shown once, and asks and answers; Stop ends an answer and keeps what came."""
    simulator.enqueue(
        Stream(said("Good day.")), Stream([start(), *text("One", " two")], end="hang")
    )
    chat = ChatBox(page.locator(".claude-nb-chat").first)

    chat.ask("Hello", "Good day.")
    chat.send("Count")
    expect(chat.turns.last).to_contain_text("One two")
    chat.stop()

    expect(chat.turns.last).to_contain_text("One two")
    expect(page.get_by_text("no box to write in")).to_have_count(0)
    expect(page.locator("[class*=-beside]")).to_be_hidden()


def test_a_chat_in_a_box(page, simulator):
    """It is as high as it is elsewhere, nothing lies over it, and it answers."""
    simulator.enqueue(Stream(said("From the box.")))
    chat = ChatBox(page.locator(".claude-nb-chat").last)

    chat.ask("Hello", "From the box.")

    assert chat.el.bounding_box()["height"] == 300
    chat.el.get_by_role("button", name="More").click(trial=True)


def test_a_reply_of_a_cell(page):
    """It is shown once, as it is saved, with its formulas set."""
    reply = page.locator(".jp-OutputArea-output", has_text="An eigenvalue")

    expect(reply).to_have_count(1)
    expect(reply.locator("mjx-container")).to_have_count(2)
