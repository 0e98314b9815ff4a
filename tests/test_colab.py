"""In Colab: a kernel with a stand-in for Colab's package, and what it sends to the page.

Colab's page is not here: that it takes these messages as its sources say is not tried.
"""

from __future__ import annotations

import pytest

from claude_nb.simulator import Stream
from tests.conftest import STAND_INS
from tests.played import said, start, text

pytestmark = pytest.mark.kernel

VIEW = "application/vnd.jupyter.widget-view+json"
OPEN = Stream([start(), *text("One ", "$x^2$ ", *["word "] * 500)[:-1]], delay=0.01, end="hang")


@pytest.fixture
def kernel(kernel):
    """The kernel that tests share, as one of Colab while the test runs."""
    kernel.run(f"import sys\nsys.path.insert(0, {str(STAND_INS)!r})\nimport google.colab.output")
    yield kernel
    kernel.run(
        "import sys\nsys.path.remove(sys.path[0])\n"
        "for name in [name for name in sys.modules if name.partition('.')[0] == 'google']:\n"
        "    del sys.modules[name]\n"
        "import anywidget._util\n"
        "anywidget._util.enable_custom_widget_manager_once.cache_clear()"
    )


def say(kernel, comm, **content: object):
    """Say something to a widget, and return the id of the message."""
    data = {"method": "custom", "content": content}
    message = kernel.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
    kernel.client.shell_channel.send(message)
    return message["header"]["msg_id"]


def received(kernel, kind):
    """The content of the next message of a kind."""
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == kind:
            return message["content"]


def frame(kernel):
    """The next frame of a reply, and the id of the widget's comm."""
    while True:
        message = received(kernel, "comm_msg")
        content = message["data"].get("content", {})
        if "frame" in content:
            return content, message["comm_id"]


def test_nothing_is_lost_before_a_page_has_loaded_the_widget(kernel, simulator):
    """Each frame holds everything until the page says that it is there."""
    simulator.enqueue(OPEN)
    kernel.start("%%claude\nHi")
    assert frame(kernel)[0]["reset"]
    whole, comm = frame(kernel)
    assert whole["reset"]

    say(kernel, comm, op="here")

    while "reset" in frame(kernel)[0]:
        pass
    say(kernel, comm, op="stop", n=1)
    kernel.finish()


def test_a_page_that_cannot_answer_has_loaded_the_widget_in_time(kernel, simulator):
    """After some seconds a frame holds what is new: a long reply is not sent again and again."""
    kernel.run("from claude_nb.views import live\nseconds, live._LOADING = live._LOADING, 0.0")
    simulator.enqueue(OPEN)
    kernel.start("%%claude\nHi")
    first, comm = frame(kernel)
    second, _ = frame(kernel)
    say(kernel, comm, op="stop", n=1)
    kernel.finish()
    kernel.run("live._LOADING = seconds")

    assert "reset" not in first | second


def test_a_cell(kernel, simulator):
    """Its widget is shown by the manager that loads it there; what is saved has MathML."""
    simulator.enqueue(Stream(said("It is $x^2$.")))
    kernel.start("%%claude\nHi")
    shown = received(kernel, "display_data")
    saved = received(kernel, "update_display_data")

    assert VIEW in shown["data"]
    assert shown["metadata"][VIEW]["colab"]["custom_widget_manager"]["url"].startswith("https://")
    assert '<annotation encoding="application/x-tex">x^2</annotation>' in saved["data"]["text/html"]
    assert saved["metadata"] == shown["metadata"]
    kernel.finish()


@pytest.fixture
def chat(kernel):
    """The id of the comm of a chat that is shown."""
    kernel.start("import claude_nb\nchat = claude_nb.Chat()\nchat")
    shown = received(kernel, "display_data")
    kernel.finish()
    assert shown["metadata"][VIEW]["colab"]["custom_widget_manager"]["url"].startswith("https://")
    kernel.run("print(chat.comm.comm_id)")
    return kernel.printed.strip()


def ops(kernel, asked):
    """The operations that a chat sends while its message is handled."""
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        content = message["content"]
        if message["parent_header"]["msg_id"] == asked:
            if content.get("execution_state") == "idle":
                return
            yield from content.get("data", {}).get("content", {}).get("ops", ())


QUESTION = {"op": "send", "n": 1, "text": "When?", "model": "claude-opus-5-5", "effort": ""}


def test_a_chat(kernel, simulator, chat):
    """An answer is shown before its message is handled: what came later would not arrive."""
    simulator.enqueue(Stream(said("At six.")))

    asked = say(kernel, chat, **QUESTION)

    turns = [turn for op in ops(kernel, asked) for turn in op.get("turns", ())]
    assert turns[-1]["answer"]["source"] == "At six."


def test_a_chat_is_stopped(kernel, simulator, chat):
    """The click arrives though the question's message is still being handled."""
    simulator.enqueue(OPEN)

    asked = say(kernel, chat, **QUESTION)

    stopped = ""
    for op in ops(kernel, asked):
        if op["op"] == "frame" and not stopped:
            stopped = say(kernel, chat, op="stop", turn=op["turn"], n=2)
    kernel.run("print(chat.reply.outcome)")
    assert kernel.printed == "stopped\n"


def test_a_timeline(kernel, simulator):
    """It stands below its reply as it is saved: no widget of another output could step through."""
    simulator.enqueue(Stream(said("Hi")))

    kernel.run("%%claude --events\nHi")

    _, timeline = kernel.shown.values()
    assert "claude-nb-lanes" in timeline["data"]["text/html"]
    opened = [content for kind, content in kernel.messages if kind == "comm_open"]
    assert not [each for each in opened if "fields" in each["data"]["state"]]


def test_a_cell_without_a_prompt(kernel):
    """Colab gives a magic whose cell has no body a blank: the error is the usual one."""
    reply = kernel.run("get_ipython().run_cell_magic('claude', '', ' ')")

    assert reply["evalue"] == "There is nothing to send: the prompt is empty."
