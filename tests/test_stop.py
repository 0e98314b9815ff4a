"""Stop, in a real kernel: whatever a reply is doing, it ends, at the server too.

Nothing else could end what is stopped here: the replies are silent for good, or the next try is far
longer away than anything here is waited for.
"""

from __future__ import annotations

import pytest

from claude_nb.simulator import Error, Raw, Stream
from claude_nb.streaming.record import MIME
from tests.kernels import Kernel, running_kernel
from tests.played import Event, said, start, text, thinking, tool_use
from tests.test_kernel import CONNECTING

pytestmark = pytest.mark.kernel

OVERLOADED = Error(529, "overloaded_error", "Overloaded")
LIMITED = Error(429, "rate_limit_error", "Too many requests", {"retry-after": "50"})
SILENT = Raw([b"late"], delay=60)
DROPPED = Stream([start(), *text("Half of it")[:-1]], end="drop")

CHANCE = "import random; random.uniform = lambda low, high: {}"
"""Takes the chance out of the pauses between tries."""


def open_ended(*events: Event) -> Stream:
    """A reply that falls silent after these events."""
    return Stream([start(), *events], end="hang")


# For each state what is played, what the page is sent when it is reached, and the text to be kept.
STATES = {
    "no answer yet": ([SILENT], "connecting", ""),
    "no words yet": ([open_ended()], "waiting for the first words", ""),
    "thinking": ([open_ended(*thinking("Let me see.")[:2])], "Let me see.", ""),
    "text": ([open_ended(*text("First words")[:-1])], "First words", "First words"),
    "tool input": ([open_ended(*tool_use('{"by": "growth')[:-1])], "growth", ""),
    "asked to go on": ([DROPPED, SILENT], "Half of it", "Half of it"),
    "going on": (
        [DROPPED, open_ended(*text(" and the rest")[:-1])],
        "and the rest",
        "Half of it and the rest",
    ),
}
WAITS = {
    "overloaded": ([OVERLOADED], "overloaded, trying again in", ""),
    "rate limited": ([LIMITED], "rate limited, trying again at", ""),
    "to go on": ([DROPPED], "connection lost, continuing in", "Half of it"),
}
WAYS = ["button", "interrupt"]


class FrontEnd(Kernel):
    """A kernel with a front end before it that shows widgets, and can press Stop."""

    def __init__(self, manager, client) -> None:
        super().__init__(manager, client)
        self.subshell = self.new_subshell()

    def start(self, code, cell="a", *, asks=False, page=None):
        """Send a cell, by an id that says that somebody looks at it."""
        super().start(code, cell, asks=asks, page=page)

    def wait_until_shown(self, words):
        """Wait until these words are sent, as the running cell's output or to its widget."""
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "comm_open":
                if "columns" in message["content"]["data"]["state"]:
                    self.widget = message["content"]["comm_id"]
            elif words in str(message["content"]):
                return message["content"]

    def stop(self, way):
        """Stop the cell as a user does."""
        if way == "button":
            data = {"method": "custom", "content": {"op": "stop", "n": 1}}
            message = self.client.session.msg("comm_msg", {"comm_id": self.widget, "data": data})
            message["header"]["subshell_id"] = self.subshell
            self.client.shell_channel.send(message)
        else:
            self.manager.interrupt_kernel()


@pytest.fixture(scope="module")
def started_kernel(simulator):
    """A kernel of these tests' own, as some of them restart it."""
    with running_kernel(simulator.base_url) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def front_end(started_kernel):
    """A front end for the tests of this module."""
    return FrontEnd(started_kernel.manager, started_kernel.client)


@pytest.fixture
def kernel(kernel, front_end, simulator):
    """The kernel; as users have it, it tries five times. It answers after the test as before."""
    assert kernel.run("%config ClaudeMagics.tries = 5")["status"] == "ok"
    yield front_end
    kernel.run("import importlib, random; importlib.reload(random)")  # after CHANCE
    simulator.enqueue(Stream(said("Hello")))
    assert front_end.run("%%claude\nHi")["status"] == "ok"


