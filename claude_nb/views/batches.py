"""Where a batch is shown: outputs that are drawn again, or lines in a terminal."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from IPython.display import display, update_display

from claude_nb.render import batch
from claude_nb.request.place import execution, shell

if TYPE_CHECKING:
    from claude_nb.render.batch import Picture


class BatchView:
    """Shows a batch in each cell that deals with it, at full length in the newest.

    Attributes:
        shown_in: The newest execution that shows it, the n of ``In[n]``; 0 for none.
    """

    def __init__(self) -> None:
        self.shown_in = 0
        self._ids: list[str] = []
        self._last: Any = None

    def begin(self) -> None:
        """Show it in the output of the cell that runs now, too."""
        self._last = None
        if self.shown_in != execution() or not self._ids:
            self._ids.append("")
            self.shown_in = execution()

    def draw(self, picture: Picture, metadata: dict[str, Any]) -> None:
        """Draw it as it is at the moment, where that has changed."""
        if getattr(shell(), "kernel", None) is None:
            self._print(picture)
            return
        data = batch.mimebundle(picture)
        if data == self._last or not self._ids:
            return
        self._last = data
        self._send(len(self._ids) - 1, data, metadata)

    def settle(self, picture: Picture, metadata: dict[str, Any]) -> None:
        """Draw it as it stays, wherever it is shown."""
        if getattr(shell(), "kernel", None) is None:
            self._print(picture, whole=True)
            return
        brief = replace(picture, spent=(), failed=(), more=0)
        for place in range(len(self._ids)):
            newest = place == len(self._ids) - 1  # elsewhere it need not stand at full length
            self._send(place, batch.mimebundle(picture if newest else brief), metadata)

    def leave(self) -> None:
        """Let what is shown stay as it is, whatever becomes of the batch."""
        self._ids.clear()

    def _send(self, place: int, data: dict[str, str], metadata: dict[str, Any]) -> None:
        if self._ids[place]:
            update_display(data, metadata=metadata, raw=True, display_id=self._ids[place])
        else:
            self._ids[place] = uuid4().hex
            display(data, metadata=metadata, raw=True, display_id=self._ids[place])

    def _print(self, picture: Picture, *, whole: bool = False) -> None:
        """Write a line where it has changed; on a terminal, over the one before."""
        terminal = sys.stdout.isatty()
        said = batch.plain(picture) if whole else batch.line(picture, clock=terminal)
        if said == self._last:
            return
        before = "\r\x1b[K" if terminal else ""
        self._last = said
        sys.stdout.write(f"{before}{said}" + ("\n" if whole or not terminal else ""))
        sys.stdout.flush()
