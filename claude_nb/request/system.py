"""A system prompt that is to be cached, and where a request is marked for the cache.

The API caches the beginning of a prompt up to a mark (``cache_control``), in the order tools,
system prompt, messages, and finds it again only if every byte before the mark is the same. It looks
for earlier marks among the 20 blocks before each mark of the new request, and takes four marks at
most (platform.claude.com/docs, page "Prompt caching", read 2026-10-08).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from os.path import commonprefix
from typing import Any

from claude_nb.characters import wellformed
from claude_nb.errors import InputError
from claude_nb.request.cells import count_cells

LIFETIMES = {"5m": 300.0, "1h": 3600.0}
"""How long an entry of the cache lives after it was last used, in seconds, by its ``ttl``."""

CONVERSATION_TTL = "5m"
"""The ``ttl`` of a conversation: it changes with each turn, and a longer one costs more."""

LOOKBACK = 20
"""In how many blocks before a mark the API looks for what an earlier request has written."""

_NOT_MARKABLE = frozenset({"thinking", "redacted_thinking"})


@dataclass(frozen=True, slots=True)
class SystemPart:
    """A part of a system prompt.

    Attributes:
        name: What it is called: the file that it came from, or the name that the user gave it.
        text: What is sent.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two texts differ.

    Attributes:
        part: The name of the part.
        line: The number of the line, from 1.
        before: That line as it was; an empty text where there was none.
        after: That line as it is; an empty text where there is none.
    """

    part: str
    line: int
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class System:
    """A system prompt that is cached: its bytes stay as they are.

    Two are equal if they send the same bytes with the same ``ttl``, however their parts are called.

    Attributes:
        parts: What it consists of, in the order in which it is sent.
        ttl: ``"5m"`` or ``"1h"``: how long it stays in the cache after each use.
        left_out: What was left out of folders, in words.

    Raises:
        InputError: There is nothing in it, or there is no such ``ttl``.
    """

    parts: tuple[SystemPart, ...]
    ttl: str = "5m"
    left_out: str = ""

    def __post_init__(self) -> None:
        if self.ttl not in tuple(LIFETIMES):
            raise InputError(
                f"There is no ttl {self.ttl!r}.",
                'Use "5m", or "1h", which costs more to write.',
            )
        parts = (SystemPart(wellformed(part.name), wellformed(part.text)) for part in self.parts)
        object.__setattr__(self, "parts", tuple(parts))
        for part in self.parts:
            if not part.text.strip():
                raise InputError(f"A part of the system prompt is empty: {part.name}.")
        if not self.parts:
            raise InputError(
                "The system prompt is empty.", 'For example: CachedSystem("manual.md")'
            )

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of its parts."""
        return tuple(part.text for part in self.parts)

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change when a byte of it does (of their SHA-256)."""
        whole = hashlib.sha256()
        for text in self.texts:
            whole.update(hashlib.sha256(text.encode()).digest())
        return whole.hexdigest()[:12]

    @property
    def characters(self) -> int:
        """How long it is."""
        return sum(map(len, self.texts))

    def blocks(self) -> list[dict[str, Any]]:
        """What is sent: a text block for each part, and the mark on the last one."""
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in self.texts]
        blocks[-1]["cache_control"] = control(self.ttl)
        return blocks

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, System):
            return NotImplemented
        return (self.texts, self.ttl) == (other.texts, other.ttl)

    def __hash__(self) -> int:
        return hash((self.digest, self.ttl))


def control(ttl: str) -> dict[str, str]:
    """A mark, as the API's dict; five minutes are its default."""
    return {"type": "ephemeral"} | ({} if ttl == "5m" else {"ttl": ttl})


def as_system(system: str | System | None) -> System | None:
    """A system prompt of any kind as one with parts; None for an empty one."""
    if isinstance(system, System) or not system:
        return system or None
    return System((SystemPart("system prompt", system),))


