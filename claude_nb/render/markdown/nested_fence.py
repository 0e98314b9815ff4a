"""Fences of Markdown that hold other fences with as many backticks, as models write them.

In CommonMark the first bare fence would end the outer one, and all that follows it would be turned
inside out. Here a fence with a name, such as ```` ```python ````, begins another fence within one
named ``markdown``; the next bare one ends that. If nothing then ends the outer fence, it ends where
CommonMark has it, which is only known at the end of the text.
"""

import re
from typing import Final

from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import fence as commonmark
from markdown_it.token import Token

GROWING: Final = "growing"
"""In the environment: whether the text may still grow."""

_NAME: Final = re.compile(r"\s*(?:markdown|md)(?![^\s{])", re.IGNORECASE)


def holds_fences(info: str) -> bool:
    """Whether a fence with such an info string may hold other fences."""
    return bool(_NAME.match(info))


def line_pattern(markup: str) -> str:
    """A pattern for a line that ends a fence with such markup, or begins one (its group) in it."""
    return rf"{re.escape(markup[0])}{{{len(markup)},}}[ \t]*(\S[^`\n]*)?"


def fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """A block rule: as markdown-it's, except for fences of Markdown."""
    if not commonmark(state, start, end, silent):
        return False
    token = None if silent else state.tokens[-1]
    if not token or not holds_fences(token.info):
        return True
    last, is_closed = _last(state, token, start, end)
    if not is_closed and not state.env.get(GROWING):
        return True
    state.line = last + is_closed
    token.content = state.getLines(start + 1, last, state.sCount[start], True)  # noqa: FBT003
    token.map = [start, state.line]
    return True


def _last(state: StateBlock, token: Token, start: int, end: int) -> tuple[int, bool]:
    """The line that ends the fence, or that follows it; and whether it is the former."""
    pattern = re.compile(line_pattern(token.markup))
    depth = 0
    for line in range(start + 1, end):
        begin = state.bMarks[line] + state.tShift[line]
        if begin < state.eMarks[line] and state.sCount[line] < state.blkIndent:
            return line, False
        found = pattern.fullmatch(state.src, begin, state.eMarks[line])
        if not found or state.is_code_block(line):
            continue
        if found[1]:
            depth += 1
        elif depth:
            depth -= 1
        else:
            return line, True
    return end, False
