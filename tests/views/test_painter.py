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