def texts(system: str | System | None) -> tuple[str, ...]:
    """The texts of a system prompt of any kind, without its marks; none of an empty one."""
    if isinstance(system, System):
        return system.texts
    return (system,) if system else ()


def marked(
    before: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The messages of a request with a mark at the end of the newest earlier question.

    There the last request had its end, so what it wrote is found however many blocks its answer
    has. The end of the messages is marked by the API itself (top-level ``cache_control``), and the
    end of the cells that go along with the prompt, as another prompt may follow them. Marks that
    blocks bring along are taken out: with them there could be more than four.

    Args:
        before: The turns before the prompt, as the API's dicts; they are not changed.
        asked: The prompt and what follows it.
    """
    turns = [_unmarked(turn) for turn in (*before, *asked)]
    earlier = [n for n, turn in enumerate(before) if turn["role"] == "user"]
    for newest in earlier[-1:]:
        blocks = as_blocks(turns[newest]["content"])
        last = [n for n, block in enumerate(blocks) if _can_be_marked(block)][-1:]
        for number in last:
            blocks[number] = blocks[number] | {"cache_control": control(CONVERSATION_TTL)}
        turns[newest] = turns[newest] | {"content": blocks}
    for asking in range(len(before), len(before) + min(1, len(asked))):
        blocks = as_blocks(turns[asking]["content"])
        end = count_cells(blocks) - 2  # of the last cell: what closes them is no cell
        # Without earlier turns there is another mark to spare, for what was sent many cells ago.
        for number in (end, end - LOOKBACK)[: 1 if earlier else 2]:
            if number > 0:
                blocks[number] = blocks[number] | {"cache_control": control(CONVERSATION_TTL)}
                turns[asking] = turns[asking] | {"content": blocks}
    return turns


def as_blocks(content: str | Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The content of a message as content blocks; a text is short for one text block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def without_mark(block: dict[str, Any]) -> dict[str, Any]:
    """A content block as the cache compares it: where the marks are makes no difference."""
    return {name: value for name, value in block.items() if name != "cache_control"}


def _unmarked(turn: dict[str, Any]) -> dict[str, Any]:
    content = turn["content"]
    if isinstance(content, str) or not any("cache_control" in block for block in content):
        return turn
    return turn | {"content": [without_mark(block) for block in content]}


def _can_be_marked(block: dict[str, Any]) -> bool:
    return block["type"] not in _NOT_MARKABLE and block.get("text") != ""


def difference(before: System | None, after: System | None) -> Difference | None:
    """The first line in which two system prompts differ, or None if they send the same."""
    for old, new in zip_longest(before.parts if before else (), after.parts if after else ()):
        lines = [part.text.split("\n") if part else [] for part in (old, new)]
        if lines[0] == lines[1]:
            continue
        pairs = enumerate(zip_longest(*lines))
        at, was, now = next((n, a or "", b or "") for n, (a, b) in pairs if a != b)
        if lines[0][at : at + 1] == lines[1][at + 1 : at + 2]:
            was = ""  # a line was put in before it
        elif lines[0][at + 1 : at + 2] == lines[1][at : at + 1]:
            now = ""
        part = new or old
        return Difference(part.name if part else "", at + 1, was, now)
    return None


def alike(one: System | None, other: System | None) -> bool:
    """Whether two system prompts are most likely meant to be the same: most of them is.

    One that holds the time of day is made anew with other bytes, and otherwise the same.
    """
    if one is None or other is None:
        return one is other
    if [part.name for part in one.parts] != [part.name for part in other.parts]:
        return False
    a, b = "\n".join(one.texts), "\n".join(other.texts)
    start = len(commonprefix((a, b)))  # noqa: RUF071 - of texts
    end = len(commonprefix((a[start:][::-1], b[start:][::-1])))  # noqa: RUF071
    return 2 * (start + end) >= max(len(a), len(b))
