"""Small tables with a form for notebooks and one for terminals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from claude_nb.cost.usage import Usage
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.render.html import QUIET, text

_SIDES = ("text-align:right", "text-align:left")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text: the first column is aligned to the left, the others to the right.

    Attributes:
        heads: The column heads.
        rows: The cells, each row as long as ``heads``.
        note: Lines below the table; may be empty.
        words: The numbers of the columns of text, which are aligned to the left.
    """

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""
    words: tuple[int, ...] = (0,)

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            return "".join(
                f'<{tag} style="{_SIDES[number in self.words]};padding:2px 16px 2px 0;'
                f'white-space:nowrap">{text(cell)}</{tag}>'
                for number, cell in enumerate(cells)
            )

        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows)
        lines = "<br>".join(map(text, self.note.split("\n")))
        note = f'<p style="{QUIET}">{lines}</p>' if self.note else ""
        head = f"<thead><tr>{row(self.heads, 'th')}</tr></thead>"
        # On a narrow page the table scrolls: numbers that wrap cannot be compared.
        return (
            '<div style="overflow-x:auto"><table style="margin-left:0">'
            f"{head}<tbody>{body}</tbody></table></div>{note}"
        )

    def __repr__(self) -> str:
        lines = [self.heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join(
                cell.ljust(width) if number in self.words else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in lines
        ]
        return "\n".join([*shown, *([self.note] if self.note else [])])


def total(values: Sequence[Any], label: Callable[[Any], str]) -> str:
    """A sum as text, with a plus if one of its parts is unknown.

    Args:
        values: The numbers, None for unknown ones.
        label: Makes a number, or None, a text.
    """
    known = [value for value in values if value is not None]
    if len(known) == len(values):
        return label(sum(known))
    return f"{label(sum(known))}+" if any(known) else label(None)


USAGE_HEADS = ("requests", "input", "cache write", "cache read", "output", "cost")


def usage_cells(
    requests: int, usages: Sequence[Usage], costs: Sequence[float | None]
) -> tuple[str, ...]:
    """What requests took together, as the cells under ``USAGE_HEADS``.

    Args:
        requests: How many they are.
        usages: Their tokens.
        costs: In USD, None for unknown ones.
    """
    return (
        labels.count(requests),
        total([usage.input_tokens for usage in usages], labels.count),
        total([usage.cache_write_tokens for usage in usages], labels.count),
        total([usage.cache_read_tokens for usage in usages], labels.count),
        total([usage.output_tokens for usage in usages], labels.count),
        total(costs, labels.money),
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
