"""What was written while an answer came: messages that wait for its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from claude_nb.asking.conversation import Conversation
from claude_nb.chat.files import File
from claude_nb.chat.transcript import ChatTurn
from claude_nb.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Queued:
    """A message that waits.

    Attributes:
        turn: The question, with its variables put in when it was written.
        picked: The arguments of ``ask`` that were picked then.
        files: What goes along, to be attached again when it is taken back.
        held: Whether it waits for the user: the answer before it was stopped or has failed.
    """

    turn: ChatTurn
    picked: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    held: bool = False


class Queue:
    """The messages that wait in a conversation, in their order. The chat's lock guards it.

    As long as one of them does not wait for the user, somebody is about to send it: whoever ends
    the answer under way, or has just released it.

    Attributes:
        sender: Returns what sends the next one, or None if that is not there any more.
    """

    def __init__(self) -> None:
        self._waiting: list[Queued] = []
        self.sender: Callable[[], Callable[[], object] | None] = lambda: None

    def __iter__(self) -> Iterator[Queued]:
        return iter(list(self._waiting))

    def add(self, message: Queued) -> None:
        """Let a message wait behind the others."""
        self._waiting.append(message)

    def put_back(self, message: Queued) -> None:
        """Let a message that could not be sent wait for the user, before the others."""
        self._waiting.insert(0, replace(message, held=True))

    def take(self, key: object) -> Queued:
        """Take a message out, by the key of its turn.

        Raises:
            InputError: It is not there.
        """
        for message in self:
            if message.turn.key == key:
                self._waiting.remove(message)
                return message
        raise InputError("That message is no longer queued.")

    @property
    def goes_on(self) -> bool:
        """Whether a message will be sent by itself."""
        return not all(message.held for message in self)

    def next(self) -> Queued | None:
        """Take out the first message that does not wait for the user, if there is one."""
        return next((self.take(m.turn.key) for m in self if not m.held), None)

    def hold(self) -> None:
        """Let each message wait for the user."""
        self._waiting = [replace(message, held=True) for message in self._waiting]

    def release(self, key: object) -> None:
        """Let a message wait for the end of the answer again, behind the others.

        Raises:
            InputError: It is not there.
        """
        self.add(replace(self.take(key), held=False))


_queues: WeakKeyDictionary[Conversation, Queue] = WeakKeyDictionary()


def queue_of(conversation: Conversation) -> Queue:
    """The messages that wait in a conversation: a chat that is made again has them too."""
    return _queues.setdefault(conversation, Queue())
