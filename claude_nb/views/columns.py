"""Shows several replies side by side in one output, each in its own column."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from claude_nb.client.engine import Stream
from claude_nb.render import comparison as render
from claude_nb.reply import Reply
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.displayed_output import DisplayedOutput, SparingOutput
from claude_nb.views.live import LiveOutput, LiveView
from claude_nb.views.painter import View
from claude_nb.views.terminal import TerminalView, say
from claude_nb.views.updating import UpdatingView


@dataclass
class Columns:
    """Replies in a terminal: one below the other, each when it has ended.

    While the prompt waits for the next line, nothing is printed.

    Attributes:
        names: The titles of the columns.
        sides: Returns the replies that have begun, with their titles.
        stop: Stops all of them.
        waits: Whether the cell waits for them.
    """

    names: Sequence[str]
    sides: Callable[[], list[render.Side]]
    stop: Callable[[], object]
    waits: bool

    def column(self, _stream: Stream, _reply: Reply) -> View | None:
        """Make the view of the newest reply; the first makes the output, on the cell's thread."""
        return _WhenEnded(self.sides()[-1].name) if self.waits else None

    def end(self) -> None:
        """Show everything as it stays: the last reply has ended."""
        if self.waits:
            say(repr(render.table(self.sides())))


class _WhenEnded:
    def __init__(self, name: str) -> None:
        self._name = name

    def frame(self, _reply: Reply, _now: float) -> float:
        return 1.0

    def confirm(self, _asked: PermissionRequest) -> Answer | None:
        return None

    def settle(self, reply: Reply) -> None:
        TerminalView(self._name).settle(reply)


class _LiveColumns(Columns):
    """Replies in one widget."""

    _output: LiveOutput | None = None

    def column(self, _stream: Stream, reply: Reply) -> View:
        self._output = self._output or LiveOutput(
            len(self.names),
            stop=self.stop,
            interrupts=self.waits,
            below=render.place(self.names),
            plain=lambda output: _Page(self.sides, output),
        )
        return LiveView(reply, self._output, self.sides()[-1].name)

    def end(self) -> None:
        if self._output is not None:
            self._output.settle(render.mimebundle(self.sides(), self._output.drawn()))


class _Page(UpdatingView):
    """All replies, sent again when one of them has something new."""

    def __init__(self, sides: Callable[[], list[render.Side]], output: DisplayedOutput) -> None:
        super().__init__(output)
        self._sides = sides
        self._due = 0.0

    def frame(self, reply: Reply, now: float) -> float:
        if now >= self._due:
            self._due = now + super().frame(reply, now)
        return self._due - now

    def page(self, _reply: Reply, now: float) -> dict[str, str]:
        return {"text/html": render.page(self._sides(), now=now), "text/plain": "…"}

    def settle(self, reply: Reply) -> None:
        """The next page shows it, or ``end``."""


class _UpdatingColumns(Columns):
    """Replies on one page, without a widget."""

    _page: _Page | None = None

    def column(self, _stream: Stream, reply: Reply) -> View | None:
        self._page = self._page or _Page(self.sides, self._output(reply))
        self._page.frame(reply, time.monotonic())
        return self._page

    def _output(self, _reply: Reply) -> DisplayedOutput:
        return DisplayedOutput()

    def end(self) -> None:
        if self._page is not None:
            self._page.output.settle(render.mimebundle(self.sides()))


class _SparingColumns(_UpdatingColumns):
    """Replies on one page, in a front end that may not update it."""

    def column(self, stream: Stream, reply: Reply) -> View | None:
        return super().column(stream, reply) if self.waits else None

    def _output(self, reply: Reply) -> DisplayedOutput:
        return SparingOutput(reply.request)


KINDS = {
    "live": _LiveColumns,
    "updating": _UpdatingColumns,
    "sparing": _SparingColumns,
    "terminal": Columns,
}
"""The columns for each view."""
