"""What a batch may cost, counted before it is handed in; what it has cost, written down."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING

from claude_nb.asking import asking
from claude_nb.batches.counting import count_tokens
from claude_nb.cost.models import as_of, facts
from claude_nb.cost.usage import MILLION, Usage
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.render.table import Table
from claude_nb.request.place import current_place
from claude_nb.session.budget import MIN_OUTPUT, Budget, Estimate, dearest, estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from claude_nb.batches.job import Job

SAMPLE = 100
"""Rows that are counted where an estimate is enough; they are spread over all sizes."""


class Costs:
    """What a batch may cost, within its limits, and what it has cost.

    Args:
        job: The batch.
        max_cost: The most that all of it may cost, in USD, or None.

    Attributes:
        counted: What was counted for the rows that are to be handed in, or for some of them.
    """

    def __init__(self, job: Job, max_cost: float | None) -> None:
        self.counted: list[Estimate] = []
        self._job = job
        self._requests = job.requests
        self._max_cost = max_cost
        self._kept = ExitStack()  # of the budget, until all is read
        self._kept_by: Budget | None = None  # the budget that keeps what left-over parts can cost
        self._charged: set[str] = set()

    async def count(self, rows: Sequence[int]) -> None:
        """Count what would be sent for rows.

        Raises:
            ClaudeError: The server did not count it.
        """
        counted = await count_tokens(self._job, rows)
        self.counted = [estimate(self._requests.request, tokens) for tokens in counted]

    def sample(self) -> list[int]:
        """Some rows that stand for all: from the shortest to the longest, at even steps."""
        rows = self._requests.sendable
        if len(rows) <= SAMPLE:
            return rows
        ordered = sorted(rows, key=self._requests.size)
        step = len(ordered) / SAMPLE
        return [ordered[int((number + 0.5) * step)] for number in range(SAMPLE)]

    def expected(self) -> Table:
        """What all of it would take, by the rows that were counted."""
        rows, request = self._requests.sendable, self._requests.request
        count = len(rows)
        counted, tokens = self.counted, sum(each.input_tokens for each in self.counted)
        share = count / len(counted)
        off = _off(request.model)
        low, high = _sum(each.low for each in counted), _sum(each.high for each in counted)
        full = None if high is None else high * share
        heads = ("rows", "input", "output at most", "cost at least", "cost at most", "one by one")
        row: tuple[str, ...] = (
            labels.count(count),
            f"{labels.count(round(tokens * share))} tokens",
            f"{labels.count(count * request.max_tokens)} tokens",
            labels.money(None if low is None or off is None else low * share * off),
            labels.money(None if full is None or off is None else full * off),
            labels.money(full),
        )
        how = (
            "All rows were counted."
            if len(counted) == count
            else f"{len(counted)} of {count:,} rows, spread over all sizes, were counted."
        )
        parts = len(self._requests.plan(rows))
        batches = f" It takes {parts} batches of the service." if parts > 1 else ""
        note = f"Nothing was handed in: .submit() does. {how}{batches} Prices as of {as_of()}."
        return Table(heads, [row], note)

    def keep_to_limits(
        self, rows: Sequence[int], count: Callable[[Sequence[int]], None], kept: ExitStack
    ) -> None:
        """Count everything where there is a limit, and lower ``max_tokens`` to what it allows.

        Args:
            rows: What is handed in.
            count: Runs ``count``.
            kept: Holds what is kept of the budget for it.

        Raises:
            InputError: It would cost too much, or that is not known.
        """
        limit, budget = self._max_cost, asking.session.budget
        if budget is self._kept_by:
            budget = None  # it keeps enough for what was left over
        if limit is None and budget is None:
            return
        if len(self.counted) != len(rows):
            count(rows)
        if limit is not None:
            if not 0 < limit < math.inf:
                raise InputError(f"max_cost is a sum in USD above 0, not {limit:g}.")
            cost = self._job.total.cost
            if cost is None:
                raise InputError("What it has cost is not known, so max_cost cannot be kept.")
            self._requests.ask_for(self._fitted(limit - cost, "max_cost")[0])
        if budget is not None:
            self._requests.ask_for(kept.enter_context(budget.keeping(self._fitted)))

    def _fitted(self, limit: float, whose: str) -> tuple[int, float]:
        """The ``max_tokens`` that a limit allows, and what it can cost then."""
        request = self._requests.request
        model, off = facts(request.model), _off(request.model)
        inputs = [dearest(request, e.input_tokens) for e in self.counted]
        prices = [model.price_for(e.input_tokens) if model else None for e in self.counted]
        spent = _sum(inputs)
        rates = _sum(price.output if price else None for price in prices)
        if spent is None or rates is None or off is None:
            raise InputError(
                f"What {request.model} costs in a batch is not known, so {whose} cannot be kept.",
                "Nothing was sent. Take a model with a known price (%claude_nb models).",
            )
        wanted = request.max_tokens
        spent, rate = spent * off, rates * off / MILLION
        most = math.floor((limit - spent) / rate) if rate else wanted
        if most < min(wanted, MIN_OUTPUT):
            raise InputError(
                f"This could go beyond {whose}: {labels.money(max(0.0, limit))} are left, and the"
                f" input alone can cost {labels.money(spent)}"
                f" ({labels.count(wanted)} tokens for each reply: {labels.money(wanted * rate)}).",
                "Nothing was sent. Send less, lower max_tokens, or raise the limit.",
            )
        if most < wanted:
            self._job.notes.append(
                f"max tokens lowered from {wanted:,} to {most:,}: {labels.money(limit)} are left of"
                f" {whose}"
            )
        fitted = min(wanted, most)
        return fitted, spent + fitted * rate

    def keep(self, kept: ExitStack, *, for_rest: bool) -> None:
        """Keep what is kept of the budget until all is read.

        Args:
            kept: Holds it.
            for_rest: Whether parts that it is kept for are not handed in yet.
        """
        self._kept.push(kept)
        self._kept_by = asking.session.budget if for_rest else None

    def charge(self) -> None:
        """Write down what the parts that were read cost, each once."""
        for part in self._job.parts:
            if part.read and part.id not in self._charged:
                self._charged.add(part.id)
                used = [(m, s.usage, s.cost, s.replies) for m, s in part.spent.items()]
                if part.lacking:
                    model = self._job.model or labels.UNKNOWN
                    used.append((model, Usage.unknown(), None, part.lacking))
                asking.session.ledger.charge_batch(
                    part.id, used, current_place(), simulated=self._job.simulated
                )
        if self._job.ended:
            self._kept.close()


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
