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


def test_a_chat(kernel, simulator):
    """Its widget has that manager; an answer is shown before its message is handled."""
    simulator.enqueue(Stream(said("At six.")))
    kernel.start("import claude_nb\nchat = claude_nb.Chat()\nchat")
    shown = received(kernel, "display_data")
    kernel.finish()
    assert shown["metadata"][VIEW]["colab"]["custom_widget_manager"]["url"].startswith("https://")
    kernel.run("print(chat.comm.comm_id)")
    question = {"op": "send", "n": 1, "text": "When?", "model": "claude-opus-5-5", "effort": ""}

    asked = say(kernel, kernel.printed.strip(), **question)

    answers, state = [], ""
    while state != "idle":
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["parent_header"]["msg_id"] == asked:
            content = message["content"]
            state = content.get("execution_state", "")
            ops = content.get("data", {}).get("content", {}).get("ops", ())
            answers += [turn["answer"] for op in ops for turn in op.get("turns", ())]
    assert answers[-1]["source"] == "At six."


def test_a_cell_without_a_prompt(kernel):
    """Colab gives a magic whose cell has no body a blank: the error is the usual one."""
    reply = kernel.run("get_ipython().run_cell_magic('claude', '', ' ')")

    assert reply["evalue"] == "There is nothing to send: the prompt is empty."
