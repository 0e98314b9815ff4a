"""What was spent since the kernel started, request by request: the session's ledger."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from claude_nb.cost.models import facts
from claude_nb.cost.usage import COUNTS, Usage
from claude_nb.redaction import redact
from claude_nb.render.table import import_pandas
from claude_nb.request import files
from claude_nb.request.place import Place
from claude_nb.streaming.progress import Progress

_COUNTS = "Int64"
"""pandas' integer type in which a number may be missing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that a server accepted; where models declined it, each has one of its own.

    Attributes:
        when: When it was sent, as ISO 8601 in UTC.
        conversation: The conversation that it belonged to, or an empty string.
        cell: The front end's id of the cell, or an empty string.
        execution: The number of the execution, the n of ``In[n]``; 0 outside IPython.
        model: The model that answered.
        simulated: Whether the simulator did.
        request_id: The API's id of the request, or None.
        usage: Its tokens; unknown where the stream did not end.
        cost: In USD, or None where it is unknown.
        stop_reason: Why the server stopped, as it said it; None if it did not.
        complete: Whether the stream was read to its end.
        requests: How many requests it stands for: more than one for a batch, whose id
            ``request_id`` then is.
    """

    when: str
    conversation: str
    cell: str
    execution: int
    model: str
    simulated: bool
    request_id: str | None
    usage: Usage
    cost: float | None
    stop_reason: str | None = None
    complete: bool = True
    requests: int = 1

    @property
    def unpriced(self) -> tuple[str, ...]:
        """What its usage names and the price list does not: its cost is then a lower bound."""
        return self.usage.unpriced(facts(self.model))

    def row(self) -> dict[str, Any]:
        """It as one flat row, for a table or a file; None is "not known"."""
        row = asdict(self)
        usage, cost = row.pop("usage"), row.pop("cost")
        texts = {name: redact(value) for name, value in row.items() if isinstance(value, str)}
        usage["terms"] = ", ".join(usage["terms"])
        return {**row, **texts, **usage, "cost_usd": cost}


_OWN = [found.name for found in fields(Entry) if found.name not in ("usage", "cost")]
COLUMNS = (*_OWN, *(found.name for found in fields(Usage)), "cost_usd")
"""The columns of ``to_pandas`` and ``to_csv``."""


class Ledger:
    """The requests of this kernel; ``claude_nb.ledger`` is the session's own.

    Entries do not change: each cost uses the prices of its time.

    Attributes:
        entries: One ``Entry`` for each request, in the order in which their replies ended.
        kept: The same for kept answers that were shown instead of asking again: their earlier cost.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.kept: list[Entry] = []

    def charge(self, progress: Progress, place: Place, conversation: str = "") -> None:
        """Record the requests of a finished reply that a server accepted.

        A reply that was replayed cost nothing: it is not written down. What a kept answer had cost
        is written down apart.

        Args:
            progress: The reply.
            place: Where it was asked.
            conversation: The conversation that it belongs to.
        """
        now, clock = datetime.now(UTC), time.monotonic()
        for message in progress.messages:
            if message.accepted and not message.request.replayed:
                sent = now - timedelta(seconds=clock - message.sent)
                entries = self.kept if message.request.kept else self.entries
                entries += [
                    Entry(
                        when=sent.isoformat(timespec="milliseconds"),
                        conversation=conversation,
                        cell=place.cell,
                        execution=place.execution,
                        model=attempt.model,
                        simulated=message.simulated,
                        request_id=message.request_id,
                        usage=attempt.usage,
                        cost=attempt.cost,
                        stop_reason=attempt.stop_reason,
                        complete=message.complete,
                    )
                    for attempt in message.attempts
                ]

    def charge_batch(
        self,
        batch_id: str,
        used: Iterable[tuple[str, Usage, float | None, int]],
        place: Place,
        *,
        simulated: bool,
    ) -> None:
        """Record what a batch used, once, however often it is read.

        Args:
            batch_id: Its id.
            used: For each model its name, the tokens, the cost in USD at batch prices, and the
                number of requests that it answered.
            place: Where it was read.
            simulated: Whether the simulator had it.
        """
        if any(entry.request_id == batch_id for entry in self.entries):
            return
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.entries += [
            Entry(
                when=when,
                conversation="",
                cell=place.cell,
                execution=place.execution,
                model=model,
                simulated=simulated,
                request_id=batch_id,
                usage=usage,
                cost=cost,
                requests=requests,
            )
            for model, usage, cost, requests in used
        ]

    def spent(self) -> float:
        """The known cost of the requests so far, in USD, including simulated ones."""
        return sum(entry.cost or 0.0 for entry in self.entries)

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the entries to a CSV file, one row each; unknown values are empty.

        Args:
            path: Where.
            overwrite: Whether a file that is there may be replaced.

        Raises:
            InputError: It is there, or cannot be written.
        """
        rows = [entry.row() for entry in list(self.entries)]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        files.write(path, [text.getvalue()], overwrite=overwrite)

    def to_pandas(self) -> Any:
        """The entries as a ``pandas.DataFrame``, a row each.

        Returns:
            The frame: ``when`` is a time in UTC, the counts are integers, ``cost_usd`` is a float;
            what is not known is missing.

        Raises:
            InputError: pandas is not installed.
        """
        pandas = import_pandas(". Without it: claude_nb.ledger.to_csv(path)")
        rows = [entry.row() for entry in list(self.entries)]
        frame = pandas.DataFrame(rows, columns=list(COLUMNS))
        counts = ["execution", "requests", *COUNTS]
        types = dict.fromkeys(counts, _COUNTS) | dict.fromkeys(("simulated", "complete"), "bool")
        frame = frame.astype(types | {"cost_usd": "float64"})
        return frame.assign(when=pandas.to_datetime(frame["when"], utc=True, format="ISO8601"))

    def __repr__(self) -> str:
        count = sum(entry.requests for entry in self.entries)
        return f"<Ledger · {count} {'request' if count == 1 else 'requests'}>"
