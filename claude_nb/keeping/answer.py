"""A kept answer: what was saved of it, and its events in the place of the API's."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from claude_nb.client.source import Source
from claude_nb.errors import InputError
from claude_nb.recording.lines import CHECKS, Lines
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request
from claude_nb.streaming.block import SERVER_CALLS, as_dict, as_string
from claude_nb.streaming.compact import pieces
from claude_nb.streaming.events import EventLog, RequestSent, StreamEvent, ToolRan
from claude_nb.streaming.progress import Outcome, Progress


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A complete answer that was given before.

    Attributes:
        id: The digest of what was asked.
        request: What was asked, by parts: see ``Fingerprint``.
        answered: When, as ISO 8601.
        events: What happened, in order; the times are in seconds from the first.
        functions: The notebook's functions that ran for it.
        server_tools: The tools that the server ran for it.
    """

    id: str
    request: dict[str, Any]
    answered: str
    events: tuple[StreamEvent, ...]
    functions: tuple[str, ...]
    server_tools: tuple[str, ...]

    @classmethod
    def of(cls, saved: dict[str, Any], events: tuple[StreamEvent, ...]) -> Answer:
        """An answer that was saved, if it can be shown.

        Args:
            saved: What was saved of it.
            events: Its events.

        Raises:
            InputError: It is not complete.
        """
        progress = Progress()
        for event in events:
            progress.apply(event)
        if progress.outcome is not Outcome.COMPLETE:
            raise InputError("it is incomplete")
        blocks = [block for block in progress.blocks if not block.lost]
        ran = (b.name for b in blocks if b.type == "tool_use" and isinstance(b.run, ToolRan))
        server = (b.name for b in blocks if b.type in SERVER_CALLS)
        return cls(
            as_string(saved.get("id")),
            as_dict(saved.get("request")),
            as_string(saved.get("answered")),
            events,
            tuple(dict.fromkeys(ran)),
            tuple(dict.fromkeys(server)),
        )

    @property
    def day(self) -> str:
        """The day on which it was given, here."""
        try:
            return f"{datetime.fromisoformat(self.answered).astimezone():%Y-%m-%d}"
        except (ValueError, OverflowError, OSError):
            return "on an unknown date"

    @property
    def note(self) -> str:
        """What the reader should know of it when it is shown again."""
        again = f" · functions not run again: {', '.join(self.functions)}" if self.functions else ""
        return f"kept · $0 · answered {self.day}{again}"


def read(text: str) -> tuple[StreamEvent, ...]:
    """The events of an answer that was saved in a notebook.

    Args:
        text: What ``compact`` made of them; a file may hold anything.

    Raises:
        InputError: They are no events.
    """
    reader, log, attempt = Lines(()), EventLog(), 0
    for written in text.split("\n"):
        try:
            line = json.loads(written)
        except (ValueError, RecursionError):
            raise InputError("it cannot be read") from None
        at = line.get("at") if isinstance(line, dict) else None
        if at is None or not CHECKS["float"](at):
            raise InputError("it cannot be read")
        data = reader.read(line, "it")
        attempt += isinstance(data, RequestSent)
        try:
            for time_, piece in pieces(float(at), data, line.get("pace")):
                log.record(time_, attempt, piece)
        except ValueError:
            raise InputError("it cannot be read") from None
    return tuple(log)


class KeptSource(Source):
    """A ``Source`` of the events of a kept answer, all at once; nothing is sent.

    They keep their times: the reply took as long as it did when it was given, and ends now.

    Args:
        answer: The answer.
        source: The source that it replaces: it has the ``params`` that it would send.
    """

    def __init__(self, answer: Answer, source: Source) -> None:
        self.sent = []
        self._answer = answer
        self._source = source

    def params(self, request: Request) -> dict[str, Any]:
        """The arguments that would be sent."""
        return self._source.params(request)

    async def events(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """All that happened, the calls of tools and their results too."""
        shown, kept = without_secrets(self.params(request)), self._answer
        began = time.monotonic() - kept.events[-1].time
        for event in kept.events:
            data = event.data
            if isinstance(data, RequestSent):
                data = replace(data, params=shown, replayed=False, kept=kept.answered or "unknown")
            yield event._replace(time=began + event.time, data=data)
