"""What a streamed cell costs in a kernel, beside the SDK's own loops: time, bytes, delay."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Self

from tests.benchmarks.kernel import EIGHT, VARIANTS, Kernel
from tests.benchmarks.report import exponent, quantile, ratio, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.benchmarks.kernel import Run
    from tests.benchmarks.server import Replies

_SCALE = ("print", "Markdown")
"""What is measured once, because it takes minutes, and is there for scale."""

KINDS = ("mixed", "fence", "bullets", "table", "tool")
LENGTHS = (1_000, 4_000, 16_000, 64_000)


class Kernels:
    """A kernel with a front end that answers, and one without."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._with = stack.enter_context(Kernel(self._replies, front_end=True))
            self._without = stack.enter_context(Kernel(self._replies, front_end=False))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, variant: str, prompt: str) -> Run:
        """Run a variant in the kernel that it belongs to."""
        kernel = self._without if variant == "updating" else self._with
        return kernel.run(variant, prompt)

    def resident(self) -> int:
        """Bytes of memory that the kernel with a front end holds."""
        return self._with.resident()

    def rounds(self, variants: Iterable[str], prompt: str, repeats: int) -> dict[str, list[Run]]:
        """Run all variants in turn, so that each round sees the machine in one mood."""
        runs: dict[str, list[Run]] = defaultdict(list)
        for number in range(repeats):
            for variant in variants:
                if number == 0 or variant not in _SCALE:
                    runs[variant].append(self.run(variant, prompt))
        return runs


def fast(kernels: Kernels, repeats: int, deltas: int = 16_000) -> None:
    """As fast as the cell takes them, mixed Markdown in deltas of 4 characters."""
    title = "{:,} deltas of 4 characters as fast as they come"
    runs = kernels.rounds(VARIANTS, f"mixed {deltas} 4 0", repeats)
    _costs(title.format(deltas), runs, "text_stream")
    for other in (deltas // 4, 4 * deltas):
        runs = kernels.rounds(("text_stream", "live"), f"mixed {other} 4 0", repeats)
        _costs(title.format(other), runs, "text_stream")


def memory(kernels: Kernels, repeats: int, deltas: int = 64_000) -> None:
    """What a kept reply adds to the memory of the kernel."""
    prompt = f"mixed {deltas} 4 0"
    kernels.run("kept", prompt)  # what is made once
    before = kernels.resident()
    for _ in range(repeats):
        kernels.run("kept", prompt)
    added = (kernels.resident() - before) / repeats / 1e6
    rows = [(f"{deltas:,} deltas of 4 characters", f"{added:.1f}")]
    table("Memory of a kept reply", ("reply", "MB"), rows)


def tool_input(kernels: Kernels, repeats: int, deltas: int = 17_000) -> None:
    """The structured input of a tool call, 200 KB."""
    title = f"A tool's input, {12 * deltas / 1000:.0f} KB of JSON in deltas of 12 characters"
    variants = ("nothing", "events", "live", "updating")
    _costs(title, kernels.rounds(variants, f"tool {deltas} 12 0", repeats), "events")


def eight(kernels: Kernels, repeats: int, deltas: int = 400) -> None:
    """Eight replies at the pace of replies, in turn and at once."""
    runs = kernels.rounds(EIGHT, f"mixed {deltas} 12 100", repeats)
    _costs(f"Eight replies of {deltas} deltas at 100/s each", runs, "eight in turn")


def _costs(title: str, runs: dict[str, list[Run]], base: str) -> None:
    heads = ("variant", "CPU s", f"× {base}", "wall s", "messages", "MB", "bytes per character")
    table(
        title,
        heads,
        (
            (
                variant,
                f"{median(run.cpu for run in found):.3f}",
                f"{ratio([run.cpu for run in found], [run.cpu for run in runs[base]]):.2f}",
                f"{median(run.wall for run in found):.2f}",
                f"{median(run.messages for run in found):.0f}",
                f"{median(run.size for run in found) / 1e6:.2f}",
                f"{median(run.size / run.payload for run in found):.1f}",
            )
            for variant, found in runs.items()
        ),
    )


def paced(kernels: Kernels, repeats: int, deltas: int = 1_000) -> None:
    """At the pace of a reply: what it costs, and how long a delta is on its way."""
    runs = kernels.rounds(VARIANTS, f"numbered {deltas // 2} 12 100", repeats)
    base = [run.cpu for run in runs["text_stream"]]
    rows = []
    for variant, found in runs.items():
        delays = [1000 * delay for run in found for delay in run.delays]
        row = [
            variant,
            f"{median(run.cpu for run in found):.3f}",
            f"{ratio([run.cpu for run in found], base):.2f}",
            f"{max(run.messages / run.wall for run in found):.1f}",
        ]
        if delays:
            first = median(1000 * run.delays[0] for run in found)
            row += [f"{first:.1f}", *(f"{quantile(delays, q):.1f}" for q in (0.5, 0.99))]
        rows.append(row if delays else [*row, "", "", ""])
    heads = ("variant", "CPU s", "× text_stream", "messages/s", "first ms", "p50 ms", "p99 ms")
    table(f"{deltas // 2:,} deltas of 12 characters at 100/s", heads, rows)

    variants = ("text_stream", "live", "updating")
    runs = kernels.rounds(variants, f"mixed {deltas} 12 200", repeats)
    _costs(f"{deltas:,} deltas of 12 characters at 200/s, mixed Markdown", runs, "text_stream")


def growth(kernels: Kernels, repeats: int, lengths: tuple[int, ...] = LENGTHS) -> None:
    """How time and bytes grow with the reply, for each kind of text: 4 characters a delta."""
    rows = []
    few, many = lengths[-3], lengths[-1]
    for kind in KINDS:
        rounds = [
            {length: kernels.run("live", f"{kind} {length} 4 0") for length in lengths}
            for _ in range(repeats)
        ]
        cpu = {n: median(runs[n].cpu for runs in rounds) for n in lengths}
        size = {n: median(runs[n].size for runs in rounds) for n in lengths}
        rows.append(
            (
                kind,
                *(f"{cpu[n]:.2f} / {size[n] / 1e6:.2f}" for n in lengths),
                f"{exponent(few, many, cpu[few], cpu[many]):.2f}",
                f"{exponent(few, many, size[few], size[many]):.2f}",
            )
        )
    heads = ("CPU s / MB", *(f"{n:,}" for n in lengths), "CPU exponent", "bytes exponent")
    table(f"Growth, live view (exponents from {few:,} to {many:,})", heads, rows)
