"""Why a prompt was not read from the cache: the request is compared with earlier ones.

Nothing here is a guess about the server: a reason is given if the requests show one, or if the
server itself gives one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import Any

from claude_nb.cost.models import facts
from claude_nb.cost.usage import Usage
from claude_nb.request import documents, system
from claude_nb.request.request import Request, holds_compaction
from claude_nb.request.system import Difference, System

REMEMBERED = 64
"""Requests that are kept for comparison."""

_SERVER_SAYS = frozenset({"model_changed", "tools_changed", "system_changed"})
"""The reasons of the API's own diagnostics that say what happened: page "Cache diagnostics".
``messages_changed`` only confirms what we find: another question or branch has other messages too,
and that is no miss."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What the cache depends on in a request.

    Attributes:
        at: When it was sent, as ``time.time()``.
        server: Where it was sent to; no two servers share a cache.
        conversation: The conversation that it belongs to, or None.
        model: The model that was asked.
        tools: A digest of its tools.
        system: The system prompt, or None.
        is_marked: Whether the system prompt is marked itself.
        settings: Thinking, effort and the choice of a tool: a change of them loses the cached
            messages, and of effort on some models the tools and the system prompt too
            (platform.claude.com/docs, "Troubleshooting thinking", read 2026-08-13). And whether
            documents can be cited: a change of that loses all of it.
        blocks: A digest of each content block of its messages, in order.
        message: The number of the message, from 1, that each block belongs to.
        marks: The breakpoints in the messages: how many blocks stand before each.
    """

    at: float
    server: object
    conversation: str | None
    model: str
    tools: str
    system: System | None
    is_marked: bool
    settings: dict[str, Any]
    blocks: tuple[str, ...]
    message: tuple[int, ...]
    marks: tuple[int, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled without the server, which may be a client with its key: it is only needed to
        # find earlier requests.
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return CacheKey, tuple((values | {"server": None}).values())

    @classmethod
    def of(cls, request: Request, at: float, server: object) -> CacheKey | None:
        """What is to be remembered of a request, or None for one that is not cached.

        Args:
            request: The request.
            at: When it is sent, as ``time.time()``.
            server: Where to.
        """
        if not request.is_cached:
            return None
        params = request.params()
        blocks = [
            (number, block)
            for number, message in enumerate(params["messages"], 1)
            for block in system.as_blocks(message["content"])
        ]
        marks = [n for n, (_, block) in enumerate(blocks, 1) if "cache_control" in block]
        output = params.get("output_config", {})
        thinking = params.get("thinking", {})
        return cls(
            at=at,
            server=server,
            conversation=_conversation(request),
            model=request.model,
            tools=_digest(params.get("tools", [])),
            system=system.as_system(request.system),
            is_marked=isinstance(request.system, System),
            settings={
                "thinking": {k: v for k, v in thinking.items() if k != "display"},
                "effort": output.get("effort"),
                "citations": "on" if request.cite and documents.are_in(request.blocks) else "off",
                "tool_choice": params.get("tool_choice"),
            },
            blocks=tuple(_digest(system.without_mark(block)) for _, block in blocks),
            message=tuple(number for number, _ in blocks),
            marks=(*marks, len(blocks)),
        )

    @property
    def ttl(self) -> str:
        """How long what is marked first is kept."""
        return self.system.ttl if self.system else system.CONVERSATION_TTL


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier request, as it was when another one was sent.

    Attributes:
        sent: What was sent.
        cached: How many tokens of it were in the cache afterwards; None if that was not known.
        began: Whether its response had begun: before that, nothing can be read of what it writes.
        message_id: The id of the message that answered it, by which its server knows it, or None.
    """

    sent: CacheKey
    cached: int | None
    began: bool
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class CacheMiss:
    """Why less was read from the cache than an earlier request had left there.

    Attributes:
        reason: ``model_changed``, ``tools_changed``, ``system_changed``, ``settings_changed``,
            ``messages_changed``, ``expired``, ``not_yet_usable``, ``out_of_reach``,
            ``under_minimum``, ``not_cached`` (the server does not cache) or ``unknown``.
        what: What changed: the name of a setting.
        before: What it was before: a model, a value, a number of seconds or tokens.
        after: What it is now.
        difference: Where the system prompts differ.
        by_server: Whether the server said so.
        partial: Whether a part of it was read.
    """

    reason: str
    what: str = ""
    before: str | float | None = None
    after: str | float | None = None
    difference: Difference | None = None
    by_server: bool = False
    partial: bool = False


