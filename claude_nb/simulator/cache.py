"""The prompt cache, and the diagnosis of its misses.

The rules are those of platform.claude.com/docs: "Prompt caching" (read 2026-10-08) and "Cache
diagnostics" (as of its general release, in which it needs no beta header any more). Where these
leave a choice, this is the one made here:

- A change of ``thinking`` or ``output_config.effort`` misses the messages alone. On some models,
  which are not named, it misses tools and system as well.
- A marked block gets an entry also where its prefix was read; that costs nothing.
- An entry keeps the time to live that it was written with, whoever reads it.
- When both tools and system have changed, the diagnosis is ``tools_changed``: they come first.
- The diagnosis remembers a request for an hour; the API says "a short period".
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from claude_nb.cost.models import facts
from claude_nb.simulator import catalogue, documents
from claude_nb.simulator.tokens import Level, Part, blocks, of_block, parts, without_mark

TTLS = {"5m": 300, "1h": 3600}
"""Seconds, by ``ttl``."""

_LEVELS: tuple[Level, ...] = ("tools", "system", "messages")
_LOOKBACK = 20
"""Positions at which a breakpoint looks for an entry, its own included."""

_RUNS = {"tool_use", "tool_result"}
"""Types of which a run of blocks is one position."""

_UNMARKABLE = {"thinking", "redacted_thinking"}
_REMEMBERED = 3600
"""Seconds for which a request can be named as the previous one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A prompt as it was looked up in the cache.

    Attributes:
        read: Tokens that are read from the cache.
        written: Tokens that are written to it, by ``ttl``.
        entries: The entries that are made or used, by their key, with their ``ttl``.
        at: When the request came, in seconds of the caller's clock.
    """

    read: int
    written: dict[str, int]
    entries: dict[str, str]
    at: float


@dataclass(slots=True)
class PromptCache:
    """The prefixes that were written, and until when they can be read.

    A prefix runs from the first tool to a breakpoint. It is written at breakpoints only, read from
    up to 20 positions before one, and lives for five minutes or an hour from the start of the last
    request that used it.
    """

    _entries: dict[str, tuple[str, float]] = field(default_factory=dict)  # ttl, end

    def find(self, request: dict[str, Any], now: float) -> Found:
        """Look a prompt up; nothing is written yet.

        Args:
            request: The body of a request that is known to be good.
            now: Seconds of a clock that does not go back.

        Returns:
            What is read and what is to be written, for :meth:`keep`. Both are nothing where no
            breakpoint is, or the prompt up to it is shorter than the model's minimum.
        """
        written = dict.fromkeys(TTLS, 0)
        prompt = list(parts(request))
        places = breakpoints(request, prompt)
        if not places:
            return Found(0, written, {}, now)
        known = facts(request["model"])
        minimum = (known.cache_minimum_tokens if known else None) or 0
        keys, totals = _prefixes(request, prompt)
        marked = {i: ttl for i, ttl in places if totals[i] >= minimum}
        alive = {key: ttl for key, (ttl, end) in self._entries.items() if end > now}
        hits = [i for i in _reachable(prompt, marked) if keys[i] in alive]
        entries = {keys[i]: alive.get(keys[i], ttl) for i, ttl in marked.items()}
        read = done = 0
        if hits:
            read = done = totals[max(hits)]
            entries[keys[max(hits)]] = alive[keys[max(hits)]]
        for i, ttl in marked.items():
            written[ttl] += max(totals[i] - done, 0)
            done = max(done, totals[i])
        return Found(read, written, entries, now)

    def keep(self, found: Found) -> None:
        """Write the missing entries, and refresh those that were read.

        The API does so when the response begins: a request that comes earlier cannot read it.
        """
        for key, ttl in found.entries.items():
            _, end = self._entries.get(key, (ttl, 0.0))
            self._entries[key] = ttl, max(end, found.at + TTLS[ttl])


def breakpoints(request: dict[str, Any], prompt: list[Part]) -> list[tuple[int, str]]:
    """Return where a prompt has breakpoints, the automatic one included.

    Args:
        request: The body of the request.
        prompt: Its parts.

    Returns:
        For each, in the order of the prompt, the index of its part and its ``ttl``.
    """
    controls = {i: part.block.get("cache_control") for i, part in enumerate(prompt)}
    place = automatic_place(prompt)
    if request.get("cache_control") and place is not None:
        controls[place] = request["cache_control"]
    return [(i, control.get("ttl", "5m")) for i, control in controls.items() if control]


def automatic_place(prompt: list[Part]) -> int | None:
    """Return the index of the last part that a breakpoint can stand on, if there is one."""
    eligible = (i for i, part in enumerate(prompt) if markable(part.block))
    return max(eligible, default=None)


def markable(block: dict[str, Any]) -> bool:
    """Say whether a block can carry ``cache_control``: thinking and empty text cannot."""
    kind = block.get("type")
    return kind not in _UNMARKABLE and not (kind == "text" and not block.get("text"))


def _reachable(prompt: list[Part], marked: Iterable[int]) -> list[int]:
    """Return the parts at which the breakpoints look for an entry."""
    positions: list[int] = []
    for i, part in enumerate(prompt):
        kind = part.block.get("type")
        same = i > 0 and kind in _RUNS and kind == prompt[i - 1].block.get("type")
        positions.append(positions[-1] + (not same) if positions else 0)
    return [
        i
        for i, position in enumerate(positions)
        if any(i <= mark and positions[mark] - position < _LOOKBACK for mark in marked)
    ]


def _prefixes(request: dict[str, Any], prompt: list[Part]) -> tuple[list[str], list[int]]:
    """Return for each part the key and the tokens of the prompt up to its end."""
    settings = _settings(request)
    digest = hashlib.sha256()
    keys: list[str] = []
    totals: list[int] = []
    for level in _LEVELS:
        digest.update(json.dumps(settings[level], sort_keys=True).encode() + b"\0")
        for part in prompt:
            if part.level == level:
                digest.update(_identity(part).encode() + b"\0")
                keys.append(digest.hexdigest())
                totals.append(of_block(part.block) + (totals[-1] if totals else 0))
    return keys, totals


def _identity(part: Part) -> str:
    """Return a text that is equal for equal parts.

    The order of a block's own fields means nothing; that within a schema or a tool's input is kept,
    because there the model sees it.
    """
    return part.role + json.dumps(dict(sorted(without_mark(part.block).items())))


def _settings(request: dict[str, Any]) -> dict[Level, list[Any]]:
    """Return the settings that change a prompt's prefixes, by the level from which on."""
    found = list(files(request))
    form = catalogue.output_format(request)
    return {
        "tools": [catalogue.undated(request["model"])],
        "system": [request.get("speed") or "standard", cites(found), form],
        "messages": [*_choices(request), any(file["type"] == "image" for file in found)],
    }


