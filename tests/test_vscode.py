"""VS Code, as its sources say that it handles what a real kernel sends (``tests.vscode``)."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from claude_nb.conversation.saved_notebook import parse
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.played import said, start, text
from tests.vscode import VSCode

pytestmark = pytest.mark.kernel

VIEW = "application/vnd.jupyter.widget-view+json"
HANGS = Stream([start(), *text("The first words")], end="hang")
FOUR = """
import claude_nb
from IPython.display import Image
print("before")
claude_nb.ask("One?")
display({"image/png": "aGVsbG8=", "text/plain": "a plot"}, raw=True)
claude_nb.ask("Two?")
print("after")
"""


@pytest.fixture
def vscode(kernel):
    """A notebook in VS Code, by when its widgets answer."""
    return lambda answers="never": VSCode(kernel, answers)


def records(notebook):
    """The records in the file, after nbformat has accepted it."""
    nbformat.validate(nbformat.reads(json.dumps(notebook), 4))
    return [record.data for record in parse(json.dumps(notebook).encode(), Path("n.ipynb")).records]


def kinds(outputs):
    """What outputs are."""
    shown = [output.get("data", {"text": ""}) for output in outputs]
    return [
        next(k for k in (VIEW, "image/png", "text/html", "text") if k in data) for data in shown
    ]


@pytest.mark.parametrize("answers", ["never", "between cells", "at once"])
def test_all_that_a_cell_shows_is_saved(vscode, simulator, answers):
    """Prints, a plot and two replies, in this order and with their records; metadata stay."""
    page = vscode(answers)
    page.run("1", "first")
    for cell in ("a", "b"):  # in the second, a page that answers has done so
        simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
        assert page.run(FOUR, cell)["status"] == "ok"

        notebook = page.saved()
        outputs = page.cells[cell]
        assert kinds(outputs) == ["text", "text/html", "image/png", "text/html", "text"]
        found = [record["once"]["text"] for record in records(notebook)]
        assert found[-2:] == ["One.", "Two."]
    assert len(found) == 4
    assert all(each == each[:1] * len(each) for each in page.metadata.values())


def test_a_page_without_widgets_sees_the_reply_grow(vscode, simulator, kernel):
    """From the first text on, in an output that is updated; no widget is displayed."""
    page = vscode("never")
    for cell in ("a", "b"):
        simulator.enqueue(HANGS)
        page.start("%%claude\nHi", cell)

        shown = page.take(lambda message: "The first words" in str(message["content"]))

        assert "text/html" in shown["content"]["data"]
        kernel.manager.interrupt_kernel()
        page.finish()
        assert kinds(page.cells[cell])[0] == "text/html"


@pytest.mark.parametrize("answers", ["between cells", "at once"])
def test_a_page_that_has_answered_gets_live_replies(vscode, simulator, answers):
    """From the cell after its first answer on."""
    page = vscode(answers)
    seen = []
    for cell in ("a", "b"):
        simulator.enqueue(Stream(said("Yes.")))
        page.heard.clear()
        page.run("%%claude\nHi", cell)
        seen.append(any("frame" in message for message in page.heard))

    assert seen == [False, True]


@pytest.mark.parametrize("options", ["", " --effort low --effort high"])
def test_stop_reaches_a_cell_that_runs(vscode, simulator, options):
    """Widgets send it at once, without a subshell; it is answered, and what came is saved."""
    page = vscode("at once")
    simulator.enqueue(Stream(said("Yes.")), HANGS, HANGS)
    page.run("%%claude\nHi", "a")
    page.start(f"%%claude{options}\nHi", "b")
    live = page.take(lambda message: "The first words" in str(message["content"]))["content"]

    page.say(live["comm_id"], op="stop", n=7)

    page.take(lambda message: message["content"].get("data", {}).get("content") == {"ack": 7})
    page.finish()
    *_, stopped = records(page.saved())
    assert stopped["outcome"] == "stopped"
    assert all(VIEW not in output.get("data", {}) for output in page.cells["b"])


@pytest.mark.parametrize("answers", ["never", "at once"])
def test_a_chat_is_saved_below_its_widget(vscode, simulator, tmp_path, answers):
    """Folded, and renewed after each answer, whoever asks; it is restored from there."""
    simulator.enqueue(*(Stream(said(answer)) for answer in ("One.", "Two.", "Three.")))
    page = vscode(answers)
    page.run("import claude_nb\nclaude_nb.ask('Hi')", "a")
    page.run("chat = claude_nb.Chat()\nchat", "b")
    widget, saved = page.cells["b"]
    comm = widget["data"][VIEW]["model_id"]

    page.say(comm, op="send", n=1, text="First", model="claude-opus-5-5", effort="")
    page.take(lambda message: "Two." in str(message["content"].get("data", {}).get(MIME)))
    page.run("_ = chat.ask('Second')", "c")

    notebook = page.saved()
    assert saved["data"]["text/html"].count("<details><summary>") == 1
    assert "Chat · 2 turns" in saved["data"]["text/html"]
    assert [r["turn"]["text"] for r in records(notebook) if "turn" in r] == ["Two.", "Three."]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(notebook))
    page.run(f"print(claude_nb.Chat.restore({str(path)!r}).turns)", "d")
    page.saved()
    assert page.cells["d"][0]["text"] == "2\n"
