"""``%claude_nb usage`` and ``%claude_nb models``: what was spent, and what there is to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from claude_nb.client.connection import list_models
from claude_nb.client.engine import call
from claude_nb.cost.models import DEFAULT_MODEL, ModelFacts, as_of, facts, models_by_use, own_prices
from claude_nb.errors import ClaudeError, InputError, nearest
from claude_nb.render import labels
from claude_nb.render.chart import Chart
from claude_nb.render.table import Table
from claude_nb.render.usage import IN_SUMS, sums, unpriced_note, without_empty
from claude_nb.request.request import EFFORTS
from claude_nb.session.ledger import Entry
from claude_nb.session.session import session

BY = ("model", "conversation", "cell")
"""What ``%claude_nb usage`` can be grouped by."""

_PRICE_HEADS = (
    *("model", "offered", "prompt", "input", "output"),
    *("write 5 min", "write 1 h", "read", "batch", "as of"),
)
_LIMIT_HEADS = ("model", "context", "max output", "cached from", "thinking", "effort", "takes")

_SUPPORTED = {
    "image_input": "images",
    "pdf_input": "PDF",
    "citations": "citations",
    "structured_outputs": "structured outputs",
    "batch": "batches",
    "code_execution": "tools called from code",
    "context_management": "context management",
}
_SERVER_TOOLS = {"web_search": "web search", "code_execution": "code execution"}
"""The API's names of what a model can take (``ModelCapabilities`` of the SDK), in words."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a command shows: parts below each other, in a notebook and in a terminal.

    Attributes:
        parts: Each with its own HTML and text.
    """

    parts: tuple[Table | Chart, ...]

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self.parts)

    def __repr__(self) -> str:
        return "\n\n".join(filter(None, map(repr, self.parts)))


def usage(*words: str) -> Report:
    """What this kernel's requests used and cost.

    Args:
        *words: What was typed: ``by`` and one of ``BY``, or nothing, which is by model.

    Raises:
        InputError: There is no such grouping, or the user's price file cannot be used.
    """
    by = " ".join(words).removeprefix("by ") or BY[0]
    if by not in BY:
        near = nearest(by, BY)
        hint = f"Did you mean by {near}?" if near else f"It takes by {', '.join(BY)}."
        raise InputError(f"%claude_nb usage cannot be grouped by {by!r}.", hint)
    entries = list(session.ledger.entries)
    rows: list[tuple[str, ...]] = []
    for simulated in (False, True):
        mark = " (simulated)" if simulated else ""
        chosen = [entry for entry in entries if entry.simulated is simulated]
        groups: dict[str | int, list[Entry]] = {}
        for entry in chosen:
            groups.setdefault(_group(entry, by), []).append(entry)
        rows += [_used(_name(group[-1], by) + mark, group) for group in groups.values()]
        if len(groups) > 1:
            rows.append(_used(f"all{mark}", chosen))
    heads, *rows = without_empty([(by, "requests", *IN_SUMS), *rows])
    table = Table(heads, rows, _usage_note(entries) if rows else "No requests yet.")
    return Report((table, Chart([(entry.when, entry.usage) for entry in entries])))


def _group(entry: Entry, by: str) -> str | int:
    """What the entries of a group have in common; a cell is the same one when it runs again."""
    if by == "cell":
        return entry.cell or entry.execution
    return entry.conversation if by == "conversation" else entry.model


def _name(entry: Entry, by: str) -> str:
    """What a group is called, after its newest entry."""
    if by == "cell":
        return f"[{entry.execution}]" if entry.execution else "outside a notebook"
    if by == "conversation":
        return entry.conversation or "no conversation"
    return entry.model


def _used(name: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    used, costs = [entry.usage for entry in entries], [entry.cost for entry in entries]
    requests = labels.count(sum(entry.requests for entry in entries))
    at_least = any(entry.unpriced for entry in entries)
    return name, requests, *sums(used, costs, at_least=at_least)


def _usage_note(entries: Iterable[Entry]) -> str:
    path, _ = own_prices()
    notes = [f"Prices as of {as_of()}" + (f", and from {path}." if path else ".")]
    if any(entry.simulated for entry in entries):
        notes.append("Simulated: what real requests of that length would have cost.")
    if any(entry.cost is None for entry in entries):
        notes.append("+: and more, which is not known.")
    elif terms := sorted({term for entry in entries for term in entry.unpriced}):
        notes.append(unpriced_note(terms))
    return " ".join(notes)


def models(*, default_model: str = DEFAULT_MODEL) -> Report:
    """The models that the API has, and those of our own list, with prices, limits and dates.

    Where the API cannot be asked, it is our own list, and says so.

    Args:
        default_model: The model that ``%%claude`` asks by default: it comes first.

    Raises:
        InputError: The user's price file cannot be used.
    """
    _, own = own_prices()
    listed, listed_by = _listed()
    known = {found.id for model_id in listed if (found := facts(model_id))}
    ids = [*listed, *(model_id for model_id in models_by_use() if model_id not in known)]
    ids.sort(key=lambda model_id: model_id != default_model)
    prices = [row for model_id in ids for row in _prices(model_id, listed, own)]
    limits = [_limits(model_id, listed.get(model_id, {})) for model_id in ids]
    if ids[0] == default_model:
        prices[0] = (f"{prices[0][0]} (default)", *prices[0][1:])
    price_heads: tuple[str, ...] = _PRICE_HEADS
    limit_heads: tuple[str, ...] = _LIMIT_HEADS
    if not listed:  # what only the API could have said is left out
        price_heads, prices = price_heads[:1] + price_heads[2:], [r[:1] + r[2:] for r in prices]
        limit_heads, limits = limit_heads[:5], [row[:5] for row in limits]
    words_at = (0, 1, 2) if listed else (0, 1)
    note = (
        "In tokens; a prompt that is shorter than “cached from” is silently not cached."
        " Other ids are passed on as typed."
    )
    return Report(
        (
            Table(price_heads, prices, _price_note(ids, listed_by), words_at),
            Table(limit_heads, limits, note, (0, 4, 5, 6)),
        )
    )


def _listed() -> tuple[dict[str, dict[str, Any]], str]:
    """The API's models by id, and where the list comes from."""
    if session.simulated:
        return {}, "The simulator answers, so the API was not asked: this is our own list."
    try:
        found = call(list_models(session.connection()))
    except ClaudeError as error:
        return {}, f"The API could not be asked ({error.what.rstrip('.')}): this is our own list."
    listed = {str(info["id"]): info for info in found if info.get("id")}
    if not listed:
        return {}, "The API lists no models: this is our own list."
    return listed, "As the API lists them."


