"""One line of a recording: an event as JSON, and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from claude_nb import errors
from claude_nb.characters import wellformed_json
from claude_nb.errors import ClaudeError, InputError
from claude_nb.recording.matching import canonical, is_thinking, short, without_parts
from claude_nb.streaming.events import RequestSent, StreamEvent, ToolRan
from claude_nb.streaming.wire import OWN, Writer

CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float) and abs(value) <= sys.float_info.max,
    "dict[str, Any]": lambda value: isinstance(value, dict),
    "tuple[dict[str, Any], ...]": lambda value: (
        isinstance(value, list | tuple) and all(isinstance(item, dict) for item in value)
    ),
}
"""Checks of our own events' fields, by annotation: an edited file may hold anything."""


class Lines:
    """Turns events into the objects of lines, and back, one after another.

    Args:
        parts: What is left out.
        before: The params of the request before, which are not repeated.
    """

    def __init__(self, parts: tuple[str, ...], before: dict[str, Any] | None = None) -> None:
        self.parts = parts
        self._before = before or {}
        self._writer = Writer()

    def write_all(self, events: Sequence[StreamEvent]) -> list[dict[str, Any]]:
        """Events as dicts, without credentials and without what is left out."""
        written = [self._writer.write(event.data) for event in events]
        self._writer.finish()
        return [self._line(event.data, line) for event, line in zip(events, written, strict=True)]

    def _line(self, data: Any, event: dict[str, Any]) -> dict[str, Any]:
        if isinstance(data, dict):
            return {"wire": self._without_thinking(event)}
        if isinstance(data, RequestSent):
            event.pop("replayed")
            event.pop("kept")
            params = canonical(data.params or self._before, self.parts)
            if params == self._before:
                event.pop("params")
            else:
                self._before = event["params"] = params
        if isinstance(data, ToolRan):  # the next request repeats it
            event["content"] = without_parts(event["content"], self.parts)
            if "request" in self.parts:
                event |= {"note": "", "details": "", "display": ()}  # they hold parts of the result
        return {"event": event}

    def _without_thinking(self, wire: dict[str, Any]) -> dict[str, Any]:
        if "thinking" not in self.parts:
            return wire
        block, delta = wire.get("content_block"), wire.get("delta")
        if is_thinking(block):
            return wire | {"content_block": _blank(block)}
        if isinstance(delta, dict) and delta.get("type") in ("thinking_delta", "signature_delta"):
            return wire | {"delta": _blank(delta)}
        return wire

    def read(self, item: dict[str, Any], where: str) -> Any:
        """The event of a line.

        Args:
            item: The line.
            where: Its place, for an error.

        Raises:
            InputError: It is no event.
        """
        if "wire" in item:
            if not isinstance(item["wire"], dict):
                raise InputError(f"{where} is not an event of the Messages API.")
            return item["wire"]
        event = wellformed_json(item.get("event"))
        kind = OWN.get(str(event.get("type"))) if isinstance(event, dict) else None
        if kind is None or not isinstance(event, dict):
            raise InputError(f"{where} is not an event of a recording.")
        known = {part.name: part for part in fields(kind)}
        values = {name: value for name, value in event.items() if name in known}
        if "error" in known:
            values["error"] = _error_from_dict(values.get("error"))
        for name, value in values.items():
            if not CHECKS.get(str(known[name].type), lambda _: True)(value):
                raise InputError(f"{where}: {name} cannot be {short(value)}.")
            if isinstance(value, list):
                values[name] = tuple(value)
        if kind is RequestSent:
            self._before = values.get("params") or self._before
            values |= {"replayed": True, "params": self._before}
        try:
            return kind(**values)
        except TypeError:
            raise InputError(f"{where}: this event is incomplete.") from None


def _blank(part: Any) -> dict[str, Any]:
    return {name: value if name == "type" else "" for name, value in part.items()}


def to_line(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _error_from_dict(data: Any) -> ClaudeError:
    data = data if isinstance(data, dict) else {}
    kind = getattr(errors, str(data.get("class")), None)
    if not (isinstance(kind, type) and issubclass(kind, ClaudeError)):
        kind = ClaudeError
    wait, status = data.get("retry_after"), data.get("status")
    error = kind(
        str(data.get("what") or "It failed."),
        str(data.get("advice") or ""),
        detail=str(data.get("detail") or ""),
        request_id=str(data["request_id"]) if data.get("request_id") else None,
        retry_after=float(wait) if CHECKS["float"](wait) else None,
        status=status if type(status) is int else None,
    )
    error.simulated = data.get("simulated") is True
    return error
