"""The simulator's process begins, ends and reports as the process that started it wants."""

import os
import re
import signal
import socket
import subprocess
import sys
from typing import Any

import httpx2
import pytest

from claude_nb.simulator import Error, Raw, Simulator


def test_speed_must_be_above_zero():
    """A speed of 0 would never send anything; it is refused at once."""
    with pytest.raises(ValueError, match=re.escape("above 0")):
        Simulator(speed=0)


def test_address_is_known_only_while_it_runs():
    """Before ``start`` and after ``stop`` there is no address."""
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.base_url

    with simulator:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", simulator.base_url)

    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.base_url


def test_starting_and_stopping_twice_does_nothing_more():
    """``start`` keeps a running server, ``stop`` a stopped one; it can be started again."""
    simulator = Simulator().start()
    first = simulator.base_url

    assert simulator.start().base_url == first
    simulator.stop()
    simulator.stop()
    with simulator:
        assert simulator.requests == ()


def test_enqueue_needs_a_running_server():
    """What nobody could receive is an error, not a silence."""
    with pytest.raises(RuntimeError, match="not running"):
        Simulator().enqueue(Error(529, "overloaded_error", "Overloaded"))


def test_a_server_that_died_is_an_error():
    """When its process has gone, a command says so and stopping still works."""
    simulator = Simulator().start()
    simulator._process.kill()
    simulator._reader.join()

    with pytest.raises(RuntimeError, match="has ended"):
        simulator.enqueue(Error(529, "overloaded_error", "Overloaded"))
    simulator.stop()


def test_waiting_in_vain_says_what_was_received(simulator: Simulator):
    """``wait_for`` gives up after its time-out."""
    with pytest.raises(TimeoutError, match=re.escape("within 0.01 s; received: [")):
        simulator.wait_for(lambda requests: len(requests) == -1, timeout=0.01)


@pytest.mark.parametrize("ending", ["kill", "close its input"])
def test_it_ends_with_its_parent(ending):
    """However the parent ends, even killed, its simulator ends too and frees its port."""
    program = (
        "import sys\n"
        "from claude_nb.simulator import Simulator\n"
        "print(Simulator().start().base_url, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        port = int(parent.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            parent.kill() if ending == "kill" else parent.stdin.close()

            assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_an_interrupt_of_the_kernel_does_not_reach_it(simulator: Simulator):
    """A kernel's interrupt goes to its process group. The server is not in it, and ignores it."""
    assert os.getpgid(simulator._process.pid) != os.getpgid(0)

    simulator._process.send_signal(signal.SIGINT)

    assert simulator.requests is not None
    assert simulator._process.poll() is None


def test_it_need_not_record():
    """A kernel that is simulated all day does not keep every request, with all it held."""
    with Simulator(record=False) as simulator:
        httpx2.get(f"{simulator.base_url}/v1/models", trust_env=False)

        assert simulator.requests == ()


def test_requests_can_be_forgotten(simulator: Simulator):
    """A long series of tests need not hold every request, also one that is still being answered."""
    simulator.enqueue(Raw([b"late"], end="hang"))
    with httpx2.stream("POST", f"{simulator.base_url}/v1/messages", trust_env=False):
        simulator.forget()
    httpx2.get(f"{simulator.base_url}/v1/models", trust_env=False)

    (request,) = simulator.requests

    assert request.path == "/v1/models"


def test_it_gets_no_credentials(monkeypatch):
    """The environment's credentials are not handed on to the server's process."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    handed = []
    real = subprocess.Popen

    def spy(command: list[str], **options: Any):
        handed.append(options["env"])
        return real(command, **options)

    monkeypatch.setattr(subprocess, "Popen", spy)
    with Simulator():
        pass

    assert [name for name in handed[0] if name.startswith("ANTHROPIC_")] == []
