"""A view that needs no widget: the reply's HTML by ``update_display``, a few times a second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from IPython.display import display, update_display

from claude_nb.render import html, saved_output, text
from claude_nb.views.painter import by_input

if TYPE_CHECKING:
    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block

_PERIOD = 0.25
"""Seconds between frames of a short reply."""

_CHARACTERS_PER_SECOND = 400_000
"""HTML that a page takes without stumbling; a longer reply is drawn less often."""


class UpdatingOutput:
    """The output of a cell, whose contents are replaced by what they have become."""

    def __init__(self) -> None:
        self._display_id = uuid4().hex
        self._lock = threading.Lock()
        self._last: tuple[dict[str, str], dict[str, Any]] | None = None

    def send(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        """Show this: in a new output of the cell that runs, or from then on in that output."""
        with self._lock:
            if self._last is None:
                display(data, metadata=metadata, raw=True, display_id=self._display_id)
            else:
                update_display(data, metadata=metadata, raw=True, display_id=self._display_id)
            self._last = data, metadata

    def repeat(self) -> None:
        """Send it again, for who hears only what is said while a cell runs."""
        with self._lock:
            if self._last is not None:
                data, metadata = self._last
                update_display(data, metadata=metadata, raw=True, display_id=self._display_id)


class UpdatingView:
    """Shows a reply in a cell's output where no widget can answer."""

    def __init__(self) -> None:
        self._output = UpdatingOutput()
        self.repeat = self._output.repeat

    def frame(self, reply: Reply, now: float) -> float:
        """Send the whole reply again; the longer it is, the less often."""
        with Period() as period:
            page = html.reply(reply, now=now)
            self._output.send({"text/html": page, "text/plain": text.plain(reply) or "…"}, {})
        return period.after(page)

    def confirm(self, call: Block) -> bool | None:
        """Ask in the cell."""
        return by_input(call)

    def settle(self, reply: Reply) -> None:
        """Replace it with what is saved: three forms and the record."""
        self._output.send(
            saved_output.mimebundle(reply), saved_output.metadata(reply, reply.request)
        )


class Period:
    """How long to wait after a page: the dearer it was to make and to send, the longer."""

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._cost = time.perf_counter() - self._start

    def after(self, page: str) -> float:
        """Seconds until the next page is worth sending."""
        return max(_PERIOD, 10 * self._cost, len(page) / _CHARACTERS_PER_SECOND)
