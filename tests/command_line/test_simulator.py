"""``claude-nb simulator``, as a process of its own that programs ask."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys

import anthropic
import pytest

from claude_nb.__main__ import main

HELLO = {"model": "claude-opus-5-5", "max_tokens": 500}


@pytest.fixture(scope="module")
def served():
    """The process, its first lines by what they are about, and the port."""
    faults = "bad-tool-json,refusal,overloaded,stall"
    command = [*("-m", "claude_nb", "simulator", "--port", "0"), "--speed", "inf", "--seed", "3"]
    with subprocess.Popen(
        [sys.executable, *command, "--faults", faults],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = [line.rstrip() for line in iter(process.stdout.readline, "curl:\n")]
        yield process, [*lines, "curl:", process.stdout.readline().rstrip()]
        process.kill()


def after(lines: list[str], head: str) -> str:
    return lines[lines.index(head) + 1]


def test_it_says_what_it_is_and_how_to_reach_it(served):
    """The address, that its texts are simulated, its pace, and the faults to come."""
    _, lines = served
    assert lines[0].startswith("The simulator listens at http://127.0.0.1:")
    assert "simulated" in lines[1]
    assert lines[2] == "speed inf · seed 3 · next: bad-tool-json, refusal, overloaded, stall"
    url = lines[0].split()[4]
    assert f'baseURL: "{url}"' in after(lines, "TypeScript:")
    assert url in after(lines, "Any other SDK reads these variables:")


def test_it_answers_what_is_pasted_fails_as_it_was_told_and_ends_by_ctrl_c(served):
    """The lines for Python and curl work as printed, and an open stream does not keep it alive."""
    process, lines = served
    pasted = {"anthropic": anthropic}
    exec(after(lines, "Python:"), pasted)
    client = pasted["client"].with_options(max_retries=0)
    ask = {**HELLO, "messages": [{"role": "user", "content": "Hello"}]}

    assert client.messages.create(**ask).content[-1].type == "tool_use"
    assert client.messages.create(**ask).stop_reason == "refusal"
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        client.messages.create(**ask)
    stream = iter(client.messages.create(**ask, stream=True))
    assert next(stream).type == "message_start"  # the others never come: it stalls
    if shutil.which("curl"):
        command = ["sh", "-c", after(lines, "curl:")]
        got = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert got.startswith("event: message_start\n")
        assert got.endswith('data: {"type":"message_stop"}\n\n')

    process.send_signal(signal.SIGINT)
    said, reported = process.communicate(timeout=60)
    assert (process.returncode, reported) == (0, "")
    assert said.count("POST /v1/messages\n") >= 4
    assert said.endswith("The simulator has ended.\n")


def test_a_port_in_use_is_an_error_that_says_what_to_type(capsys):
    """It names the port, and a command that works."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["simulator", "--port", str(port)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"Port {port} cannot be used: ")
    assert said.err.endswith(": claude-nb simulator --port 0\n")
    assert said.out == ""


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        (["--port", "99999"], "--port: '99999' is not a number from 0 to 65535."),
        (["--speed", "0"], "--speed: '0' is not a factor above 0, such as 0.2."),
        (["--seed", "a"], "--seed: 'a' is not a whole number."),
        (["--faults", "overload"], "There is no fault 'overload'. Did you mean overloaded?"),
    ],
)
def test_a_value_that_cannot_be_is_named(capsys, typed, error):
    """In the words that the same option of a notebook's command has."""
    with pytest.raises(SystemExit):
        main(["simulator", *typed])
    assert error in capsys.readouterr().err


def test_the_variables_of_notebooks_set_its_pace_too(monkeypatch, capsys):
    """One that is no pace is named, and nothing is served."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SPEED", "fast")
    assert main(["simulator", "--port", "0"]) == 1
    assert (
        "CLAUDE_NB_SIMULATE_SPEED must be a factor of at least 0, not 'fast'"
        in capsys.readouterr().err
    )
