"""A chat as it is saved: what stands in the outputs in which it was displayed.

What is on the page is not what is saved: once a page has shown that it can, the cell's output is
replaced by the conversation as it is saved, made anew after each answer, and the page puts the chat
over it. So the file is right at any moment, whoever saves it, and with whatever becomes of the
kernel.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from IPython.display import update_display

from claude_nb.render import chat as render

if TYPE_CHECKING:
    from claude_nb.chat.transcript import Transcript

MAX_PLACES = 8
"""Outputs of one chat that are kept up to date; of one that is displayed more often, the last."""


class Outputs:
    """The outputs of a chat, and what is saved in them.

    Args:
        transcript: What is saved.

    Attributes:
        mark: The class of the saved form by which a page finds what to put the chat over.
        version: How often the saved form was made anew.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.mark = f"claude-nb-chat-{uuid4().hex}"
        self.version = 0
        self._covered = False
        self._coverable = False
        self._transcript = transcript
        self._lock = transcript.lock
        self._places: deque[str] = deque(maxlen=MAX_PLACES)

    def add(self, kind: str) -> str:
        """One more output, of a kind that ``run.fitting`` tells; what is returned names it."""
        display_id = uuid4().hex
        with self._lock:
            self._places.append(display_id)
            self._covered = self._covered or kind == "updating"
            self._coverable = self._coverable or kind == "live"
        return display_id

    def cover(self) -> None:
        """A page can show the chat over the saved form: that may take the widget's place."""
        with self._lock:
            self._covered = True

    def renew(self) -> bool:
        """Replace what is saved by what has been said so far, and say if there was something."""
        with self._lock:
            self.version += 1
            if not self._covered:
                return False
            data, metadata = self.saved()
            for display_id in self._places:
                update_display(data, metadata=metadata, raw=True, display_id=display_id)
            return True

    def saved(self) -> tuple[dict[str, str], dict[str, Any]]:
        """The chat as it is saved: three forms, and the record of every reply on every branch."""
        with self._lock:
            name = self._transcript.conversation.name
            turns = [
                render.Turn(turn.prompt, turn.notes, turn.answer, at)
                for turn, at in self._transcript.shown()
                if turn.answer is not None
            ]
            records = self._transcript.records()
            count = len(turns)
            title = name.capitalize() if name.startswith("chat") else f"Chat · {name}"
            head = f"{title} · {count} turn{'' if count == 1 else 's'}"
            classes = f"{self.mark} claude-nb-v{self.version}" if self._coverable else ""
            simulated = any(record.get("simulated") is True for record in records)
            bundle = render.mimebundle(turns, head, classes)
            return bundle, render.metadata(name, turns, records, simulated=simulated)
