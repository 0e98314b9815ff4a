"""Marks: pieces of our own HTML, such as the number of a source, at places in Markdown.

The API cuts a text where it cites something, which may be anywhere: behind a word, inside bold
type, at the end of a table's row, within a code fence. A mark there must not change how the rest is
parsed. So the text is parsed without its marks, and each mark is then put at its place: between two
words, or behind the link, code or formula that it would split. It is left out where there is no
place for it (code blocks, rules, link definitions).

In a string, a mark is its HTML between two control characters. `clean` text has no control
characters, so text from a server cannot contain a mark.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_START: Final = "\x02"
_MARK: Final = re.compile("\x02([^\x03]*)\x03")
_MARKS: Final = re.compile("(?:\\s|\x02[^\x03]*\x03)*")
_KEY: Final = "marks"


class _Mark(NamedTuple):
    at: int
    html: str


class _Span(NamedTuple):
    """A line of an inline token's content, or a piece of a cell's between two bars."""

    source: int  # where it stands in the text, ...
    line: int
    token: Token
    at: int  # ... and in the token's content
    length: int


@dataclass(slots=True)
class _Waiting:
    """The marks of a text, and those still to be put into the inline text being parsed."""

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
    """The end of the marks and white space at a place: they belong to the text before it."""
    return _MARKS.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too


def take(text: str) -> tuple[str, dict[str, Any]]:
    """Separate the marks from a text.

    Returns:
        The text without marks, and the environment for a parser with `install`.
    """
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
    """Add marks to what a parser returns, as tokens of type ``mark``."""
    parser.core.ruler.before("limit", "marks", _place)
    parser.core.ruler.at("inline", _inline)
    parser.inline.ruler.before("text", "marks", _step)


def places(tokens: Iterable[Token]) -> Iterator[tuple[int, str]]:
    """The final place of each mark in the text, and the mark."""
    for token in tokens:
        spans: list[_Span] = token.meta.get("spans", [])
        for child in token.children or []:
            if child.type == "mark":
                yield _place_of(spans, child.meta["at"]), child.content


def formulas(tokens: Sequence[Token], text: str) -> Iterator[tuple[int, int]]:
    """Where each formula of a text without marks begins and ends in it."""
    lines, starts = _lines(text)
    for _ in _spans(tokens, lines, starts):
        pass  # the tokens keep them
    for token in tokens:
        if token.type == "math_block" and token.map:
            first, end = token.map
            begin = starts[first] + lines[first].index(token.markup.partition("\n")[0])
            yield begin, starts[end - 1] + len(lines[end - 1].rstrip())
        for child in token.children or []:
            if child.type == "math_inline":
                spans, at = token.meta["spans"], child.meta["at"]
                begin = _source(spans, at)
                yield begin, _place_of(spans, at + len(child.markup))


def _place_of(spans: Sequence[_Span], at: int) -> int:
    """The place in the text of a place in the content: not before the next line."""
    return _source(spans, at - 1) + 1 if at else spans[0].source


def _place(state: StateCore) -> None:
    """Give each inline token the marks that stand in it."""
    lines, starts = _lines(state.src)
    spans = list(_spans(state.tokens, lines, starts))
    waiting: _Waiting = state.env[_KEY]
    for found in waiting.found:
        line = bisect_right(starts, found.at) - 1
        number = bisect_right(spans, found.at, key=lambda span: span.source) - 1
        if number < 0 or spans[number].line != line:  # no text stands before it on its line
            after = spans[number + 1] if number + 1 < len(spans) else None
            if after is None or after.line != line:
                continue
            if number < 0 or spans[number].token is not after.token:
                number += 1
        span = spans[number]
        at = span.at + min(max(found.at - span.source, 0), span.length)
        span.token.meta.setdefault("marks", []).append(_Mark(at, found.html))


def _lines(text: str) -> tuple[list[str], list[int]]:
    """The lines of a text, and where each begins."""
    lines = text.split("\n")
    return lines, list(accumulate((len(line) + 1 for line in lines), initial=0))


def _spans(tokens: Iterable[Token], lines: list[str], starts: list[int]) -> Iterator[_Span]:
    """The spans of all inline tokens, which keep their own in ``meta``."""
    column = 0
    for opening, token in pairwise(tokens):
        if token.type == "tr_open":
            column = 0
        if token.type != "inline" or not token.map or not token.content:
            continue
        line, at, spans = token.map[0], 0, token.meta.setdefault("spans", [])
        is_cell = opening.type in ("th_open", "td_open")
        if is_cell:  # in its source each bar has a backslash before it
            column = max(column, lines[line].find(token.content.replace("|", "\\|"), column))
        for piece in token.content.split("|" if is_cell else "\n"):
            if not is_cell:  # what stands before it is markup
                column = lines[line].rfind(piece)
                if column < 0:  # a tab that was cut in two
                    column = max(0, len(lines[line]) - len(piece))
            bar = is_cell and at > 0  # it belongs to the piece behind it
            source = starts[line] + column - bar
            spans.append(_Span(source, line, token, at - bar, len(piece) + bar))
            at += len(piece) + 1
            column += len(piece) + 2
            line += not is_cell
        column -= 2
        yield from spans


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
    """Parse one step by the other rules, and put the marks behind it that it reached or passed."""
    waiting: _Waiting = state.env[_KEY]
    # Not inside a link, which may not hold another; nor in an image's text.
    if silent or not waiting.marks or state.linkLevel or state.tokens is not waiting.tokens:
        return False
    begin, count = state.pos, len(state.tokens)
    if not any(rule(state, False) for rule in state.md.inline.ruler.getRules("")[1:]):  # noqa: FBT003
        state.pending += state.src[begin]
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
