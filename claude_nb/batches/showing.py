"""A batch as it is shown while something is done with it, and as it stays and is saved."""

from __future__ import annotations

import asyncio
import time
from concurrent import futures
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from claude_nb.batches import request_options
from claude_nb.batches import rows as rows_of
from claude_nb.batches.results import Result, RowOutcome, Spent
from claude_nb.batches.submit import MAY_BE_TAKEN
from claude_nb.client.engine import engine
from claude_nb.cost.models import as_of
from claude_nb.errors import ClaudeError, StoppedError, redact
from claude_nb.render import batch as pictures
from claude_nb.render.saved_output import RECORD_VERSION
from claude_nb.request.place import execution, is_result
from claude_nb.request.system import System
from claude_nb.streaming.progress import Outcome
from claude_nb.views.batches import BatchView
from claude_nb.views.painter import interrupts

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from claude_nb.batches.job import Job
    from claude_nb.render.table import Table

T = TypeVar("T")

_FRAME = 0.5
"""Seconds between two looks at what there is to draw."""

_LISTED = 20
"""Rows that are listed at most with the reason why they are not complete."""

_UNREAD = "ended, not read yet"

_UNSHOWN = (RowOutcome.COMPLETE, RowOutcome.PROCESSING)


class Shown:
    """A batch on the page, in each cell that deals with it.

    Args:
        job: The batch.
        show: Whether it shows itself.

    Attributes:
        plan: What it would take, before it is handed in; None after.
        error: What ended the last thing that was done with it, or None.
        began: When the waiting for it began (``time.monotonic()``), or None.
        waited: Seconds that were waited until it had ended, or None.
    """

    def __init__(self, job: Job, *, show: bool) -> None:
        self.plan: Table | None = None
        self.error: ClaudeError | None = None
        self.began: float | None = None
        self.waited: float | None = None
        self._job = job
        self._view = BatchView() if show else None
        self._listing: tuple[int, list[Result]] | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the engine's thread, and show how far it is in the cell that runs now.

        Args:
            work: What it raises is raised here.

        Raises:
            StoppedError: It was interrupted.
        """
        self.error = None
        future = asyncio.run_coroutine_threadsafe(work, engine().loop)
        if self._view:
            self._view.begin()
        try:
            with interrupts(partial(_cancel, future)):
                while not futures.wait([future], _FRAME).done:
                    if self._view:
                        self._view.draw(self.picture(), record(self._job))
            return self._outcome(future)
        except BaseException as error:  # an interrupt too: nobody waits for it any more
            future.cancel()
            self._job.doing = ""
            if isinstance(error, ClaudeError):
                self.error = error
            self.settle()
            raise

    def _outcome(self, future: futures.Future[T]) -> T:
        if future.cancelled():
            on = "The batch goes on; wait() waits again." if self._job.submitted else ""
            raise StoppedError("Stopped.", MAY_BE_TAKEN if self._job.doubtful else on)
        return future.result()

    def settle(self) -> None:
        """Draw it as it stays."""
        if self._view:
            self._view.settle(self.picture(), record(self._job))

    def leave(self) -> None:
        """Let what is shown stay as it is, whatever becomes of the batch."""
        if self._view:
            self._view.leave()

    @property
    def is_above(self) -> bool:
        """Whether all of it stands above already, where the cell's result would show it."""
        return bool(self._view and self._view.shown_in == execution() and is_result())

    def mimebundle(self) -> tuple[dict[str, str], dict[str, Any]]:
        """It as an output of a notebook: the data, and the metadata."""
        return pictures.mimebundle(self.picture()), record(self._job)

    def picture(self) -> pictures.Picture:
        """What is shown of it at the moment."""
        job = self._job
        counts = job.counts() if job.submitted or job.requests.problems else {}
        failed = self._listed() if counts and not job.doing else []
        unlisted = sum(n for name, n in counts.items() if name not in _UNSHOWN) - len(failed)
        spent = job.spent().items() if job.ended else ()
        elapsed = self.waited
        if elapsed is None and self.began is not None:
            elapsed = time.monotonic() - self.began
        return pictures.Picture(
            model=", ".join(name for name, _ in spent) if spent else job.model,
            simulated=job.simulated,
            total=job.requests.count,
            state=job.doing or (job.state if job.ended or job.state != "ended" else _UNREAD),
            mood=self._mood(),
            elapsed=elapsed,
            done=job.done if job.doing else (0, 0),
            counts=counts,
            spent=tuple(pictures.Spending(m, s.usage, s.cost, s.full) for m, s in spent),
            failed=tuple((f"{r.label} · {r.outcome}", r.error) for r in failed),
            more=max(0, unlisted) if failed else 0,
            lines=tuple(self._lines()),
            plan=self.plan,
        )

    def _listed(self) -> list[Result]:
        """The failures that are listed: found again only when something may have changed."""
        if self._listing is None or self._listing[0] != self._job.changes:
            rows = self._job.failed(_LISTED)
            self._listing = self._job.changes, [self._job.result(row) for row in rows]
        return self._listing[1]

    def _mood(self) -> Outcome:
        job = self._job
        if self.error is not None and not isinstance(self.error, StoppedError):
            return Outcome.FAILED
        if not job.ended:
            return Outcome.STREAMING if job.submitted else Outcome.STOPPED
        complete = job.counts().get(RowOutcome.COMPLETE, 0)
        return Outcome.COMPLETE if complete == job.requests.count else Outcome.TRUNCATED

    def _lines(self) -> Iterable[str]:
        job = self._job
        yield from job.notes
        yield from (part.guess for part in job.parts if part.guess)
        if isinstance(system := job.requests.request.system, System):
            kept = system.ttl.replace("h", " hour")
            yield f"the system prompt is kept for {kept}, as a batch needs it"
        if changed := job.matching.changed:
            labels = (job.requests.labels[row] for row in sorted(changed))
            shown = rows_of.named(labels, len(changed))
            yield f"changed since it was handed in, so the results are for what it was: {shown}"
        if self.error is not None:
            yield str(self.error)
        elif job.doubtful and not job.doing:
            yield MAY_BE_TAKEN
        if job.state == "partly handed in" and not job.doing:
            yield "submit() hands in the rest"
        if job.ids and not job.ended:
            known = ", ".join(f'"{batch_id}"' for batch_id in job.ids)
            on = "wait() reads it" if job.state == "ended" else "goes on without this kernel"
            yield f"{on}: claude_nb.Batch.resume({known}) finds it again"
        elif job.ids:
            yield ", ".join(job.ids)


def _cancel(future: futures.Future[Any]) -> None:
    future.cancel()


def record(job: Job) -> dict[str, Any]:
    """An output's metadata: what resuming a batch needs, and what it cost; never a key."""
    saved: dict[str, Any] = {
        "version": RECORD_VERSION,
        "model": redact(job.model) or None,
        "simulated": job.simulated,
        "outcome": job.state,
        "batch": {"ids": job.ids, "rows": job.requests.count, "counts": job.counts()},
    }
    if job.earlier is None:
        saved["batch"]["options"] = request_options.saved(job.requests.request, job.requests.common)
    elif job.earlier.saved is not None:
        saved["batch"]["options"] = job.earlier.saved
    read = [part for part in job.parts if part.read and not part.gone]
    saved["batch"]["spent"] = {part.id: _figures(part.total) for part in read}
    if job.ended:
        saved |= {**_figures(job.total), "price_list_date": as_of()}
    return {"claude_nb": saved}


def _figures(spent: Spent) -> dict[str, Any]:
    """What was spent, as it is saved."""
    return {"requests": spent.replies, "usage": asdict(spent.usage), "cost_usd": spent.cost}
