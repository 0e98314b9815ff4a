"""An output of a cell that is displayed once and replaced later."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from IPython.display import clear_output, display

from claude_nb.request.host import host
from claude_nb.request.place import is_claude_cell, shell
from claude_nb.request.request import Request
from claude_nb.views.marimo_output import MarimoOutput


class DisplayedOutput:
    """An output that any thread can replace, once the cell's own thread has displayed it.

    Its metadata stay as they are: where they change, VS Code replaces all outputs of the cell.

    Args:
        metadata: What the front end is told of the output.

    Attributes:
        id: Its display id.
    """

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        self.id = uuid4().hex
        self._metadata = metadata or {}
        self._lock = threading.Lock()
        self._shown: dict[str, Any] | None = None
        self._cell: dict[str, Any] | None = None  # the header of the message that ran it
        self._in_marimo = MarimoOutput() if host() == "marimo" else None

    def show(self, data: dict[str, Any]) -> None:
        """Display a MIME bundle in the cell that runs, or put it in place of the one before."""
        with self._lock:
            self._show(data)

    def settle(self, data: dict[str, Any]) -> None:
        """Show it as it stays."""
        self.show(data)
        if self._in_marimo is not None:
            self._in_marimo.end()

    def repeat(self) -> None:
        """Send it again: nbclient drops messages that arrive while no cell runs."""
        with self._lock:
            if self._shown is not None:
                self._show(self._shown)

    def _show(self, data: dict[str, Any]) -> None:
        update = self._shown is not None
        if self._in_marimo is not None:
            self._in_marimo.show(data)
        else:
            with _sent_for(self._cell):
                display(data, metadata=self._metadata, raw=True, display_id=self.id, update=update)
        if not update and host() == "vscode":
            self._cell = shell().display_pub.parent_header
        self._shown = data


@contextmanager
def _sent_for(cell: dict[str, Any] | None) -> Iterator[None]:
    """Display something as the output of the cell that a message with this header ran.

    VS Code drops what belongs to a widget's message that came while the cell ran, as what another
    thread displays may do with ipykernel 7.
    """
    publisher: Any = shell().display_pub if cell else None
    if not hasattr(publisher, "set_thread_parent"):
        yield
        return
    token = publisher.set_thread_parent(cell)
    try:
        yield
    finally:
        publisher.reset_thread_parent(token)


class SparingOutput(DisplayedOutput):
    """An output for a front end that may ignore updates, or append each of them as an output.

    So there are few, each twice as long after the one before, and the end is displayed anew. Only
    a cell that holds nothing else is cleared for that; in others nothing is shown before the end.

    Args:
        request: What is asked; its tools may display something in the cell.
    """

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._clears = is_claude_cell() and not request.tools
        self._text = ""
        self._pause = 1.0
        self._due = 0.0

    def show(self, data: dict[str, Any]) -> None:
        """Show it if its text has changed and the last one was long enough ago."""
        if not self._clears or data["text/plain"] == self._text or time.monotonic() < self._due:
            return
        if not self._text:  # it may stay like this until the end
            waiting = "Claude is answering. The whole reply will appear here."
            super().show({"text/html": f"<p>{waiting}</p>", "text/plain": waiting})
        else:
            super().show(data)
        self._text = data["text/plain"]
        self._due = time.monotonic() + self._pause
        self._pause *= 2

    def settle(self, data: dict[str, Any]) -> None:
        """Display it as an output of its own."""
        if self._shown is not None:
            clear_output(wait=True)
        display(data, metadata=self._metadata, raw=True)
