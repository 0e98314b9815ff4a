"""What is known of a batch: the service's batches that it consists of, and the results of its rows.

Nothing here asks the server. The service's own counts stay at zero until a batch has ended; what
can be shown before that is how many of several batches have ended, and how many results were read.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from claude_nb.batches.results import ORDER, Result, RowOutcome, Spent, read
from claude_nb.batches.row_store import RowStore
from claude_nb.batches.rows import Requests, parsed_id
from claude_nb.characters import clean, wellformed_json
from claude_nb.client.batch_service import Status
from claude_nb.client.output import Output
from claude_nb.errors import ClaudeError, InputError
from claude_nb.render.labels import counted
from claude_nb.render.table import Table

_CODES = {outcome: number for number, outcome in enumerate(ORDER, start=1)}  # 0: no result
_FAILED = [o for o in ORDER if o not in (RowOutcome.COMPLETE, RowOutcome.PROCESSING)]


@dataclass
class ServiceBatch:
    """One batch of the service, of which a batch of ours may need several.

    Attributes:
        rows: The numbers of its rows; empty where that is not known (resumed by its id).
        status: As the server last described it, or None before the server took it.
        unanswered: Whether it was sent and the service has not answered: it may have taken it.
        spent: What its replies took, by model, once they were read.
        read: Whether its results were read to the end.
        lacking: How many results did not come, or could not be read.
        since: When it was submitted or resumed (``time.monotonic()``, seconds).
    """

    rows: Sequence[int] = ()
    status: Status | None = None
    unanswered: bool = False
    spent: dict[str, Spent] = field(default_factory=dict)
    read: bool = False
    lacking: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        """The service's id of it, or an empty string before it has one."""
        return self.status.id if self.status else ""

    @property
    def ended(self) -> bool:
        """Whether the service is done with it."""
        return self.status is not None and self.status.ended

    @property
    def gone(self) -> bool:
        """Whether its results have been deleted."""
        return self.status is not None and self.status.archived

    @property
    def total(self) -> Spent:
        """What its replies took together; the cost is not known where not all were read."""
        known = sum(self.spent.values(), Spent())
        return replace(known, cost=None, full=None) if self.lacking or self.gone else known

    def may_have(self, row: int) -> bool:
        """Whether a row is in it, as far as that is known."""
        place = bisect_left(self.rows, row)
        return not self.rows or self.rows[place : place + 1] == [row]


