"""What the benchmarks print: Markdown, with the machine and its load beside every table."""

from __future__ import annotations

import math
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PACKAGES = ("claude-nb", "anthropic", "ipykernel", "ipywidgets", "anywidget", "jupyterlab")


def head() -> None:
    """Say when, where and with which versions."""
    cpu = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(": ")[1]
            break
    print(f"# Benchmarks, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")
    print(f"{os.cpu_count()} × {cpu}, {platform.system()}, Python {platform.python_version()}; ")
    print(", ".join(f"{name} {version(name)}" for name in _PACKAGES) + "\n")


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, with the load average of the minute in which it was measured."""
    rows = list(rows)
    print(f"## {title}\n\nLoad average {os.getloadavg()[0]:.1f}\n")
    print("| " + " | ".join(heads) + " |")
    print("|---" + "|--:" * (len(heads) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios of what was measured in the same round."""
    return median(a / b for a, b in zip(values, base, strict=False))


def exponent(few: int, many: int, low: float, high: float) -> float:
    """How a cost grows from ``few`` to ``many``: 1 is linear, 2 quadratic."""
    return math.log(high / low) / math.log(many / few)


def quantile(values: Iterable[float], q: float) -> float:
    """The value that a share ``q`` of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]
