"""JSON that is still being written, made readable as it comes: only ever appended to.

Nothing is guessed: what is shown is what came, with line breaks and indentation between its parts,
and with the escapes in its strings decoded, so that code in a string reads as code.
"""

from __future__ import annotations

import json
import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from claude_nb.errors import redact
from claude_nb.render.markdown import HIGHLIGHT_LIMIT, clean, code_open

if TYPE_CHECKING:
    from collections.abc import Iterable

_RUN = re.compile(r'[^"\\]+')
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|u\w{4}|[^u])", re.ASCII | re.DOTALL
)
_HELD_ESCAPE = re.compile(r"\\(?:u\w{0,3}|u[dD][89abAB]\w\w(?:\\(?:u\w{0,3})?)?)?\Z", re.ASCII)
_WORD = re.compile(r'[^\s{}\[\],:"]+')
_SPACE = re.compile(r"\s+")
INDENTED = 40
"""Levels that are indented; more would make the text grow with the square of its depth."""

_CLASSES = {"key": "nt", "string": "s2", "word": "mi", "mark": "p"}
"""The Pygments classes of the parts, which the notebook's own theme colours."""


class Part(NamedTuple):
    """A piece of readable JSON.

    Attributes:
        kind: ``key``, ``string``, ``word`` (a number, true, false, null) or ``mark``.
        text: What to show.
    """

    kind: str
    text: str


class PrettyJson:
    """Makes JSON readable piece by piece, in time linear in its length."""

    def __init__(self) -> None:
        self._held = ""
        self._open: list[str] = []  # the brackets that are open
        self._fresh = False  # nothing has come since the last bracket was opened
        self._wants_key = False
        self._string = ""  # the kind of string that is open, or nothing

    def feed(self, text: str) -> list[Part]:
        """Take the next piece of JSON, cut anywhere; return what it adds to what is shown."""
        text, self._held = self._held + text, ""
        parts: list[Part] = []
        at = 0
        while at < len(text):
            at = (self._inside if self._string else self._between)(text, at, parts)
        return parts

    def _inside(self, text: str, at: int, parts: list[Part]) -> int:
        """Read on in a string."""
        if run := _RUN.match(text, at):
            parts.append(Part(self._string, run[0]))
            return run.end()
        if text[at] == '"':
            parts.append(Part(self._string, '"'))
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
        parts.append(Part(self._string, shown))
        return at + len(raw)

    def _between(self, text: str, at: int, parts: list[Part]) -> int:
        """Read on outside strings."""
        if space := _SPACE.match(text, at):
            return space.end()
        char = text[at]
        if char in "}]":
            if self._open:
                self._open.pop()
            parts.append(Part("mark", char if self._fresh else f"{self._line()}{char}"))
            self._fresh = self._wants_key = False
            return at + 1
        if self._fresh:
            parts.append(Part("mark", self._line()))
            self._fresh = False
        if char in "{[":
            self._open.append(char)
            self._fresh = True
            self._wants_key = char == "{"
            parts.append(Part("mark", char))
        elif char == ",":
            self._wants_key = self._open[-1:] == ["{"]
            parts.append(Part("mark", f",{self._line()}"))
        elif char == ":":
            self._wants_key = False
            parts.append(Part("mark", ": "))
        elif char == '"':
            self._string = "key" if self._wants_key else "string"
            parts.append(Part(self._string, '"'))
        elif word := _WORD.match(text, at):
            parts.append(Part("word", word[0]))
            return word.end()
        return at + 1

    def _line(self) -> str:
        return "\n" + "  " * min(len(self._open), INDENTED)


def write(value: Any) -> str:
    """A value that came over the wire as JSON; ``…`` where it is too deep for Python to write."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "…"


def to_text(parts: Iterable[Part]) -> str:
    """The parts as text."""
    return clean("".join(part.text for part in parts))


def to_html(raw: str) -> str:
    """Whole JSON as a coloured code block without keys; without colours where it is very long."""
    parts = PrettyJson().feed(raw)
    if len(raw) > HIGHLIGHT_LIMIT:
        inside = escape(redact(to_text(parts)))
    else:
        inside = "".join(
            f'<span class="{_CLASSES[kind]}">{escape(redact(to_text(group)))}</span>'
            for kind, group in groupby(parts, lambda part: part.kind)
        )
    return f"{code_open('json')}{inside}</code></pre>\n"
