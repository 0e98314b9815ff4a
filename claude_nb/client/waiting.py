"""How a thread waits; the main thread may have to do something again and again meanwhile."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from claude_nb.client import fork

_PAUSE = 0.05
"""Seconds after which the main thread does it again: a click on Stop must not seem ignored."""

meanwhile: list[Callable[[], object]] = []
"""What the main thread does while it waits: with ipykernel 6 it handles messages of the page."""

fork.in_child(meanwhile.clear)  # its sockets are the parent's


def wait(until: Callable[[float | None], bool], timeout: float | None = None) -> bool:
    """Wait for something.

    Args:
        until: Waits for it, for at most so many seconds (None for as long as it takes), and returns
            whether it is there.
        timeout: Seconds, or None for as long as it takes.

    Returns:
        Whether it is there.
    """
    if not meanwhile or threading.current_thread() is not threading.main_thread():
        return until(timeout)
    end = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        for do in meanwhile:
            do()
        left = end - time.monotonic()
        if until(min(left, _PAUSE)):
            return True
        if left <= _PAUSE:
            return False
