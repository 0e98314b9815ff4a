"""Tokens and what they cost: plain arithmetic, in which unknown stays unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, TypeVar

from claude_nb.cost.models import ModelFacts

MILLION = 1_000_000

T = TypeVar("T", int, float)

_USUAL = {
    "inference_geo": ("global", "not_available"),
    "service_tier": ("standard", "batch"),
    "speed": ("standard",),
}
"""The values that change no price (the SDK's ``Usage``; documentation, "Data residency")."""

TERMS = tuple(_USUAL)
"""What ``usage`` names of how a whole request was answered."""

_LONGEST_TERM = 40

_MOST = 10**12
"""Tokens that no request has: a larger count is none."""


def add(a: T | None, b: T | None) -> T | None:
    """The sum of two numbers; None if one of them is None, which is unknown."""
    return None if a is None or b is None else a + b


def known(compute: Callable[[Any], float], values: Iterable[float | None]) -> float | None:
    """Compute something from numbers; None if one of them is not known."""
    numbers = list(values)
    return None if None in numbers else compute(numbers)


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one request, or of several added up.

    The API counts the input in three parts that do not overlap: read from the cache, written to
    it, and the rest. None means unknown, as the output of an interrupted request is: the count in
    ``message_start`` is a placeholder, the true one comes at the end of the stream.

    Attributes:
        input_tokens: Input that was neither read from the cache nor written to it.
        cache_write_5m_tokens: Input written to the cache for five minutes.
        cache_write_1h_tokens: Input written to the cache for one hour.
        cache_read_tokens: Input read from the cache.
        output_tokens: All output, thinking included.
        thinking_tokens: The part of the output that was thinking.
        web_searches: Searches of the server's ``web_search``, which are paid for each.
        terms: What the API's ``usage`` names beside counts and may change the price, each once:
            ``"speed fast"``, ``"inference_geo us"``, ``"service_tier priority"``, or a count of
            which no price is known, such as ``"code_execution_requests"``.
    """

    input_tokens: int | None = 0
    cache_write_5m_tokens: int | None = 0
    cache_write_1h_tokens: int | None = 0
    cache_read_tokens: int | None = 0
    output_tokens: int | None = 0
    thinking_tokens: int | None = 0
    web_searches: int | None = 0
    terms: tuple[str, ...] = ()

    @classmethod
    def unknown(cls) -> Usage:
        """The usage of a request without any counts."""
        counts: dict[str, Any] = dict.fromkeys(COUNTS)
        return cls(**counts)

    @classmethod
    def from_api(cls, usage: dict[str, Any], *, complete: bool) -> Usage:
        """Read the API's ``usage`` object.

        Args:
            usage: ``message_start``'s usage, overwritten by that of each ``message_delta``.
            complete: Whether the count at the end of the stream came; the output count before it
                is a placeholder.
        """
        if _count(usage, "input_tokens") is None:
            return cls.unknown()
        split = usage.get("cache_creation")
        hour = _count(split, "ephemeral_1h_input_tokens") or 0
        minutes = _count(split, "ephemeral_5m_input_tokens") or 0
        written = _count(usage, "cache_creation_input_tokens")
        written = hour + minutes if written is None else written
        hour = min(hour, written)
        output = _count(usage, "output_tokens") if complete else None
        details = usage.get("output_tokens_details")
        tools = usage.get("server_tool_use")
        return cls(
            input_tokens=_count(usage, "input_tokens"),
            cache_write_5m_tokens=written - hour,
            cache_write_1h_tokens=hour,
            cache_read_tokens=_count(usage, "cache_read_input_tokens") or 0,
            output_tokens=output,
            thinking_tokens=None if output is None else _count(details, "thinking_tokens"),
            web_searches=_count(tools, "web_search_requests") or 0,
            terms=tuple(_terms(usage, tools)),
        )

    def __add__(self, other: Usage) -> Usage:
        """Both together; what is unknown in one of them is unknown in the sum."""
        counts: dict[str, Any] = {n: add(getattr(self, n), getattr(other, n)) for n in COUNTS}
        return Usage(**counts, terms=tuple(sorted({*self.terms, *other.terms})))

    @property
    def cache_write_tokens(self) -> int | None:
        """Input written to the cache, for five minutes or an hour."""
        return add(self.cache_write_5m_tokens, self.cache_write_1h_tokens)

    @property
    def total_input_tokens(self) -> int | None:
        """The whole prompt: read from the cache, written to it, and the rest."""
        return add(add(self.input_tokens, self.cache_write_tokens), self.cache_read_tokens)

    def cost(self, facts: ModelFacts | None, share: float = 1.0) -> float | None:
        """The cost in USD, or None if a count or the price is unknown.

        It is a lower bound where ``unpriced`` names something.

        Args:
            facts: The model that answered; its prices may depend on the size of the prompt.
            share: The part of the price of tokens that is paid: less than 1 in a batch, in which
                searches cost what they always cost (documentation, "Web search").
        """
        total = self.total_input_tokens
        price = facts.price_for(total) if facts and total is not None else None
        if facts is None or price is None:
            return None
        dollars = Decimal()
        for tokens, rate in (
            (self.input_tokens, price.input),
            (self.cache_write_5m_tokens, price.cache_write_5m),
            (self.cache_write_1h_tokens, price.cache_write_1h),
            (self.cache_read_tokens, price.cache_read),
            (self.output_tokens, price.output),
        ):
            if tokens is None or (tokens and rate is None):
                return None
            dollars += tokens * Decimal(str(rate or 0))  # in decimals, as prices are written
        dollars *= Decimal(str(share)) * Decimal(str(self.factor(facts)))
        searches, search_rate = self.web_searches, facts.web_search_per_1000
        if searches is None or (searches and search_rate is None):
            return None
        searched = searches * Decimal(str(search_rate or 0)) / 1000
        return float(dollars / MILLION + searched)

    def factor(self, facts: ModelFacts) -> float:
        """What its terms multiply the price of its tokens by.

        Args:
            facts: The model that answered.
        """
        return math.prod(facts.factors.get(term, 1) for term in self.terms)

    def unpriced(self, facts: ModelFacts | None) -> tuple[str, ...]:
        """The terms without a known price; if there are any, the cost is a lower bound.

        Args:
            facts: The model that answered.
        """
        factors = facts.factors if facts else {}
        return tuple(term for term in self.terms if term not in factors)


_BILLED = frozenset({"bio", "frontier_llm", "reasoning_extraction"})
"""Categories in which a refusal is billed even before any output (platform.claude.com/docs,
"Refusals and fallback", read 2026-09-26)."""


def is_billed(category: Any) -> bool:
    """Whether a refusal before any output is billed.

    Args:
        category: That of ``stop_details``; None where the server names none.
    """
    return isinstance(category, str) and category in _BILLED


COUNTS = tuple(found.name for found in fields(Usage) if found.name != "terms")
"""The names of the counts of ``Usage``, in their order."""


def _count(usage: Any, name: str) -> int | None:
    """A token count as a server sent it: gateways leave counts out, or send something else."""
    value = usage.get(name) if isinstance(usage, dict) else None
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
    return value if is_count else None


def _terms(usage: dict[str, Any], tools: Any) -> Iterator[str]:
    """What a usage object names beside the counts that are priced."""
    for name, usual in _USUAL.items():
        value = usage.get(name)
        if isinstance(value, str) and value and value not in usual and value.isprintable():
            yield f"{name} {value[:_LONGEST_TERM]}"
    for name in tools if isinstance(tools, dict) else ():
        if name not in ("web_search_requests", "web_fetch_requests") and _count(tools, name):
            yield str(name)[:_LONGEST_TERM]
