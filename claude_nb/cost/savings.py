"""What the cache was worth: tokens that went through it, at their price and at that of input."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass

from claude_nb.cost.models import ModelFacts, Price
from claude_nb.cost.usage import MILLION, Usage, add


@dataclass(frozen=True, slots=True)
class Savings:
    """The cached input of a request, or of several added up. What is not known is None.

    Attributes:
        read_tokens: Input read from the cache.
        written_tokens: Input written to it.
        read_cost: What was paid for what was read, in USD.
        written_cost: What was paid for what was written, in USD.
        read_uncached: What the tokens that were read would have cost as input, in USD.
        written_uncached: What the tokens that were written would have cost as input, in USD.
    """

    read_tokens: int | None = 0
    written_tokens: int | None = 0
    read_cost: float | None = 0.0
    written_cost: float | None = 0.0
    read_uncached: float | None = 0.0
    written_uncached: float | None = 0.0

    @classmethod
    def of(cls, used: Usage, known: ModelFacts | None) -> Savings:
        """The cached input of one request.

        Args:
            used: Its tokens.
            known: The model that answered; its prices may depend on the size of the prompt.
        """
        total = used.total_input_tokens
        price = known.price_for(total) if known and total is not None else None
        read, written = used.cache_read_tokens, used.cache_write_tokens
        rates: dict[str, float | None] = {}
        if known and price:
            factor = used.factor(known)
            rates = {name: rate and rate * factor for name, rate in asdict(price).items()}
        return cls(
            read,
            written,
            _dollars(read, rates.get("cache_read")),
            add(
                _dollars(used.cache_write_5m_tokens, rates.get("cache_write_5m")),
                _dollars(used.cache_write_1h_tokens, rates.get("cache_write_1h")),
            ),
            _dollars(read, rates.get("input")),
            _dollars(written, rates.get("input")),
        )

    def __add__(self, other: Savings) -> Savings:
        """Both together; what is unknown in one of them is unknown in the sum."""
        return Savings(*map(add, astuple(self), astuple(other)))

    @property
    def saved(self) -> float | None:
        """What the cache saved, in USD; below 0 where writing it has not yet paid for itself."""
        _, _, read, written, read_uncached, written_uncached = astuple(self)
        if None in (read, written, read_uncached, written_uncached):
            return None
        return float(read_uncached - read + written_uncached - written)


def payback(price: Price, ttl: str) -> int | None:
    """After how many reads what was written to the cache has cost less than without a cache.

    Args:
        price: The price of the model for a prompt of that size.
        ttl: ``"5m"`` or ``"1h"``.

    Returns:
        At least 1; None where a price is not known, or reading saves nothing.
    """
    write = price.cache_write_1h if ttl == "1h" else price.cache_write_5m
    if write is None or price.cache_read is None or price.cache_read >= price.input:
        return None
    return max(1, math.ceil((write - price.input) / (price.input - price.cache_read) - 1e-9))


def _dollars(tokens: int | None, rate: float | None) -> float | None:
    """The price of so many tokens; none cost nothing, whatever the price is."""
    if tokens == 0:
        return 0.0
    return None if tokens is None or rate is None else tokens * rate / MILLION
