"""Whether a call may run: asked on one thread, answered on another."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from claude_nb.streaming.block import Block
from claude_nb.views.confirmation import Confirmation


def block(call: str) -> Block:
    return Block(0, 0.0, {"type": "tool_use", "id": call, "name": "act", "input": {}})


class Shown:
    """Records what is shown, and asks about calls."""

    def __init__(self) -> None:
        self.calls: list[str | None] = []
        self.asked = threading.Event()
        self.confirmation = Confirmation(self._show)

    def _show(self, call: Block | None) -> None:
        self.calls.append(call and call.id)
        if call:
            self.asked.set()

    def put(self, call: str) -> Future[bool | None]:
        """Ask on a thread of its own, and wait until it is asked."""
        self.asked.clear()
        answer: Future[bool | None] = Future()
        threading.Thread(
            target=lambda: answer.set_result(self.confirmation.ask(block(call))), daemon=True
        ).start()
        assert self.asked.wait(20)
        return answer

    def hear(self, op: str, call: str, **more: bool) -> None:
        assert self.confirmation.receive({"op": op, "call": call, **more})


@pytest.mark.parametrize("allow", [True, False])
def test_it_is_answered(allow):
    """And taken away; what is no answer is somebody else's."""
    shown = Shown()
    answer = shown.put("a")

    assert not shown.confirmation.receive({"op": "stop"})
    shown.hear("asked", "a")
    shown.hear("confirm", "a", allow=allow)

    assert (answer.result(20), shown.calls) == (allow, ["a", None])


def test_only_its_own_answer_counts():
    """Not that to an earlier one, and not a second one."""
    shown = Shown()
    first = shown.put("a")
    shown.hear("asked", "a")
    shown.hear("confirm", "a", allow=True)
    assert first.result(20)

    second = shown.put("b")
    shown.hear("asked", "b")
    shown.hear("confirm", "a", allow=True)
    assert not second.done()
    shown.hear("confirm", "b", allow=False)
    shown.hear("confirm", "b", allow=True)

    assert second.result(20) is False


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

    assert answer.result(5) is False
    assert shown.confirmation.ask(block("b")) is False
    assert shown.calls == ["a", None]
