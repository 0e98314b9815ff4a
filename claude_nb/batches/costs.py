"""What a batch may cost, within its limits, and what it has cost, as the ledger has it."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from claude_nb.asking import asking
from claude_nb.batches.results import price_factor
from claude_nb.cost.models import as_of, facts
from claude_nb.cost.usage import MILLION, Usage
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.render.table import Table
from claude_nb.request.place import current_place
from claude_nb.session.budget import MIN_OUTPUT, dearest, estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from claude_nb.batches.rows import Requests
    from claude_nb.batches.state import BatchState
    from claude_nb.request.request import Request
    from claude_nb.session.budget import Budget

SAMPLE = 100
"""Rows that are counted where an estimate is enough; they are spread over all sizes."""


def sample(requests: Requests) -> list[int]:
    """Some rows that stand for all: from the shortest to the longest, at even steps."""
    rows = requests.sendable
    if len(rows) <= SAMPLE:
        return rows
    ordered = sorted(rows, key=requests.size)
    step = len(ordered) / SAMPLE
    return [ordered[int((number + 0.5) * step)] for number in range(SAMPLE)]


def plan(requests: Requests, counted: Sequence[int]) -> Table:
    """What all of it would take.

    Args:
        requests: What would be submitted.
        counted: The input tokens of all rows, or of some that stand for them.
    """
    rows, request = requests.sendable, requests.request
    estimates = [estimate(request, tokens) for tokens in counted]
    factor, share = price_factor(request.model), len(rows) / len(counted)
    low, high = _sum(each.low for each in estimates), _sum(each.high for each in estimates)
    cells: tuple[str, ...] = (
        labels.count(len(rows)),
        f"{labels.count(round(sum(counted) * share))} tokens",
        f"{labels.count(len(rows) * request.max_tokens)} tokens",
        labels.money(_product(low, share, factor)),
        labels.money(_product(high, share, factor)),
        labels.money(_product(high, share)),
    )
    how = (
        "All rows were counted."
        if len(counted) == len(rows)
        else f"{len(counted)} of {len(rows):,} rows, spread over all sizes, were counted."
    )
    batches = len(requests.split(rows))
    takes = f" It takes {batches} batches of the service." if batches > 1 else ""
    note = f"Nothing was handed in: .submit() does. {how}{takes} Prices as of {as_of()}."
    heads = ("rows", "input", "output at most", "cost at least", "cost at most", "one by one")
    return Table(heads, [cells], note)


class Limits:
    """``max_cost``, and the session's budget, of which a part is reserved until all is read.

    Args:
        max_cost: The most that all of a batch may cost, in USD, or None.
    """

    def __init__(self, max_cost: float | None) -> None:
        self._max_cost = max_cost
        self._reserved = ExitStack()
        self._reserved_by: Budget | None = None  # the one that reserves for what is not taken yet

    @property
    def are_set(self) -> bool:
        """Whether there is a limit that is not kept already."""
        return self._max_cost is not None or self._budget is not None

    @property
    def _budget(self) -> Budget | None:
        budget = asking.session.budget
        return None if budget is self._reserved_by else budget

    def fit(self, state: BatchState, counted: Sequence[int], reserved: ExitStack) -> None:
        """Lower ``max_tokens`` to what the limits allow, and note it.

        Args:
            state: The batch.
            counted: The input tokens of the rows that are to be submitted.
            reserved: Holds what is reserved of the budget for them.

        Raises:
            InputError: It would cost too much, or that is not known.
        """

        def fitted(left: float, name: str) -> tuple[int, float]:
            request = state.requests.request
            most, cost, note = _fitted(request, counted, left, name)
            state.notes += [note] if note else []
            return most, cost

        if (limit := self._max_cost) is not None:
            if not 0 < limit < math.inf:
                raise InputError(f"max_cost is a sum in USD above 0, not {limit:g}.")
            cost = state.total.cost
            if cost is None:
                raise InputError("What it has cost is not known, so max_cost cannot be kept.")
            state.requests.set_max_tokens(fitted(limit - cost, "max_cost")[0])
        if budget := self._budget:
            state.requests.set_max_tokens(reserved.enter_context(budget.keeping(fitted)))

    def reserve(self, reserved: ExitStack, *, for_rest: bool) -> None:
        """Hold what is reserved of the budget until ``release``.

        Args:
            reserved: Holds it now.
            for_rest: Whether a part of what it is reserved for is not taken yet.
        """
        self._reserved.push(reserved)
        self._reserved_by = asking.session.budget if for_rest else None

    def release(self) -> None:
        """Give back what is reserved of the budget."""
        self._reserved.close()


def _fitted(
    request: Request, counted: Sequence[int], limit: float, name: str
) -> tuple[int, float, str]:
    """The ``max_tokens`` that a limit allows, what it can cost then in USD, and a note."""
    model, factor, wanted = facts(request.model), price_factor(request.model), request.max_tokens
    prices = [model.price_for(tokens) if model else None for tokens in counted]
    spent = _product(_sum(dearest(request, tokens) for tokens in counted), factor)
    rate = _product(_sum(price.output if price else None for price in prices), factor, 1 / MILLION)
    if spent is None or rate is None:
        raise InputError(
            f"What {request.model} costs in a batch is not known, so {name} cannot be kept.",
            "Nothing was sent. Take a model with a known price (%claude_nb models).",
        )
    most = math.floor((limit - spent) / rate) if rate else wanted
    if most < min(wanted, MIN_OUTPUT):
        raise InputError(
            f"This could go beyond {name}: {labels.money(max(0.0, limit))} are left, and the"
            f" input alone can cost {labels.money(spent)}"
            f" ({labels.count(wanted)} tokens for each reply: {labels.money(wanted * rate)}).",
            "Nothing was sent. Send less, lower max_tokens, or raise the limit.",
        )
    if most >= wanted:
        return wanted, spent + wanted * rate, ""
    left = f"{labels.money(limit)} are left of {name}"
    note = f"max tokens lowered from {wanted:,} to {most:,}: {left}"
    return most, spent + most * rate, note


def charge(state: BatchState) -> None:
    """Put what the batches that were read cost into the ledger, which takes each once."""
    for batch in state.batches:
        if batch.read:
            used = [(m, s.usage, s.cost, s.replies) for m, s in batch.spent.items()]
            if batch.lacking:
                model = state.model or labels.UNKNOWN
                used.append((model, Usage.unknown(), None, batch.lacking))
            ledger, place = asking.session.ledger, current_place()
            ledger.charge_batch(batch.id, used, place, simulated=state.simulated)


def _sum(values: Iterable[float | None]) -> float | None:
    return _known(sum, values)


def _product(*values: float | None) -> float | None:
    return _known(math.prod, values)


def _known(compute: Callable[[Any], float], values: Iterable[float | None]) -> float | None:
    """What is computed of numbers, or None where one of them is not known."""
    numbers = list(values)
    return None if None in numbers else compute(numbers)
