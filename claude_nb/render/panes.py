"""The panes of a growing reply: one for each content block, and how each kind grows."""

from __future__ import annotations

from collections import deque
from html import escape

from claude_nb.characters import MAX_BLOCK_CHARACTERS, Cleaner
from claude_nb.redaction import Redactor
from claude_nb.render import html, protocol, results
from claude_nb.render.citations import Sources
from claude_nb.render.markdown.code_box import code_open
from claude_nb.render.markdown.incremental import Incremental
from claude_nb.render.partial_json import COLOURED, PrettyJson
from claude_nb.render.protocol import Op
from claude_nb.render.text_runs import breaks, raw
from claude_nb.streaming.block import TOOL_CALLS, Block
from claude_nb.streaming.events import ToolRan
from claude_nb.streaming.message import Message

_CODE = code_open("json")
_CODE_END = "</code></pre>\n"


class Pane:
    """A block that is shown all at once when it is complete.

    Attributes:
        message: The newest message that the block is part of.
        label: The HTML of its ``<summary>``; empty if it does not fold.
        is_open: Whether it is unfolded, unless the reader decides.
        open_units: Characters of HTML that a page may have to lay out again at each frame.
        cites: Whether it may refer to sources, and ``may_cite`` whether it may do so now.
        rendered: The block as rendered, once it is complete and nothing of it is lost.
    """

    label = ""
    is_open = False
    open_units = 0
    cites = False
    may_cite = True
    rendered: html.Rendered | None = None

    def __init__(self, number: int, block: Block, message: Message) -> None:
        self.number = number
        self.block = block
        self.message = message
        self.finished = False
        self._blocks: list[str] = []

    def add(self, block: Block) -> None:
        """Add a block that continues this one; only text has such."""

    def grow(self, message: Message) -> list[Op]:
        """The operations for what is new in the block."""
        if self.block.ended is None:
            return []
        self.finished = True
        self._blocks = [html.block(self.block, message)]
        return self.whole()

    def whole(self) -> list[Op]:
        """The operations that show the pane as it is."""
        blocks = self.html_blocks()
        patches = [protocol.patch(self.number, n, 0, shown) for n, shown in enumerate(blocks)]
        return [self._pane(), *patches, *self._folding()]

    def html_blocks(self) -> list[str]:
        """The HTML of each block."""
        return self._blocks

    def _pane(self) -> Op:
        shell = html.pane("", "", is_open=self.is_open) if self.label else ""
        return protocol.pane(self.number, shell)

    def _folding(self) -> list[Op]:
        if not self.label:
            return []
        fold = protocol.fold(self.number, is_open=self.is_open)
        return [protocol.label(self.number, self.label), fold]


class _ResultPane(Pane):
    """The result of a server tool: a pane to unfold, if there is something to see."""

    def grow(self, message: Message) -> list[Op]:
        result = results.read(self.block)
        label, body = results.to_html(result) if result else ("", "")
        if not body:
            return super().grow(message)
        self.finished = True
        self.label, self._blocks = label, [body]
        return self.whole()