def reached(kernel, simulator, state):
    """Start a cell and wait until it is in this state; its requests are from the number on."""
    replies, words, _ = state
    number = len(simulator.requests)
    simulator.enqueue(*replies)
    kernel.start("%%claude --out answer\nHi")
    kernel.wait_until_shown(words)
    simulator.wait_for(lambda requests: len(requests) == number + len(replies), 20)
    return number


def assert_stopped(kernel, state, settled=None):
    """The cell ends as stopped, and what came is kept."""
    result = kernel.finish()
    assert (result["ename"], result["traceback"]) == ("StoppedError", ["StoppedError: see above"])
    assert (settled or kernel.last_shown())["data"][MIME]["outcome"] == "stopped"
    kernel.run("print(answer.outcome, answer.text)")
    assert kernel.printed == f"stopped {state[2]}\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_stop_closes_the_connection(kernel, simulator, state, way):
    """The server sees the connection close, whatever it was sending."""
    kernel.run(CHANCE.format(0.0))
    reached(kernel, simulator, state)

    kernel.stop(way)

    simulator.wait_for(lambda requests: requests[-1].client_left)
    assert_stopped(kernel, state)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", WAITS.values(), ids=WAITS)
def test_stop_ends_a_wait(kernel, simulator, state, way):
    """The wait for another try ends, and nothing more is asked."""
    kernel.run(CHANCE.format(50.0))
    number = reached(kernel, simulator, state)

    kernel.stop(way)

    assert_stopped(kernel, state)
    assert len(simulator.requests) == number + 1


@pytest.mark.parametrize("way", WAYS)
def test_stop_before_the_server_lets_anybody_in(kernel, way):
    """A connection that is not made yet is given up."""
    assert kernel.run(CONNECTING)["status"] == "ok"
    kernel.start("%%claude --out answer\nHi")
    kernel.wait_until_shown("connecting")

    kernel.stop(way)

    try:
        assert_stopped(kernel, ([], "", ""))
    finally:
        kernel.run("os.environ['ANTHROPIC_BASE_URL'] = before; full.close()")


def test_one_stop_after_another(kernel, simulator):
    """Each cell can be stopped, also the one that is run at once after a stop."""
    for state in (STATES["text"], STATES["thinking"], STATES["text"]):
        reached(kernel, simulator, state)
        kernel.stop("interrupt")
        simulator.wait_for(lambda requests: requests[-1].client_left)
        assert_stopped(kernel, state)


def test_two_presses_are_one(kernel, simulator):
    """A second press meets a cell that is ending, and takes nothing from it."""
    for _ in range(12):
        reached(kernel, simulator, STATES["text"])
        kernel.stop("interrupt")
        settled = kernel.wait_until_shown("text/html")
        kernel.stop("interrupt")
        assert_stopped(kernel, STATES["text"], settled)


def test_a_late_interrupt_does_no_harm(kernel, simulator):
    """A page whose Stop was answered late interrupts the kernel too: when its cell has ended."""
    reached(kernel, simulator, STATES["text"])
    kernel.stop("button")
    assert_stopped(kernel, STATES["text"])

    kernel.stop("interrupt")

    assert kernel.run("print(answer.outcome)")["status"] == "ok"
    assert kernel.printed == "stopped\n"


@pytest.mark.parametrize("now", [False, True], ids=["asked", "killed"])
def test_a_restart_in_mid_stream(kernel, simulator, now):
    """The server sees the connection close, and the new kernel works."""
    reached(kernel, simulator, STATES["text"])

    kernel.manager.restart_kernel(now=now)

    simulator.wait_for(lambda requests: requests[-1].client_left)
    kernel.client.wait_for_ready(timeout=30)
    assert kernel.run("%load_ext claude_nb")["status"] == "ok"
    kernel.subshell = kernel.new_subshell()
