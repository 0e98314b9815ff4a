"""What a batch may cost, within its limits, and what it has cost, as the ledger has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from claude_nb.asking import asking
from claude_nb.batches.results import price_factor
from claude_nb.batches.rows import Requests
from claude_nb.batches.state import BatchState
from claude_nb.cost.models import as_of
from claude_nb.cost.usage import Usage, known
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.render.table import Table
from claude_nb.request.place import current_place
from claude_nb.session.budget import estimate, within_limit
from claude_nb.session.reservation import Reservation, budgets
from claude_nb.session.shared_budget import shared_budget

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
    low = known(sum, [each.low for each in estimates])
    high = known(sum, [each.high for each in estimates])
    cells: tuple[str, ...] = (
        labels.count(len(rows)),
        labels.counted(round(sum(counted) * share), "token"),
        labels.counted(len(rows) * request.max_tokens, "token"),
        labels.money(known(math.prod, (low, share, factor))),
        labels.money(known(math.prod, (high, share, factor))),
        labels.money(known(math.prod, (high, share))),
    )
    some = f"{len(counted)} of {len(rows):,} rows, short and long,"
    how = f"{'All rows' if len(counted) == len(rows) else some} were counted."
    batches = len(requests.split(rows))
    takes = f" Sent as {batches} batches." if batches > 1 else ""
    note = f"Not sent yet; .submit() sends it. {how}{takes} Prices as of {as_of()}."
    note = "\n".join([note, *map(labels.also_sent, request.also_sent)])
    heads = ("rows", "input", "output at most", "cost at least", "cost at most", "one by one")
    return Table(heads, [cells], note)


class Limits:
    """``max_cost``, and the budgets, of which a part is reserved until all is read.

    Args:
        max_cost: The most that all of a batch may cost, in USD, or None.
    """

    def __init__(self, max_cost: float | None) -> None:
        self._max_cost = max_cost
        self._pending: Reservation | None = None  # for what is not taken yet
        self._held: list[tuple[int, Reservation]] = []  # each from this place of ``state.ids`` on
        self._first = 0  # how many batches the service had before those of ``_pending``
        self._covered: Sequence[object] = ()  # the budgets of which enough is reserved already

    def fit(self, state: BatchState, count: Callable[[], Sequence[int]]) -> None:
        """Lower ``max_tokens`` to what the limits allow, and note it.

        Args:
            state: The batch.
            count: Counts the input tokens of the rows that are to be submitted.

        Raises:
            InputError: It would cost too much, or that is not known.
        """
        limit, holding = self._max_cost, budgets(asking.session, simulated=state.simulated)
        missing = [budget for budget in holding if budget not in self._covered]
        if limit is None and not missing:
            return
        counted, fits = count(), state.requests.request
        factor = price_factor(fits.model)
        if limit is not None:
            if not 0 < limit < math.inf:
                raise InputError(f"max_cost must be an amount in USD above 0, not {limit:g}.")
            cost = state.total.cost
            if cost is None:
                raise InputError("Its cost so far is unknown, so max_cost cannot be enforced.")
            fits, _ = within_limit(fits, counted, limit - cost, "max_cost", factor)
        if missing:
            self._first, self._pending = len(state.ids), Reservation(missing)
            fits = self._pending.fit(fits, counted, factor=factor)
        state.notes += fits.notes[len(state.requests.request.notes) :]
        state.requests.set_max_tokens(fits.max_tokens)

    def undo(self) -> None:
        """Give back what ``fit`` reserved of the budgets: nothing was taken."""
        if self._pending is not None:
            self._pending.settle()
            self._pending = None

    def reserve(self, state: BatchState, *, for_rest: bool) -> None:
        """Hold what ``fit`` reserved of the budgets until all is read.

        A later kernel, which may read it, finds it by the ids of the batches.

        Args:
            state: The batch.
            for_rest: Whether a part of what it is reserved for is not taken yet.

        Raises:
            InputError: The file of the user's budgets cannot be used.
        """
        if self._pending is not None:
            self._held.append((self._first, self._pending))
            self._pending = None
        for first, held in self._held[-1:]:
            if ids := state.ids[first:]:
                held.rename(",".join(ids))
        self._covered = budgets(asking.session, simulated=state.simulated) if for_rest else ()

    def settle(self, state: BatchState) -> None:
        """Put what a batch that was read has cost in the place of what was reserved for it.

        Args:
            state: The batch, which is in the ledger.

        Raises:
            InputError: The file of the user's budgets cannot be used.
        """
        held, self._held = [reservation for _, reservation in self._held], []
        if not held and not state.simulated:  # of an earlier kernel
            names = shared_budget.batches(state.ids)
            held = [Reservation([shared_budget], name) for name in names]
        for reservation in held:
            ids = reservation.name.split(",")
            own = [batch for batch in state.batches if batch.id in ids]
            costs = [spent.cost for batch in own for spent in batch.spent.values()]
            is_exact = bool(own) and all(batch.total.cost is not None for batch in own)
            known = sum(cost or 0.0 for cost in costs)
            reservation.settle(known, is_exact=is_exact, simulated=state.simulated)


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
