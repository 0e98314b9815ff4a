"""``claude-nb page``: the replies of a notebook, or a recording, on one page."""

from __future__ import annotations

import json
import re

import pytest

import claude_nb
from claude_nb.__main__ import main
from claude_nb.client.retry import Policy
from claude_nb.errors import ClaudeError, InputError
from claude_nb.keeping.answer import read
from claude_nb.recording.recording import Recording
from claude_nb.render.saved_output import record
from claude_nb.simulator import Stream
from claude_nb.streaming.compact import compact
from claude_nb.streaming.events import EventLog
from claude_nb.streaming.record import MIME
from tests.conversation.test_saved_notebook import cell, save
from tests.played import end, said, start, text, thinking
from tests.render.test_page import KEY, data_of

PIECES = ["Blue, ", "as ", "Rayleigh ", "found."]


@pytest.fixture
def notebook(api, tmp_path):
    """A notebook with three replies: two complete ones, and one that broke off."""
    whole = [start(), *thinking("Hm."), *text(*PIECES, index=1), *end()]
    api.enqueue(Stream(whole), Stream(said("Red.")), Stream(whole[:4], end="reset"))
    records = []
    for prompt in ("Why is the sky blue?", "And in the evening?", "And on Mars?"):
        try:
            reply = claude_nb.ask(prompt, show=False, policy=Policy(tries=1))
        except ClaudeError as error:
            reply = error.reply
        records.append(record(reply, reply.request))
    cells = [cell(one, id=f"c{n}", execution_count=n) for n, one in enumerate(records, 3)]
    return save(tmp_path / "sky.ipynb", *cells)


def test_a_notebook_is_one_page_of_its_replies(notebook, capsys):
    """Each below its prompt, at its pace; of one whose events are not saved it is told why."""
    assert main(["page", str(notebook)]) == 0

    out, err = capsys.readouterr()
    target = notebook.with_suffix(".html")
    assert out == f"Wrote {target}.\n"
    assert err.startswith("cell [5]: its reply has no saved events: it is incomplete")
    shown = target.read_text(encoding="utf-8")
    assert "<h1>sky</h1>" in shown
    assert re.findall(r"<h2>(.*?)</h2>", shown) == ["Why is the sky blue?", "And in the evening?"]
    first, _ = data_of(shown)["replies"]
    deltas = [step[4] for step in first["facts"]["steps"] if step[3] == "text_delta"]
    assert deltas == PIECES


def test_the_replies_of_one_cell_alone(notebook, tmp_path, capsys):
    """By its number, into a file of that name, under another heading."""
    target = tmp_path / "evening.html"
    arguments = ["page", str(notebook), "--cell", "4", "-o", str(target), "--title", "Evening"]
    assert main(arguments) == 0

    shown = target.read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""
    assert "<h1>Evening</h1>" in shown
    assert re.findall(r"<h2>(.*?)</h2>", shown) == ["And in the evening?"]


@pytest.mark.parametrize("number", ["5", "9"])
def test_where_no_events_are_saved_there_is_no_page(notebook, capsys, number):
    """The error says, once, when a notebook has some."""
    assert main(["page", str(notebook), "--cell", number]) == 1

    err = capsys.readouterr().err
    assert f"There are no saved events in cell [{number}] of {notebook}." in err
    assert err.count("%claude_nb keep is off") == err.count(": %claude_nb keep on") == 1
    assert "cell [5]: " not in err
    assert not notebook.with_suffix(".html").exists()


def test_a_page_that_is_there_is_not_replaced(notebook, capsys):
    """What the error names replaces it."""
    assert main(["page", str(notebook), "--cell", "4"]) == 0
    capsys.readouterr()
    assert main(["page", str(notebook)]) == 1
    assert f"To replace it: claude-nb page {notebook} --overwrite" in capsys.readouterr().err
    assert main(["page", str(notebook), "--overwrite"]) == 0
    assert "And in the evening?" in notebook.with_suffix(".html").read_text(encoding="utf-8")


