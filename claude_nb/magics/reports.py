"""``%claude_nb usage`` and ``%claude_nb models``: what was spent, and what there is to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Any

from claude_nb.client.capabilities import part, supported
from claude_nb.client.connection import list_models
from claude_nb.client.engine import call
from claude_nb.cost import days
from claude_nb.cost.models import (
    DEFAULT_MODEL,
    ModelFacts,
    Price,
    as_of,
    facts,
    models_by_use,
    own_prices,
    today,
    unknown,
)
from claude_nb.errors import ClaudeError, InputError, either, nearest
from claude_nb.render import labels
from claude_nb.render.chart import Chart
from claude_nb.render.table import Table
from claude_nb.render.usage import Row, not_paid_again, table, unpriced_note
from claude_nb.request.request import EFFORTS
from claude_nb.session.ledger import Entry
from claude_nb.session.session import session

BY = ("model", "conversation", "cell", "day")
"""What ``%claude_nb usage`` can be grouped by."""

_HEADS = ("model", "input", "output", "write", "read", "limits", "thinks", "effort")
_TEXTS = ("model", "thinks", "effort")
"""The columns of the models, and those that are aligned to the left."""

_STAGES = ("active", "deprecated", "retired")


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
        hint = f"Did you mean by {near}?" if near else f"Use by {either(BY)}."
        raise InputError(f"%claude_nb usage cannot be grouped by {by!r}.", hint)
    entries = list(session.ledger.entries)
    rows: list[Row] = []
    for simulated in (False, True):
        mark = " (simulated)" if simulated else ""
        chosen = [entry for entry in entries if entry.simulated is simulated]
        groups: dict[str | int, list[Entry]] = {}
        for entry in sorted(chosen, key=attrgetter("when")) if by == "day" else chosen:
            groups.setdefault(_group(entry, by), []).append(entry)
        rows += [_used(_name(group[-1], by) + mark, group) for group in groups.values()]
        if len(groups) > 1:
            rows.append(_used(f"all{mark}", chosen))
    notes = [_usage_note(entries) if rows else "No requests yet."]
    notes += [days.note()] if rows and by == "day" else []
    if kept := list(session.ledger.kept):
        notes.append(not_paid_again([entry.cost for entry in kept]))
    shown = table(by, rows, " ".join(notes))
    return Report((shown, Chart([(entry.when, entry.usage) for entry in entries])))


def _group(entry: Entry, by: str) -> str | int:
    """What the entries of a group have in common; a cell is the same one when it runs again."""
    if by == "cell":
        return entry.cell or entry.execution
    if by == "day":
        return days.local_day(entry.when)
    return entry.conversation if by == "conversation" else entry.model


def _name(entry: Entry, by: str) -> str:
    """What a group is called, after its newest entry."""
    if by == "cell":
        return f"[{entry.execution}]" if entry.execution else "outside a notebook"
    if by == "conversation":
        return entry.conversation or "no conversation"
    return days.local_day(entry.when) if by == "day" else entry.model


def _used(name: str, entries: Sequence[Entry]) -> Row:
    return Row(
        name,
        [entry.usage for entry in entries],
        [entry.cost for entry in entries],
        any(entry.unpriced for entry in entries),
        requests=sum(entry.requests for entry in entries),
    )


def _usage_note(entries: Iterable[Entry]) -> str:
    path, _ = own_prices()
    notes = [f"Prices as of {as_of()}" + (f", and from {path}." if path else ".")]
    if any(entry.simulated for entry in entries):
        notes.append("Simulated: what real requests of that length would have cost.")
    if any(entry.cost is None for entry in entries):
        notes.append("+: at least this much; the rest is unknown.")
    elif terms := sorted({term for entry in entries for term in entry.unpriced}):
        notes.append(unpriced_note(terms))
    return " ".join(notes)


def models(*, default_model: str = DEFAULT_MODEL) -> Table:
    """The models that there are to ask: current ones first, the default before all.

    Args:
        default_model: The model that ``%%claude`` asks by default.

    Raises:
        InputError: The user's price file cannot be used.
    """
    own_prices()
    default = session.model or default_model
    listed, listed_by = _listed()
    ids = sorted(listed, key=lambda found: _STAGES.index(_stage(found, listed[found])))
    ids = ids or models_by_use(default)
    ids.sort(key=lambda model_id: model_id != default)
    rows = [row for model_id in ids for row in _rows(model_id, listed.get(model_id, {}), default)]
    kept = [n for n, head in enumerate(_HEADS) if n == 0 or any(row[n] for row in rows)]
    heads, *rows = [tuple(row[n] for n in kept) for row in (_HEADS, *rows)]
    left = tuple(number for number, head in enumerate(heads) if head in _TEXTS)
    return Table(heads, rows, "\n".join([*listed_by, *_models_notes(ids)]), left)


def _listed() -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The server's models by id, and what to say of the list."""
    if session.simulated:
        return {}, ["The simulator answers: these are the models that claude_nb knows."]
    connection = session.connection()
    try:
        found = call(list_models(connection))
    except ClaudeError as error:
        ours = "these are the models that claude_nb knows"
        return {}, [f"The API could not be asked ({error.what.rstrip('.')}): {ours}."]
    listed = {str(info["id"]): info for info in found if info.get("id")}
    if not listed:
        return {}, ["The API lists no models; these are the models that claude_nb knows."]
    known = {model.id for model in map(facts, listed) if model}
    missing = [model for model in models_by_use() if model not in known]
    if not missing or not connection.is_api:
        return listed, []
    return listed, [f"Not offered with this key: {', '.join(missing)}."]


