"""How a chat asks: one question at a time, whose answer is painted in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any
from weakref import WeakMethod

from claude_nb.asking.asking import begin
from claude_nb.asking.question import Question
from claude_nb.characters import wellformed
from claude_nb.chat.files import File
from claude_nb.chat.page import Page
from claude_nb.chat.queued import Queue, Queued, queue_of
from claude_nb.chat.transcript import ChatTurn, LiveTurn, Transcript
from claude_nb.client import waiting
from claude_nb.client.connection import remember_ambient
from claude_nb.conversation.history import Exchange
from claude_nb.errors import ClaudeError
from claude_nb.notebook.variables import with_outputs
from claude_nb.render import chat as render
from claude_nb.render import html, labels, previews, protocol, saved_output
from claude_nb.reply import Reply
from claude_nb.request.attachments.interpolation import compose
from claude_nb.request.cells import Cells
from claude_nb.request.place import Place, shell
from claude_nb.streaming.progress import Outcome
from claude_nb.views.painter import interrupts

_PAGE = Place()
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(eq=False)
class Questions:
    """Asks the questions of a chat, shows their answers and saves them.

    Attributes:
        transcript: The turns to which they are added.
        page: Where they are shown and saved.
        arguments: What a question is asked with at that moment, as ``ask`` takes it.
        notify: Called when an answer begins, and when it has ended and is saved: on any thread,
            without the lock.
        reply: The newest reply, or None.
        instruct: The instruction that goes with the next question; empty for none.
        cells: Tells the cells of the notebook that go along with a question, or None.
    """

    transcript: Transcript
    page: Page
    arguments: Callable[[], dict[str, Any]]
    notify: Callable[[], object]
    reply: Reply | None = None
    instruct: str = ""
    cells: Callable[[], Cells] | None = None
    _sender: threading.Thread | None = None

    def write(
        self,
        prompt: str,
        files: Sequence[tuple[str, Any]],
        after: Exchange | None,
        instruct: str | None = None,
    ) -> ChatTurn:
        """A question with its variables put in.

        Args:
            prompt: The user's words.
            files: Names and values that are sent along.
            after: What it follows, or None at the beginning.
            instruct: Its instruction; by default the one for the next question.

        Raises:
            InputError: It cannot be sent so.
        """
        prompt, here = wellformed(prompt), shell()
        remember_ambient()
        filled = compose(
            prompt,
            variables=with_outputs(here) if here else {},
            attached=files,
            upload=self.arguments().get("upload", False),
            cite=bool(self.arguments().get("cite")),
        )
        instruct = self.instruct if instruct is None else instruct
        notes = (*filled.notes, *([labels.instruction_note(instruct)] if instruct else ()))
        thumbnails = previews.thumbnails(filled.blocks)
        return ChatTurn(
            *(prompt, after, filled.blocks, notes, tuple(files), instruct), thumbnails=thumbnails
        )

    def ask(self, turn: ChatTurn, picked: Mapping[str, Any], files: tuple[File, ...] = ()) -> None:
        """Ask a question of the page, or let it wait for the end of the answer under way.

        Args:
            turn: The question.
            picked: As for ``put``.
            files: What goes along, to be attached again if it is taken back while it waits.

        Raises:
            InputError: It cannot be sent so.
        """
        asked = self._asked(turn, picked, _PAGE)  # what cannot be sent is refused now
        with self.transcript.lock:
            if self.transcript.answering or self.queue.goes_on:
                self.queue.add(Queued(turn, picked, files))
                self.page.show_facts()
                return
            live = self._show(turn, asked)
        self.notify()
        self.start(live)

    @property
    def queue(self) -> Queue:
        """The messages that wait."""
        return queue_of(self.transcript.conversation)

    def take_queue(self) -> None:
        """Send what waits from here on: of several chats of a conversation, the newest one does.

        In the others nobody may see it, nor press Stop: the cell of one may have been run again.
        """
        self.queue.sender = WeakMethod(self._go_on)

    def _go_on(self) -> None:
        self.send_next()
        if any(message.held for message in self.queue):
            self.page.show_facts()  # the answer may have been another chat's

    def send_next(self) -> None:
        """Send the next message that waits, unless another is being answered."""
        with self.transcript.lock:
            message = None if self.transcript.answering else self.queue.next()
            if message is None:
                return
            turn = replace(message.turn, after=self.transcript.after)
            try:
                live = self._show(turn, self._asked(turn, message.picked, _PAGE))
            except ClaudeError as error:  # a tool or a model is not there any more
                self._refuse(message, str(error))
                return
            live.by_itself = True
        self.notify()
        self.start(live, message)

    def put(
        self, turn: ChatTurn, picked: Mapping[str, Any] = _NOTHING, place: Place = _PAGE
    ) -> LiveTurn:
        """Show a question, to be sent now.

        Args:
            turn: The question.
            picked: Arguments of ``ask`` in place of those in ``arguments``.
            place: Where it is asked; by default on the page.

        Raises:
            InputError: It cannot be sent so, or another one is being answered.
        """
        live = self._show(turn, self._asked(turn, picked, place))
        self.notify()
        return live

    def _show(self, turn: ChatTurn, asked: Question) -> LiveTurn:
        with self.transcript.lock:
            self.transcript.check_idle()
            live = LiveTurn(turn, asked, self.transcript.lock, self.page.post)
            self.transcript.live = live
            self.page.show()
        return live

    def _asked(self, turn: ChatTurn, picked: Mapping[str, Any], place: Place) -> Question:
        asked = Question.of(
            turn.prompt,
            history=self.transcript.conversation,
            instruct=turn.instruct or None,
            **{**self.arguments(), **picked, "content": turn.content},
        )
        cell = self.transcript.cell
        return replace(asked, after=turn.after or "beginning", place=place, chat_cell=cell)

    def send(self, live: LiveTurn) -> Reply:
        """Send a question that was put, and return its reply, which grows from now on.

        What cannot be sent is taken back.

        Raises:
            InputError: It was not sent.
        """
        try:
            return begin(self._with_cells(live.asked), live.begin, partial(self._end, live))
        except BaseException:  # an interrupt too: the chat must not stay busy for ever
            with self.transcript.lock:
                self.transcript.live = None
                self.queue.hold()
                self.page.show()
            try:
                self.notify()
            finally:
                live.ended.set()
            raise

    def _with_cells(self, asked: Question) -> Question:
        """A question with the cells as they are when it is sent: it may have waited."""
        if self.cells is None:
            return asked
        remember_ambient()
        return replace(asked, request=replace(asked.request, cells=self.cells()))

    def start(self, live: LiveTurn, queued: Queued | None = None) -> None:
        """Send a question from the page, on a thread of its own; the page gets its error.

        Args:
            live: The question.
            queued: The message that had waited, if it is one; it waits again if it is not sent.
        """

        def send() -> None:
            try:
                self.send(live)
            except Exception as error:  # noqa: BLE001 - the page is the only one to tell
                bug = "" if isinstance(error, ClaudeError) else f"{type(error).__name__}: "
                if queued is not None:
                    self._refuse(queued, f"{bug}{error}")
                else:
                    self.page.post(protocol.refused(live.turn.prompt, f"{bug}{error}"))

        # Not on the thread of the page's messages: to count what a budget allows takes a while.
        # In this context, by which the kernel knows which page has sent the message.
        self._sender = threading.Thread(target=copy_context().run, args=(send,), daemon=True)
        self._sender.start()

    def wait(self) -> None:
        """Wait until nothing is being answered, and nothing waits to be; an interrupt stops it."""
        with interrupts(self.stop):
            while (live := self.transcript.live) is not None and not live.ended.is_set():
                waiting.wait(live.ended.wait)
        if self._sender is not None:
            self._sender.join()  # it tells the page what was refused

    def stop(self) -> None:
        """Stop the answer that is being written, if any; the text so far is kept."""
        if (live := self.transcript.answering) is not None:
            live.stop()

    def _refuse(self, message: Queued, error: str) -> None:
        """A message that had waited cannot be sent: it waits for the user, with all behind it."""
        with self.transcript.lock:
            self.queue.hold()
            self.queue.put_back(message)
            self.page.show_facts()
            self.page.post(protocol.refused("", error))

    def _end(self, live: LiveTurn, reply: Reply, bug: Exception | None) -> None:
        """Show and save an answer that has ended and is in the conversation and the ledger."""
        try:
            try:
                answer = render.answer(reply, html.Drawn(done=live.frames.rendered))
            except Exception as error:  # noqa: BLE001 - the page tells it, below the text at least
                answer, bug = render.unrendered(reply), bug or error
            record = saved_output.record(reply, reply.request)
            with self.transcript.lock:
                self.reply = reply
                self.transcript.end(live, answer, record)
                if reply.outcome is not Outcome.COMPLETE:
                    self.queue.hold()
                if live.turn.instruct == self.instruct and self.transcript.live is not live:
                    self.instruct = ""  # it is in the conversation
                self.page.show()
            self.page.settle()
            if bug is not None:
                self.page.post(protocol.refused("", f"Part of it could not be shown: {bug}"))
        finally:  # whatever it was, the chat must not stay busy for ever
            with self.transcript.lock:
                if self.transcript.answering is live:
                    self.transcript.live = None
            go_on = self.queue.sender() or self._go_on
            go_on()
            if not live.awaited:
                self.notify()
            live.ended.set()
