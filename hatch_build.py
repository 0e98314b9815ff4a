"""The package's page on PyPI: ``README.md`` without what only a checkout has."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_INSTALLED = ("-e '.[lab]'", "'claude-nb[lab]'")
"""How a checkout is installed, and how the package is."""

_BLOCK = re.compile(r"(?:(?:```.*?^```|[^\n])+\n?)+", re.DOTALL | re.MULTILINE)
"""A heading, a paragraph, a list or a fence: what blank lines end."""

_OF_CHECKOUT = re.compile(r"\]\((?!https?:)|<picture>|\.ci/|'\.\[")
"""A link to a file or within the page, a picture, a script, an installation from the folder."""

_END = """\
## Read on

`claude-nb lab` opens the notebooks that come with the package. The manual is
`%%claude?` for a cell's options and `%claude_nb help` for the commands.
"""


def page(readme: str) -> str:
    """The page: PyPI shows no file of the checkout, and has no anchors at headings."""
    blocks = [block.strip() for block in _BLOCK.findall(readme.replace(*_INSTALLED))]
    kept: list[str] = []
    for before, block in pairwise(["", *blocks]):
        is_caption = "<picture>" in before and block.startswith("*")
        if not is_caption and not _OF_CHECKOUT.search(block):
            kept.append(block)
    # A heading with nothing below it goes too.
    return (
        "\n\n".join(
            block
            for block, below in pairwise([*kept, _END])
            if not (block.startswith("## ") and below.startswith("## "))
        )
        + f"\n\n{_END}"
    )


class PageOnPyPI(MetadataHookInterface):
    """Makes the page whenever the package is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the metadata's ``readme``."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": page(readme)}
