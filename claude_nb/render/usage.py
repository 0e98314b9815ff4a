"""The columns of usage, for every table that has them: tokens by kind, cost and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from claude_nb.cost.usage import Usage
from claude_nb.render import labels

TOKENS: dict[str, Callable[[Usage], int | None]] = {
    "input": lambda used: used.input_tokens,
    "cache write": lambda used: used.cache_write_tokens,
    "cache read": lambda used: used.cache_read_tokens,
    "output": lambda used: used.output_tokens,
    "of it thinking": lambda used: used.thinking_tokens,
}
"""The kinds of tokens, as they are named above columns, and how many a request used."""

IN_SUMS = (*(kind for kind in TOKENS if kind != "of it thinking"), "cost")
"""The columns of tables in which a row stands for many requests."""

OF_REPLY = (*TOKENS, "cost", "first text", "total")
"""The columns of tables in which a row stands for a reply, or for one of its requests."""


def sums(used: Sequence[Usage], costs: Sequence[float | None]) -> tuple[str, ...]:
    """The cells of ``IN_SUMS``, for what requests used together and what each cost."""
    counts = (total(list(map(TOKENS[kind], used)), labels.count) for kind in IN_SUMS[:-1])
    return *counts, total(costs, labels.money)


def of_reply(
    used: Usage, cost: float | None, first: float | None, end: float | None
) -> tuple[str, ...]:
    """The cells of ``OF_REPLY``; the seconds until the first text and until the end are given."""
    counts = (labels.count(tokens(used)) for tokens in TOKENS.values())
    return *counts, labels.money(cost), labels.seconds(first), labels.seconds(end)


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
