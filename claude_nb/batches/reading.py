"""The results of the parts that have ended, read to the end, each once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from claude_nb.batches import retrying
from claude_nb.batches.results import Spent, read
from claude_nb.client import batch_service
from claude_nb.errors import ClaudeError, DroppedError, InputError, RequestError

if TYPE_CHECKING:
    from claude_nb.batches.job import Job
    from claude_nb.batches.service_batch import Part


async def read_ended(job: Job) -> None:
    """Read the results of the parts that have ended.

    Raises:
        ClaudeError: They cannot be read, or none of them are kept any more.
    """
    ended = [p for p in job.submitted if p.status and p.status.ended and not p.read]
    gone = [part for part in ended if part.status and part.status.archived]
    if gone and len(gone) == len(job.submitted):
        raise RequestError(
            f"The results of {', '.join(part.id for part in gone)} are not kept any more.",
            f"The service keeps them for {batch_service.RESULTS_KEPT_DAYS} days.",
        )
    for part in gone:
        part.read = part.gone = True
        job.changes += 1
        job.notes.append(f"{part.id}: its results are not kept any more")
    for part in ended:
        if part.gone:
            continue
        await _read(job, part)
        if part.guess and all(job.outcomes.get(row) is None for row in part.rows):
            _give_back(part)
        part.read = True
        job.changes += 1
        job.doing = ""


def _give_back(part: Part) -> None:
    """Let go of a batch that was taken for a part, and is somebody else's.

    Raises:
        ClaudeError: Says so.
    """
    other, part.status, part.guess, part.doubtful = part.id, None, "", True
    part.before = {*(part.before or ()), other}
    raise ClaudeError(
        f"{other} is not this one: none of its results is for one of these rows.",
        "submit() looks for it again, and hands it in where it is not found.",
    )


async def _read(job: Job, part: Part) -> None:
    """Read all results of a part; what was read before the connection was lost is not lost."""
    seen: set[str] = set()
    part.spent.clear()  # an earlier reading was broken off
    expected = part.status.requests if part.status else 0
    failures = 0
    while True:
        before = len(seen)
        job.doing, job.done = "reading results", (before, expected)
        try:
            async for line in batch_service.results(job.connection, part.id):
                _take(job, part, line, seen)
                job.done = (len(seen), expected)
                if len(seen) % 50 == 0:
                    await asyncio.sleep(0)  # other streams run on this thread too
            if len(seen) >= expected or (failures and len(seen) == before):
                break  # all came, or the server has no more
            raise DroppedError("The results ended early.")
        except ClaudeError as error:
            failures = 1 if len(seen) > before else failures + 1
            await retrying.pause(job, error, failures, "reading on")
    part.lacking = max(0, expected - len(seen))
    if part.lacking:
        job.notes.append(f"{part.id}: {part.lacking:,} results could not be read")


def _take(job: Job, part: Part, line: bytes, seen: set[str]) -> None:
    """Take in a line of results, once; one that cannot be read is passed over.

    Raises:
        InputError: It shows that the rows known here are not those of this batch.
    """
    try:
        entry = json.loads(line)
        name, found = str(entry["custom_id"]), entry["result"]
        if part.guess and not job.matching.is_exact(name):
            seen.add(name)
            return
        row = job.matching.row(name, part)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    if name in seen:
        return
    seen.add(name)
    job.changes += 1
    result = read(row, None, found, job.output)
    if result.message is not None:
        part.spent[result.model] = part.spent.get(result.model, Spent()) + Spent.of(result)
    job.outcomes.put(row, result.outcome, line)
