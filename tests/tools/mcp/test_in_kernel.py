"""MCP servers in a real kernel: asked about in the cell, interrupted, and used again."""

from __future__ import annotations

import sys

import pytest

from claude_nb.simulator import Stream
from tests.played import end, said, start, tool_use
from tests.tools.mcp import stdio_server

pytestmark = pytest.mark.kernel

ANSWER = Stream(said("Done."))
SERVER = f"s = claude_nb.Tools.mcp({f'{sys.executable} {stdio_server.__file__}'!r}, name='s')"


def call(name: str, number: int = 1) -> Stream:
    called = tool_use('{"city": "Rome"}', name=f"s__{name}", call=f"toolu_{number}")
    return Stream([start(), *called, *end("tool_use")])


def told(simulator) -> str:
    (result,) = simulator.requests[-1].body["messages"][-1]["content"]
    return result["content"][0]["text"]


def test_a_cell_asks_before_a_call_and_can_be_interrupted_in_one(kernel, simulator):
    """Its tools are shown first; where nobody can answer, a call fails at once."""
    kernel.run(f"import claude_nb\n{SERVER}")
    simulator.enqueue(call("weather"), ANSWER)
    kernel.run("%%claude --once --tools s\nHow is it?")
    shown = [output["data"]["text/html"] for output in kernel.shown.values()]
    assert "The weather of a city." in shown[0]
    assert "s (13 tools, asks first)" in shown[1]
    assert told(simulator) == "This was not run: nobody could be asked to allow it."

    simulator.enqueue(call("weather"), ANSWER)
    kernel.asked = kernel.client.execute("%%claude --once --tools s\nHow is it?")
    question = kernel.client.get_stdin_msg(timeout=60)
    kernel.client.input("y")
    kernel.finish()
    assert "weather of the MCP server s: " in question["content"]["prompt"]
    assert told(simulator) == "Sunny in Rome."

    kernel.run("s.confirm = 'never'")
    simulator.enqueue(call("hang"))
    kernel.start("%%claude --once --tools s -o x\nHang.")
    while "running" not in str(kernel.client.get_iopub_msg(timeout=60)["content"]):
        pass
    kernel.manager.interrupt_kernel()
    assert kernel.finish()["ename"] == "StoppedError"
    kernel.run("print(x.tool_calls[0].run.note)")
    assert kernel.printed == "stopped\n"

    simulator.enqueue(call("see"), ANSWER)
    kernel.run("%%claude --once --tools s\nWhat do you see?")
    assert '"pid": ' in told(simulator)
    assert "sk-ant" not in told(simulator)
    assert "ANTHROPIC" not in told(simulator)
