"""Outputs that stay up to date on pages that ``update_display`` does not reach.

An update finds its output by a display id, which a page knows only if it was there when the output
was displayed. A page that was loaded later finds it by a mark in its metadata instead, and is told
of each replacement by a widget without a view (``output_sync.js``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

from claude_nb.request.place import current_place
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.widget import PageWidget, source

MARK = "claude_nb_output"
"""Where the metadata of an output that is replaced later has its id and its version."""

_SETTLED = 20
"""Settled outputs that a page may still ask for."""


class SyncedOutput(DisplayedOutput):
    """An output that pages keep up to date, whenever they were loaded.

    Args:
        placed: Whether a page that lacks it, because the notebook was not saved since, puts it into
            its cell while it is not settled.

    Attributes:
        version: How often it was shown.
        given: How often a page was given it.
        place: Where it was displayed.
        placed: The same.
    """

    def __init__(self, *, placed: bool = True) -> None:
        super().__init__()
        self.version = 0
        self.given = 0
        self.place = current_place()
        self.placed = placed
        self._sync = output_sync()

    def show(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Display it, or replace it on every page; it has a mark until it is settled."""
        with self._lock:
            self.version += 1
            mark = {MARK: {"id": self.id, "version": self.version}}
            self._show(data, {**(metadata or {}), **mark})
        self._sync.announce(self)

    def settle(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Show it as it stays, without a mark."""
        with self._lock:
            self.version += 1
            self.placed = False
            self._show(data, metadata or {})
        self._sync.announce(self, settled=True)

    def give(self, given: object) -> dict[str, Any]:
        """Give the output to a page that has an older version, to one at a time.

        In a notebook that pages share, what two of them put in would be there twice. So a page says
        how often it was given when the page last asked. If it was given since, the page has to look
        again whether its output is still old.

        Returns:
            How often it was given, as ``given``; and if that was as the page says, the ``output``
            and the number of its ``execution``.
        """
        with self._lock:
            if given != self.given or self._shown is None:
                return {"given": self.given}
            self.given += 1
            data, metadata = self._shown
            output = {"output_type": "display_data", "data": data, "metadata": metadata}
            return {"given": self.given, "output": output, "execution": self.place.execution}


class OutputSync(PageWidget):
    """Tells pages of the outputs that are replaced: see ``views.protocol``."""

    _esm = source("output_sync")

    def __init__(self) -> None:
        self._outputs: WeakValueDictionary[str, SyncedOutput] = WeakValueDictionary()
        self._settled: deque[SyncedOutput] = deque(maxlen=_SETTLED)
        super().__init__()

    def announce(self, output: SyncedOutput, *, settled: bool = False) -> None:
        """Tell the pages that there is a new version of an output."""
        if settled:
            self._settled.append(output)
        if output.id in self._outputs:
            self.send(_facts(output))
        self._outputs[output.id] = output

    def whole(self) -> dict[str, object]:
        """The outputs that there are, for a page that was loaded later."""
        return {"outputs": [_facts(output) for output in list(self._outputs.values())]}

    def receive(self, content: dict[str, Any], _buffers: Sequence[Any]) -> None:
        """Give a page the output that it asks for."""
        if content.get("op") == "output":
            output = self._outputs.get(str(content.get("id")))
            answer = {} if output is None else output.give(content.get("given"))
            self.send({"ack": content.get("n"), **answer})


def _facts(output: SyncedOutput) -> dict[str, object]:
    cell = output.place.cell if output.placed else ""
    return {"id": output.id, "version": output.version, "given": output.given, "cell": cell}


def output_sync() -> OutputSync:
    """The widget of this kernel."""
    global _sync  # noqa: PLW0603
    if _sync is None or _sync.comm is None:
        _sync = OutputSync()
    return _sync


_sync: OutputSync | None = None
