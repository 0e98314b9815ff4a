"""Where a growing reply is shown: one painter, several views.

The painter takes what arrived since the last frame, advances the reply, and lets the view draw it
once: frames, not deltas, so that a fast stream costs no more than a slow one.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from claude_nb.render import labels
from claude_nb.tools.main_thread import MainThreadRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from claude_nb.client.engine import Stream
    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block
    from claude_nb.tools.calls import Calls

_TICK = 1.0
"""Seconds after which a silent stream is drawn again, so that its clock goes on."""


_UNSEEN = 1.0
"""Seconds after which a stream that nobody sees is looked at again."""

_HANGS = 3.0
"""Seconds after an interrupt from which on the next one is not only another press of the key."""


class View(Protocol):
    """One way to show a reply."""

    def frame(self, reply: Reply, now: float) -> float:
        """Draw the reply as it is at ``now`` (``time.monotonic()``).

        Returns:
            Seconds to wait before the next frame is worth drawing.
        """
        ...

    def confirm(self, call: Block) -> bool | None:
        """Ask whether a call of a tool may run, and wait for the answer.

        Returns:
            The answer; None if nobody can be asked.
        """
        ...

    def settle(self, reply: Reply) -> None:
        """Draw the reply as it stays."""
        ...


def paint(
    stream: Stream, reply: Reply, show: Callable[[], View] | None, calls: Calls | None = None
) -> None:
    """Show a stream until it ends, on the thread that calls: the cell's own.

    An interrupt stops the request at the server, and the reply settles with what came.

    Args:
        stream: Where the events come from.
        reply: What they are gathered in.
        show: Makes what it is shown in, or None to show nothing.
        calls: Runs the calls of tools in it, those of functions on this thread; None for none.

    Raises:
        ClaudeError: The reply failed, was dropped or was stopped; ``.reply`` holds what came.
    """
    broken: Exception | None = None
    desk = calls.main_thread if calls is not None else MainThreadRunner()
    with interrupts(stream.stop, desk):
        view = show() if show is not None else None
        if calls is not None:
            calls.main_thread.take(stream.wake)
            calls.confirm = view.confirm if view is not None else by_input
        try:
            _follow(stream, reply, view, desk)
        except Exception as bug:  # noqa: BLE001 - a reply that is paid for outlives a bad frame
            broken = bug
            _follow(stream, reply, None, desk)
        if view is not None:
            view.settle(reply)
    if broken is not None:
        raise broken
    reply.check()


@contextmanager
def interrupts(stop: Callable[[], object], desk: MainThreadRunner | None = None) -> Iterator[None]:
    """Let an interrupt stop what is waited for, rather than break off what runs at that moment.

    One that comes long after the first is an interrupt as ever: something hangs. One that comes
    close behind it may meet a kernel at work on the cell's own end, which would be lost: so this
    stays in place until the kernel sets its own handler again.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    stopped: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if desk is not None and desk.takes_interrupt():
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


def _follow(stream: Stream, reply: Reply, view: View | None, desk: MainThreadRunner) -> None:
    following = Following(stream, reply, view)
    while True:
        works = desk.has_work()  # before the events: that it begins is one of them
        if following.step(at_once=works):
            return
        if works:
            desk.work()
        elif view is not None:
            stream.join(following.rest - time.monotonic())  # asleep, not woken by each delta
            stream.wait(reply.taken, following.latest - time.monotonic(), desk.has_work)
        elif desk.is_taken:
            stream.wait(reply.taken, None, desk.has_work)
        else:
            stream.join()


class Following:
    """A reply that is drawn while it grows, one step after another.

    Attributes:
        rest: Until when no step is worth making (``time.monotonic()``).
        latest: When the next step is due though nothing has come.
    """

    def __init__(self, stream: Stream, reply: Reply, view: View | None) -> None:
        self._stream = stream
        self._reply = reply
        reply.events = stream.events
        self._view = view
        self._due = 0.0
        self._shown = False
        self.rest = self.latest = 0.0

    def step(self, *, at_once: bool = False) -> bool:
        """Take in what has come, draw it if it is time to, and say whether that was the end.

        Args:
            at_once: Whether to draw it even if it is not yet time to.
        """
        finished = self._stream.done
        reply = self._reply
        reply.advance()
        if finished:
            return True
        now = time.monotonic()
        if self._view is None:
            self.rest = self.latest = now + _UNSEEN
            return False
        first = not self._shown and bool(reply.blocks)  # the first delta is drawn at once
        if now < self._due and not first and not at_once:
            self.rest, self.latest = now, self._due
            return False
        self._shown = self._shown or first
        pause = self._view.frame(reply, now)
        now = time.monotonic()
        self._due = now + pause
        self.rest = self._due if self._shown else now
        self.latest = self.rest + _TICK
        return False


def by_input(call: Block) -> bool | None:
    """Ask in the cell, or in the terminal, whether a call may run.

    Returns:
        The answer; None if nobody can be asked.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        answer = input(f"Run {labels.call(call)}? [y/N] ")
    except (EOFError, NotImplementedError):  # no terminal, or a kernel that nobody watches
        return None
    return answer.strip().lower() in ("y", "yes")
