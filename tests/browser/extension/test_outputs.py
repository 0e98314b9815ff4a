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
    expect(notebook.output(4)).to_contain_text("not known: what was displayed in [3].")
