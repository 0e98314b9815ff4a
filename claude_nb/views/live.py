"""Shows a reply in a widget, which the saved output replaces at the end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar
from uuid import uuid4

import traitlets

from claude_nb.render import saved_output
from claude_nb.render.html import Drawn, Rendered
from claude_nb.render.scripts import source, style
from claude_nb.reply import Reply
from claude_nb.request.host import host
from claude_nb.request.place import kernel_id
from claude_nb.streaming.block import Block
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.answers import answers
from claude_nb.views.confirmation import by_input
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.frames_view import FramesView
from claude_nb.views.synced_output import SyncedOutput
from claude_nb.views.updating import UpdatingView
from claude_nb.views.widget import PageWidget

_UNHEARD = 0.25
"""Seconds between two frames that hold everything."""

_LOADING = 10.0
"""Seconds after which a page that cannot answer is taken to have loaded the widget."""

_UNANSWERED = 2.0
"""Seconds after which a page that has not answered is taken to show no widgets."""

_UNHEARD_STOP = {
    "vscode": "use the cell’s stop button (■), or Interrupt in the toolbar",
    "colab": "use the cell’s stop button (■)",
    "": "choose Kernel › Interrupt Kernel",
}
"""What to do, by host, where a click on Stop does not reach the kernel."""

_BUSY = "the kernel is busy, and stops the reply when it is free"
"""The same where the cell does not wait for the reply."""

_OPEN = 8
"""Settled outputs that a page may still show: one that is closed does not say that it is gone."""


class LiveView(FramesView):
    """Shows a reply in a widget while it grows; for a front end that can answer.

    Args:
        reply: The reply.
        output: The output that shows it, perhaps beside others.
        name: The title of the reply; by default its model.
    """

    def __init__(self, reply: Reply, output: LiveOutput, name: str = "") -> None:
        self._output = output
        super().__init__(threading.RLock(), name, has_usage=output.columns == 1)
        self.reply = reply
        self._output.views.append(self)

    def frame(self, reply: Reply, now: float) -> float:
        """Send what is new; everything as long as what is sent before a page is there is lost."""
        if (plain := self._output.plain(now)) is not None:
            return plain.frame(reply, now)
        if self._output.is_loaded(now):
            return super().frame(reply, now)
        self.frames.resync = True
        return max(super().frame(reply, now), _UNHEARD)

    def send_frame(self, frame: dict[str, object]) -> None:
        """Send the page a frame, with the number of its column."""
        self._output.send_frame(self, frame)

    def confirm(self, asked: PermissionRequest) -> Answer | None:
        """Ask by buttons on the page; where no click can reach the kernel, in the cell."""
        now, answer = time.monotonic(), None
        if answers.reach_cells and self._output.plain(now) is None:
            answer = self.confirmation.ask(asked, self._output.patience(now))
        return by_input(asked) if answer is None else answer

    def settle(self, reply: Reply) -> None:
        """Send the last frame; an output of its own is then replaced by what is saved."""
        try:
            super().settle(reply)
        finally:
            self._output.end(reply)

    def receive(self, op: str, content: dict[str, Any]) -> None:
        """Take a message from the page about this reply."""
        reply = self.reply
        if self.confirmation.receive(content) or reply is None:
            return
        if op == "stop":
            reply.stop()
        elif op == "fold":
            with self.lock:
                self.frames.fold(content["pane"], is_open=bool(content.get("open")))
        elif op == "resync":
            self.frames.resync = True
            if self.frames.done is not None:  # no later frame will bring it
                self.frame(reply, time.monotonic())


class LiveOutput(PageWidget):
    """A cell's output with a widget that shows one growing reply, or several side by side.

    Args:
        columns: The number of replies.
        stop: Ends all of them; by default each is ended by itself.
        interrupts: Whether Stop interrupts the kernel where nothing else reaches it: only if the
            cell waits for what it stops.
        below: HTML as high as what the saved output has below several replies; its place is kept.
        plain: Makes the view in an output that takes the widget's place while no page answers.

    Attributes:
        views: The views in it, a column each.
    """

    _esm = source("live")
    _css = style("live")
    kernel_id = traitlets.Unicode().tag(sync=True)
    columns = traitlets.Int(1).tag(sync=True)
    below = traitlets.Unicode().tag(sync=True)
    unheard = traitlets.Unicode().tag(sync=True)
    placeholder = traitlets.Unicode().tag(sync=True)
    _unclosed: ClassVar[deque[LiveOutput]] = deque()

    def __init__(
        self,
        columns: int = 1,
        *,
        stop: Callable[[], object] | None = None,
        interrupts: bool = True,
        below: str = "",
        plain: Callable[[DisplayedOutput], UpdatingView] = UpdatingView,
    ) -> None:
        self._stop = stop
        self._make_plain = plain
        self._plain: UpdatingView | None = None
        self._is_answered = False
        self._began = time.monotonic()
        self.views: list[LiveView] = []
        self._is_loaded = host() != "colab"
        self._settled = False
        self._gone = False
        self._later: set[object] = set()  # pages that show it and were loaded since
        kernel = kernel_id() if interrupts else ""
        unheard = _UNHEARD_STOP.get(host(), _UNHEARD_STOP[""]) if interrupts else _BUSY
        placeholder = f"claude-nb-answering-{uuid4().hex}"
        state = {"kernel_id": kernel, "unheard": unheard, "placeholder": placeholder}
        super().__init__(columns=columns, below=below, **state)
        self._output = SyncedOutput(self.view_metadata)
        self._show()

    def _show(self) -> None:
        answering = "Claude is answering…"
        # Pages on which the notebook is not trusted show this, and the live view in its place.
        text = {"text/html": f'<div class="{self.placeholder}">{answering}</div>'}
        self._output.show({**self.bundle(answering), **text})

    def plain(self, now: float) -> UpdatingView | None:
        """The view in the place of the widget; None while a page shows that, or may yet do so."""
        if self._is_answered and self._plain is not None:  # a late page
            self._plain, self._gone = None, False
            for view in self.views:
                view.frames.resync = True
            self._show()
        elif not self._is_answered and answers.are_due and now - self._began > _UNANSWERED:
            self._plain = self._plain or self._make_plain(self._output)
        return self._plain

    def patience(self, now: float) -> float | None:
        """Seconds until the widget gives way to ``plain``; None if it does not."""
        if self._is_answered or not answers.are_due:
            return None
        return max(self._began + _UNANSWERED - now, 0.0) + _UNHEARD

    def is_loaded(self, now: float) -> bool:
        """Whether a page gets what is sent: in Colab not before it has loaded the widget."""
        return self._is_loaded or now - self._began > _LOADING

    def send_frame(self, view: LiveView, frame: dict[str, object]) -> None:
        """Send the page a frame of one of the views."""
        column = {"column": self.views.index(view)} if self.columns > 1 else {}
        self.send(column | frame)

    def end(self, reply: Reply) -> None:
        """A reply has ended: a single one is replaced by what is saved."""
        if self.columns > 1:
            return
        with saved_output.shown(self.settle, reply):
            self.settle(saved_output.mimebundle(reply, reply.request, self.drawn()))

    def drawn(self) -> Drawn:
        """What the page shows of the replies."""
        opened: set[Block] = set()
        rendered: dict[Block, Rendered] = {}
        for view in self.views:
            with view.lock:
                opened |= view.frames.opened
                rendered |= view.frames.rendered
        return Drawn(opened, rendered)

    def settle(self, bundle: dict[str, Any]) -> None:
        """Replace the widget with what is saved; it closes when the pages have removed it."""
        self._settled = True
        self._output.settle(bundle)
        if self._is_over():
            self.close()
            return
        self._unclosed.append(self)
        while len(self._unclosed) > _OPEN:
            self._unclosed.popleft().close()

    def _is_over(self) -> bool:
        return self._settled and self._gone and not self._later

    def whole(self) -> dict[str, object]:
        """Everything shown so far, of each reply."""
        if self.columns == 1:
            return self.views[0].whole() if self.views else {}
        return {"columns": [view.whole() for view in self.views]}

    def receive(self, content: dict[str, Any], _buffers: Sequence[Any]) -> None:
        """Handle a message from the page, or let the replies that it is about do so."""
        op, page = content.get("op"), content.get("page")
        self._is_loaded = True
        self._is_answered |= op == "hears"
        if op == "here":  # anywidget hands on nothing where a widget took two seconds to load
            self.send({"heard": True})
        elif op == "shown":
            self._later.add(page)
        elif op == "gone":
            self._gone = True
            self._later.discard(page)
            if self._is_over():
                self.close()
        elif op is not None:
            self._hand_on(op, content)
            if op == "stop":
                self.send({"ack": content.get("n")})
            elif op == "resync" and self._settled:
                self._output.repeat()

    def _hand_on(self, op: str, content: dict[str, Any]) -> None:
        column = content.get("column")
        if op == "stop" and column is None and self._stop is not None:
            self._stop()
            return
        for number, view in enumerate(self.views):
            if column in (None, number):
                view.receive(op, content)

    def close(self) -> None:
        """Close the widget, and what it has of layout."""
        with suppress(ValueError):
            self._unclosed.remove(self)
        super().close()
        self.layout.close()
