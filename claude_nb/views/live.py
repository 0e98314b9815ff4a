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

from claude_nb.render import settled
from claude_nb.views import by_input
from claude_nb.views.frames import Frames, Pace
from claude_nb.views.question import Question
from claude_nb.views.widget import PageWidget, source, style

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.blocks import Block
    from claude_nb.reply import Reply


class LiveWidget(PageWidget):
    """The model of ``live.js``."""

    _esm = source("live")
    _css = style("live")
    kernel_id = traitlets.Unicode().tag(sync=True)

    def __init__(self, whole: Callable[[], dict[str, object]]) -> None:
        self.whole = whole  # type: ignore[method-assign]
        super().__init__(kernel_id=_kernel_id())


class LiveView:
    """Shows a reply in a widget while it grows; where a front end is there to answer."""

    answered = False
    """Whether a front end has answered a widget in this process."""

    def __init__(self, reply: Reply, stop: Callable[[], None]) -> None:
        self._reply = reply
        self._stop = stop
        self._lock = threading.Lock()
        self._frames = Frames()
        self._pace = Pace()
        self._settled: tuple[dict[str, str], dict[str, Any]] | None = None
        self._resync = False
        self._gone = False
        self._question = Question(self._ask)
        self._display_id = uuid4().hex
        self._widget = LiveWidget(self._whole)
        self._widget.on_msg(self._receive)
        bundle = self._widget._repr_mimebundle_() or ({}, {})
        view = {**bundle[0], "text/plain": "Claude is answering…"}
        display(view, raw=True, display_id=self._display_id)

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
        self._send(self._reply, time.monotonic())

    def settle(self, reply: Reply) -> None:
        """Put what is saved in the widget's place; the widget closes when the page confirms it."""
        self._send(reply, reply.ended or time.monotonic())
        with self._lock:
            bundle = settled.mimebundle(reply, self._frames.opened)
            self._settled = bundle, settled.metadata(reply, reply.request)
        self._show_settled()
        if self._gone:
            self._close()

    def _send(self, reply: Reply, now: float) -> None:
        with self._lock:
            message = self._frames.next(reply, now)
            if self._resync:
                self._resync = False
                message = self._frames.snapshot(reply, now)
        if message is not None:
            self._widget.send(message)

    def _whole(self) -> dict[str, object]:
        with self._lock:
            return self._frames.snapshot(self._reply, time.monotonic())

    def _show_settled(self) -> None:
        if self._settled is not None:
            data, metadata = self._settled
            update_display(data, metadata=metadata, raw=True, display_id=self._display_id)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A message of the page: on any of the kernel's threads, at any time."""
        LiveView.answered = True
        op = content.get("op") if isinstance(content, dict) else None
        if op and self._question.receive(content):
            return
        if op == "stop":
            self._stop()
            self._widget.send({"ack": content.get("n")})
        elif op == "fold":
            with self._lock:
                self._frames.fold(content.get("pane"), is_open=bool(content.get("open")))
        elif op == "resync" and self._settled is None:
            self._resync = True
        elif op == "resync":
            self._widget.send(self._whole())
            self._show_settled()
        elif op == "gone":
            self._gone = True
            if self._settled is not None:
                self._close()

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