class _TextPane(Pane):
    """Text as Markdown: one block, or several of which each continues the one before."""

    cites = True

    def __init__(self, number: int, block: Block, message: Message, sources: Sources) -> None:
        super().__init__(number, block, message)
        self._passage = [block]
        self._unfed = deque([block])
        self._fed = 0  # the number of parts of the first of these
        self._sources = sources
        self._markdown = Incremental()
        self._keys = Redactor()
        self._began = False
        self._left = MAX_BLOCK_CHARACTERS
        self._cut = False
        self._below: list[str] = []
        self._breaks: list[Op] = []

    @property
    def open_units(self) -> int:  # type: ignore[override]
        return 0 if self.finished else self._markdown.open_units

    @property
    def rendered(self) -> html.Rendered | None:  # type: ignore[override]
        if not self.finished or any(block.lost for block in self._passage):
            return None
        return html.Rendered(self._markdown.blocks)

    def add(self, block: Block) -> None:
        self._passage.append(block)
        self._unfed.append(block)

    def grow(self, message: Message) -> list[Op]:
        ops = [] if self._began else [self._pane()]
        self._began = True
        has_breaks = any(block.breaks for block in self._unfed)
        self._feed()
        self.finished = not self._unfed and self._is_over(message)
        if self.finished:
            self._markdown.feed(self._keys.finish())
        patches = self._markdown.finish() if self.finished else self._markdown.frame()
        ops += [protocol.patch(self.number, *patch) for patch in patches]
        if has_breaks:
            for at, found in breaks(self._passage)[len(self._breaks) :]:
                after = html.break_place(self._passage, at)
                self._breaks.append(protocol.broken(self.number, after, html.break_line(found)))
                ops.append(self._breaks[-1])
        below = self._unshown() if self.finished else ""
        if below:
            self._below = [below]
            ops.append(protocol.patch(self.number, len(self._markdown.blocks), 0, below))
        return ops

    def _feed(self) -> None:
        """Feed the new text to the Markdown, and after each block the mark of what it cites."""
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
                self._markdown.feed(self._keys.finish())
                self._markdown.mark(mark)
            self._unfed.popleft()
            self._fed = 0

    def _is_over(self, message: Message) -> bool:
        """Whether no other block can continue it."""
        return message.ended is not None or message.content[-1] is not self._passage[-1]

    def _unshown(self) -> str:
        return html.rest_line(raw(self._passage))

    def whole(self) -> list[Op]:
        return super().whole() + self._breaks

    def html_blocks(self) -> list[str]:
        return self._markdown.blocks + self._below


class _ThinkingPane(_TextPane):
    """Thinking as Markdown, in a pane that folds when it is complete."""

    cites = False

    def __init__(self, number: int, block: Block, message: Message) -> None:
        super().__init__(number, block, message, Sources())

    @property
    def is_open(self) -> bool:  # type: ignore[override]
        return not self.finished

    def grow(self, message: Message) -> list[Op]:
        if not self.block.text:  # nothing readable so far, and perhaps there never will be
            return Pane.grow(self, message)
        shown = self.label
        self.label = html.thinking_label(self.block, message)
        ops = super().grow(message)
        if self.label != shown:
            ops.append(protocol.label(self.number, self.label))
        if self.finished:
            ops.append(protocol.fold(self.number, is_open=False))
        return ops

    def html_blocks(self) -> list[str]:
        return self._blocks or super().html_blocks()

    def _is_over(self, message: Message) -> bool:  # noqa: ARG002 - its label says how long it took
        return True

    def _unshown(self) -> str:
        return html.rest_line(self.block.text)


class _JsonPane(Pane):
    """An answer in JSON, indented as it grows."""

    def __init__(self, number: int, block: Block, message: Message) -> None:
        super().__init__(number, block, message)
        self._json = PrettyJson()
        self._keys = Redactor()
        self._cleaner = Cleaner()
        self._fed = 0
        self._left = MAX_BLOCK_CHARACTERS
        self._units = 0
        self._below = ""

    def grow(self, message: Message) -> list[Op]:  # noqa: ARG002 - only other panes need it
        ops = self._write()
        self.finished = self.block.ended is not None
        return ops + self._end() if self.finished else ops

    def _end(self) -> list[Op]:
        """The operations that show its final form: coloured, unless it is long."""
        if len(self.block.text) > COLOURED:
            rest = self._cleaner.feed(self._keys.finish())
            ops = self._show(rest + self._cleaner.finish())
        else:
            shown, coloured = "".join(self._blocks), html.tool_input(self.block)
            ops = [] if coloured == shown else [protocol.patch(self.number, 0, 0, coloured)]
            self._blocks = [coloured]
        self.rendered = html.Rendered(["".join(self._blocks)])
        if below := html.rest_line(self.block.text):
            ops.append(protocol.patch(self.number, 0, self._units + len(_CODE_END), below))
            self._below = below
        return ops

    def _write(self) -> list[Op]:
        """The operations for the JSON that is new."""
        ops: list[Op] = []
        if not self._blocks:
            self._blocks = [_CODE, _CODE_END]
            self._units = len(_CODE)
            ops += self.whole()
        parts = self.block.parts
        if self._fed < len(parts):
            fresh = "".join(parts[self._fed :])[: self._left]
            self._fed = len(parts)
            self._left -= len(fresh)
            text = "".join([part for _, part in self._json.feed(fresh)])
            # Decoded first: an API key may be written with escapes.
            ops += self._show(self._cleaner.feed(self._keys.feed(text)))
        return ops

    def _show(self, text: str) -> list[Op]:
        if not text:
            return []
        shown, at = escape(text, quote=False), self._units
        self._blocks.insert(-1, shown)
        self._units += len(shown.encode("utf-16-le")) // 2
        return [protocol.patch(self.number, 0, at, shown, len(_CODE_END))]

    def html_blocks(self) -> list[str]:
        return ["".join([*self._blocks, self._below])]


