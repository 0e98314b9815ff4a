"""Replies in the background in real kernels: where they are shown, and how they end."""

from __future__ import annotations

import asyncio
import os

import pytest
from jupyter_client.manager import start_new_kernel

from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.kernels import Kernel
from tests.played import end, start, text

pytestmark = pytest.mark.kernel

OPEN = Stream([start(), *text("The first words")[:-1]], end="hang")
LOADED = "%load_ext claude_nb\n%config ClaudeMagics.tries = 1"


# Somebody presses the key when the cell has come to wait.
INTERRUPTED = """
import signal, sys, threading, time, traceback
main = threading.main_thread().ident
def press():
    waits = False
    while not waits:
        time.sleep(0.01)
        frames = traceback.extract_stack(sys._current_frames()[main])
        waits = any(f.name == "wait" and f.filename.endswith("jobs.py") for f in frames)
    signal.pthread_kill(main, signal.SIGINT)
threading.Thread(target=press).start()
%claude_nb jobs wait
"""


def executed(*cells: str):
    """A notebook after nbclient has run it; the plain text of each output, by cell."""
    import nbformat  # here, as the fast tests do not need what takes seconds to import
    from nbclient import NotebookClient

    nodes = [nbformat.v4.new_code_cell(cell) for cell in (LOADED, *cells)]
    notebook = nbformat.v4.new_notebook(cells=nodes)
    asyncio.run(NotebookClient(notebook, timeout=60).async_execute())
    # What the SDK logs may stand in any cell.
    outputs = [cell.outputs for cell in notebook.cells[1:]]
    return [[o for o in shown if o.get("name") != "stderr"] for shown in outputs]


def words(output):
    """The first line of what an output says."""
    return output["data"]["text/plain"].split("\n")[0]


def test_nbclient_finds_each_reply_in_its_own_cell(api):
    """Whichever cell ran when it ended; two stream at once, and what they cost is recorded."""
    replies = {name: Stream([*slow(name)], delay=0.1) for name in ("One", "Two")}
    api.enqueue(*replies.values())

    one, two, between, _ = executed(
        "%%claude --background -o a\nFirst",
        "%%claude --background\nSecond",
        "a.wait(); print(a.text)",
        "%claude_nb jobs wait",
    )

    assert sorted([words(one[0]), words(two[0])]) == ["One " * 5 + "end", "Two " * 5 + "end"]
    assert [len(one), len(two)] == [1, 1]
    assert between[0]["text"].strip() == words(one[0])
    for (output,) in (one, two):
        assert output["data"][MIME]["outcome"] == "complete"


def slow(name):
    """A message in six deltas."""
    return [start(), *text(*[f"{name} "] * 5, "end"), *end()]


def test_what_had_come_when_the_notebook_ended_is_in_it(api):
    """A notebook that does not wait is not waited for, but nothing of what came is missing."""
    api.enqueue(OPEN)

    begun, _ = executed(
        "%%claude --background -o a\nHello",
        "import time\nwhile 'words' not in a.text:\n    time.sleep(0.01)",
    )

    assert words(begun[0]) == "The first words"
    assert MIME not in begun[0]["data"]


def test_replies_side_by_side_without_a_front_end(api):
    """One output with all of them, and a record of each."""
    ((output,),) = executed("%%claude --effort low --effort high\nhello")

    assert output["data"]["text/html"].count("flex:1 1 280px") == 2
    assert len(output["data"][MIME]["replies"]) == 2


def test_an_error_is_shown_and_not_raised(kernel, simulator):
    """The cell has ended long before; who waits for the reply is told."""
    simulator.enqueue(Stream([start(), *text("Hel")], end="drop"))

    assert kernel.run("%%claude --background -o a\nHello")["status"] == "ok"
    reply = kernel.run("a.wait()")

    assert (reply["status"], reply["ename"]) == ("error", "DroppedError")
    assert "<b>The connection was lost" in kernel.last_shown()["data"]["text/html"]


@pytest.mark.parametrize("code", ["%%claude --effort silly\nHello", "%%claude\n{{nope}}", "1"])
def test_a_cell_that_is_run_again_stops_what_it_had_begun(kernel, simulator, code):
    """Its output is gone, and nobody should pay for what nobody reads; other cells go on."""
    number = len(simulator.requests)
    simulator.enqueue(OPEN, OPEN, OPEN)
    ask = "{} = %claude --background Hello"
    kernel.run(f"{ask.format('a')}\nget_ipython().run_cell('1')\n{ask.format('b')}", cell="first")
    kernel.run(ask.format("c"), cell="second")
    simulator.wait_for(lambda requests: len(requests) == number + 3, 20)
    kernel.run("print(a.outcome, b.outcome, c.outcome)")
    before = kernel.printed

    kernel.run(code, cell="first")

    kernel.run("print(a.outcome, b.outcome, c.outcome)")
    assert [before, kernel.printed] == [
        "streaming streaming streaming\n",
        "stopped stopped streaming\n",
    ]


def test_an_interrupt_ends_the_waiting_and_not_the_replies(kernel, simulator):
    """In one line that says so."""
    number = len(simulator.requests)
    simulator.enqueue(OPEN)
    kernel.run("%%claude --background -o a\nHello")
    simulator.wait_for(lambda requests: len(requests) > number, 20)

    reply = kernel.run(INTERRUPTED)

    assert reply["traceback"][0] == "StoppedError: Stopped waiting."
    kernel.run("print(a.outcome); a.stop()\n%claude_nb jobs wait")
    assert kernel.printed == "streaming\n1 reply has ended: 1 stopped.\n"


def test_the_kernel_shuts_down_at_once(api, tmp_path):
    """The requests end at the server, and there is no traceback on standard error."""
    number = len(api.requests)
    api.enqueue(*[OPEN] * 3)
    errors = (tmp_path / "errors").open("wb")
    manager, client = start_new_kernel(env=dict(os.environ), stderr=errors)
    running = Kernel(manager, client)
    for cell in (LOADED, *["%%claude --background\nHello"] * 3):
        assert running.run(cell)["status"] == "ok"
    api.wait_for(lambda requests: len(requests) >= number + 3, 20)

    process = manager.provisioner.process
    client.shutdown()
    process.wait(10)

    client.stop_channels()
    manager.shutdown_kernel(now=True)
    errors.close()
    left = api.wait_for(lambda requests: all(r.ended for r in requests[number:]), 20)
    assert all(request.client_left for request in left[number:])
    assert process.returncode == 0
    said_by_others = ("[IPKernelApp]",)
    lines = (tmp_path / "errors").read_text().splitlines()
    assert [line for line in lines if not line.startswith(said_by_others)] == []
