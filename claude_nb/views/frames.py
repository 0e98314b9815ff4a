"""A growing reply as frames: what has changed since the last one, in the words of ``protocol``."""

from __future__ import annotations

import time
from collections import deque
from html import escape
from typing import TYPE_CHECKING

from claude_nb.blocks import TOOL_CALLS
from claude_nb.errors import Redactor
from claude_nb.progress import Outcome
from claude_nb.render import html, results, words
from claude_nb.render.characters import MOST, Cleaner
from claude_nb.render.citations import Sources
from claude_nb.render.incremental import Incremental
from claude_nb.render.markdown import code_open
from claude_nb.render.partial_json import PrettyJson
from claude_nb.render.passages import goes_on, seams
from claude_nb.views import protocol

if TYPE_CHECKING:
    from claude_nb.blocks import Block, Message
    from claude_nb.progress import Progress
    from claude_nb.views.protocol import Op

_CODE = code_open("json")
_CODE_END = "</code></pre>\n"


class Frames:
    """Turns a reply that grows into frames, and knows what a page that saw them all shows.

    Attributes:
        number: How many frames there were.
        opened: The blocks whose panes the reader has opened by hand.
    """

    def __init__(self) -> None:
        self.number = 0
        self.opened: set[Block] = set()
        self._panes: list[_Pane] = []
        self._pane_of: dict[Block, _Pane] = {}
        self._seen: list[int] = []  # how many blocks of each message have been looked at
        self._sources = Sources()
        self._notes: list[Op] = []
        self._below: list[Op] = []
        self._doing: tuple[str, object] = ("", "")
        self._done: Op | None = None

    @property
    def open_units(self) -> int:
        """Characters of HTML that a page may have to lay out again at each frame."""
        return sum(pane.open_units for pane in self._panes)

    def next(self, progress: Progress, now: float) -> dict[str, object] | None:
        """The next frame, or None if nothing has changed.

        Args:
            progress: The reply as it is.
            now: ``time.monotonic()``, for the clock of the status line.
        """
        ops: list[Op] = []
        if progress.notes and not self._notes:
            notes = html.notes(progress.notes)
            self._notes = [protocol.pane(0, ""), protocol.patch(0, 0, 0, notes)]
            ops += self._notes
        self._add_panes(progress)
        in_order = True  # sources are numbered as the text is read, not as it may have come
        for pane in self._panes:
            if not pane.finished:
                pane.may_cite = in_order
                ops += pane.grow(pane.message)
                in_order = in_order and (pane.finished or not pane.cites)
        if progress.outcome is not Outcome.STREAMING and self._done is None and self._sources:
            number = len(self._panes) + bool(self._notes)
            shown = html.source_list(self._sources)
            self._below = [protocol.pane(number, ""), protocol.patch(number, 0, 0, shown)]
            ops += self._below
        doing = (progress.model, progress.waiting or words.status(progress))
        if doing != self._doing:
            self._doing = doing
            ops.append(self._status(progress, now))
        if progress.outcome is not Outcome.STREAMING and self._done is None:
            self._done = protocol.done(f"Reply {words.status(progress)}.")
            ops.append(self._done)
        if not ops:
            return None
        self.number += 1
        return {"frame": self.number, "ops": ops}

    def _add_panes(self, progress: Progress) -> None:
        """Make a pane for each new block but for a text that goes on with the one before it."""
        for which, message in enumerate(progress.messages):
            if which == len(self._seen):
                self._seen.append(0)
            first, content = self._seen[which], message.content
            self._seen[which] = len(content)
            for place, block in enumerate(content[first:], first):
                before = content[place - 1] if place else None
                pane = self._pane_of.get(block)
                if pane is None and before is not None and goes_on(block, before):
                    pane = self._pane_of[before]
                    pane.add(block)
                elif pane is None and progress.shows(block):
                    number = len(self._panes) + bool(self._notes)
                    pane = _pane(number, block, message, self._sources)
                    self._panes.append(pane)
                if pane is not None:
                    pane.message = message
                    self._pane_of[block] = pane

    def _status(self, progress: Progress, now: float) -> Op:
        started = progress.messages[0].sent if progress.messages else now
        end = now if progress.ended is None else progress.ended
        wait = progress.waiting
        return protocol.status(
            html.text(progress.model),
            words.status(progress) if wait is None else words.waiting(progress, "{}"),
            end - started,
            simulated=progress.simulated,
            wait=None if wait is None else max(0.0, wait.until - time.time()),
        )

    def snapshot(self, progress: Progress, now: float) -> dict[str, object]:
        """All of it in one message, for a page that lost a frame or came later."""
        ops = [*self._notes, *(op for pane in self._panes for op in pane.whole()), *self._below]
        ops.append(self._status(progress, now))
        if self._done is not None:
            ops.append(self._done)
        return {"frame": self.number, "reset": True, "ops": ops}

    def fold(self, number: int, *, is_open: bool) -> None:
        """Remember that the reader opened or folded pane ``number``."""
        for pane in self._panes:
            if pane.number == number:
                (self.opened.add if is_open else self.opened.discard)(pane.block)


