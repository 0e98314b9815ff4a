"""Asks the user whether Claude may run a tool call: on the page, or by ``input``."""

from __future__ import annotations

import threading
from collections.abc import Callable

from claude_nb.characters import clean
from claude_nb.errors import redact
from claude_nb.render import labels
from claude_nb.streaming.block import Block

PAGE_TIMEOUT = 10.0
"""Seconds within which a page has to report that it shows the buttons."""


class Confirmation:
    """Asks on the page about one call after another; the page answers on other threads.

    Args:
        show: Shows the buttons for a call on the page, or removes them for None.
    """

    def __init__(self, show: Callable[[Block | None], object]) -> None:
        self._show = show
        self._news = threading.Condition()
        self._call: str | None = None
        self._seen = False
        self._answer: bool | None = None
        self._withdrawn = False

    def ask(self, call: Block) -> bool | None:
        """Ask about a call, and wait for the answer; an interrupt ends the wait.

        Returns:
            The answer, False after ``withdraw``; None if no page reports that it can give one.
        """
        with self._news:
            if self._withdrawn:
                return False
            self._call, self._seen, self._answer = call.id, False, None
        self._show(call)
        try:
            with self._news:
                if not self._news.wait_for(lambda: self._seen or self._over, PAGE_TIMEOUT):
                    return None
                self._news.wait_for(lambda: self._over)
                return self._answer is True
        finally:
            with self._news:
                self._call = None
            self._show(None)

    @property
    def _over(self) -> bool:
        return self._withdrawn or self._answer is not None

    def withdraw(self) -> None:
        """Answer this and all later calls with False: the reply has ended."""
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
            if self._call is not None and content.get("call") == self._call:
                if op == "asked":
                    self._seen = True
                elif self._answer is None:
                    self._answer = content.get("allow") is True
                self._news.notify_all()
        return True


def by_input(call: Block) -> bool | None:
    """Ask by ``input``, in the cell or in the terminal, whether a call may run.

    Returns:
        The answer; None if nobody can be asked.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        answer = input(clean(redact(f"Run {labels.call(call)}? [y/N] ")))
    except (EOFError, NotImplementedError):  # no terminal, or a kernel without a front end
        return None
    return answer.strip().lower() in ("y", "yes")
