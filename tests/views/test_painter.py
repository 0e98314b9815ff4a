"""A reply is drawn in the cell that waits for it."""

from __future__ import annotations

import pytest

import claude_nb
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.simulator import Stream
from claude_nb.views.painter import paint
from tests.played import said
from tests.views.test_background import Watched


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ("frame", ["a bad frame"]),
        ("settle", ["a bad end"]),
        ("frame settle", ["a bad frame", "a bad end"]),
    ],
)
def test_a_view_that_fails_is_told_once_the_reply_is_whole(api, fails, told):
    """Each failure is raised, and none hides another."""
    api.enqueue(Stream(said("Whole"), delay=0.05))
    reply = Reply(Request("Hi"))

    with pytest.raises(Exception, match="a bad") as raised:
        paint(claude_nb.stream("Hi"), reply, lambda: Watched(fails))

    assert list(map(str, getattr(raised.value, "exceptions", [raised.value]))) == told
    assert reply.text == "Whole"


def test_a_view_that_cannot_be_made_is_told_once_the_reply_is_whole(api):
    """The reply goes on, as it is paid for."""
    api.enqueue(Stream(said("Whole"), delay=0.01))
    reply = Reply(Request("Hi"))

    with pytest.raises(ZeroDivisionError):
        paint(claude_nb.stream("Hi"), reply, lambda: 1 / 0)

    assert reply.text == "Whole"


class Same(Watched):
    """A view that fails twice in the same way."""

    def frame(self, reply, now):
        """Fail."""
        raise RuntimeError("the same")

    def settle(self, reply):
        """Fail as before."""
        self.frame(reply, 0.0)


def test_what_fails_twice_is_told_once(api):
    """In a frame and at the end."""
    api.enqueue(Stream(said("Whole"), delay=0.01))

    with pytest.raises(RuntimeError, match=r"\Athe same\Z"):
        paint(claude_nb.stream("Hi"), Reply(Request("Hi")), Same)
