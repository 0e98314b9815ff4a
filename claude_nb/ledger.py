"""What was spent since the kernel started, request by request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from claude_nb.models import facts

if TYPE_CHECKING:
    from claude_nb.progress import Progress
    from claude_nb.usage import Usage


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Attributes:
        model: The model that answered.
        simulated: Whether the simulator did.
        usage: Its tokens; unknown where the stream did not end.
        cost: In USD, or None where it is not known.
    """

    model: str
    simulated: bool
    usage: Usage
    cost: float | None


class Ledger:
    """The requests so far; ``entries`` grows and is never changed."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def charge(self, progress: Progress) -> None:
        """Write down the requests of a finished reply that a server accepted."""
        for message in progress.messages:
            if message.accepted:
                cost = message.usage.cost(facts(message.model))
                self.entries.append(Entry(message.model, message.simulated, message.usage, cost))
