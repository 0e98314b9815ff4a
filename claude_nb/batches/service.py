"""Submits a batch to the service, waits until it has ended, and reads the results.

Everything here runs on the engine's thread. Failures that pass are retried as the policy says, with
one exception: a batch is not submitted again if the service did not answer, because it may have
taken the batch, and would charge for a second one.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from claude_nb.asking import asking
from claude_nb.batches.rows import LASTING, Requests
from claude_nb.batches.state import BatchState, ServiceBatch
from claude_nb.client import batch_service, file_service
from claude_nb.client.batch_service import Status
from claude_nb.client.connection import Connection
from claude_nb.client.output import Output
from claude_nb.client.retry import Policy
from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    DroppedError,
    InputError,
    OverloadedError,
    RequestError,
    UnreachableError,
)
from claude_nb.render.labels import counted
from claude_nb.request import uploads

A = TypeVar("A")
T = TypeVar("T")

FIRST_PAUSE = 1.0
"""Seconds before a batch is looked at a second time."""

_LONGEST_PAUSE = 60.0
"""Seconds between two looks at a batch: the longer it takes, the less often."""

_LOOKS = 20
"""A batch is looked at this many times in the time that it has taken so far, roughly."""

_AT_ONCE = 8
"""How many counts are asked for at the same time."""


class Service:
    """Submits a batch, waits for it and reads its results.

    Args:
        requests: What is sent for the rows of the batch.
        output: The form of the replies, or None for any text.
        connection: Where the service is.
        policy: How to retry after failures.

    Attributes:
        state: What is known of the batch.
    """

    def __init__(
        self, requests: Requests, output: Output | None, connection: Connection, policy: Policy
    ) -> None:
        self.state = BatchState(requests, output, simulated=connection.simulated)
        self._connection = connection
        self._policy = policy
        self._counted: dict[int, int] = {}  # the input tokens of rows

    @property
    def connection(self) -> Connection:
        """Where the service is; while recordings are replayed, nothing is sent to it."""
        return asking.session.connection() if asking.session.library else self._connection

    # --- submitting -------------------------------------------------------------------------

    async def upload(self, rows: Sequence[int]) -> None:
        """Upload the files of rows, each once, unless the server has them for long enough.

        Raises:
            ClaudeError: The server did not take one, or did not answer.
        """
        state, requests = self.state, self.state.requests

        def progress(doing: str) -> None:
            state.doing = doing

        async def upload(connection: Connection, source: dict[str, Any]) -> Any:
            return await file_service.upload(connection, source, lasting=LASTING, progress=progress)

        for source in await asyncio.to_thread(requests.upload_sources, rows):
            file = await self._ask(upload, source)
            requests.file_ids[source["sha256"]] = file.id
            note = f"{source['name']}: {uploads.described(source['seconds'])}"
            if note not in state.notes:
                state.notes = [*state.notes, note]

    async def submit(self) -> None:
        """Submit what the service does not have yet, each batch once.

        Raises:
            ClaudeError: The service did not take one, or did not answer; it has those before it.
        """
        state = self.state
        for number, batch in enumerate(state.batches, start=1):
            of = f" {number} of {len(state.batches)}" if len(state.batches) > 1 else ""
            state.doing, failures = f"submitting{of}", 0
            while batch.status is None:
                length = await asyncio.to_thread(state.requests.length, batch.rows)
                body = state.requests.body(batch.rows, state.progress)
                batch.unanswered = True
                try:
                    headers = state.requests.headers
                    status = await batch_service.create(self.connection, body, length, headers)
                    state.taken(batch, status)
                except ClaudeError as error:
                    if not _is_not_taken(error):
                        error.advice = state.doubt
                        raise
                    batch.unanswered, failures = False, failures + 1
                    await self._pause(error, failures, "submitting again")
        # From now on it is known what it was submitted with.
        state.began = state.waited = state.resumed = None
        state.doing = ""

    # --- waiting ----------------------------------------------------------------------------

    async def resume(self, ids: Iterable[str]) -> None:
        """Go on with batches that the service has.

        Args:
            ids: Theirs, the oldest first.

        Raises:
            ClaudeError: The service does not know one, or did not answer.
        """
        requests = self.state.requests
        found = await self._statuses(list(dict.fromkeys(ids)))
        self.state.batches += [ServiceBatch(status=status) for status in found]
        if not requests.count and len(found) == 1:
            requests.count = found[0].requests
            requests.labels = range(requests.count)
        await self._read_ended()

    async def refresh(self) -> None:
        """Look once at what has not ended, and read what has.

        Raises:
            ClaudeError: The server did not answer, or does not know it.
        """
        waiting = [batch for batch in self.state.submitted if not batch.ended]
        found = await self._statuses([batch.id for batch in waiting])
        for batch, status in zip(waiting, found, strict=True):
            batch.status = status
        await self._read_ended()

    async def _statuses(self, ids: Sequence[str]) -> list[Status]:
        """Ask how far batches are; one that was deleted has ended, and its results are gone.

        Raises:
            ClaudeError: The server did not answer, or does not know any of them.
        """
        found: list[Status] = []
        lost: list[RequestError] = []
        for batch_id in ids:
            try:
                found.append(await self._ask(batch_service.retrieve, batch_id))
            except RequestError as error:
                if error.status != 404:
                    raise
                lost.append(error)
                found.append(batch_service.deleted(batch_id))
        if lost and len(lost) == len(ids):
            raise lost[0]
        return found

    async def wait(self) -> None:
        """Look at it, the longer it takes the less often, until all has ended and was read.

        What passes (no network, an overloaded server) is waited out, however long it takes.

        Raises:
            ClaudeError: Waiting would not help.
        """
        state, failures = self.state, 0
        state.began = state.began or time.monotonic()
        while True:
            state.doing = ""
            try:
                await self.refresh()
            except ClaudeError as error:
                failures += 1
                patient = replace(self._policy, tries=failures + 1, max_wait=math.inf)
                pause = patient.wait(error, failures)
                if pause is None:
                    raise
                pause = max(pause, FIRST_PAUSE)
                state.doing = f"{error.label}, checking again in {pause:.0f} s"
            else:
                waiting = [batch.since for batch in state.submitted if not batch.read]
                if not waiting:
                    state.waited = time.monotonic() - state.began
                    return
                failures, waited = 0, time.monotonic() - min(waiting)
                pause = min(_LONGEST_PAUSE, max(FIRST_PAUSE, waited / _LOOKS))
                pause *= random.uniform(0.9, 1.1)  # noqa: S311
            await asyncio.sleep(pause)

    async def cancel(self) -> None:
        """Ask for what has not ended to be stopped.

        Raises:
            ClaudeError: The server did not answer.
        """
        for batch in self.state.submitted:
            if batch.ended:
                continue
            try:
                batch.status = await self._ask(batch_service.cancel, batch.id)
            except RequestError:
                batch.status = await self._ask(batch_service.retrieve, batch.id)
                if not batch.ended:  # or it was too late to cancel it
                    raise

    # --- reading ----------------------------------------------------------------------------

    async def _read_ended(self) -> None:
        """Read the results of the batches that have ended.

        Raises:
            ClaudeError: They cannot be read, or none of them are kept any more.
        """
        state = self.state
        ended = [batch for batch in state.submitted if batch.ended and not batch.read]
        gone = [batch for batch in ended if batch.gone]
        if gone and len(gone) == len(state.submitted):
            raise RequestError(
                f"The results of {', '.join(batch.id for batch in gone)} have been deleted.",
                f"The service deletes results after {batch_service.RESULTS_KEPT_DAYS} days.",
            )
        for batch in ended:
            if batch.gone:
                state.finished(batch, "its results have been deleted")
            else:
                await self._read(batch)
        state.doing = ""

    async def _read(self, batch: ServiceBatch) -> None:
        """Read all results of a batch; what was read before the connection was lost is not lost."""
        state = self.state
        seen: set[str] = set()
        batch.spent.clear()  # an earlier reading was broken off
        expected, failures = batch.status.requests if batch.status else 0, 0
        while True:
            before = len(seen)
            state.doing, state.done = "reading results", (before, expected)
            try:
                async for line in batch_service.results(self.connection, batch.id):
                    state.take(batch, line, seen)
                    state.done = (len(seen), expected)
                    if len(seen) % 50 == 0:
                        await asyncio.sleep(0)  # other streams run on this thread too
                if len(seen) >= expected or (failures and len(seen) == before):
                    break  # all came, or the server has no more
                raise DroppedError("The results ended early.")
            except ClaudeError as error:
                failures = 1 if len(seen) > before else failures + 1
                await self._pause(error, failures, "reading on")
        batch.lacking = max(0, expected - len(seen))
        lacking = counted(batch.lacking, "unreadable result")
        state.finished(batch, lacking if batch.lacking else "")

    # --- counting ---------------------------------------------------------------------------

    async def count(self, rows: Sequence[int]) -> list[int]:
        """Have the input tokens of rows counted, each by itself and once.

        Raises:
            ClaudeError: The server does not count it; the error names the row.
        """
        state, counted = self.state, self._counted
        state.doing, state.done = "counting tokens", (0, len(rows))
        waiting = iter([row for row in rows if row not in counted])

        async def ask(connection: Connection, row: int) -> int:
            sources = state.requests.upload_sources([row])
            params = partial(state.requests.params, row)
            return await file_service.count_params(connection, params, sources)

        async def work() -> None:
            for row in waiting:
                try:
                    counted[row] = await self._ask(ask, row)
                except RequestError as error:
                    error.what = f"Row {state.requests.labels[row]}: {error.what}"
                    raise
                state.progress(state.done[0] + 1, len(rows))

        tasks = [asyncio.ensure_future(work()) for _ in range(_AT_ONCE)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        state.doing = ""
        return [counted[row] for row in rows]

    # --- retrying ---------------------------------------------------------------------------

    async def _ask(self, what: Callable[[Connection, A], Awaitable[T]], about: A) -> T:
        """Ask the server for something.

        Args:
            what: Asks once.
            about: What for.

        Raises:
            ClaudeError: Asking again would not help, or was done often enough.
        """
        failures = 0
        while True:
            try:
                return await what(self.connection, about)
            except ClaudeError as error:
                failures += 1
                await self._pause(error, failures, "asking again")

    async def _pause(self, error: ClaudeError, failures: int, then: str) -> None:
        """Wait after a failure.

        Args:
            error: What happened.
            failures: How often, this time included.
            then: What is done after it, in words.

        Raises:
            ClaudeError: The error, where the policy gives up.
        """
        wait = self._policy.wait(error, failures)
        if wait is None:
            raise error
        doing, self.state.doing = self.state.doing, f"{error.label}, {then} in {wait:.0f} s"
        await asyncio.sleep(wait)
        self.state.doing = doing


def _is_not_taken(error: ClaudeError) -> bool:
    """Whether it is certain that the server did not take what was sent to it."""
    if isinstance(error, UnreachableError):
        return not error.connected
    certain = isinstance(error, InputError | CredentialsError | OverloadedError)
    return certain or (error.status is not None and error.status < 500)
