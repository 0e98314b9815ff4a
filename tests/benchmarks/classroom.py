"""What a class on one machine takes: kernels that ask at once, each with a simulator of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil
from jupyter_client.manager import start_new_kernel

from tests.benchmarks.report import table
from tests.kernels import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LOAD = "%load_ext claude_nb\n%config ClaudeMagics.view = 'updating'"
_ASK = "%%claude --once -o reply\nWhy is the sky blue?"
_TOLD = "print(reply.timing.first_text, reply.timing.total, reply.outcome)"
_CLASS = 30


def classroom(kernels: int = 10) -> None:
    """Print the memory of kernels that all run a first, streamed cell at once, and the seconds.

    RSS counts what processes share in each of them, PSS its share, USS what is one's own.
    """
    with ExitStack() as stack, ThreadPoolExecutor(kernels) as threads:
        start = time.monotonic()
        students = list(threads.map(lambda _: _student(), range(kernels)))
        for student in students:
            stack.callback(student.manager.shutdown_kernel, now=True)
            stack.callback(student.client.stop_channels)
        started = time.monotonic() - start
        plain = [_process(student) for student in students]
        rows = [_memory("kernel without claude_nb", plain)]

        start = time.monotonic()
        timings = list(threads.map(_first_lesson, students))
        seconds = time.monotonic() - start
        again = list(threads.map(_ask, students))

        own = [_process(student) for student in students]
        simulators = [child for process in own for child in process.children()]
        assert len(simulators) == kernels
        server = stack.enter_context(_server())
        groups = {"kernel that has asked": own, "its simulator": simulators}
        rows += [_memory(name, found) for name, found in groups.items()]
        rows.append(_memory("a student's JupyterLab server", [server]))
        used = _sizes([*own, *simulators])
    more = (_CLASS - kernels) * sum(uss for *_, uss in used) / kernels
    total = sum(pss for _, pss, _ in used)
    heads = ("of each", "RSS MB", "PSS MB", "USS MB", "CPU s so far")
    table(f"{kernels} kernels at once on {os.cpu_count()} cores", heads, rows)
    print(
        f"Kernels and simulators: {total:,.0f} MB (PSS); for {_CLASS}: {total + more:,.0f} MB,"
        f" and {_CLASS} × the server's PSS."
    )
    print(f"Kernels ready after {started:.1f} s, all first cells complete {seconds:.1f} s later.")
    for name, found in (("first", timings), ("second", again)):
        texts, totals = zip(*found, strict=True)
        print(
            f"The {name} reply: first text {median(texts):.2f} s (slowest {max(texts):.2f}),"
            f" total {median(totals):.2f} s (slowest {max(totals):.2f}), as its table says."
        )
    print(flush=True)


def _student() -> Kernel:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "CLAUDE_NB_"))
    } | {"CLAUDE_NB_SIMULATE": "1"}
    kernel = Kernel(*start_new_kernel(env=environment))
    _run(kernel, "pass")
    return kernel


@contextmanager
def _server() -> Iterator[psutil.Process]:
    """A JupyterLab server, of which a hub starts one for each student."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root"]
    with TemporaryDirectory() as folder:
        server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        try:
            assert any("is running at" in line for line in server.stderr or ())
            yield psutil.Process(server.pid)
        finally:
            server.kill()
            server.communicate()


def _first_lesson(kernel: Kernel) -> tuple[float, float]:
    _run(kernel, _LOAD)
    return _ask(kernel)


def _ask(kernel: Kernel) -> tuple[float, float]:
    _run(kernel, _ASK)
    first, total, outcome = _run(kernel, _TOLD).split()
    assert outcome == "complete"
    return float(first), float(total)


def _run(kernel: Kernel, code: str) -> str:
    kernel.start(code)
    reply = kernel.finish(timeout=300)
    assert reply["status"] == "ok", reply
    return kernel.printed


def _process(kernel: Kernel) -> psutil.Process:
    return psutil.Process(kernel.manager.provisioner.pid)


def _sizes(processes: Iterable[psutil.Process]) -> list[tuple[float, float, float]]:
    found = [process.memory_full_info() for process in processes]
    return [(info.rss / 1e6, info.pss / 1e6, info.uss / 1e6) for info in found]


def _memory(name: str, processes: Sequence[psutil.Process]) -> tuple[str, ...]:
    cpu = median(sum(process.cpu_times()[:2]) for process in processes)
    sizes = zip(*_sizes(processes), strict=True)
    return (name, *(f"{median(size):.0f}" for size in sizes), f"{cpu:.1f}")
