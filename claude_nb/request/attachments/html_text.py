"""HTML as text: its tables in Markdown, of all else the words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_UNSEEN = ("script", "style", "head", "svg", "template", "button", "select")
_LINES = ("p", "div", "br", "li", "ul", "ol", "pre", "table", "h1", "h2", "h3", "h4", "h5", "h6")


def html_text(html: str) -> str:
    """What a reader sees of HTML, as Markdown; empty where that is nothing but pictures."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end_tables()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Reads tables by their rows; one within a cell of another is words of that cell."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0
        self._depth = 0  # of tables
        self._rows: list[list[str]] = []
        self._spanning: dict[int, tuple[int, str]] = {}  # column: rows to come, and the text
        self._cell: list[str] | None = None
        self._span = (1, 1)  # columns, rows

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "table":
            self._depth += 1
        elif self._depth == 1 and tag == "tr":
            self._end_row()
            self._rows.append([])
        elif self._depth == 1 and tag in ("td", "th"):
            self._end_cell()
            given = dict(attrs)
            columns, rows = (_number(given.get(name)) for name in ("colspan", "rowspan"))
            self._cell, self._span = [], (columns, rows)
        if tag in _LINES:
            self._add("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "table" and self._depth == 1:
            self.end_tables()
        elif tag == "table":
            self._depth = max(0, self._depth - 1)
        elif self._depth == 1 and tag in ("td", "th"):
            self._end_cell()
        elif self._depth == 1 and tag == "tr":
            self._end_row()
        if tag in _LINES:
            self._add("\n")

    def handle_data(self, data: str) -> None:
        self._add(data)

    def end_tables(self) -> None:
        """Write the table that is open, if there is one."""
        self._end_row()
        rows = [row for row in self._rows if any(row)]
        width = max(map(len, rows), default=0)
        lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
        if lines:
            lines.insert(1, "| " + " | ".join(["---"] * width) + " |")
        self._rows, self._spanning, self._depth = [], {}, 0
        self._add("\n\n" + "\n".join(lines) + "\n\n" if lines else "")

    def _add(self, text: str) -> None:
        if not self._unseen:
            (self.parts if self._cell is None else self._cell).append(text)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        text = " ".join("".join(self._cell).split()).replace("|", r"\|")
        columns, rows = self._span
        self._cell = None
        if not self._rows:
            self._rows.append([])
        row = self._rows[-1]
        self._fill(row)
        for number in range(columns):
            if rows > 1:
                self._spanning[len(row)] = (rows - 1, text)
            row.append("" if number else text)

    def _end_row(self) -> None:
        self._end_cell()
        if self._rows:
            self._fill(self._rows[-1])

    def _fill(self, row: list[str]) -> None:
        """Put in the cells of the rows above that reach into this one."""
        while len(row) in self._spanning:
            left, text = self._spanning.pop(len(row))
            if left > 1:
                self._spanning[len(row)] = (left - 1, text)
            row.append(text)


def _number(span: str | None) -> int:
    return min(int(span), 100) if span and span.isascii() and span.isdigit() and int(span) else 1
