"""An event as JSON: what came over the wire, or what happened besides. Never a key."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import Any

from claude_nb.errors import ClaudeError, Redactor, redact
from claude_nb.streaming import events
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.events import DELTA_FIELDS

OWN: dict[str, Any] = {
    kind.type: kind
    for kind in (
        *(events.RequestSent, events.ResponseStarted, events.Waiting, events.Resumed),
        *(events.ToolAsked, events.ToolStarted, events.ToolRan, events.Stopped, events.Failed),
    )
}
"""The classes of our own events, by type."""


def redacted(value: Any) -> Any:
    """A value of JSON without what looks like a key; ``…`` where it is too deep for Python."""
    try:
        return _redacted(value)
    except RecursionError:
        return "…"


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [_redacted(item) for item in value]
    if isinstance(value, dict):
        return {redact(str(name)): _redacted(item) for name, item in value.items()}
    return value


def _redacted_fields(value: dict[str, Any]) -> dict[str, Any]:
    return {redact(str(name)): redacted(item) for name, item in value.items()}


class Writer:
    """Turns events into JSON, one after another; a key that is spread over deltas is none."""

    def __init__(self) -> None:
        self._keys: defaultdict[str, Redactor] = defaultdict(Redactor)

    def write(self, data: Any) -> dict[str, Any]:
        """The JSON of an event.

        Args:
            data: The ``data`` of the next ``StreamEvent``.
        """
        if isinstance(data, dict):
            return self._wire(data)
        if isinstance(data, events.RequestSent):
            self._keys.clear()
        found = {part.name: getattr(data, part.name) for part in fields(data)}
        if isinstance(found.get("error"), ClaudeError):
            found["error"] = error_to_dict(found["error"])
        return _redacted_fields(found | {"type": data.type})

    def _wire(self, wire: dict[str, Any]) -> dict[str, Any]:
        index = str(wire.get("index"))
        if wire.get("type") == "content_block_start":
            self._keys.pop(index, None)
        delta = as_dict(wire.get("delta"))
        field = DELTA_FIELDS.get(as_string(delta.get("type")))
        if field is None or not isinstance(delta.get(field), str):
            return _redacted_fields(wire)
        shown = self._keys[index].feed(delta[field])
        return _redacted_fields(wire | {"delta": {}}) | {"delta": redacted(delta) | {field: shown}}


def error_to_dict(error: ClaudeError) -> dict[str, Any]:
    """An error in JSON."""
    names = ("what", "advice", "detail", "request_id", "retry_after", "status", "simulated")
    known = {name: getattr(error, name) for name in names}
    return {"class": type(error).__name__} | {k: v for k, v in known.items() if v}
