"""What decides an answer, as digests: the same ones mean that the same would be sent.

Prices and times are not in it, nor the marks of the prompt cache, nor who asks (``metadata``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from claude_nb.recording.matching import canonical
from claude_nb.redaction import redact, redacted
from claude_nb.request import uploads
from claude_nb.request.cells import lasting
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request
from claude_nb.streaming.block import as_dict
from claude_nb.streaming.compact import digest

_SHORT = 16
"""Hexadecimal digits of the digest of a part."""

_DECIDES_NOTHING = ("metadata", "container", "cache_control")
"""Arguments of ``messages.create`` that change no answer."""

_DERIVED = ("words", "values")
"""The parts that are there to say what changed: ``asked`` holds what was sent of them."""

_CHANGES = {
    "server": "the server",
    "model": "the model",
    "system": "the system prompt",
    "tools": "the tools",
    "form": "the output schema",
}

_OPTIONS = {"extra_body": "extra", "extra_headers": "betas"}
"""What arguments of ``messages.create`` are called as options."""


class Fingerprint:
    """What decides the answer to a request.

    Args:
        request: What is to be sent, with the turns before it.
        origin: The name of the server.
        values: A digest of each value that was put in, by its name.
        sources: The source of each function that may be called; None for one that is not known,
            which then counts as changed.

    Attributes:
        parts: Digests of its parts, by name.
        id: A digest of all that decides: what the answer is found by.
    """

    def __init__(
        self,
        request: Request,
        origin: str,
        values: Mapping[str, str],
        sources: Mapping[str, str | None],
    ) -> None:
        params = _unmarked(canonical(without_secrets(request.params())))
        messages, before = params.pop("messages"), len(request.before)
        for message in messages:
            if isinstance(message["content"], list):
                message["content"] = lasting(message["content"])
        output = params.pop("output_config", {})
        rest = {"effort": output.get("effort"), **params}
        named = ("model", "system", "tools", *_DECIDES_NOTHING)
        self.parts: dict[str, Any] = {
            "server": _short(origin),
            "model": request.model,
            "system": _short(params.get("system")),
            "turns": _short(messages[:before]),
            "asked": _short(messages[before:]),
            "words": _short(redact(request.prompt)),
            "values": dict(values),
            "tools": _short(params.get("tools")),
            "functions": {name: _of_source(text) for name, text in sources.items()},
            "form": _short(output.get("format")),
            "options": {
                _OPTIONS.get(name, name): _short(value)
                for name, value in rest.items()
                if value and name not in named
            },
        }
        decisive = {name: part for name, part in self.parts.items() if name not in _DERIVED}
        self.id = digest(decisive)


def of_value(blocks: Iterable[dict[str, Any]]) -> str:
    """The digest of a value as it is put in: content blocks, uploaded or not, without credentials.

    It is saved, and a short password could be guessed by its digest.
    """
    return _short(redacted(uploads.resolved(list(blocks), {})))


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two requests, each in a few words: ``{{df}}``, ``the model``."""
    found = [words for name, words in _CHANGES.items() if before.get(name) != now[name]]
    values = _differing(before, now, "values")
    if before.get("words") != now["words"]:
        found.insert(0, "the prompt")
    elif values:
        found = [*values, *found]
    elif before.get("asked") != now["asked"]:
        found.insert(0, "the attachments")
    if before.get("turns") != now["turns"]:
        found.insert(0, "an earlier turn")
    if before.get("tools") == now["tools"]:
        found += _differing(before, now, "functions")
    return found + _differing(before, now, "options")


def out_of_date(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Of what differs, the values and the turns, which change without the cell being edited."""
    changed = changes(before, now)
    values = _differing(before, now, "values")
    return [words for words in changed if words in values or words == "an earlier turn"]


def _differing(before: Mapping[str, Any], now: Mapping[str, Any], part: str) -> list[str]:
    """The names of what differs in a part, in the order in which they are named."""
    a, b = as_dict(before.get(part)), now[part]
    return [name for name in dict.fromkeys((*b, *a)) if a.get(name) != b.get(name)]


def _short(value: Any) -> str:
    """A short digest."""
    return digest(value)[:_SHORT]


def _of_source(text: str | None) -> str:
    """The digest of a function; of one without a source, one that it never has again."""
    return _short(uuid4().hex if text is None else text)


def _unmarked(value: Any) -> Any:
    """A value without the marks of the prompt cache."""
    if isinstance(value, dict):
        return {n: _unmarked(item) for n, item in value.items() if n != "cache_control"}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value
