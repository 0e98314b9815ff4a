"""Small tables with a form for notebooks and one for terminals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from claude_nb.characters import clean
from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.render.markdown.inline import QUIET, text
from claude_nb.render.markdown.markdown import ROOT_CLASSES

_CELL = "padding:2px 16px 2px 0;white-space:nowrap"
_QUIET_HEAD = f"font-weight:normal;{QUIET}"
_COLUMN = "display:inline-block;vertical-align:top;padding:0 0 6px;background:none"
_LINE = "border-bottom:1px solid #88888866"

_WIDTH = 80
"""Columns of a terminal, where a table that is wider breaks."""

_LONG = 32
"""A label that is longer leaves no room beside it: its table does not break."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text: the first column is aligned to the left, the others to the right.

    Attributes:
        heads: The column heads.
        rows: The cells, each row as long as ``heads``.
        note: Lines below the table; may be empty.
        left: The numbers of the columns of text, which are aligned to the left.
        breaks: Whether it breaks into two lines of columns where it has no room; by default it
            scrolls.
    """

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""
    left: tuple[int, ...] = (0,)
    breaks: bool = False

    def _repr_html_(self) -> str:
        return f'<div class="{ROOT_CLASSES}">{self.to_html()}</div>'  # no $ in it begins a formula

    def to_html(self) -> str:
        """The table and its note as HTML, for an output in which nothing is taken for a formula."""
        lines = "<br>".join(map(text, self.note.split("\n")))
        style = f"margin:6px 0 0;font-size:90%;overflow-wrap:anywhere;{QUIET}"
        note = f'<p style="{style}">{lines}</p>' if self.note else ""
        return f"{self._broken() if self.breaks else self._scrolled()}{note}"

    def _side(self, number: int) -> str:
        return f"text-align:{'left' if number in self.left else 'right'}"

    def _scrolled(self) -> str:
        """A line for each row; a narrow page scrolls it: numbers that wrap cannot be compared."""
        styles = [f"{self._side(number)};{_CELL}" for number in range(len(self.heads))]

        def row(cells: Sequence[str], tag: str) -> str:
            each = zip(cells, styles, strict=True)
            return "".join(f'<{tag} style="{own}">{text(cell)}</{tag}>' for cell, own in each)

        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows)
        return (
            '<div style="overflow-x:auto"><table style="margin-left:0">'
            f"<thead><tr>{row(self.heads, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _broken(self) -> str:
        """A ``<tr>`` for each column, which looks like one: a line of boxes breaks by itself.

        A saved notebook has no style sheet that could ask for the page's width.
        """
        columns = []
        for number, (head, *cells) in enumerate(zip(self.heads, *self.rows, strict=True)):
            style = f"display:block;{self._side(number)};{_CELL}"
            tag, scope = ("td", "") if number else ("th", ' scope="col"')
            first = f'<th scope="row" style="{style};{_LINE};{_QUIET_HEAD}">{text(head)}</th>'
            own = f"{style};font-weight:normal" if tag == "th" else style
            rest = "".join(f'<{tag}{scope} style="{own}">{text(cell)}</{tag}>' for cell in cells)
            columns.append(f'<tr style="{_COLUMN}">{first}{rest}</tr>')
        return (
            '<table style="display:block;margin:0;font-size:90%">'
            f'<tbody style="display:block">{"".join(columns)}</tbody></table>'
        )

    def to_markdown(self) -> str:
        """The table as Markdown, with its cells escaped; below it the note, each line apart."""
        sides = [":--" if number in self.left else "--:" for number in range(len(self.heads))]
        lines = [[_escape(cell) for cell in cells] for cells in (self.heads, *self.rows)]
        shown = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], sides, *lines[1:]))
        notes = "\\\n".join(f"*{_escape(line)}*" for line in self.note.split("\n"))
        return f"{shown}\n\n{notes}" if self.note else shown

    def __repr__(self) -> str:
        lines = [[clean(redact(cell)) for cell in cells] for cells in (self.heads, *self.rows)]
        columns: list[list[str]] = []
        for number, cells in enumerate(map(list, zip(*lines, strict=True))):
            width = max(map(len, cells))
            is_left = number in self.left
            columns.append([c.ljust(width) if is_left else c.rjust(width) for c in cells])
        labels, *rest = columns
        most = _WIDTH if self.breaks and len(labels[0]) <= _LONG else math.inf
        parts = [[labels]]
        for column in rest:
            width = sum(len(each[0]) + 2 for each in [*parts[-1], column]) - 2
            if width > most and len(parts[-1]) > 1:
                parts.append([labels])
            parts[-1].append(column)
        shown = [
            "\n".join("  ".join(line).rstrip() for line in zip(*part, strict=True))
            for part in parts
        ]
        note = [clean(redact(self.note))] if self.note else []
        return "\n".join(["\n\n".join(shown), *note])


def _escape(cell: str) -> str:
    # As entities: JupyterLab takes two dollar signs of a paragraph for those of a formula.
    escaped = text(cell).replace("|", "&#124;").replace("[", "&#91;")
    return escaped.replace("$", "&#36;")


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
