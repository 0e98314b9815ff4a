"""Asks the user whether Claude may run a tool call: on the page, or by ``input``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from claude_nb.characters import clean
from claude_nb.client import waiting
from claude_nb.redaction import redact
from claude_nb.render import labels
from claude_nb.tools.permission import Answer, PermissionRequest

PAGE_TIMEOUT = 10.0
"""Seconds within which a page has to report that it shows the buttons."""


_KEYS: dict[Answer, str] = {"once": "y", "session": "s", "always": "a", "no": "N"}
_WORDS: dict[Answer, str] = {"once": "yes"}


class Asked(Protocol):
    """A question with its answers, as pages know it."""

    @property
    def id(self) -> str:
        """What the page's messages name it by."""

    @property
    def answers(self) -> tuple[tuple[Answer, str], ...]:
        """The answers, each with its label."""


AskedT = TypeVar("AskedT", bound=Asked)


class Confirmation(Generic[AskedT]):
    """Asks on the page about one call after another; the page answers on other threads.

    Args:
        show: Shows the buttons for a call on the page, or removes them for None.
    """

    def __init__(self, show: Callable[[AskedT | None], object]) -> None:
        self._show = show
        self._news = threading.Condition()
        self._asked: AskedT | None = None
        self._seen = False
        self._answer: Answer | None = None
        self._withdrawn = False

    def ask(self, asked: AskedT, patience: float | None = None) -> Answer | None:
        """Ask about a call, and wait for the answer; an interrupt ends the wait.

        Args:
            asked: The question.
            patience: Seconds within which a page has to report it, if not ``PAGE_TIMEOUT``.

        Returns:
            The answer, "no" after ``withdraw``; None if no page reports that it can give one.
        """
        with self._news:
            if self._withdrawn:
                return "no"
            self._asked, self._seen, self._answer = asked, False, None
        seconds = PAGE_TIMEOUT if patience is None else patience
        self._show(asked)
        try:
            with self._news:
                if not waiting.wait(partial(self._news.wait_for, self._is_seen), seconds):
                    return None
                waiting.wait(partial(self._news.wait_for, self._is_over))
                return self._answer or "no"
        finally:
            with self._news:
                self._asked = None
            self._show(None)

    def _is_seen(self) -> bool:
        return self._seen or self._is_over()

    def _is_over(self) -> bool:
        return self._withdrawn or self._answer is not None

    def withdraw(self) -> None:
        """Answer "no" to this and all later calls: the reply has ended."""
        with self._news:
            self._withdrawn = True
            self._news.notify_all()

    def receive(self, content: dict[str, object]) -> bool:
        """Take a message from the page, and return whether it was about a confirmation.

        A message about another call, or a second answer, changes nothing: it comes from a view
        that still shows earlier buttons.
        """
        op = content.get("op")
        if op not in ("asked", "confirm"):
            return False
        with self._news:
            if self._asked is not None and content.get("call") == self._asked.id:
                if op == "asked":
                    self._seen = True
                elif self._answer is None:
                    chosen = content.get("answer")
                    known = (answer for answer, _ in self._asked.answers)
                    self._answer = next((a for a in known if a == chosen), "no")
                self._news.notify_all()
        return True


def by_input(asked: PermissionRequest) -> Answer | None:
    """Ask by ``input``, in the cell or in the terminal, whether a call may run.

    Returns:
        The answer; None if nobody can be asked.
    """
    answer = _typed(_question(asked))
    keys = {answer: _KEYS[answer] for answer, _ in asked.answers}
    found = (a for a, key in keys.items() if answer in (key, _WORDS.get(a, a)))
    return None if answer is None else next(found, "no")


def ask_by_input(question: str) -> bool | None:
    """Ask by ``input`` for yes or no.

    Returns:
        The answer; None if nobody can be asked.
    """
    answer = _typed(f"{question} [y/N] ")
    return None if answer is None else answer in ("y", "yes")


def _typed(question: str) -> str | None:
    """What is typed as the answer, in small letters; None if nobody can be asked."""
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        return input(clean(redact(question))).strip().lower()
    except (EOFError, NotImplementedError):  # no terminal, or a kernel without a front end
        return None


def _question(asked: PermissionRequest) -> str:
    """The question, with the keys to type; of a server's tool with all of its input."""
    if not asked.source:
        return f"Run {labels.call(asked.call)}? [y/N] "
    keys = ", ".join(f"{_KEYS[answer]} = {label.lower()}" for answer, label in asked.answers)
    called = f"{asked.call.name}({labels.arguments(asked.call)})"
    return f"{asked.source}\n{called}\nRun it? [{keys}] "
