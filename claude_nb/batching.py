"""``batch`` and ``Batch``: prompts by the thousand, at half the price, for whoever can wait."""

from __future__ import annotations

import asyncio
import math
import time
from concurrent import futures
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from claude_nb import batch_api, notebook, run
from claude_nb.api import Connection
from claude_nb.batches import asked, counting, handing_in, waiting
from claude_nb.batches import rows as rows_of
from claude_nb.batches.handing_in import MAY_BE_TAKEN
from claude_nb.batches.job import Job
from claude_nb.batches.requests import Requests
from claude_nb.batches.results import Result, Results, RowOutcome, Spent
from claude_nb.budget import MIN_OUTPUT, Budget, Estimate, estimate
from claude_nb.caching import System
from claude_nb.engine import call, engine
from claude_nb.errors import ClaudeError, InputError, StoppedError, redact
from claude_nb.models import as_of, facts
from claude_nb.progress import Outcome
from claude_nb.prompt import Request
from claude_nb.render import batch as pictures
from claude_nb.render import words
from claude_nb.render.settled import RECORD_VERSION
from claude_nb.render.table import Table
from claude_nb.reply import execution, is_result
from claude_nb.retry import Policy
from claude_nb.usage import MILLION, Usage
from claude_nb.views import interrupts
from claude_nb.views.batches import BatchView

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from claude_nb.batches.part import Part

T = TypeVar("T")

SAMPLE = 100
"""Rows that are counted where an estimate is enough; they are spread over all sizes."""

_FRAME = 0.5
"""Seconds between two looks at what there is to draw."""

_LISTED = 20
"""Rows that are listed at most with the reason why they are not complete."""

_TTL = "1h"
"""How long a cached system prompt is kept for a batch, which takes longer than five minutes."""

_UNREAD = "ended, not read yet"

