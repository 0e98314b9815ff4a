"""Shows a reply in a widget, which the saved output replaces at the end."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from claude_nb.render import saved_output
from claude_nb.render.html import Drawn, Rendered
from claude_nb.reply import Reply
from claude_nb.streaming.block import Block
from claude_nb.views.confirmation import Confirmation, by_input
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.frames import Frames
from claude_nb.views.pace import Pace
from claude_nb.views.widget import PageWidget, source, style


class LiveWidget(PageWidget):
    """The model of ``live.js``."""

    _esm = source("live")
    _css = style("live")
    kernel_id = traitlets.Unicode().tag(sync=True)
    columns = traitlets.Int(1).tag(sync=True)


class LiveView:
    """Shows a reply in a widget while it grows; for a front end that can answer.

    Args:
        reply: The reply.
        stop: Ends it.
        output: The output that shows it, perhaps beside others; by default one of its own, in a
            cell that waits for the reply.
        name: The title of the reply; by default its model.
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
        self.frames = Frames(name)
        self.lock = threading.Lock()
        self._pace = Pace()
        self._resync = False
        self._confirmation = Confirmation(self._show_confirmation)
        self._output = output or LiveOutput()
        self._send_message = self._output.add(self)

    def frame(self, reply: Reply, now: float) -> float:
        """Send what is new; the longer that takes, the longer until the next frame."""
        start = time.perf_counter()
        self._send(reply, now)
        return self._pace.pause(start, self.frames.open_units)

    def confirm(self, call: Block) -> bool | None:
        """Ask by buttons on the page; where no click can reach the kernel, in the cell."""
        answer = self._confirmation.ask(call)
        return by_input(call) if answer is None else answer

    def _show_confirmation(self, call: Block | None) -> None:
        with self.lock:
            self.frames.confirming = call
        self._send(self.reply, time.monotonic())

    def settle(self, reply: Reply) -> None:
        """Send the last frame; an output of its own is then replaced by what is saved."""
        self._confirmation.withdraw()
        self._send(reply, reply.ended or time.monotonic())
        self._output.end(self)

    def _send(self, reply: Reply, now: float) -> None:
        with self.lock:
            message = self.frames.next(reply, now)
            if self._resync:
                self._resync = False
                message = self.frames.snapshot(reply, now)
        if message is not None:
            self._send_message(message)

    def whole(self) -> dict[str, object]:
        """Everything that is shown so far, in one frame."""
        with self.lock:
            return self.frames.snapshot(self.reply, time.monotonic())

    def receive(self, op: str, content: dict[str, Any]) -> None:
        """Take a message from the page about this reply."""
        if self._confirmation.receive(content):
            return
        if op == "stop":
            self.stop()
        elif op == "fold":
            with self.lock:
                self.frames.fold(content["pane"], is_open=bool(content.get("open")))
        elif op == "resync" and self.reply.ended is None:
            self._resync = True
        elif op == "resync":  # no later frame will bring it
            self._send_message(self.whole())


class LiveOutput:
    """A cell's output with a widget that shows one growing reply, or several side by side.

    Args:
        columns: The number of replies.
        stop: Ends all of them; by default each is ended by itself.
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
        self._settled = False
        self._gone = False
        self._output = DisplayedOutput()
        self._widget = LiveWidget(
            self._whole, columns=columns, kernel_id=_kernel_id() if interrupts else ""
        )
        self._widget.on_msg(self._receive)
        view, _ = self._widget._repr_mimebundle_() or ({}, {})
        self._output.show({**view, "text/plain": "Claude is answering…"})

    def add(self, view: LiveView) -> Callable[[dict[str, object]], object]:
        """Give a reply the next column; the function that is returned sends it a message."""
        column = {"column": len(self._views)} if self._count > 1 else {}
        self._views.append(view)
        return lambda message: self._widget.send(column | message)

    def end(self, view: LiveView) -> None:
        """A reply has ended: a single one is replaced by what is saved."""
        if self._count == 1:
            reply = view.reply
            bundle = saved_output.mimebundle(reply, self.drawn())
            self.settle(bundle, saved_output.metadata(reply, reply.request))

    def drawn(self) -> Drawn:
        """What the page shows of the replies."""
        opened: set[Block] = set()
        rendered: dict[Block, Rendered] = {}
        for view in self._views:
            with view.lock:
                opened |= view.frames.opened
                rendered |= view.frames.rendered
        return Drawn(opened, rendered)

    def settle(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Replace the widget with what is saved; it closes when the page has removed it."""
        self._settled = True
        self._output.show(bundle, metadata)
        if self._gone:
            self._close()

    def _whole(self) -> dict[str, object]:
        if self._count == 1:
            return self._views[0].whole() if self._views else {}
        return {"columns": [view.whole() for view in self._views]}

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Take a message from the page: on any of the kernel's threads, at any time."""
        LiveOutput.answered = True
        op = content.get("op") if isinstance(content, dict) else None
        if op == "gone":
            self._gone = True
            if self._settled:
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
            elif op == "resync" and self._settled:
                self._output.repeat()

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
