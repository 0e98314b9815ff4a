"""What Sphinx needs for this site: examples that run, notebooks, and tables made from the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from extension import examples, notebooks, reference

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the three parts to Sphinx."""
    examples.setup(app)
    notebooks.setup(app)
    reference.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
