"""What cells displayed goes along with a prompt: the page tells the kernel, while the cell runs."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS, PANEL
from tests.played import said


def png(colour: str) -> str:
    """An image in base64, as outputs have it."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


RED, BLUE = png("red"), png("blue")
SHOW = "display({{'image/png': '{}', 'text/plain': '<Figure>'}}, raw=True)"
TABLE = "<table><tr><th>name<th>price</tr><tr><td>Aster<td>3</tr></table>"
KEY = "sk-" + "ant-0123456789"


@pytest.fixture
def ask(open_cells, simulator):
    """Runs cells and then one that asks; gives the notebook and the blocks that were sent."""

    def ask(*cells: str, front_end="lab"):
        simulator.enqueue(Stream(said("I see.")))
        notebook = open_cells(*cells, front_end=front_end)
        notebook.execute("from claude_nb.views import page_outputs\npage_outputs.PATIENCE = 60")
        notebook.run_all()
        notebook.wait_idle()
        return notebook, sent(simulator)

    return ask


def sent(simulator):
    """The blocks that were sent last."""
    return simulator.requests[-1].body["messages"][-1]["content"]


def images(blocks):
    """The images among blocks."""
    return [block["source"]["data"] for block in blocks if block["type"] == "image"]


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_displayed_plots_and_tables_arrive_with_the_prompt(ask, simulator, front_end):
    """In a Run All, of cells just before; plots as images, tables as text, keys as none."""
    notebook, blocks = ask(
        SHOW.format(RED),
        f"print('{KEY}')\ndisplay({{'text/html': {TABLE!r}, 'text/plain': '<Table>'}}, raw=True)",
        "%%claude --cells 3-4 --once\nWhat is in it?",
        front_end=front_end,
    )

    assert images(blocks) == [RED]
    assert "<output>\n(Image 1 of cell [3]: below)\n</output>" in blocks[0]["text"]
    assert "| name | price |\n| --- | --- |\n| Aster | 3 |\n</output>" in blocks[0]["text"]
    assert "sk-ant-…" in blocks[0]["text"]
    assert KEY not in str(blocks)
    assert blocks[0]["text"].endswith("Image 1 of cell [3]:\n")
    expect(notebook.output(3)).to_contain_text("Cells [3]–[4] included with 1 image.")
    assert not notebook.errors


def test_the_newest_figure_above_is_that_of_the_cell_that_was_run_last(ask, simulator):
    """Not one below the cell that asks; a cell that asks above all figures is told that."""
    asking = "%%claude --plot --once\nWhat is in it?"
    notebook, blocks = ask(SHOW.format(RED), SHOW.format(BLUE), asking, SHOW.format(RED))
    assert images(blocks) == [BLUE]
    expect(notebook.output(3)).to_contain_text("The figure of cell [4] included.")

    simulator.enqueue(Stream(said("I see.")))
    for index in (1, 3):
        notebook.run(index)
        notebook.wait_idle()
    assert images(sent(simulator)) == [RED]
    expect(notebook.output(3)).to_contain_text("The figure of cell [7] included.")

    notebook.page.evaluate(f"{PANEL}.content.model.sharedModel.moveCell(3, 1)")
    notebook.run(1)
    notebook.wait_idle()
    expect(notebook.output(1)).to_contain_text("There is no figure above this cell.")


def test_of_two_notebooks_with_one_kernel_the_one_that_asks_answers(ask, simulator):
    """Side by side in a page: each sends its own figure."""
    asking = "%%claude --plot --once\nWhat is in it?"
    notebook, blocks = ask(SHOW.format(RED), asking)
    assert images(blocks) == [RED]
    notebook.open_beside([SHOW.format(BLUE), asking])
    simulator.enqueue(Stream(said("I see.")), Stream(said("I see.")))
    notebook.run_all()
    notebook.wait_idle()
    assert images(sent(simulator)) == [BLUE]
    notebook.page.evaluate(
        """() => {
            const { shell } = window.jupyterapp;
            shell.activateById([...shell.widgets("main")][0].id);
        }"""
    )
    notebook.run(2)
    notebook.wait_idle()
    assert images(sent(simulator)) == [RED]


