"""An output of a cell that is displayed once and replaced later."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

from IPython.display import display


class DisplayedOutput:
    """An output that any thread can replace, once the cell's own thread has displayed it.

    Attributes:
        id: Its display id.
    """

    def __init__(self) -> None:
        self.id = uuid4().hex
        self._lock = threading.Lock()
        self._shown: tuple[dict[str, Any], dict[str, Any]] | None = None

    def show(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Display a MIME bundle in the cell that runs, or put it in place of the one before."""
        with self._lock:
            self._show(data, metadata or {})

    def settle(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Show it as it stays."""
        self.show(data, metadata)

    def repeat(self) -> None:
        """Send it again: nbclient drops messages that arrive while no cell runs."""
        with self._lock:
            if self._shown is not None:
                self._show(*self._shown)

    def _show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        update = self._shown is not None
        display(data, metadata=metadata, raw=True, display_id=self.id, update=update)
        self._shown = data, metadata
