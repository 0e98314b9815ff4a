"""What a request may cost, found out before it is sent: its input counted, its output at most.

A running stream is never stopped on an estimate: no count in mid-stream is true. So a limit holds
because nothing is sent that could go beyond it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from claude_nb.cost.models import facts
from claude_nb.cost.usage import MILLION, Usage
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.request.request import Request
from claude_nb.request.system import System

T = TypeVar("T")

MIN_OUTPUT = 256
"""Output tokens below which a reply would not be worth its input."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request will cost, as far as it can be known before it is sent.

    Attributes:
        model: The model that is asked.
        system: The system prompt that would be sent.
        input_tokens: The whole prompt, as the API counts it: close to what is billed.
        max_tokens: The most tokens that may come back.
        low: USD if hardly anything comes back, and all that is marked is read from the cache; None
            where the price is not known.
        high: USD if ``max_tokens`` come back, and all that is marked is written to the cache.
    """

    model: str
    system: str | System | None
    input_tokens: int
    max_tokens: int
    low: float | None
    high: float | None


def estimate(request: Request, input_tokens: int) -> Estimate:
    """The price range of a request.

    Args:
        request: What is to be sent.
        input_tokens: Its input, counted.
    """
    model = facts(request.model)
    cheapest, dearest = _input(request, input_tokens)
    return Estimate(
        request.model,
        request.system,
        input_tokens,
        request.max_tokens,
        cheapest.cost(model),
        replace(dearest, output_tokens=request.max_tokens).cost(model),
    )


def within_limit(request: Request, input_tokens: int, limit: float, limit_name: str) -> Request:
    """Make a request cost no more than a limit, by asking for less output if need be.

    Args:
        request: What is to be sent.
        input_tokens: Its input, counted.
        limit: USD.
        limit_name: What notes and errors call the limit.

    Returns:
        The request, its ``max_tokens`` lowered and a note added where that is needed.

    Raises:
        InputError: Its price is not known, or its input alone takes too much.
    """
    model = facts(request.model)
    price = model.price_for(input_tokens) if model else None
    input_cost = dearest(request, input_tokens)
    if price is None or input_cost is None:
        raise InputError(
            f"What {request.model} costs is not known, so {limit_name} cannot be kept.",
            "Nothing was sent. Take a model with a known price (%claude_nb models), or lift the"
            " limit.",
        )
    left = limit - input_cost
    if request.max_tokens * price.output <= left * MILLION:
        return request
    affordable = math.floor(left * MILLION / price.output) if price.output else 0
    if affordable < MIN_OUTPUT:
        raise InputError(
            f"This could go beyond {limit_name}: {labels.money(max(0.0, limit))} are left, and the"
            f" input alone, {labels.count(input_tokens)} tokens, can cost"
            f" {labels.money(input_cost)}.",
            "Nothing was sent. Send less, or raise the limit.",
        )
    note = (
        f"max tokens lowered from {labels.count(request.max_tokens)} to {labels.count(affordable)}:"
        f" {labels.money(limit)} are left of {limit_name}"
    )
    return replace(request, max_tokens=affordable, notes=(*request.notes, note))


def dearest(request: Request, input_tokens: int) -> float | None:
    """USD that the input of a request can cost at most, or None where its price is not known."""
    return _input(request, input_tokens)[1].cost(facts(request.model))


def _input(request: Request, tokens: int) -> tuple[Usage, Usage]:
    """The input at its cheapest and at its dearest: what is marked is read, or it is written."""
    if not isinstance(request.system, System):
        return Usage(input_tokens=tokens), Usage(input_tokens=tokens)
    written = "cache_write_1h_tokens" if request.system.ttl == "1h" else "cache_write_5m_tokens"
    return Usage(cache_read_tokens=tokens), Usage(**{written: tokens})


class Budget:
    """A limit on what replies cost together.

    Args:
        limit: USD.
        spent: Says what was spent so far, in USD; what is spent from now on counts.

    Raises:
        InputError: The limit is not a number above 0.
    """

    def __init__(self, limit: float, spent: Callable[[], float]) -> None:
        if not 0 < limit < math.inf:
            raise InputError(f"A budget is a sum in USD above 0, not {limit:g}.")
        self.limit = limit
        self._spent = spent
        self._before = spent()
        self._reserved = 0.0
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """USD that are spent of it; replies that are under way are not counted."""
        return self._spent() - self._before

    @property
    def left(self) -> float:
        """USD that may yet be spent, without what is reserved for replies that are under way."""
        return self.limit - self.spent - self._reserved

    @property
    def name(self) -> str:
        """What it is called in notes and errors."""
        return f"the budget of {labels.money(self.limit)}"

    @contextmanager
    def reserve_for(
        self, request: Request, input_tokens: int, already: float = 0.0
    ) -> Iterator[Request]:
        """Make a request fit into what is left, and reserve what it can cost while it is under way.

        Args:
            request: What is to be sent.
            input_tokens: Its input, counted.
            already: USD that its reply has cost by earlier requests, which no ledger has yet.

        Yields:
            The request that may be sent.

        Raises:
            InputError: It does not fit.
        """

        def lowered(left: float, name: str) -> tuple[Request, float]:
            fits = within_limit(request, input_tokens, left - already, name)
            return fits, already + (estimate(fits, input_tokens).high or 0.0)

        with self.reserve(lowered) as fits:
            yield fits

    @contextmanager
    def reserve(self, lowered: Callable[[float, str], tuple[T, float]]) -> Iterator[T]:
        """Make anything fit into what is left, and reserve that much for it meanwhile.

        Args:
            lowered: Gets what is left in USD and what to call the budget; returns what may be sent
                and what that can cost at most.

        Yields:
            What may be sent.

        Raises:
            InputError: It does not fit.
        """
        with self._lock:
            fits, most = lowered(self.left, self.name)
            self._reserved += most
        try:
            yield fits
        finally:
            with self._lock:
                self._reserved -= most
