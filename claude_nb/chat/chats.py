"""The chats of a notebook: a list of them to go back to."""

from __future__ import annotations

from typing import Any

from claude_nb.asking.conversation import Conversation
from claude_nb.characters import clean
from claude_nb.chat.naming import numbered
from claude_nb.chat.transcript import Transcript
from claude_nb.conversation import saved_chat
from claude_nb.conversation.history import NOTEBOOK
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError
from claude_nb.redaction import redact

_LONGEST = 80
"""Characters of a chat's first question that are shown."""


def listed(transcript: Transcript) -> list[dict[str, Any]]:
    """The chats to go to, as in ``render.protocol``: those in which something was asked.

    They are the conversations of this kernel but that of the cells, oldest first, then saved ones.

    Args:
        transcript: That of the chat in which they are listed.
    """
    found = []
    for name, conversation in known(transcript).items():
        if conversation is not None and (conversation.exchanges or _is_restored(conversation)):
            exchanges = conversation.questions or conversation.exchanges
            count = len(conversation.questions)
        else:
            saved = saved_chat.find(snapshot, name, transcript.cell)
            exchanges = list(saved[0].exchanges) if saved else []
            count = len(exchanges)
        is_shown = conversation is transcript.conversation
        if exchanges or is_shown:
            begins = exchanges[0].prompt if exchanges else ""
            begins = " ".join(clean(redact(begins)).split())[:_LONGEST]
            found.append({"name": name, "turns": count, "begins": begins, "shown": is_shown})
    return found


def opened(transcript: Transcript, name: str) -> Conversation:
    """The conversation of a chat in the list.

    Raises:
        InputError: It is not there.
    """
    there = known(transcript)
    if name not in there:
        raise InputError(f"The chat {clean(name):.100} no longer exists.")
    return there[name] or Conversation.named(name)


def new(transcript: Transcript) -> Conversation:
    """A new conversation, under the first name that is free."""
    there = known(transcript)
    return Conversation.named(next(name for name in numbered("chat") if name not in there))


def known(transcript: Transcript) -> dict[str, Conversation | None]:
    """The conversations by name; None for one that is saved and was not made in this kernel."""
    _, saved = saved_chat.names(snapshot, "")
    names = [*Conversation.names(), *sorted(saved)]
    found = {name: Conversation.find(name) for name in names if name != NOTEBOOK}
    return found | {one.name: one for one in transcript.conversations}


def _is_restored(conversation: Conversation) -> bool:
    return conversation in snapshot.restored
