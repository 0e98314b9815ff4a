"""The parts of a batch handed in, each once: it is paid for as often as it is taken.

Where no answer came, the account's list says whether a part was taken; where that cannot be told
either, the error says so, and nothing is handed in a second time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from claude_nb.batches import retrying
from claude_nb.client import batch_service
from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    InputError,
    OverloadedError,
    RequestError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_nb.batches.job import Job
    from claude_nb.batches.service_batch import Part
    from claude_nb.client.batch_service import Status

MAY_BE_TAKEN = (
    "It may have been taken: %claude_nb batches lists what this key has, and"
    " claude_nb.Batch.resume(id) goes on with it."
)

_NEWEST = 20
"""How many of the account's batches are listed."""

_LOOKS = 4
"""How often the list is looked at for a batch that may have been taken: it may come late. The
pause before each look is longer by ``FIRST_PAUSE``, so that is 6 s in all."""


async def submit(job: Job) -> None:
    """Hand in the parts that the service does not have yet.

    Raises:
        ClaudeError: One was not taken; those before it were.
    """
    for place, part in enumerate(job.parts, start=1):
        if part.status is not None:
            continue
        of = f" {place} of {len(job.parts)}" if len(job.parts) > 1 else ""
        job.doing = f"handing in{of}"
        await _hand_in(job, part)
        part.doubtful, part.since = False, time.monotonic()
        job.outcomes.forget(part.rows)  # what came for it before counts no more
        job.matching.changed -= set(part.rows)
        job.changes += 1
    job.doing = ""


async def _hand_in(job: Job, part: Part) -> None:
    """Hand a part in, once: where no answer came, look first whether it was taken."""
    doubt = ClaudeError("This batch was handed in, and no answer came.")
    if part.doubtful and await _is_found(job, part, doubt):
        return
    part.doubtful = False
    part.before = await _known(job)
    size = job.requests.length(part.rows)
    doing, failures = job.doing, 0

    def tell(sent: int) -> None:
        job.done = (sent, len(part.rows))

    while part.status is None:
        part.doubtful = True
        job.doing = doing
        try:
            body = job.requests.body(part.rows, tell)
            part.status = await batch_service.create(job.connection, body, size)
        except ClaudeError as error:
            if not _not_taken(error) and await _is_found(job, part, error):
                return
            part.doubtful = False
            failures += 1
            await retrying.pause(job, error, failures, "handing in again")


async def _known(job: Job) -> set[str] | None:
    """The ids of the account's newest batches; None where the server does not list them.

    Raises:
        ClaudeError: It would take no batch either.
    """
    try:
        return {status.id for status in await retrying.ask(job, batch_service.newest, _NEWEST)}
    except RequestError:
        return None
    except ClaudeError as error:
        if _not_taken(error):
            raise
        return None


async def _is_found(job: Job, part: Part, error: ClaudeError) -> bool:
    """Look whether a part was taken though no answer came.

    Raises:
        ClaudeError: ``error``, where that cannot be told.
    """
    new: list[Status] | None = None
    for look in range(_LOOKS if part.before is not None else 0):
        job.doing, job.done = "no answer came, looking whether it was taken", (0, 0)
        await asyncio.sleep(look * retrying.FIRST_PAUSE)
        try:
            new = _new(job, part, await batch_service.newest(job.connection, _NEWEST))
        except ClaudeError:
            new = None
        if new:
            break
    if new == []:
        return False
    if new is None or len(new) > 1:
        error.advice = MAY_BE_TAKEN
        raise error
    part.status = new[0]
    part.guess = f"no answer came when it was handed in; found as {part.id}"
    return True


def _new(job: Job, part: Part, listed: Iterable[Status]) -> list[Status]:
    """Those that may be a part that was handed in."""
    known = {other.id for other in job.parts} | (part.before or set())
    return [s for s in listed if s.id not in known and s.requests == len(part.rows)]


def _not_taken(error: ClaudeError) -> bool:
    """Whether it is certain that the server did not take what was sent to it."""
    if isinstance(error, InputError | CredentialsError | OverloadedError):
        return True
    if isinstance(error, UnreachableError):
        return not error.connected
    return error.status is not None and error.status < 500