@dataclass(frozen=True, slots=True)
class CachePrediction:
    """What a request could find in the cache.

    Attributes:
        sent: The request.
        earlier: The requests that were sent to the same server before, the newest first.
    """

    sent: CacheKey
    earlier: tuple[Earlier, ...] = ()

    def miss(self, usage: Usage, server_reason: str | None = None) -> CacheMiss | None:
        """Why the request did not find what it could, or None if it did.

        Args:
            usage: What the server counted.
            server_reason: The server's own reason, if it gave one.
        """
        read, written = usage.cache_read_tokens, usage.cache_write_tokens
        total = usage.total_input_tokens
        if read is None or written is None or total is None:
            return None
        if not read and not written:
            return self._uncached(total)
        found = self._compare(read)
        confirmed = found is not None and found.reason == server_reason
        if server_reason not in _SERVER_SAYS and not confirmed:
            return found
        if found is None or found.reason != server_reason:
            found = CacheMiss(str(server_reason), partial=read > 0)
        return replace(found, by_server=True)

    @property
    def previous_message(self) -> str | None:
        """The id of the message whose request this one is compared with; None if none is known."""
        best = self._best
        return None if best is None else best.message_id

    @property
    def _best(self) -> Earlier | None:
        """The earlier request that has most in common with this one."""
        related = [e for e in self.earlier if self._is_related(e.sent)]
        # Of several that have as much in common, one of the same model; then one with the same
        # settings; then the newest.
        return max(related, key=lambda e: (self._shared(e.sent), *self._same(e.sent)), default=None)

    def _uncached(self, total: int) -> CacheMiss | None:
        known = facts(self.sent.model)
        minimum = known.cache_minimum_tokens if known else None
        if not self.sent.is_marked:
            return None  # nobody has asked for a cache
        if minimum is not None and total < minimum:
            return CacheMiss("under_minimum", before=minimum, after=total)
        return CacheMiss("not_cached")

    def _compare(self, read: int) -> CacheMiss | None:
        best = self._best
        if best is None:
            return None
        shared = self._shared(best.sent)
        if not (shared or self.sent.is_marked or self._edited(best.sent)):
            return None  # nothing that was marked is in it
        whole = shared == best.sent.marks[-1]
        hoped = best.cached if whole and best.cached else 1
        if read >= hoped and not (shared >= 0 and self._edited(best.sent)):
            return None
        return replace(self._reason(best, shared, read), partial=read > 0)

    def _reason(self, best: Earlier, shared: int, read: int) -> CacheMiss:
        now, then = self.sent, best.sent
        if now.model != then.model:
            return CacheMiss("model_changed", "model", then.model, now.model)
        if now.tools != then.tools:
            return CacheMiss("tools_changed")
        if shared < 0:
            where = system.difference(then.system, now.system)
            return CacheMiss("system_changed", difference=where)
        setting = self._setting(then)
        # The system prompt, too, is cached with citations or without.
        if setting is not None and (shared or setting.what == "citations"):
            return setting
        if edited := self._edited(then):
            return CacheMiss("messages_changed", "message", after=edited)
        ttl = system.CONVERSATION_TTL if read else now.ttl
        age = now.at - self._used(then, read)
        if age > system.LIFETIMES[ttl]:
            return CacheMiss("expired", ttl, before=age)
        if not best.began:
            return CacheMiss("not_yet_usable")
        if shared and all(not 0 <= mark - shared < system.LOOKBACK for mark in now.marks):
            return CacheMiss("out_of_reach")
        return setting or CacheMiss("unknown")

    def _setting(self, other: CacheKey) -> CacheMiss | None:
        """The first setting that is not what it was."""
        for name, value in self.sent.settings.items():
            if value != other.settings[name]:
                before, after = _value(other.settings[name]), _value(value)
                return CacheMiss("settings_changed", name, before, after)
        return None

    def _is_related(self, other: CacheKey) -> bool:
        same = self.sent.conversation is not None and self.sent.conversation == other.conversation
        return same or system.alike(self.sent.system, other.system)

    def _same(self, other: CacheKey) -> tuple[bool, bool]:
        """Whether another request has the same model, and the same settings."""
        return self.sent.model == other.model, self.sent.settings == other.settings

    def _shared(self, other: CacheKey) -> int:
        """How many blocks the longest prefix has that ``other`` has marked, and this begins with.

        -1 if not even the system prompt is the same.
        """
        now = self.sent
        if system.texts(now.system) != system.texts(other.system):
            return -1
        return max((n for n in other.marks if now.blocks[:n] == other.blocks[:n]), default=0)

    def _edited(self, other: CacheKey) -> int:
        """The number of an earlier message that is not what the conversation held there, or 0."""
        now = self.sent
        if now.conversation is None or now.conversation != other.conversation:
            return 0
        pairs = zip(now.blocks, other.blocks, strict=False)
        at = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
        if at is None or now.message[at] == now.message[-1]:
            return 0
        return now.message[at]

    def _used(self, then: CacheKey, read: int) -> float:
        """When what was not found was used last: each use keeps it for another ``ttl``."""
        if read:
            return then.at
        own = system.texts(self.sent.system)
        same = (e.sent for e in self.earlier if system.texts(e.sent.system) == own)
        return max((s.at for s in same if s.model == self.sent.model), default=then.at)


def _conversation(request: Request) -> str | None:
    """What a request is a turn of; once it is compacted, a conversation is another one."""
    if request.turn is None:
        return None
    summary = _digest(request.before[0]) if holds_compaction(request.before) else ""
    return f"{request.turn.conversation}{summary}"


def _value(setting: Any) -> str:
    """A setting as text."""
    if isinstance(setting, dict):
        kind = setting.get("type", "the default")
        budget = setting.get("budget_tokens")
        return f"{kind}, {budget:,} tokens" if budget else str(kind)
    return "the default" if setting is None else str(setting)


def _digest(value: Any) -> str:
    sent = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(sent.encode()).hexdigest()
