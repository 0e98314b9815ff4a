"""What it takes to put the cells of a notebook together, once the page has told them."""

from __future__ import annotations

import base64
import io
import time
from statistics import median

from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from claude_nb.notebook import context
from claude_nb.request.request import Request
from claude_nb.views.page_outputs import DisplayedCell, Output
from tests.benchmarks.report import table

CELLS = 300
_HTML = "<table><tr><th>name<th>price</tr>" + "<tr><td>Aster<td>3.25</tr>" * 40 + "</table>"


def notebook(count: int = CELLS) -> list[DisplayedCell]:
    """Cells as a page tells them: every fourth is Markdown, some have tables and plots."""
    file = io.BytesIO()
    Image.effect_noise((200, 150), 80).save(file, "PNG")
    plot = base64.b64encode(file.getvalue()).decode()

    def cell(number: int) -> DisplayedCell:
        outputs = [Output(("text/plain",), {"text/plain": f"line {number}\n" * 20})]
        if number % 5 == 0:
            data = {"text/html": _HTML, "text/plain": "name price\n" * 40}
            outputs.append(Output(tuple(data), data))
        if number % 10 == 0:
            outputs.append(Output(("image/png", "text/plain"), {"image/png": plot}))
        kind = "markdown" if number % 4 == 1 else "code"
        source = f"total_{number} = compute({number})\n" * 3
        shown = () if kind == "markdown" else tuple(outputs)
        return DisplayedCell(number, source, shown, id=f"cell-{number}", kind=kind)

    return [cell(number) for number in range(1, count + 1)]


def putting_together(repeats: int) -> None:
    """Print the CPU that it takes for a first prompt, for the same again, and for a next turn."""
    InteractiveShell.instance()
    found = notebook()
    taken: dict[str, list[float]] = {"first prompt": [], "the same cells": [], "next turn": []}
    for _ in range(3 * repeats):
        context.forget()
        before: list[dict[str, object]] = []
        for name, times in taken.items():
            start = time.process_time()
            cells = context.of_cells("above", found, {}, is_page=True)
            request = Request("Why?", cells=cells).with_cells(
                before if name == "next turn" else [], []
            )
            times.append(1000 * (time.process_time() - start))
            before = request.params()["messages"]
    rows = [(name, f"{median(times):.1f}", f"{max(times):.1f}") for name, times in taken.items()]
    table(f"{CELLS} cells put together", ("for", "median ms of CPU", "slowest ms"), rows)
