"""Draws replies while the notebook goes on, all of them on one thread.

It sleeps until a reply has new events and its next frame is due, so ten replies that stream cost
ten times as much as one, and none costs nothing. A view that fails affects no other reply.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from claude_nb.characters import clean
from claude_nb.client import fork
from claude_nb.client.engine import Stream
from claude_nb.reply import Reply
from claude_nb.views.painter import Following, View

_LOG = logging.getLogger("claude_nb")

Ended = Callable[[Exception | None], object]


def report(reply: Reply, bug: Exception | None) -> None:
    """Log what failed in the view of a reply, for an owner with no better place to tell it.

    Args:
        reply: The reply, which has ended.
        bug: What failed, or None.
    """
    if bug is not None:
        what = "A reply of %s could not be shown; it is %s, and kept."
        _LOG.error(what, clean(reply.model), reply.outcome, exc_info=bug)


class _Job(Following):
    def __init__(self, stream: Stream, reply: Reply, view: View | None, ended: Ended) -> None:
        super().__init__(stream, reply, view)
        self._ended = ended

    def advance(self, *, at_once: bool) -> bool:
        """Make the next step if it is due or ``at_once``, and return if the reply has ended."""
        done = self.stream.done
        news = done or len(self.stream.events) > self.reply.taken
        due = self.rest if news else self.latest
        return (done or at_once or time.monotonic() >= due) and self.step(at_once=at_once)

    def wait(self, wake: Callable[[], object]) -> float:
        """Ask to be woken by the next event, and return until when to sleep at most."""
        if time.monotonic() < self.rest:
            return self.rest
        self.stream.call_on_news(self.reply.taken, wake)
        return self.latest

    def finish(self) -> None:
        """Draw the reply as it stays, and tell its owner."""
        self.settle()
        try:
            self._ended(self.failure)
        except Exception:  # noqa: BLE001 - the owner's; the other replies go on
            _LOG.exception("A reply has ended, but handling it failed.")


class Painter:
    """The thread that draws; the functions below use the process's own."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._new: list[_Job] = []
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def paint(self, stream: Stream, reply: Reply, view: View | None, ended: Ended) -> None:
        """Show a stream until it ends, and return at once.

        Args:
            stream: The source of the events.
            reply: The reply that they make.
            view: Draws the reply, on the painter's thread; None to show nothing.
            ended: Called on that thread when the reply has settled, with what failed in the view.
        """
        with self._lock:
            self._new.append(_Job(stream, reply, view, ended))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="claude_nb painter", daemon=True
                )
                self._thread.start()
        self._woken.set()

    def catch_up(self, timeout: float = 5.0) -> None:
        """Draw everything that has come so far, and wait until that is done, or ``timeout`` s."""
        drawn = threading.Event()
        with self._lock:
            if self._thread is None:
                return
            self._waiting.append(drawn)
        self._woken.set()
        drawn.wait(timeout)

    def is_painting(self) -> bool:
        """Whether this is the thread that draws: it must not wait for a reply that it draws."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        while True:
            self._woken.clear()
            until = self._advance()
            self._woken.wait(None if until is None else until - time.monotonic())

    def _advance(self) -> float | None:
        """Draw what is due, and return until when to sleep; None until something comes."""
        with self._lock:
            self._jobs += self._new
            self._new.clear()
            waiting, self._waiting = self._waiting, []
        for job in [job for job in self._jobs if job.advance(at_once=bool(waiting))]:
            self._jobs.remove(job)
            job.finish()
        for drawn in waiting:
            drawn.set()
        return min((job.wait(self._woken.set) for job in self._jobs), default=None)


_painter = Painter()
paint = _painter.paint
catch_up = _painter.catch_up
is_painting = _painter.is_painting
fork.in_child(lambda: vars(_painter).update(vars(Painter())))
