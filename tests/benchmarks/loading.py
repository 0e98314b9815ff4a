"""What ``%load_ext claude_nb`` adds to a kernel, and how soon the first reply comes after it."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

from nbformat.v4 import new_code_cell

from tests.benchmarks.lab import lab
from tests.benchmarks.report import table
from tests.browser.lab import NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.lab import Server

_LOAD = """
import time
import ipywidgets
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "storemagic")
start = time.perf_counter()
shell.run_line_magic("load_ext", {extension!r})
print(1000 * (time.perf_counter() - start))
"""


def loading(repeats: int) -> None:
    """Print the milliseconds of ``%load_ext`` in fresh processes, beside an extension of IPython's.

    The import of the SDK goes on in a thread of its own, and is not in it.
    """
    found: dict[str, list[float]] = {"claude_nb": [], "autoreload": []}
    for _ in range(2 * repeats + 1):
        for extension, taken in found.items():
            code = _LOAD.format(extension=extension)
            said = subprocess.check_output([sys.executable, "-c", code], text=True)
            taken.append(float(said))
    rows = [
        (name, f"{median(taken[1:]):.1f}", f"{max(taken[1:]):.1f}") for name, taken in found.items()
    ]
    table("%load_ext in a fresh process", ("extension", "median ms", "slowest ms"), rows)


_FIRST_TEXT = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    panel.content.activeCellIndex = 1;
    const start = performance.now();
    window.jupyterapp.commands.execute("notebook:run-cell");
    while (!panel.node.textContent.includes("The sky is blue"))
        await new Promise(requestAnimationFrame);
    return (performance.now() - start) / 1000;
}"""


def first_text(repeats: int) -> None:
    """Print the seconds from running a kernel's first ``%%claude`` to simulated text on the page.

    The simulator takes some of them: 0.5 s until it answers, and 0.3 s for thinking.
    """
    rows = []
    with lab() as (server, chromium):
        for wait in (0, 1, 2):
            taken = []
            for number in range(repeats):
                with chromium.new_page() as page:
                    taken.append(_first_text(page, server, f"first-{wait}-{number}", wait))
                server.shutdown_kernels()
            rows.append((f"{wait} s after %load_ext", f"{median(taken):.2f}", f"{max(taken):.2f}"))
    table("The first text of a kernel's first reply", ("", "median s", "slowest s"), rows)


def _first_text(page: Page, server: Server, name: str, wait: float) -> float:
    cells = ["%load_ext claude_nb", "%%claude\nWhy is the sky blue?"]
    path = server.write(name, list(map(new_code_cell, cells)), trusted=True)
    notebook = NotebookPage(page, server, path, "lab")
    notebook.run(0)
    notebook.wait_idle()
    page.wait_for_timeout(1000 * wait)
    taken: float = page.evaluate(_FIRST_TEXT)
    notebook.wait_idle()
    return taken