class BatchState:
    """What is known of a batch.

    Args:
        requests: What is sent for its rows.
        output: The form of the replies, or None for any text.
        simulated: Whether it goes to the simulator.

    Attributes:
        batches: The service's batches, in the order in which they are submitted; a row that two of
            them have is taken from the later one, if that is better.
        changed: Rows that have another prompt here than the one their results are for.
        resumed: The names of the options that were passed when it was resumed; None if it was not.
        saved: The options with which a resumed batch was submitted, as the notebook has them, or
            None.
        doing: What is done at the moment, in words; empty for nothing.
        done: How much of it is done, and of how much.
        notes: Lines that are shown with it.
        plan: What it would take, before it is submitted; None after.
        error: What ended the last thing that was done with it, or None.
        began: When the waiting for it began (``time.monotonic()``), or None.
        waited: Seconds that were waited until it had ended, or None.
        listed: The first failures; None after an outcome may have changed.
    """

    def __init__(self, requests: Requests, output: Output | None, *, simulated: bool) -> None:
        self.requests = requests
        self.output = output
        self.batches: list[ServiceBatch] = []
        self.changed: set[int] = set()
        self.resumed: set[str] | None = None
        self.saved: dict[str, Any] | None = None
        self.doing = ""
        self.done: tuple[int, int] = (0, 0)
        self.notes: list[str] = []
        self.plan: Table | None = None
        self.error: ClaudeError | None = None
        self.began: float | None = None
        self.waited: float | None = None
        self.listed: list[Result] | None = None
        self._simulated = simulated
        self._lines = RowStore()
        self._codes = bytearray()  # the outcome of each row
        self._count = 0  # how many rows there are, by the ids of what was resumed
        self._names: dict[str, int] = {}  # the rows of a batch that others submitted, by their ids
        self._labels: list[str] = []  # these ids, in order

    # --- the service's batches --------------------------------------------------------------

    @property
    def submitted(self) -> list[ServiceBatch]:
        """The batches that the service has."""
        return [batch for batch in self.batches if batch.status is not None]

    @property
    def doubt(self) -> str:
        """That the service may have taken a batch without an answer, and how to look; or empty."""
        rows = sum(len(batch.rows) for batch in self.batches if batch.unanswered)
        if not rows:
            return ""
        return (
            f"The service may have accepted a batch of {rows:,}: %claude_nb batches lists the"
            " batches of this key, and claude_nb.Batch.resume(id) resumes it."
        )

    @property
    def ended(self) -> bool:
        """Whether all batches have ended and were read."""
        return bool(self.batches) and all(batch.read for batch in self.batches)

    @property
    def ids(self) -> list[str]:
        """The service's ids of it."""
        return [batch.id for batch in self.submitted]

    @property
    def state(self) -> str:
        """How far it is, in words: see ``Batch.state``."""
        if self.doubt:
            return "perhaps submitted"
        states = {batch.status.state for batch in self.batches if batch.status}
        if not states or len(self.submitted) < len(self.batches):
            return "partly submitted" if states else "not submitted"
        shown = states & {"in_progress"} or states & {"canceling"} or states
        return ", ".join(sorted(shown)).replace("_", " ")

    @property
    def simulated(self) -> bool:
        """Whether the simulator has it."""
        return self._simulated or any(b.status.simulated for b in self.batches if b.status)

    @property
    def model(self) -> str:
        """The model that is asked; empty where that is not known."""
        known = self.resumed is None or self.saved is not None or "model" in self.resumed
        return self.requests.request.model if known else ""

    @property
    def total(self) -> Spent:
        """What all replies that were read took; the cost is not known where not all were read."""
        return sum((batch.total for batch in self.batches), Spent())

    def spent(self) -> dict[str, Spent]:
        """What all replies that were read took, by model."""
        total: dict[str, Spent] = {}
        for batch in self.batches:
            for model, used in batch.spent.items():
                total[model] = total.get(model, Spent()) + used
        return total

    # --- changes ----------------------------------------------------------------------------

    def progress(self, done: int, of: int) -> None:
        """Say how much is done of what is done at the moment."""
        self.done = (done, of)

    def taken(self, batch: ServiceBatch, status: Status) -> None:
        """The service has taken a batch: earlier results of its rows count no more."""
        batch.status, batch.unanswered, batch.since = status, False, time.monotonic()
        for row in batch.rows:
            self._grow(row)
            self._codes[row] = 0
        self.changed -= set(batch.rows)
        self.listed = None

    def finished(self, batch: ServiceBatch, note: str = "") -> None:
        """The results of a batch have been read as far as that is possible."""
        batch.read, self.listed = True, None
        self.notes += [f"{batch.id}: {note}"] if note else []

    def take(self, batch: ServiceBatch, line: bytes, seen: set[str]) -> None:
        """Take in a line of results; one that cannot be read or is none of ours is passed over.

        Args:
            batch: The batch that it belongs to.
            line: JSON, as it came.
            seen: The custom ids that were taken in before, each once.

        Raises:
            InputError: It shows that the rows known here are not those of this batch.
        """
        try:
            entry = wellformed_json(json.loads(line))
            name, found = str(entry["custom_id"]), entry["result"]
            row = self._row(name, batch)
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if name in seen:
            return
        seen.add(name)
        result = read(row, None, found, self.output)
        if result.message is not None:
            spent = batch.spent.get(result.model, Spent())
            batch.spent[result.model] = spent + Spent.of(result)
        self._grow(row)
        if not self._codes[row] or _CODES[result.outcome] <= self._codes[row]:
            self._lines.put(row, line)
            self._codes[row] = _CODES[result.outcome]
        self.listed = None

    def _row(self, name: str, batch: ServiceBatch) -> int:
        """The row of a custom id.

        Raises:
            KeyError: The server sent it with a batch that has no such row.
            InputError: The batch was resumed, and is not of the rows that are known here.
        """
        requests, parsed = self.requests, parsed_id(name)
        if parsed is not None:
            row, count, mark = parsed
            self._check_count(batch, count)
            if requests.is_changed(row, mark):
                self.changed.add(row)
            return row
        if batch.rows:  # we submitted it, so this is no id of it
            raise KeyError(name)
        if requests or self._count:
            raise InputError(
                f"{batch.id} was not submitted by batch(): its ids do not match these rows.",
                "Resume it without prompts=; each row is then labelled by its id.",
            )
        row = self._names.setdefault(name, len(self._names))
        if row == len(self._labels):
            self._labels.append(clean(name))
        requests.labels, requests.count = self._labels, len(self._labels)
        return row

    def _check_count(self, batch: ServiceBatch, count: int) -> None:
        """Compare how many rows a custom id says that there are with what is known of that."""
        requests = self.requests
        known = requests.count if requests or self._names else self._count or count
        if count == known and not self._names:
            if not requests:
                self._count, requests.count, requests.labels = count, count, range(count)
            return
        if batch.rows:
            raise KeyError(count)
        if requests:
            raise InputError(
                f"The batch has {counted(count, 'row')}, but you passed {known:,}.",
                "Pass the same prompts as to batch(), or none.",
            )
        raise InputError(
            f"These batches have different numbers of rows: {known:,} and {count:,}.",
            "Resume one batch at a time.",
        )

    def _grow(self, row: int) -> None:
        self._codes.extend(bytes(max(0, row + 1 - len(self._codes))))

    # --- the rows ---------------------------------------------------------------------------

    def _received(self, row: int) -> RowOutcome | None:
        code = self._codes[row] if row < len(self._codes) else 0
        return ORDER[code - 1] if code else None

    def outcome(self, row: int) -> RowOutcome:
        """The outcome of a row."""
        if received := self._received(row):
            return received
        if row in self.requests.problems:
            return RowOutcome.NOT_SENT
        over = all(batch.read or not batch.may_have(row) for batch in self.batches)
        return RowOutcome.MISSING if over else RowOutcome.PROCESSING

    def counts(self) -> dict[str, int]:
        """How many rows have each outcome, the best first."""
        found = {outcome: self._codes.count(_CODES[outcome]) for outcome in ORDER}
        found[RowOutcome.NOT_SENT] = len(self.requests.problems)
        rest = self.requests.count - sum(found.values()) if self.batches else 0
        over = all(batch.read for batch in self.batches)
        found[RowOutcome.MISSING if over else RowOutcome.PROCESSING] = rest
        return {str(outcome): count for outcome, count in found.items() if count}

    def rows(self, *outcomes: RowOutcome, most: int | None = None) -> list[int]:
        """The rows that have one of these outcomes, the first ones of them."""
        found = (row for row in range(self.requests.count) if self.outcome(row) in outcomes)
        return list(islice(found, most))

    def failed(self, most: int | None = None) -> list[Result]:
        """The rows that are not complete, and of which nothing more will come, the first ones."""
        some = any(self._codes) or any(batch.read for batch in self.batches)
        rows = self.rows(*_FAILED, most=most) if some else list(self.requests.problems)[:most]
        return [self.result(row) for row in rows]

    def line(self, row: int) -> Any:
        """What the server sent as the result of a row, or None."""
        return (
            wellformed_json(json.loads(self._lines.get(row)))["result"]
            if self._received(row)
            else None
        )

    def result(self, row: int) -> Result:
        """The result of a row, read from its line."""
        label, outcome = self.requests.labels[row], self.outcome(row)
        if self._received(row):
            return read(row, label, self.line(row), self.output)
        error = self.requests.problems.get(row, "no result yet")
        if outcome is RowOutcome.MISSING:
            error = self._missing(row)
        return Result(row, label, outcome, error)

    def _missing(self, row: int) -> str:
        if any(batch.gone and batch.may_have(row) for batch in self.batches):
            return "its results have been deleted"
        if row in self.requests:
            return "the server sent no result for it"
        return "no result: it was not sent, or is in another batch"
