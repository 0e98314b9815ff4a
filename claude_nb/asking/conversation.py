"""``Conversation``: questions that build on each other, for Python users and for ``%%claude``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from claude_nb.asking.asking import answer, ask, ask_async
from claude_nb.asking.question import Question, check_names, check_types
from claude_nb.characters import clean
from claude_nb.conversation import export, restore, saved_notebook
from claude_nb.conversation.history import NOTEBOOK, History, numbers
from claude_nb.errors import ClaudeError, InputError
from claude_nb.reply import Reply
from claude_nb.request.system import System

_NO_SUMMARY = {
    "max_tokens": "Allow more tokens: .compact(max_tokens=32_000)",
    "model_context_window_exceeded": (
        "The context window is too full for a summary. Undo turns first: %claude_nb undo 2"
    ),
}
"""What to do where no summary came, by stop reason (documentation, "Compaction on demand")."""


_OF_REPLIES = (
    *("attach", "tools", "output", "history", "new", "events", "system", "hide_thinking"),
    *("hide_tools", "stop_sequences", "tool_choice", "extra", "betas", "metadata"),
)
"""Options of ``ask`` that a summary has not: they shape a reply, or are the conversation's."""


class Conversation(History):
    """A conversation: each question is sent with the earlier exchanges.

    A cell that runs again asks in its old place and starts a new branch there, so a notebook that
    runs twice from the top has one clean conversation.

    Args:
        name: What it is called.
        system: The system prompt of a branch for which none is given.
        tools: Functions or ``Tools`` that each of its questions may call. Those that are named for
            one question only stay known to Claude: in later ones each call asks first.
        extra: Other fields of each request, as ``ask`` takes them: of a branch for which none are
            given. What a question gives holds for those after it, as long as the same server
            answers; ``{}`` clears it.
        betas: Names of betas, likewise; ``[]`` clears them.

    Example:
        >>> about_trains = Conversation("trains", system="You know the timetable.")
        >>> about_trains.ask("When does the first one leave?")
        >>> about_trains.ask("And the one after that?")
    """

    _named: ClassVar[dict[str, Conversation]] = {}

    def __init__(
        self,
        name: str = NOTEBOOK,
        *,
        system: str | System | None = None,
        tools: Any = None,
        extra: dict[str, Any] | None = None,
        betas: Sequence[str] | None = None,
    ) -> None:
        check_types(name=name, system=system, extra=extra, betas=betas)
        super().__init__(name, system=system, tools=tools, extra=extra, betas=betas)

    @classmethod
    def named(cls, name: str = NOTEBOOK) -> Conversation:
        """The conversation of that name that the whole notebook shares, as ``%%claude -c`` does.

        Args:
            name: By default that of the ``%%claude`` cells.
        """
        if name not in cls._named:
            cls._named[name] = cls(name)
        return cls._named[name]

    @classmethod
    def find(cls, name: str) -> Conversation | None:
        """The conversation of that name that the notebook shares, or None if there is none yet."""
        return cls._named.get(name)

    @classmethod
    def names(cls) -> list[str]:
        """The names of the conversations that the notebook shares, oldest first."""
        return list(cls._named)

    @property
    def is_shared(self) -> bool:
        """Whether the whole notebook shares it by its name."""
        return self._named.get(self.name) is self

    def ask(self, prompt: str, **arguments: Any) -> Reply:
        """``claude_nb.ask`` with the exchanges so far, to which the answer is added.

        Args:
            prompt: The user's words.
            **arguments: As for ``claude_nb.ask``.
        """
        check_names(arguments, ask, left_out=("history",))
        return ask(prompt, history=self, **arguments)

    async def ask_async(self, prompt: str, **arguments: Any) -> Reply:
        """``ask`` for a top-level ``await``.

        Args:
            prompt: The user's words.
            **arguments: As for ``claude_nb.ask``.
        """
        check_names(arguments, ask, left_out=("history",))
        return await ask_async(prompt, history=self, **arguments)

    def compact(self, **arguments: Any) -> Reply:
        """Have Claude summarise the turns so far; from now on, requests send the summary instead.

        The turns stay in the tree: you can read, export and return to them, and ``undo()`` removes
        the summary. The request includes the system prompt and the tools of the conversation, and
        costs as much as a reply. Images and documents of the turns are no longer sent.

        Args:
            **arguments: ``model`` (by default that of the last turn), ``max_tokens``, ``thinking``,
                ``effort``, ``max_cost``, ``policy``, ``client``, ``show``, ``view`` and ``stream``,
                as for ``claude_nb.ask``.

        Returns:
            The reply that holds the summary.

        Raises:
            InputError: There are no turns to summarise, or the model does not do it.
            ClaudeError: No summary came; the turns are sent as before.
        """
        check_names(arguments, ask, left_out=_OF_REPLIES)
        head = self.head
        if head is None:
            raise InputError(f"{self.name}: no messages yet.")
        if head.compaction is not None:
            raise InputError(f"{self.name}: everything is compacted already.")
        model = {"model": head.model} if head.model else {}
        prompt = f"{numbers(head.branch)} compacted"
        question = Question.of(
            prompt, history=self, after=head, compacts=True, **{**model, **arguments}
        )
        reply = answer(question)
        if reply.last is None or reply.last.compaction is None:
            what = f"Claude wrote no summary ({reply.stop_reason}); the turns are sent in full."
            error = ClaudeError(what, _NO_SUMMARY.get(str(reply.stop_reason), ""))
            error.reply = reply
            raise error
        return reply

    @classmethod
    def from_notebook(cls, path: str | Path, name: str | None = None) -> Conversation:
        """Read a conversation from a saved notebook or an export.

        Only text and attachments are read, without the system prompt, thinking and calls of tools.
        Whatever cannot be read is skipped with a warning.

        Args:
            path: The notebook.
            name: Which of its conversations; by default that of its cells, or else its only one.

        Raises:
            InputError: It cannot be read, or there is no such conversation in it.
        """
        found, notes = restore.conversations(saved_notebook.load(path))
        saved = {conversation.name: conversation for conversation in found}
        chosen = saved.get(NOTEBOOK if name is None else name)
        if chosen is None and name is None and len(found) == 1:
            chosen = found[0]
        if chosen is None:
            there = f"It has {', '.join(saved)}." if saved else "; ".join(notes[:5])
            which = "" if name is None else f" {name!r}"
            raise InputError(f"There is no conversation{which} in {path}.", there)
        for note in notes:
            warnings.warn(clean(f"{path}: {note}"), stacklevel=2)
        conversation = cls(chosen.name)
        conversation.add(chosen.exchanges, chosen.head)
        return conversation

    @classmethod
    def from_messages(
        cls,
        messages: Sequence[Mapping[str, Any]],
        name: str = NOTEBOOK,
        *,
        system: str | System | None = None,
    ) -> Conversation:
        """Continue from messages of the Messages API, without their thinking.

        Args:
            messages: The messages, from the user's first to the assistant's last, or none; their
                content is a text, or a list of content blocks as dicts.
            name: What the conversation is called.
            system: Its system prompt.

        Raises:
            InputError: They are no such messages; the error says which one is not.
        """
        conversation = cls(name, system=system)
        if exchanges := restore.exchanges(messages):
            conversation.add(exchanges, exchanges[-1])
        return conversation

    def to_notebook(
        self, path: str | Path, *, prompts: str = "cells", overwrite: bool = False
    ) -> None:
        """Write the current branch as a notebook, which ``from_notebook`` can read.

        Args:
            path: Where.
            prompts: ``"cells"`` for ``%%claude`` cells, which can be run again, or ``"markdown"``.
            overwrite: Whether any file that is there may be replaced; an export that was not
                changed since is, without it too.

        Raises:
            InputError: Nothing has been said yet, or another file is there, or it cannot be
                written.
        """
        export.save(path, export.to_notebook(self, prompts), overwrite=overwrite)

    def to_markdown(self) -> str:
        """The current branch as Markdown, for reading.

        Raises:
            InputError: There are no messages yet.
        """
        return export.to_markdown(self)

    def to_messages(self) -> list[dict[str, Any]]:
        """The current branch as ``messages()``, in a copy that you may change."""
        return deepcopy(self.messages())

    def __repr__(self) -> str:
        turns = len(self.questions)
        return f"<Conversation {self.name!r} · {turns} {'turn' if turns == 1 else 'turns'}>"
