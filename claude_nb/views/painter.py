"""Draws a reply in a view while it grows: in the cell that waits for it, with ``paint``.

A step takes all events that arrived since the last one, and lets the view draw one frame. So a fast
stream costs no more than a slow one.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from claude_nb.client.engine import Stream
from claude_nb.reply import Reply
from claude_nb.tools.calls import Calls
from claude_nb.tools.main_thread import MainThreadRunner
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.confirmation import by_input

_TICK = 1.0
"""Seconds after which a silent stream is drawn again, so that its clock goes on."""

_UNSEEN = 0.25
"""Seconds between two steps of a reply that is not drawn."""

_HANGS = 3.0
"""Seconds after an interrupt from which the next one means that something hangs."""


class View(Protocol):
    """A way to show a reply."""

    def frame(self, reply: Reply, now: float) -> float:
        """Draw the reply as it is at ``now`` (``time.monotonic()``).

        Returns:
            Seconds to wait before the next frame is worth drawing.
        """

    def confirm(self, asked: PermissionRequest) -> Answer | None:
        """Ask whether a call of a tool may run, and wait for the answer.

        Returns:
            The answer; None if nobody can be asked.
        """

    def settle(self, reply: Reply) -> None:
        """Draw the reply as it stays."""


class Following:
    """Draws a reply while it grows, one step after another.

    A view that fails does not draw again until the reply has ended, which it does all the same.

    Args:
        stream: The source of the events.
        reply: The reply that they make.
        view: Draws the reply; None to draw nothing.
        failure: What failed when the view was made, or None.

    Attributes:
        rest: Until when no step is worth making (``time.monotonic()``).
        latest: When the next step is due though no event has come.
        drawing: The view that draws the next frame; None if there is none or it has failed.
    """

    def __init__(
        self,
        stream: Stream,
        reply: Reply,
        view: View | None,
        failure: Exception | None = None,
    ) -> None:
        self.stream = stream
        self.reply = reply
        reply.events = stream.events
        self.rest = self.latest = 0.0
        self.drawing = view
        self._view = view
        self._due = 0.0
        self._began = False
        self._failures = [failure] if failure is not None else []

    @property
    def failure(self) -> Exception | None:
        """What failed in the view, or None; if two calls failed, both in an exception group."""
        if len(self._failures) < 2:
            return self._failures[0] if self._failures else None
        return ExceptionGroup("; ".join(map(str, self._failures)), self._failures)

    def step(self, *, at_once: bool = False) -> bool:
        """Take the new events, draw a frame if it is due or ``at_once``; return if that was all."""
        finished = self.stream.done
        try:
            self.reply.advance()
            if self.drawing is not None and not finished:
                self._draw(self.drawing, at_once=at_once)
        except Exception as bug:  # noqa: BLE001 - a reply that is paid for outlives a bad frame
            self._failures += [] if self._failures else [bug]
            self.drawing = None
        if self.drawing is None:
            self.rest = time.monotonic() + _UNSEEN
            self.latest = self.rest + _TICK
        return finished

    def _draw(self, view: View, *, at_once: bool) -> None:
        now = time.monotonic()
        first = not self._began and bool(self.reply.blocks)  # the first delta is drawn at once
        if now < self._due and not first and not at_once:
            self.rest, self.latest = now, self._due
            return
        self._began = self._began or first
        pause = view.frame(self.reply, now)
        now = time.monotonic()
        self._due = now + pause
        self.rest = self._due if self._began else now
        self.latest = self.rest + _TICK

    def settle(self) -> None:
        """Draw the reply as it stays."""
        try:
            if self._view is not None:
                self._view.settle(self.reply)
        except Exception as bug:  # noqa: BLE001 - it is in ``failure``, once
            if repr(bug) not in map(repr, self._failures):
                self._failures.append(bug)


def paint(
    stream: Stream, reply: Reply, show: Callable[[], View] | None, calls: Calls | None = None
) -> None:
    """Show a stream until it ends, on the calling thread: the cell's own.

    An interrupt stops the request at the server, and the reply settles with what came.

    Args:
        stream: The source of the events.
        reply: The reply that they make.
        show: Makes the view; None to show nothing.
        calls: Runs the reply's tool calls, functions on this thread; None if it has no tools.

    Raises:
        ClaudeError: The reply failed, was dropped or was stopped; ``.reply`` holds what came.
    """
    main_thread = calls.main_thread if calls is not None else MainThreadRunner()
    with interrupts(stream.stop, main_thread):
        view, failure = _made(show)
        if calls is not None:
            main_thread.attach(stream.wake)
            calls.confirm = view.confirm if view is not None else by_input
        following = Following(stream, reply, view, failure)
        _follow(following, main_thread)
        following.settle()
    if following.failure is not None:
        raise following.failure
    reply.check()


def _made(show: Callable[[], View] | None) -> tuple[View | None, Exception | None]:
    """The view, or what failed: a reply that is paid for outlives a view that cannot be made."""
    try:
        return (None if show is None else show()), None
    except Exception as bug:  # noqa: BLE001 - it is told when the reply has ended
        return None, bug


def _follow(following: Following, main_thread: MainThreadRunner) -> None:
    stream, reply = following.stream, following.reply
    while True:
        pending = main_thread.has_pending()  # before the step: the events tell that it begins
        if following.step(at_once=pending):
            return
        if pending:
            main_thread.run_pending()
        elif following.drawing is not None:
            stream.join(following.rest - time.monotonic())  # asleep, not woken by each delta
            stream.wait(reply.taken, following.latest - time.monotonic(), main_thread.has_pending)
        elif main_thread.is_attached:
            stream.wait(reply.taken, None, main_thread.has_pending)
        else:
            stream.join()


@contextmanager
def interrupts(
    stop: Callable[[], object], main_thread: MainThreadRunner | None = None
) -> Iterator[None]:
    """Let an interrupt call ``stop`` instead of raising ``KeyboardInterrupt`` wherever it arrives.

    A second one, more than a few seconds later, interrupts as usual: something hangs. One that
    comes sooner could reach a kernel that is ending the cell, and the cell's reply would be lost.
    So this handler stays until the kernel sets its own again.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    stopped: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if main_thread is not None and main_thread.handle_interrupt():
            return
        if stopped and time.monotonic() - stopped[0] > _HANGS:
            previous(number, frame)
        stopped.append(time.monotonic())
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        if not (stopped and "ipykernel" in sys.modules):
            signal.signal(signal.SIGINT, previous)
