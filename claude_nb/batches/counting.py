"""The input of a batch's rows, counted by the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from claude_nb.batches import retrying
from claude_nb.client import connection
from claude_nb.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claude_nb.batches.job import Job

_AT_ONCE = 8
"""How many counts are asked for at the same time."""


async def count_tokens(job: Job, rows: Sequence[int]) -> list[int]:
    """Count the input of rows, each by itself.

    Raises:
        ClaudeError: The server does not count it; the error names the row.
    """
    job.doing, job.done = "counting tokens", (0, len(rows))
    counted: list[int] = [0] * len(rows)
    waiting = iter(enumerate(rows))

    async def work() -> None:
        for place, row in waiting:
            try:
                counted[place] = await retrying.ask(
                    job, connection.count_tokens, job.requests.params(row)
                )
            except RequestError as error:
                error.what = f"Row {job.requests.labels[row]}: {error.what}"
                raise
            job.done = (job.done[0] + 1, len(rows))

    tasks = [asyncio.ensure_future(work()) for _ in range(min(_AT_ONCE, len(rows)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    job.doing = ""
    return counted


async def same_input(job: Job, row: int) -> bool:
    """Whether the input of a row that was answered would have the same length now.

    Raises:
        ClaudeError: The server does not count it.
    """
    (counted,) = await count_tokens(job, [row])
    return counted == job.result(row).usage.total_input_tokens
