"""The base of the views that show a reply by sending pages its frames (``render.frames``)."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod

from claude_nb.render.frames import Frames
from claude_nb.reply import Reply
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.confirmation import Confirmation
from claude_nb.views.pace import Pace


class FramesView(ABC):
    """Shows a reply by sending pages its frames: the base of views of ``views.painter``.

    A subclass has ``send_frame``.

    Args:
        lock: Held while a frame is made and sent, so that none overtakes another.
        name: The title of the reply; by default its model.
        has_usage: As for ``Frames``.

    Attributes:
        reply: The reply, or None before there is one.
        frames: What was sent of it.
        lock: The same.
        confirmation: Asks on the page about calls of tools.
    """

    def __init__(self, lock: threading.RLock, name: str = "", *, has_usage: bool = False) -> None:
        self.reply: Reply | None = None
        self.frames = Frames(name, has_usage=has_usage)
        self.lock = lock
        self.confirmation: Confirmation[PermissionRequest] = Confirmation(self._show_confirmation)
        self._pace = Pace()

    @abstractmethod
    def send_frame(self, frame: dict[str, object]) -> None:
        """Send the page a frame."""

    def frame(self, reply: Reply, now: float) -> float:
        """Send what is new; the longer that takes, the longer until the next frame."""
        start = time.perf_counter()
        with self.lock:
            message = self.frames.next(reply, now)
            if message is not None:
                self.send_frame(message)
        return self._pace.pause(start, self.frames.open_units)

    def confirm(self, asked: PermissionRequest) -> Answer | None:
        """Ask by buttons on the page whether a call may run, and wait for the answer."""
        return self.confirmation.ask(asked)

    def settle(self, reply: Reply) -> None:
        """Send the last frame."""
        self.confirmation.withdraw()
        self.frame(reply, reply.ended or time.monotonic())

    def whole(self) -> dict[str, object]:
        """Everything that is shown so far, in one frame; empty before there is a reply."""
        with self.lock:
            return self.frames.snapshot(self.reply, time.monotonic()) if self.reply else {}

    def _show_confirmation(self, asked: PermissionRequest | None) -> None:
        with self.lock:
            self.frames.confirming = asked
            if self.reply is not None:
                self.frame(self.reply, time.monotonic())
