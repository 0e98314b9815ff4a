"""Replies side by side, and one table that compares them, as HTML, Markdown and plain text.

The columns wrap where the page is narrow (flexbox): a saved notebook has no style sheet that could
ask for the page's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from claude_nb.cost.models import as_of
from claude_nb.cost.usage import Usage
from claude_nb.render import html, saved_output, text
from claude_nb.render.table import Table
from claude_nb.render.usage import Row, unpriced_note, whole
from claude_nb.render.usage import table as usage_table
from claude_nb.streaming.progress import Outcome, Progress
from claude_nb.streaming.record import MIME, of_several

_COLUMNS = "display:flex;flex-wrap:wrap;gap:16px 28px"
_COLUMN = "flex:1 1 280px;min-width:0;overflow-x:auto"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the replies.

    Attributes:
        name: Its title: the model, and the options that differ.
        reply: The reply.
    """

    name: str
    reply: Progress


def page(
    sides: Sequence[Side], drawn: html.Drawn = html.NOTHING, *, now: float | None = None
) -> str:
    """The replies as HTML, and the table below them once all have ended.

    Args:
        sides: The replies, in the order of their columns.
        drawn: What the page shows of them.
        now: While they stream, the time (``time.monotonic()``).
    """
    bodies = (html.body(side.reply, drawn, now=now, name=side.name) for side in sides)
    columns = "".join(f'<div style="{_COLUMN}">{each}</div>' for each in bodies)
    return html.root(
        f'<p style="{html.STATUS};{html.QUIET}">{len(sides)} side by side</p>'
        f'<div style="{_COLUMNS}">{columns}</div>',
        table(sides).to_html() if have_ended(sides) else "",
    )


def place(names: Sequence[str]) -> str:
    """A table as high as the one that will compare so many replies, before anything is known."""
    rows = [Row(name, [Usage()], [None], total=0.0, first_text=0.0, rate=0.0) for name in names]
    return usage_table("reply", rows, f"Prices as of {as_of()}.").to_html()


def mimebundle(sides: Sequence[Side], drawn: html.Drawn = html.NOTHING) -> dict[str, Any]:
    """The replies for a notebook's output, and their records if all have ended; see ``page``."""
    rows = table(sides)
    marked = [f"**{html.text(side.name)}**\n\n{text.markdown(side.reply)}" for side in sides]
    plain = [f"{side.name}\n\n{text.plain(side.reply)}" for side in sides]
    # Checked as a whole: a link in one part may be defined in another.
    joined = text.harmless("\n\n---\n\n".join([*marked, rows.to_markdown()]))
    return {
        "text/html": page(sides, drawn),
        "text/markdown": joined,
        "text/plain": "\n\n".join([*plain, repr(rows)]),
        **({MIME: record(sides)} if have_ended(sides) else {}),
    }


def record(sides: Sequence[Side]) -> dict[str, Any]:
    """The record of each reply."""
    records = [saved_output.record(side.reply) for side in sides]
    return of_several(records, comparison=[side.name for side in sides])


def have_ended(sides: Sequence[Side]) -> bool:
    """Whether all of them have ended."""
    return all(side.reply.outcome is not Outcome.STREAMING for side in sides)


def table(sides: Sequence[Side]) -> Table:
    """The table that compares them."""
    rows = [
        replace(whole(side.name, side.reply), rate=side.reply.timing.tokens_per_second)
        for side in sides
    ]
    notes = [f"Prices as of {as_of()}."]
    if any(side.reply.simulated for side in sides):
        notes.append("Simulated: what real replies of that length would have cost.")
    if any(side.reply.unpriced for side in sides):
        terms = sorted({term for side in sides for term in side.reply.unpriced})
        notes.append(unpriced_note(terms))
    return usage_table("reply", rows, " ".join(notes))
