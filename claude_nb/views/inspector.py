"""The inspector: a timeline that grows while the stream comes, and can be stepped through.

The notebook always holds the plain timeline (``render.timeline``). A model without a view of its
own (``inspector.js``) finds it on the page and shows the inspector in its place, on the page alone.
So what is saved needs no kernel, and nothing has to be undone when it is saved.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import uuid4

import traitlets
from IPython.display import display

from claude_nb.render.scripts import source, style
from claude_nb.render.stepping import ABOUT, MOST, encode
from claude_nb.render.timeline import Timeline
from claude_nb.reply import Reply
from claude_nb.request.place import shell
from claude_nb.streaming.events import DELTA_FIELDS, StreamEvent
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.pace import Pace
from claude_nb.views.painter import View
from claude_nb.views.synced_output import SyncedOutput
from claude_nb.views.terminal import say
from claude_nb.views.widget import PageWidget

_OPEN = 8
"""Inspectors that are kept alive at a time; an older one becomes the plain timeline again."""


class Inspector(PageWidget):
    """A timeline on the page, from the first event or after the last.

    Args:
        timeline: What is shown.
        done: Whether no more events will come.
    """

    _esm = source("inspector")
    _css = style("inspector")
    mark = traitlets.Unicode().tag(sync=True)
    about = traitlets.Dict(ABOUT).tag(sync=True)
    fields = traitlets.Dict(DELTA_FIELDS).tag(sync=True)
    _kept: ClassVar[deque[Inspector]] = deque()

    def __init__(self, timeline: Timeline, *, done: bool = False) -> None:
        self._timeline = timeline
        self._done = done
        self._sent = [encode(step) for step in timeline.steps[:MOST]]
        self._lock = threading.RLock()
        self._output = SyncedOutput()
        super().__init__(mark=f"claude-nb-timeline-{uuid4().hex}")
        self._kept.append(self)
        while len(self._kept) > _OPEN:
            self._kept.popleft().close()
        (self._output.settle if done else self._output.show)(self._saved())

    def advance(self, events: Sequence[StreamEvent]) -> None:
        """Add what is new, and send it.

        Args:
            events: All events of the reply so far.
        """
        if len(events) > len(self._timeline.steps):
            self._send_rest(events)

    def settle(self, events: Sequence[StreamEvent]) -> None:
        """Send the rest, and save the timeline in the notebook.

        Args:
            events: All events of the reply.
        """
        self._done = True
        self._send_rest(events)
        self._output.settle(self._saved())

    def close(self) -> None:
        """Close the widget: the page shows the plain timeline again."""
        super().close()
        self.layout.close()

    def _saved(self) -> dict[str, str]:
        timeline = self._timeline
        return {"text/html": timeline.output(self.mark), "text/plain": repr(timeline)}

    def _send_rest(self, events: Sequence[StreamEvent]) -> None:
        with self._lock:
            first = len(self._sent)
            fresh = self._timeline.take(events[len(self._timeline.steps) :])
            self._sent += [encode(step) for step in fresh[: MOST - first]]
            self.send(self._message(first))

    def _message(self, first: int) -> dict[str, object]:
        """The steps from ``first`` on, and the picture as it is now."""
        facts = self._timeline.facts(self._sent[first:], done=self._done)
        # As text: JSON may hold what no message of Jupyter can, such as half a surrogate pair.
        return {"from": first, "data": json.dumps(facts, default=str)}

    def whole(self) -> dict[str, object]:
        """All steps so far."""
        with self._lock:
            return self._message(0) | {"reset": True}

    def receive(self, content: dict[str, Any], _buffers: Sequence[Any]) -> None:
        """Send all of it to a page that missed a message."""
        if content.get("op") == "resync":
            with self._lock:  # no message may overtake this one
                self.send(self.whole())


class WithTimeline:
    """A view with the timeline of its stream below it.

    Args:
        view: Shows the reply.
        live: Whether a page is there to show the timeline while it grows.
    """

    def __init__(self, view: View, *, live: bool) -> None:
        self._view = view
        self._pace = Pace(shortest=0.25, longest=math.inf)
        self._due = 0.0
        self._inspector = Inspector(Timeline()) if live else None

    def frame(self, reply: Reply, now: float) -> float:
        """Draw the reply, and from time to time its timeline."""
        period = self._view.frame(reply, now)
        if self._inspector is not None and now >= self._due:
            start = time.perf_counter()
            self._inspector.advance(reply.events)
            self._due = now + self._pace.pause(start)
        return period

    def confirm(self, asked: PermissionRequest) -> Answer | None:
        """Ask in the reply's own view."""
        return self._view.confirm(asked)

    def settle(self, reply: Reply) -> None:
        """Draw both as they stay."""
        self._view.settle(reply)
        if self._inspector is None:
            static(reply.timeline())
        else:
            self._inspector.settle(reply.events)


def static(timeline: Timeline) -> None:
    """Show a timeline as it is saved: in a notebook's output, or on a terminal."""
    if getattr(shell(), "kernel", None) is None:
        say(repr(timeline))
        return
    display({"text/html": timeline.output(), "text/plain": repr(timeline)}, raw=True)


def inspect(timeline: Timeline) -> None:
    """Show a timeline that can be stepped through."""
    Inspector(timeline, done=True)
