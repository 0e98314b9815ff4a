"""One line of a recording: an event as JSON, and back."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from claude_nb import errors
from claude_nb.errors import ClaudeError, InputError
from claude_nb.recording.matching import canonical, is_thinking, short, without_parts
from claude_nb.streaming.events import RequestSent, ToolRan
from claude_nb.streaming.wire import OWN, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float) and abs(value) <= sys.float_info.max,
    "dict[str, Any]": lambda value: isinstance(value, dict),
}
"""By annotation of a field of our own events: what it can be. An edited file may hold anything."""


class Lines:
    """Turns events into what lines say, and back, one after another.

    Args:
        parts: What is left out.
        before: What was sent with the request before: it is not said twice.
    """

    def __init__(self, parts: tuple[str, ...], before: dict[str, Any] | None = None) -> None:
        self.parts = parts
        self._before = before or {}
        self._writer = Writer()

    def write(self, data: Any) -> dict[str, Any]:
        """An event as a dict, without keys and without what is left out."""
        said = self._writer.write(data)
        if isinstance(data, dict):
            return {"wire": self._without_thinking(said)}
        if isinstance(data, RequestSent):
            said.pop("replayed")
            params = canonical(data.params or self._before, self.parts)
            if params == self._before:
                said.pop("params")
            else:
                self._before = said["params"] = params
        if isinstance(data, ToolRan):  # the next request says it again
            said["content"] = without_parts(said["content"], self.parts)
            if "request" in self.parts:
                said |= {"note": "", "details": ""}  # they say the same, in other words
        return {"event": said}

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
        """The event that a line says.

        Args:
            item: The line.
            where: Its place, for an error.

        Raises:
            InputError: It is no event.
        """
        if "wire" in item:
            if not isinstance(item["wire"], dict):
                raise InputError(f"{where} is no event of the Messages API.")
            return item["wire"]
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
            self._before = values.get("params") or self._before
            values |= {"replayed": True, "params": self._before}
        try:
            return kind(**values)
        except TypeError:
            raise InputError(f"{where}: something of this event is missing.") from None


def _blank(part: Any) -> dict[str, Any]:
    return {name: value if name == "type" else "" for name, value in part.items()}


def to_line(value: Any) -> str:
    """One line of JSON, readable where it can be encoded."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:  # half a character: JSON can say it, and UTF-8 cannot
        line = json.dumps(value, sort_keys=True, default=str)
    return line


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
