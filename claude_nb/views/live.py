"""The live view: a widget that is sent frames, and gives way to the settled output."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import traitlets
from IPython.display import display, update_display

from claude_nb.render import saved_output
from claude_nb.views.frames import Frames, Pace
from claude_nb.views.painter import by_input
from claude_nb.views.question import Question
from claude_nb.views.widget import PageWidget, source, style

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.render.html import Rendered
    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block


class LiveWidget(PageWidget):
    """The model of ``live.js``."""

    _esm = source("live")
    _css = style("live")
    kernel_id = traitlets.Unicode().tag(sync=True)
    columns = traitlets.Int(1).tag(sync=True)

    def __init__(self, whole: Callable[[], dict[str, object]], **state: Any) -> None:
        self.whole = whole  # type: ignore[method-assign]
        super().__init__(**state)


class LiveView:
    """Shows a reply in a widget while it grows; where a front end is there to answer.

    Args:
        reply: The reply.
        stop: Ends it.
        output: The output in which it stands, perhaps beside others; by default one of its own,
            whose cell waits for it.
        name: What it is called, if that is more than its model.
    """

    def __init__(
        self,
        reply: Reply,
        stop: Callable[[], None],
        output: LiveOutput | None = None,
        name: str = "",
    ) -> None:
        self.reply = reply
        self.stop = stop
        self._lock = threading.Lock()
        self._frames = Frames(name)
        self._pace = Pace()
        self._resync = False
        self._question = Question(self._ask)
        self._output = output or LiveOutput()
        self._send_message = self._output.add(self)

    @property
    def opened(self) -> set[Block]:
        """The blocks whose panes the reader has opened."""
        with self._lock:
            return set(self._frames.opened)

    @property
    def rendered(self) -> dict[Block, Rendered]:
        """What has been rendered of complete blocks, for what is saved."""
        with self._lock:
            return self._frames.rendered

    def frame(self, reply: Reply, now: float) -> float:
        """Send what is new; the dearer it is to draw, the longer until the next frame."""
        with self._pace.measured():
            self._send(reply, now)
        return self._pace.pause(self._frames)

    def confirm(self, call: Block) -> bool | None:
        """Ask by buttons on the page; where no click can reach the kernel, in the cell."""
        answer = self._question.put(call)
        return by_input(call) if answer is None else answer

    def _ask(self, call: Block | None) -> None:
        with self._lock:
            self._frames.asking = call
        self._send(self.reply, time.monotonic())

    def settle(self, reply: Reply) -> None:
        """Send the last frame, and tell the output."""
        self._question.withdraw()
        self._send(reply, reply.ended or time.monotonic())
        self._output.ended()

    def _send(self, reply: Reply, now: float) -> None:
        with self._lock:
            message = self._frames.next(reply, now)
            if self._resync:
                self._resync = False
                message = self._frames.snapshot(reply, now)
        if message is not None:
            self._send_message(message)

    def whole(self) -> dict[str, object]:
        """All that is shown so far, in one frame."""
        with self._lock:
            return self._frames.snapshot(self.reply, time.monotonic())

    def receive(self, op: str, content: dict[str, Any]) -> None:
        """A message of the page about this reply."""
        if self._question.receive(content):
            return
        if op == "stop":
            self.stop()
        elif op == "fold":
            with self._lock:
                self._frames.fold(content["pane"], is_open=bool(content.get("open")))
        elif op == "resync" and self.reply.ended is None:
            self._resync = True
        elif op == "resync":  # no frame will follow that could bring it
            self._send_message(self.whole())


class LiveOutput:
    """The output of a cell with a widget in it, in which one reply grows, or several side by side.

    Args:
        columns: How many.
        stop: Ends all of them; by default each of them by itself.
        interrupts: Whether Stop interrupts the kernel where nothing else reaches it: only if the
            cell waits for what it stops.
    """

    answered = False
    """Whether a front end has answered a widget in this process."""

    def __init__(
        self,
        columns: int = 1,
        *,
        stop: Callable[[], object] | None = None,
        interrupts: bool = True,
    ) -> None:
        self._count = columns
        self._stop = stop
        self._views: list[LiveView] = []
        self._settled: tuple[dict[str, str], dict[str, Any]] | None = None
        self._gone = False
        self._display_id = uuid4().hex
        self._widget = LiveWidget(
            self._whole, columns=columns, kernel_id=_kernel_id() if interrupts else ""
        )
        self._widget.on_msg(self._receive)
        bundle = self._widget._repr_mimebundle_() or ({}, {})
        view = {**bundle[0], "text/plain": "Claude is answering…"}
        display(view, raw=True, display_id=self._display_id)

    def add(self, view: LiveView) -> Callable[[dict[str, object]], object]:
        """Give a reply the next column; what is returned sends a message to it."""
        column = len(self._views)
        self._views.append(view)
        return lambda message: self._widget.send(self._about(column) | message)

    def _about(self, column: int) -> dict[str, object]:
        """What a message says of its column: nothing where there is only one."""
        return {"column": column} if self._count > 1 else {}

    def ended(self) -> None:
        """A reply has ended: one that stands alone is put in the widget's place."""
        if self._count == 1:
            (view,) = self._views
            bundle = saved_output.mimebundle(view.reply, view.opened, view.rendered)
            self.settle(bundle, saved_output.metadata(view.reply, view.reply.request))

    def settle(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Put what is saved in the widget's place; the widget closes when the page confirms it."""
        self._settled = bundle, metadata
        self._show_settled()
        if self._gone:
            self._close()

    def _whole(self) -> dict[str, object]:
        if self._count == 1:
            return self._views[0].whole() if self._views else {}
        return {"columns": [view.whole() for view in self._views]}

    def _show_settled(self) -> None:
        if self._settled is not None:
            data, metadata = self._settled
            update_display(data, metadata=metadata, raw=True, display_id=self._display_id)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A message of the page: on any of the kernel's threads, at any time."""
        LiveOutput.answered = True
        op = content.get("op") if isinstance(content, dict) else None
        if op == "gone":
            self._gone = True
            if self._settled is not None:
                self._close()
        elif op is not None:
            column = content.get("column")
            if op == "stop" and column is None and self._stop is not None:
                self._stop()
            else:
                for number, view in enumerate(self._views):
                    if column in (None, number):
                        view.receive(op, content)
            if op == "stop":
                self._widget.send({"ack": content.get("n")})
            elif op == "resync":
                self._show_settled()

    def _close(self) -> None:
        self._widget.close()
        self._widget.layout.close()


def _kernel_id() -> str:
    """The server's id of this kernel, for its REST interface; empty where it cannot be known."""
    from ipykernel.connect import get_connection_file

    try:
        found = re.fullmatch(r"kernel-(.+)\.json", Path(get_connection_file()).name)
    except RuntimeError:
        return ""
    return found[1] if found else ""
