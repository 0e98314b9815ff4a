"""Shows a reply in a terminal: plain text as it comes, thinking dimmed, usage at the end."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TextIO

from claude_nb.characters import MAX_BLOCK_CHARACTERS, Cleaner, clean
from claude_nb.redaction import Redactor, redact
from claude_nb.render import labels, results
from claude_nb.render.citations import Sources
from claude_nb.render.markdown.inline import plain_text
from claude_nb.render.text import closed, usage
from claude_nb.render.text_runs import raw, text_runs
from claude_nb.render.tool_results import display_plain
from claude_nb.reply import Reply
from claude_nb.streaming.block import TOOL_CALLS, Block
from claude_nb.streaming.events import ToolRan, Waiting
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.confirmation import by_input

_PERIOD = 1 / 30


def say(text: str, end: str = "\n", file: TextIO | None = None) -> None:
    """Print a text of ours, whatever it quotes, on a terminal of any encoding.

    Args:
        text: It may hold what a server, a file or a user named: all of it is made visible.
        end: What follows it.
        file: Where to; by default the standard output.
    """
    file = sys.stdout if file is None else file
    _write(file, f"{clean(redact(text))}{end}")


def _write(file: TextIO, text: str) -> None:
    """Write a clean text; what a terminal's encoding does not have becomes a question mark."""
    encoding = file.encoding or "utf-8"
    file.write(text.encode(encoding, "replace").decode(encoding))


class TerminalView:
    """Writes a reply to standard output as it comes, each character once.

    Args:
        name: The title above the reply; by default none.
    """

    def __init__(self, name: str = "") -> None:
        self._written: dict[int, int] = {}
        self._ran: set[int] = set()
        self._ended: defaultdict[int, int] = defaultdict(int)  # blocks of a text that are done
        self._keys: defaultdict[int, Redactor] = defaultdict(Redactor)
        self._sources = Sources()
        self._cleaner = Cleaner()
        self._space = ""  # the white space at the end of a text: a mark goes before it
        self._waiting: Waiting | None = None
        self._notes = 0
        self._last = -1
        self._column = 0
        self._show = self._text  # how the last block is written
        self._colour = sys.stdout.isatty()
        if name:
            self._line(f"── {name}")

    def frame(self, reply: Reply, now: float) -> float:  # noqa: ARG002 - a terminal has no clock
        """Write what is new."""
        for note in reply.notes[self._notes :]:
            self._line(f"[{note}]")
        self._notes = len(reply.notes)
        for number, blocks in enumerate(text_runs(reply)):
            if blocks[0].type == "text":
                self._passage(number, blocks)
            elif reply.shows(blocks[0]):
                self._block(number, blocks[0])
        if reply.waiting not in (None, self._waiting):
            self._line(f"[{labels.status(reply)}]")
        self._waiting = reply.waiting
        sys.stdout.flush()
        return _PERIOD

    def confirm(self, asked: PermissionRequest) -> Answer | None:
        """Ask on the terminal."""
        self._newline()
        sys.stdout.flush()
        return by_input(asked)

    def settle(self, reply: Reply) -> None:
        """Write the rest, the card if there is one, and the usage."""
        self.frame(reply, 0.0)
        if self._sources:
            self._line(plain_text(self._sources.to_markdown()))
        if note := labels.card(reply):
            self._line(f"[{note.title}] {note.text}", quiet=False)
        if lines := usage(reply):
            self._line(lines)
        self._release()
        self._flush()
        _write(sys.stdout, self._cleaner.finish())
        sys.stdout.flush()

    def _passage(self, number: int, blocks: Sequence[Block]) -> None:
        """Write what is new of a text, and the numbers of its sources after what cites them."""
        begin = sum(len(block.text) for block in blocks[: self._ended[number]])
        for place in range(self._ended[number], len(blocks)):
            block = blocks[place]
            self._begin(number)
            self._more(number, block.text, begin, quiet=False)
            if block.ended is None:
                return
            self._ended[number] += 1
            begin += len(block.text)
            mark = self._sources.mark_text(block)
            if (
                mark
                and begin <= MAX_BLOCK_CHARACTERS
                and not _ends_in_code(raw(blocks[: place + 1]))
            ):
                self._release()
                self._put(mark, quiet=True)

    def _block(self, number: int, block: Block) -> None:
        if self._begin(number):
            if block.type == "thinking":
                self._write("thinking… ")
            elif block.type in TOOL_CALLS:
                self._write(f"[{block.name}] ")
        if not self._ended[number] and (result := results.read(block)):
            self._ended[number] = 1
            self._line(plain_text(results.to_markdown(result)))
        elif not self._ended[number]:
            self._more(number, block.text, 0, quiet=True)
        if isinstance(block.run, ToolRan) and number not in self._ran:
            self._ran.add(number)
            self._line(f"[{block.name}]{labels.call_outcome(block)}")
            if shown := display_plain(block.run):
                self._line(shown, quiet=False)

    def _begin(self, number: int) -> bool:
        """Begin a line for a block, and return whether it is the block's first."""
        if number in self._written:
            return False
        self._newline()
        self._last = number
        self._written[number] = 0
        return True

    def _more(self, number: int, text: str, begin: int, *, quiet: bool) -> None:
        """Write what is new of a text, or of the part that begins at ``begin``."""
        done = self._written[number] - begin
        if len(text) > done:
            if number != self._last:  # a text that goes on after another request's thinking
                self._newline()
            self._last = number
            self._show = self._write if quiet else self._text
            self._show(self._keys[number].feed(text[done : max(0, MAX_BLOCK_CHARACTERS - begin)]))
            if begin + len(text) > MAX_BLOCK_CHARACTERS >= begin + done:
                self._write(" […] ")
        self._written[number] = begin + len(text)

    def _line(self, text: str, *, quiet: bool = True) -> None:
        """Write lines of their own."""
        self._newline()
        self._put(f"{text}\n", quiet=quiet)

    def _newline(self) -> None:
        self._release()
        self._flush()
        if self._column:
            self._put("\n")

    def _release(self) -> None:
        """Write the end of the last block, which might have been the beginning of a credential."""
        if held := self._keys[self._last].finish():
            self._show(held)

    def _text(self, text: str) -> None:
        """Write text, without the white space at its end."""
        text = self._space + text
        shown = text.rstrip()
        self._space = text[len(shown) :]
        self._put(shown)

    def _flush(self) -> None:
        space, self._space = self._space, ""
        self._put(space)

    def _write(self, text: str) -> None:
        self._flush()
        self._put(text, quiet=True)

    def _put(self, text: str, *, quiet: bool = False) -> None:
        # Cleaned, so that no reply can move the cursor or write to the clipboard by an escape.
        safe = self._cleaner.feed(redact(text))
        _write(sys.stdout, f"\x1b[2m{safe}\x1b[0m" if quiet and self._colour else safe)
        if safe:
            self._column = 0 if safe.endswith("\n") else 1


def _ends_in_code(text: str) -> bool:
    """Whether a text ends in a code block, or in the line that closes one."""
    return closed(text) != text or text.rstrip().endswith(("```", "~~~"))
