"""A small table that shows itself in a notebook and in a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from claude_nb.render.html import text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text: the first column to the left, the others to the right.

    Attributes:
        heads: The column heads.
        rows: The cells, each row as long as ``heads``.
        note: A line below the table; may be empty.
    """

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            aligned = ["text-align:left"] + ["text-align:right"] * (len(cells) - 1)
            return "".join(
                f'<{tag} style="{style};padding:2px 16px 2px 0">{text(cell)}</{tag}>'
                for cell, style in zip(cells, aligned, strict=True)
            )

        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows)
        note = f'<p style="opacity:0.7">{text(self.note)}</p>' if self.note else ""
        head = f"<thead><tr>{row(self.heads, 'th')}</tr></thead>"
        return f"<table>{head}<tbody>{body}</tbody></table>{note}"

    def __repr__(self) -> str:
        lines = [self.heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = []
        for cells in lines:
            first, *others = zip(cells, widths, strict=True)
            aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
            shown.append("  ".join(aligned).rstrip())
        return "\n".join([*shown, *([self.note] if self.note else [])])
