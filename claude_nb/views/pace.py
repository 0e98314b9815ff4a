"""How often a view draws: the longer a frame takes, the longer the wait for the next one."""

from __future__ import annotations

import statistics
import time
from collections import deque

_CHARACTERS_PER_SECOND = 400_000
"""HTML that a browser lays out again without dropping frames (measured on two cores)."""


class Pace:
    """Decides when the next frame is due, so that drawing takes at most a tenth of the time.

    Args:
        shortest: Seconds between two frames that take no time.
        longest: Seconds between two frames at most.
    """

    def __init__(self, shortest: float = 1 / 30, longest: float = 0.4) -> None:
        self._shortest = shortest
        self._longest = longest
        self._costs: deque[float] = deque(maxlen=9)

    def pause(self, started: float, characters: int = 0) -> float:
        """Seconds until the next frame is due.

        Args:
            started: When drawing this frame began (``time.perf_counter()``).
            characters: HTML that the page may have to lay out again at the next frame.
        """
        self._costs.append(time.perf_counter() - started)
        cost = 10 * statistics.median(self._costs)
        wanted = max(self._shortest, characters / _CHARACTERS_PER_SECOND, cost)
        return min(self._longest, wanted)
