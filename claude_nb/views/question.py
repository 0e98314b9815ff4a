"""A question that is put to the reader on the page: may this call run?"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.streaming.block import Block

PATIENCE = 10.0
"""Seconds in which a page from which an answer can come says that it shows the question."""


class Question:
    """Puts questions one after another; the answers come on other threads.

    Args:
        show: Shows the question about a call on the page, or takes it away for None.
    """

    def __init__(self, show: Callable[[Block | None], object]) -> None:
        self._show = show
        self._news = threading.Condition()
        self._call: str | None = None
        self._seen = False
        self._answer: bool | None = None
        self._withdrawn = False

    def put(self, call: Block) -> bool | None:
        """Ask, and wait for the answer; an interrupt ends it.

        Returns:
            The answer, False where the question is withdrawn; None if no page says that it can
            give one.
        """
        with self._news:
            if self._withdrawn:
                return False
            self._call, self._seen, self._answer = call.id, False, None
        self._show(call)
        try:
            with self._news:
                if not self._news.wait_for(lambda: self._seen or self._over, PATIENCE):
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
        """Nobody waits for the answer any more, nor for any other."""
        with self._news:
            self._withdrawn = True
            self._news.notify_all()

    def receive(self, content: dict[str, object]) -> bool:
        """Take in a message of the page, and say whether it was about questions.

        One about another call changes nothing, nor does a second answer: they come from a view in
        which the question still stands.
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