_UNSHOWN = (RowOutcome.COMPLETE, RowOutcome.PROCESSING)


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
        self._requests = job.requests
        self._max_cost = max_cost
        self._show = show
        self._view = BatchView()
        self._began: float | None = None
        self._waited: float | None = None
        self._plan: Table | None = None
        self._counted: list[Estimate] = []
        self._error: ClaudeError | None = None
        self._limits = ExitStack()
        self._kept_by: Budget | None = None  # the budget that keeps what left-over parts can cost
        self._charged: set[str] = set()
        self._listing: tuple[int, list[Result]] | None = None
        self._given: set[str] | None = None  # of a batch that was resumed: the options passed then
        self._saved: dict[str, Any] | None = None  # and what the notebook has of it

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
        rows = self._requests.sendable
        self._count(rows if every or len(rows) <= SAMPLE else _spread(rows, self._requests.size))
        self._plan = self._expected(len(rows))
        self._settle()
        self._view.leave()
        return self

    def _count(self, rows: Sequence[int]) -> None:
        self._run(self._counting(rows))

    async def _counting(self, rows: Sequence[int]) -> None:
        counted = await counting.count_tokens(self._job, rows)
        self._counted = [estimate(self._requests.request, tokens) for tokens in counted]

    def _expected(self, count: int) -> Table:
        """What it would take, as a table."""
        counted, tokens = self._counted, sum(each.input_tokens for each in self._counted)
        share = count / len(counted)
        off = _off(self._requests.request.model)
        low, high = _sum(each.low for each in counted), _sum(each.high for each in counted)
        full = None if high is None else high * share
        heads = ("rows", "input", "output at most", "cost at least", "cost at most", "one by one")
        row: tuple[str, ...] = (
            words.count(count),
            f"{words.count(round(tokens * share))} tokens",
            f"{words.count(count * self._requests.request.max_tokens)} tokens",
            words.money(None if low is None or off is None else low * share * off),
            words.money(None if full is None or off is None else full * off),
            words.money(full),
        )
        how = (
            "All rows were counted."
            if len(counted) == count
            else f"{len(counted)} of {count:,} rows, spread over all sizes, were counted."
        )
        parts = len(self._requests.plan(self._requests.sendable))
        batches = f" It takes {parts} batches of the service." if parts > 1 else ""
        note = f"Nothing was handed in: .submit() does. {how}{batches} Prices as of {as_of()}."
        return Table(heads, [row], note)

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
        self._plan = None
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
        job, limits = self._job, ExitStack()
        request, notes, known = self._requests.request, job.notes, job.parts
        job.notes = [*notes, note] if note else [*notes]
        try:
            if max_tokens is not None:
                self._requests.ask_for(max_tokens)
            self._keep_to_limits(rows, limits)
            parts = parts or job.requests.plan(rows)
            job.parts = [*known, *(part for part in parts if part not in known)]
            self._run(handing_in.submit(job))
        except BaseException:
            if any(part.status or part.doubtful for part in parts):
                self._kept_by = run.session.budget
                self._limits.push(limits)
                raise
            limits.close()
            job.parts, job.notes = known, notes
            self._requests.ask_for(request.max_tokens)
            self._settle()
            raise
        self._kept_by = self._began = self._waited = None
        self._limits.push(limits)
        self._given = self._saved = None  # from now on it is known what it was handed in with
        self._settle()

    def _keep_to_limits(self, rows: Sequence[int], limits: ExitStack) -> None:
        """Count everything where there is a limit, and lower ``max_tokens`` to what it allows.

        Args:
            rows: What is handed in.
            limits: Holds what is kept of the budget for it.
        """
        limit, budget = self._max_cost, run.session.budget
        if budget is self._kept_by:
            budget = None  # it keeps enough for what was left over
        if limit is None and budget is None:
            return
        if len(self._counted) != len(rows):
            self._count(rows)
        if limit is not None:
            if not 0 < limit < math.inf:
                raise InputError(f"max_cost is a sum in USD above 0, not {limit:g}.")
            cost = self.cost
            if cost is None:
                raise InputError("What it has cost is not known, so max_cost cannot be kept.")
            self._requests.ask_for(self._fitted(limit - cost, "max_cost")[0])
        if budget is not None:
            self._requests.ask_for(limits.enter_context(budget.keeping(self._fitted)))

    def _fitted(self, limit: float, whose: str) -> tuple[int, float]:
        """The ``max_tokens`` that a limit allows, and what it can cost then."""
        model, off = facts(self._requests.request.model), _off(self._requests.request.model)
        inputs = [
            estimate(replace(self._requests.request, max_tokens=1), e.input_tokens)
            for e in self._counted
        ]
        prices = [model.price_for(e.input_tokens) if model else None for e in self._counted]
        spent = _sum(each.high for each in inputs)
        rates = _sum(price.output if price else None for price in prices)
        if spent is None or rates is None or off is None:
            raise InputError(
                f"What {self._requests.request.model} costs in a batch is not known, so {whose}"
                " cannot be kept.",
                "Nothing was sent. Take a model with a known price (%claude_nb models).",
            )
        wanted = self._requests.request.max_tokens
        spent, rate = spent * off, rates * off / MILLION
        most = math.floor((limit - spent) / rate) if rate else wanted
        if most < min(wanted, MIN_OUTPUT):
            raise InputError(
                f"This could go beyond {whose}: {words.money(max(0.0, limit))} are left, and the"
                f" input alone can cost {words.money(spent)}"
                f" ({words.count(wanted)} tokens for each reply: {words.money(wanted * rate)}).",
                "Nothing was sent. Send less, lower max_tokens, or raise the limit.",
            )
        if most < wanted:
            self._job.notes.append(
                f"max tokens lowered from {wanted:,} to {most:,}: {words.money(limit)} are left of"
                f" {whose}"
            )
        fitted = min(wanted, most)
        return fitted, spent + fitted * rate

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
        ids, saved = _found(ids)
        given = {*options, *(() if output is None else ("output",))}
        options = {**((saved and asked.restored(saved)) or {}), **options}
        made = cls(_job(output, client, policy, options), show=show)
        made._given, made._saved = given, saved
        if prompts is not None:
            made._job.requests.fill(prompts, template)
        made._run(waiting.resume(made._job, ids))
        made._settle()
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
        self._began = self._began or time.monotonic()
        self._run(waiting.wait(self._job))
        self._waited = time.monotonic() - self._began
        self._settle()
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
        self._settle()
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
        self._settle()
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
        note = self._as_before(max_tokens)
        self._counted = []
        self._hand_in(rows, (), max_tokens, note)
        return self

    def _as_before(self, max_tokens: int | None) -> str:
        """Compare what rows are handed in again with, where it was resumed; return a note of it.

        Raises:
            InputError: It was handed in with more than is known here.
        """
        if self._given is None:
            return ""
        given = self._given | ({"max_tokens"} if max_tokens is not None else set())
        if self._saved is not None:
            missing = [f"{name}=…" for name in asked.missing(self._saved, given)]
        else:
            missing = self._disagreeing(given)
        if missing:
            raise InputError(
                "Not all is known of what this batch was handed in with, so nothing was handed in.",
                f"Pass it: claude_nb.Batch.resume(id, prompts=…, {', '.join(missing)}).",
            )
        if self._saved is None:
            tokens = max_tokens or self._requests.request.max_tokens
            system = "a" if self._requests.request.system else "no"
            return (
                f"handed in again with {self._requests.request.model}, max tokens {tokens:,},"
                f" {system} system prompt: what it was before is not known"
            )
        changed = asked.changed(self._saved, self._requests.request, self._requests.common)
        return f"handed in again with another {', '.join(changed)} than before" if changed else ""

    def _disagreeing(self, given: set[str]) -> list[str]:
        """What has to be passed, where nothing but the results says what was asked."""
        job, request = self._job, self._requests.request
        models = sorted(filter(None, job.spent()))
        missing = []
        if "model" not in given:
            missing.append(f'model="{models[0]}"' if models else "model=…")
        else:
            known = {model: facts(model) for model in (request.model, *models)}
            others = {m for m, found in known.items() if found != known[request.model] and found}
            missing += [f'model="{min(others)}"'] if others and known[request.model] else []
        cut = (job.result(row) for row in job.rows(RowOutcome.TRUNCATED))
        most = {r.usage.output_tokens for r in cut if r.stop_reason == "max_tokens"}
        if "max_tokens" not in given and most - {request.max_tokens, None}:
            missing.append(f"max_tokens={max(filter(None, most))}")
        if not given & {"system", "output"} and (row := job.answered()) is not None:
            with suppress(InputError):  # a server that does not count
                if not self._run(counting.same_input(job, row)):
                    missing.append("system=… or output=… (system=None for none)")
        return missing

    def _check_submitted(self) -> None:
        if not self._job.submitted:
            raise InputError("This batch is not handed in.", "submit() hands it in.")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the engine's thread, and show how far it is."""
        self._error = None
        future = asyncio.run_coroutine_threadsafe(work, engine().loop)
        if self._show:
            self._view.begin()
        try:
            with interrupts(partial(_cancel, future)):
                while not futures.wait([future], _FRAME).done:
                    if self._show:
                        self._view.draw(self._picture(), self._record())
            return self._outcome(future)
        except BaseException as error:
            future.cancel()
            self._job.doing = ""
            if isinstance(error, ClaudeError):
                error.reply = self
                self._error = error
            self._settle()
            raise
        finally:
            self._charge()

    def _outcome(self, future: futures.Future[T]) -> T:
        if future.cancelled():
            on = "The batch goes on; wait() waits again." if self._job.submitted else ""
            raise StoppedError("Stopped.", MAY_BE_TAKEN if self._job.doubtful else on)
        return future.result()

    def _charge(self) -> None:
        """Write down what the parts that were read cost."""
        for part in self._job.parts:
            if part.read and part.id not in self._charged:
                self._charged.add(part.id)
                used = [(m, s.usage, s.cost, s.replies) for m, s in part.spent.items()]
                if part.lacking:
                    model = self._model or words.UNKNOWN
                    used.append((model, Usage.unknown(), None, part.lacking))
                run.session.ledger.charge_batch(
                    part.id, used, run.current_place(), simulated=self.simulated
                )
        if self._job.ended:
            self._limits.close()

    # --- what it has become -----------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """The service's ids of it, for ``Batch.resume``."""
        return [part.id for part in self._job.submitted]

    @property
    def state(self) -> str:
        """``not handed in``, ``in progress``, ``canceling`` or ``ended``.

        ``partly handed in`` after an error, ``perhaps handed in`` where no answer came.
        """
        parts = self._job.parts
        if self._job.doubtful:
            return "perhaps handed in"
        states = {part.status.state if part.status else "" for part in parts}
        if not states or "" in states:
            return "partly handed in" if states - {""} else "not handed in"
        for state in ("in_progress", "canceling"):
            if state in states:
                return state.replace("_", " ")
        return "ended" if states == {"ended"} else ", ".join(sorted(states))

    @property
    def done(self) -> bool:
        """Whether it has ended and all results were read."""
        return self._job.ended

    @property
    def simulated(self) -> bool:
        """Whether the simulator has it."""
        parts = [part.status for part in self._job.submitted if part.status]
        return self._job.connection.simulated or any(status.simulated for status in parts)

    @property
    def results(self) -> Results:
        """What has become of each row, in order; each is read from disk when it is looked at."""
        return Results(self._requests.count, self._job.result)

    @property
    def failed(self) -> list[Result]:
        """The rows that are not complete, each with its reason; not those that are processed."""
        return [self._job.result(row) for row in self._job.failed()]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have become what."""
        return {str(outcome): count for outcome, count in self._job.counts().items()}

    @property
    def usage(self) -> Usage:
        """The tokens of all replies that were read."""
        return self._spent().usage

    @property
    def cost(self) -> float | None:
        """What they cost in USD at batch prices, or None where that is not known."""
        return self._spent().cost

    def _spent(self) -> Spent:
        return sum((part.total for part in self._job.parts), Spent())

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
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise InputError(
                "pandas is not installed.", "Install it: %pip install pandas"
            ) from None
        index = (
            self._requests.index
            if self._requests.index is not None
            else list(self._requests.labels)
        )
        typed = self._job.output is not None
        rows = [_flat(result, typed=typed) for result in self.results]
        frame = pandas.DataFrame(rows, index=index)
        counts = {name: "Int64" for name in ("input_tokens", "output_tokens") if name in frame}
        return frame.astype(counts)

    def __len__(self) -> int:
        return self._requests.count

    def _picture(self) -> pictures.Picture:
        job = self._job
        counts = self.counts if job.submitted or job.requests.problems else {}
        failed = self._listed() if counts and not job.doing else []
        hidden = {str(outcome) for outcome in _UNSHOWN}
        unlisted = sum(n for name, n in counts.items() if name not in hidden) - len(failed)
        spent = job.spent().items() if self.done else ()
        elapsed = self._waited
        if elapsed is None and self._began is not None:
            elapsed = time.monotonic() - self._began
        return pictures.Picture(
            model=", ".join(name for name, _ in spent) if spent else self._model,
            simulated=self.simulated,
            total=job.requests.count,
            state=job.doing or (self.state if self.done or self.state != "ended" else _UNREAD),
            mood=self._mood(),
            elapsed=elapsed,
            done=job.done if job.doing else (0, 0),
            counts=counts,
            spent=tuple(pictures.Spending(m, s.usage, s.cost, s.full) for m, s in spent),
            failed=tuple((f"{r.label} · {r.outcome}", r.error) for r in failed),
            more=max(0, unlisted) if failed else 0,
            lines=tuple(self._lines()),
            plan=self._plan,
        )

    def _listed(self) -> list[Result]:
        """The failures that are listed: found again only when something may have changed."""
        if self._listing is None or self._listing[0] != self._job.changes:
            rows = self._job.failed(_LISTED)
            self._listing = self._job.changes, [self._job.result(row) for row in rows]
        return self._listing[1]

    @property
    def _model(self) -> str:
        """The model that is asked; empty where that is not known."""
        unknown = self._given is not None and self._saved is None and "model" not in self._given
        return "" if unknown else self._requests.request.model

    def _mood(self) -> Outcome:
        if self._error is not None and not isinstance(self._error, StoppedError):
            return Outcome.FAILED
        if not self.done:
            return Outcome.STREAMING if self._job.submitted else Outcome.STOPPED
        complete = self._job.counts().get(RowOutcome.COMPLETE, 0)
        return Outcome.COMPLETE if complete == self._requests.count else Outcome.TRUNCATED

    def _lines(self) -> Iterable[str]:
        job = self._job
        yield from job.notes
        yield from (part.guess for part in job.parts if part.guess)
        if isinstance(self._requests.request.system, System):
            yield f"the system prompt is kept for {_TTL.replace('h', ' hour')}, as a batch needs it"
        if job.matching.changed:
            shown = rows_of.named(
                (job.requests.labels[r] for r in sorted(job.matching.changed)),
                len(job.matching.changed),
            )
            yield f"changed since it was handed in, so the results are for what it was: {shown}"
        if self._error is not None:
            yield str(self._error)
        elif job.doubtful and not job.doing:
            yield MAY_BE_TAKEN
        if self.state == "partly handed in" and not job.doing:
            yield "submit() hands in the rest"
        if self.ids and not self.done:
            known = ", ".join(f'"{batch_id}"' for batch_id in self.ids)
            on = "wait() reads it" if self.state == "ended" else "goes on without this kernel"
            yield f"{on}: claude_nb.Batch.resume({known}) finds it again"
        elif self.ids:
            yield ", ".join(self.ids)

    def _record(self) -> dict[str, Any]:
        """The output's metadata: what resuming it needs, and what it cost; never a key."""
        job = self._job
        record: dict[str, Any] = {
            "version": RECORD_VERSION,
            "model": redact(self._model) or None,
            "simulated": self.simulated,
            "outcome": self.state,
            "batch": {"ids": self.ids, "rows": job.requests.count, "counts": self.counts},
        }
        if self._given is None or self._saved is not None:
            record["batch"]["options"] = self._saved or asked.saved(
                self._requests.request, job.requests.common
            )
        read = [part for part in job.parts if part.read and not part.gone]
        record["batch"]["spent"] = {part.id: _figures(part.total) for part in read}
        if self.done:
            record |= {**_figures(self._spent()), "price_list_date": as_of()}
        return {"claude_nb": record}

    def _settle(self) -> None:
        if self._show:
            self._view.settle(self._picture(), self._record())

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        if self._show and self._view.shown_in == execution() and is_result():
            return {"text/plain": repr(self)}, {}  # all of it stands above already
        return pictures.mimebundle(self._picture()), self._record()

    def __repr__(self) -> str:
        return (
            f"<Batch of {self._requests.count:,} · {self.state} · {', '.join(self.ids) or 'no id'}>"
        )


