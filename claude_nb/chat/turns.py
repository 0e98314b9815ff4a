"""The turns of a chat: what was asked, and what has become of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from claude_nb.conversation import export
from claude_nb.conversation.history import label
from claude_nb.render import chat as render
from claude_nb.views.frames import Frames, Pace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claude_nb.client.engine import Stream
    from claude_nb.conversation.history import Exchange
    from claude_nb.reply import Reply
    from claude_nb.views.question import Question


class Turn:
    """A question of this chat or of its conversation, and what has become of it.

    Attributes:
        key: Its name on the page.
        arguments: What it is asked with, as ``ask`` takes it.
        id: Its name in the conversation, once it has been sent.
        answer: The answer in all its forms, once it has ended.
        record: What is saved of it.
    """

    def __init__(
        self,
        prompt: str,
        after: Exchange | None,
        arguments: Mapping[str, Any],
        content: tuple[dict[str, Any], ...] = (),
        notes: tuple[str, ...] = (),
        *,
        files: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self.key = uuid4().hex
        self.prompt = prompt
        self.after = after
        self.arguments = arguments
        self.content = content
        self.notes = notes
        self.files = tuple(files)
        self.id = ""
        self.asked_in = ""
        self.stream: Stream | None = None
        self.reply: Reply | None = None
        self.frames = Frames()
        self.pace = Pace()
        self.question: Question | None = None
        self.stopped = False
        self.ended = threading.Event()
        self.answer: render.Answer | None = None
        self.record: dict[str, Any] | None = None

    @classmethod
    def of(cls, exchange: Exchange, record: dict[str, Any] | None) -> Self:
        """What was asked elsewhere: in a cell, or in an earlier kernel."""
        content = () if isinstance(exchange.content, str) else tuple(exchange.content)
        turn = cls(exchange.prompt, exchange.parent, {}, content, tuple(export.attached(exchange)))
        turn.id = exchange.id
        turn.asked_in = label(exchange) if exchange.place.execution else ""
        turn.answer = render.answer_of_text(exchange.text, simulated=exchange.simulated)
        turn.record = record
        turn.ended.set()
        return turn

    def again(self, arguments: Mapping[str, Any]) -> Turn:
        """The same question and the same data, asked with ``arguments``."""
        return Turn(self.prompt, self.after, arguments, self.content, self.notes, files=self.files)
