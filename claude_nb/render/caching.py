"""The notes on the cache: tokens read and written, what that saved, why it was missed."""

from __future__ import annotations

import re
from collections.abc import Callable

from claude_nb.cost.models import facts
from claude_nb.cost.savings import payback
from claude_nb.render import labels
from claude_nb.request.cache_miss import CacheMiss
from claude_nb.request.system import Difference
from claude_nb.streaming.progress import Progress

KEPT = {"5m": "5 minutes", "1h": "an hour"}
"""How long an entry is kept after its last use."""

_SHOWN = 40
"""Characters of a changed line that are shown."""

_TIME = re.compile(r"\b\d{1,2}:\d\d\b|\b\d{4}-\d\d-\d\d\b")


def lines(progress: Progress) -> list[str]:
    """The lines below the usage table, for a reply that used the cache or was meant to."""
    miss = progress.cache_miss
    return list(filter(None, [worth(progress), why(miss) if miss else ""]))


def worth(progress: Progress) -> str:
    """The tokens read and written, their cost, and what was saved; empty if there were none."""
    used = progress.savings
    read, written = used.read_tokens, used.written_tokens
    if not read and not written:
        return ""
    parts = []
    if read:
        cost = for_price(used.read_cost, used.read_uncached)
        parts.append(f"{labels.counted(read, 'token')} read{cost}")
    if written:
        tokens = labels.count(written) if read else labels.counted(written, "token")
        parts.append(f"{tokens} written{for_price(used.written_cost)}")
    if used.saved is None:
        parts.append("what it saved is unknown")
    elif used.saved > 0:
        parts.append(f"saved {labels.money(used.saved)}")
    elif used.saved < 0:
        parts.append(f"{labels.money(-used.saved)} more than uncached")
        if not read and (reads := _payback(progress)):
            parts.append(f"pays for itself after {labels.counted(reads, 'read')}")
    return f"cache: {' · '.join(parts)}"


def for_price(cost: float | None, instead_of: float | None = None) -> str:
    """What is paid, as the end of a phrase: `` for $0.0001 instead of $0.0010``.

    Args:
        cost: In USD; None where it is unknown, which gives an empty text.
        instead_of: What it would cost otherwise; None where that is unknown.
    """
    if cost is None:
        return ""
    otherwise = "" if instead_of is None else f" instead of {labels.money(instead_of)}"
    return f" for {labels.money(cost)}{otherwise}"


def why(miss: CacheMiss) -> str:
    """Why less was read than possible."""
    reason = _WHY[miss.reason](miss)
    if miss.reason in ("under_minimum", "not_cached"):
        return f"cache: {reason}"
    missed = "read in part" if miss.partial else "not read"
    source = "the server says that " if miss.by_server else ""
    return f"cache: {missed} · {source}{reason}"


def changed(found: Difference | None) -> str:
    """The first difference between two system prompts."""
    if found is None:
        return "its parts are split differently"
    place = f"{found.part}, line {found.line}"
    if not found.before or not found.after:
        what = "was taken out" if found.before else "is new"
        return f"{place} {what}: “{_around(found.before or found.after, 0)}”"
    both = zip(found.before, found.after, strict=False)
    at = next((n for n, (a, b) in enumerate(both) if a != b), 0)
    was, now = _around(found.before, at), _around(found.after, at)
    timed = _TIME.search(found.before) and _TIME.search(found.after)
    hint = " (a time or a date makes it different each time)" if timed else ""
    return f"{place}: “{was}” became “{now}”{hint}"


def _around(line: str, at: int) -> str:
    """A line, or the part of a long one around a place."""
    if len(line) <= _SHOWN:
        return line
    start = max(0, min(at - _SHOWN // 2, len(line) - _SHOWN))
    end = start + _SHOWN
    before, after = "…" if start else "", "…" if end < len(line) else ""
    return f"{before}{line[start:end]}{after}"


def _payback(progress: Progress) -> int | None:
    message, expectation = progress.accepted, progress.expectation
    known = facts(message.model) if message else None
    total = progress.usage.total_input_tokens
    price = known.price_for(total) if known and total is not None else None
    return payback(price, expectation.sent.ttl) if price and expectation else None


def _expired(miss: CacheMiss) -> str:
    ago = labels.seconds(float(miss.before or 0))
    return f"last used {ago} ago, and kept for {KEPT[miss.what]}"


def _under_minimum(miss: CacheMiss) -> str:
    has, minimum = labels.count(int(miss.after or 0)), labels.count(int(miss.before or 0))
    return f"nothing is cached: the prompt has {has} tokens, and the model caches {minimum} or more"


def _model(miss: CacheMiss) -> str:
    if miss.before is None:
        return "the model changed"
    return f"each model has its own cache, and {miss.before} became {miss.after}"


def _settings(miss: CacheMiss) -> str:
    what = "the effort" if miss.what == "effort" else miss.what
    change = f"{what} went from {miss.before} to {miss.after}"
    cached = "the messages are" if miss.partial else "the whole prompt is"
    return f"{cached} cached for one setting, and {change}"


def _system(miss: CacheMiss) -> str:
    if miss.by_server and miss.difference is None:
        return "the system prompt changed"
    return f"the system prompt changed: {changed(miss.difference)}"


_WHY: dict[str, Callable[[CacheMiss], str]] = {
    "model_changed": _model,
    "tools_changed": lambda _: "the tools changed",
    "system_changed": _system,
    "settings_changed": _settings,
    "messages_changed": lambda miss: (
        f"message {miss.after} has changed" if miss.after else "earlier messages changed"
    ),
    "expired": _expired,
    "not_yet_usable": lambda _: "the request that writes it was still running",
    "out_of_reach": lambda _: (
        "the written prefix ends more than 20 blocks before the next mark, too far away"
    ),
    "under_minimum": _under_minimum,
    "not_cached": lambda _: (
        "nothing is cached, and the server does not say why; not every model or gateway caches"
    ),
    "unknown": lambda _: "the request is the same, and the server does not say why",
}
