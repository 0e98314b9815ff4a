"""An event as JSON: what came over the wire, or what happened besides. Never a key."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, is_dataclass
from typing import Any

from claude_nb import events
from claude_nb.errors import ClaudeError, Redactor, redact
from claude_nb.source import to_wire

DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
"""What a delta carries, by its type."""

OWN = {
    next(str(part.default) for part in fields(kind) if part.name == "type"): kind
    for kind in vars(events).values()
    if isinstance(kind, type) and is_dataclass(kind)
}
"""Our own events by type."""


def is_ours(data: Any) -> bool:
    """Whether an event is one of our own, and did not come over the wire."""
    return type(data) in OWN.values()


def redacted(value: Any) -> Any:
    """A value of JSON without what looks like a key."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in value]
    if isinstance(value, dict):
        return {redact(str(name)): redacted(item) for name, item in value.items()}
    return value


class Writer:
    """Turns events into JSON, one after another; a key that is spread over deltas is none."""

    def __init__(self) -> None:
        self._keys: defaultdict[str, Redactor] = defaultdict(Redactor)

    def write(self, data: Any) -> Any:
        """The JSON of an event.

        Args:
            data: The ``data`` of the next ``StreamEvent``.
        """
        if not is_ours(data):
            return self._wire(to_wire(data))
        if isinstance(data, events.RequestSent):
            self._keys.clear()
        said = {part.name: getattr(data, part.name) for part in fields(data)}
        if isinstance(said.get("error"), ClaudeError):
            said["error"] = error_to_dict(said["error"])
        return redacted(said)

    def _wire(self, wire: Any) -> Any:
        if not isinstance(wire, dict):
            return redacted(wire)
        index = str(wire.get("index"))
        if wire.get("type") == "content_block_start":
            self._keys.pop(index, None)
        delta = wire.get("delta")
        kind = delta.get("type") if isinstance(delta, dict) else None
        field = DELTAS.get(kind) if isinstance(kind, str) else None
        if field is None or not isinstance(delta, dict) or not isinstance(delta.get(field), str):
            return redacted(wire)
        shown = self._keys[index].feed(delta[field])
        return redacted(wire) | {"delta": redacted(delta) | {field: shown}}


def error_to_dict(error: ClaudeError) -> dict[str, Any]:
    """An error in JSON."""
    names = ("what", "advice", "detail", "request_id", "retry_after", "status", "simulated")
    said = {name: getattr(error, name) for name in names}
    return {"class": type(error).__name__} | {k: v for k, v in said.items() if v}
