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

from claude_nb.errors import StoppedError
from claude_nb.progress import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from claude_nb.engine import Stream
    from claude_nb.reply import Reply

_TICK = 1.0
"""Seconds after which a silent stream is drawn again, so that its clock goes on."""


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

    def settle(self, reply: Reply) -> None:
        """Draw the reply as it stays."""
        ...


def paint(stream: Stream, reply: Reply, show: Callable[[], View] | None) -> None:
    """Show a stream until it ends, on the thread that calls: the cell's own.

    An interrupt stops the request at the server, and the reply settles with what came.

    Args:
        stream: Where the events come from.
        reply: What they are gathered in.
        show: Makes what it is shown in, or None to show nothing.

    Raises:
        ClaudeError: The reply failed, was dropped or was stopped; ``.reply`` holds what came.
    """
    broken: Exception | None = None
    with interrupts(stream.stop):
        view = show() if show is not None else None
        try:
            _follow(stream, reply, view)
        except Exception as bug:  # noqa: BLE001 - a reply that is paid for outlives a bad frame
            broken = bug
            _follow(stream, reply, None)
        if view is not None:
            view.settle(reply)
    if broken is not None:
        raise broken
    error = StoppedError("Stopped.") if reply.outcome is Outcome.STOPPED else reply.error
    if error is not None:
        error.reply = reply
        raise error


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Let an interrupt stop the stream, rather than break off whatever runs at that moment.

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


def _follow(stream: Stream, reply: Reply, view: View | None) -> None:
    due = 0.0
    shown = False
    while True:
        finished = stream.done
        reply.advance(stream.events[len(reply.events) :])
        if finished:
            return
        now = time.monotonic()
        first = not shown and bool(reply.blocks)  # the first delta is drawn at once
        if view is None:
            stream.join()
        elif now < due and not first:
            stream.wait(len(reply.events), due - now)
        else:
            shown = shown or first
            due = time.monotonic() + view.frame(reply, now)
            if shown:
                stream.join(due - time.monotonic())  # asleep, not woken by each delta
            stream.wait(len(reply.events), _TICK)
