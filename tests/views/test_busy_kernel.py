"""Messages of pages to a kernel that is busy: those of one that is loaded, and clicks."""

from __future__ import annotations

import pytest

from claude_nb.simulator import Stream
from tests.played import end, said, start, text, tool_use

pytestmark = pytest.mark.kernel


def begin(kernel, simulator, code):
    """Run a cell whose reply does not end; the id of its widget."""
    simulator.enqueue(Stream([start(), *text("First words")[:-1]], end="hang"))
    kernel.start(code, cell="a")
    return widget_with(kernel, "First words")


def widget_with(kernel, words):
    """The id of the widget that shows these words, when it does."""
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "comm_msg" and words in str(message["content"]):
            return message["content"]["comm_id"]


@pytest.fixture
def running(kernel, simulator):
    """A cell whose reply does not end, and its widget."""
    yield kernel, begin(kernel, simulator, "%%claude\nhello")
    kernel.manager.interrupt_kernel()
    assert kernel.finish()["ename"] == "StoppedError"


def send(kernel, kind, content, metadata=None):
    """Send a message as a page does that has no subshell yet."""
    message = kernel.client.session.msg(kind, content, metadata=metadata or {})
    kernel.client.shell_channel.send(message)
    return message["header"]["msg_id"]


def say(kernel, widget, content):
    """Send a message to a widget, as a page does for a click."""
    data = {"method": "custom", "content": content}
    return send(kernel, "comm_msg", {"comm_id": widget, "data": data})


def published(kernel, is_it):
    """The first message that the kernel publishes and that is it."""
    while not is_it(message := kernel.client.get_iopub_msg(timeout=60)):
        pass
    return message


@pytest.mark.parametrize("kind", ["kernel_info", "comm_info"])
def test_who_the_kernel_is(running, kind):
    """With the status messages by which a page knows that this is all."""
    kernel, _ = running
    asked = send(kernel, f"{kind}_request", {})
    reply = kernel.client.get_shell_msg(timeout=60)
    assert (reply["msg_type"], reply["content"]["status"]) == (f"{kind}_reply", "ok")
    assert reply["parent_header"]["msg_id"] == asked
    for state in ("busy", "idle"):
        status = published(kernel, lambda m: m["parent_header"].get("msg_id") == asked)
        assert status["content"] == {"execution_state": state}


def test_the_state_of_all_widgets(running):
    """In it is what the reply shows so far; of two pages that are loaded each is answered."""
    kernel, widget = running
    pages = ("first", "second")
    for page in pages:
        opened = {"comm_id": page, "target_name": "jupyter.widget.control", "data": {}}
        send(kernel, "comm_open", opened, {"version": "1.0.0"})
    for page in pages:
        send(kernel, "comm_msg", {"comm_id": page, "data": {"method": "request_states"}})
    for page in pages:
        answer = published(kernel, lambda m, page=page: m["content"].get("comm_id") == page)
        states = answer["content"]["data"]["states"]
        assert "First words" in str(states[widget]["state"]["snapshot"])
    # A page that is not answered so asks each widget, also those that are not ours.
    layout = states[widget]["state"]["layout"].removeprefix("IPY_MODEL_")
    send(kernel, "comm_msg", {"comm_id": layout, "data": {"method": "request_state"}})
    published(kernel, lambda m: m["content"].get("comm_id") == layout)


def test_a_message_to_a_widget(running):
    """Before a page has a subshell it is heard as well, and in ipykernel before 7.4."""
    kernel, widget = running
    say(kernel, widget, {"op": "resync"})
    answer = published(kernel, lambda m: "reset" in str(m["content"].get("data")))
    assert answer["content"]["comm_id"] == widget


def test_others_wait_for_the_cell(kernel, simulator):
    """What is no question of a page is done in its turn, and nothing is done twice."""
    simulator.enqueue(Stream([start(), *text("First words")[:-1]], end="hang"))
    kernel.start("%%claude\nhello", cell="a")
    published(kernel, lambda m: "First words" in str(m["content"]))
    first = kernel.asked
    completion = send(kernel, "complete_request", {"code": "impor", "cursor_pos": 5})
    info = send(kernel, "kernel_info_request", {})
    assert kernel.client.get_shell_msg(timeout=60)["parent_header"]["msg_id"] == info
    kernel.manager.interrupt_kernel()
    replies = [kernel.client.get_shell_msg(timeout=60)["parent_header"]["msg_id"] for _ in range(2)]
    assert replies == [first, completion]


def test_a_click_on_stop_while_a_cell_awaits(kernel, simulator):
    """It ends the reply also where the cell leaves the kernel's loop free."""
    kernel.run("import claude_nb")
    widget = begin(kernel, simulator, "await claude_nb.ask_async('hello')")
    say(kernel, widget, {"op": "stop", "n": 1})
    assert kernel.finish()["ename"] == "StoppedError"


def test_a_click_on_stop_of_a_reply_in_the_background(kernel, simulator):
    """It ends the reply for which a later cell waits."""
    widget = begin(kernel, simulator, "%%claude --background --out answer\nhello")
    kernel.start("print('waiting', flush=True)\nanswer.wait()", cell="b")
    published(kernel, lambda m: "waiting" in str(m["content"].get("text")))
    say(kernel, widget, {"op": "stop", "n": 1})
    assert kernel.finish()["ename"] == "StoppedError"


def test_the_buttons_of_a_question(kernel, simulator):
    """The answer of the page is heard while the cell waits for it."""
    kernel.run('def act() -> str:\n    """Act."""\n    return "done"')
    call = Stream([start(), *tool_use("{}", name="act"), *end("tool_use")])
    simulator.enqueue(call, Stream(said("It is done.")))
    kernel.start("%%claude --tools act --confirm\nAct.", cell="a")
    widget = widget_with(kernel, "'confirm'")
    say(kernel, widget, {"op": "asked", "call": "toolu_1"})
    say(kernel, widget, {"op": "confirm", "call": "toolu_1", "answer": "once"})
    assert kernel.finish()["status"] == "ok"
    assert "It is done." in str(kernel.last_shown())
