"""When two requests are the same, what is left out of one that is recorded, and how two differ."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from claude_nb.errors import InputError
from claude_nb.redaction import redacted
from claude_nb.streaming.compact import digest
from claude_nb.streaming.continuation import common_prefix

PARTS = ("attachments", "request", "thinking")
"""What can be left out: the data of images and documents, all that was sent, thinking."""

_FINGERPRINT = re.compile(r"\[left out: [\d,]+ characters, [0-9a-f]{16}\]")

_AROUND = 24
"""Characters shown on each side of where two texts differ."""

_STRUCTURE = frozenset({"type", "role", "media_type", "ttl", "id", "tool_use_id", "name", "effort"})
"""Fields of a request whose values give away nothing of its content."""

_CONTENT = (
    *("system", "messages", "tools", "output_config"),
    *("stop_sequences", "metadata", "extra_body"),
)
"""Arguments of ``messages.create`` that hold what the user wrote."""

_USERS = frozenset({"input", "input_schema", "schema"})
"""Fields in which any name may mean anything: a tool's input, its parameters, an answer's form."""


def checked_parts(without: Collection[str]) -> tuple[str, ...]:
    """The parts to leave out, sorted.

    Raises:
        InputError: There is no such part.
    """
    named = {without} if isinstance(without, str) else set(without)
    if unknown := sorted(named.difference(PARTS)):
        raise InputError(f"{unknown[0]!r} cannot be left out.", f"There are {', '.join(PARTS)}.")
    return tuple(sorted(named))


def canonical(params: dict[str, Any], without: Collection[str] = ()) -> dict[str, Any]:
    """What is sent, in the form in which two requests are compared and recorded.

    Args:
        params: The arguments of ``messages.create``.
        without: What is left out of it: a fingerprint stands in its place.
    """
    plain = json.loads(json.dumps(params, default=str))
    if "thinking" in without:
        for message in plain.get("messages") or ():
            if isinstance(message, dict) and isinstance(message.get("content"), list):
                message["content"] = [b for b in message["content"] if not is_thinking(b)]
    for name in _CONTENT if "request" in without else set(plain):
        if name in plain:
            plain[name] = without_parts(plain[name], without)
    found: dict[str, Any] = redacted(plain)
    return found


def without_parts(value: Any, without: Collection[str]) -> Any:
    """What is sent, or will be, without its attachments or without all that it says.

    Args:
        value: Any of it, as JSON.
        without: What is left out; thinking, of which no fingerprint stays, is not looked for.
    """
    if "request" in without:
        return _fingerprinted(value)
    return _without_data(value) if "attachments" in without else value


def differences(recorded: Any, asked: Any, place: str = "") -> list[str]:
    """How two requests differ, a line for each place.

    Args:
        recorded: The one.
        asked: The other.
        place: Where in the request they stand.
    """
    if recorded == asked:
        return []
    if isinstance(recorded, dict) and isinstance(asked, dict):
        names = sorted({*recorded, *asked})
        parts = [(f"{place}.{n}".lstrip("."), recorded.get(n), asked.get(n)) for n in names]
        return [line for where, a, b in parts for line in differences(a, b, where)]
    if isinstance(recorded, list) and isinstance(asked, list):
        lines = [
            line
            for number, (a, b) in enumerate(zip(recorded, asked, strict=False))
            for line in differences(a, b, f"{place}[{number}]")
        ]
        if len(recorded) != len(asked):
            lines.append(f"{place}: {len(recorded)} recorded, {len(asked)} asked for")
        return lines
    a, b = recorded, asked
    if isinstance(a, str) and isinstance(b, str):
        start = max(0, common_prefix(a, b) - _AROUND)
        a, b = _excerpt(a, start), _excerpt(b, start)
    return [f"{place}: recorded {short(a)}, asked for {short(b)}"]


def distance(recorded: Any, asked: Any) -> int:
    """About how many characters of two requests are in one and not in the other."""
    a, b = (json.dumps(value, sort_keys=True) for value in (recorded, asked))
    start = common_prefix(a, b)
    end = common_prefix(a[start:][::-1], b[start:][::-1])
    return len(a) + len(b) - 2 * (start + end)


def _excerpt(text: str, start: int) -> str:
    return ("…" if start else "") + text[start : start + 3 * _AROUND]


def short(value: Any) -> str:
    """A JSON value, shortened."""
    if value is None:
        return "nothing"
    text = f"“{value}”" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 4 * _AROUND else text[: 4 * _AROUND] + "…"


def is_thinking(block: Any) -> bool:
    """Whether a content block is one that a model has thought, readable or not."""
    return isinstance(block, dict) and str(block.get("type", "")).endswith("thinking")


def _fingerprinted(value: Any) -> Any:
    """A value with its texts replaced by fingerprints."""
    if isinstance(value, str):
        return _fingerprint(value)
    if isinstance(value, list):
        return [_fingerprinted(item) for item in value]
    if isinstance(value, dict):
        return {name: _fingerprinted_field(name, item) for name, item in value.items()}
    return value


def _fingerprinted_field(name: str, value: Any) -> Any:
    if name in _USERS:
        return _fingerprint(value)
    return value if name in _STRUCTURE and isinstance(value, str) else _fingerprinted(value)


def _fingerprint(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if _FINGERPRINT.fullmatch(text):
        return text
    return f"[left out: {len(text):,} characters, {digest(redacted(value))[:16]}]"


def _without_data(value: Any) -> Any:
    """A value with the data of its images and documents replaced by fingerprints."""
    if isinstance(value, list):
        return [_without_data(item) for item in value]
    if not isinstance(value, dict):
        return value
    source = value.get("source")
    if value.get("type") in ("image", "document") and isinstance(source, dict):
        return value | {"source": _fingerprinted(source)}
    return {name: _without_data(item) for name, item in value.items()}
