"""Tools in a real kernel: what they print and plot, who is asked, and the interrupt."""

from __future__ import annotations

import pytest

from claude_nb.simulator import Stream
from tests.played import end, said, start, tool_use

pytestmark = pytest.mark.kernel

ANSWER = Stream(said("Done."))
NOT_RUN = "This was not run: nobody could be asked to allow it."


def call(name: str, number: int = 1) -> Stream:
    """A message that calls a function without arguments, by the conversation's call number."""
    called = tool_use("{}", name=name, call=f"toolu_{number}")
    return Stream([start(), *called, *end("tool_use")])


def results(simulator):
    """What the newest request brings."""
    return simulator.requests[-1].body["messages"][-1]["content"]


def test_what_a_function_prints_and_plots_is_the_cell_s(kernel, simulator):
    """And its figure is seen by the model as a picture."""
    source = """
        import matplotlib.pyplot as plt
        def plot() -> object:
            fig, ax = plt.subplots(figsize=(1, 1))
            ax.plot([1, 2])
            print("plotted")
            display("shown")
            return fig
        """
    kernel.run("\n".join(line[8:] for line in source.splitlines()))
    simulator.enqueue(call("plot"), ANSWER)

    assert kernel.run("%%claude --once --tools plot\nPlot.")["status"] == "ok"

    assert kernel.printed == "plotted\n"
    plain = [shown["data"]["text/plain"] for shown in kernel.shown.values()]
    assert "'shown'" in plain
    (result,) = results(simulator)
    assert [block["type"] for block in result["content"]] == ["image"]


def test_what_an_asynchronous_function_prints_is_the_cell_s(kernel, simulator):
    """Though it runs on a thread that an earlier cell began."""
    kernel.run("async def say() -> str:\n    print('from the loop')\n    return 'said'")
    simulator.enqueue(call("say"), ANSWER)

    kernel.run("%%claude --once --tools say\nSay.")

    assert kernel.printed == "from the loop\n"


def test_where_nobody_watches_nothing_is_allowed(kernel, simulator):
    """A front end that takes no input, as nbclient: the model is told."""
    kernel.run("def act() -> str:\n    raise AssertionError('not reached')")
    simulator.enqueue(call("act"), ANSWER)

    assert kernel.run("%%claude --once --tools act --confirm\nAct.")["status"] == "ok"

    (result,) = results(simulator)
    assert result["content"][0]["text"] == NOT_RUN


def test_the_cell_asks_where_there_is_no_widget(kernel, simulator):
    """By an input, which is answered."""
    kernel.run("def act() -> str:\n    return 'acted'")
    simulator.enqueue(call("act"), ANSWER)
    kernel.start("%%claude --once --tools act --confirm\nAct.")
    kernel.finish()
    simulator.enqueue(call("act"), ANSWER)

    kernel.asked = kernel.client.execute("%%claude --once --tools act --confirm\nAct.")
    kernel.shown = {}
    question = kernel.client.get_stdin_msg(timeout=60)
    kernel.client.input("y")
    kernel.finish()

    assert question["content"]["prompt"] == "Run act()? [y/N] "
    assert results(simulator)[0]["content"][0]["text"] == "acted"


def test_an_interrupt_ends_the_function(kernel, simulator):
    """The reply is kept, with the call marked as stopped."""
    kernel.run("import time\ndef hang() -> str:\n    print('hangs')\n    time.sleep(600)")
    simulator.enqueue(call("hang"))
    kernel.start("%%claude --once --tools hang -o x\nHang.")
    while kernel.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()

    content = kernel.finish()

    assert (content["status"], content["ename"]) == ("error", "StoppedError")
    kernel.run("print(x.outcome, x.tool_calls[0].run.note)")
    assert kernel.printed == "stopped stopped\n"


def test_a_function_that_is_defined_again_is_the_one_that_is_called(kernel, simulator):
    """In a conversation that goes on with its tools, once the user has allowed the call."""
    simulator.enqueue(call("version"), ANSWER, call("version", 2), ANSWER)
    kernel.run("def version() -> str:\n    return 'old'")
    kernel.run("%%claude -c versions --tools version\nWhich?")
    kernel.run("def version() -> str:\n    return 'new'")

    kernel.asked = kernel.client.execute("%%claude -c versions\nAnd now?")
    kernel.shown = {}
    kernel.client.get_stdin_msg(timeout=60)
    kernel.client.input("y")
    kernel.finish()

    assert results(simulator)[0]["content"][0]["text"] == "new"


def test_a_cell_that_names_no_tools_runs_none(kernel, simulator):
    """Where nobody can be asked, as in nbclient; the note above the reply says that it asks."""
    simulator.enqueue(call("act"), ANSWER, call("act", 2), ANSWER)
    kernel.run("runs = []\ndef act() -> str:\n    runs.append(1)\n    return 'acted'")
    kernel.run("%%claude -c acts --tools act\nAct.")
    assert "tools: act<" in kernel.last_shown()["data"]["text/html"]

    assert kernel.run("%%claude -c acts\nAnd now?")["status"] == "ok"

    assert "tools: act (asks first)<" in kernel.last_shown()["data"]["text/html"]
    assert results(simulator)[0]["content"][0]["text"] == NOT_RUN
    kernel.run("print(len(runs))")
    assert kernel.printed == "1\n"


def test_a_function_may_be_a_cell_s_magic(kernel, simulator):
    """A reply inside of a reply has an output of its own."""
    kernel.run(
        "def inner() -> str:\n"
        "    get_ipython().run_cell_magic('claude', '--once -o y', 'Inner?')\n"
        "    return y.text"
    )
    simulator.enqueue(call("inner"), Stream(said("From within.")), ANSWER)

    assert kernel.run("%%claude --once --tools inner\nGo.")["status"] == "ok"

    assert len(kernel.shown) == 2
    assert results(simulator)[0]["content"][0]["text"] == "From within."
