"""The columns of usage, for every table that has them: cost and time, tokens by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from claude_nb.cost.usage import Usage, add
from claude_nb.render import caching, labels
from claude_nb.render.table import Table
from claude_nb.streaming.progress import Progress

TOKENS: dict[str, Callable[[Usage], int | None]] = {
    "output": lambda used: used.output_tokens,
    "thinking": lambda used: used.thinking_tokens,
    "input": lambda used: used.input_tokens,
    "cache write": lambda used: used.cache_write_tokens,
    "cache read": lambda used: used.cache_read_tokens,
}
"""The kinds of tokens, as they are named above columns, and how many a request used. Thinking is
part of the output."""

_DASH = labels.seconds(None)


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of a usage table stands for: a request, a reply, or many of them.

    Attributes:
        label: What it is called.
        used: The tokens of each.
        costs: What each cost, in USD; None where that is unknown.
        at_least: Whether one of the costs is a lower bound.
        one_by_one: What a batch would have cost, had its rows been asked one by one.
        total: Seconds until its end.
        first_text: Seconds until its first text.
        requests: How many there were.
        rate: Tokens per second.
    """

    label: str
    used: Sequence[Usage]
    costs: Sequence[float | None]
    at_least: bool = False
    one_by_one: float | None = None
    total: float | None = None
    first_text: float | None = None
    requests: int | None = None
    rate: float | None = None


def _cost(row: Row) -> str:
    cost = total(row.costs, labels.money)
    return lower_bound(cost) if row.at_least else cost


def _tokens(kind: str) -> Callable[[Row], str]:
    return lambda row: total(list(map(TOKENS[kind], row.used)), labels.count)


_COLUMNS: dict[str, Callable[[Row], str]] = {
    "cost": _cost,
    "one by one": lambda row: labels.money(row.one_by_one),
    "total": lambda row: labels.seconds(row.total),
    "requests": lambda row: labels.count(row.requests),
    **{kind: _tokens(kind) for kind in TOKENS},
    "searches": lambda row: total([used.web_searches for used in row.used], labels.count),
    "first text": lambda row: labels.seconds(row.first_text),
    "tokens/s": lambda row: _DASH if row.rate is None else f"{row.rate:,.0f}",
}
"""All columns of usage in their order, with the cell that a row has in each."""

_ALWAYS = ("cost", "output")
"""The columns that stand in every table; the others are left out where they tell nothing."""

_NOTHING = ("0", labels.UNKNOWN, _DASH)


def table(head: str, rows: Sequence[Row], note: str = "") -> Table:
    """A usage table.

    Args:
        head: The head of the column of labels.
        rows: Its rows.
        note: Lines below it; may be empty.
    """
    cells = {name: [cell(row) for row in rows] for name, cell in _COLUMNS.items()}
    shown = [
        name for name in cells if name in _ALWAYS or not all(c in _NOTHING for c in cells[name])
    ]
    columns = [[row.label for row in rows], *(cells[name] for name in shown)]
    return Table((head, *shown), list(zip(*columns, strict=True)), note, breaks=True)


def of_reply(progress: Progress) -> Table | None:
    """The usage table of a reply: a row for each request and their sum, and notes on the cache.

    None where no request was accepted, so that nothing is known.
    """
    if not any(message.accepted for message in progress.messages):
        return None
    rows: list[Row] = []
    asked = [message for message in progress.messages if message.attempts]
    several = len(asked) > 1
    for number, message in enumerate(asked, 1):
        before = f"{number} · " if several else ""
        *declined, answered = message.attempts
        for attempt in declined:
            label = f"{before}{attempt.model} declined"
            rows.append(Row(label, [attempt.usage], [attempt.cost]))
        label = labels.stop_reason(message, progress.outcome)
        is_named = declined or len({each.model for each in asked}) > 1
        row = Row(
            f"{before}{answered.model} · {label}" if is_named else f"{before}{label}",
            [answered.usage],
            [answered.cost],
            bool(message.unpriced),
            total=add(message.ended, -message.sent),
            first_text=add(message.first_text, -message.sent),
        )
        rows.append(row)
    if len(rows) > 1:
        rows.append(whole("all", progress))
    notes = filter(None, (unpriced_note(progress.unpriced), *caching.lines(progress)))
    return table("stop reason", rows, "\n".join(notes))


def whole(label: str, progress: Progress) -> Row:
    """The row of a whole reply, with all its requests.

    Args:
        label: What it is called.
        progress: The reply.
    """
    timing = progress.timing
    return Row(
        label,
        [progress.usage],
        [progress.cost],
        bool(progress.unpriced),
        total=timing.total,
        first_text=timing.first_text,
    )


def lower_bound(price: str) -> str:
    """A price as a lower bound, with a plus."""
    return price if price.endswith("+") or price == labels.UNKNOWN else f"{price}+"


def unpriced_note(terms: Sequence[str]) -> str:
    """The line below a usage table whose cost is a lower bound; empty for none."""
    if not terms:
        return ""
    return f"+: the cost is a lower bound; the price list does not cover {', '.join(terms)}."


def not_paid_again(costs: Sequence[float | None]) -> str:
    """The line below a usage table on kept answers.

    Args:
        costs: What each had cost when it was given, in USD; None for what is not known.
    """
    kept = labels.counted(len(costs), "kept answer")
    return f"{total(costs, labels.money)} not paid again: {kept}."


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
