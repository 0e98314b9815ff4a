"""Where a chat is shown: the pages that it is sent to, and the outputs in which it is saved.

A page does not save what it shows: once it has shown that it can cover an output, the cell's output
is replaced by the saved form (``outputs``), made anew after each answer, and the page puts the chat
over it. So the file is right at any moment, whoever saves it, and whatever happens to the kernel.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from IPython.display import display

from claude_nb.chat import outputs
from claude_nb.chat.chat_tools import ChatTools
from claude_nb.chat.files import File
from claude_nb.chat.queued import queue_of
from claude_nb.chat.restored import Restored
from claude_nb.chat.transcript import At, ChatTurn, Transcript
from claude_nb.render import chat as render
from claude_nb.render import labels, protocol
from claude_nb.render.protocol import Op
from claude_nb.request.system import System
from claude_nb.streaming.record import MIME
from claude_nb.views.displayed_output import DisplayedOutput
from claude_nb.views.synced_output import SyncedOutput

MAX_OUTPUTS = 8
"""Outputs of one chat that are kept up to date; of one that is displayed more often, the last."""

_OF_ANSWER = ("html", "below", "usage", "line", "source", "simulated", "edited")


class Page:
    """The pages on which a chat is shown, which all get the same messages, and its outputs.

    Args:
        transcript: What is shown.
        send: Sends the pages a message.
        answerer: Who answers, by name.

    Attributes:
        restored: What was saved of the chat when it was made.
        files: What is sent along with the next question, by its name on the page. Any thread may
            change it.
        tools: The tools of the chat, and the names of those that are switched off.
    """

    def __init__(
        self,
        transcript: Transcript,
        tools: ChatTools,
        send: Callable[[dict[str, Any]], object],
        answerer: str,
    ) -> None:
        self.restored = Restored(transcript)
        self.files: dict[str, File] = {}
        self.tools = tools
        self._transcript = transcript
        self._send = send
        self._answerer = answerer
        self._number = 0
        self._posted: list[tuple[Any, ...]] = []
        self._mark = f"claude-nb-chat-{uuid4().hex}"  # the class of what a page puts the chat over
        self._covered = False
        self._coverable = False
        self._beside = False
        self._folded = False
        self._left_out: list[str] = []  # of what was saved last
        self._outputs: deque[DisplayedOutput] = deque(maxlen=MAX_OUTPUTS)

    @property
    def _lock(self) -> threading.RLock:
        return self._transcript.lock

    def post(self, *ops: Op) -> None:
        """Send operations of ``render.protocol``, as the next message."""
        with self._lock:
            self._number += 1
            self._send({"chat": self._number, "ops": list(ops)})

    def show(self) -> None:
        """Send what has changed in the list of turns, and the facts above it."""
        with self._lock:
            before = self._posted
            shown = self._shown()
            same = [old == new for old, new in zip(before, self._posted, strict=False)]
            keep = [*same, False].index(False)
            turns = [_for_page(turn, at) for turn, at in shown[keep:]]
            self.post(protocol.turns(keep, turns), self._about())

    def show_facts(self) -> None:
        """Send the facts around the turns: files, tools, messages that wait."""
        with self._lock:
            self.post(self._about())

    def whole(self) -> dict[str, object]:
        """All that is on the page, in one message."""
        with self._lock:
            ops = [
                protocol.turns(0, [_for_page(turn, at) for turn, at in self._shown()]),
                self._about(),
            ]
            live = self._transcript.answering
            if live is not None and (frame := live.whole()):
                ops.append(protocol.frame(live.turn.key, frame))
            return {"chat": self._number, "reset": True, "ops": ops}

    def send_whole(self) -> None:
        """Send all of it, to a page that has missed something."""
        with self._lock:
            self._send(self.whole())

    def open(self, system: str | System | None) -> None:
        """Show the conversation that the transcript shows now, with what is saved of it.

        Args:
            system: The system prompt of the chat.
        """
        with self._lock:
            self.restored = Restored(self._transcript)
            self.restored.look(system)
            self._number += 1
            self.send_whole()
        self.settle()

    def forget(self) -> None:
        """Forget the conversation that is shown, here and in what is saved.

        Raises:
            InputError: An answer is under way, or a backup cannot be deleted.
        """
        try:
            self.restored.forget()
        finally:
            self.show_facts()
            self.settle()

    # What is saved.

    def display(
        self,
        widget: dict[str, Any],
        metadata: dict[str, Any],
        *,
        is_covered: bool,
        is_folded: bool,
    ) -> None:
        """Display the chat in one more output.

        Args:
            widget: The MIME bundle of the widget.
            metadata: The metadata of the widget's output.
            is_covered: Whether a page may cover the output. Elsewhere the saved form is an output
                of its own below the widget, and a page that shows that hides it.
            is_folded: Whether it is folded there, as the page will show the widget.
        """
        with self._lock:
            if is_covered:
                self._coverable = True
                data = self.saved()
                output: DisplayedOutput = SyncedOutput(metadata, placed=False)
                output.show(widget | ({MIME: data[MIME]} if MIME in data else {}))
            else:
                self._covered = self._beside = True
                self._folded = is_folded
                display(widget, metadata=metadata, raw=True)
                output = DisplayedOutput()
                output.show(self.saved())
            self._outputs.append(output)

    def cover(self) -> None:
        """A page can show the chat over its saved form: that may take the widget's place."""
        self._covered = True
        self.settle()

    def settle(self) -> None:
        """Replace what is saved by the turns as they are now."""
        with self._lock:
            if self._covered:
                data = self.saved()
                for output in self._outputs:
                    output.show(data)
                replies = data.get(MIME, {}).get("replies", ())
                left_out = self._transcript.left_out(replies)
                if left_out != self._left_out:
                    self._left_out = left_out
                    self.show_facts()

    def saved(self) -> dict[str, Any]:
        """The chat as it is saved: its MIME bundle."""
        classes = [self._mark] * self._coverable + [f"{self._mark}-beside"] * self._beside
        undecided = self.restored.said if self.restored.undecided else ""
        return outputs.saved(
            self._transcript,
            " ".join(classes),
            self._answerer,
            undecided=undecided,
            is_folded=self._folded,
        )

    def _shown(self) -> list[tuple[ChatTurn, At]]:
        """The turns, noted as sent: only what changes later is sent again."""
        shown = self._transcript.shown()
        self._posted = [(turn.key, at, turn.answer is None) for turn, at in shown]
        return shown

    def _about(self) -> Op:
        transcript = self._transcript
        conversation = transcript.conversation
        cost = labels.money(self._transcript.spent) if self._transcript.spent else ""
        return protocol.about(
            self._mark,
            conversation.name,
            transcript.cell,
            cost + ("+" if cost and self._transcript.unknown_cost else ""),
            cleared=conversation.head is None and bool(conversation.exchanges),
            saved=self.restored.said,
            left_out=self._left_out,
            choices=[choice.label for choice in self.restored.choices],
            files=[
                {"file": key, "note": file.note, "preview": file.preview}
                for key, file in list(self.files.items())
            ],
            queue=[
                {
                    "message": message.turn.key,
                    "text": message.turn.prompt,
                    "notes": list(message.turn.notes),
                    "held": message.held,
                }
                for message in queue_of(conversation)
            ],
            tools=self.tools.shown(),
        )


def _for_page(turn: ChatTurn, at: At) -> dict[str, Any]:
    """A turn as ``render.protocol`` describes it."""
    answer = turn.answer
    return {
        "key": turn.key,
        "prompt": render.question(turn.prompt, turn.notes, turn.thumbnails),
        "source": turn.prompt,
        "asked_in": turn.asked_in,
        "at": list(at),
        "answer": answer and {name: getattr(answer, name) for name in _OF_ANSWER},
    }