class _ToolPane(_JsonPane):
    """A tool call: its input grows as indented JSON, and its result folds it."""

    def __init__(self, number: int, block: Block, message: Message) -> None:
        super().__init__(number, block, message)
        self._known: tuple[bool, object, bool] | None = None
        self._waits = False  # for its result
        self._result: list[str] = []

    def grow(self, message: Message) -> list[Op]:
        if not self._blocks:
            self.label = html.tool_label(self.block)
        ops = self._write()
        runs = message.request.runs_tools and self.block.type == "tool_use"
        runs = runs and (not message.complete or bool(message.calls))
        self._waits = runs and not isinstance(self.block.run, ToolRan)
        ops += self._settle()
        # A complete call is lost, too, if its message breaks off later.
        self.finished = self.block.lost or (message.complete and not self._waits)
        return ops

    def _settle(self) -> list[Op]:
        """The operations for a change in a call with complete input."""
        known = (self.block.lost, self.block.run, self._waits)
        if self.block.ended is None or known == self._known:  # to render the input is slow
            return []
        ops: list[Op] = []
        if self.block.lost or not self._known:
            ops += self._end()
        self._known = known
        if not self._result and (result := html.tool_result(self.block)):
            self._result = [result]
            ops.append(protocol.patch(self.number, 1, 0, result))
        self.label = html.tool_label(self.block)
        return ops + self._folding()

    @property
    def is_open(self) -> bool:  # type: ignore[override]
        waits = self._waits and not self.block.lost
        return self._known is None or waits or html.displays(self.block)

    def html_blocks(self) -> list[str]:
        return [*super().html_blocks(), *self._result]


class ConfirmedPane(Pane):
    """A hidden call, shown only while the reader is asked to allow it."""

    def __init__(self, number: int, block: Block, message: Message) -> None:
        super().__init__(number, block, message)
        self.finished = True
        self._blocks = [html.block(block, message, is_open=True)]

    def hide(self) -> list[Op]:
        """The operations that empty it."""
        self._blocks = []
        return [protocol.patch(self.number, 0, 0, "")]


def pane_for(
    number: int, block: Block, message: Message, sources: Sources, *, is_json: bool
) -> Pane:
    """The pane for a content block.

    Args:
        number: Its number in the reply.
        block: The block.
        message: The message that it is part of.
        sources: The sources of the reply, to which a text may add.
        is_json: Whether it is text that is shown as JSON.
    """
    if is_json:
        return _JsonPane(number, block, message)
    if block.type == "text":
        return _TextPane(number, block, message, sources)
    if block.type == "thinking":
        return _ThinkingPane(number, block, message)
    if block.type in TOOL_CALLS:
        return _ToolPane(number, block, message)
    return (Pane if block.type == "display" else _ResultPane)(number, block, message)
