"""Where a batch is shown: outputs that are drawn again, or lines in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from claude_nb.render import batch
from claude_nb.render.batch import Picture
from claude_nb.request.place import execution, is_result
from claude_nb.streaming.record import MIME
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.terminal import say


class BatchView:
    """Shows a batch in each cell that deals with it, at full length in the newest.

    Args:
        look: Returns the batch as it is at the moment, and its record.
        kind: Returns how outputs are shown in the cell that runs: see ``choice.fitting``.
        show: Whether to show it at all.
    """

    def __init__(
        self,
        look: Callable[[], tuple[Picture, dict[str, Any]]],
        kind: Callable[[], str],
        *,
        show: bool,
    ) -> None:
        self._look = look
        self._kind = kind
        self._show = show
        self._execution = 0  # the newest that shows it
        self._outputs: list[DisplayedOutput] = []
        self._last: Any = None

    @property
    def is_above(self) -> bool:
        """Whether the cell already displays this batch, so that ``Out[n]`` need not repeat it."""
        return self.is_shown_here and is_result()

    @property
    def is_shown_here(self) -> bool:
        """Whether the cell that runs now displays this batch already."""
        return self._show and bool(self._execution) and self._execution == execution()

    def begin(self) -> None:
        """Show it in the output of the cell that runs now, too."""
        self._last = None
        if self._show and (self._execution != execution() or not self._outputs):
            self._outputs.append(self._output())
            self._execution = execution()

    def _output(self) -> DisplayedOutput:
        if self._kind() != "live":
            return DisplayedOutput()
        from claude_nb.views.synced_output import SyncedOutput

        return SyncedOutput()

    def draw(self, *, whole: bool = False) -> None:
        """Draw it where it was shown last, if it has changed.

        Args:
            whole: Whether to draw it as it stays, wherever it is shown.
        """
        if not self._show:
            return
        picture, record = self._look()
        kind = self._kind()
        if kind == "terminal":
            self._print(picture, whole=whole)
            return
        data = batch.mimebundle(picture)
        if kind == "sparing":  # an update may be ignored, or appended
            if whole and data != self._last:
                DisplayedOutput().show(data | {MIME: record})
                self._last = data
            return
        if whole:
            brief = batch.mimebundle(replace(picture, spent=(), failed=(), more=0))
            for output in self._outputs[:-1]:
                output.settle(brief | {MIME: record})
        if self._outputs and (whole or data != self._last):
            newest = self._outputs[-1]
            (newest.settle if whole else newest.show)(data | {MIME: record})
        self._last = data

    def leave(self) -> None:
        """Leave what is shown as it is, whatever happens to the batch."""
        self._outputs.clear()

    def _print(self, picture: Picture, *, whole: bool) -> None:
        """Write a line where it has changed; on a terminal, over the one before."""
        terminal = sys.stdout.isatty()
        text = batch.plain(picture) if whole else batch.line(picture, clock=terminal)
        if text == self._last:
            return
        self._last = text
        sys.stdout.write("\r\x1b[K" if terminal else "")
        say(text, "\n" if whole or not terminal else "")
        sys.stdout.flush()
