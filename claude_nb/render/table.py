"""Small tables with a form for notebooks and one for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from claude_nb.characters import clean
from claude_nb.errors import InputError, redact
from claude_nb.render.markdown.inline import QUIET, text

_CELL = "padding:2px 16px 2px 0;white-space:nowrap"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text: the first column is aligned to the left, the others to the right.

    Attributes:
        heads: The column heads.
        rows: The cells, each row as long as ``heads``.
        note: Lines below the table; may be empty.
        left: The numbers of the columns of text, which are aligned to the left.
    """

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""
    left: tuple[int, ...] = (0,)

    def _repr_html_(self) -> str:
        sides = ("left" if number in self.left else "right" for number in range(len(self.heads)))
        styles = [f"text-align:{side};{_CELL}" for side in sides]
        lines = "<br>".join(map(text, self.note.split("\n")))
        note = f'<p style="{QUIET}">{lines}</p>' if self.note else ""
        return f"{to_html([self.heads, *self.rows], styles)}{note}"

    def __repr__(self) -> str:
        lines = [[clean(redact(cell)) for cell in cells] for cells in (self.heads, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join(
                cell.ljust(width) if number in self.left else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in lines
        ]
        return "\n".join([*shown, *([clean(redact(self.note))] if self.note else [])])


def to_html(
    lines: Sequence[Sequence[str]],
    styles: Sequence[str],
    *,
    head: str = "",
    style: str = "margin-left:0",
) -> str:
    """A table as HTML.

    Args:
        lines: The cells, those of the head first.
        styles: The style of each column's cells.
        head: More style for the cells of the head.
        style: The style of the table.
    """

    def row(cells: Sequence[str], tag: str, more: str = "") -> str:
        each = zip(cells, styles, strict=True)
        return "".join(f'<{tag} style="{own}{more}">{text(cell)}</{tag}>' for cell, own in each)

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in lines[1:])
    # On a narrow page the table scrolls: numbers that wrap cannot be compared.
    return (
        f'<div style="overflow-x:auto"><table style="{style}">'
        f"<thead><tr>{row(lines[0], 'th', head)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def import_pandas(otherwise: str = "") -> Any:
    """The module ``pandas``, for a table that is handed out.

    Args:
        otherwise: What to do without it, in words.

    Raises:
        InputError: It is not installed.
    """
    try:
        return import_module("pandas")
    except ImportError:
        advice = f"Install it: %pip install pandas{otherwise}"
        raise InputError("pandas is not installed.", advice) from None
