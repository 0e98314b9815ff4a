"""Counting: about four characters a token, the limits on the output, the prompt cache."""

import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

from claude_nb.models import facts
from claude_nb.simulator.wire import Answer, Written

CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_FILE = {"image": 500, "document": 2000}
"""For what is sent as base64 or by reference: one number for all."""

_LOOKBACK = 20
"""Blocks before a breakpoint in which the API looks for a cached prefix."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """One tool, system block or content block of a prompt; what caching compares."""

    content: str
    tokens: int
    ttl: str | None = None  # "5m" or "1h" where a breakpoint is


@dataclass(slots=True)
class PrefixCache:
    """The prompt prefixes that were written, and until when they can be read.

    As in the API: prefixes run over tools, system and messages, are written at breakpoints, found
    up to 20 blocks before one, and live for 5 minutes or an hour from their last use.
    """

    _until: dict[str, float] = field(default_factory=dict)

    def use(self, segments: list[_Segment], model: str) -> tuple[int, dict[str, int]]:
        """Look a prompt up and write it down.

        Args:
            segments: The prompt.
            model: Its model; caches are not shared between models.

        Returns:
            Tokens read, and tokens written by time to live.
        """
        written = {"5m": 0, "1h": 0}
        known = facts(model)
        minimum = (known.cache_minimum_tokens if known else None) or 0
        keys, totals = _prefixes(segments, model)
        breakpoints = [i for i, s in enumerate(segments) if s.ttl and totals[i] >= minimum]
        if not breakpoints:
            return 0, written
        now = time.monotonic()
        reachable = {j for i in breakpoints for j in range(max(0, i - _LOOKBACK), i + 1)}
        hits = [i for i in reachable if self._until.get(keys[i], 0) > now]
        done = totals[max(hits)] if hits else 0
        read = done
        for i in breakpoints:
            ttl = segments[i].ttl or "5m"
            written[ttl] += max(totals[i] - done, 0)
            done = max(done, totals[i])
            self._until[keys[i]] = now + (3600 if ttl == "1h" else 300)
        return read, written


def estimate(text: str) -> int:
    """Return the tokens of a text: a quarter of its characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def of_request(request: dict[str, Any]) -> int:
    """Return the input tokens of a request, at least 1."""
    return max(1, sum(segment.tokens for segment in _segments(request)))


def usage(request: dict[str, Any], answer: Answer, cache: PrefixCache) -> dict[str, Any]:
    """Return the usage of a request and its answer; the request's prefixes are remembered."""
    read, written = cache.use(_segments(request), request["model"])
    outputs = [(w.block["type"], estimate(w.text)) for w in answer.content]
    thought = sum(count for kind, count in outputs if kind == "thinking")
    return {
        "input_tokens": of_request(request) - read - sum(written.values()),
        "cache_creation_input_tokens": sum(written.values()),
        "cache_read_input_tokens": read,
        "cache_creation": {f"ephemeral_{ttl}_input_tokens": n for ttl, n in written.items()},
        "output_tokens": max(1, sum(count for _, count in outputs)),
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
    }


def limited(answer: Answer, request: dict[str, Any]) -> Answer:
    """Cut an answer where ``stop_sequences`` or ``max_tokens`` say, whichever comes first."""
    return _within(_stopped(answer, request.get("stop_sequences") or []), request["max_tokens"])


def _within(answer: Answer, max_tokens: int) -> Answer:
    left = max_tokens
    kept: list[Written] = []
    for written in answer.content:
        cost = estimate(written.text)
        if cost > left:
            if left:
                kept.append(replace(written, text=written.text[: left * CHARACTERS_PER_TOKEN]))
            return Answer(kept, "max_tokens")
        left -= cost
        kept.append(written)
    return answer


def _stopped(answer: Answer, sequences: list[str]) -> Answer:
    for number, written in enumerate(answer.content):
        if written.block["type"] != "text":
            continue
        found = [(written.text.find(s), s) for s in sequences if s in written.text]
        if found:
            at, sequence = min(found)
            last = [replace(written, text=written.text[:at])] if at else []
            return Answer([*answer.content[:number], *last], "stop_sequence", sequence)
    return answer


def _segments(request: dict[str, Any]) -> list[_Segment]:
    """Take a prompt apart in the order in which it is cached."""
    parts: list[tuple[str, dict[str, Any]]] = [("tool", t) for t in request.get("tools") or []]
    parts += [("system", block) for block in blocks(request.get("system") or [])]
    for message in request["messages"]:
        parts += [(message["role"], block) for block in blocks(message["content"])]
    segments = [_segment(where, block) for where, block in parts]
    automatic = request.get("cache_control")
    if automatic and segments:
        segments[-1] = replace(segments[-1], ttl=automatic.get("ttl", "5m"))
    return segments


def blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return content as a list of blocks, which a string is short for."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _segment(where: str, block: dict[str, Any]) -> _Segment:
    control = block.get("cache_control") or {}
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    content = where + json.dumps(bare, sort_keys=True, ensure_ascii=False)
    kind = bare.get("type")
    if kind in _TOKENS_PER_FILE and (bare.get("source") or {}).get("type") != "text":
        count = _TOKENS_PER_FILE[kind]
    elif kind == "text":
        count = estimate(bare["text"])
    else:
        count = estimate(json.dumps(bare, ensure_ascii=False))
    return _Segment(content, count, control.get("ttl", "5m") if control else None)


def _prefixes(segments: list[_Segment], model: str) -> tuple[list[str], list[int]]:
    """Return for each segment the key and the tokens of the prompt up to its end."""
    digest = hashlib.sha256(model.encode())
    keys, totals, total = [], [], 0
    for segment in segments:
        digest.update(segment.content.encode() + b"\0")
        total += segment.tokens
        keys.append(digest.hexdigest())
        totals.append(total)
    return keys, totals
