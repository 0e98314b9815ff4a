"""The inspector: a timeline that draws while the stream comes, and can be stepped through.

What stands in the notebook is the plain timeline (``render.timeline``), always. A model without a
view of its own (``inspector.js``) finds it on the page and puts the inspector in its place, on the
page alone. So what is saved needs no kernel, and nothing has to be taken back when it is.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import anywidget
import traitlets
from IPython.display import display, update_display

from claude_nb.render.timeline import ABOUT, Timeline, colour_name, label, readable_tokens
from claude_nb.streaming.events import DELTA_FIELDS
from claude_nb.streaming.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block
    from claude_nb.streaming.events import StreamEvent
    from claude_nb.streaming.steps import Step
    from claude_nb.views.painter import View

MOST = 50_000
"""Events that a page is sent."""

MOST_JSON = 20_000
"""Characters of an event's JSON, or of one change, that a page is sent."""

_OPEN = 8
"""Inspectors that are kept alive at a time; an older one becomes the plain timeline again."""

_PERIOD = 1 / 15
_HERE = Path(__file__).parent / "static"


class InspectorWidget(anywidget.AnyWidget):
    """The model of ``inspector.js``."""

    # As text: of a path, anywidget would keep every widget alive to tell it of changes to the file.
    _esm = (_HERE / "inspector.js").read_text(encoding="utf-8")
    _css = (_HERE / "inspector.css").read_text(encoding="utf-8")
    mark = traitlets.Unicode().tag(sync=True)
    about = traitlets.Dict(ABOUT).tag(sync=True)
    snapshot = traitlets.Unicode().tag(sync=True)

    def __init__(self, mark: str, whole: Callable[[], str]) -> None:
        self._whole = whole
        super().__init__(mark=mark)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:  # noqa: FBT001, FBT002
        """The synced state, with all steps so far in ``snapshot``."""
        state = super().get_state(key, drop_defaults)
        if "snapshot" in state:
            state["snapshot"] = self._whole()
        return state


class Inspector:
    """A timeline on the page, from the first event or after the last.

    Attributes:
        mark: The class by which the page finds its place.
    """

    _kept: ClassVar[deque[Inspector]] = deque()

    def __init__(self) -> None:
        self.mark = f"claude-nb-timeline-{uuid4().hex}"
        self._steps = Steps()
        self._sent: list[list[Any]] = []
        self._count = 0
        self._done = False
        self._display_id = uuid4().hex
        self._widget = InspectorWidget(self.mark, self._whole)
        self._widget.on_msg(self._receive)
        self._kept.append(self)
        while len(self._kept) > _OPEN:
            self._kept.popleft().close()

    def show(self, timeline: Timeline) -> None:
        """Put the plain timeline into the output; the page makes it the inspector."""
        display(self._bundle(timeline), raw=True, display_id=self._display_id)

    def settle(self, timeline: Timeline) -> None:
        """Replace what is saved; on the page nothing changes."""
        self._done = True
        self._widget.send(self._message(self._count, []))
        update_display(self._bundle(timeline), raw=True, display_id=self._display_id)

    def _bundle(self, timeline: Timeline) -> dict[str, str]:
        return {"text/html": timeline.to_html(self.mark), "text/plain": repr(timeline)}

    def advance(self, events: Sequence[StreamEvent], *, done: bool = False) -> None:
        """Take in what is new, and send it.

        Args:
            events: All events of the reply so far.
            done: Whether there will be no more.
        """
        fresh = [encode(step) for step in self._steps.take(events[self._count :])]
        began, self._count = self._count, len(events)
        self._done = done
        room = MOST - len(self._sent)
        self._sent += fresh[: max(0, room)]
        if fresh:
            self._widget.send(self._message(began, fresh[: max(0, room)]))

    def _message(self, began: int, steps: list[list[Any]]) -> dict[str, Any]:
        lanes = self._steps.lanes
        several = lanes[-1].attempt > 1
        progress = self._steps.progress
        shown = [
            [label(lane, several=several), colour_name(lane.kind), lane.block] for lane in lanes
        ]
        facts = {
            "lanes": shown,
            "count": self._count,
            "done": self._done,
            "simulated": progress.simulated,
            "replayed": progress.replayed,
            "tokens": readable_tokens(progress) if self._done else None,
            "steps": steps,
        }
        # As text: JSON of our own can say what no message of Jupyter could, such as half a letter.
        return {"from": min(began, MOST), "data": json.dumps(facts, default=str)}

    def _whole(self) -> str:
        said: str = self._message(0, self._sent)["data"]
        return said

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A page that lost a message asks for all of them."""
        if isinstance(content, dict) and content.get("op") == "resync":
            self._widget.send({"from": 0, "reset": True, "data": self._whole()})

    def close(self) -> None:
        """Let go of the page: the plain timeline stands there again."""
        self._widget.close()
        self._widget.layout.close()


class WithTimeline:
    """A view with the timeline of its stream below it.

    Args:
        view: Shows the reply.
        live: Whether a page is there to draw the timeline while it grows.
    """

    def __init__(self, view: View, *, live: bool) -> None:
        self._view = view
        self._due = 0.0
        self._inspector: Inspector | None = None
        if live:
            self._inspector = Inspector()
            self._inspector.show(Timeline(()))

    def frame(self, reply: Reply, now: float) -> float:
        """Draw the reply, and what came since the last time."""
        period = self._view.frame(reply, now)
        if self._inspector is not None and now >= self._due:
            start = time.perf_counter()
            self._inspector.advance(reply.events)
            self._due = now + max(_PERIOD, 10 * (time.perf_counter() - start))
        return period

    def confirm(self, call: Block) -> bool | None:
        """Ask in the reply's own view."""
        return self._view.confirm(call)

    def settle(self, reply: Reply) -> None:
        """Draw both as they stay."""
        self._view.settle(reply)
        timeline = reply.timeline()
        if self._inspector is None:
            static(timeline)
            return
        self._inspector.advance(reply.events, done=True)
        self._inspector.settle(timeline)


def static(timeline: Timeline) -> None:
    """Show a timeline as it is saved: in a notebook's output, or on a terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        print(repr(timeline))  # noqa: T201
        return
    display({"text/html": timeline.to_html(), "text/plain": repr(timeline)}, raw=True)


def inspect(timeline: Timeline) -> None:
    """Show a timeline that can be stepped through."""
    inspector = Inspector()
    inspector.advance(timeline.events, done=True)
    inspector.show(timeline)


def encode(step: Step) -> list[Any]:
    """A step as the page is sent it: ``[time, gap, lane, kind, text, event, changes]``.

    A delta that brings a text and adds it to its block is most of a stream. Of it, ``event`` is 0
    and ``changes`` the number of the block: the page knows the rest.
    """
    usual = {"type": step.kind, DELTA_FIELDS.get(step.kind, ""): step.text}
    event, changes = step.event, step.changes
    plain = (
        isinstance(event, dict)
        and event.get("delta") == usual
        and set(event) == {"type", "index", "delta"}
        and isinstance(event.get("index"), int)
    )
    head = [round(step.time, 6), round(step.gap, 6), step.lane, step.kind]
    if plain and len(changes) == 1:
        (change,) = changes
        if change[0] == "grow" and change[2:] == [DELTA_FIELDS[step.kind], step.text]:
            return [*head, step.text, 0, change[1]]
    return [*head, step.text, _bounded(event), changes]


def _bounded(event: Any) -> Any:
    said = json.dumps(event, default=str)
    if len(said) <= MOST_JSON:
        return event
    return f"{said[:MOST_JSON]} … {len(said) - MOST_JSON:,} more characters"
