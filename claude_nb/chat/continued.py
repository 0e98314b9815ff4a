"""A reply of a cell, continued in a chat: a conversation of its own that begins with its branch.

What cells ask next stays as it is: the conversation that the cell asked in does not change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from claude_nb.asking.conversation import Conversation
from claude_nb.chat.chats import known
from claude_nb.chat.naming import numbered
from claude_nb.chat.transcript import Transcript
from claude_nb.conversation import restore, saved_chat, saved_notebook
from claude_nb.conversation.history import Exchange
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError
from claude_nb.streaming.block import as_dict, as_string

_GONE = "The prompt of this reply is not in memory. Ask it again, then continue in a chat."


def continued(transcript: Transcript, records: Iterable[Any], execution: object) -> Conversation:
    """The conversation that goes on from a reply, made if there is none.

    Args:
        transcript: That of the chat in which it is to be shown.
        records: The records of the reply's branch as the page has them, its own last.
        execution: The number of the cell's execution, after which it is named.

    Raises:
        InputError: Neither the kernel nor the records know what the reply answers.
    """
    branch = _branch(list(records))
    there = known(transcript)
    where = f"[{execution}]" if type(execution) is int and execution > 0 else "a cell"
    for name in numbered(f"from {where}"):
        copies = _copies(branch, name)
        conversation = there.get(name)
        if name not in there:
            conversation = Conversation.named(name)
            conversation.add(copies, copies[-1])
            snapshot.restored.add(conversation)
            return conversation
        if conversation is not None and conversation.exchanges:
            held = conversation.exchanges
        else:  # it is shown from what is saved
            held = [e for found in saved_chat.find(snapshot, name, "") for e in found.exchanges]
        if any(exchange.id == copies[-1].id for exchange in held):
            return conversation or Conversation.named(name)
    raise AssertionError  # there is a free name


def _branch(records: list[Any]) -> list[Exchange]:
    """The exchanges up to a reply: those of this kernel, or else as they are saved."""
    last = as_dict(records[-1]) if records else {}
    turn = as_dict(last.get("turn"))
    id_ = as_string(turn.get("id"))
    for name in Conversation.names():
        for exchange in Conversation.named(name).exchanges:
            if exchange.id == id_:
                return exchange.branch
    once = as_dict(last.get("once"))
    if once and not turn:
        id_ = _digest(as_string(once.get("prompt")), as_string(once.get("text")))
        records = [last | {"turn": once | {"conversation": "once", "id": id_, "parent": None}}]
    found = []
    for data in records:
        try:
            found.append(saved_notebook.record(0, "", data))
        except InputError:
            continue  # that turn is skipped
    conversations, _ = restore.conversations(saved_notebook.SavedNotebook(tuple(found), (), ()))
    for saved in conversations:
        for exchange in saved.exchanges:
            if exchange.id == id_:
                return exchange.branch
    raise InputError(_GONE)


def _copies(branch: list[Exchange], name: str) -> list[Exchange]:
    """Exchanges for another conversation: each turn has one conversation, so their ids differ."""
    made: list[Exchange] = []
    for exchange in branch:
        parent = made[-1] if made else None
        id_ = _digest(name, branch[-1].id, exchange.id)
        made.append(replace(exchange, id=id_, parent=parent))
    return made


def _digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:32]
