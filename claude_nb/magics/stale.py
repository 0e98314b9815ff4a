"""`%claude_nb stale`: the answers that are out of date, and why."""

from __future__ import annotations

from claude_nb.keeping.keeper import keeper
from claude_nb.keeping.stale import ShownAnswer
from claude_nb.render.labels import first_words
from claude_nb.render.table import Table
from claude_nb.request.place import shell


def table() -> Table:
    """The answers that are out of date, or may be: a row for each."""
    rows: list[tuple[str, ...]] = []
    for answer, changed, unknown in _found():
        words = "; ".join((*changed, *unknown))
        rows.append((_label(answer.place.execution), first_words(answer.prompt, 40), words))
    note = "" if rows else "No answer is out of date."
    return Table(("cell", "asked", "why"), rows, note, (0, 1, 2))


def summary() -> str:
    """The cells whose answers are out of date; empty if none is."""
    cells = dict.fromkeys(_label(one.place.execution) for one, changed, _ in _found() if changed)
    return f"out of date: {', '.join(cells)} (%claude_nb stale says why)" if cells else ""


def _found() -> list[tuple[ShownAnswer, list[str], list[str]]]:
    here = shell()
    variables = here.user_ns if here is not None else {}
    found = ((answer, *answer.reasons(variables)) for answer in keeper.shown)
    return [one for one in found if one[1] or one[2]]


def _label(execution: int) -> str:
    return f"[{execution}]" if execution else "outside a notebook"