class _Pane:
    """A block that is shown directly in the reply, all at once when it is complete.

    Attributes:
        message: The newest message that the block is part of.
        cites: Whether it may refer to sources, and ``may_cite`` whether it may do so now.
    """

    open_units = 0
    cites = False
    may_cite = True

    def __init__(self, number: int, block: Block, message: Message) -> None:
        self.number = number
        self.block = block
        self.message = message
        self.finished = False
        self._blocks: list[str] = []

    def add(self, block: Block) -> None:
        """Take in a block that goes on with this one; only text does."""

    def grow(self, message: Message) -> list[Op]:
        """The operations for what is new in the block."""
        if self.block.ended is None:
            return []
        self.finished = True
        self._blocks = [html.block(self.block, message)]
        return [self._pane(), protocol.patch(self.number, 0, 0, self._blocks[0])]

    def whole(self) -> list[Op]:
        """The operations that show the pane as it is."""
        blocks = self.html_blocks()
        patches = [protocol.patch(self.number, n, 0, shown) for n, shown in enumerate(blocks)]
        return [self._pane(), *patches]

    def html_blocks(self) -> list[str]:
        """The HTML of each block."""
        return self._blocks

    def _pane(self) -> Op:
        return protocol.pane(self.number, "")


class _ResultPane(_Pane):
    """What a tool of the server's brought back: a pane to unfold, if there is something to see."""

    _label = ""

    def grow(self, message: Message) -> list[Op]:
        result = results.read(self.block)
        label, body = results.to_html(result) if result else ("", "")
        if not body:
            return super().grow(message)
        self.finished = True
        self._label, self._blocks = label, [body]
        return self.whole()

    def whole(self) -> list[Op]:
        if not self._label:
            return super().whole()
        label = protocol.label(self.number, self._label)
        return [*super().whole(), label, protocol.fold(self.number, is_open=False)]

    def _pane(self) -> Op:
        shell = html.pane("", "", is_open=False) if self._label else ""
        return protocol.pane(self.number, shell)


class _TextPane(_Pane):
    """Text: Markdown directly in the reply, of one block or of several that go on in it."""

    cites = True

    def __init__(self, number: int, block: Block, message: Message, sources: Sources) -> None:
        super().__init__(number, block, message)
        self._passage = [block]
        self._unfed = deque([block])
        self._fed = 0  # how many parts of the first of these
        self._sources = sources
        self._markdown = Incremental()
        self._keys = Redactor()
        self._began = False
        self._left = MOST
        self._cut = False
        self._below: list[str] = []
        self._seams: list[Op] = []

    @property
    def open_units(self) -> int:  # type: ignore[override]
        return 0 if self.finished else self._markdown.open_units

    def add(self, block: Block) -> None:
        self._passage.append(block)
        self._unfed.append(block)

    def grow(self, message: Message) -> list[Op]:
        ops = [] if self._began else [self._pane()]
        self._began = True
        has_seams = any(block.seams for block in self._unfed)
        self._feed()
        self.finished = not self._unfed and self._is_over(message)
        patches = self._markdown.finish() if self.finished else self._markdown.frame()
        ops += [protocol.patch(self.number, *patch) for patch in patches]
        if has_seams:
            for at, found in seams(self._passage)[len(self._seams) :]:
                after = html.seam_place(self._passage, at)
                self._seams.append(protocol.seam(self.number, after, html.seam(found)))
                ops.append(self._seams[-1])
        below = self._unshown() if self.finished else ""
        if below:
            self._below = [below]
            ops.append(protocol.patch(self.number, len(self._markdown.blocks), 0, below))
        return ops

    def _feed(self) -> None:
        """Take in what has come: the text, and behind each block the mark of what it cites."""
        while self._unfed:
            block = self._unfed[0]
            parts = block.parts
            if self._fed < len(parts):
                came = "".join(parts[self._fed :])
                fresh = came[: self._left]
                self._fed = len(parts)
                self._left -= len(fresh)
                self._cut = self._cut or len(fresh) < len(came)
                self._markdown.feed(self._keys.feed(fresh))
            if block.ended is None or (block.citations and not self.may_cite):
                return
            if (mark := self._sources.mark(block)) and not self._cut:
                self._markdown.mark(mark)
            self._unfed.popleft()
            self._fed = 0

    def _is_over(self, message: Message) -> bool:
        """Whether no other block can go on with it."""
        return message.ended is not None or message.content[-1] is not self._passage[-1]

    def _unshown(self) -> str:
        return html.unshown_text(self._passage)

    def whole(self) -> list[Op]:
        return super().whole() + self._seams

    def html_blocks(self) -> list[str]:
        return self._markdown.blocks + self._below


