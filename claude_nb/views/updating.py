"""A view that needs no widget: the reply's HTML by ``update_display``, a few times a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

from IPython.display import display, update_display

from claude_nb.render import html, settled, text
from claude_nb.views import by_input

if TYPE_CHECKING:
    from claude_nb.blocks import Block
    from claude_nb.reply import Reply

_PERIOD = 0.25
"""Seconds between frames of a short reply."""

_CHARACTERS_PER_SECOND = 400_000
"""HTML that a page takes without stumbling; a longer reply is drawn less often."""


class UpdatingView:
    """Shows a reply in a cell's output where no widget can answer."""

    def __init__(self) -> None:
        self._display_id = uuid4().hex
        self._began = False

    def frame(self, reply: Reply, now: float) -> float:
        """Send the whole reply again; the longer it is, the less often."""
        start = time.perf_counter()
        page = html.reply(reply, now=now)
        self._send({"text/html": page, "text/plain": text.plain(reply) or "…"}, {})
        cost = time.perf_counter() - start
        return max(_PERIOD, 10 * cost, len(page) / _CHARACTERS_PER_SECOND)

    def confirm(self, call: Block) -> bool | None:
        """Ask in the cell."""
        return by_input(call)

    def settle(self, reply: Reply) -> None:
        """Replace it with what is saved: three forms and the record."""
        self._send(settled.mimebundle(reply), settled.metadata(reply, reply.request))

    def _send(self, data: dict[str, str], metadata: dict[str, object]) -> None:
        if self._began:
            update_display(data, metadata=metadata, raw=True, display_id=self._display_id)
        else:
            self._began = True
            display(data, metadata=metadata, raw=True, display_id=self._display_id)
