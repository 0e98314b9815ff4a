"""Replies that are shown while the notebook goes on: one thread paints all of them.

It sleeps until a reply has something new and its next frame is due, so that ten replies that stream
cost ten times one, and none costs nothing. What goes wrong with one reply is told to its owner, and
the others go on.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from claude_nb.views.painter import Following

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.client.engine import Stream
    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block
    from claude_nb.views.painter import View


_UNSEEN = 0.25
"""Seconds between two looks at a reply that nobody sees."""


class NullView:
    """A view for a place where nothing may be shown until somebody asks for it."""

    def frame(self, _reply: Reply, _now: float) -> float:
        """Draw nothing; the reply is kept up to date all the same."""
        return _UNSEEN

    def confirm(self, _call: Block) -> bool | None:
        """Nobody can be asked."""
        return None

    def settle(self, _reply: Reply) -> None:
        """Draw nothing."""


class _Job:
    def __init__(
        self, stream: Stream, reply: Reply, view: View, ended: Callable[[Exception | None], object]
    ) -> None:
        self.stream = stream
        self.reply = reply
        self.view = view
        self.ended = ended
        self.bug: Exception | None = None
        self.following = Following(stream, reply, view)

    def advance(self, *, at_once: bool) -> bool:
        """Make the next step if it is time to or ``at_once``, and say if the reply has ended."""
        now = time.monotonic()
        following = self.following
        done = self.stream.done
        news = done or len(self.stream.events) > self.reply.taken
        if not (done or at_once) and now < (following.rest if news else following.latest):
            return False
        try:
            return following.step(at_once=at_once)
        except Exception as bug:  # noqa: BLE001 - a reply that is paid for outlives a bad frame
            if self.bug is not None:
                return done
            self.bug = bug
            self.following = Following(self.stream, self.reply, NullView())
            return False

    def wait(self, wake: Callable[[], object]) -> float:
        """Ask to be woken by what comes next, and say until when to sleep at most."""
        rest = self.following.rest
        if time.monotonic() < rest:
            return rest
        self.stream.call_on_news(self.reply.taken, wake)
        return self.following.latest

    def finish(self) -> None:
        """Draw the reply as it stays, and tell its owner."""
        try:
            self.view.settle(self.reply)
        except Exception as bug:  # noqa: BLE001
            self.bug = self.bug or bug
        with suppress(Exception):  # nobody is there to hear of it, and the others go on
            self.ended(self.bug)


class Painter:
    """The thread that paints; ``paint`` uses the process's own."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._new: list[_Job] = []
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def add(
        self, stream: Stream, reply: Reply, view: View, ended: Callable[[Exception | None], object]
    ) -> None:
        """Paint a stream from now on: see ``paint``."""
        with self._lock:
            self._new.append(_Job(stream, reply, view, ended))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="claude_nb painter", daemon=True
                )
                self._thread.start()
        self._woken.set()

    def catch_up(self, timeout: float) -> None:
        """Have all that has come until now drawn, and wait until it is."""
        drawn = threading.Event()
        with self._lock:
            if self._thread is None:
                return
            self._waiting.append(drawn)
        self._woken.set()
        drawn.wait(timeout)

    @property
    def is_painting(self) -> bool:
        """Whether the thread that asks this is the one that paints."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        while True:
            self._woken.clear()
            with self._lock:
                self._jobs += self._new
                self._new.clear()
                waiting, self._waiting = self._waiting, []
            ended = [job for job in self._jobs if job.advance(at_once=bool(waiting))]
            for job in ended:
                self._jobs.remove(job)
                job.finish()
            for drawn in waiting:
                drawn.set()
            until = [job.wait(self._woken.set) for job in self._jobs]
            del ended  # or the last reply would live until the next one comes
            self._woken.wait(min(until) - time.monotonic() if until else None)


_painter = Painter()


def catch_up(timeout: float = 5.0) -> None:
    """Have all that has come until now drawn, and wait until it is, or ``timeout`` s are over."""
    _painter.catch_up(timeout)


def is_painting() -> bool:
    """Whether this thread is the one that paints: it must not wait for a reply that it paints."""
    return _painter.is_painting


def paint(
    stream: Stream, reply: Reply, view: View, ended: Callable[[Exception | None], object]
) -> None:
    """Show a stream until it ends, and return at once.

    Args:
        stream: Where the events come from.
        reply: What they are gathered in.
        view: What it is shown in; it is drawn on the painter's thread.
        ended: Called when it has settled, on that thread, with what went wrong with showing it.
    """
    _painter.add(stream, reply, view, ended)
