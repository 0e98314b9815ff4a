"""A batch as it is shown: a line, a bar, the outcomes of its rows, its usage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from claude_nb.characters import brief, clean
from claude_nb.cost.models import facts
from claude_nb.cost.usage import Usage
from claude_nb.redaction import redact
from claude_nb.render import colours, labels, usage
from claude_nb.render.html import QUIET, notes, pane, root, status_line, text
from claude_nb.render.table import Table
from claude_nb.render.usage import Row, unpriced_note
from claude_nb.streaming.progress import Outcome

_WIDTH = 320
"""Pixels of the bar: in pixels, because a notebook that is not trusted keeps no other size."""

_BAR = "#88888833"
_COLOURS = {
    "complete": colours.GREEN,
    "truncated": colours.YELLOW,
    "refused": colours.YELLOW,
    "invalid": colours.YELLOW,
    "canceled": colours.GREY,
    "not sent": colours.GREY,
    "errored": colours.RED,
    "expired": colours.RED,
    "missing": colours.RED,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown of a batch.

    Attributes:
        model: The model that is asked; empty where that is not known.
        simulated: Whether the simulator has it.
        total: How many rows it has.
        state: What it is doing, or how it ended.
        mood: An ``Outcome`` that gives it its colour.
        elapsed: Seconds that have been waited for it, or None.
        done: How much of what it is doing is done, and of how much; 0 of 0 where nobody knows.
        counts: How many rows have each outcome.
        spent: For each model its name, the tokens, and what they cost in USD at batch prices and
            would have cost at full ones; None where that is not known.
        failed: Rows that are not complete: what each is called, and why.
        more: How many of these are not listed.
        lines: What else there is to say.
        plan: What it would take, before it is submitted; None after.
    """

    model: str
    simulated: bool
    total: int
    state: str
    mood: Outcome
    elapsed: float | None = None
    done: tuple[int, int] = (0, 0)
    counts: dict[str, int] = field(default_factory=dict)
    spent: tuple[tuple[str, Usage, float | None, float | None], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    more: int = 0
    lines: tuple[str, ...] = ()
    plan: Table | None = None


def mimebundle(picture: Picture) -> dict[str, str]:
    """A batch as HTML and as plain text, for a notebook's output."""
    return {"text/html": html(picture), "text/plain": plain(picture)}


def html(picture: Picture) -> str:
    """A batch as HTML: safe in a trusted cell, whole in one that is not."""
    name = picture.model or "model unknown"
    head = status_line(picture.mood, name, _status(picture), simulated=picture.simulated)
    parts = [head, _bar(picture)]
    if picture.counts:
        parts.append(f'<p style="margin:0 0 8px">{text(_counts(picture))}</p>')
    parts += [picture.plan.to_html()] if picture.plan else []
    if picture.spent:
        parts.append(_usage(picture).to_html())
    if picture.failed:
        count = len(picture.failed) + picture.more
        title = f"<b>{count:,} {'row is' if count == 1 else 'rows are'} not complete</b>"
        parts.append(pane(title, _reasons(picture), is_open=False))
    return root(*parts, notes(picture.lines))


def plain(picture: Picture) -> str:
    """A batch as plain text."""
    parts = [line(picture)]
    parts += [repr(picture.plan)] if picture.plan else []
    parts += [repr(_usage(picture))] if picture.spent else []
    parts += [f"{label}: {why}" for label, why in picture.failed]
    parts += [f"… {picture.more:,} more"] if picture.more else []
    return clean(redact("\n".join([*parts, *picture.lines])), prose=True)


def line(picture: Picture, *, clock: bool = True) -> str:
    """A batch in a line, for a terminal.

    Args:
        picture: The batch.
        clock: Whether to say how long and how far; without it the line changes only now and then.
    """
    if not clock:
        picture = replace(picture, elapsed=None, done=(0, 0))
    mark = " · simulated" if picture.simulated else ""
    counted = f" · {_counts(picture)}" if picture.counts and not picture.done[1] else ""
    name = f"{picture.model} · " if picture.model else ""
    return clean(redact(f"{name}{_status(picture)}{counted}{mark}"))


def _status(picture: Picture) -> str:
    parts = [f"batch of {picture.total:,}" if picture.total else "batch", picture.state]
    if picture.done[1]:
        parts.append(f"{picture.done[0]:,} of {picture.done[1]:,}")
    if picture.elapsed is not None:
        parts.append(labels.seconds(picture.elapsed))
    return " · ".join(parts)


def _bar(picture: Picture) -> str:
    """The rows by their outcomes; while something is done, how far that is."""
    if picture.plan is not None:
        return ""
    done, of = picture.done
    counts = picture.counts.items() if picture.total else ()
    shares = [(count / picture.total, _COLOURS[name]) for name, count in counts if name in _COLOURS]
    if of:
        shares = [(done / of, colours.CLAY)]
    left = _WIDTH
    boxes = []
    for share, colour in shares:
        width = min(left, max(2, round(_WIDTH * share))) if share else 0
        left -= width
        boxes.append(
            f'<div style="display:inline-block;width:{width}px;height:6px;'
            f'background:{colour}"></div>'
        )
    style = f"width:{_WIDTH}px;height:6px;line-height:0;background:{_BAR};margin:2px 0 6px"
    return f'<div style="{style}" title="{text(_counts(picture))}">{"".join(boxes)}</div>'


def _counts(picture: Picture) -> str:
    return " · ".join(f"{count:,} {name}" for name, count in picture.counts.items())


def _usage(picture: Picture) -> Table:
    rows = [
        Row(
            clean(brief(model)),
            [used],
            [cost],
            bool(used.unpriced(facts(model))),
            one_by_one=full,
        )
        for model, used, cost, full in picture.spent
    ]
    terms = {t for model, used, *_ in picture.spent for t in used.unpriced(facts(model))}
    return usage.table("model", rows, unpriced_note(sorted(terms)))


def _reasons(picture: Picture) -> str:
    lines = "".join(
        f'<div style="padding:1px 0"><b>{text(label)}</b> '
        f'<span style="{QUIET}">{text(why)}</span></div>'
        for label, why in picture.failed
    )
    more = f'<div style="{QUIET}">… {picture.more:,} more: .failed</div>' if picture.more else ""
    return f'<div style="font-size:90%">{lines}{more}</div>'
