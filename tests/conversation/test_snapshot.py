"""The notebook as it was when ``%load_ext`` ran: what is read of it, and what of its chats."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest

from claude_nb.conversation import notebook_file, saved_chat
from claude_nb.conversation.snapshot import Snapshot
from tests.conversation.test_restore import turn
from tests.conversation.test_saved_notebook import cell, save


def chat(*replies: Any, **about: Any):
    """A cell with the output of a chat."""
    record = {"version": 1, "simulated": False, "replies": list(replies)}
    record["chat"] = {"conversation": "second", "turns": len(replies)} | about
    return cell(record, source="claude_nb.Chat('second')", id="chat")


def typed(name, parent=None, minute=0, **fields: Any):
    """The record of a turn that was typed in the chat."""
    return turn(name, parent, minute, conversation="second", cell="", **fields)


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "n.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


def found(cell="chat"):
    return saved_chat.find(Snapshot(), "second", cell)


def test_a_chat_goes_on_where_it_was(path):
    """From the turn that its output showed last, if nothing newer is backed up."""
    turns = typed("A"), typed("B", "a", 1), typed("C", "a", 2)
    save(path, chat(*turns, head="b"))

    (saved,) = found()

    assert [exchange.id for exchange in saved.exchanges] == ["a", "b", "c"]
    assert (saved.head.id, saved.backed_up) == ("b", 0)


@pytest.mark.parametrize(
    ("about", "head"),
    [({"head": None}, None), ({"head": "gone"}, "a"), ({}, "a")],
)
def test_the_head_may_be_missing(path, about, head):
    """At the beginning nothing is sent; what is not known is the newest turn."""
    save(path, chat(typed("A"), **about))

    (saved,) = found()

    assert (saved.head and saved.head.id) == head


@pytest.mark.parametrize(
    "broken",
    [
        *({}, None, 7, {"version": 99}, {"version": 1, "turn": 7}),
        typed("X", id=[1]),
        typed("X", id={}, parent=[]),
        typed("X", "x"),
        turn("X", conversation={"a": 1}),
        typed("X", text=7),
    ],
)
def test_a_record_that_was_edited_costs_none_of_the_others(path, broken):
    """Whatever it is."""
    save(path, chat(typed("A"), broken, typed("B", "a", 1)))

    (saved,) = found()

    assert {"a", "b"} <= {exchange.id for exchange in saved.exchanges}


def test_a_turn_that_a_cell_asked_belongs_to_that_cell(path):
    """And one that was typed to none, not to the cell in which the chat stands."""
    save(path, chat(typed("A"), turn("B", "a", 1, conversation="second", cell="asks")))

    (saved,) = found()

    assert [exchange.place.cell for exchange in saved.exchanges] == ["", "asks"]


def test_chats_are_backed_up_when_they_are_read(path):
    """Each under the cell that made it, which may be another than the one that shows it."""
    save(path, chat(typed("A"), cell="maker"))
    snapshot = Snapshot()

    (file,) = snapshot.files

    backups = snapshot.store.of(str(file.path))
    assert [(backup.cell, backup.chat, backup.turn["id"]) for backup in backups] == [
        ("maker", True, "a")
    ]


@pytest.mark.parametrize("name", ["", "console-1", "analysis.py", "/no/such/folder/n.md"])
def test_without_a_notebook_there_is_nothing_to_read(monkeypatch, name):
    """In a console, a script or another format: nothing is looked for, and nothing is said."""
    monkeypatch.setenv("JPY_SESSION_NAME", name)
    snapshot = Snapshot()

    assert (snapshot.files, snapshot.error, snapshot.paths) == ((), "", ())


def test_a_notebook_without_records_is_not_parsed(path):
    """Only the ids of its cells are taken: it may be of 100 MB."""
    save(path, cell(id="one"), cell(id="two"))

    (file,) = Snapshot().files

    assert (file.saved, {"one", "two"} <= file.ids) == (None, True)


def test_ids_are_found_across_steps(monkeypatch):
    """However the content is cut for the search."""
    data = json.dumps({"cells": [{"id": f"c{n}", "x": "y" * n} for n in range(40)]}).encode()

    for step in range(1, 40):
        monkeypatch.setattr(notebook_file, "_STEP", step)
        assert notebook_file.ids(data) == {f"c{n}" for n in range(40)}


@pytest.mark.skipif(os.name == "nt", reason="Windows does not fork")
def test_a_child_process_is_not_left_waiting(path):
    """A fork waits for the thread that reads, whose locks the child would inherit."""
    save(path, chat(typed("A")))
    from claude_nb.conversation.snapshot import snapshot

    snapshot.take()
    child = os.fork()
    if child == 0:
        is_alone = not any(t.name == "claude_nb snapshot" for t in threading.enumerate())
        os._exit(0 if is_alone and snapshot.files else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
