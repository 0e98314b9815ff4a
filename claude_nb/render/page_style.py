"""The style sheets of formulas and code, for pages without Jupyter's own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent / "static"
_COMMENT: Final = re.compile(r"^\s*(?:/\*(?:[^*]|\*(?!/))*\*/|//.*)$\n?|^ +", re.MULTILINE)
_SHEETS: Final = {"formulas": "<math ", "code": '<pre class="highlight"'}
"""The style sheets, and what stands in the HTML that needs each."""


def file_text(path: Path) -> str:
    """A file of JavaScript or CSS without comments and indentation: it is sent again and again."""
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


def style_of(html: str) -> str:
    """A style element for formulas and code, as far as they occur in this HTML; or nothing."""
    needed = [sheet(name) for name, sign in _SHEETS.items() if sign in html]
    return f"<style>{''.join(needed)}</style>" if needed else ""


@cache
def sheet(name: str) -> str:
    """The rules for ``formulas`` or for ``code``. They hold only within our outputs."""
    return file_text(_HERE / f"{name}.css")
