"""A batch of ours: what it is made of, and what has become of its rows.

It is changed by ``handing_in``, ``waiting`` and ``reading``, on the engine's thread; nothing here
asks the server. The service's own counts stay at zero until a batch has ended, so what can be told
before is how many of several batches have ended, and how much of the results has come.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from claude_nb.batches.matching import Matching
from claude_nb.batches.outcomes import Outcomes
from claude_nb.batches.results import (
    ORDER,
    Result,
    RowOutcome,
    Spent,
    is_refusal_of_request,
    read,
)
from claude_nb.batches.rows import named
from claude_nb.errors import InputError

if TYPE_CHECKING:
    from claude_nb.batches.request_options import Earlier
    from claude_nb.batches.requests import Requests
    from claude_nb.batches.service_batch import Part
    from claude_nb.client.connection import Connection
    from claude_nb.client.retry import Policy

_FAILED = [o for o in ORDER if o not in (RowOutcome.COMPLETE, RowOutcome.PROCESSING)]


class Job:
    """What a batch of ours is made of, and what has become of it.

    Args:
        connection: Where it goes.
        requests: What is sent for its rows.
        output: What the replies are to fit, or None.
        policy: How patient to be with failures.

    Attributes:
        parts: The service's batches, in the order in which they are handed in; a row that two of
            them have is taken from the later one, if that is better.
        outcomes: What came for its rows.
        matching: Which row a result is for.
        earlier: What is known of what it was handed in with, where it was resumed; or None.
        doing: What is done at the moment, in words; empty for nothing.
        done: How much of it is done, and of how much.
        notes: What there is to say about it, a line each.
        changes: Counts what may change a row's outcome.
    """

    def __init__(
        self, connection: Connection, requests: Requests, output: Any, policy: Policy
    ) -> None:
        self.connection = connection
        self.requests = requests
        self.output = output
        self.policy = policy
        self.parts: list[Part] = []
        self.outcomes = Outcomes()
        self.matching = Matching(requests)
        self.earlier: Earlier | None = None
        self.doing = ""
        self.done: tuple[int, int] = (0, 0)
        self.notes: list[str] = []
        self.changes = 0

    # --- its parts --------------------------------------------------------------------------

    @property
    def submitted(self) -> list[Part]:
        """The parts that the service has."""
        return [part for part in self.parts if part.status is not None]

    @property
    def doubtful(self) -> bool:
        """Whether a part may have been taken without an answer."""
        return any(part.doubtful for part in self.parts)

    @property
    def ended(self) -> bool:
        """Whether all parts have ended and were read."""
        return bool(self.parts) and all(part.read for part in self.parts)

    @property
    def ids(self) -> list[str]:
        """The service's ids of it."""
        return [part.id for part in self.submitted]

    @property
    def state(self) -> str:
        """How far it is, in words: see ``Batch.state``."""
        if self.doubtful:
            return "perhaps handed in"
        states = {part.status.state if part.status else "" for part in self.parts}
        if not states or "" in states:
            return "partly handed in" if states - {""} else "not handed in"
        for state in ("in_progress", "canceling"):
            if state in states:
                return state.replace("_", " ")
        return "ended" if states == {"ended"} else ", ".join(sorted(states))

    @property
    def simulated(self) -> bool:
        """Whether the simulator has it."""
        known = any(part.status.simulated for part in self.parts if part.status)
        return self.connection.simulated or known

    @property
    def model(self) -> str:
        """The model that is asked; empty where that is not known."""
        earlier = self.earlier
        known = earlier is None or earlier.saved is not None or "model" in earlier.given
        return self.requests.request.model if known else ""

    @property
    def total(self) -> Spent:
        """What all replies that were read took; the cost is not known where not all were read."""
        return sum((part.total for part in self.parts), Spent())

    def spent(self) -> dict[str, Spent]:
        """What all replies that were read took, by model."""
        total: dict[str, Spent] = {}
        for part in self.parts:
            for model, used in part.spent.items():
                total[model] = total.get(model, Spent()) + used
        return total

    # --- its rows ---------------------------------------------------------------------------

    def outcome(self, row: int) -> RowOutcome:
        """What has become of a row."""
        found = self.outcomes.get(row)
        if found is not None:
            return found
        if row in self.requests.problems:
            return RowOutcome.NOT_SENT
        return RowOutcome.MISSING if self._over(row) else RowOutcome.PROCESSING

    def _over(self, row: int) -> bool:
        """Whether nothing more can come for a row."""
        return all(part.read or not part.may_have(row) for part in self.parts)

    def counts(self) -> dict[str, int]:
        """How many rows have become what, the best first."""
        found = {outcome: self.outcomes.count(outcome) for outcome in ORDER}
        found[RowOutcome.NOT_SENT] = len(self.requests.problems)
        rest = self.requests.count - sum(found.values()) if self.parts else 0
        over = all(part.read for part in self.parts)
        found[RowOutcome.MISSING if over else RowOutcome.PROCESSING] = rest
        return {str(outcome): count for outcome, count in found.items() if count}

    def rows(self, *outcomes: RowOutcome, most: int | None = None) -> list[int]:
        """The rows of which one of these has become, the first ones of them."""
        found = (row for row in range(self.requests.count) if self.outcome(row) in outcomes)
        return list(islice(found, most))

    def failed(self, most: int | None = None) -> list[int]:
        """The rows that are not complete, and of which nothing more will come, the first ones."""
        if self.outcomes or any(part.read for part in self.parts):
            return self.rows(*_FAILED, most=most)
        return list(self.requests.problems)[:most]

    def answered(self) -> int | None:
        """A row that was answered, and of which it is known what was asked."""
        for row in self.rows(RowOutcome.COMPLETE, RowOutcome.TRUNCATED):
            if row in self.requests and row not in self.matching.changed:
                return row
        return None

    def result(self, row: int) -> Result:
        """What has become of a row, read from its line."""
        label = self.requests.labels[row]
        line = self.outcomes.line(row) if self.outcomes.get(row) is not None else None
        if line is not None:
            return read(row, label, json.loads(line)["result"], self.output)
        outcome = self.outcome(row)
        said = {
            RowOutcome.PROCESSING: "no result yet",
            RowOutcome.MISSING: self._missing(row),
        }
        return Result(row, label, outcome, said.get(outcome, self.requests.problems.get(row, "")))

    def _missing(self, row: int) -> str:
        if any(part.gone and part.may_have(row) for part in self.parts):
            return "its results are not kept any more"
        if row in self.requests:
            return "the server sent no result for it"
        return "no result: it was not sent, or is in another batch"

    def again(self, *, truncated: bool) -> list[int]:
        """The rows that are worth handing in again.

        Args:
            truncated: Whether those that were cut off are.

        Raises:
            InputError: None is; the error says why.
        """
        wanted = [RowOutcome.ERRORED, RowOutcome.CANCELED, RowOutcome.EXPIRED, RowOutcome.MISSING]
        wanted += [RowOutcome.TRUNCATED, RowOutcome.INVALID] if truncated else [RowOutcome.INVALID]
        rows = self.rows(*wanted)
        refused = [row for row in rows if self._refused(row)]
        left = sorted({*rows} - {*refused})
        if not left:
            shown = named((self.requests.labels[row] for row in refused), len(refused))
            raise InputError(
                "There is nothing to hand in again.",
                f"Rows {shown} were refused, and would be again; the others are complete."
                if refused
                else "",
            )
        if any(row not in self.requests for row in left):
            raise InputError(
                "What was asked is not known here any more.",
                "Pass the prompts again: claude_nb.Batch.resume(id, prompts=…, template=…).",
            )
        return left

    def _refused(self, row: int) -> bool:
        line = self.outcomes.line(row)
        return line is not None and is_refusal_of_request(json.loads(line)["result"])
