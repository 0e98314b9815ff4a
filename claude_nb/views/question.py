"""A question that is put to the reader on the page: may this call run?"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.blocks import Block

PATIENCE = 10.0
"""Seconds in which a page from which an answer can come says that it shows the question."""


class Question:
    """Puts questions one after another; the answers come on other threads.

    Args:
        show: Shows the question about a call on the page, or takes it away for None.
    """

    def __init__(self, show: Callable[[Block | None], object]) -> None:
        self._show = show
        self._seen, self._answered = threading.Event(), threading.Event()
        self._allowed = False

    def put(self, call: Block) -> bool | None:
        """Ask, and wait for the answer; an interrupt ends it.

        Returns:
            The answer; None if no page says that it can give one.
        """
        self._seen.clear()
        self._answered.clear()
        self._show(call)
        try:
            if not self._seen.wait(PATIENCE):
                return None
            self._answered.wait()
            return self._allowed
        finally:
            self._show(None)

    def withdraw(self) -> None:
        """Nobody waits for the answer any more."""
        self._allowed = False
        self._answered.set()
        self._seen.set()

    def receive(self, content: dict[str, object]) -> bool:
        """Take in a message of the page, and say whether it was about this."""
        if content.get("op") == "asked":
            self._seen.set()
        elif content.get("op") == "confirm":
            self._allowed = content.get("allow") is True
            self._answered.set()
        else:
            return False
        return True
