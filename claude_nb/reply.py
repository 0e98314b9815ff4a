"""``Reply``: what the user holds. A growing reduction of events that shows itself in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_nb.errors import redact
from claude_nb.progress import Progress
from claude_nb.render import settled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_nb.events import StreamEvent
    from claude_nb.prompt import Request


class Reply(Progress):
    """An answer: its blocks, how it ended, what it used; complete or not.

    Attributes:
        request: What was asked.
        events: Everything that happened, in order.
    """

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request
        self.events: list[StreamEvent] = []

    def advance(self, events: Iterable[StreamEvent]) -> None:
        """Take in events; only the painter of a reply calls this."""
        for event in events:
            self.events.append(event)
            self.apply(event)

    @property
    def message(self) -> Any:
        """The SDK's ``Message`` of the last request, or None if none began."""
        return self.last.to_sdk() if self.last else None

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        return settled.mimebundle(self), settled.metadata(self)

    def __repr__(self) -> str:
        text = redact(self.text)
        shown = text if len(text) <= 60 else text[:59] + "…"
        return f"<Reply {self.outcome} · {self.model or self.request.model} · {shown!r}>"
