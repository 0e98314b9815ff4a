"""A view for a terminal: plain text as it comes, thinking dimmed, a usage line at the end."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from claude_nb.blocks import TOOL_CALLS
from claude_nb.errors import Redactor, redact
from claude_nb.events import ToolRan
from claude_nb.render import words
from claude_nb.render.characters import MOST, Cleaner
from claude_nb.render.text import usage_lines
from claude_nb.views import by_input

if TYPE_CHECKING:
    from claude_nb.blocks import Block
    from claude_nb.events import Waiting
    from claude_nb.reply import Reply

_PERIOD = 1 / 30


class TerminalView:
    """Writes a reply to standard output, each piece once, as it comes.

    Args:
        name: What stands above it, where it is not clear what it answers.
    """

    def __init__(self, name: str = "") -> None:
        self._written: dict[int, int] = {}
        self._ran: set[int] = set()
        self._keys: defaultdict[int, Redactor] = defaultdict(Redactor)
        self._cleaner = Cleaner()
        self._waiting: Waiting | None = None
        self._notes = 0
        self._last = -1
        self._column = 0
        self._colour = sys.stdout.isatty()
        if name:
            self._write(f"── {name}\n", quiet=True)

    def frame(self, reply: Reply, now: float) -> float:  # noqa: ARG002 - a terminal has no clock
        """Write what is new."""
        for note in reply.notes[self._notes :]:
            self._write(f"[{note}]\n", quiet=True)
        self._notes = len(reply.notes)
        for number, block in enumerate(filter(reply.shows, reply.blocks)):
            self._block(number, block)
        if reply.waiting not in (None, self._waiting):
            self._newline()
            self._write(f"[{words.status(reply)}]\n", quiet=True)
        self._waiting = reply.waiting
        sys.stdout.flush()
        return _PERIOD

    def confirm(self, call: Block) -> bool | None:
        """Ask on the terminal."""
        self._newline()
        sys.stdout.flush()
        return by_input(call)

    def settle(self, reply: Reply) -> None:
        """Write the rest, the card if there is one, and the usage line."""
        self.frame(reply, 0.0)
        if note := words.card(reply):
            self._newline()
            self._write(f"[{note.title}] {note.text}\n", quiet=False)
        if lines := usage_lines(reply):
            self._newline()
            self._write(f"{lines}\n", quiet=True)
        sys.stdout.write(self._cleaner.finish())
        sys.stdout.flush()

    def _block(self, number: int, block: Block) -> None:
        done = self._written.get(number)
        text = block.text
        if done is None:
            self._newline()
            self._last = number
            if block.type == "thinking":
                self._write("thinking… ", quiet=True)
            elif block.type in TOOL_CALLS:
                self._write(f"[{block.name}] ", quiet=True)
            done = 0
        if len(text) > done:
            if number != self._last:  # a text that goes on after another request's thinking
                self._newline()
            self._last = number
            self._write(self._keys[number].feed(text[done:MOST]), quiet=block.type != "text")
            if len(text) > MOST >= done:
                self._write(" […] ", quiet=True)
        self._written[number] = len(text)
        if isinstance(block.run, ToolRan) and number not in self._ran:
            self._ran.add(number)
            self._newline()
            self._write(f"[{block.name}]{words.ran(block)}\n", quiet=True)

    def _newline(self) -> None:
        if self._column:
            self._write("\n", quiet=False)

    def _write(self, text: str, *, quiet: bool) -> None:
        # Cleaned, so that no reply can move the cursor or write to the clipboard by an escape.
        safe = self._cleaner.feed(redact(text))
        sys.stdout.write(f"\x1b[2m{safe}\x1b[0m" if quiet and self._colour else safe)
        if safe:
            self._column = 0 if safe.endswith("\n") else 1