def test_what_is_not_sent_is_noted(ask, simulator):
    """Outputs of 10 MB, widgets, deleted cells; a read-only notebook is like any other."""
    notebook, blocks = ask(
        SHOW.format(RED),
        "display({'image/png': 'AAAA' * 2_500_000}, raw=True)",
        "import ipywidgets\nipywidgets.IntSlider(description='size')",
        "print('begin', 'é' * 500_000, 'end')",
        "%%claude --cells 3-6 --once\nWhat is in it?",
    )
    assert images(blocks) == [RED]
    assert "<output>\nIntSlider(value=0, description='size')\n</output>" in blocks[0]["text"]
    assert "<output>\nbegin ééé" in blocks[0]["text"]
    assert "\n[… 485,010 characters left out …]\n" in blocks[0]["text"]
    expect(notebook.output(5)).to_contain_text(
        "Cells [3]–[6] included with 1 image, [6] not in full;"
        " not included: a widget in [5], an output of more than 2 MB in [4]."
    )

    notebook.page.evaluate(
        f"""() => {{
            const {{ model }} = {PANEL}.context;
            model.sharedModel.deleteCell(1);
            model.readOnly = true;
        }}"""
    )
    simulator.enqueue(Stream(said("I see.")))
    notebook.run(4)
    notebook.wait_idle()
    notebook.page.evaluate(
        f"() => {{ const {{ model }} = {PANEL}.context; model.readOnly = false; }}"
    )
    assert images(sent(simulator)) == []
    expect(notebook.output(4)).to_contain_text("missing: displayed output in [3].")


def test_what_a_cell_displayed_is_its_output_by_number(ask, simulator):
    """It has no result: the plot itself stands in the prompt."""
    notebook, blocks = ask(SHOW.format(RED), "%%claude --once\nWhat is {{Out[3]}}?")

    assert [block.get("text", "image") for block in blocks] == ["What is ", "image", "?"]
    assert images(blocks) == [RED]
    expect(notebook.output(2)).to_contain_text("Out[3]: what the cell displayed")


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_cells_above_go_along_with_what_they_display(open_cells, simulator, front_end):
    """In the notebook's order, with Markdown; a later turn has what has changed, and none below."""
    simulator.enqueue(*[Stream(said("I see."))] * 3)
    notebook = open_cells(
        "%config ClaudeMagics.context = 'above'",
        SHOW.format(RED),
        f"display({{'text/html': {TABLE!r}, 'text/plain': '<Table>'}}, raw=True)",
        "print('tagged')",
        "1 / 1",
        "%%claude\nWhat is in it?",
        "%%claude\nAnd now?",
        front_end=front_end,
    )
    notebook.execute("from claude_nb.views import page_outputs\npage_outputs.PATIENCE = 60")
    notebook.page.evaluate(
        f"""() => {{
            const {{ sharedModel }} = {PANEL}.context.model;
            sharedModel.getCell(4).setMetadata("tags", ["claude-hide"]);
            sharedModel.insertCell(1, {{ cell_type: "markdown", source: "# Prices" }});
        }}"""
    )
    notebook.run_all()
    notebook.wait_idle()

    first, second = (request.body["messages"] for request in simulator.requests[-2:])
    blocks = first[0]["content"]
    assert images(blocks) == [RED]
    text = "".join(block.get("text", "") for block in blocks)
    places = [text.index(part) for part in ("# Prices", "(Image 1: below)", "| Aster | 3 |", "1.0")]
    assert places == sorted(places)
    assert "tagged" not in text
    expect(notebook.output(7)).to_contain_text("cells above: 6, with 1 image, 1 hidden")
    assert second[-1]["content"] == "And now?"
    expect(notebook.output(8)).to_contain_text(
        "cells above: none new or changed, 6 sent before, 1 hidden"
    )

    source = SHOW.format(BLUE)
    notebook.page.evaluate(
        f"source => {PANEL}.content.widgets[3].model.sharedModel.setSource(source)", source
    )
    for index in (3, 8):
        notebook.run(index)
        notebook.wait_idle()
    blocks = sent(simulator)
    assert images(blocks) == [BLUE]
    assert len(blocks) == 5  # between two tags, with its image, and the prompt
    expect(notebook.output(8)).to_contain_text(
        "cells above: 1 new or changed, 5 sent before, with 1 image, 1 hidden"
    )
    assert not notebook.errors


def test_a_chat_sends_what_the_cells_above_it_display(open_cells, simulator):
    """Asked on the page, while the kernel is idle."""
    simulator.enqueue(Stream(said("I see.")))
    notebook = open_cells(
        SHOW.format(RED), "import claude_nb\nclaude_nb.Chat(context='above')", "print('below')"
    )
    notebook.execute("from claude_nb.views import page_outputs\npage_outputs.PATIENCE = 60")
    notebook.run_all()
    notebook.wait_idle()
    chat = notebook.output(2)
    expect(chat.locator(".claude-nb-covered")).to_have_count(1)  # no view is taken away any more
    chat.locator("textarea").fill("What is in it?")
    chat.locator("textarea").press("Enter")
    chat.get_by_role("log").get_by_text("I see.").wait_for()

    assert images(sent(simulator)) == [RED]
    text = "".join(block.get("text", "") for block in sent(simulator))
    assert "below" not in text.replace("(Image 1: below)", "")
    expect(notebook.output(2)).to_contain_text("cells above: 2, with 1 image")
