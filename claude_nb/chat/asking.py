"""How a chat asks: one question at a time, whose answer is painted in the background."""

from __future__ import annotations

import threading
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from claude_nb.asking.asking import begin
from claude_nb.chat.turns import Turn
from claude_nb.conversation.history import THINKING_LEFT_OUT
from claude_nb.errors import ClaudeError
from claude_nb.render import chat as render
from claude_nb.request.attachments.interpolation import compose
from claude_nb.request.place import Place, shell
from claude_nb.request.request import Request
from claude_nb.views import protocol
from claude_nb.views.frames import Frames
from claude_nb.views.question import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claude_nb.chat.page import Page
    from claude_nb.chat.transcript import Transcript
    from claude_nb.client.engine import Stream
    from claude_nb.conversation.history import Exchange
    from claude_nb.reply import Reply
    from claude_nb.streaming.block import Block

_OF_REQUEST = {field.name for field in fields(Request)} - {"tools"}


def check(prompt: str, arguments: Mapping[str, Any], **more: Any) -> None:
    """Check what can be checked before there is a connection.

    Args:
        prompt: The user's words.
        arguments: What they are asked with, as ``ask`` takes it.
        **more: Fields of ``Request``.

    Raises:
        InputError: It cannot be asked so.
    """
    options = {name: value for name, value in arguments.items() if name in _OF_REQUEST}
    Request(prompt, **options, **more)


class Asking:
    """Puts the questions of a chat, and sees to it that their answers are shown and kept.

    Args:
        transcript: The turns to which they are added.
        page: Where they are shown.
        tell: Called when an answer begins or has ended and the books are kept: on any thread, not
            under the lock.

    Attributes:
        reply: The newest reply, or None.
    """

    def __init__(
        self,
        transcript: Transcript,
        page: Page,
        tell: Callable[[], object],
    ) -> None:
        self.reply: Reply | None = None
        self._transcript = transcript
        self._lock = transcript.lock
        self._page = page
        self._tell = tell

    def written(
        self,
        prompt: str,
        files: Sequence[tuple[str, Any]],
        after: Exchange | None,
        arguments: Mapping[str, Any],
    ) -> Turn:
        """A question as it was written: variables put in, everything checked.

        Args:
            prompt: The user's words.
            files: Names and values that are sent along.
            after: What the question follows.
            arguments: What it is asked with, as ``ask`` takes it.

        Raises:
            InputError: It cannot be sent so.
        """
        here = shell()
        variables = here.user_ns if here else {}
        filled = compose(prompt, variables=variables, attached=files)
        check(prompt, arguments, content=filled.blocks)
        return Turn(prompt, after, arguments, filled.blocks, filled.notes, files=files)

    def put(self, turn: Turn) -> Turn:
        """Show a question, and return it: the one to be sent now.

        Raises:
            InputError: Another one is being answered.
        """
        with self._lock:
            self._transcript.put(turn)
            self._page.show()
        self._tell()
        return turn

    def begin(self, turn: Turn) -> None:
        """Send a question that was put; what cannot be sent is taken back.

        Raises:
            InputError: It was not sent.
        """
        try:
            begin(
                turn.prompt,
                lambda stream, reply: self._view(turn, stream, reply),
                lambda reply, bug: self._end(turn, reply, bug),
                history=self._transcript.conversation,
                new=turn.after is None,
                after=turn.after,
                place=Place(),
                content=turn.content,
                **turn.arguments,
            )
        except BaseException:  # an interrupt too: the chat must not stay busy for ever
            with self._lock:
                self._transcript.take_back()
                self._page.show()
            self._tell()
            turn.ended.set()
            raise

    def start(self, turn: Turn) -> None:
        """Send a question that was put on the page, which is told what it is refused with."""
        # Not on the thread of the page's messages: to count what a budget allows takes a while.
        threading.Thread(target=self._begin_for_page, args=(turn,), daemon=True).start()

    def _begin_for_page(self, turn: Turn) -> None:
        try:
            self.begin(turn)
        except ClaudeError as error:
            self._page.post(protocol.refused(turn.prompt, str(error)))
        except Exception as bug:  # noqa: BLE001 - the page is the only one to tell
            self._page.post(protocol.refused(turn.prompt, f"{type(bug).__name__}: {bug}"))

    def stop(self) -> None:
        """Stop the answer that is under way, if there is one; what came is kept."""
        with self._lock:
            turn = self._transcript.current
            if turn is not None:
                turn.stopped = True
                if turn.stream is not None:
                    turn.stream.stop()

    def _view(self, turn: Turn, stream: Stream, reply: Reply) -> _View:
        reply.notes = tuple(note for note in reply.notes if note == THINKING_LEFT_OUT)
        with self._lock:
            turn.stream, turn.reply = stream, reply
            if reply.request.turn is not None:
                self._transcript.sent(turn, reply.request.turn.id)
            if turn.stopped:
                stream.stop()
        return _View(turn, reply, self._transcript, self._page)

    def _end(self, turn: Turn, reply: Reply, bug: Exception | None) -> None:
        """The answer has ended, and the books are kept."""
        turn.answer = render.answer(reply, turn.frames.rendered)
        turn.record = render.record(reply, reply.request)
        with self._lock:
            self.reply = reply
            self._transcript.end(turn, reply.cost)
            turn.frames = Frames()
            self._page.show()
        self._page.settle()
        if bug is not None:
            self._page.post(protocol.refused("", f"A part of it could not be shown: {bug}"))
        self._tell()
        turn.ended.set()


class _View:
    """Shows one reply of a chat: its frames, among the chat's other messages."""

    def __init__(self, turn: Turn, reply: Reply, transcript: Transcript, page: Page) -> None:
        self._turn = turn
        self._reply = reply
        self._transcript = transcript
        self._lock = transcript.lock
        self._page = page
        self._question = turn.question = Question(self._show)

    def frame(self, reply: Reply, now: float) -> float:
        turn = self._turn
        with self._lock, turn.pace.measured():
            message = turn.frames.next(reply, now)
            if message is not None:
                self._page.post(protocol.frame(turn.key, message))
        return turn.pace.pause(turn.frames)

    def confirm(self, call: Block) -> bool | None:
        return self._question.put(call)

    def settle(self, reply: Reply) -> None:
        self._question.withdraw()
        self.frame(reply, reply.ended or time.monotonic())

    def _show(self, call: Block | None) -> None:
        """Ask the reader whether a call of this answer may run, or nothing any more."""
        with self._lock:
            if self._turn is self._transcript.current:  # or it has ended, and its frames with it
                self._turn.frames.asking = call
                self.frame(self._reply, time.monotonic())
