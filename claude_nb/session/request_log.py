"""The requests of a session that were cached, to compare later ones with."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from claude_nb.request.cache_miss import CacheKey, CachePrediction, Earlier
from claude_nb.request.request import Request
from claude_nb.request.system import System, alike
from claude_nb.streaming.progress import Progress

REMEMBERED = 64
"""Requests that are kept for comparison."""


class RequestLog:
    """The newest requests of a session that were cached, for comparison.

    Attributes:
        clock: What tells the time, in seconds.
    """

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.time
        self._done: deque[Earlier] = deque(maxlen=REMEMBERED)
        self._running: list[tuple[CacheKey, Progress]] = []

    def expect(
        self, request: Request, server: object, progress: Progress
    ) -> CachePrediction | None:
        """What a request can find in the cache; it is remembered for those after it.

        Args:
            request: The request, which is about to be sent.
            server: Where to.
            progress: What its reply becomes.

        Returns:
            None for a request that is not cached.
        """
        sent = CacheKey.of(request, self.clock(), server)
        if sent is None:
            return None
        earlier = tuple(e for e in self._newest() if e.sent.server == server)
        self._running.append((sent, progress))
        return CachePrediction(sent, earlier)

    def uses(self, system: System) -> list[Earlier]:
        """The requests with this system prompt, or one like it, to the server asked last.

        The newest come first.
        """
        newest = self._newest()
        return [
            e
            for e in newest
            if e.sent.server == newest[0].sent.server and e.began and alike(e.sent.system, system)
        ]

    def _newest(self) -> list[Earlier]:
        """What there is to compare with, the newest first; no reply is kept once it has ended."""
        ended = [entry for entry in self._running if entry[1].ended is not None]
        self._done += (_earlier(*entry) for entry in ended if entry[1].accepted)
        running = [entry for entry in self._running if entry not in ended]
        self._running = running[-REMEMBERED:]
        known = [*self._done, *(_earlier(*entry) for entry in self._running)]
        known.sort(key=lambda e: e.sent.at)
        return known[::-1]


def _earlier(sent: CacheKey, progress: Progress) -> Earlier:
    first = progress.accepted
    if first is None:
        return Earlier(sent, None, began=False)
    read, written = first.usage.cache_read_tokens, first.usage.cache_write_tokens
    cached = None if read is None or written is None else read + written
    began = first.first_event is not None
    return Earlier(sent, cached, began=began, message_id=first.id)
