"""What a function shows to the reader: in the pane, saved, in a chat again, and never sent."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from IPython.display import HTML, Markdown
from PIL import Image

import claude_nb
from claude_nb import Conversation, Result
from claude_nb.chat.transcript import Transcript
from claude_nb.conversation import restore
from claude_nb.conversation.saved_notebook import Record, SavedNotebook
from claude_nb.keeping.answer import read
from claude_nb.render import displayed, saved_output
from claude_nb.streaming.events import ToolRan
from claude_nb.streaming.progress import Progress
from claude_nb.streaming.record import MIME
from tests.tools.test_calls import ANSWER, call_of, ran, run, told


def plot() -> Result:
    """Draw it."""
    return Result("21 degrees on average", display=Image.new("RGB", (30, 20), "red"), note="drawn")


def test_what_is_displayed_is_shown_and_not_sent(api):
    """The model gets ``for_model`` alone; the reader sees the picture in all forms."""
    reply = run(api, plot)

    (result,) = ran(reply)
    bundle = reply._repr_mimebundle_()
    assert told(result) == "21 degrees on average"
    assert result.note == "drawn"
    assert [part["type"] for part in result.display] == ["image"]
    picture = result.display[0]["source"]["data"]
    assert picture in bundle["text/html"]
    assert "[picture, 30 × 20 px]" in bundle["text/plain"]
    assert "picture, 30 × 20 px" in bundle["text/markdown"]
    sent = json.dumps([request.body for request in api.requests])
    assert "21 degrees on average" in sent
    assert picture not in sent


def test_its_pane_stays_open(api):
    """A picture for the reader is not folded away with the call; what the model gets is."""
    html = run(api, plot)._repr_mimebundle_()["text/html"]

    pane = html[html.index("<details") :]
    assert pane.split("<summary")[0].endswith(" open>")
    assert pane.index("<img") < pane.index("result that the model gets")


@pytest.mark.parametrize("kind", ["async", "nothing"])
def test_asynchronous_functions_and_no_display(api, kind):
    """They return a ``Result`` as others do, and one may have nothing to display."""

    async def give() -> Result:
        return Result({"a": 1}, display=None if kind == "nothing" else Markdown("**shown**"))

    (result,) = ran(run(api, give))

    assert told(result) == '{"a": 1}'
    assert displayed.to_plain(result.display) == ("" if kind == "nothing" else "**shown**")


def test_a_display_that_fails_does_not_fail_the_call(api):
    """The model gets its result, and the reader sees what went wrong."""

    class Fails:
        def _repr_html_(self) -> str:
            raise ValueError

        def __repr__(self) -> str:
            raise ValueError("nothing to show")

    def give() -> Result:
        return Result("fine", display=Fails())

    (result,) = ran(run(api, give))

    assert told(result) == "fine"
    assert "Fails cannot be displayed: ValueError: nothing to show" in str(result.display)


def test_it_comes_back_with_a_kept_answer(api):
    """What is saved of an answer holds it, so that showing the answer again shows it too."""
    reply = run(api, plot)
    reply.asked = {"id": "x", "request": {}}
    saved = reply.saved_answer()["events"]

    progress = Progress()
    for event in read(saved):
        progress.apply(event)

    (again,) = [b.run for b in progress.blocks if isinstance(b.run, ToolRan)]
    assert displayed.to_html(again.display) == displayed.to_html(ran(reply)[0].display)


def restored(record: dict, name: str) -> str:
    """The answer of the only turn of a chat that goes on from a record, as HTML."""
    notebook = SavedNotebook((Record(1, "", record, "d"),), (), ())
    (saved,), _ = restore.conversations(notebook)
    conversation = Conversation(name)
    transcript = Transcript(conversation)
    transcript.take_over(notebook.records, name)
    conversation.add(saved.exchanges, saved.head)
    ((turn, _),) = transcript.shown()
    return turn.answer.html


def record_of(api, *functions: object) -> dict:
    api.enqueue(call_of(*(function.__name__ for function in functions)), ANSWER)
    talk = Conversation("shown")
    reply = talk.ask("Go.", tools=[*functions], show=False)
    return saved_output.record(reply, reply.request)


def test_a_restored_chat_shows_it(api):
    """After a restart the turns of a chat have what their tools displayed above the answer."""

    def table() -> Result:
        return Result("1 row", display=pd.DataFrame({"city": ["Bern"]}))

    html = restored(record_of(api, plot, table), "shown")

    assert html.index("<img") < html.index("<td>Bern</td>") < html.index("Done.")


def test_a_record_of_somebody_else_runs_nothing(api):
    """The display in a notebook that was edited is made harmless before a chat shows it."""
    record = record_of(api, plot)
    evil = [{"type": "html", "html": "<img src=x onerror=alert(1)><b>hello</b>"}, 3, None]

    html = restored(record | {"displayed": evil}, "shown")

    assert "<b>hello</b>" in html
    assert "onerror" not in html
    assert "Done." in restored(record | {"displayed": 7}, "shown")


def test_html_of_an_object_never_runs_a_script(api):
    """Neither in the pane, which is trusted, nor in the saved notebook."""

    def give() -> Result:
        return Result("x", display=HTML("<b onclick='alert(1)'>bold</b><script>alert(2)</script>"))

    html = run(api, give)._repr_mimebundle_()["text/html"]

    assert "<b>bold</b>" in html
    assert "alert" not in html


def test_long_results_are_folded(api):
    """A result of 100,000 characters is one line to open, in HTML, and its beginning elsewhere."""

    def give() -> str:
        return "begin\n" + "x" * 99_000

    bundle = run(api, give)._repr_mimebundle_()
    del bundle[MIME]

    result = bundle["text/html"].partition(">result</p>")[2]
    assert result.startswith("<details")
    assert "2 lines, 99,006 characters" in result
    assert "79,006 more characters" in result
    assert all(len(form) < 40_000 for form in bundle.values())
    assert len(bundle["text/markdown"]) < 4_000


def test_pictures_that_the_model_gets_are_thumbnails(api):
    """A large one is shown small, and opens by click."""

    def give() -> object:
        return Image.effect_noise((900, 700), 90)

    html = run(api, give)._repr_mimebundle_()["text/html"]

    assert " px</span></summary><img" in html
    assert html.count("<img") == 2
    assert len(html) < 500_000


def test_a_result_is_a_value_like_others():
    """It can be compared and printed, as functions are tested with it."""
    assert Result(1, display=2) == Result(1, display=2)
    assert claude_nb.Result is Result
    assert "for_model=1" in repr(Result(1))
    assert SimpleNamespace(r=Result(1)).r.display is None
