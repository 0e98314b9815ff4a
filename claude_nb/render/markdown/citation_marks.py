"""Marks: small pieces of our own HTML that stand in Markdown without being part of it.

The API cuts a text where it cites, which may be anywhere: behind a word, inside bold type, at the
end of a table's row, within a code fence. A mark there must change nothing of what the text means.
So a text with marks is parsed as if it had none, and each mark then goes where its place came to
lie: between two words, or behind the link, code or formula that it would have torn apart. Where
nothing can stand (code blocks, rules, definitions of links) it is left out.

In a string, a mark is its HTML between two control characters. A text that is `clean` holds none,
so nothing that came from a server can be taken for a mark.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from markdown_it.token import Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline

_START: Final = "\x02"
_MARK: Final = re.compile("\x02([^\x03]*)\x03")
_MARKS: Final = re.compile("(?:\\s|\x02[^\x03]*\x03)*")
_KEY: Final = "marks"


class _Mark(NamedTuple):
    at: int
    html: str


class _Span(NamedTuple):
    """Where a piece of an inline token's content stands in the text: two offsets and its length."""

    at: int
    source: int
    length: int


@dataclass(slots=True)
class _Waiting:
    """The marks of a text, and those that the inline text being parsed still waits for."""

    found: list[_Mark]
    tokens: list[Token] = field(default_factory=list)
    marks: deque[_Mark] = field(default_factory=deque)


def mark(html: str) -> str:
    """A mark to put into a clean text; ``html`` has neither line ends nor control characters."""
    return f"{_START}{html}\x03"


def has_marks(text: str) -> bool:
    """Whether a text has marks in it."""
    return _START in text


def unmarked(text: str) -> str:
    """A text without its marks."""
    return _MARK.sub("", text) if _START in text else text


def end_of_marks(text: str, at: int) -> int:
    """Where the marks and white space end that begin at a place: they belong to what precedes."""
    return _MARKS.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too


def take(text: str) -> tuple[str, dict[str, Any]]:
    """Take the marks out of a text.

    Returns:
        The text without them, and what a parser with `install` needs in its environment.
    """
    source = ""
    parts: list[str] = []
    found: list[_Mark] = []
    length = visible = end = 0
    for each in _MARK.finditer(text):
        part = text[end : each.start()]
        end = each.end()
        parts.append(part)
        if stripped := part.rstrip():
            visible = length + len(stripped)
        length += len(part)
        if visible:  # before white space, or it could begin a paragraph of its own
            found.append(_Mark(visible, each[1]))
    source = "".join(parts) + text[end:]
    return source, {_KEY: _Waiting(found)}


def install(parser: MarkdownIt) -> None:
    """Let a parser put marks into what it parses; each is a token of type ``mark``."""
    parser.core.ruler.before("limit", "marks", _place)
    parser.core.ruler.at("inline", _inline)
    parser.inline.ruler.before("text", "marks", _step)


def places(tokens: Iterable[Token]) -> Iterator[tuple[int, str]]:
    """Where in the text each mark has come to stand, and the mark."""
    for token in tokens:
        spans: list[_Span] = token.meta.get("spans", [])
        for child in token.children or []:
            if child.type == "mark":
                at = child.meta["at"]
                # Behind what it stands behind, not before the line that follows.
                yield (_source(spans, at - 1) + 1 if at else spans[0].source), child.content


def _place(state: StateCore) -> None:
    """Give each inline token the marks on its lines."""
    waiting: _Waiting = state.env[_KEY]
    lines = state.src.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    on_line: dict[int, list[_Mark]] = {}
    for found in waiting.found:
        on_line.setdefault(bisect_right(starts, found.at) - 1, []).append(found)
    cells: dict[int, list[Token]] = {}
    before = ""
    for token in state.tokens:
        if token.type == "inline" and token.map:
            first, end = token.map
            marks = [each for line in range(first, end) for each in on_line.get(line, ())]
            if marks and before in {"th_open", "td_open"}:
                cells.setdefault(first, []).append(token)
            elif marks:
                _give(token, _spans(token.content, lines, starts, first), marks)
        before = token.type
    for line, row in cells.items():
        _give_row(row, lines[line], starts[line], on_line[line])


def _give(token: Token, spans: list[_Span], marks: Iterable[_Mark]) -> None:
    token.meta["spans"] = spans
    token.meta["marks"] = [_Mark(_at(spans, each.at), each.html) for each in marks]


