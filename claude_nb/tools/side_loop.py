"""The side loop: one thread with an event loop, for asynchronous tools and for MCP servers."""

from __future__ import annotations

import asyncio
import threading

from claude_nb.client import fork
from claude_nb.client.engine import Engine
from claude_nb.errors import InputError

_loops: list[Engine] = []
_of_answers: list[Engine] = []
_lock = threading.Lock()


def _renew() -> None:
    global _lock  # noqa: PLW0603 - one that was held when the process was forked stays held
    fork.leave(*_loops, *_of_answers)
    _loops.clear()
    _of_answers.clear()
    _lock = threading.Lock()


fork.in_child(_renew)


def side_loop() -> Engine:
    """The loop: one for all, as what asynchronous functions share may belong to it."""
    with _lock:
        if not _loops:
            _loops.append(Engine("claude_nb tools"))
        return _loops[0]


def check_waiting(what: str) -> None:
    """Refuse to wait on the loop's own thread for what runs there: neither would ever end.

    Args:
        what: What is waited for.

    Raises:
        InputError: An asynchronous function waits.
    """
    if side_loop().is_current:
        raise InputError(
            f"An async tool function waits for {what}, which runs on the same thread.",
            "Await the answer instead: await claude_nb.ask_async(…)",
        )


_BLOCKED = 1.0
"""Seconds in which a loop that nothing blocks runs what it is given."""


async def answer_loop() -> Engine:
    """The loop of the functions that answer in chats.

    It is not the one of tools: a function that blocks it may wait for its own tools. As long as
    something blocks it, another takes its place.
    """
    tried = None
    while True:
        with _lock:
            if not _of_answers or _of_answers[-1] is tried:
                _of_answers.append(Engine("claude_nb respond"))
            tried = _of_answers[-1]
        try:
            await asyncio.wait_for(tried.run(asyncio.sleep(0)), _BLOCKED)
        except TimeoutError:
            continue
        return tried
