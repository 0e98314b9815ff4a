"""One thread draws many replies, and none of them delays another."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

import claude_nb
from claude_nb.asking import jobs
from claude_nb.asking.comparison import compare
from claude_nb.asking.question import Question
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.simulator import Stream
from claude_nb.views.background import catch_up, paint
from claude_nb.views.columns import _WhenEnded
from claude_nb.views.updating import UpdatingView
from tests.played import said, start, text

PATIENCE = 60
"""Seconds, in which a busy machine may have to import the SDK."""


class Watched:
    """A view that notes the lengths of what it draws, and fails where ``fails`` names a method."""

    def __init__(self, fails: str = "") -> None:
        self.frames: list[int] = []
        self.times: list[float] = []
        self.threads: set[str] = set()
        self.fails = fails
        self.settled = ""
        self.ended = threading.Event()
        self.bug: Exception | None = None

    def frame(self, reply, now):
        if "frame" in self.fails and reply.blocks:
            raise RuntimeError("a bad frame")
        self.frames.append(len(reply.text))
        self.times.append(time.monotonic())
        self.threads.add(threading.current_thread().name)
        return 1 / 30

    def settle(self, reply):
        if "settle" in self.fails:
            raise RuntimeError("a bad end")
        self.settled = reply.text

    def end(self, bug):
        self.bug = bug
        self.ended.set()
        if self.fails == "ended":
            raise RuntimeError("a bad owner")


def painted(view):
    """Paint the next reply of the simulator in a view; the reply."""
    reply = Reply(Request("Hi"))
    paint(claude_nb.stream("Hi"), reply, view, view.end)
    return reply


def test_frames_not_deltas(api):
    """The first words at once, then at most 30 frames a second, and the last one always."""
    api.enqueue(Stream([*said(*["word "] * 300)], delay=0.003))
    view = Watched()
    painted(view)
    assert view.ended.wait(PATIENCE)

    assert view.settled == "word " * 300
    drawn = [moment for length, moment in zip(view.frames, view.times, strict=True) if length]
    assert len(drawn) <= (drawn[-1] - drawn[0]) * 30 + 2
    assert view.threads == {"claude_nb painter"}


def test_many_at_once(api):
    """All of them grow, on one thread; one that hangs holds none up."""
    api.enqueue(Stream([start(), *text("Hang")[:-1]], end="hang"))
    number = len(api.requests)
    hanging, others = Watched(), [Watched() for _ in range(8)]
    stream, reply = claude_nb.stream("Hi"), Reply(Request("Hi"))
    paint(stream, reply, hanging, hanging.end)
    api.wait_for(lambda requests: len(requests) > number, 20)
    for other in others:
        api.enqueue(Stream(said("Hello")))
        painted(other)

    assert all(other.ended.wait(PATIENCE) for other in others)
    assert [other.settled for other in others] == ["Hello"] * 8
    assert not hanging.ended.is_set()
    stream.stop()
    assert hanging.ended.wait(PATIENCE)
    assert str(reply.outcome) == "stopped"


def test_what_fails_stops_no_other(api):
    """The owner is told all that failed in its view; the reply is whole, and so are the others."""
    both = "a bad frame; a bad end (2 sub-exceptions)"
    told = {"frame": "a bad frame", "settle": "a bad end", "frame settle": both, "ended": "None"}
    for fails, failure in told.items():
        api.enqueue(Stream(said("Whole"), delay=0.05), Stream(said("Other")))
        view, other = Watched(fails), Watched()
        reply = painted(view)
        assert view.ended.wait(PATIENCE)
        painted(other)
        assert other.ended.wait(PATIENCE)

        assert (reply.text, other.settled) == ("Whole", "Other")
        assert (str(view.bug), other.bug) == (failure, None)


def test_a_reply_that_has_ended_is_released(api):
    """Nothing of the painter's keeps it until the next one ends."""
    api.enqueue(Stream(said("Hello")))
    view = Watched()
    reply = weakref.ref(painted(view))
    assert view.ended.wait(PATIENCE)
    catch_up()
    gc.collect()

    assert reply() is None


@pytest.mark.parametrize(
    "begin", [lambda: jobs.start(Question.of("Hi", view="updating")), lambda: compare("Hi")]
)
def test_what_fails_is_logged_where_nobody_else_tells_it(api, monkeypatch, caplog, begin):
    """Once, of a reply in the background and of one beside others; it is whole."""
    api.enqueue(Stream(said("Whole")))
    with monkeypatch.context() as patched:
        for view in (UpdatingView, _WhenEnded):
            patched.setattr(view, "settle", lambda *_: 1 / 0)
        begin().wait()
        jobs.jobs.wait()

    (record,) = (record for record in caplog.records if record.name == "claude_nb")
    assert record.exc_info[0] is ZeroDivisionError
    assert "could not be shown; it is complete, and kept" in record.message
