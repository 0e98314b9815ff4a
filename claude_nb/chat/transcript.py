"""The turns of a chat: its conversation's current branch, or up to what is being answered.

A ``ChatTurn`` is derived from an exchange, a ``LiveTurn`` shows the answer that grows, and the
``Transcript`` puts them in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import uuid4
from weakref import WeakKeyDictionary

from claude_nb.asking import question
from claude_nb.asking.conversation import Conversation
from claude_nb.client.engine import Stream
from claude_nb.conversation import editing, export, saved_notebook
from claude_nb.conversation.compaction import COMPACTED
from claude_nb.conversation.history import (
    THINKING_LEFT_OUT,
    Exchange,
    label,
)
from claude_nb.errors import InputError
from claude_nb.render import chat as render
from claude_nb.render import displayed, previews, protocol
from claude_nb.render.protocol import Op
from claude_nb.reply import Reply
from claude_nb.request.cells import NOTES, without
from claude_nb.request.place import Place
from claude_nb.request.request import CONTEXT
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.record import RecordedUsage, describe_data, displayed_content, size, within
from claude_nb.tools.tools import NOTE
from claude_nb.views.frames_view import FramesView

At = tuple[int, int]  # the number of a version, from 1, and how many there are


@dataclass(frozen=True, slots=True, eq=False)
class ChatTurn:
    """A question as a chat shows it, and its answer once that has ended.

    Attributes:
        prompt: The user's words.
        after: What it follows in the conversation, or None at the beginning.
        content: The content blocks that are sent for it; none for the prompt alone.
        notes: What was put in or sent along, a few words each.
        files: Names and values that are sent along, to be sent again when it is edited.
        instruct: The instruction that holds from it on; empty for none.
        asked_in: The cell in which it was asked, as ``[3]``, or an empty text.
        thumbnails: The pictures among the content, as HTML.
        answer: The answer in all its forms, or None while there is none.
        key: Its name on the page.
    """

    prompt: str
    after: Exchange | None
    content: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[tuple[str, Any], ...] = ()
    instruct: str = ""
    asked_in: str = ""
    thumbnails: tuple[str, ...] = ()
    answer: render.Answer | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(cls, exchange: Exchange, record: Mapping[str, Any]) -> Self:
        """A turn that was asked elsewhere: in a cell, another chat or an earlier kernel.

        Args:
            exchange: The turn in the conversation.
            record: The record of its reply, which may come from anybody; empty if there is none.
        """
        content = () if isinstance(exchange.content, str) else without(exchange.content)
        return cls(
            exchange.prompt,
            exchange.parent,
            content,
            tuple(export.along(exchange)),
            instruct=exchange.instruct,
            asked_in=label(exchange) if exchange.place.execution else "",
            thumbnails=previews.thumbnails(content),
            answer=_answer(exchange, displayed.checked(record.get("displayed"))),
        )

    def again(self) -> Self:
        """The same question with the same data, to be asked once more."""
        return replace(self, asked_in="", answer=None, key=uuid4().hex)


@dataclass(eq=False)
class LiveTurn(FramesView):
    """The question that is being answered, and the view in which its answer grows.

    Where the conversation keeps nothing of the answer, it remains as the turn that failed.

    Attributes:
        turn: The question, with its answer once that has ended.
        asked: It, and how it is asked.
        lock: That of the chat.
        ended: Set when the answer has ended, or the question could not be sent.
        awaited: Whether a cell waits for it: observers then run there, and print into its output.
        by_itself: Whether it had waited and was sent when the answer before it was complete.
        id: Its name in the conversation, or an empty text before the request is sent.
    """

    turn: ChatTurn
    asked: question.Question
    lock: threading.RLock
    _post: Callable[[Op], object]
    ended: threading.Event = field(default_factory=threading.Event)
    awaited: bool = False
    by_itself: bool = False
    id: str = ""
    _stream: Stream | None = None
    _stopped: bool = False

    def __post_init__(self) -> None:
        super().__init__(self.lock)

    def send_frame(self, frame: dict[str, object]) -> None:
        """Send the page a frame of the answer in this turn."""
        self._post(protocol.frame(self.turn.key, frame))

    def begin(self, stream: Stream, reply: Reply) -> Self:
        """Show this reply from now on."""
        # The tools that the chat was given are shown where one writes.
        kept = (THINKING_LEFT_OUT, CONTEXT, *NOTES)
        kept += () if self.asked.tools is not None else (NOTE,)
        reply.notes = tuple(
            note for note in reply.notes if note.startswith(kept) or COMPACTED in note
        )
        with self.lock:
            self._stream, self.reply = stream, reply
            self.id = reply.request.turn.id if reply.request.turn is not None else ""
            if self._stopped:
                stream.stop()
        return self

    def stop(self) -> None:
        """Stop the answer, also before its request is sent; what came is kept."""
        with self.lock:
            self._stopped = True
            if self._stream is not None:
                self._stream.stop()


def _answer(exchange: Exchange, shown: tuple[displayed.Part, ...]) -> render.Answer:
    """The answer of a turn that was asked elsewhere, below what tools showed to the reader."""
    known: dict[str, Any] = {
        "simulated": exchange.simulated,
        "edited": bool(exchange.edited),
        "shown": shown,
    }
    if content := displayed_content(exchange.turns):
        return render.answer_of_content(content, **known)
    return render.answer_of_text(exchange.text, **known)


_records: WeakKeyDictionary[Conversation, dict[str, dict[str, Any]]] = WeakKeyDictionary()
"""The records of the replies of chats, by their turns: a chat that is made again has them too."""

_turns: WeakKeyDictionary[Conversation, dict[str, ChatTurn]] = WeakKeyDictionary()
"""The turns, made once for each exchange: with all that was shown of the answer while it came."""


class Transcript:
    """The turns of a chat, derived from its conversation, and what they have cost.

    Args:
        conversation: The conversation, which cells and other chats may share.
        cell: The id of the cell in which the chat is made, or an empty string.

    Attributes:
        conversation: The one that is shown.
        conversations: All that were shown, the chat's own first.
        cell: The same.
        lock: The conversation's lock: a chat changes under it as well. Traits are set without it.
        live: The question that is being answered, or the last one if it failed; else None.
        spent: What the replies have cost together, in USD, as far as that is known.
        unknown_cost: Whether there is more that is not known.
    """

    def __init__(self, conversation: Conversation, cell: str = "") -> None:
        self.cell = cell
        self.conversations: list[Conversation] = []
        self.show(conversation)

    def show(self, conversation: Conversation) -> None:
        """Show this conversation from now on, in place of another that is not being answered."""
        if conversation not in self.conversations:
            self.conversations.append(conversation)
        self.conversation = conversation
        self.lock = conversation.lock
        self.live: LiveTurn | None = None
        self.spent = 0.0
        self.unknown_cost = False
        self._head: Exchange | None = None  # of the conversation, when the last question failed
        self._turns = _turns.setdefault(conversation, {})
        self._records = _records.setdefault(conversation, {})
        for record in self._records.values():
            self._charge_recorded(record)

    @property
    def answering(self) -> LiveTurn | None:
        """The question that is being answered, or None."""
        live = self.live
        return live if live is not None and live.turn.answer is None else None

    @property
    def after(self) -> Exchange | None:
        """What the next question follows: the last answer that is shown."""
        return self.live.turn.after if self.live else self.conversation.head

    def follows(self, place: Place) -> Exchange | None:
        """What a question follows that is asked there: a cell that is run again asks again."""
        with self.lock:
            parent = self.conversation.parent_of(place)
            return self.after if parent is self.conversation.head else parent

    def shown(self) -> list[tuple[ChatTurn, At]]:
        """The turns, each with its number among its versions and how many there are."""
        with self.lock:
            live, last = self.live, self.after
            versions = self.conversation.following
            found = []
            for exchange in last.branch if last else []:
                if exchange.compaction is not None:
                    continue  # no question of anybody's; the note on the next answer tells of it
                record = self._records.get(exchange.id, {})
                turn = self._turns.get(exchange.id) or ChatTurn.of(exchange, record)
                self._turns[exchange.id] = turn
                same = versions[exchange.parent]
                found.append((turn, (same.index(exchange) + 1, len(same))))
            if live is not None:  # it may be in the conversation already
                count = sum(exchange.id != live.id for exchange in versions[last]) + 1
                found.append((live.turn, (count, count)))
            return found

    def turn(self, key: object) -> ChatTurn:
        """The turn that is shown under this key.

        Raises:
            InputError: There is none.
        """
        for turn, _ in self.shown():
            if turn.key == key:
                return turn
        raise InputError("That message no longer exists.")

    def records(self) -> list[dict[str, Any]]:
        """The records of the replies of each conversation that was shown, with 1 MB of data.

        Of each those on all branches, then those that failed or were refused.
        """
        found = []
        for conversation in self.conversations:
            # Copies instead of their locks: two chats may have shown the same two.
            records, exchanges = dict(_records[conversation]), list(conversation.exchanges)
            found += [
                records.get(one.id) or export.record(one, conversation.name, one.place.cell)
                for one in exchanges
            ]
            kept = {exchange.id for exchange in exchanges}
            found += [record for id_, record in records.items() if id_ not in kept]
        return within(found)

    def left_out(self, records: Iterable[dict[str, Any]]) -> list[str]:
        """The images and documents of the conversation that records do not have: ``image of 2 MB``.

        Args:
            records: What ``records`` returned.
        """
        turns = [as_dict(record.get("turn")) for record in records]
        saved = {turn.get("id"): turn for turn in turns}
        found = []
        for exchange in self.conversation.exchanges:
            content = () if isinstance(exchange.content, str) else exchange.content
            for name, blocks in (
                ("content", content),
                ("answer", displayed_content(exchange.turns)),
            ):
                pairs = zip(blocks, as_dict(saved.get(exchange.id)).get(name, ()), strict=False)
                found += [describe_data(had) for had, has in pairs if size(had) > size(has)]
        return found

    # One question at a time.

    def check_idle(self) -> None:
        """Check that nothing is being answered.

        Raises:
            InputError: An answer is under way.
        """
        if self.answering:
            raise InputError("The chat is still answering.", "Wait until it ends, or press Stop.")

    def end(self, live: LiveTurn, answer: render.Answer, record: dict[str, Any]) -> None:
        """The answer has ended; a turn that the conversation does not keep has failed."""
        with self.lock:
            live.turn = replace(live.turn, answer=answer)
            self._records[live.id], self._head = record, self.conversation.head
            if any(exchange.id == live.id for exchange in self.conversation.exchanges):
                self._turns[live.id], self.live = live.turn, None
            self._charge(answer.cost)

    def _charge(self, usd: float | None) -> None:
        self.unknown_cost = self.unknown_cost or usd is None
        self.spent += usd or 0.0

    # Where the conversation goes on.

    def follow(self) -> None:
        """Forget what failed, once the conversation goes on from elsewhere."""
        with self.lock:
            if not self.answering and self.conversation.head is not self._head:
                self.live = None

    def clear(self) -> None:
        """Begin anew; the turns so far stay in the conversation.

        Raises:
            InputError: An answer is under way.
        """
        with self.lock:
            self.check_idle()
            self.live = None
        self.conversation.new()

    def forget(self) -> None:
        """Forget the conversation: its turns, and their records.

        Raises:
            InputError: An answer is under way.
        """
        with self.lock:
            self.check_idle()
            self.conversation.forget()
            self.live = None
            self._turns.clear()
            self._records.clear()
        self.conversation.new()

    def bring_back(self) -> None:
        """Go to the newest turn of all branches.

        Raises:
            InputError: An answer is under way.
        """
        self.check_idle()
        if self.conversation.exchanges:
            self.conversation.go_to(self.conversation.exchanges[-1])

    def pick(self, key: object, by: int) -> None:
        """Go to the branch with another version of a question, or of its answer.

        Args:
            key: The turn's.
            by: -1 for the version before, 1 for the one after; beyond the ends nothing changes.

        Raises:
            InputError: An answer is under way, or there is no such turn.
        """
        with self.lock:
            self.check_idle()
            turn = self.turn(key)
            following = self.conversation.following
            versions = following[turn.after]
            turns = [self._turns.get(exchange.id) for exchange in versions]
            wanted = (turns.index(turn) if turn in turns else len(turns)) + by
            if not 0 <= wanted < len(versions):
                return
            self.live = None
        end = versions[wanted]
        while following[end]:  # the newest turns of that branch
            end = following[end][-1]
        self.conversation.go_to(end)

    def edit_answer(self, key: object, text: str) -> Exchange:
        """Go on from an answer in other words, as another version of its turn.

        Args:
            key: The turn's.
            text: The answer.

        Returns:
            The exchange with it.

        Raises:
            InputError: An answer is under way, there is no such turn in the conversation, or the
                text cannot be an answer.
        """
        with self.lock:
            self.check_idle()
            turn = self.turn(key)
            found = [e for e in self.conversation.exchanges if self._turns.get(e.id) is turn]
            if not found:
                raise InputError("This answer failed, so it is not sent with the next question.")
            made = editing.edited(found[0], text)
            answer = ChatTurn.of(made, self._records.get(found[0].id, {})).answer
            self._turns[made.id] = replace(turn, answer=answer, key=uuid4().hex)
            self.live = None
        editing.go_on(self.conversation, made)
        return made

    def take_over(self, records: Iterable[saved_notebook.Record], name: str) -> None:
        """Keep the records of a saved notebook, to save them again.

        Args:
            records: The records.
            name: What the conversation is called in them.
        """
        with self.lock:
            for record in records:
                turn = as_dict(record.data.get("turn"))
                id_ = as_string(turn.get("id"))
                # A turn may be shown twice.
                if not id_ or turn.get("conversation") != name or id_ in self._records:
                    continue
                renamed = {"turn": turn | {"conversation": self.conversation.name}}
                self._records[id_] = record.data | renamed
                self._charge_recorded(record.data)

    def _charge_recorded(self, record: dict[str, Any]) -> None:
        if (spent := RecordedUsage.of(record)) is not None:
            self._charge(spent.cost)