def test_what_is_left_out_of_a_notebook(notebook):
    """Thinking and the prompt, as of a recording."""
    assert main(["page", str(notebook), "--without", "request,thinking"]) == 0

    shown = notebook.with_suffix(".html").read_text(encoding="utf-8")
    assert "Why is" not in shown + json.dumps(data_of(shown))
    assert "Hm." not in shown + json.dumps(data_of(shown))
    assert "Rayleigh" in shown


@pytest.mark.parametrize("saved", ["x", "[1]", '{"at": 0, "wire": {}, "pace": "0 1"}'])
def test_events_that_were_edited_are_passed_over(notebook, capsys, saved):
    """The other replies are on the page."""
    whole = json.loads(notebook.read_text(encoding="utf-8"))
    whole["cells"][0]["outputs"][0]["data"][MIME]["answer"]["events"] = saved
    notebook.write_text(json.dumps(whole), encoding="utf-8")

    assert main(["page", str(notebook)]) == 0

    assert "cell [3]: it cannot be read" in capsys.readouterr().err
    assert "And in the evening?" in notebook.with_suffix(".html").read_text(encoding="utf-8")


def test_a_recording_is_a_page(api, tmp_path, capsys):
    """Beside it, with the same name."""
    api.enqueue(Stream(said("Blue.")))
    path = tmp_path / "sky.jsonl"
    Recording.of(claude_nb.ask("Why blue?", show=False)).save(path)

    assert main(["page", str(path)]) == 0
    assert "<h1>Why blue?</h1>" in path.with_suffix(".html").read_text(encoding="utf-8")

    assert main(["page", str(tmp_path / "none.jsonl")]) == 1
    assert main(["page", str(path), "--without", "keys"]) == 1
    err = capsys.readouterr().err
    assert f"There is no file {tmp_path / 'none.jsonl'}." in err
    assert "'keys' cannot be left out." in err


def test_what_is_saved_of_an_answer_has_its_pace(api):
    """Read back, each piece has its time, to the millisecond; saved again, it is equal."""
    api.enqueue(
        Stream([start(), *thinking("H", "m."), *text(*PIECES, index=1), *end()], delay=0.01)
    )
    reply = claude_nb.ask("Why?", show=False)
    saved = compact(reply.events.entries(0))

    events = read(saved)

    began = reply.events[0].time
    came = [(e.type, e.data) for e in reply.events if isinstance(e.data, dict) and e.type != "ping"]
    assert [(e.type, e.data) for e in events if isinstance(e.data, dict)] == came
    times = [e.time - began for e in reply.events if e.type == "content_block_delta"]
    found = [e.time for e in events if e.type == "content_block_delta"]
    assert found == pytest.approx(times, abs=0.0011)
    assert compact(EventLog(events).entries(0)) == saved


def test_a_key_that_was_cut_is_saved_redacted(api):
    """The pieces after it are as long as they came."""
    api.enqueue(Stream(said("Key: ", KEY[:9], KEY[9:], " and ", "more.")))
    saved = compact(claude_nb.ask("Why?", show=False).events.entries(0))

    events = read(saved)

    assert KEY not in saved
    texts = [e.data["delta"]["text"] for e in events if e.type == "content_block_delta"]
    assert "".join(texts) == "Key: sk-ant-… and more."
    assert compact(EventLog(events).entries(0)) == saved


@pytest.mark.parametrize("pace", ["", "1", "0 x", f"0 {10**10}", "0 1 2", [0, 1], {"a": 1}])
def test_a_pace_that_is_none_is_refused(pace):
    """A file may hold anything."""
    delta = {"type": "text_delta", "text": "Blue."}
    wire = {"type": "content_block_delta", "index": 0, "delta": delta}
    with pytest.raises(InputError, match="cannot be read"):
        read(json.dumps({"at": 0.0, "wire": wire, "pace": pace}))
