"""One batch of the service, of which a batch of ours may need several."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from claude_nb.batches.results import Spent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claude_nb.client.batch_service import Status


@dataclass
class Part:
    """One batch of the service, of which a batch of ours may need several.

    Attributes:
        rows: The numbers of its rows; empty where that is not known (resumed by its id).
        status: As the server last described it, or None before it took it.
        spent: What its replies took, by model, once they were read.
        read: Whether its results were read to the end.
        lacking: How many results did not come, or could not be read.
        gone: Whether its results are not kept any more.
        since: When it was handed in or resumed (``time.monotonic()``, seconds).
        before: The ids of the account's newest batches before it was sent, or None.
        doubtful: Whether it may have been taken without an answer.
        guess: How it was found without an answer; empty where it was not.
    """

    rows: Sequence[int] = ()
    status: Status | None = None
    spent: dict[str, Spent] = field(default_factory=dict)
    read: bool = False
    lacking: int = 0
    gone: bool = False
    since: float = field(default_factory=time.monotonic)
    before: set[str] | None = None
    doubtful: bool = False
    guess: str = ""

    @property
    def id(self) -> str:
        """The service's id of it, or an empty string before it has one."""
        return self.status.id if self.status else ""

    @property
    def total(self) -> Spent:
        """What its replies took together; the cost is not known where not all were read."""
        known = sum(self.spent.values(), Spent())
        return replace(known, cost=None, full=None) if self.lacking or self.gone else known

    def may_have(self, row: int) -> bool:
        """Whether a row is in it, as far as that is known."""
        place = bisect_left(self.rows, row)
        return not self.rows or self.rows[place : place + 1] == [row]
