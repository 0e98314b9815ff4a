"""How far a batch is: looked at, waited for, cancelled, resumed by its ids."""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from claude_nb.batches import retrying
from claude_nb.batches.reading import read_ended
from claude_nb.batches.service_batch import Part
from claude_nb.client import batch_service
from claude_nb.errors import ClaudeError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from claude_nb.batches.job import Job
    from claude_nb.client.batch_service import Status

_LONGEST_PAUSE = 60.0
"""Seconds between two looks at a batch: the longer it takes, the less often."""

_PATIENCE = 20
"""A batch is looked at this many times in the time that it has taken so far, roughly."""


async def resume(job: Job, ids: Iterable[str]) -> None:
    """Go on with batches that the service has.

    Args:
        job: What they belong to.
        ids: Theirs, the oldest first.

    Raises:
        ClaudeError: The service does not know one, or did not answer.
    """
    found = await _statuses(job, list(dict.fromkeys(ids)))
    job.parts += [Part(status=status) for status in found]
    if not job.requests.count and len(found) == 1:
        job.requests.count = found[0].requests
        job.requests.labels = range(job.requests.count)
    await read_ended(job)


async def refresh(job: Job) -> None:
    """Look once at what has not ended, and read what has.

    Raises:
        ClaudeError: The server did not answer, or does not know it.
    """
    waiting = [part for part in job.submitted if part.status and not part.status.ended]
    found = await _statuses(job, [part.id for part in waiting])
    for part, status in zip(waiting, found, strict=True):
        part.status = status
    await read_ended(job)


async def _statuses(job: Job, ids: Sequence[str]) -> list[Status]:
    """Ask how far batches are; one that was deleted has ended, and its results are gone.

    Raises:
        ClaudeError: The server did not answer, or does not know any of them.
    """
    found: list[Status] = []
    lost: list[RequestError] = []
    for batch_id in ids:
        try:
            found.append(await retrying.ask(job, batch_service.retrieve, batch_id))
        except RequestError as error:
            if error.status != 404:
                raise
            lost.append(error)
            found.append(batch_service.deleted(batch_id))
    if lost and len(lost) == len(ids):
        raise lost[0]
    return found


async def wait(job: Job) -> None:
    """Look at it, the longer it takes the less often, until all has ended and was read.

    What passes (no network, an overloaded server) is waited out, however long it takes.

    Raises:
        ClaudeError: Waiting would not help.
    """
    failures = 0
    while True:
        job.doing = ""
        try:
            await refresh(job)
            failures = 0
        except ClaudeError as error:
            failures += 1
            patient = replace(job.policy, tries=failures + 1, max_wait=math.inf)
            pause = patient.wait(error, failures)
            if pause is None:
                raise
            pause = max(pause, retrying.FIRST_PAUSE)
            job.doing = f"{error.label}, looking again in {pause:.0f} s"
            await asyncio.sleep(pause)
            continue
        if all(part.read for part in job.submitted):
            return
        waited = time.monotonic() - min(p.since for p in job.submitted if not p.read)
        pause = min(_LONGEST_PAUSE, max(retrying.FIRST_PAUSE, waited / _PATIENCE))
        await asyncio.sleep(pause * random.uniform(0.9, 1.1))  # noqa: S311


async def cancel(job: Job) -> None:
    """Ask for what has not ended to be stopped.

    Raises:
        ClaudeError: The server did not answer.
    """
    for part in job.submitted:
        if part.status is None or part.status.ended:
            continue
        try:
            part.status = await retrying.ask(job, batch_service.cancel, part.id)
        except RequestError:
            part.status = await retrying.ask(job, batch_service.retrieve, part.id)
            if not part.status.ended:  # or it was too late to cancel it
                raise
