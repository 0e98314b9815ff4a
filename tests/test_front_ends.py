"""Front ends that ignore updates of outputs, or append them: what they show, and what they save.

Each is modelled by what it does with the messages of a real kernel, as measured with
jupyter-server-nbmodel 0.2, jupyter-server-documents 0.3, jupyter console 6.6 and Notebook 6.5.
"""

from __future__ import annotations

from typing import Any

import pytest

from claude_nb.render.displayed import WIDGET
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.played import end, said, start, text, tool_use

pytestmark = pytest.mark.kernel

UPDATES = {"server-nbmodel": "ignored", "server-documents": "appended", "notebook 6": "in place"}
"""What becomes of an update."""

SLOW = Stream([start(), *text(*["Word "] * 40, "end."), *end()], delay=0.03)


def saved(kernel, front_end):
    """The outputs that a front end has after the cell that was run last."""
    outputs, places, clears = [], {}, False
    for kind, content in kernel.messages:
        place = content.get("transient", {}).get("display_id")
        if kind == "clear_output" and front_end == "server-nbmodel":
            outputs.clear()
        elif kind == "clear_output":
            clears = content["wait"] or outputs.clear()
        if kind == "update_display_data" and UPDATES[front_end] == "ignored":
            continue
        if kind not in ("display_data", "update_display_data", "execute_result", "stream"):
            continue
        if clears:
            outputs.clear()
            clears = False
        if kind == "update_display_data" and UPDATES[front_end] == "in place":
            outputs[places[place]] = content
            continue
        places[place] = len(outputs)
        outputs.append(content)
    return outputs


@pytest.mark.parametrize("front_end", UPDATES)
@pytest.mark.parametrize("code", ["%%claude\nHi", "import claude_nb\nreply = claude_nb.ask('Hi')"])
def test_the_reply_is_the_only_output(kernel, simulator, front_end, code):
    """However a front end takes updates, one output holds the whole reply and its record."""
    simulator.enqueue(SLOW)

    assert kernel.run(code, asks=True)["status"] == "ok"

    (output,) = saved(kernel, front_end)
    assert output["data"]["text/plain"].startswith("Word " * 40 + "end.")
    assert output["data"][MIME]["outcome"] == "complete"


def test_updates_are_few(kernel, simulator):
    """A reply of more than a second is updated at most once, and never without new text."""
    simulator.enqueue(SLOW)

    kernel.run("%%claude\nHi", asks=True)

    updates = [content for kind, content in kernel.messages if kind == "update_display_data"]
    assert len(updates) <= 1


def test_what_else_a_cell_shows_stays(kernel, simulator):
    """Output before a reply, and what a tool displays, is not cleared for it."""
    simulator.enqueue(
        Stream(said("One")),
        Stream([start(), *tool_use("{}", name="look"), *end("tool_use")]),
        Stream(said("Two")),
    )
    kernel.run(
        "from IPython.display import display\n"
        "def look():\n    '''Look.'''\n    display({'text/plain': 'seen'}, raw=True)\n    return 1",
        asks=True,
    )

    kernel.run("import claude_nb\nprint('before')\nreply = claude_nb.ask('Hi')", asks=True)
    before, one = saved(kernel, "notebook 6")
    kernel.run("%%claude --once --tools look\nHi", asks=True)
    seen, two = saved(kernel, "notebook 6")

    assert before["text"] == "before\n"
    assert seen["data"]["text/plain"] == "seen"
    assert one["data"]["text/plain"].startswith("One")
    assert "Two" in two["data"]["text/plain"]


@pytest.mark.parametrize("front_end", UPDATES)
def test_replies_side_by_side_are_the_only_output(kernel, simulator, front_end):
    """A comparison is shown once, when all of its replies have ended; and so is the next."""
    for word in ("azure", "mauve"):
        simulator.enqueue(Stream(said(word)), Stream(said(word)))

        kernel.run("%%claude -m claude-opus-5-5 -m claude-sonnet-5-5\nHi", asks=True)

        (output,) = saved(kernel, front_end)
        assert output["data"]["text/plain"].count(word) == 2


def test_a_reply_in_the_background_is_shown_when_it_is_waited_for(kernel, simulator):
    """Its own cell could not be updated; it says which command shows the reply."""
    simulator.enqueue(Stream(said("Later")))

    kernel.run("%%claude --background\nHi", asks=True)
    begun = kernel.printed
    kernel.run("%claude_nb jobs wait", asks=True)

    assert "%claude_nb jobs wait" in begun
    (output,) = [shown for shown in saved(kernel, "server-nbmodel") if "data" in shown]
    assert output["data"]["text/plain"].startswith("Later")