def recent(limit: int = 20, *, client: Any = None) -> Table:
    """The newest batches of this key, whoever handed them in.

    Args:
        limit: How many at most.
        client: Your own ``anthropic.AsyncAnthropic``.

    Raises:
        ClaudeError: The service did not say.
    """
    found = call(batch_api.newest(_connection(client), limit))
    rows: list[tuple[str, ...]] = [
        (
            status.id,
            f"{status.created.astimezone():%Y-%m-%d %H:%M}" if status.created else words.UNKNOWN,
            status.state.replace("_", " ") + (", results are gone" if status.archived else ""),
            words.count(status.requests),
            words.count(status.counts["succeeded"]) if status.ended else "–",
        )
        for status in found
    ]
    note = "claude_nb.Batch.resume(id) goes on with one." if rows else "There are no batches."
    heads = ("batch", "handed in", "state", "requests", "succeeded")
    return Table(heads, rows, note, words=(0, 1, 2))


def _cancel(future: futures.Future[Any]) -> None:
    future.cancel()


def _job(output: Any, client: Any, policy: Policy | None, options: dict[str, Any]) -> Job:
    request = _request(options)
    if output is not None:
        request = replace(request, output=batch_api.schema_of(output))
    requests = Requests(request)
    return Job(_connection(client), requests, output, policy or Policy())