def _rows(model_id: str, info: dict[str, Any], default: str) -> list[tuple[str, ...]]:
    """What a model costs and takes, and below it what needs a line of its own."""
    model = facts(model_id) or unknown(model_id)
    tiers = model.prices or (None,)
    limits = (
        _size(_count(info, "max_input_tokens") or model.context_window),
        _size(_count(info, "max_tokens") or model.max_output_tokens),
    )
    takes = ("/".join(filter(None, limits)), *_takes(model, part(info, "capabilities")))
    rows = [(model_id, *_prices(tiers[0]), *takes)]
    for below, tier in pairwise(tiers):
        size = _size(below.up_to_input_tokens if below else None)
        rows.append((f"· above {size}", *_prices(tier), "", "", ""))
    marks = filter(None, ("the default" if model_id == default else "", _until(model, info)))
    return rows + [(f"· {mark}", *[""] * (len(_HEADS) - 1)) for mark in marks]


def _prices(tier: Price | None) -> tuple[str, ...]:
    if tier is None:
        return ("",) * 4
    writes = filter(None, map(_rate, (tier.cache_write_5m, tier.cache_write_1h)))
    return _rate(tier.input), _rate(tier.output), "/".join(writes), _rate(tier.cache_read)


def _rate(usd: float | None) -> str:
    """A price for a million tokens: ``4``, ``12.50``, ``0.125``; empty if it is not known.

    Without a dollar sign: two in a cell would be typeset as a formula.
    """
    if usd is None:
        return ""
    return f"{usd:,.2f}".removesuffix(".00") if round(usd, 2) == usd else f"{usd:,g}"


def _size(tokens: int | None) -> str:
    """A number of tokens: ``1M``, ``128k``, ``4,096``; empty if it is not known."""
    if not tokens:
        return ""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if tokens % unit == 0:
            return f"{tokens // unit:,}{name}"
    return labels.count(tokens)


def _takes(model: ModelFacts, can: dict[str, Any]) -> tuple[str, str]:
    """When a model thinks and which efforts it takes, as the API says, or else our own data."""
    types = supported(part(part(can, "thinking"), "types")) or model.thinking_types or ()
    can_stop = {"disabled", "between_tools"}.intersection(types)
    thinking = model.thinking_default or ("always" if types and not can_stop else "")
    efforts = [level for level in EFFORTS if level in supported(part(can, "effort"))]
    if not efforts and part(can, "effort").get("supported") is not False:
        if model.efforts is None:
            return thinking, ""
        efforts = list(model.efforts)
    if not efforts:
        return thinking, "none"
    below = EFFORTS[: EFFORTS.index(efforts[-1])]
    lacks = [level for level in below if level not in efforts]
    return thinking, f"no {', '.join(lacks)}" if lacks else f"to {efforts[-1]}"


def _stage(model_id: str, info: dict[str, Any]) -> str:
    """The stage of a model's life, as the API says, or else as our own data does."""
    if (stage := info.get("lifecycle")) in _STAGES:
        return str(stage)
    model = facts(model_id)
    return model.lifecycle(today()) if model else "active"


def _until(model: ModelFacts, info: dict[str, Any]) -> str:
    """That a model is on its way out, and its last day; empty for a current one."""
    stage = _stage(model.id, info)
    if stage == "active":
        return ""
    day = str(info.get("retires_at") or "")[:10] or model.retires
    return f"{'retires' if stage == 'deprecated' else 'retired'} {day}" if day else stage


def _models_notes(ids: Sequence[str]) -> list[str]:
    """What the columns mean, and where the prices come from, the source of most of them first."""
    known = [model for model in map(facts, ids) if model]
    sources: dict[str, list[str]] = {}
    for model in known:
        if model.prices:
            sources.setdefault(model.source, []).append(model.id)
    notes = ["Limits: tokens of context/of an answer. Thinks: the default without -t."]
    if not sources:
        return notes
    most = max(sources, key=lambda source: len(sources[source]))
    others = [f"; {', '.join(of)}: {source}" for source, of in sources.items() if source != most]
    discounts = {model.batch_discount for model in known if model.prices}
    half = " Batches cost half." if discounts == {0.5} else ""
    return [
        "USD per million tokens; write, read: the prompt cache, for 5 minutes/1 hour." + half,
        *notes,
        f"Prices as of {as_of()}, {most}{''.join(others)}.",
    ]


def _count(info: dict[str, Any], name: str) -> int | None:
    value = info.get(name)
    return value if isinstance(value, int) and value > 0 else None
