"""What a forked process has to make anew: threads, locks and sockets belong to its parent."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_parents: list[Any] = []
"""What is kept in a child although nothing uses it there: closing it would reach the parent's
connections, and its event loop's queue, which the two processes share."""


def leave(*things: Any) -> None:
    """Keep what belongs to the parent, so that it is never closed here."""
    _parents.extend(things)


def in_child(renew: Callable[[], object]) -> None:
    """Call ``renew`` in each process that this one forks, as ``multiprocessing`` does."""
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=renew)
