"""The columns of usage, for every table that has them: tokens by kind, cost and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

from claude_nb.cost.usage import Usage
from claude_nb.render import labels
from claude_nb.streaming.progress import Progress

TOKENS: dict[str, Callable[[Usage], int | None]] = {
    "input": lambda used: used.input_tokens,
    "cache write": lambda used: used.cache_write_tokens,
    "cache read": lambda used: used.cache_read_tokens,
    "output": lambda used: used.output_tokens,
    "of it thinking": lambda used: used.thinking_tokens,
}
"""The kinds of tokens, as they are named above columns, and how many a request used."""

SEARCHES = "searches"
"""The column of searches of the server's ``web_search``; ``without_empty`` leaves it out."""

_COUNTS: dict[str, Callable[[Usage], int | None]] = {
    **TOKENS,
    SEARCHES: lambda used: used.web_searches,
}

IN_SUMS = (*(kind for kind in _COUNTS if kind != "of it thinking"), "cost")
"""The columns of tables in which a row stands for many requests."""

OF_REPLY = (*_COUNTS, "cost", "first text", "total")
"""The columns of tables in which a row stands for a reply, or for one of its requests."""


def sums(
    used: Sequence[Usage], costs: Sequence[float | None], *, at_least: bool = False
) -> tuple[str, ...]:
    """The cells of ``IN_SUMS``.

    Args:
        used: What each request used.
        costs: What each cost.
        at_least: Whether one of the costs is a lower bound.
    """
    counts = (total(list(map(_COUNTS[kind], used)), labels.count) for kind in IN_SUMS[:-1])
    cost = total(costs, labels.money)
    return *counts, lower_bound(cost) if at_least else cost


def of_reply(
    used: Usage,
    cost: float | None,
    first: float | None,
    end: float | None,
    *,
    at_least: bool = False,
) -> tuple[str, ...]:
    """The cells of ``OF_REPLY``.

    Args:
        used: What it used.
        cost: In USD.
        first: Seconds until its first text.
        end: Seconds until its end.
        at_least: Whether the cost is a lower bound.
    """
    counts = (labels.count(count(used)) for count in _COUNTS.values())
    price = labels.money(cost)
    shown = lower_bound(price) if at_least else price
    return *counts, shown, labels.seconds(first), labels.seconds(end)


def lower_bound(price: str) -> str:
    """A price as a lower bound, with a plus."""
    return price if price.endswith("+") or price == labels.UNKNOWN else f"{price}+"


def without_empty(
    lines: Sequence[tuple[str, ...]], columns: Sequence[str] = (SEARCHES,)
) -> list[tuple[str, ...]]:
    """The lines of a table without those of the named columns that hold no count above 0.

    Args:
        lines: The cells, those of the head first.
        columns: The heads of the columns that may be left out.
    """
    heads, *rows = lines
    kept = [
        head not in columns or any(row[number] not in ("0", labels.UNKNOWN) for row in rows)
        for number, head in enumerate(heads)
    ]
    return [tuple(compress(line, kept)) for line in lines]


def unpriced_note(terms: Sequence[str]) -> str:
    """The line below a usage table whose cost is a lower bound; empty for none."""
    if not terms:
        return ""
    return f"+: the cost is a lower bound; the price list does not cover {', '.join(terms)}."


def price(progress: Progress) -> str:
    """What a reply cost, with a plus if that is a lower bound, for a line of text."""
    if progress.cost is None:
        return "cost unknown"
    cost = labels.money(progress.cost)
    return lower_bound(cost) if progress.unpriced else cost


def total(values: Sequence[Any], label: Callable[[Any], str]) -> str:
    """A sum as text, with a plus if one of its parts is unknown.

    Args:
        values: The numbers, None for unknown ones.
        label: Makes a number, or None, a text.
    """
    known = [value for value in values if value is not None]
    if len(known) == len(values):
        return label(sum(known))
    return f"{label(sum(known))}+" if any(known) else label(None)
