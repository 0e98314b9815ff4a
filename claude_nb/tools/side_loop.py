"""The side loop: one thread with an event loop, for asynchronous tools and for MCP servers."""

from __future__ import annotations

import threading

from claude_nb.client import fork
from claude_nb.client.engine import Engine

_loops: list[Engine] = []
_lock = threading.Lock()


def _renew() -> None:
    global _lock  # noqa: PLW0603 - one that was held when the process was forked stays held
    fork.leave(*_loops)
    _loops.clear()
    _lock = threading.Lock()


fork.in_child(_renew)


def side_loop() -> Engine:
    """The loop: one for all, as what asynchronous functions share may belong to it."""
    with _lock:
        if not _loops:
            _loops.append(Engine("claude_nb tools"))
        return _loops[0]
