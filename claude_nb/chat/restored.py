"""What was saved of a chat that is made: it goes on from there, or the page asks from where."""

from __future__ import annotations

from dataclasses import replace

from claude_nb.characters import clean
from claude_nb.chat.transcript import Transcript
from claude_nb.conversation import saved_chat
from claude_nb.conversation.history import Exchange
from claude_nb.conversation.saved_chat import SavedChat
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError
from claude_nb.request.system import System

_MAX_NOTES = 3


class Restored:
    """What was saved of a chat, and what its page says about it.

    Args:
        transcript: The turns of the chat, to which the saved ones are added.

    Attributes:
        undecided: Whether something may be saved of which the user has not decided what to do.
        choices: The same chat in several copies of the notebook, of which the user chooses one.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.undecided = False
        self.choices: list[SavedChat] = []
        self._transcript = transcript
        self._said = ""
        self._system: str | System | None = None
        self._head: Exchange | None = None  # of the conversation when something was restored

    @property
    def said(self) -> str:
        """What to tell the user now, or an empty text."""
        is_news = self.undecided or self._transcript.conversation.head is self._head
        return self._said if is_news else ""

    def look(self, system: str | System | None) -> None:
        """Go on from what was saved, unless that was done in this kernel already.

        Args:
            system: The system prompt of the chat. It is not saved, and cells that share the
                conversation go on with it.
        """
        self._system = system
        conversation = self._transcript.conversation
        if conversation in snapshot.restored:
            return
        snapshot.take()
        found = saved_chat.find(
            snapshot, conversation.name, self._transcript.cell, shared=conversation.is_shared
        )
        if len(found) == 1:
            self._take(found[0])
        elif found:
            self.undecided, self.choices = True, found
            self._said = (
                "Several notebooks in this folder contain this chat. Which one do you"
                " want to continue?"
            )
        elif snapshot.error:
            self.undecided = True
            self._said = f"Earlier chats could not be found: {clean(snapshot.error)}"
        else:
            snapshot.restored.add(conversation)

    def choose(self, number: object) -> None:
        """Go on with one of the choices.

        Raises:
            InputError: There is no such choice, or an answer is under way.
        """
        if type(number) is not int or not 0 <= number < len(self.choices):
            raise InputError("That choice is no longer available.")
        self._transcript.check_idle()
        chosen = self.choices[number]
        if chosen.file is not None:
            snapshot.choose(chosen.file)
        self._take(chosen)

    def start_empty(self) -> None:
        """Begin anew; what was restored stays in the conversation.

        Raises:
            InputError: An answer is under way.
        """
        self._transcript.check_idle()
        self._decide("")
        self._transcript.clear()

    def forget(self) -> None:
        """Forget the conversation, what chats hold of it in the notebook, and its backups.

        Raises:
            InputError: An answer is under way, or a backup cannot be deleted.
        """
        self._transcript.forget()
        self._decide("")
        saved_chat.forget(snapshot, self._transcript.conversation.name)

    def _take(self, saved: SavedChat) -> None:
        skipped = "; ".join(map(clean, saved.notes[:_MAX_NOTES]))
        more = len(saved.notes) - _MAX_NOTES
        skipped += f"; {more} more" if more > 0 else ""
        self._decide(f"Restored {clean(saved.source)}.{skipped and f' Note: {skipped}.'}")
        conversation = self._transcript.conversation
        with conversation.lock:
            self._transcript.take_over(saved.records, conversation.name)
            conversation.add((replace(e, system=self._system) for e in saved.exchanges), saved.head)
            self._head = conversation.head

    def _decide(self, said: str) -> None:
        snapshot.restored.add(self._transcript.conversation)
        self.undecided, self.choices, self._said = False, [], said
