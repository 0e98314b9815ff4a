"""A stripped notebook holds no record and no chat, and is otherwise the one that it was."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from claude_nb.conversation.saved_notebook import load
from claude_nb.conversation.strip import Removed, strip
from claude_nb.errors import InputError
from claude_nb.streaming.record import MIME
from tests.conversation.test_saved_notebook import cell, save

NOTEBOOKS = sorted(Path(__file__).parents[2].glob("notebooks/*.ipynb"))
RECORD = {"version": 1, "model": "claude-opus-5-5"}
CHAT = {
    "version": 1,
    "chat": {"conversation": "chat", "turns": 1, "head": "a"},
    "replies": [RECORD],
}
ROOT = '<div class="claude-nb mathjax_ignore" style="x">…</div>'
CHAT_ROOT = '<div class="claude-nb claude-nb-chat-1f mathjax_ignore" style="x">…</div>'


def displayed(html=ROOT, record=None, metadata=None, **data: object):
    """An output that shows this."""
    bundle = {"text/html": [html], "text/plain": ["…"], **data}
    bundle |= {} if record is None else {MIME: record}
    return {"output_type": "display_data", "data": bundle, "metadata": metadata or {}}


def stripped(tmp_path, *cells: object, answers=False, **fields: object):
    """What is left of a notebook of these cells, and what was removed."""
    path = save(tmp_path / "notes.ipynb", *cells, **fields)
    content, removed = strip(path.read_bytes(), path, answers=answers)
    return json.loads(content), removed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_all_but_its_records_and_chats(tmp_path, path):
    """As Jupyter writes it: the same sources, answers and outputs, and nothing to be restored."""
    before = json.loads(path.read_bytes())
    content, removed = strip(path.read_bytes(), path)

    written = nbformat.writes(nbformat.reads(content.decode(), as_version=4))
    assert content.decode() == f"{written}\n"
    after = json.loads(content)
    assert [c["source"] for c in after["cells"]] == [c["source"] for c in before["cells"]]
    assert after["metadata"] == before["metadata"]
    (tmp_path / "copy.ipynb").write_bytes(content)
    assert load(tmp_path / "copy.ipynb").records == ()
    outputs = [[o for c in nb["cells"] for o in c.get("outputs", ())] for nb in (before, after)]
    assert len(outputs[1]) == len(outputs[0]) - removed.chats
    assert strip(content, path) == (content, Removed(left=removed.left))

    # The answers go in a second step as they would have gone in the first.
    bare, gone = strip(content, path, answers=True)
    assert bare == strip(path.read_bytes(), path, answers=True)[0]
    assert gone.answers == removed.left
    assert b"claude-nb mathjax" not in bare


def test_records_go_from_wherever_they_were_put(tmp_path):
    """From outputs, their metadata in older notebooks, and cells that were exported as text."""
    exported = {"cell_type": "markdown", "source": "Why?", "metadata": {"claude_nb": RECORD}}
    outputs = [displayed(record=RECORD), displayed(metadata={"claude_nb": RECORD, "x": 1})]
    streaming = displayed(**{"application/vnd.claude-nb.output+json": {"id": "1"}})
    left, removed = stripped(
        tmp_path,
        exported,
        cell(outputs=[*outputs, streaming]),
        metadata={"claude_nb": {"export": "1f"}, "kernelspec": {"name": "python3"}},
    )

    assert removed == Removed(records=3, other=True, left=3)
    assert left["metadata"] == {"kernelspec": {"name": "python3"}}
    assert left["cells"][0] == exported | {"metadata": {}}
    assert left["cells"][1]["outputs"] == [displayed(), displayed(metadata={"x": 1}), displayed()]


def test_chats_go_with_their_outputs_also_without_a_record(tmp_path):
    """Their cells stay, and so does what else they display."""
    shown = [displayed(CHAT_ROOT, CHAT), displayed(CHAT_ROOT), displayed("<p>mine</p>")]
    left, removed = stripped(tmp_path, cell(source="claude_nb.Chat()", outputs=shown))

    assert (removed.chats, removed.left) == (2, 0)
    assert left["cells"] == [cell(source="claude_nb.Chat()", outputs=shown[2:])]


def test_the_state_of_our_widgets_goes_and_that_of_others_stays(tmp_path):
    """A box loses what it showed of ours, and an output its view, not its text."""
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    ours = {"model_name": "AnyModel", "state": {"_anywidget_id": "claude_nb.chat.chat.Chat"}}
    box = {"model_name": "HBoxModel", "state": {"children": ["IPY_MODEL_a", "IPY_MODEL_b"]}}
    slider = {"model_name": "IntSliderModel", "state": {"value": 1}}
    states = {"a": ours, "b": slider, "c": box}
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": states}}
    left, removed = stripped(
        tmp_path, cell(outputs=[displayed("<b>", **view)]), metadata={"widgets": widgets}
    )

    assert removed == Removed(widgets=1)
    (state,) = (kind["state"] for kind in left["metadata"]["widgets"].values())
    assert state == {"b": slider, "c": box | {"state": {"children": ["IPY_MODEL_b"]}}}
    assert left["cells"][0]["outputs"] == [displayed("<b>")]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"indent": 1, "ensure_ascii": False}, id="nbformat"),
        pytest.param({"indent": 2}, id="colab"),
        pytest.param({"indent": "\t"}, id="tabs"),
        pytest.param({"separators": (",", ":")}, id="compact"),
        pytest.param({}, id="one-line"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("begin", "end"), [("", "\n"), ("", ""), ("\ufeff", "\n\n")])
def test_the_file_keeps_its_form(form, newline, begin, end):
    """Indentation, ends of lines, escapes, the order of fields: a difference shows what went."""

    def written(*outputs: object):
        text = cell(source="# é 😀 \\ \n\r\n½", outputs=[*outputs], zoo=1.5, ants=[], bees={})
        whole = json.dumps({"nbformat": 4, "metadata": {}, "cells": [text]}, **form)
        return (begin + whole.replace("\n", newline) + end).encode()

    content, removed = strip(written(displayed(record=RECORD)), Path("notes.ipynb"))
    assert removed.records == 1
    assert content == written(displayed())


def test_half_a_character_is_kept():
    """JSON can escape it, and UTF-8 has no bytes for it."""
    data = save_bytes(cell(source="é \ud83d", outputs=[displayed(record=RECORD)]))
    data = data.replace(b"\\u00e9", "é".encode())
    content, _ = strip(data, Path("notes.ipynb"))
    assert "é \\ud83d".encode() in content


def save_bytes(*cells: object):
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": list(cells)}).encode()


@pytest.mark.parametrize(
    "part",
    [
        *(None, 1, [], {}),
        {"outputs": 1},
        {"outputs": [None, {"data": [], "metadata": 1}, [], {"data": {"text/html": {}}}]},
        {"metadata": 1},
        {"data": {MIME: RECORD}},
    ],
)
def test_what_is_no_cell_or_output_stays(part):
    """Another program may know what it is."""
    data = save_bytes(part, cell(outputs=[displayed(record=RECORD)]))
    content, _ = strip(data, Path("notes.ipynb"))
    assert json.loads(content)["cells"][0] == part


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "is not a notebook: it is not JSON."),
        (b'{"name": "x"}', "is JSON, but not a notebook."),
        (save_bytes().decode().encode("utf-16"), "is not a notebook: it is not in UTF-8."),
    ],
)
def test_what_is_not_a_notebook_is_refused(data, said):
    """By name."""
    with pytest.raises(InputError, match=f"notes.ipynb {said}"):
        strip(data, Path("notes.ipynb"))
