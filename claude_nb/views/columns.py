"""Replies that are shown side by side in one output, each in its own column."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from claude_nb.render import comparison as render
from claude_nb.views.background import NullView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claude_nb.client.engine import Stream
    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block
    from claude_nb.views.live import LiveView
    from claude_nb.views.painter import View


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown.

    Attributes:
        names: What the replies are called, in the order of their columns.
        sides: Gives those that have begun, with their names.
        stop: Stops all of them.
        waits: Whether the cell waits for them.
    """

    names: Sequence[str]
    sides: Callable[[], list[render.Side]]
    stop: Callable[[], object]
    waits: bool


class Columns(Protocol):
    """An output in which replies stand side by side."""

    def column(self, stream: Stream, reply: Reply) -> View:
        """Make the next column; the first one makes the output, on the cell's own thread."""
        ...

    def repeat(self) -> None:
        """Send the output again, where that may not be heard between two cells."""
        ...

    def end(self) -> None:
        """Show all as it stays: the last one has ended."""
        ...


def make(kind: str, shown: Shown) -> Columns:
    """The columns of a view of that name: ``live``, ``updating`` or ``terminal``."""
    if kind == "live":
        return _Live(shown)
    return _Updating(shown) if kind == "updating" else _Terminal(shown)


class _Live:
    """Columns of one widget."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._views: list[LiveView] = []

    def column(self, stream: Stream, reply: Reply) -> View:
        from claude_nb.views.live import LiveOutput, LiveView

        shown = self._shown
        if not self._views:
            count = len(shown.names)
            self._output = LiveOutput(count, stop=shown.stop, interrupts=shown.waits)
        name = shown.names[len(self._views)]
        self._views.append(LiveView(reply, stream.stop, self._output, name))
        return self._views[-1]

    def repeat(self) -> None:
        """The page is there, and hears everything."""

    def end(self) -> None:
        opened: set[Block] = set().union(*(view.opened for view in self._views))
        done = {block: each for view in self._views for block, each in view.rendered.items()}
        sides = self._shown.sides()
        self._output.settle(render.mimebundle(sides, opened, done), render.metadata(sides))


class _Updating:
    """One page that is sent again and again, whichever column has something new."""

    def __init__(self, shown: Shown) -> None:
        from claude_nb.views.updating import UpdatingOutput

        self._shown = shown
        self._output = UpdatingOutput()
        self._due = 0.0

    def column(self, _stream: Stream, reply: Reply) -> View:
        self.frame(reply, time.monotonic())
        return self

    def frame(self, _reply: Reply, now: float) -> float:
        from claude_nb.views.updating import Period

        if now >= self._due:
            with Period() as period:
                page = render.page(self._shown.sides(), now=now)
                self._output.send({"text/html": page, "text/plain": "…"}, {})
            self._due = now + period.after(page)
        return self._due - now

    def confirm(self, _call: Block) -> bool | None:
        return None

    def settle(self, reply: Reply) -> None:
        """What it has become is on the next page."""

    def repeat(self) -> None:
        self._output.repeat()

    def end(self) -> None:
        sides = self._shown.sides()
        self._output.send(render.mimebundle(sides), render.metadata(sides))


class _Terminal(NullView):
    """One reply below the other, as each ends; nothing where the prompt is waiting."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def column(self, _stream: Stream, _reply: Reply) -> View:
        return self

    def settle(self, reply: Reply) -> None:
        from claude_nb.views.terminal import TerminalView

        if self._shown.waits:
            name = next(side.name for side in self._shown.sides() if side.reply is reply)
            TerminalView(name).settle(reply)

    def repeat(self) -> None:
        """Nothing is to be seen."""

    def end(self) -> None:
        if self._shown.waits:
            print(render.table(self._shown.sides()))  # noqa: T201
