"""What the first request needs is made ready while the kernel is idle, and in nobody's way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from claude_nb.client import preload
from claude_nb.session.session import Session
from tests.kernels import Kernel, running_kernel


def thread():
    """The thread that makes things ready, or None."""
    return next((t for t in threading.enumerate() if t.name == "claude_nb preload"), None)


def test_nothing_begins_while_a_cell_runs_and_each_step_waits_for_the_next_one(monkeypatch):
    """A cell keeps the loop busy: no step is taken until it lets the loop turn."""
    monkeypatch.setattr(preload, "_SLICE", 0.0)
    monkeypatch.setattr(preload, "_MAX_PAUSED", 60.0)
    done = []
    asked, answered = [], []

    def steps():
        for number in range(3):
            done.append(number)
            yield

    async def cells():
        loop = asyncio.get_running_loop()
        call_soon_threadsafe = loop.call_soon_threadsafe

        def call_soon(idle):
            asked.append(idle)
            call_soon_threadsafe(lambda: (answered.append(idle), idle()))

        monkeypatch.setattr(loop, "call_soon_threadsafe", call_soon)
        preload.start(steps())
        assert thread() is None
        seen = []
        while len(done) < 3:
            await asyncio.sleep(0)
            # From here on it is a cell that keeps the loop busy.
            if (worker := thread()) is not None:
                while worker.is_alive() and len(asked) == len(answered):
                    pass
                seen.append(tuple(done))
                sum(range(100_000))
                assert tuple(done) == seen[-1]
        return seen

    assert {(), (0,), (0, 1)} <= set(asyncio.run(cells()))


BUSY = """
import asyncio, os, sys, threading
from claude_nb.client import preload
from claude_nb.client.connection import Connection
preload._MAX_PAUSED = float("inf")

def steps():
    yield
    import anthropic

async def cells():
    preload.start(steps())
    while "anthropic.types" not in sys.modules:
        await asyncio.sleep(0)
    # From here on it is a cell that keeps the loop busy.
    (thread,) = (t for t in threading.enumerate() if t.name == "claude_nb preload")
    assert not hasattr(sys.modules["anthropic"], "AsyncAnthropic")
    import wave
    {what}
    assert sys.modules["anthropic"].AsyncAnthropic
    while thread.is_alive():
        await asyncio.sleep(0)
    assert not any(isinstance(finder, threading.Thread) for finder in sys.meta_path)
    print(type(sys.modules["anthropic.types"].__loader__).__name__)

asyncio.run(cells())
"""


REQUEST = "request = threading.Thread(target=Connection().prepare); request.start(); request.join()"

FORK = """if (child := os.fork()) == 0:
        import anthropic
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0"""


@pytest.mark.parametrize(
    "what", ["import anthropic", REQUEST, FORK], ids=["import", "request", "fork"]
)
def test_who_needs_the_sdk_gets_it_while_a_cell_runs(what):
    """An import that has stopped goes on for who imports the same, for a request and for a fork.

    Everything else can be imported meanwhile, and no module keeps a trace of it.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BUSY.format(what=what)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("SourceFileLoader\n", "")


def test_what_cannot_be_imported_is_not_said_before_a_request(capfd):
    """A thread's traceback would stand in the output of some cell."""

    def steps():
        yield
        raise ImportError("No module named 'anthropic'")

    preload.start(steps())
    while thread() is not None:
        time.sleep(0)

    assert capfd.readouterr() == ("", "")
    assert not any(isinstance(finder, threading.Thread) for finder in sys.meta_path)


def test_the_simulator_starts_while_the_sdk_is_imported(monkeypatch):
    """First of all, as it is a process of its own; and not where it does not answer."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    simulated = Session()
    next(simulated.warm_up())
    assert simulated._simulator is not None
    simulated.simulate(on=False)

    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "0")
    real = Session()
    for _ in real.warm_up():
        pass
    assert real._simulator is None


IDLE = """
import asyncio, sys, threading
while "claude_nb.views.live" not in sys.modules or any(
    thread.name == "claude_nb preload" for thread in threading.enumerate()
):
    await asyncio.sleep(0)
from claude_nb.session.session import session
loaded = ["anthropic" in sys.modules, "claude_nb.magics.cell" in sys.modules]
print(*loaded, session._simulator is not None)
"""


def children(kernel):
    """The processes that a kernel has started."""
    return psutil.Process(kernel.manager.provisioner.pid).children()


@pytest.mark.kernel
def test_an_idle_kernel_makes_the_sdk_and_the_simulator_ready():
    """Before any cell asks."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(env=os.environ | {"CLAUDE_NB_SIMULATE": "1"})
    try:
        kernel = Kernel(manager, client)
        assert kernel.run("%load_ext claude_nb")["status"] == "ok"
        assert kernel.run(IDLE)["status"] == "ok"
        assert kernel.printed == "True True True\n"
        assert len(children(kernel)) == 1
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.kernel
def test_no_simulator_is_started_where_it_does_not_answer(simulator):
    """With a key it is the API that is asked."""
    with running_kernel(simulator.base_url) as kernel:
        assert kernel.run("%load_ext claude_nb")["status"] == "ok"
        assert kernel.run(IDLE)["status"] == "ok"
        assert kernel.printed.endswith("True True False\n")  # the SDK may warn before
        assert kernel.run("%%claude\nHello")["status"] == "ok"
        assert children(kernel) == []
