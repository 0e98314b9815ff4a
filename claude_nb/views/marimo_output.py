"""An output of a cell of marimo, which any thread can replace."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from claude_nb.render.in_marimo import page

_MOST = 1000
"""Outputs of one cell, at most: what is displayed in a cell is found by its number."""


class MarimoOutput:
    """An output of the cell that runs when it is made.

    Only a thread of marimo's can write into a cell, and only if it was made while the cell ran.
    """

    def __init__(self) -> None:
        self._marimo: Any = sys.modules["marimo"]
        self._pages: SimpleQueue[str | None] = SimpleQueue()
        self._thread = self._marimo.Thread(target=self._write, daemon=True)
        self._thread.start()

    def show(self, bundle: Mapping[str, Any]) -> None:
        """Show a MIME bundle in place of the one before."""
        self._pages.put(page(bundle))

    def end(self) -> None:
        """Wait until the last of it is there: what the cell returns is shown in its place."""
        self._pages.put(None)
        self._thread.join()

    def _write(self) -> None:
        replace, number = self._marimo.output.replace_at_index, None
        while (html := self._pages.get()) is not None and not self._thread.should_exit:
            shown = self._marimo.Html(html)
            if number is not None:
                replace(shown, number)
                continue
            for number in reversed(range(_MOST)):  # how many there are cannot be asked
                with suppress(IndexError):
                    replace(shown, number)
                    break
