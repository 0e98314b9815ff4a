"""A view that needs no widget: the reply's HTML by ``update_display``, a few times a second."""

from __future__ import annotations

import math
import time

from claude_nb.render import html, saved_output, text
from claude_nb.reply import Reply
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.confirmation import by_input
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.pace import Pace


class UpdatingView:
    """Shows a reply in a cell's output where no widget can answer.

    Args:
        output: The output.
    """

    def __init__(self, output: DisplayedOutput) -> None:
        self.output = output
        self._pace = Pace(shortest=0.25, longest=math.inf)

    def frame(self, reply: Reply, now: float) -> float:
        """Send the whole page again; the longer it is, the less often."""
        start = time.perf_counter()
        page = self.page(reply, now)
        self.output.show(page)
        return self._pace.pause(start, len(page["text/html"]))

    def page(self, reply: Reply, now: float) -> dict[str, str]:
        """The output while the reply grows."""
        return {"text/html": html.reply(reply, now=now), "text/plain": text.plain(reply) or "…"}

    def confirm(self, asked: PermissionRequest) -> Answer | None:
        """Ask in the cell."""
        return by_input(asked)

    def settle(self, reply: Reply) -> None:
        """Replace the page with what is saved: three forms and the record."""
        with saved_output.shown(self.output.settle, reply):
            self.output.settle(saved_output.mimebundle(reply, reply.request))
