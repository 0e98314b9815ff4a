"""What saved notebooks record of tokens and cost, grouped and summed: for ``claude-nb usage``."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from claude_nb.conversation.saved_notebook import load
from claude_nb.cost import days
from claude_nb.cost.usage import Usage, known
from claude_nb.errors import InputError
from claude_nb.render.table import Table
from claude_nb.render.usage import Row, not_paid_again, table
from claude_nb.streaming.record import RecordedUsage, spendings, usage_to_dict

BY = ("notebook", "day", "model")
"""What it can be grouped by."""

NO_DATE = "no date"
"""The day of a reply of which no record says when it was asked."""

_CHECKPOINTS = ".ipynb_checkpoints"


@dataclass(slots=True)
class Spending:
    """What notebooks record, and what could not be read.

    Attributes:
        notebooks: What each records, by its path and by what is paid for once.
        notes: What was passed over in them, a line each.
        failed: Why notebooks could not be read, a line each.
        undated: How many replies were left out because no record says when they were asked.
    """

    notebooks: dict[str, dict[str, RecordedUsage]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    undated: int = 0

    @property
    def all(self) -> dict[str, RecordedUsage]:
        """What they record together: a reply that several of them hold was paid for once."""
        return {key: used for found in self.notebooks.values() for key, used in found.items()}

    @property
    def again(self) -> int:
        """How many replies are in more than one of them."""
        return sum(map(len, self.notebooks.values())) - len(self.all)


def read(paths: Iterable[str], since: str = "") -> Spending:
    """Read notebooks.

    Args:
        paths: Notebooks, and folders that are searched for them with all folders in them.
        since: The first day that counts, as "2026-11-01"; empty for all.
    """
    found = Spending()
    for path in _notebooks(paths, found):
        try:
            notebook = load(path)
        except InputError as error:
            found.failed.append(str(error))
            continue
        found.notes += [f"{path}: {note}" for note in notebook.notes]
        taken: dict[str, RecordedUsage] = {}
        for record in notebook.records:
            taken |= spendings(record.data, record.digest)
        if since:
            found.undated += sum(not days.local_day(used.asked) for used in taken.values())
            taken = {
                key: used for key, used in taken.items() if days.local_day(used.asked) >= since
            }
        found.notebooks[path] = taken
    return found


def shown(found: Spending, by: str) -> Table:
    """The table of what notebooks record.

    Args:
        found: What was read.
        by: One of ``BY``.
    """
    rows = [
        Row(
            f"{name} (simulated)" if simulated else name,
            [reply.usage for reply in replies],
            [reply.cost for reply in replies],
            any(reply.unpriced for reply in replies),
            requests=sum(reply.requests for reply in replies),
        )
        for name, simulated, replies in _rows(found, by)
    ]
    made = table(by, rows, " ".join(notes(found, by)))
    if any(cell.endswith("+") for cells in made.rows for cell in cells[1:]):
        more = "+: at least this much; a reply broke off or has no price."
        return replace(made, note=f"{made.note} {more}")
    return made


def to_json(found: Spending, by: str) -> str:
    """The same as JSON: a row for each group, sums in USD and tokens; null is "not known".

    Args:
        found: What was read.
        by: One of ``BY``.
    """
    rows = [
        {
            by: name,
            "simulated": simulated,
            "requests": sum(reply.requests for reply in replies),
            "cost_usd": known(sum, [reply.cost for reply in replies]),
            "known_cost_usd": sum(reply.cost or 0.0 for reply in replies),
            **usage_to_dict(sum((reply.usage for reply in replies), Usage())),
        }
        for name, simulated, replies in _rows(found, by)
    ]
    return json.dumps({"by": by, "rows": rows, "notes": notes(found, by)}, indent=1)


def notes(found: Spending, by: str) -> list[str]:
    """What the sums mean.

    Args:
        found: What was read.
        by: One of ``BY``.
    """
    replies = found.all.values()
    made = ["Each cost uses the prices of its day."]
    if by == "day":
        made.append(days.note())
    if any(reply.simulated for reply in replies):
        made.append("Simulated: what real replies of that length would have cost.")
    if kept := [reply.cost for reply in replies if reply.kept]:
        made.append(not_paid_again(kept))
    if found.again:
        once = "in total" if by == "notebook" else "here"
        made.append(f"{found.again} in more than one notebook: counted once {once}.")
    if found.undated:
        made.append(f"{found.undated} without a date: left out.")
    return made


def _rows(found: Spending, by: str) -> Iterator[tuple[str, bool, list[RecordedUsage]]]:
    """The groups, each with its name and whether its replies were simulated; then all of them."""
    groups: dict[str, Collection[RecordedUsage]] = {}
    if by == "notebook":
        groups = {path: taken.values() for path, taken in found.notebooks.items()}
    else:
        named: dict[str, list[RecordedUsage]] = {}
        for reply in found.all.values():
            name = days.local_day(reply.asked) or NO_DATE if by == "day" else reply.model
            named.setdefault(name, []).append(reply)
        groups = {name: named[name] for name in sorted(named)}
    if len(groups) > 1:
        groups["all"] = found.all.values()
    for name, replies in groups.items():
        real = [reply for reply in replies if not reply.simulated]
        simulated = [reply for reply in replies if reply.simulated]
        if real or not simulated:
            yield name, False, real
        if simulated:
            yield name, True, simulated


def _notebooks(paths: Iterable[str], found: Spending) -> Iterator[str]:
    """The notebooks that paths name, each once, without the copies that Jupyter makes."""
    seen = set()
    for path in paths:
        inside = [path]
        if Path(path).is_dir():
            # A link last: its notebook has a name of its own.
            every = sorted(Path(path).rglob("*.ipynb"), key=lambda one: (one.is_symlink(), one))
            inside = [
                str(inner)
                for inner in every
                if _CHECKPOINTS not in inner.parts and not inner.is_dir()
            ]
            if not inside:
                found.notes.append(f"{path}: contains no notebook")
        for one in inside:
            if (place := os.path.realpath(one)) not in seen:
                seen.add(place)
                yield one
