"""Outputs that stay up to date on pages that ``update_display`` does not reach.

An update finds its output by a display id, which a page knows only if it was there when the output
was displayed. A page that was loaded later finds it by a mark in it instead, and is told
of each replacement by a widget without a view. What it is told is handled by claude_nb's JupyterLab
extension (``labextension/static/settle.js``), and where there is none by ``output_sync.js``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from claude_nb.render import saved_output
from claude_nb.render.scripts import source
from claude_nb.request.page import Page
from claude_nb.request.place import current_place, current_session, kernel_id, process_id, shell
from claude_nb.streaming.block import as_dict
from claude_nb.streaming.record import MIME
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.widget import PageWidget

MARK = "application/vnd.claude-nb.output+json"
"""The MIME type under which an output that is replaced later has its id, version and kernel."""

WIDGET = "claude_nb.outputs"
"""The id of the widget, by which labextension/static/settle.js finds it."""

_SETTLED = 100
"""Settled outputs that a page may still ask for."""


class SyncedOutput(DisplayedOutput):
    """An output that pages keep up to date, whenever they were loaded.

    Args:
        metadata: What the front end is told of the output.
        placed: Whether a page that lacks it, because the notebook was not saved since, puts it into
            its cell.

    Attributes:
        version: How often it was shown.
        given: How often a page was given it.
        place: Where it was displayed.
        placed: The same. A settled output is placed until a page has it: only pages with the
            JupyterLab extension say so.
        session: The session of the page that displayed it.
        settled: Whether it stays as it is.
    """

    def __init__(self, metadata: dict[str, Any] | None = None, *, placed: bool = True) -> None:
        super().__init__(metadata)
        self.version = 0
        self.given = 0
        self.place = current_place()
        self.placed = placed
        self.session = current_session()
        self.settled = False
        self._is_acknowledged = "settle" in Page().capabilities
        self._is_marked = False
        self._sync = output_sync()

    def show(self, data: dict[str, Any]) -> None:
        """Display it, or replace it on every page; it has a mark until it is settled."""
        with self._lock:
            self.version += 1
            self._show({**data, MARK: self.mark_of_version()})
        self._sync.announce(self)

    def mark_of_version(self) -> dict[str, object]:
        """What it has of itself until it is settled."""
        kernel = {"kernel": kernel_id(), "process": process_id()}
        return {"id": self.id, "version": self.version, **kernel}

    def settle(self, data: dict[str, Any]) -> None:
        """Show it as it stays, without a mark."""
        with self._lock:
            self.version += 1
            self.settled = True
            self.placed = self.placed and self._is_acknowledged
            self._show(data)
        self._sync.announce(self)

    def give(self, given: object) -> dict[str, Any]:
        """Give the output to a page that has an older version, to one at a time.

        In a notebook that pages share, what two of them put in would be there twice. So a page says
        how often it was given when the page last asked. If it was given since, the page has to look
        again whether its output is still old.

        Args:
            given: How often; None if the page has a notebook of its own, and need not wait.

        Returns:
            How often it was given, as ``given``; and if that was as the page says, the ``output``,
            the number of its ``execution``, the ``cell`` into which it may be put, and whether it
            is ``settled``.
        """
        with self._lock:
            if given not in (None, self.given) or self._shown is None:
                return {"given": self.given}
            self.given += 1
            shown = {"data": self._shown, "metadata": self._metadata}
            return {
                "given": self.given,
                "output": {"output_type": "display_data", **shown},
                "execution": self.place.execution,
                "cell": self.cell,
                "settled": self.settled,
            }

    def mark(self, line: str) -> None:
        """Show a line above what was settled, once; its record stays as it is."""
        if self._shown is not None and not self._is_marked:
            self._is_marked = True
            self.settle(saved_output.marked(self._shown, line))

    def holds(self, turn: str) -> bool:
        """Whether it is the settled output of the reply of this turn."""
        record = as_dict((self._shown or {}).get(MIME))
        return self.settled and as_dict(record.get("turn")).get("id") == turn

    @property
    def cell(self) -> str:
        """The id of the cell into which a page may put it; empty if it may not."""
        return self.place.cell if self.placed else ""


class OutputSync(PageWidget):
    """Tells pages of the outputs that are replaced: see ``render.protocol``."""

    _esm = source("output_sync")

    def __init__(self) -> None:
        self._outputs: WeakValueDictionary[str, SyncedOutput] = WeakValueDictionary()
        self._settled: deque[SyncedOutput] = deque(maxlen=_SETTLED)
        super().__init__(model_id=WIDGET)
        if here := shell():
            here.events.register("pre_run_cell", self._leave_cell)

    def announce(self, output: SyncedOutput) -> None:
        """Tell the pages that there is a new version of an output."""
        if output.settled:
            self._settled.append(output)
        self._outputs[output.id] = output
        self.send(_facts(output))

    def whole(self) -> dict[str, object]:
        """The outputs that there are, for a page that was loaded later."""
        return {"outputs": [_facts(output) for output in list(self._outputs.values())]}

    def receive(self, content: dict[str, Any], _buffers: Sequence[Any]) -> None:
        """Tell a page of the outputs, give it one, or note that it has one."""
        op, answer = content.get("op"), {"ack": content.get("n")}
        output = self._outputs.get(str(content.get("id")))
        if op == "outputs":
            self.send(answer | self.whole())
        elif op == "output":
            self.send(answer | (output.give(content.get("given")) if output else {}))
        elif op == "has" and output:
            output.placed = False

    def mark(self, turn: str, line: str) -> None:
        """Show a line above the reply of a turn, where it is one of the last that were settled."""
        for output in [output for output in self._settled if output.holds(turn)][-1:]:
            output.mark(line)

    def _leave_cell(self, info: Any) -> None:
        """Before a cell is run again: what it displayed earlier has no place in it any more.

        Args:
            info: IPython's ``ExecutionInfo``. What code runs as a cell is not kept in its history.
        """
        cell = current_place().cell if info.store_history else ""
        for output in list(self._outputs.values()):
            if cell and output.place.cell == cell:
                output.placed = False

    def close(self) -> None:
        """Close the widget, and tell nobody any more."""
        super().close()
        if here := shell():
            with suppress(ValueError):  # it is closed already
                here.events.unregister("pre_run_cell", self._leave_cell)


def _facts(output: SyncedOutput) -> dict[str, object]:
    return {
        "id": output.id,
        "version": output.version,
        "given": output.given,
        "cell": output.cell,
        "session": output.session,
        "settled": output.settled,
    }


def output_sync() -> OutputSync:
    """The widget of this kernel."""
    global _sync  # noqa: PLW0603
    if _sync is None or _sync.comm is None:
        _sync = OutputSync()
    return _sync


def mark(turn: str, line: str) -> None:
    """Show a line above the reply of a turn, where a page shows it and it came not long ago."""
    if _sync is not None:
        _sync.mark(turn, line)


_sync: OutputSync | None = None
