"""``python -m tests.benchmarks [SECTION ...]``: prints Markdown tables; nothing is asserted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tests.benchmarks import cells
from tests.benchmarks.browser import page
from tests.benchmarks.chat import typing
from tests.benchmarks.classroom import classroom
from tests.benchmarks.context import putting_together
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
REPEATED = {
    "context": putting_together,
    "loading": loading,
    "first": first_text,
    "extension": extension,
}
SECTIONS = (*CELLS, "rendering", "healing", *REPEATED, "page", "typing", "class")


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
        for name in (name for name in REPEATED if name in chosen):
            REPEATED[name](options.repeats)
        if "page" in chosen:
            page(replies)
        if "typing" in chosen:
            typing(replies)
        if "class" in chosen:
            classroom()


if __name__ == "__main__":
    main()
