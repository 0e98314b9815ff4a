"""Asking the server again and again, as the policy says, while it is told what is waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from claude_nb.errors import ClaudeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from claude_nb.batches.job import Job
    from claude_nb.client.connection import Connection

A = TypeVar("A")
T = TypeVar("T")

FIRST_PAUSE = 1.0
"""Seconds before something is looked at a second time."""


async def ask(job: Job, what: Callable[[Connection, A], Awaitable[T]], about: A) -> T:
    """Ask the server for something.

    Args:
        job: Whose connection and policy it is done with.
        what: Asks once.
        about: What for.

    Raises:
        ClaudeError: Asking again would not help, or was done often enough.
    """
    doing, failures = job.doing, 0
    while True:
        try:
            answer = await what(job.connection, about)
        except ClaudeError as error:
            failures += 1
            await pause(job, error, failures, "asking again")
        else:
            job.doing = doing
            return answer


async def pause(job: Job, error: ClaudeError, failures: int, then: str) -> None:
    """Wait after a failure.

    Args:
        job: What it happened to, and where it is said.
        error: What happened.
        failures: How often, this time included.
        then: What is done after it, in words.

    Raises:
        ClaudeError: The error, where the policy gives up.
    """
    wait = job.policy.wait(error, failures)
    if wait is None:
        raise error
    job.doing = f"{error.label}, {then} in {wait:.0f} s"
    await asyncio.sleep(wait)
