"""``python -m tests.benchmarks [SECTION ...]``: prints Markdown tables; nothing is asserted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tests.benchmarks import cells
from tests.benchmarks.browser import page
from tests.benchmarks.chat import typing
from tests.benchmarks.classroom import classroom
from tests.benchmarks.extension import extension
from tests.benchmarks.loading import first_text, loading
from tests.benchmarks.render import healing, rendering
from tests.benchmarks.report import head
from tests.benchmarks.server import Replies

if TYPE_CHECKING:
    from collections.abc import Sequence

CELLS = {
    "fast": cells.fast,
    "paced": cells.paced,
    "tool": cells.tool_input,
    "memory": cells.memory,
    "growth": cells.growth,
    "eight": cells.eight,
}
SECTIONS = (*CELLS, "rendering", "healing", "loading", "first", "page", "typing", "class", "extension")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the sections that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    chosen = options.sections or SECTIONS
    head()
    with Replies() as replies:
        if any(name in CELLS for name in chosen):
            with cells.Kernels(replies) as kernels:
                for name in (name for name in CELLS if name in chosen):
                    CELLS[name](kernels, options.repeats)
        if "rendering" in chosen:
            rendering()
        if "healing" in chosen:
            healing()
        if "loading" in chosen:
            loading(options.repeats)
        if "first" in chosen:
            first_text(options.repeats)
        if "page" in chosen:
            page(replies)
        if "typing" in chosen:
            typing(replies)
        if "class" in chosen:
            classroom()
        if "extension" in chosen:
            extension(options.repeats)


if __name__ == "__main__":
    main()