def _request(options: dict[str, Any]) -> Request:
    """What all rows have in common, checked; nobody reads their thinking."""
    system = options.get("system")
    if isinstance(system, System):
        options = options | {"system": System(system.parts, _TTL)}
    return Request("…", **{"hide_thinking": True, **options})


def _connection(client: Any) -> Connection:
    return run.session.connection() if client is None else Connection(own_client=client)


def _found(ids: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    """The ids of a batch, and what the saved notebook has of what it was handed in with.

    Args:
        ids: Those that are known; none for the last batch in the notebook.

    Raises:
        InputError: None are known, and there is none in the notebook.
    """
    try:
        path = notebook.current_path()
        records = notebook.load(path).records
    except InputError:
        if ids:
            return ids, None
        raise
    for record in reversed(records):
        found = record.data.get("batch")
        found = found if isinstance(found, dict) else {}
        known = found.get("ids")
        if not isinstance(known, list) or not all(isinstance(name, str) for name in known):
            continue
        ids = ids or tuple(known)
        if ids and set(ids) <= set(known) and asked.restored(found.get("options")) is not None:
            return ids, found["options"]
    if ids:
        return ids, None
    raise InputError(
        f"No batch is saved in {path}.",
        "%claude_nb batches lists those of this key; claude_nb.Batch.resume(id) goes on with one.",
    )


def _spread(rows: Sequence[int], size: Any) -> list[int]:
    """Some rows that stand for all: from the shortest to the longest, at even steps."""
    ordered = sorted(rows, key=size)
    step = len(ordered) / SAMPLE
    return [ordered[int((number + 0.5) * step)] for number in range(SAMPLE)]


def _off(model: str) -> float | None:
    """What is left of a price in a batch, or None where that is not known."""
    known = facts(model)
    return None if known is None or known.batch_discount is None else 1 - known.batch_discount


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _figures(spent: Spent) -> dict[str, Any]:
    """What was spent, as it is saved."""
    return {"requests": spent.replies, "usage": asdict(spent.usage), "cost_usd": spent.cost}


def _flat(result: Result, *, typed: bool) -> dict[str, Any]:
    """A result as one flat row."""
    value = result.value
    dump = getattr(value, "model_dump", None)
    fields = dump() if dump else value
    said: dict[str, Any] = {}
    if isinstance(fields, dict):
        said = dict(fields)
    elif not typed:
        said = {"text": result.text}
    elif value is not None:
        said = {"value": value}
    ours = {
        "outcome": str(result.outcome),
        "error": result.error,
        "stop_reason": result.stop_reason,
        "input_tokens": result.usage.total_input_tokens,
        "output_tokens": result.usage.output_tokens,
        "cost_usd": result.cost,
    }
    # Also one that has the prefix already, or two fields could be called the same.
    clash = {name for name in said if str(name).removeprefix("answer_") in ours}
    return {f"answer_{n}" if n in clash else n: value for n, value in said.items()} | ours
