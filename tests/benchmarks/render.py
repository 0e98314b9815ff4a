"""What incremental rendering costs, from 4,000 to 64,000 deltas.

Prints, for each kind of text, CPU seconds and the JSON bytes of all patches at each length, and
the exponent of their growth between the first and the last (1 is linear). Deltas of 4 to 12
characters arrive at 200 a second and a frame is taken 30 times a second, without waiting.

    python tests/benchmarks/render.py [DELTAS ...]
"""

import json
import math
import random
import sys
import time
from collections.abc import Iterator

from claude_nb.render.incremental import Incremental

DELTAS_PER_FRAME = 200 / 30
SENTENCE = """the `stream` of events **is** read by one thread, and what it says is shown as it
comes; a [link](https://example.org) costs $5 and $6, *not* more than $x^2$ of it"""
WORDS = SENTENCE.split()


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def mixed(rng: random.Random) -> Iterator[str]:
    while True:
        yield f"## {words(rng, 4)}\n\n{words(rng, 60)}\n\n"
        yield "".join(f"- {words(rng, 8)}\n" for _ in range(6)) + "\n"
        yield "```python\n" + "".join(f"x{i} = f({i}, 'a')\n" for i in range(12)) + "```\n\n"
        yield "| a | b |\n|---|--:|\n" + "| one | 2 |\n" * 6 + "\n"


def fence(rng: random.Random) -> Iterator[str]:
    yield "```python\n"
    while True:
        yield f"value_{rng.randrange(999)} = call('<text>', {rng.random()})\n"


def bullets(rng: random.Random) -> Iterator[str]:
    while True:
        yield f"- {words(rng, 9)}\n"


def table(rng: random.Random) -> Iterator[str]:
    yield "| name | what | cost |\n|---|---|--:|\n"
    while True:
        yield f"| {words(rng, 2)} | {words(rng, 5)} | {rng.randrange(99)} |\n"


def measure(kind, deltas: int) -> tuple[float, int, int]:
    """CPU seconds, bytes of JSON and characters of text for so many deltas of one kind."""
    rng = random.Random(1)
    sizes = [rng.randint(4, 12) for _ in range(deltas)]
    pieces, length = [], 0
    for piece in kind(rng):
        pieces.append(piece)
        length += len(piece)
        if length >= sum(sizes):
            break
    text, begin, due, sent = "".join(pieces), 0, 0.0, 0
    incremental = Incremental()
    started = time.process_time()
    for i, size in enumerate(sizes):
        incremental.feed(text[begin : begin + size])
        begin += size
        if i >= due:
            due += DELTAS_PER_FRAME
            sent += sum(len(json.dumps(patch._asdict())) for patch in incremental.frame())
    sent += sum(len(json.dumps(patch._asdict())) for patch in incremental.finish())
    return time.process_time() - started, sent, begin


def main() -> None:
    lengths = [int(argument) for argument in sys.argv[1:]] or [4_000, 16_000, 64_000]
    for kind in (mixed, fence, bullets, table):
        measure(kind, 200)
        rows = [measure(kind, deltas) for deltas in lengths]
        for deltas, (seconds, sent, size) in zip(lengths, rows, strict=True):
            print(
                f"{kind.__name__:8} {deltas:6} deltas {seconds:8.3f} s"
                f" {1e6 * seconds / deltas:6.0f} us/delta"
                f" {sent:10} bytes {sent / size:6.1f} per character"
            )
        span = math.log(lengths[-1] / lengths[0])
        if span:
            cpu, sent = (math.log(rows[-1][i] / rows[0][i]) / span for i in (0, 1))
            print(f"{kind.__name__:8} exponent: CPU {cpu:.2f}, bytes {sent:.2f}")


if __name__ == "__main__":
    main()