class _ThinkingPane(_TextPane):
    """Thinking: Markdown in a pane that folds when it is complete."""

    cites = False

    def __init__(self, number: int, block: Block, message: Message) -> None:
        super().__init__(number, block, message, Sources())
        self._label = ""
        self._line: list[str] = []

    def grow(self, message: Message) -> list[Op]:
        if not self.block.text:  # nothing readable so far, and perhaps there never will be
            ops = _Pane.grow(self, message)
            self._line = self._blocks
            return ops
        ops = super().grow(message)
        label = html.thinking_label(self.block, message)
        if label != self._label:
            self._label = label
            ops.append(protocol.label(self.number, label))
        if self.finished:
            ops.append(protocol.fold(self.number, is_open=False))
        return ops

    def whole(self) -> list[Op]:
        folding = [
            protocol.label(self.number, self._label),
            protocol.fold(self.number, is_open=not self.finished),
        ]
        return super().whole() + ([] if self._line else folding)

    def html_blocks(self) -> list[str]:
        return self._line or super().html_blocks()

    def _is_over(self, message: Message) -> bool:  # noqa: ARG002 - its label says how long it took
        return True

    def _unshown(self) -> str:
        return html.unshown(self.block)

    def _pane(self) -> Op:
        shell = html.pane("", "", is_open=True) if self.block.text else ""
        return protocol.pane(self.number, shell)


class _ToolPane(_Pane):
    """A tool call: its input grows as readable JSON, and folds when it is complete."""

    def __init__(self, number: int, block: Block, message: Message) -> None:
        super().__init__(number, block, message)
        self._json = PrettyJson()
        self._keys = Redactor()
        self._cleaner = Cleaner()
        self._fed = 0
        self._left = MOST
        self._units = 0
        self._label = ""
        self._closed = False

    def grow(self, message: Message) -> list[Op]:
        ops: list[Op] = []
        if not self._blocks:
            self._label = html.tool_label(self.block)
            self._blocks = [_CODE, _CODE_END]
            self._units = len(_CODE)
            ops += self.whole()
        parts = self.block.parts
        if self._fed < len(parts):
            fresh = "".join(parts[self._fed :])[: self._left]
            self._fed = len(parts)
            self._left -= len(fresh)
            text = "".join([part for _, part in self._json.feed(fresh)])
            # After the escapes in strings are decoded: a key may be written with them.
            if shown := escape(self._cleaner.feed(self._keys.feed(text))):
                ops.append(protocol.patch(self.number, 0, self._units, shown, len(_CODE_END)))
                self._blocks.insert(-1, shown)
                self._units += len(shown.encode("utf-16-le")) // 2
        # A call that is complete is lost all the same if its message then breaks off.
        self.finished = self.block.lost or message.complete
        if self.block.ended is not None and (self.block.lost or not self._closed):
            self._closed = True
            self._label = html.tool_label(self.block)
            self._blocks = [html.tool_input(self.block)]
            ops += [
                protocol.label(self.number, self._label),
                protocol.patch(self.number, 0, 0, self._blocks[0]),
                protocol.fold(self.number, is_open=False),
            ]
        return ops

    def whole(self) -> list[Op]:
        return [
            *super().whole(),
            protocol.label(self.number, self._label),
            protocol.fold(self.number, is_open=not self._closed),
        ]

    def html_blocks(self) -> list[str]:
        return ["".join(self._blocks)]

    def _pane(self) -> Op:
        return protocol.pane(self.number, html.pane("", "", is_open=True))


def _pane(number: int, block: Block, message: Message, sources: Sources) -> _Pane:
    if block.type == "text":
        return _TextPane(number, block, message, sources)
    if block.type == "thinking":
        return _ThinkingPane(number, block, message)
    return (_ToolPane if block.type in TOOL_CALLS else _ResultPane)(number, block, message)