def _prices(
    model_id: str, listed: dict[str, dict[str, Any]], own: frozenset[str]
) -> list[tuple[str, ...]]:
    """A row for each size of prompt."""
    model = facts(model_id)
    tiers = model.prices if model else ()
    name, offered = model_id, _offered(listed.get(model_id))
    discount = model.batch_discount if model else None
    batch = labels.UNKNOWN if discount is None else f"−{discount * 100:g} %"
    read = (model.read if model else None) or "–"
    if own & {model_id, model.id if model else ""}:
        read = "yours" if read == "–" else f"yours, {read}"
    if model is None or not tiers:
        return [(name, offered, "", *[labels.UNKNOWN] * 5, batch, read if model else "–")]
    rows = []
    for number, tier in enumerate(tiers):
        limit = tier.up_to_input_tokens
        size = "above" if number else "any size"
        size = size if limit is None else f"to {labels.count(limit)}"
        rates = (tier.input, tier.output, tier.cache_write_5m, tier.cache_write_1h, tier.cache_read)
        first = (name, offered) if number == 0 else ("", "")
        last = (batch, read) if number == 0 else ("", "")
        rows.append((*first, size, *map(_rate, rates), *last))
    return rows


def _rate(usd: float | None) -> str:
    """A price for a million tokens: ``$12.50``, ``$0.125``."""
    if usd is None:
        return labels.UNKNOWN
    return f"${usd:,.2f}" if round(usd, 2) == usd else f"${usd:,g}"


def _offered(info: dict[str, Any] | None) -> str:
    """Whether the API offers a model, and until when."""
    if info is None:
        return "not listed"
    until = str(info.get("retires_at") or "")[:10]
    return str(info.get("lifecycle") or "yes") + (f", until {until}" if until else "")


def _price_note(ids: Sequence[str], listed: str) -> str:
    """Where the prices come from, the source of most of them first."""
    sources: dict[str, list[ModelFacts]] = {}
    for model in filter(None, map(facts, ids)):
        if model.prices:
            sources.setdefault(model.source, []).append(model)
    lines = [f"{listed} Prices in USD per million tokens, last gone through on {as_of()}."]
    most = max(sources, key=lambda source: len(sources[source]), default="")
    for source in sorted(sources, key=lambda source: source != most):
        priced = ", ".join(model.id for model in sources[source]) if source != most else "Prices"
        lines.append(f"{priced}: {source}.")
    return "\n".join(lines)


def _limits(model_id: str, info: dict[str, Any]) -> tuple[str, ...]:
    """What a model takes: as the API says, or else as our own list does."""
    model = facts(model_id)
    can = _part(info, "capabilities")
    types = _supported(_part(_part(can, "thinking"), "types")) or (model and model.thinking_types)
    efforts = _supported(_part(can, "effort"))
    takes = [label for name, label in _SUPPORTED.items() if name in _supported(can)]
    tools = _supported(_part(can, "server_tools"))
    takes += [label for name, label in _SERVER_TOOLS.items() if name in tools]
    window = _count(info, "max_input_tokens") or (model.context_window if model else None)
    output = _count(info, "max_tokens") or (model.max_output_tokens if model else None)
    return (
        model_id,
        labels.count(window),
        labels.count(output),
        labels.count(model.cache_minimum_tokens if model else None),
        ", ".join(types or ()) or labels.UNKNOWN,
        _range([level for level in EFFORTS if level in efforts]) or labels.UNKNOWN,
        ", ".join(takes) or labels.UNKNOWN,
    )


def _range(levels: Sequence[str]) -> str:
    """Levels of effort in words: from the lowest to the highest, if none between is missing."""
    if len(levels) > 2 and EFFORTS.index(levels[-1]) - EFFORTS.index(levels[0]) < len(levels):
        return f"{levels[0]} to {levels[-1]}"
    return ", ".join(levels)


def _supported(can: dict[str, Any]) -> list[str]:
    """The names of what is supported, in an object of the API's ``CapabilitySupport``."""
    return [name for name in can if _part(can, name).get("supported") is True]


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    part = value.get(name)
    return part if isinstance(part, dict) else {}


def _count(info: dict[str, Any], name: str) -> int | None:
    value = info.get(name)
    return value if isinstance(value, int) and value > 0 else None
