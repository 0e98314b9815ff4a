"""Whether a call may run: asked on one thread, answered on another."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from claude_nb.streaming.block import Block
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.views.confirmation import Confirmation


def block(call: str) -> PermissionRequest:
    called = {"type": "tool_use", "id": call, "name": "act", "input": {}}
    return PermissionRequest(Block(0, 0.0, called))


class Shown:
    """Records what is shown, and asks about calls."""

    def __init__(self) -> None:
        self.calls: list[str | None] = []
        self.asked = threading.Event()
        self.confirmation = Confirmation(self._show)

    def _show(self, asked: PermissionRequest | None) -> None:
        self.calls.append(asked and asked.call.id)
        if asked:
            self.asked.set()

    def put(self, call: str) -> Future[Answer | None]:
        """Ask on a thread of its own, and wait until it is asked."""
        self.asked.clear()
        answer: Future[Answer | None] = Future()
        threading.Thread(
            target=lambda: answer.set_result(self.confirmation.ask(block(call))), daemon=True
        ).start()
        assert self.asked.wait(20)
        return answer

    def hear(self, op: str, call: str, **more: object) -> None:
        assert self.confirmation.receive({"op": op, "call": call, **more})


@pytest.mark.parametrize(
    ("sent", "answer"),
    [("once", "once"), ("no", "no"), ("always", "no"), (True, "no"), (None, "no")],
)
def test_it_is_answered(sent, answer):
    """With what it offers, and taken away; what is no answer is somebody else's."""
    shown = Shown()
    given = shown.put("a")

    assert not shown.confirmation.receive({"op": "stop"})
    shown.hear("asked", "a")
    shown.hear("confirm", "a", answer=sent)

    assert (given.result(20), shown.calls) == (answer, ["a", None])


def test_only_its_own_answer_counts():
    """Not that to an earlier one, and not a second one."""
    shown = Shown()
    first = shown.put("a")
    shown.hear("asked", "a")
    shown.hear("confirm", "a", answer="once")
    assert first.result(20) == "once"

    second = shown.put("b")
    shown.hear("asked", "b")
    shown.hear("confirm", "a", answer="once")
    assert not second.done()
    shown.hear("confirm", "b", answer="no")
    shown.hear("confirm", "b", answer="once")

    assert second.result(20) == "no"


def test_where_no_page_shows_it_nobody_was_asked(monkeypatch):
    """That of an earlier one is not this."""
    monkeypatch.setattr("claude_nb.views.confirmation.PAGE_TIMEOUT", 0.05)
    shown = Shown()
    answer = shown.put("b")
    shown.hear("asked", "a")
    assert answer.result(20) is None


@pytest.mark.parametrize("is_seen", [True, False])
def test_what_is_withdrawn_is_not_allowed(is_seen):
    """Nor is what is asked after that, which nobody is shown."""
    shown = Shown()
    answer = shown.put("a")
    if is_seen:
        shown.hear("asked", "a")
    shown.confirmation.withdraw()

    assert answer.result(5) == "no"
    assert shown.confirmation.ask(block("b")) == "no"
    assert shown.calls == ["a", None]
