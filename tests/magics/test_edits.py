"""``%claude_nb edit``: an answer in a cell, changed there, and sent from then on."""

from __future__ import annotations

import pytest

from claude_nb.asking.conversation import Conversation
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError
from claude_nb.magics import commands
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.played import said


@pytest.fixture
def talk(api, monkeypatch):
    """The notebook's conversation, with two turns."""
    monkeypatch.setattr(Conversation, "_named", {})
    made = Conversation.named()
    for answer in ("One.", "Two."):
        api.enqueue(Stream(said(answer)))
        made.ask(f"{answer}?", show=False)
    return made


def run(line, body=None):
    """Run a command, and return what it shows."""
    return commands.execute(line, "claude-opus-5-5", body)


def test_without_a_text_the_answer_is_put_into_the_cell(talk, capsys, monkeypatch):
    """In the place of the command, so that Run All inserts nothing; of the last turn by default."""
    put = []

    class Shell:
        def set_next_input(self, text, *, replace):
            put.append((text, replace))

    monkeypatch.setattr("claude_nb.magics.edits.shell", Shell)
    assert run("edit 1") is None
    assert run("edit") is None
    assert run("edit -c notebook") is None

    edits = ["%%claude_nb edit 1\nOne.", *["%%claude_nb edit 2\nTwo."] * 2]
    assert put == [(text, True) for text in edits]
    assert "The answer of turn 2 is in this cell: change it, and run" in capsys.readouterr().out
    assert len(talk.exchanges) == 2


def test_with_a_text_that_is_sent_from_now_on(talk, api):
    """The cell shows it, marked, and saves what restoring it needs, and nothing of a cost."""
    shown = run("edit 2", "Three.\n")
    data = shown._repr_mimebundle_()

    talk.ask("And?", show=False)
    sent = api.requests[-1].body["messages"]
    assert sent[3]["content"] == [{"type": "text", "text": "Three."}]
    note = "turn 2 · sent from now on in place of the answer"
    assert data["text/plain"] == f"{note}\n\nThree.\n\n*edited*\n\n*simulated*"
    assert data["text/markdown"].startswith(f"*{note}*\n\nThree.\n\n*edited*")
    assert ">edited<" in data["text/html"]
    record = data[MIME]
    assert record["turn"]["edited"] == talk.exchanges[1].id
    assert set(record) == {"version", "simulated", "turn"}


def test_run_twice_it_changes_nothing_more(talk, capsys):
    """As a notebook is that is run again from here."""
    run("edit 2", "Three.")
    assert run("edit 2", "Three.\n") is None

    assert "that is the answer of turn 2 already" in capsys.readouterr().out
    assert len(talk.exchanges) == 3


def test_it_names_the_turns_that_are_no_longer_sent(talk):
    """They were asked about the answer that came."""
    shown = run("edit 1", "Zero.")
    assert shown.note.endswith("· no longer sent: 1 turn after it, “Two.?”")


def test_it_is_backed_up(talk, monkeypatch, tmp_path):
    """As each turn is."""
    monkeypatch.setattr(snapshot, "_told", str(tmp_path / "talk.ipynb"))
    run("edit 2", "Three.")

    (kept,) = [backup for backup in snapshot.store.all() if backup.turn["text"] == "Three."]
    assert kept.turn["edited"] == talk.exchanges[1].id


@pytest.mark.parametrize(
    ("line", "body", "error"),
    [
        ("edit 3", None, "There is no turn 3 in notebook. There are turns 1 to 2."),
        ("edit 0", "x", "There is no turn 0 in notebook."),
        ("edit -c empty", None, "empty: there is no answer to edit yet."),
        ("edit two", None, r"%claude_nb edit takes \[N\] \[-c NAME\]."),
        ("edit 1", " \n", "An answer cannot be empty."),
        ("edit 1 -c other", "x", "There is no conversation 'other'."),
        ("status", "x", "%%claude_nb status takes no text in the cell. Type %claude_nb status"),
    ],
)
def test_a_mistake_is_named(talk, line, body, error):
    """And nothing is changed."""
    Conversation.named("empty")
    with pytest.raises(InputError, match=error):
        run(line, body)
    assert len(talk.exchanges) == 2