def _choices(request: dict[str, Any]) -> list[Any]:
    """Return the parameters that the messages are read under, a default like its absence."""
    choice = request.get("tool_choice") or {"type": "auto"}
    return [choice, *catalogue.thinking_mode(request), catalogue.effort(request)]


def files(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Find the images and documents of the messages, those in tool results included."""
    waiting = [part.block for part in parts(request) if part.level == "messages"]
    while waiting:
        block = waiting.pop()
        if block["type"] in {"image", "document"}:
            yield block
        elif block["type"] == "tool_result":
            waiting += blocks(block.get("content") or [])


def cites(found: Iterable[dict[str, Any]]) -> bool:
    """Say whether citations are switched on for one of these documents."""
    return any(map(documents.is_citable, found))


@dataclass(frozen=True, slots=True)
class _Fingerprint:
    """A request as the next one is compared with it."""

    at: float
    model: list[Any]
    settings: list[Any]
    prompt: list[tuple[Level, str, int]]  # of each part its level, identity and tokens

    def level(self, level: Level) -> list[str]:
        return [identity for at, identity, _ in self.prompt if at == level]


@dataclass(slots=True)
class Diagnostics:
    """Says where a prompt departs from the previous one: ``diagnostics.cache_miss_reason``.

    Only requests with a ``diagnostics`` field are remembered.
    """

    _before: dict[str, _Fingerprint] = field(default_factory=dict)

    def compare(self, request: dict[str, Any], now: float) -> dict[str, Any] | None:
        """Return the ``diagnostics`` of the response.

        Args:
            request: The body of a request that is known to be good.
            now: Seconds of a clock that does not go back.

        Returns:
            None where nothing was asked, nothing could be compared yet, or nothing differs.
        """
        named = (request.get("diagnostics") or {}).get("previous_message_id")
        if named is None:
            return None
        before = self._before.get(named)
        if before is None or before.at + _REMEMBERED <= now:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        reason = _difference(before, _fingerprint(request, now))
        return {"cache_miss_reason": reason} if reason else None

    def remember(self, message_id: str, request: dict[str, Any], now: float) -> None:
        """Keep what the next request will be compared with, if this one asked for it."""
        if request.get("diagnostics") is not None:
            recent = {k: v for k, v in self._before.items() if v.at + _REMEMBERED > now}
            self._before = recent | {message_id: _fingerprint(request, now)}


def _fingerprint(request: dict[str, Any], now: float) -> _Fingerprint:
    prompt = [
        (part.level, hashlib.sha256(_identity(part).encode()).hexdigest(), of_block(part.block))
        for part in parts(request)
    ]
    model = [catalogue.undated(request["model"]), request.get("speed") or "standard"]
    settings = [*_choices(request), catalogue.output_format(request)]
    return _Fingerprint(now, model, settings, prompt)


def _difference(before: _Fingerprint, now: _Fingerprint) -> dict[str, Any] | None:
    """Return the first difference as the API names it; what was only added is none."""
    if before.model != now.model:
        return _changed("model", before.prompt)
    pairs = zip(before.prompt, now.prompt, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    for level in ("tools", "system"):
        if before.level(level) != now.level(level):
            return _changed(level, before.prompt[same:])
    if before.settings != now.settings:
        return {"type": "unavailable"}
    messages = before.level("messages")
    if now.level("messages")[: len(messages)] != messages:
        return _changed("messages", before.prompt[same:])
    return None


def _changed(what: str, lost: list[tuple[Level, str, int]]) -> dict[str, Any]:
    missed = sum(count for _, _, count in lost)
    return {"type": f"{what}_changed", "cache_missed_input_tokens": missed}
