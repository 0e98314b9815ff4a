"""``batch`` and ``Batch``: prompts by the thousand, at half the price, for whoever can wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent import futures
from functools import partial
from typing import Any, NoReturn, TypeVar

from claude_nb.asking import asking
from claude_nb.asking.question import check_names, check_types
from claude_nb.batches import costs, resume, view
from claude_nb.batches.results import Result, Results, frame
from claude_nb.batches.rows import Requests
from claude_nb.batches.service import Service
from claude_nb.batches.state import ServiceBatch
from claude_nb.client import batch_service, waiting
from claude_nb.client.capabilities import checked
from claude_nb.client.engine import call, engine
from claude_nb.client.output import Output
from claude_nb.client.retry import Policy
from claude_nb.cost.models import own_prices
from claude_nb.cost.usage import Usage
from claude_nb.errors import ClaudeError, InputError, StoppedError
from claude_nb.render import labels
from claude_nb.render.batch import mimebundle
from claude_nb.render.in_marimo import InMarimo
from claude_nb.render.table import Table
from claude_nb.request.extra import NOT_IN_BATCHES
from claude_nb.request.request import Request
from claude_nb.request.system import System
from claude_nb.streaming.record import MIME
from claude_nb.views import choice
from claude_nb.views.batches import BatchView
from claude_nb.views.painter import interrupts

T = TypeVar("T")

_LEFT_OUT = ("hide_tools", "instruct", "tool_choice")
"""Options of requests that a batch does not have: there are no tools in it."""

_FRAME = 0.5
"""Seconds between two drawings of a batch that is being worked on."""

_RECENT = 20
"""How many batches are listed at most."""

_TTL = "1h"
"""How long a cached system prompt is kept for a batch, which takes longer than five minutes."""


def batch(
    prompts: Any,
    template: str | None = None,
    *,
    upload: bool | int = False,
    output: Any = None,
    client: Any = None,
    show: bool = True,
    dry_run: bool = False,
    max_cost: float | None = None,
    policy: Policy | None = None,
    **options: Any,
) -> Batch:
    """Submit many prompts at once, for half the price; their replies come within 24 hours.

    Nothing streams, because nobody watches: the service answers when it has time, most batches
    within an hour. The batch continues without this kernel; see ``Batch.resume``.

    Args:
        prompts: Texts or other values; a column or a table of pandas or polars; a list of dicts.
        template: The prompt, with ``{{name}}`` for the columns of a table, the keys of a dict or
            the name of a column. A list has single values: they are put in for whatever single name
            the template uses.
        upload: Whether large files in rows are uploaded, as for ``ask``, once for all rows that
            share one; for two days, or for so many seconds.
        output: What each reply has to be, as for ``ask``: ``Result.value``.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        show: Whether to show how far it is.
        dry_run: Submit nothing: count, and show what it would cost. ``Batch.submit`` submits it.
        max_cost: The most that it may cost, in USD: all prompts are counted first, and
            ``max_tokens`` lowered if need be.
        policy: How to retry after failures; by default ``Policy()``.
        **options: Fields of ``Request`` for all of them: ``model``, ``max_tokens``, ``system``,
            ``thinking``, ``effort``, ``stop_sequences``, ``metadata``, ``extra``, ``betas``, and
            ``cite`` (of files that are put in; the citations are in ``Result.message``). A
            ``CachedSystem`` is kept for an hour.

    Returns:
        The batch, on its way: ``wait()``, then ``results`` and ``to_pandas()``. Rows that cannot
        be sent (an empty prompt, a missing value) are in it, and say so.

    Raises:
        InputError: None of it can be sent, or it would cost too much; nothing was sent.
        ClaudeError: The service did not take the batch, or did not answer. Without an answer the
            batch may have been taken; the error says how to look.
    """
    check_names(options, batch, left_out=_LEFT_OUT)
    check_types(template=template, max_cost=max_cost, upload=upload)
    if options.pop("fallback", False):
        raise InputError(
            "Batches do not support fallback.",
            "Leave out fallback, and ask what was declined again: ask(text, fallback=True)",
        )
    made = Batch(_service(output, client, policy, options), max_cost, show=show)
    made._state.requests.fill(prompts, template, upload=upload)  # noqa: SLF001
    return made.estimate() if dry_run else made.submit()


class Batch(InMarimo):
    """Many prompts, submitted together, and their results.

    ``batch`` makes one, and ``Batch.resume`` finds one again. It shows itself in a notebook.
    """

    def __init__(self, service: Service, max_cost: float | None = None, *, show: bool) -> None:
        self._service = service
        self._state = service.state
        self._limits = costs.Limits(max_cost)
        self._view = BatchView(partial(view.look, self._state), choice.fitting, show=show)

    # --- submitting -------------------------------------------------------------------------

    def estimate(self, *, every: bool = False) -> Batch:
        """Count what would be sent, and show what it could cost; nothing is submitted.

        Args:
            every: Count all rows; otherwise 100 that are spread over all sizes stand for the rest.

        Returns:
            This batch.

        Raises:
            ClaudeError: The server did not count it.
        """
        requests = self._state.requests
        rows = requests.sendable if every else costs.sample(requests)
        self._state.plan = costs.plan(requests, self._run(self._service.count(rows)))
        self._view.draw(whole=True)
        self._view.leave()
        return self

    def submit(self) -> Batch:
        """Submit the batch, or what is left of it after an error.

        Returns:
            This batch.

        Raises:
            InputError: It is submitted already or may be, or would cost too much.
            ClaudeError: The service did not take it; what it took is in ``ids``.
        """
        state = self._state
        rows = [row for batch in state.batches if not batch.status for row in batch.rows]
        if state.batches and not rows:
            raise InputError(
                "This batch is already submitted.", "resubmit() submits the failed rows again."
            )
        if state.doubt:
            raise InputError(
                "The service did not answer when this batch was submitted.", state.doubt
            )
        state.plan = None
        return self._submit(rows or state.requests.sendable)

    def _submit(self, rows: list[int], max_tokens: int | None = None, note: str = "") -> Batch:
        """Submit rows, within the limits; if none of them is taken, all stays as it was.

        Args:
            rows: The rows: those of batches that the service does not have yet, if there are any.
            max_tokens: Another number than before, or None.
            note: A line to show with the batch; may be empty.
        """
        state, requests, limits = self._state, self._state.requests, self._limits
        before = state.batches, state.notes, requests.request.max_tokens
        batches = [batch for batch in state.batches if not batch.status]
        state.notes = [*state.notes, *([note] if note else [])]
        try:
            if max_tokens is not None:
                requests.set_max_tokens(max_tokens)
            limits.fit(state, lambda: self._run(self._service.count(rows)))
            if requests.upload_sources(rows):
                self._run(self._service.upload(rows))
            if not batches:
                batches = [ServiceBatch(group) for group in requests.split(rows)]
                state.batches = [*state.batches, *batches]
            self._do(self._service.submit())
        except BaseException:  # an interrupt too: what was not taken must not look as if it were
            if any(batch.status or batch.unanswered for batch in batches):
                limits.reserve(state, for_rest=True)
            else:
                limits.undo()
                state.batches, state.notes, tokens = before
                requests.set_max_tokens(tokens)
                self._view.draw(whole=True)
            raise
        limits.reserve(state, for_rest=False)
        return self

    # --- waiting ----------------------------------------------------------------------------

    @classmethod
    def resume(
        cls,
        *ids: str,
        prompts: Any = None,
        template: str | None = None,
        upload: bool | int = False,
        output: Any = None,
        client: Any = None,
        show: bool = True,
        policy: Policy | None = None,
        **options: Any,
    ) -> Batch:
        """Resume a batch that this kernel or another one submitted.

        Args:
            *ids: The service's ids of it (``msgbatch_…``); none: those that this notebook's saved
                outputs hold, the last batch in it.
            prompts: What was passed to ``batch``, if the table's index is wanted back, or rows are
                to be submitted again. A row that has changed since is named.
            template: As for ``batch``.
            upload: As for ``batch``.
            output: What each reply has to be.
            client: Your own ``anthropic.AsyncAnthropic``.
            show: Whether to show it.
            policy: How to retry after failures.
            **options: Fields of ``Request``, for rows that are submitted again. Those that the
                notebook's saved outputs hold of it need not be passed.

        Returns:
            The batch; if it has ended, with its results.

        Raises:
            InputError: There is no such batch in the notebook.
            ClaudeError: The service does not know it, or did not answer.
        """
        check_names(options, cls.resume, left_out=_LEFT_OUT)
        check_types(template=template, upload=upload)
        ids, saved = resume.find(ids)
        given = {*options, *(() if output is None else ("output",))}
        options = {**(resume.saved_options(saved) or {}), **options}
        made = cls(_service(output, client, policy, options), show=show)
        made._state.resumed, made._state.saved = given, saved
        if prompts is not None:
            made._state.requests.fill(prompts, template, upload=upload)
        return made._do(made._service.resume(ids))

    def wait(self) -> Batch:
        """Wait until it has ended, and read the results.

        An interrupt ends the waiting, and not the batch.

        Returns:
            This batch.

        Raises:
            InputError: It is not submitted.
            StoppedError: The waiting was interrupted.
            ClaudeError: The service does not know it any more, or its results cannot be read.
        """
        return self._do(self._submitted().wait())

    def refresh(self) -> Batch:
        """Check the batch once, and read the results of what has ended, without waiting.

        Returns:
            This batch.

        Raises:
            ClaudeError: The service did not answer.
        """
        return self._do(self._submitted().refresh())

    def cancel(self) -> Batch:
        """Ask the service to cancel the batch; rows that are done can be read, and are billed.

        Returns:
            This batch; ``wait()`` waits until it has stopped.

        Raises:
            ClaudeError: The service did not answer.
        """
        return self._do(self._submitted().cancel())

    def resubmit(self, *, max_tokens: int | None = None) -> Batch:
        """Submit failed rows again: errored, cancelled, expired, missing, or not as ``output``.

        What was refused is left out: it would be refused again.

        Args:
            max_tokens: A larger number than before; then what was cut off is submitted again too.

        Returns:
            This batch, in which the new results take the place of the failures.

        Raises:
            InputError: Nothing can be submitted again, or it is not known what it was submitted
                with; the error says why, and what to pass to ``Batch.resume``.
        """
        service, state = self._submitted(), self._state
        if len(state.submitted) < len(state.batches):
            rest = state.doubt or "submit() submits the rest."
            raise InputError("Part of this batch is not submitted.", rest)
        if not state.ended:
            raise InputError("This batch has not ended yet.", "Wait for it: .wait()")
        rows = resume.rows_to_resubmit(state, truncated=max_tokens is not None)
        count = lambda row: self._run(service.count([row]))[0]  # noqa: E731
        return self._submit(rows, max_tokens, resume.compare_options(state, max_tokens, count))

    def _submitted(self) -> Service:
        """The service, if it has this batch.

        Raises:
            InputError: It does not.
        """
        if not self._state.submitted:
            advice = self._state.doubt or "Submit it: .submit()"
            raise InputError("This batch is not submitted.", advice)
        return self._service

    def _do(self, work: Coroutine[Any, Any, None]) -> Batch:
        self._run(work)
        self._view.draw(whole=True)
        return self

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the engine's thread, and show how far it is in the cell that runs now.

        Args:
            work: What it raises is raised here.

        Raises:
            StoppedError: It was interrupted.
        """
        state, state.error = self._state, None
        future = asyncio.run_coroutine_threadsafe(work, engine().loop)

        def is_done(timeout: float | None) -> bool:
            return bool(futures.wait([future], timeout).done)

        self._view.begin()
        try:
            with interrupts(future.cancel):
                while not waiting.wait(is_done, _FRAME):
                    self._view.draw()
            return future.result()
        except BaseException as error:  # an interrupt too: nobody waits for it any more
            future.cancel()
            state.doing = ""
            if isinstance(error, futures.CancelledError):
                on = "The batch continues; wait() waits again." if state.submitted else ""
                error = StoppedError("Stopped.", state.doubt or on)
            if isinstance(error, ClaudeError):
                state.error, error.reply = error, self
                if self._view.is_shown_here:
                    asking.shorten(error)
            self._view.draw(whole=True)
            raise error  # noqa: TRY201 - it may be another one than was caught
        finally:
            costs.charge(state)
            if state.ended:
                self._limits.settle(state)

    # --- results ----------------------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """The service's ids of it, for ``Batch.resume``."""
        return self._state.ids

    @property
    def state(self) -> str:
        """``not submitted``, ``in progress``, ``canceling`` or ``ended``.

        ``partly submitted`` after an error, ``perhaps submitted`` where no answer came.
        """
        return self._state.state

    @property
    def done(self) -> bool:
        """Whether it has ended and all results were read."""
        return self._state.ended

    @property
    def simulated(self) -> bool:
        """Whether the simulator has it."""
        return self._state.simulated

    @property
    def results(self) -> Results:
        """The result of each row, in order; each is read from disk when it is looked at."""
        return Results(len(self), self._state.result)

    @property
    def failed(self) -> list[Result]:
        """The rows that are not complete, each with its reason; not those that are processed."""
        return self._state.failed()

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each outcome."""
        return self._state.counts()

    @property
    def usage(self) -> Usage:
        """The tokens of all replies that were read."""
        return self._state.total.usage

    @property
    def cost(self) -> float | None:
        """Their cost in USD at batch prices, or None if it is unknown."""
        return self._state.total.cost

    def to_pandas(self) -> Any:
        """The results as a ``pandas.DataFrame``, a row each, with the index that was passed.

        Returns:
            The frame: the reply's ``text``, or with ``output`` a column for each of its fields;
            then ``outcome``, ``error``, ``stop_reason``, ``input_tokens``, ``output_tokens`` and
            ``cost_usd``. A field that is called like one of these has ``answer_`` before its name.
            What is not known is missing.

        Raises:
            InputError: pandas is not installed.
        """
        requests, typed = self._state.requests, self._state.output is not None
        index = requests.labels if requests.index is None else requests.index
        return frame(self.results, index, typed=typed)

    def __len__(self) -> int:
        return self._state.requests.count

    def __reduce__(self) -> NoReturn:
        raise InputError(
            "A batch cannot be pickled or copied: it runs on the service.",
            "Keep batch.results, or resume it by its id: claude_nb.Batch.resume(id)",
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if self._view.is_above:
            return {"text/plain": repr(self)}
        picture, record = view.look(self._state)
        return mimebundle(picture) | {MIME: record}

    def __repr__(self) -> str:
        return f"<Batch of {len(self):,} · {self.state} · {', '.join(self.ids) or 'no id'}>"


def _service(output: Any, client: Any, policy: Policy | None, options: dict[str, Any]) -> Service:
    """The service for a new batch: the arguments are those of ``batch``."""
    check_types(client=client, policy=policy, **options)
    own_prices()  # a price file that cannot be used is an error before anything is sent
    form = None if output is None else Output.of(output)
    options = {"hide_thinking": True, **options}
    if isinstance(system := options.get("system"), System):
        options["system"] = System(system.parts, _TTL)
    for name in options.get("extra") or ():
        if name in NOT_IN_BATCHES:
            raise InputError(f"A batch takes no {name}.", f"Leave {name} out of extra.")
    connection = asking.session.connection(client)
    request = Request("…", output=form.schema if form else None, **options)
    requests = Requests(checked(request, connection))
    return Service(requests, form, connection, policy or Policy())


def recent(*, client: Any = None) -> Table:
    """The newest batches of this key, whoever submitted them.

    Args:
        client: Your own ``anthropic.AsyncAnthropic``.

    Raises:
        ClaudeError: The service did not say.
    """
    found = call(batch_service.newest(asking.session.connection(client), _RECENT))
    rows: list[tuple[str, ...]] = [
        (
            status.id,
            f"{status.created.astimezone():%Y-%m-%d %H:%M}" if status.created else labels.UNKNOWN,
            status.state.replace("_", " ") + (", results are gone" if status.archived else ""),
            labels.count(status.requests),
            labels.count(status.counts["succeeded"]) if status.ended else "–",
        )
        for status in found
    ]
    note = "To resume one: claude_nb.Batch.resume(id)" if rows else "This key has no batches."
    heads = ("batch", "submitted", "state", "requests", "succeeded")
    return Table(heads, rows, note, left=(0, 1, 2))
