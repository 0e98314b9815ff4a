"""What a page is told of a chat: what has changed, or all of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from claude_nb.render import chat as render
from claude_nb.render import labels
from claude_nb.views import protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.chat.outputs import Outputs
    from claude_nb.chat.transcript import At, Transcript
    from claude_nb.chat.turns import Turn
    from claude_nb.views.protocol import Op


class Page:
    """The pages on which a chat is shown; all of them hear the same.

    Args:
        transcript: What is shown.
        outputs: What is saved of it.
        send: Sends the pages a message.
    """

    def __init__(
        self, transcript: Transcript, outputs: Outputs, send: Callable[[dict[str, Any]], object]
    ) -> None:
        self._transcript = transcript
        self._lock = transcript.lock
        self._outputs = outputs
        self._send = send
        self._number = 0
        self._posted: list[tuple[Any, ...]] = []
        self._files: dict[str, tuple[str, bytes, str]] = {}

    def post(self, *ops: Op) -> None:
        """Send operations of ``views.protocol``, as the next message."""
        with self._lock:
            self._number += 1
            self._send({"chat": self._number, "ops": list(ops)})

    def show(self) -> None:
        """Send what has changed in the list of turns, and the facts above it."""
        with self._lock:
            shown = self._transcript.shown()
            marks = _marks(shown)
            keep = 0
            while keep < min(len(marks), len(self._posted)) and marks[keep] == self._posted[keep]:
                keep += 1
            self._posted = marks
            turns = [_for_page(turn, at) for turn, at in shown[keep:]]
            self.post(protocol.turns(keep, turns), self._about())

    def settle(self) -> None:
        """Replace what is saved by what has been said so far, and send which version that is."""
        with self._lock:
            if self._outputs.renew():
                self.post(protocol.settled(self._outputs.version))

    def whole(self) -> dict[str, object]:
        """All that is on the page, in one message."""
        with self._lock:
            shown = self._transcript.shown()
            self._posted = _marks(shown)
            ops = [
                protocol.turns(0, [_for_page(turn, at) for turn, at in shown]),
                self._about(),
                protocol.settled(self._outputs.version),
            ]
            turn = self._transcript.current
            if turn is not None and turn.reply is not None:
                snapshot = turn.frames.snapshot(turn.reply, time.monotonic())
                ops.append(protocol.frame(turn.key, snapshot))
            return {"chat": self._number, "reset": True, "ops": ops}

    def send_whole(self) -> None:
        """Send all of it, to a page that has missed something."""
        with self._lock:
            self._send(self.whole())

    def _about(self) -> Op:
        conversation = self._transcript.conversation
        cost = labels.money(self._transcript.spent) if self._transcript.spent else ""
        return protocol.about(
            self._outputs.mark,
            conversation.name,
            cost + ("+" if cost and self._transcript.unknown_cost else ""),
            cleared=conversation.head is None and bool(conversation.exchanges),
            files=[{"file": key, "note": note} for key, (_, _, note) in self._files.items()],
        )

    # The files that go along with the next question.

    def files(self) -> list[tuple[str, bytes]]:
        """Their names and what is in them."""
        with self._lock:
            return [(name, data) for name, data, _ in self._files.values()]

    def attach(self, name: str, data: bytes, note: str) -> None:
        """Show one more, which ``note`` describes."""
        with self._lock:
            self._files[uuid4().hex] = (name, data, note)
            self.post(self._about())

    def detach(self, key: str) -> None:
        """Leave one out, by its name on the page."""
        with self._lock:
            self._files.pop(key, None)
            self.post(self._about())

    def detach_all(self) -> None:
        """They have gone along with a question."""
        with self._lock:
            self._files.clear()
            self.post(self._about())


def _marks(shown: list[tuple[Turn, At]]) -> list[tuple[Any, ...]]:
    """What a page shows of each turn: one with another mark is sent again."""
    return [(turn.key, at, turn.answer is None) for turn, at in shown]


def _for_page(turn: Turn, at: tuple[int, int]) -> dict[str, Any]:
    """A turn as the page is told of it: see ``views.protocol``.

    Args:
        turn: The turn.
        at: Which of how many versions it is, from 1.
    """
    answer = turn.answer
    shown: dict[str, Any] = {
        "key": turn.key,
        "prompt": render.question(turn.prompt, turn.notes),
        "source": turn.prompt,
        "asked_in": turn.asked_in,
        "at": list(at),
        "answer": None,
    }
    if answer is not None:
        shown["answer"] = {
            "html": answer.html,
            "below": answer.below,
            "usage": answer.usage,
            "line": answer.line,
            "source": answer.source,
            "simulated": answer.simulated,
        }
    return shown
