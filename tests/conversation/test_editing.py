"""An answer in other words: what is sent from then on, how it is marked, saved and restored."""

from __future__ import annotations

import json

import pytest

from claude_nb.asking.conversation import Conversation
from claude_nb.conversation import editing, export, restore
from claude_nb.conversation.history import History
from claude_nb.conversation.outline import tree
from claude_nb.conversation.saved_notebook import load
from claude_nb.errors import InputError
from claude_nb.streaming.record import MIME
from tests.conversation.test_history import THOUGHT, ask
from tests.conversation.test_saved_notebook import cell, save


def edit(history, number, text):
    """Edit the answer of a turn, and return its exchange."""
    made = editing.edited(history.questions[number - 1], text)
    editing.go_on(history, made)
    return made


@pytest.fixture
def history():
    """Three cells, each with an answer that was thought about."""
    made = History()
    for number, name in enumerate("ABC", 1):
        ask(made, name, cell=name.lower(), execution=number, came=THOUGHT)
    return made


def messages(request):
    """What was sent before the question: the text of each turn, and whether it holds thinking."""
    found = []
    for message in request.params()["messages"][:-1]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = "".join(block.get("text", "") for block in blocks)
        found.append((texts, any(block["type"] == "thinking" for block in blocks)))
    return found


def test_it_is_sent_in_the_place_of_what_came(history):
    """Its thinking is not, as it led to other words; the thinking before it still is."""
    edit(history, 3, "No.")

    asked = ask(history, "D")

    assert messages(asked) == [
        ("A", False),
        ("Yes.", True),
        ("B", False),
        ("Yes.", True),
        ("C", False),
        ("No.", False),
    ]
    assert asked.notes == ("turn 4 · sent with the 3 before it · answer 3 edited",)


def test_what_came_stays_in_the_tree_as_it_was(history):
    """The exchange is another one; the turns that followed what came are left behind."""
    came = history.questions[1]
    made = edit(history, 2, "No.")

    assert came.text == "Yes."
    assert (made.parent, made.edited, made.place) == (came.parent, came.id, came.place)
    assert [e.text for e in history.branch] == ["Yes.", "No."]
    assert "○ 3" in tree(history)
    assert "● 4  [2] B → No. (edited)  ← here" in tree(history)
    history.go_to(came)
    assert ask(history, "D").notes == ("turn 3 · sent with the 2 before it",)


def test_an_edited_answer_can_be_edited_again(history):
    """Both name the answer that came."""
    came = history.questions[2]
    edit(history, 3, "No.")

    assert edit(history, 3, "Perhaps.").edited == came.id
    assert [e.text for e in history.branch] == ["Yes.", "Yes.", "Perhaps."]


def test_a_cell_that_is_run_again_takes_its_place(history):
    """The edited answer is that of the cell in which it was asked."""
    edit(history, 3, "No.")
    ask(history, "C", cell="c", execution=7)

    assert [(e.prompt, e.text) for e in history.branch] == [(p, "Yes.") for p in "ABC"]


def test_calls_of_tools_stay_without_the_words_around_them():
    """All text of the turn is what the user wrote."""
    history = History()
    ask(history, "A", came=THOUGHT)
    exchange = history.questions[0]
    call = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen"}
    steps = ({"role": "assistant", "content": call}, {"role": "user", "content": [result]})
    history.exchanges[0] = history.head = editing.replace(exchange, steps=steps)

    made = edit(history, 1, "Seen.")

    assert made.steps == ({"role": "assistant", "content": call[2:]}, steps[1])
    assert made.text == "Seen."


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_answer_cannot_be_empty(history, text):
    """The API takes no empty turn."""
    with pytest.raises(InputError, match="An answer cannot be empty"):
        editing.edited(history.questions[0], text)


def test_a_turn_without_text_has_nothing_to_edit(history):
    """As one that broke off after calls of tools."""
    with pytest.raises(InputError, match="no text to edit"):
        editing.edited(editing.replace(history.questions[0], answer=()), "No.")


def test_it_is_marked_in_exports(history):
    """In the notebook, in Markdown, and in the record that restoring reads."""
    made = edit(history, 3, "No.")

    assert "**Claude** · *edited*\n\nNo." in export.to_markdown(history)
    notebook = json.loads(export.to_notebook(history, "cells"))
    (output,) = notebook["cells"][-1]["outputs"]
    assert "".join(output["data"]["text/markdown"]) == "No.\n\n*edited*"
    assert output["data"][MIME]["turn"]["edited"] == made.edited
    assert "Edited answers are marked" in "".join(notebook["cells"][0]["source"])
    first = notebook["cells"][2]["outputs"][0]["data"][MIME]["turn"]
    assert "edited" not in first


def test_it_is_restored_beside_what_came(history, tmp_path):
    """From the cell that has edited it; and its own cell, run again, takes its place."""
    came = history.questions[2]
    made = edit(history, 3, "No.")
    records = [
        cell(export.record(one, "notebook", name), id=name)
        for name, one in zip("abc", [*history.questions[:2], came], strict=True)
    ]
    edits = cell(export.record(made, "notebook", "c"), id="edits", source="%%claude_nb edit 3")
    saved = load(save(tmp_path / "saved.ipynb", *records, edits))

    (found,), notes = restore.conversations(saved)
    again = Conversation("notebook")
    again.add(found.exchanges, found.head)

    assert notes == []
    assert [(e.text, bool(e.edited)) for e in again.branch][2] == ("No.", True)
    assert len(again.exchanges) == 4
    ask(again, "C", cell="c", execution=1)
    assert [e.prompt for e in again.branch] == ["A", "B", "C"]
