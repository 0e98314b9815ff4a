"""The top-level blocks of Markdown that is still being written, and what may yet change in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markdown_it.token import Token

from claude_nb.render.markdown import formulas
from claude_nb.render.markdown.markdown import top_level

_TABLE_END: Final = "</tbody>\n</table>\n"


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """The tokens of one top-level block and the lines that it spans, the end excluded."""

    tokens: Sequence[Token]
    start: int
    end: int

    @property
    def opening(self) -> Token:
        """The first token."""
        return self.tokens[0]

    @property
    def is_table(self) -> bool:
        """Whether it is a table."""
        return self.opening.type == "table_open"

    @property
    def settles(self) -> int:
        """The number of complete lines with which all that stands before it is final."""
        if self.opening.type == "math_block":
            return self.end
        return self.start + (2 if self.is_table else 1)

    def children(self, last: int) -> list[int]:
        """The tokens that begin its items or the rows of its body, on lines up to `last`."""
        kind, level = ("tr_open", 2) if self.is_table else ("list_item_open", 1)
        found = [
            i
            for i, token in enumerate(self.tokens)
            if token.type == kind and token.level == level and line_of(token) <= last
        ]
        return found[1:] if self.is_table else found  # the head is a row too


@dataclass(slots=True)
class OpenPart:
    """An open list or table of which only the last item or row is still parsed."""

    opening: Token
    lead: str  # the lines that make a table of its rows
    loose: bool
    missing: int  # cells that the settled rows lack, or more
    asked: set[str]

    def continues(self, blocks: list[MarkdownBlock]) -> bool:
        """Whether the first block renders as it would behind what is settled.

        If it is the same kind of list but a loose one now, its paragraphs are made to show.
        """
        if not blocks or blocks[0].start or _kind(blocks[0].opening) != _kind(self.opening):
            return False
        if blocks[0].is_table:
            return True
        shown = paragraphs(blocks[0].tokens)
        if not shown or (not shown[0].hidden and not self.loose):
            return False
        for token in shown:
            token.hidden = token.hidden and not self.loose
        return True

    def inside(self, html: str) -> str:
        """The HTML of a block that continues it, from its first item or row on."""
        if self.opening.type == "table_open":
            return html.partition("<tbody>\n")[2] or _TABLE_END
        return html[html.index("\n") + 1 :]


def _kind(opening: Token) -> tuple[Any, ...]:
    """What a list or table has in common with its continuation."""
    attributes = {name: value for name, value in opening.attrs.items() if name != "start"}
    return opening.type, opening.markup, attributes


def split(tokens: list[Token]) -> list[MarkdownBlock]:
    """The top-level blocks of a token stream."""
    return [MarkdownBlock(each, *(each[0].map or (0, 0))) for each in top_level(tokens)]


def line_of(token: Token) -> int:
    """The line on which a block token begins."""
    return token.map[0] if token.map else 0


def paragraphs(tokens: Sequence[Token]) -> list[Token]:
    """The tokens of the paragraphs right in a list's items: hidden in a tight list."""
    return [token for token in tokens if token.level == 2 and token.tag == "p"]


def missing_cells(rows: str, columns: int) -> int:
    """How many cells a table's rows lack at most."""
    found = [row.count("|") - row.count("\\|") - 1 for row in rows.split("\n")]
    return sum(max(columns - max(cells, 0), 0) for cells in found)


def formula_line(text: str) -> int:
    """The first line of `text` that a display formula may yet claim, with all that follow it."""
    paragraph = text.rfind("\n\n") + 1
    lines = text.count("\n")
    for match in formulas.FIRST_LINE.finditer(text, paragraph):
        line = text.count("\n", 0, match.start())
        if lines - line < formulas.LINES:
            return line
    return lines + 1


def offset_of(text: str, line: int) -> int:
    """Where a line of `text` begins."""
    offset = 0
    for _ in range(line):
        offset = text.find("\n", offset) + 1
        if not offset:
            return len(text)
    return offset
