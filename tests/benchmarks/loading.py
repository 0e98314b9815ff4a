"""What ``%load_ext claude_nb`` adds to a kernel that has IPython and ipywidgets already."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from tests.benchmarks.report import table

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
