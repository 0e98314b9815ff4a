"""What the benchmarks stream: texts of one kind each, and structured tool input, cut in deltas."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SENTENCE = """the `stream` of events **is** read by one thread, and what it says is shown as it
comes; a [link](https://example.org) costs $5 and $6, *not* more than $x^2$ of it"""
WORDS = SENTENCE.split()


def words(rng: random.Random, count: int) -> str:
    """So many words of Markdown."""
    return " ".join(rng.choice(WORDS) for _ in range(count))


def mixed(rng: random.Random) -> Iterator[str]:
    """Headings, paragraphs, lists, short fences and short tables."""
    while True:
        yield f"## {words(rng, 4)}\n\n{words(rng, 60)}\n\n"
        yield "".join(f"- {words(rng, 8)}\n" for _ in range(6)) + "\n"
        yield "```python\n" + "".join(f"x{i} = f({i}, 'a')\n" for i in range(12)) + "```\n\n"
        yield "| a | b |\n|---|--:|\n" + "| one | 2 |\n" * 6 + "\n"


def fence(rng: random.Random) -> Iterator[str]:
    """One code block that never ends."""
    yield "```python\n"
    while True:
        yield f"value_{rng.randrange(999)} = call('<text>', {rng.random()})\n"


def bullets(rng: random.Random) -> Iterator[str]:
    """One list that never ends."""
    while True:
        yield f"- {words(rng, 9)}\n"


def table(rng: random.Random) -> Iterator[str]:
    """One table that never ends."""
    yield "| name | what | cost |\n|---|---|--:|\n"
    while True:
        yield f"| {words(rng, 2)} | {words(rng, 5)} | {rng.randrange(99)} |\n"


def numbered(_rng: random.Random) -> Iterator[str]:
    """Words of 12 characters that carry their number, 40 to a paragraph: ``word0000012``."""
    number = 0
    while True:
        for _ in range(39):
            yield f"word{number:07} "
            number += 1
        yield f"word{number:06}\n\n"
        number += 1


def tool(rng: random.Random) -> Iterator[str]:
    """The JSON of a tool's input: objects, numbers and short strings."""
    yield '{"rows": ['
    while True:
        row = {"id": rng.randrange(10**6), "name": words(rng, 2), "tags": ["a", "b"], "x": None}
        yield json.dumps(row) + ", "


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    kind.__name__: kind for kind in (mixed, fence, bullets, table, numbered, tool)
}


def deltas(kind: str, count: int, size: int) -> list[str]:
    """The same text every time, as ``count`` deltas of ``size`` characters.

    The tool's JSON is completed by its last delta, which may be longer.
    """
    pieces: list[str] = []
    length = 0
    for piece in KINDS[kind](random.Random(1)):
        if length >= count * size:
            break
        pieces.append(piece)
        length += len(piece)
    text = "".join(pieces)
    if kind == "tool":
        text = text[:-2] + "]}"
    cuts = [text[i * size : (i + 1) * size] for i in range(count)]
    if kind == "tool":
        cuts[-1] += text[count * size :]
    return cuts
