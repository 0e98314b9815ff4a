"""``batch`` and ``Batch``: prompts by the thousand, at half the price, for whoever can wait."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from claude_nb.asking import asking
from claude_nb.batches import request_options, resuming, submit, waiting
from claude_nb.batches.costs import Costs
from claude_nb.batches.counting import same_input
from claude_nb.batches.frame import frame
from claude_nb.batches.job import Job
from claude_nb.batches.requests import Requests
from claude_nb.batches.results import Result, Results
from claude_nb.batches.showing import Shown
from claude_nb.client.retry import Policy
from claude_nb.errors import ClaudeError, InputError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from claude_nb.batches.service_batch import Part
    from claude_nb.cost.usage import Usage

T = TypeVar("T")


def batch(
    prompts: Any,
    template: str | None = None,
    *,
    output: Any = None,
    client: Any = None,
    show: bool = True,
    dry_run: bool = False,
    max_cost: float | None = None,
    policy: Policy | None = None,
    **options: Any,
) -> Batch:
    """Hand in many prompts at once, for half the price; their replies come within 24 hours.

    Nothing streams, because nobody watches: the service answers when it has time, most batches
    within an hour. The batch goes on without this kernel; see ``Batch.resume``.

    Args:
        prompts: Texts or other values; a column or a table of pandas or polars; a list of dicts.
        template: The prompt, with ``{{name}}`` for the columns of a table, the keys of a dict or
            the name of a column, and ``{{prompt}}`` for values without a name.
        output: A JSON schema or a pydantic model that each reply has to fit: ``Result.value``.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        show: Whether to show how far it is.
        dry_run: Hand nothing in: count, and show what it would cost. ``Batch.submit`` hands it in.
        max_cost: The most that it may cost, in USD: all prompts are counted first, and
            ``max_tokens`` lowered if need be.
        policy: How patient to be with failures; by default ``Policy()``.
        **options: Fields of ``Request`` for all of them: ``model``, ``max_tokens``, ``system``,
            ``thinking``, ``effort``. A ``CachedSystem`` is kept for an hour.

    Returns:
        The batch, on its way: ``wait()``, then ``results`` and ``to_pandas()``. Rows that cannot
        be sent (an empty prompt, a missing value) are in it, and say so.

    Raises:
        InputError: None of it can be sent, or it would cost too much; nothing was sent.
        ClaudeError: The service did not take it.
    """
    job = _job(output, client, policy, options)
    job.requests.fill(prompts, template)
    made = Batch(job, max_cost=max_cost, show=show)
    if dry_run:
        made.estimate()
    else:
        made.submit()
    return made


class Batch:
    """Many prompts that were handed in at once, and what has become of them.

    ``batch`` makes one, and ``Batch.resume`` finds one again. It shows itself in a notebook.
    """

    def __init__(self, job: Job, *, max_cost: float | None = None, show: bool = True) -> None:
        self._job = job
        self._costs = Costs(job, max_cost)
        self._shown = Shown(job, show=show)

    # --- handing in -------------------------------------------------------------------------

    def estimate(self, *, every: bool = False) -> Batch:
        """Count what would be sent, and show what it could cost; nothing is handed in.

        Args:
            every: Count all rows; otherwise 100 that are spread over all sizes stand for the rest.

        Returns:
            This batch.

        Raises:
            ClaudeError: The server did not count it.
        """
        costs = self._costs
        self._run(costs.count(self._job.requests.sendable if every else costs.sample()))
        self._shown.plan = costs.expected()
        self._shown.settle()
        self._shown.leave()
        return self

    def submit(self) -> Batch:
        """Hand it in: all of it, or what is left of it after an error.

        Returns:
            This batch.

        Raises:
            InputError: It is handed in already, or would cost too much.
            ClaudeError: The service did not take it; what it took is in ``ids``.
        """
        job = self._job
        waiting = [part for part in job.parts if part.status is None]
        if job.parts and not waiting:
            raise InputError("This batch is handed in already.", "resubmit() hands in what failed.")
        rows = [row for part in waiting for row in part.rows] if waiting else job.requests.sendable
        self._shown.plan = None
        self._hand_in(rows, waiting)
        return self

    def _hand_in(
        self,
        rows: Sequence[int],
        parts: Sequence[Part],
        max_tokens: int | None = None,
        note: str = "",
    ) -> None:
        """Hand rows in, within the limits; if none of them is taken, all stays as it was.

        Args:
            rows: The rows.
            parts: What they are divided into; empty if they are not yet.
            max_tokens: Another number than before, or None.
            note: What is to be said about it.
        """
        job, costs, shown, kept = self._job, self._costs, self._shown, ExitStack()
        before, notes, known = job.requests.request.max_tokens, job.notes, job.parts
        job.notes = [*notes, note] if note else [*notes]
        try:
            if max_tokens is not None:
                job.requests.ask_for(max_tokens)
            costs.keep_to_limits(rows, lambda rows: self._run(costs.count(rows)), kept)
            parts = parts or job.requests.plan(rows)
            job.parts = [*known, *(part for part in parts if part not in known)]
            self._run(submit.submit(job))
        except BaseException:  # an interrupt too: what was not taken must not look as if it were
            if any(part.status or part.doubtful for part in parts):
                costs.keep(kept, for_rest=True)
                raise
            kept.close()
            job.parts, job.notes = known, notes
            job.requests.ask_for(before)
            shown.settle()
            raise
        costs.keep(kept, for_rest=False)
        shown.began = shown.waited = None
        job.earlier = None  # from now on it is known what it was handed in with
        shown.settle()

    # --- waiting ----------------------------------------------------------------------------

    @classmethod
    def resume(
        cls,
        *ids: str,
        prompts: Any = None,
        template: str | None = None,
        output: Any = None,
        client: Any = None,
        show: bool = True,
        policy: Policy | None = None,
        **options: Any,
    ) -> Batch:
        """Go on with a batch that was handed in earlier, by this kernel or another.

        Args:
            *ids: The service's ids of it (``msgbatch_…``); none: those that this notebook's saved
                outputs hold, the last batch in it.
            prompts: What was passed to ``batch``, if the table's index is wanted back, or rows are
                to be handed in again. A row that has changed since is named.
            template: As for ``batch``, as are the others.
            output: What the replies are to fit.
            client: Your own ``anthropic.AsyncAnthropic``.
            show: Whether to show it.
            policy: How patient to be with failures.
            **options: Fields of ``Request``, for rows that are handed in again. Those that the
                notebook's saved outputs hold of it need not be passed.

        Returns:
            The batch; if it has ended, with its results.

        Raises:
            InputError: There is no such batch in the notebook.
            ClaudeError: The service does not know it, or did not answer.
        """
        ids, saved = resuming.found(ids)
        given = {*options, *(() if output is None else ("output",))}
        options = {**((saved and request_options.restored(saved)) or {}), **options}
        job = _job(output, client, policy, options)
        job.earlier = request_options.Earlier(given, saved)
        if prompts is not None:
            job.requests.fill(prompts, template)
        made = cls(job, show=show)
        made._run(waiting.resume(job, ids))
        made._shown.settle()
        return made

    def wait(self) -> Batch:
        """Wait until it has ended, and read the results.

        An interrupt ends the waiting, and not the batch.

        Returns:
            This batch.

        Raises:
            InputError: It is not handed in.
            StoppedError: The waiting was interrupted.
            ClaudeError: The service does not know it any more, or its results cannot be read.
        """
        self._check_submitted()
        shown = self._shown
        shown.began = shown.began or time.monotonic()
        self._run(waiting.wait(self._job))
        shown.waited = time.monotonic() - shown.began
        shown.settle()
        return self

    def refresh(self) -> Batch:
        """Look once how far it is, and read what has ended; no waiting.

        Returns:
            This batch.

        Raises:
            ClaudeError: The service did not answer.
        """
        self._check_submitted()
        self._run(waiting.refresh(self._job))
        self._shown.settle()
        return self

    def cancel(self) -> Batch:
        """Ask the service to stop it; what is done by then can be read, and is paid for.

        Returns:
            This batch; ``wait()`` waits until it has stopped.

        Raises:
            ClaudeError: The service did not answer.
        """
        self._check_submitted()
        self._run(waiting.cancel(self._job))
        self._shown.settle()
        return self

    def resubmit(self, *, max_tokens: int | None = None) -> Batch:
        """Hand in again what failed: errored, cancelled, expired, missing, and not as ``output``.

        What was refused is left out: it would be refused again.

        Args:
            max_tokens: A larger number than before; then what was cut off is handed in again too.

        Returns:
            This batch, in which the new results take the place of the failures.

        Raises:
            InputError: Nothing can be handed in again, or it is not known what it was handed in
                with; the error says why, and what to pass to ``Batch.resume``.
        """
        self._check_submitted()
        job = self._job
        if len(job.submitted) < len(job.parts):
            raise InputError("Part of it is not handed in.", "submit() hands in the rest.")
        if not job.ended:
            raise InputError("It has not ended yet.", "wait() waits for that.")
        rows = job.again(truncated=max_tokens is not None)
        note = resuming.as_before(job, max_tokens, lambda row: self._run(same_input(job, row)))
        self._costs.counted = []
        self._hand_in(rows, (), max_tokens, note)
        return self

    def _check_submitted(self) -> None:
        if not self._job.submitted:
            raise InputError("This batch is not handed in.", "submit() hands it in.")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the engine's thread, show how far it is, and write down its costs."""
        try:
            return self._shown.run(work)
        except ClaudeError as error:
            error.reply = self
            raise
        finally:
            self._costs.charge()

    # --- what it has become -----------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """The service's ids of it, for ``Batch.resume``."""
        return self._job.ids

    @property
    def state(self) -> str:
        """``not handed in``, ``in progress``, ``canceling`` or ``ended``.

        ``partly handed in`` after an error, ``perhaps handed in`` where no answer came.
        """
        return self._job.state

    @property
    def done(self) -> bool:
        """Whether it has ended and all results were read."""
        return self._job.ended

    @property
    def simulated(self) -> bool:
        """Whether the simulator has it."""
        return self._job.simulated

    @property
    def results(self) -> Results:
        """What has become of each row, in order; each is read from disk when it is looked at."""
        return Results(self._job.requests.count, self._job.result)

    @property
    def failed(self) -> list[Result]:
        """The rows that are not complete, each with its reason; not those that are processed."""
        return [self._job.result(row) for row in self._job.failed()]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have become what."""
        return self._job.counts()

    @property
    def usage(self) -> Usage:
        """The tokens of all replies that were read."""
        return self._job.total.usage

    @property
    def cost(self) -> float | None:
        """What they cost in USD at batch prices, or None where that is not known."""
        return self._job.total.cost

    def to_pandas(self) -> Any:
        """The results as a ``pandas.DataFrame``, a row each, with the index that came in.

        Returns:
            The frame: the reply's ``text``, or with ``output`` a column for each of its fields;
            then ``outcome``, ``error``, ``stop_reason``, ``input_tokens``, ``output_tokens`` and
            ``cost_usd``. A field that is called like one of these has ``answer_`` before its name.
            What is not known is missing.

        Raises:
            InputError: pandas is not installed.
        """
        return frame(self._job)

    def __len__(self) -> int:
        return self._job.requests.count

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        if self._shown.is_above:
            return {"text/plain": repr(self)}, {}
        return self._shown.mimebundle()

    def __repr__(self) -> str:
        return f"<Batch of {len(self):,} · {self.state} · {', '.join(self.ids) or 'no id'}>"


def _job(output: Any, client: Any, policy: Policy | None, options: dict[str, Any]) -> Job:
    requests = Requests(request_options.request(options, output))
    return Job(asking.session.connection(client), requests, output, policy or Policy())