@pytest.mark.parametrize("front_end", UPDATES)
def test_a_batch_ends_in_an_output_of_its_own(kernel, simulator, front_end):
    """Each cell that deals with it shows it once, as it is when the cell has ended."""
    kernel.run("import claude_nb\nbatch = claude_nb.batch(['One', 'Two'])", asks=True)
    (handed_in,) = saved(kernel, front_end)
    kernel.run("_ = batch.wait()", asks=True)
    (ended,) = saved(kernel, front_end)

    assert handed_in["data"][MIME]["batch"]
    assert "2 complete" in ended["data"]["text/plain"]


@pytest.mark.parametrize("asks", [True, False], ids=["server", "nbclient"])
def test_a_chat_is_a_widget_and_beside_it_what_is_saved(kernel, simulator, asks):
    """Without widgets one reads two other ways to ask, and below that the turns as they come."""
    simulator.enqueue(Stream(said("Later")))

    kernel.run("import claude_nb\nchat = claude_nb.Chat()\nchat", asks=asks)
    widget, beside = kernel.shown.values()
    kernel.run("_ = chat.ask('When?')", asks=asks)
    (after,) = kernel.shown.values()

    assert "application/vnd.jupyter.widget-view+json" in widget["data"]
    for way in ("no box to write in", "%%claude", "chat.ask("):
        assert way in widget["data"]["text/plain"]
    assert after["transient"] == beside["transient"]
    for form in ("text/html", "text/markdown", "text/plain"):
        assert "No messages" in beside["data"]["text/html"]
        assert "Later" in after["data"][form]
    assert [one["outcome"] for one in after["data"][MIME]["replies"]] == ["complete"]


HANGS = Stream([start(), *text("The first words")], end="hang")
LAB = "5f1c7a0e-8f43-4d37-9f0c-5f0a5c1b7b1e"


def message_with(kernel, *what: str) -> dict[str, Any]:
    """The next message in which all this stands."""
    while True:
        content = kernel.client.get_iopub_msg(timeout=60)["content"]
        if all(each in str(content) for each in what):
            return content


@pytest.mark.parametrize("code", ["%%claude\nHi", "%%claude --effort low --effort high\nHi"])
def test_a_page_that_does_not_answer_sees_the_reply_all_the_same(kernel, simulator, code):
    """In an output that is updated; one that answers late gets the widget back, with all of it.

    Not one that takes in nothing that a widget is sent, as anywidget after a slow start.
    """
    simulator.enqueue(HANGS, HANGS)
    kernel.run("from claude_nb.views import live\nlive._UNANSWERED = 0.2")
    kernel.start(code, LAB)
    comm = message_with(kernel, "The first words")["comm_id"]

    plain = message_with(kernel, "text/html", "The first words")

    kernel.say(comm, op="here")
    message_with(kernel, "heard")
    assert message_with(kernel, "The first words")["transient"] == plain["transient"]

    for _ in range(2):  # once is enough
        kernel.say(comm, op="hears")
    again = message_with(kernel, "widget-view")
    assert again["transient"] == plain["transient"]
    assert message_with(kernel, "The first words")["data"]["content"]["reset"]
    kernel.say(comm, op="stop")
    settled = message_with(kernel, MIME)
    assert settled["transient"] == plain["transient"]
    assert "The first words" in settled["data"]["text/html"]
    kernel.finish()
    kernel.run("live._UNANSWERED = 2.0")


def test_a_page_that_does_not_answer_is_not_asked(kernel, simulator):
    """The cell asks instead, as soon as the reply is shown without a widget."""
    call = Stream([start(), *tool_use("{}"), *end("tool_use")])
    simulator.enqueue(call, Stream(said("Done.")))
    kernel.run(
        "from claude_nb.views import confirmation, live\n"
        "live._UNANSWERED, confirmation.PAGE_TIMEOUT = 0.2, 600.0\n"
        "def look_up() -> int: return 1"
    )
    kernel.start("%%claude --tools look_up --confirm\nHi", LAB, asks=True)

    message_with(kernel, "text/html", "may it run?")
    assert "look_up" in kernel.client.get_stdin_msg(timeout=20)["content"]["prompt"]

    kernel.client.input("y")
    kernel.finish()
    assert "Done." in kernel.last_shown()["data"]["text/html"]
    kernel.run("live._UNANSWERED, confirmation.PAGE_TIMEOUT = 2.0, 10.0")


def test_notebook_6_shows_a_widget(kernel, simulator, monkeypatch):
    """It sends no id of a cell, but has widgets: it is known by what it calls its users."""
    monkeypatch.setattr(kernel.client.session, "username", "username")
    monkeypatch.setattr(kernel.client.session, "session", "0123456789ab4def8123456789abcdef")
    simulator.enqueue(Stream(said("Hello")))

    assert kernel.run("%%claude\nHi", asks=True)["status"] == "ok"

    displayed = [content for kind, content in kernel.messages if kind == "display_data"]
    assert [WIDGET in content["data"] for content in displayed] == [True]
    assert "Hello" in kernel.last_shown()["data"]["text/html"]
