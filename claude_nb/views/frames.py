"""A growing reply as frames: what has changed since the last one, in the words of ``protocol``."""

from __future__ import annotations

import statistics
import time
from collections import deque
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

from claude_nb.blocks import TOOL_CALLS
from claude_nb.errors import Redactor, redact
from claude_nb.events import ToolRan
from claude_nb.progress import Outcome
from claude_nb.render import html, words
from claude_nb.render.characters import MOST, Cleaner, clean
from claude_nb.render.incremental import Incremental
from claude_nb.render.markdown import code_open
from claude_nb.render.partial_json import PrettyJson
from claude_nb.views import protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_nb.blocks import Block, Message
    from claude_nb.progress import Progress
    from claude_nb.seams import Seam
    from claude_nb.views.protocol import Op

_CODE = code_open("json")
_CODE_END = "</code></pre>\n"


_FRAME = 1 / 30
_SLOWEST = 0.4
_UNITS_PER_SECOND = 400_000
"""HTML that a browser lays out again without dropping frames (measured on two cores)."""


class Pace:
    """How long to wait after a frame: the dearer it is to draw, the longer until the next."""

    def __init__(self) -> None:
        self._costs: deque[float] = deque(maxlen=9)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what making and sending a frame costs."""
        start = time.perf_counter()
        yield
        self._costs.append(time.perf_counter() - start)

    def pause(self, frames: Frames) -> float:
        """Seconds until the next frame is worth drawing."""
        cost = 10 * statistics.median(self._costs)
        return min(_SLOWEST, max(_FRAME, frames.open_units / _UNITS_PER_SECOND, cost))


class Frames:
    """Turns a reply that grows into frames, and knows what a page that saw them all shows.

    Attributes:
        number: How many frames there were.
        opened: The blocks whose panes the reader has opened by hand.
        asking: The call of which the reader is asked whether it may run, or None.
    """

    def __init__(self) -> None:
        self.number = 0
        self.opened: set[Block] = set()
        self.asking: Block | None = None
        self._asked: Block | None = None
        self._panes: dict[Block, _Pane] = {}
        self._notes: list[Op] = []
        self._doing: tuple[str, object] = ("", "")
        self._done: Op | None = None

    @property
    def open_units(self) -> int:
        """Characters of HTML that a page may have to lay out again at each frame."""
        return sum(pane.open_units for pane in self._panes.values())

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
        for message in progress.messages:
            for block in filter(progress.shows, message.content):
                pane = self._panes.get(block)
                if pane is None:
                    number = len(self._panes) + bool(self._notes)
                    pane = self._panes[block] = _pane(number, block)
                if not pane.finished:
                    ops += pane.grow(message)
        if self.asking is not self._asked:
            self._asked = self.asking
            ops += self._question()
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

    def _question(self) -> list[Op]:
        asked = self._asked
        if asked is None:
            return [protocol.confirm(None, "")]
        pane = next(p.number for block, p in self._panes.items() if block.id == asked.id)
        return [protocol.confirm(pane, clean(redact(f"Claude asks to run {words.call(asked)}.")))]

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
        ops = [*self._notes, *(op for pane in self._panes.values() for op in pane.whole())]
        ops.append(self._status(progress, now))
        ops += self._question() if self._asked else []
        if self._done is not None:
            ops.append(self._done)
        return {"frame": self.number, "reset": True, "ops": ops}

    def fold(self, number: int, *, is_open: bool) -> None:
        """Remember that the reader opened or folded pane ``number``."""
        for block, pane in self._panes.items():
            if pane.number == number:
                (self.opened.add if is_open else self.opened.discard)(block)


class _Pane:
    """A block that is shown directly in the reply, all at once when it is complete."""

    open_units = 0

    def __init__(self, number: int, block: Block) -> None:
        self.number = number
        self.block = block
        self.finished = False
        self._blocks: list[str] = []

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


class _TextPane(_Pane):
    """Text: Markdown directly in the reply."""

    def __init__(self, number: int, block: Block) -> None:
        super().__init__(number, block)
        self._markdown = Incremental()
        self._keys = Redactor()
        self._began = False
        self._fed = 0
        self._left = MOST
        self._below: list[str] = []
        self._seams: list[Op] = []

    @property
    def open_units(self) -> int:  # type: ignore[override]
        return 0 if self.finished else self._markdown.open_units

    def grow(self, message: Message) -> list[Op]:  # noqa: ARG002 - what only thinking panes need
        ops = [] if self._began else [self._pane()]
        self._began = True
        parts = self.block.parts
        if self._fed < len(parts):
            fresh = "".join(parts[self._fed :])[: self._left]
            self._fed = len(parts)
            self._left -= len(fresh)
            self._markdown.feed(self._keys.feed(fresh))
        self.finished = self.block.ended is not None
        patches = self._markdown.finish() if self.finished else self._markdown.frame()
        ops += [protocol.patch(self.number, *patch) for patch in patches]
        new = self.block.seams[len(self._seams) :]
        self._seams += [protocol.seam(self.number, *self._seam(found)) for found in new]
        ops += self._seams[-len(new) :] if new else []
        below = html.unshown(self.block) + html.sources(self.block) if self.finished else ""
        if below:
            self._below = [below]
            ops.append(protocol.patch(self.number, len(self._markdown.blocks), 0, below))
        return ops

    def _seam(self, found: Seam) -> tuple[int, str]:
        return html.seam_place(self.block, found), html.seam(found)

    def whole(self) -> list[Op]:
        return super().whole() + self._seams

    def html_blocks(self) -> list[str]:
        return self._markdown.blocks + self._below


class _ThinkingPane(_TextPane):
    """Thinking: Markdown in a pane that folds when it is complete."""

    def __init__(self, number: int, block: Block) -> None:
        super().__init__(number, block)
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

    def _pane(self) -> Op:
        shell = html.pane("", "", is_open=True) if self.block.text else ""
        return protocol.pane(self.number, shell)


class _ToolPane(_Pane):
    """A tool call: its input grows as readable JSON, and folds when it is complete."""

    def __init__(self, number: int, block: Block) -> None:
        super().__init__(number, block)
        self._json = PrettyJson()
        self._keys = Redactor()
        self._cleaner = Cleaner()
        self._fed = 0
        self._left = MOST
        self._units = 0
        self._label = ""
        self._known: tuple[bool, object, bool] | None = None
        self._waits = False  # for what is going to come of it
        self._result: list[str] = []

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
        runs = message.runs_tools and self.block.type == "tool_use"
        runs = runs and (not message.complete or bool(message.calls))
        self._waits = runs and not isinstance(self.block.run, ToolRan)
        ops += self._settle()
        # A call that is complete is lost all the same if its message then breaks off.
        self.finished = self.block.lost or (message.complete and not self._waits)
        return ops

    def _settle(self) -> list[Op]:
        """The operations for what has become known of a call whose input is complete."""
        known = (self.block.lost, self.block.run, self._waits)
        if self.block.ended is None or known == self._known:  # to look at the input is dear
            return []
        ops: list[Op] = []
        if self.block.lost or not self._known:
            self._blocks = [html.tool_input(self.block)]
            ops.append(protocol.patch(self.number, 0, 0, self._blocks[0]))
        self._known = known
        if not self._result and (result := html.tool_result(self.block)):
            self._result = [result]
            ops.append(protocol.patch(self.number, 1, 0, result))
        self._label = html.tool_label(self.block)
        return [
            *ops,
            protocol.label(self.number, self._label),
            protocol.fold(self.number, is_open=self._is_open),
        ]

    @property
    def _is_open(self) -> bool:
        return self._known is None or (self._waits and not self.block.lost)

    def whole(self) -> list[Op]:
        return [
            *super().whole(),
            protocol.label(self.number, self._label),
            protocol.fold(self.number, is_open=self._is_open),
        ]

    def html_blocks(self) -> list[str]:
        return ["".join(self._blocks), *self._result]

    def _pane(self) -> Op:
        return protocol.pane(self.number, html.pane("", "", is_open=True))


def _pane(number: int, block: Block) -> _Pane:
    if block.type == "text":
        return _TextPane(number, block)
    if block.type == "thinking":
        return _ThinkingPane(number, block)
    return _ToolPane(number, block) if block.type in TOOL_CALLS else _Pane(number, block)
