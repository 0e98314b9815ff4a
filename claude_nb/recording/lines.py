"""One line of a recording: an event as JSON, and back."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from claude_nb import errors, events
from claude_nb.errors import ClaudeError, InputError, Redactor
from claude_nb.events import RequestSent
from claude_nb.recording.matching import canonical, fingerprinted, redacted, short
from claude_nb.source import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable

_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
OWN = {
    next(str(part.default) for part in fields(kind) if part.name == "type"): kind
    for kind in vars(events).values()
    if isinstance(kind, type) and is_dataclass(kind)
}
"""Our own events by type."""

CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float) and math.isfinite(value),
    "dict[str, Any]": lambda value: isinstance(value, dict),
}
"""By annotation of a field of our own events: what it can be. An edited file may hold anything."""


def is_ours(data: Any) -> bool:
    """Whether an event is one of our own, and did not come over the wire."""
    return type(data) in OWN.values()


class Lines:
    """Turns events into what lines say, and back, one after another.

    Args:
        parts: What is left out.
        before: What was sent with the request before: it is not said twice.
    """

    def __init__(self, parts: tuple[str, ...], before: dict[str, Any] | None = None) -> None:
        self.parts = parts
        self._written = self._read = before or {}
        self._keys: defaultdict[object, Redactor] = defaultdict(Redactor)

    def write(self, data: Any) -> dict[str, Any]:
        """An event as a dict, without keys and without what is left out."""
        if not is_ours(data):
            return {"wire": self._wire(to_wire(data))}
        said = {part.name: getattr(data, part.name) for part in fields(data)}
        if isinstance(data, RequestSent):
            self._keys.clear()
            said.pop("replayed")
            said["params"] = canonical(said["params"] or self._written, self.parts)
            if said["params"] == self._written:
                said.pop("params")
            else:
                self._written = said["params"]
        if isinstance(said.get("error"), ClaudeError):
            said["error"] = _error_to_dict(said["error"])
        if "request" in self.parts and "content" in said:  # what a tool returned
            said["content"] = fingerprinted(list(said["content"]))
        return {"event": redacted(said)}

    def _wire(self, wire: Any) -> Any:
        """What came over the wire; a key that is spread over several deltas is no key any more."""
        delta = wire.get("delta") if isinstance(wire, dict) else None
        if not isinstance(delta, dict):
            if isinstance(wire, dict) and wire.get("type") == "content_block_start":
                self._keys.pop(str(wire.get("index")), None)
            return redacted(wire)
        kind = delta.get("type")
        if "thinking" in self.parts and kind in ("thinking_delta", "signature_delta"):
            return redacted(
                wire | {"delta": {k: v if k == "type" else "" for k, v in delta.items()}}
            )
        field = _DELTAS.get(kind) if isinstance(kind, str) else None
        text = delta.get(field) if field else None
        if field is None or not isinstance(text, str):
            return redacted(wire)
        shown = self._keys[str(wire.get("index"))].feed(text)
        rest = {k: redacted(v) for k, v in delta.items() if k != field}
        return {k: redacted(v) for k, v in wire.items() if k != "delta"} | {
            "delta": rest | {field: shown}
        }

    def read(self, item: dict[str, Any], where: str) -> Any:
        """The event that a line says.

        Args:
            item: The line.
            where: Its place, for an error.

        Raises:
            InputError: It is no event.
        """
        if "wire" in item:
            return from_wire(item["wire"])
        said = item.get("event")
        kind = OWN.get(str(said.get("type"))) if isinstance(said, dict) else None
        if kind is None or not isinstance(said, dict):
            raise InputError(f"{where} is no event of a recording.")
        known = {part.name: part for part in fields(kind)}
        values = {name: value for name, value in said.items() if name in known}
        if "error" in known:
            values["error"] = _error_from_dict(values.get("error"))
        for name, value in values.items():
            if not CHECKS.get(str(known[name].type), lambda _: True)(value):
                raise InputError(f"{where}: {name} cannot be {short(value)}.")
            if isinstance(value, list):
                values[name] = tuple(value)
        if kind is RequestSent:
            self._read = values.get("params") or self._read
            values |= {"replayed": True, "params": self._read}
        try:
            return kind(**values)
        except TypeError:
            raise InputError(f"{where}: something of this event is missing.") from None


def to_line(value: Any) -> str:
    """One line of JSON, readable where it can be encoded."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:  # half a character: JSON can say it, and UTF-8 cannot
        line = json.dumps(value, sort_keys=True, default=str)
    return line


def _error_to_dict(error: ClaudeError) -> dict[str, Any]:
    names = ("what", "advice", "detail", "request_id", "retry_after", "status", "simulated")
    said = {name: getattr(error, name) for name in names}
    return {"class": type(error).__name__} | {k: v for k, v in said.items() if v}


def _error_from_dict(said: Any) -> ClaudeError:
    said = said if isinstance(said, dict) else {}
    kind = getattr(errors, str(said.get("class")), None)
    if not (isinstance(kind, type) and issubclass(kind, ClaudeError)):
        kind = ClaudeError
    wait, status = said.get("retry_after"), said.get("status")
    error = kind(
        str(said.get("what") or "It failed."),
        str(said.get("advice") or ""),
        detail=str(said.get("detail") or ""),
        request_id=str(said["request_id"]) if said.get("request_id") else None,
        retry_after=float(wait) if CHECKS["float"](wait) else None,
        status=status if type(status) is int else None,
    )
    error.simulated = said.get("simulated") is True
    return error
