"""JSON that is still being written, indented as it comes; the output is only ever appended to.

Nothing is guessed: the output is the input with line breaks and indentation between its parts, and
with the escapes in its strings decoded, so that code in a string reads as code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any

from claude_nb.characters import clean
from claude_nb.errors import redact
from claude_nb.render.markdown.code_box import CODE_END, code_open

_RUN = re.compile(r'[^"\\]+')
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|u\w{4}|[^u])", re.ASCII | re.DOTALL
)
_HELD_ESCAPE = re.compile(r"\\(?:u\w{0,3}|u[dD][89abAB]\w\w(?:\\(?:u\w{0,3})?)?)?\Z", re.ASCII)
_TOKEN = re.compile(r'\s*(?:("[^"\\]*("?))|([^\s{}\[\],:"]+)|([{}\[\],:])|\Z)')
"""Outside strings: a string as far as its first escape, and its closing quote; a word; a mark."""
INDENTED = 40
"""Levels that are indented; with more, the text would grow with the square of its depth."""

COLOURED = 10_000
"""The longest JSON that is coloured, in characters: 20,000 can be 5,000 elements, which a page lays
out in 60 ms, and 150 KB in the saved notebook."""

_CLASSES = {"string": "s2", "word": "mi", "mark": "p"}
"""The Pygments classes of the parts that the notebook's theme colours; it does not colour keys."""


JsonPart = tuple[str, str]
"""A piece of the output: its kind (``key``, ``string``, ``word`` for a number, true, false or null,
and ``mark``) and its text. A plain tuple: 200 KB of JSON have a hundred thousand."""


class PrettyJson:
    """Indents JSON piece by piece, in time linear in its length."""

    def __init__(self) -> None:
        self._held = ""
        self._open: list[str] = []  # the brackets that are open
        self._fresh = False  # nothing has come since the last bracket was opened
        self._wants_key = False
        self._string = ""  # the kind of string that is open, or nothing

    def feed(self, text: str) -> list[JsonPart]:
        """Take the next piece of JSON, cut anywhere; return what it adds to the output."""
        text, self._held = self._held + text, ""
        parts: list[JsonPart] = []
        at = 0
        while at < len(text):
            at = (self._inside if self._string else self._between)(text, at, parts)
        return parts

    def _inside(self, text: str, at: int, parts: list[JsonPart]) -> int:
        """Read on in a string."""
        if run := _RUN.match(text, at):
            parts.append((self._string, run[0]))
            return run.end()
        if text[at] == '"':
            parts.append((self._string, '"'))
            self._string = ""
            return at + 1
        if _HELD_ESCAPE.match(text, at):
            self._held = text[at:]
            return len(text)
        found = _ESCAPE.match(text, at)
        raw = found[0] if found else text[at]
        try:
            shown = json.loads(f'"{raw}"')
        except ValueError:
            shown = raw  # not an escape that JSON knows: as it came
        parts.append((self._string, shown))
        return at + len(raw)

    def _between(self, text: str, at: int, parts: list[JsonPart]) -> int:
        """Read on outside strings, until the end or into a string that holds an escape."""
        for token in _TOKEN.finditer(text, at):
            string, closed, word, mark = token.groups()
            if mark:
                self._mark(mark, parts)
                continue
            if self._fresh and (string or word):
                parts.append(("mark", self._line()))
                self._fresh = False
            if word:
                parts.append(("word", word))
            elif string:
                kind = "key" if self._wants_key else "string"
                parts.append((kind, string))
                if not closed:
                    self._string = kind
                    return token.end()
        return len(text)

    def _mark(self, mark: str, parts: list[JsonPart]) -> None:
        """Read a bracket, a comma or a colon."""
        fresh, self._fresh = self._fresh, mark in "{["
        self._wants_key = mark == "{" or (mark == "," and self._open[-1:] == ["{"])
        before = self._line() if fresh else ""
        if mark in "}]":
            del self._open[-1:]
            before = "" if fresh else self._line()
        elif mark in "{[":
            self._open.append(mark)
        after = self._line() if mark == "," else " " if mark == ":" else ""
        parts.append(("mark", f"{before}{mark}{after}"))

    def _line(self) -> str:
        return "\n" + "  " * min(len(self._open), INDENTED)


def write(value: Any) -> str:
    """A value as JSON, or ``…`` if it is nested too deep for Python to write."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "…"


def to_text(parts: Iterable[JsonPart]) -> str:
    """The parts as text."""
    return clean("".join([text for _, text in parts]))


@lru_cache(8)
def to_html(raw: str) -> str:
    """Whole JSON as a coloured code block without API keys; not coloured if it is very long.

    Cached: the live view and the saved output render the same JSON.
    """
    parts = PrettyJson().feed(raw)
    if len(raw) > COLOURED:
        inside = escape(redact(to_text(parts)), quote=False)
    else:
        inside = "".join(_coloured(*group) for group in groupby(parts, itemgetter(0)))
    return f"{code_open('json')}{inside}{CODE_END}"


def _coloured(kind: str, parts: Iterable[JsonPart]) -> str:
    text = escape(redact(to_text(parts)), quote=False)
    return f'<span class="{_CLASSES[kind]}">{text}</span>' if kind in _CLASSES else text