def _give_row(row: list[Token], line: str, start: int, marks: list[_Mark]) -> None:
    """Give the cells of a table's row their marks: one behind a cell's bar belongs to the cell."""
    filled: list[tuple[Token, list[_Span]]] = []
    column = 0
    for token in row:
        if token.content:
            raw = token.content.replace("|", "\\|")
            column = max(column, line.find(raw, column))
            filled.append((token, _cell_spans(token.content, start + column)))
            column += len(raw)
    begins = [spans[0].source for _, spans in filled]
    for number, (token, spans) in enumerate(filled):
        own = [each for each in marks if max(bisect_right(begins, each.at) - 1, 0) == number]
        if own:
            _give(token, spans, own)


def _spans(content: str, lines: Sequence[str], starts: Sequence[int], first: int) -> list[_Span]:
    """The spans of a paragraph or heading: of each line its end, what stands before is markup."""
    spans = []
    at = 0
    for number, part in enumerate(content.split("\n"), first):
        column = lines[number].rfind(part)
        if column < 0:  # a tab that was cut in two
            column = max(0, len(lines[number]) - len(part))
        spans.append(_Span(at, starts[number] + column, len(part)))
        at += len(part) + 1
    return spans


def _cell_spans(content: str, source: int) -> list[_Span]:
    """The spans of a cell, in whose source each bar has a backslash before it."""
    spans: list[_Span] = []
    at = 0
    for number, part in enumerate(content.split("|")):
        length = len(part) + bool(number)
        spans.append(_Span(at, source + at + number, length))
        at += length
    return spans


def _at(spans: Sequence[_Span], source: int) -> int:
    """The place in the content of a place in the text."""
    number = bisect_right(spans, source, key=lambda span: span.source) - 1
    span = spans[max(number, 0)]
    return span.at + min(max(source - span.source, 0), span.length)


def _source(spans: Sequence[_Span], at: int) -> int:
    """The place in the text of a place in the content."""
    span = spans[bisect_right(spans, at, key=lambda span: span.at) - 1]
    return span.source + min(at - span.at, span.length)


def _inline(state: StateCore) -> None:
    """Parse the inline tokens, each with its marks."""
    waiting: _Waiting = state.env[_KEY]
    for token in state.tokens:
        if token.type != "inline":
            continue
        marks = token.meta.get("marks", [])
        if token.children:  # too long to be parsed
            (text,) = token.children
            token.children = _cut(text.content, marks)
            continue
        token.children = waiting.tokens = []
        waiting.marks = deque(marks)
        state.md.inline.parse(token.content, state.md, state.env, token.children)
        token.children += [_token(each, len(token.content)) for each in waiting.marks]


def _cut(text: str, marks: Iterable[_Mark]) -> list[Token]:
    tokens = []
    begin = 0
    for each in marks:
        tokens += [Token("text", "", 0, content=text[begin : each.at]), _token(each, each.at)]
        begin = each.at
    return [*tokens, Token("text", "", 0, content=text[begin:])]


def _token(each: _Mark, at: int) -> Token:
    return Token("mark", "", 0, content=each.html, meta={"at": at})


def _step(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """Take a step by the other rules, and put the marks that it has reached or passed behind it."""
    waiting: _Waiting = state.env[_KEY]
    # Not inside a link, which may not hold another; nor in an image's text.
    if silent or not waiting.marks or state.linkLevel or state.tokens is not waiting.tokens:
        return False
    begin, count = state.pos, len(state.tokens)
    if not any(rule(state, False) for rule in state.md.inline.ruler.getRules("")[1:]):  # noqa: FBT003
        state.append_pending(state.src[begin])
        state.pos += 1
    step = state.src[begin : state.pos]
    pending = state.pending
    # Text is cut where a mark stands; everything else has it behind.
    is_text = len(state.tokens) == count and pending.endswith(step)
    done = 0
    while waiting.marks and waiting.marks[0].at <= state.pos:
        each = waiting.marks.popleft()
        at = max(each.at, begin) if is_text else state.pos
        cut = len(pending) - (state.pos - at)
        state.pending = pending[done:cut]
        token = state.push("mark", "", 0)
        token.content, token.meta = each.html, {"at": at}
        done = cut
    state.pending = pending[done:]
    return True
