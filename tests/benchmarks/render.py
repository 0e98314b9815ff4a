"""What incremental rendering costs by itself, as if deltas came at 200 a second; and what it shows.

Frames are taken 30 times a second of that time, without waiting for it.
"""

from __future__ import annotations

import json
import time

from claude_nb.render.markdown.incremental import Incremental
from tests.benchmarks.report import exponent, table
from tests.benchmarks.texts import deltas
from tests.render.answers import ANSWERS, streamed

_DELTAS_PER_FRAME = 200 / 30


def measure(kind: str, count: int) -> tuple[float, int]:
    """CPU seconds and bytes of JSON of all patches, for so many deltas of 8 characters."""
    incremental = Incremental()
    due, sent = 0.0, 0
    pieces = deltas(kind, count, 8)
    started = time.process_time()
    for number, piece in enumerate(pieces):
        incremental.feed(piece)
        if number >= due:
            due += _DELTAS_PER_FRAME
            sent += sum(len(json.dumps(patch._asdict())) for patch in incremental.frame())
    sent += sum(len(json.dumps(patch._asdict())) for patch in incremental.finish())
    return time.process_time() - started, sent


def rendering(lengths: tuple[int, ...] = (4_000, 16_000, 64_000)) -> None:
    """Print the growth for each kind of text."""
    rows = []
    few, many = lengths[0], lengths[-1]
    for kind in ("mixed", "fence", "bullets", "table"):
        measure(kind, 200)
        found = {count: measure(kind, count) for count in lengths}
        cpu, sent = ({n: found[n][which] for n in lengths} for which in (0, 1))
        rows.append(
            (
                kind,
                *(f"{1e6 * cpu[n] / n:.0f}" for n in lengths),
                f"{exponent(few, many, cpu[few], cpu[many]):.2f}",
                f"{exponent(few, many, sent[few], sent[many]):.2f}",
                f"{sent[many] / (8 * many):.1f}",
            )
        )
    heads = ("µs per delta", *(f"{n:,}" for n in lengths))
    more = ("CPU exponent", "bytes exponent", "bytes per character")
    table("Rendering at 200 deltas/s of 8 characters", (*heads, *more), rows)


def healing() -> None:
    """Print how many frames of the fifty answers show what the end does not."""
    rows = []
    for size in (1, 4, 12):
        found = [streamed(text, size) for text in ANSWERS.values()]
        frames = sum(each.frames for each in found)
        raw, phantoms = (sum(map(len, each)) for each in list(zip(*found, strict=True))[1:])
        rows.append((f"{size}", f"{frames:,}", f"{raw / frames:.2%}", f"{phantoms}"))
    heads = ("characters a delta", "frames", "raw", "with a phantom heading")
    table(f"Frames of {len(ANSWERS)} answers that show raw markers", heads, rows)
