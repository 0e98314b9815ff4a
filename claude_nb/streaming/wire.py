"""An event as JSON: what came over the wire, or what happened besides. Never a key."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import Any

from claude_nb.errors import ClaudeError
from claude_nb.redaction import Redactor, redact, redacted
from claude_nb.streaming import events
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.events import DELTA_FIELDS

OWN: dict[str, Any] = {
    kind.type: kind
    for kind in (
        *(events.RequestSent, events.ResponseStarted, events.Waiting, events.Resumed),
        events.Unthought,
        *(events.ToolAsked, events.ToolStarted, events.ToolRan),
        *(events.Responded, events.Stopped, events.Failed),
    )
}
"""The classes of our own events, by type."""


def _redacted_fields(value: dict[str, Any]) -> dict[str, Any]:
    return {redact(str(name)): redacted(item) for name, item in value.items()}


class Writer:
    """Turns events into JSON, one after another; a credential may be spread over deltas."""

    def __init__(self) -> None:
        self._keys: defaultdict[str, Redactor] = defaultdict(Redactor)
        self._last: dict[str, tuple[dict[str, Any], str]] = {}  # each block's last delta, its field

    def write(self, data: Any) -> dict[str, Any]:
        """The JSON of an event.

        What is held back at the end of a delta is in a later one; at the end of its block it is
        added to the last one, in place.

        Args:
            data: The ``data`` of the next ``StreamEvent``.
        """
        if isinstance(data, dict):
            return self._wire(data)
        self.finish()
        found = {part.name: getattr(data, part.name) for part in fields(data)}
        if isinstance(found.get("error"), ClaudeError):
            found["error"] = error_to_dict(found["error"])
        return _redacted_fields(found | {"type": data.type})

    def _wire(self, wire: dict[str, Any]) -> dict[str, Any]:
        index = str(wire.get("index"))
        if wire.get("type") in ("content_block_start", "content_block_stop"):
            self._finish(index)
        delta = as_dict(wire.get("delta"))
        field = DELTA_FIELDS.get(as_string(delta.get("type")))
        if field is None or not isinstance(delta.get(field), str):
            return _redacted_fields(wire)
        shown = self._keys[index].feed(delta[field])
        made = redacted(delta) | {field: shown}
        self._last[index] = made, field
        return _redacted_fields(wire | {"delta": {}}) | {"delta": made}

    def finish(self) -> None:
        """Add what is held back to the last deltas: no more of their blocks come."""
        for index in list(self._keys):
            self._finish(index)

    def _finish(self, index: str) -> None:
        rest = self._keys.pop(index).finish() if index in self._keys else ""
        if rest:
            delta, field = self._last[index]
            delta[field] += rest


def error_to_dict(error: ClaudeError) -> dict[str, Any]:
    """An error in JSON."""
    names = ("what", "advice", "detail", "request_id", "retry_after", "status", "simulated")
    known = {name: getattr(error, name) for name in names}
    return {"class": type(error).__name__} | {k: v for k, v in known.items() if v}
