"""What cells displayed goes along with a prompt: the page tells the kernel, while the cell runs."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

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

    def ask(*cells, front_end="lab"):
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
    assert "Cells [3]–[4] included with 1 image." in notebook.text(3)
    assert not notebook.errors
