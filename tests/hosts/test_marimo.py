"""In marimo, which has cells without IPython, and shows widgets by ``anywidget``."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.hosts.conftest import ChatBox
from tests.played import said, start, text

ANSWER = (
    "# A title\n\nAn eigenvalue \\(\\lambda\\) solves\n\n1. one\n2. two\n\n```python\nx = 'y'\n```"
)
CELLS = [
    "import claude_nb\nimport marimo as mo\nask = mo.ui.run_button(label='Ask again')\nask",
    "claude_nb.ask('What is an eigenvalue?')",
    "kept = claude_nb.ask('And a vector?')",
    "sides = claude_nb.compare('Which?', efforts=['low', 'high'])",
    "claude_nb.Chat(height=300)",
    "mo.ui.anywidget(claude_nb.Chat('wrapped', height=300))",
    "mo.stop(not ask.value)\nmo.output.append('Above.')\nfirst = claude_nb.ask('Slowly')",
]


def notebook(*cells: str) -> str:
    """A notebook of marimo with these cells."""
    body = "".join(
        "\n\n@app.cell\ndef _({}):\n{}\n    return {}\n".format(
            "" if cell.startswith("import") else "claude_nb, mo, ask",
            re.sub("^", "    ", cell, flags=re.MULTILINE),
            "claude_nb, mo, ask" if cell.startswith("import") else "",
        )
        for cell in cells
    )
    return f"import marimo\n\napp = marimo.App()\n{body}"


@pytest.fixture(scope="module")
def page(browser, serve, simulator, tmp_path_factory):
    """The notebook as an application, whose cells have run but for the last."""
    simulator.enqueue(*[Stream(said(ANSWER))], *[Stream(said(each)) for each in ("V.", "A.", "B.")])
    path = tmp_path_factory.mktemp("marimo") / "app.py"
    path.write_text(notebook(*CELLS), encoding="utf-8")
    address = serve("marimo", "run", str(path), "--headless", "--no-token", "--port=PORT")
    page = browser.new_page(viewport={"width": 1100, "height": 2000})
    page.set_default_timeout(60_000)
    page.goto(address)
    expect(page.locator(".claude-nb-chat")).to_have_count(2)
    yield page
    page.close()


def test_a_reply_is_the_value_of_a_cell(page):
    """It is shown once, formatted: margins, numbers of lists, formulas, and code in colour."""
    reply = page.locator(".claude-nb", has_text="An eigenvalue")

    expect(reply).to_have_count(1)
    expect(page.get_by_text("# A title")).to_have_count(0)
    expect(reply.locator("math")).to_have_count(1)
    styles = "(e, name) => getComputedStyle(e)[name]"
    assert reply.locator("ol").evaluate(styles, "listStyleType") == "decimal"
    assert reply.locator("p", has_text="An eigenvalue").evaluate(styles, "marginTop") != "0px"
    plain, colour = (reply.locator(e).evaluate(styles, "color") for e in ("pre", "pre span.s1"))
    assert plain != colour


def test_a_reply_that_a_cell_keeps_is_shown(page):
    """The cell returns nothing, and shows the reply, or several side by side."""
    expect(page.locator(".claude-nb", has_text="V.")).to_have_count(1)
    sides = page.locator(".claude-nb", has_text="A.").filter(has_text="B.")
    expect(sides).to_have_count(1)
    expect(sides).not_to_contain_text("connecting")


@pytest.mark.parametrize("which", [0, 1], ids=["as it is", "mo.ui.anywidget"])
def test_a_chat(page, simulator, which):
    """It asks and answers; Stop ends an answer and keeps what came."""
    simulator.enqueue(
        Stream(said("1. Good \\(\\lambda\\).")), Stream([start(), *text("One", " two")], end="hang")
    )
    chat = ChatBox(page.locator(".claude-nb-chat").nth(which))

    chat.ask("Hello", "Good")
    expect(chat.turns.last.locator("math")).to_have_count(1)
    style = "e => getComputedStyle(e).listStyleType"
    assert chat.turns.last.locator("ol").evaluate(style) == "decimal"
    assert page.locator("#claude-nb-announcer").bounding_box()["height"] == 1
    chat.send("Count")
    expect(chat.turns.last).to_contain_text("One two")
    chat.stop()

    expect(chat.turns.last).to_contain_text("One two")
    assert chat.el.bounding_box()["height"] == 300


def test_a_reply_streams_between_what_its_cell_displays(page, simulator):
    """It grows in its own place while the cell runs, below what stands there."""
    simulator.enqueue(Stream([start(), *text("First.")], end="hang"))
    cell = page.locator("[id^=output-]", has_text="Above.")

    page.get_by_role("button", name="Ask again").click()
    expect(cell.locator(".claude-nb")).to_contain_text("First.")
    expect(cell.locator(".claude-nb")).to_have_count(1)
