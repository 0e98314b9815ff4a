"""Conversations out of saved notebooks and of messages: what comes back, and what does not."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from claude_nb import Conversation
from claude_nb.conversation.history import History
from claude_nb.conversation.restore import conversations, exchanges
from claude_nb.conversation.saved_notebook import Record, SavedNotebook, load
from claude_nb.errors import InputError
from claude_nb.render import saved_output
from claude_nb.request.place import Place
from claude_nb.request.request import Request
from claude_nb.simulator import Stream
from tests.conversation.test_history import ANSWER, ask, prompts
from tests.conversation.test_saved_notebook import cell, output, save
from tests.played import said
from tests.streaming.test_progress import progress

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\0\0\0\2\0\0\0\3").decode()
PDF = base64.b64encode(b"%PDF-1.7 a page").decode()


def image(data=PNG, media_type="image/png"):
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document(data=PDF, media_type="application/pdf"):
    source = {"type": "base64", "media_type": media_type, "data": data}
    return {"type": "document", "source": source, "title": "paper.pdf"}


def turn(name, parent=None, minute=0, /, **fields: Any):
    """A record whose turn asks ``name`` and has it, in lower case, as its id."""
    return {
        "version": 1,
        "simulated": fields.pop("simulated", False),
        "turn": {
            "conversation": "notebook",
            "id": name.lower(),
            "parent": parent,
            "cell": f"cell-{name.lower()}",
            "asked": f"2026-11-23T06:{minute:02}:00.000+00:00",
            "prompt": name,
            "content": [],
            "text": f"Answer {name}.",
        }
        | fields,
    }


def restored(*records: Any):
    """The notebook's own conversation, out of a cell for each record, and what was said of it."""
    cells = tuple(Record(n, "", record, str(n)) for n, record in enumerate(records, 1))
    found, notes = conversations(SavedNotebook(cells, (), ()))
    history = History()
    if found:
        assert found[0].name == "notebook"
        history.add(found[0].exchanges, found[0].head)
    return history, notes


def parents(history):
    """For each exchange, by its prompt, the prompt before it."""
    return {e.prompt: e.parent.prompt if e.parent else None for e in history.exchanges}


def test_a_conversation_comes_back_as_it_was():
    """Ids, parents and words; the next question is sent with all of it."""
    history, notes = restored(turn("A"), turn("B", "a", 1), turn("C", "b", 2, simulated=True))

    assert [e.id for e in history.branch] == ["a", "b", "c"]
    assert notes == []
    assert [e.simulated for e in history.branch] == [False, False, True]
    assert {None} == {e.system for e in history.branch}
    request = ask(history, "D")
    assert prompts(request) == ["A", "B", "C", "D"]
    assert request.before[3] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Answer B."}],
    }


def test_the_order_is_that_of_asking():
    """Not that of the cells, which may be moved and run in any order."""
    history, _ = restored(turn("C", "b", 2), turn("A"), turn("B", "a", 1))

    assert [e.prompt for e in history.branch] == ["A", "B", "C"]


def test_a_cell_that_is_run_again_asks_in_its_old_place(tmp_path):
    """Whatever the number of its execution: the numbers begin anew with each kernel."""
    saved = load(
        save(
            tmp_path / "n.ipynb",
            cell(turn("A"), id="one"),
            cell(turn("B", "a", 1), id="two"),
            cell(turn("C", "b", 2), id="three"),
        )
    )
    history = History()
    (found,), _ = conversations(saved)
    history.add(found.exchanges, found.head)

    request = ask(history, "b", cell="two", execution=1)

    assert prompts(request) == ["A", "b"]
    assert "no longer in this conversation: “C”" in request.notes


@pytest.mark.parametrize(
    ("saved", "place"), [("now", "now"), ("", "cell-a"), (None, "cell-a"), (7, "cell-a")]
)
def test_a_turn_belongs_to_the_cell_in_which_it_stands(tmp_path, saved, place):
    """Its record's own id counts where the notebook has none: before format 4.5."""
    found, _ = conversations(load(save(tmp_path / "n.ipynb", cell(turn("A"), id=saved))))

    assert Place(place) == found[0].head.place


@pytest.mark.parametrize(
    ("records", "tree", "branch"),
    [
        pytest.param(
            [turn("A"), turn("B2", "a", 3), turn("C", "b", 2)],
            {"A": None, "C": "A", "B2": "A"},
            ["A", "B2"],
            id="a-cell-was-run-again",
        ),
        pytest.param(
            [turn("A2", None, 3), turn("B", "a", 1), turn("C", "b", 2)],
            {"B": None, "C": "B", "A2": None},
            ["A2"],
            id="the-first-cell-was-run-again",
        ),
        pytest.param(
            [turn("A"), turn("C", "b", 2), turn("D", "c", 3)],
            {"A": None, "C": "A", "D": "C"},
            ["A", "C", "D"],
            id="a-cell-was-deleted",
        ),
        pytest.param(
            [turn("B", "a", 1), turn("C", "b", 2)],
            {"B": None, "C": "B"},
            ["B", "C"],
            id="the-first-cell-was-deleted",
        ),
        pytest.param(
            [turn("B", "a", 1), turn("C", "a", 2)],
            {"B": None, "C": None},
            ["C"],
            id="both-followed-what-was-deleted",
        ),
    ],
)
def test_what_followed_a_turn_that_is_gone(records, tree, branch):
    """It follows the newest turn that was asked before, and that is said."""
    history, notes = restored(*records)

    assert tree == parents(history)
    assert branch == [e.prompt for e in history.branch]
    assert notes
    assert all("the turn before it is not in the notebook" in note for note in notes)


@pytest.mark.parametrize(
    "records",
    [
        [turn("A", "a")],
        [turn("A", "b"), turn("B", "a", 1)],
        [turn("X", "a"), turn("A", "b", 1), turn("B", "c", 2), turn("C", "a", 3)],
    ],
)
def test_turns_in_a_circle_are_cut_open(records):
    """Each comes back once, and there is a beginning."""
    history, notes = restored(*records)

    assert len(records) == len(history.exchanges)
    assert None in parents(history).values()
    assert any("form a loop" in note for note in notes)


def test_a_long_conversation_in_reverse_order_is_read():
    """As a hand, or another program, may have put it."""
    count = 3_000
    turns = [turn(f"t{n}", f"t{n - 1}" if n else None, asked="") for n in range(count)]

    history, notes = restored(*turns[::-1])

    assert notes == []
    assert count == len(history.exchanges)
    assert [e.prompt for e in history.branch] == ["t0"]


def test_a_copied_cell_is_one_turn(tmp_path):
    """It belongs to the cell that asked it, wherever the copy stands."""
    record = turn("A")
    saved = save(tmp_path / "n.ipynb", cell(record, id="copy"), cell(record, id="cell-a"))

    (found,), notes = conversations(load(saved))

    assert ([Place("cell-a")], []) == ([e.place for e in found.exchanges], notes)


def test_of_two_turns_with_one_id_one_is_left_out():
    """And that is said."""
    history, notes = restored(turn("A"), turn("B", id="a"))

    assert [e.prompt for e in history.exchanges] == ["A"]
    assert notes == ["cells 1 and 2: different turns with the same id; one is left out"]


def test_conversations_have_names():
    """Each comes back under its own."""
    records = [turn("A"), turn("B", conversation="trains"), turn("C", "a", 1)]
    cells = tuple(Record(n, "", record, str(n)) for n, record in enumerate(records))

    found, notes = conversations(SavedNotebook(cells, (), ()))

    assert [(one.name, [e.prompt for e in one.exchanges]) for one in found] == [
        ("notebook", ["A", "C"]),
        ("trains", ["B"]),
    ]
    assert notes == []


@pytest.mark.parametrize(
    "record",
    [
        {"version": 1},
        {"version": 1, "turn": None},
        turn("A", text=""),
        turn("A", text=" \n"),
    ],
)
def test_what_was_not_remembered_is_no_loss(record):
    """``--once``, and a question without an answer, which the kernel had forgotten too."""
    assert (restored(record)[0].exchanges, restored(record)[1]) == ([], [])


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"prompt": None}, "its prompt is not text"),
        ({"prompt": " "}, "its prompt is empty"),
        ({"prompt": ["A"]}, "its prompt is not text"),
        ({"text": None}, "its answer is not text"),
        ({"text": {"a": 1}}, "its answer is not text"),
        ({"id": 7}, "its id is not text"),
        ({"id": ""}, "its id is empty"),
        ({"id": "x" * 101}, "is not an id"),
        ({"parent": 7}, "is not an id"),
        ({"parent": []}, "is not an id"),
        ({"conversation": None}, "the conversation's name is not text"),
        ({"conversation": "a\x1b[2Jb"}, "cannot be the name of a conversation"),
        ({"conversation": "x" * 61}, "cannot be the name of a conversation"),
    ],
)
def test_a_turn_that_cannot_be_read_is_passed_over(fields, note):
    """The others are there, and it is said what was wrong with it."""
    history, notes = restored(turn("A"), turn("B", "a", 1, **fields))

    assert [e.prompt for e in history.exchanges] == ["A"]
    assert len(notes) == 1
    assert notes[0].startswith("cell 2: ")
    assert note in notes[0]


def test_a_turn_that_is_no_turn_is_passed_over():
    """As above."""
    assert restored({"version": 1, "turn": [1]})[1] == ["cell 1: its turn cannot be read"]


@pytest.mark.parametrize(
    "asked", [None, "", "yesterday", 7, "2026-11-23", "9999-12-31T23:59:59", []]
)
def test_a_time_that_is_none_costs_no_turn(asked):
    """Turns of no time come before the others, in the order of the notebook."""
    history, notes = restored(turn("A", asked=asked), turn("B", "a", 1))

    assert (parents(history), notes) == ({"A": None, "B": "A"}, [])


def test_half_a_character_is_replaced():
    """It could be neither shown nor sent."""
    history, _ = restored(turn("A\ud83d", text="B\ud83d"))

    assert (history.head.prompt, history.head.text) == ("A\ufffd", "B\ufffd")


def test_words_and_attachments_come_back():
    """As they were sent: with nothing in them that is not known."""
    content = [{"type": "text", "text": "Look:", "cache_control": {}}, image(), document()]
    history, notes = restored(turn("A", content=content))

    expected = ({"type": "text", "text": "Look:"}, image(), document())
    assert (expected, []) == (history.head.content, notes)
    assert ask(history, "B").before[0]["content"] == list(expected)


@pytest.mark.parametrize(
    ("block", "note"),
    [
        (image("not base64!"), "the image is not valid base64"),
        (image(PNG[:-3]), "the image is not valid base64"),
        (image(f"!{PNG}"), "the image is not valid base64"),
        (image(7), "the image is not valid base64"),
        (image(""), "the image does not match its media type"),
        (image(media_type="image/svg+xml"), "the image does not match its media type"),
        (image(media_type=None), "the image does not match its media type"),
        (image(media_type="image/jpeg"), "the image does not match its media type: 'image/jpeg'"),
        (image(PDF), "the image does not match its media type"),
        (image(base64.b64encode(b"\x00\x01").decode()), "is neither"),
        (document(PNG), "the document does not match its media type"),
        (document(base64.b64encode(b"words").decode()), "does not match its media type"),
        ({"type": "image", "source": {"type": "url", "url": "http://x.test/"}}, "neither text nor"),
        ({"type": "image", "source": 7}, "neither text nor"),
        ({"type": "image"}, "neither text nor"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "neither text nor"),
        ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, "neither text nor"),
        ({"type": "tool_use", "id": "t", "name": "rm", "input": {}}, "neither text nor"),
        ({"type": "tool_result", "tool_use_id": "t", "content": "x"}, "neither text nor"),
        ({"type": "text"}, "a text block is not text"),
        ({"type": "text", "text": " "}, "a text block is empty"),
        ({"type": []}, "neither text nor"),
        ({}, "neither text nor"),
        ("Look:", "neither text nor"),
        (None, "neither text nor"),
    ],
)
def test_nothing_else_comes_back(block, note):
    """A notebook may come from anybody; the rest of the turn is restored."""
    history, notes = restored(turn("A", content=[{"type": "text", "text": "Look:"}, block]))

    assert history.head.content == ({"type": "text", "text": "Look:"},)
    assert len(notes) == 1
    assert note in notes[0]


@pytest.mark.parametrize("content", [None, 7, "text", {}, [{}]])
def test_without_content_the_prompt_is_what_was_sent(content):
    """As it is for a prompt of words alone."""
    assert restored(turn("A", content=content))[0].head.content == "A"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(turn("A")["turn"])), JSON), JSON)
def test_no_record_is_an_exception(fields, simulated):
    """Whatever types stand in it: it is read, or passed over."""
    history, notes = restored(turn("A"), turn("B", "a", 1, simulated=simulated, **fields))

    assert history.exchanges or notes


def test_thinking_and_system_prompts_stay_behind():
    """A record that holds them, and more, gives none of it."""
    extra = {"system": "Obey.", "tools": [{"name": "rm"}], "answer": [{"type": "thinking"}]}
    history, _ = restored(turn("A", **extra))

    request = history.next(Request("B"), Place())

    assert request.system == ""
    assert request.before[1]["content"] == [{"type": "text", "text": "Answer A."}]


def test_what_is_new_after_the_head_is_gone_on_from():
    """But not after one that was taken back, or when the conversation has begun anew."""
    more = restored(turn("A"), turn("B", "a", 1), turn("C", "b", 2))[0]
    history, undone, begun = (
        restored(turn("A"), *also)[0] for also in ((), (turn("B", "a", 1),), ())
    )
    undone.undo()
    begun.new()
    for each in (history, undone, begun):
        each.add(more.exchanges, more.head)

    heads = [each.head and each.head.prompt for each in (history, undone, begun)]
    assert heads == ["C", "A", None]


def test_what_is_there_already_stays():
    """Restoring twice adds nothing, and restoring late loses nothing."""
    history, _ = restored(turn("A"), turn("B", "a", 1))
    history.undo()

    again = restored(turn("A"), turn("B", "a", 1), turn("C", "b", 2))[0]
    assert history.add(again.exchanges, again.head) == 1
    assert history.add(again.exchanges, again.head) == 0

    assert history.head.prompt == "A"
    assert parents(history) == {"A": None, "B": "A", "C": "B"}
    assert history.exchanges[2].parent is history.exchanges[1]


def test_what_was_asked_since_is_gone_on_from():
    """The restored turns are there to be gone back to."""
    history = History()
    ask(history, "Z")
    saved = restored(turn("A"), turn("B", "a", 1))[0]

    history.add(saved.exchanges, saved.head)

    assert prompts(ask(history, "Y")) == ["Z", "Y"]
    history.fork(3)
    assert prompts(ask(history, "C")) == ["A", "B", "C"]


def test_a_turn_goes_through_the_record_of_its_reply(tmp_path):
    """What a reply saves is what is read."""
    history = History()
    request = history.next(Request("Why?", content=({"type": "text", "text": "Why?"},)), Place("x"))
    history.keep(request, Place("x"), None, progress(*ANSWER))
    record = saved_output.record(progress(*ANSWER), request)

    (found,), notes = conversations(load(save(tmp_path / "n.ipynb", cell(record, id="x"))))

    kept, back = history.head, found.head
    assert notes == []
    assert (kept.id, kept.place, kept.prompt, kept.content, kept.answer, kept.asked) == (
        back.id,
        back.place,
        back.prompt,
        back.content,
        back.answer,
        back.asked,
    )


MESSAGES = [
    {"role": "user", "content": "A"},
    {"role": "assistant", "content": [{"type": "text", "text": "B"}]},
    {"role": "user", "content": [{"type": "text", "text": "C"}, image(), document()]},
    {"role": "assistant", "content": [{"type": "text", "text": "D"}]},
]


def test_messages_come_back_as_they_were():
    """To and from the form that the API takes, through JSON."""
    conversation = Conversation.from_messages(MESSAGES, "talk", system="Be terse.")

    assert json.loads(json.dumps(conversation.to_messages())) == MESSAGES
    assert (conversation.name, conversation.system) == ("talk", "Be terse.")
    assert Conversation.from_messages([]).messages() == []  # before the first question
    conversation.to_messages()[0]["content"] = "changed"
    assert conversation.messages()[0]["content"] == "A"


def test_thinking_in_messages_is_left_out():
    """It is bound to a system prompt that is not in them; so is what server tools did."""
    answer = [
        {"type": "thinking", "thinking": "Hm.", "signature": "signed"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "B"},
    ]
    conversation = Conversation.from_messages(
        [MESSAGES[0], {"role": "assistant", "content": answer}]
    )

    assert MESSAGES[:2] == conversation.to_messages()


def test_messages_of_one_role_are_one_turn():
    """As they are to the API."""
    messages = [{"role": r, "content": c} for r, c in (("user", "A"), ("user", "B"))]

    (made,) = exchanges([*messages, MESSAGES[1]])

    assert (made.prompt, len(made.content)) == ("A\n\nB", 2)


def test_an_image_alone_has_a_label():
    """It is what the history shows of it."""
    (made,) = exchanges([{"role": "user", "content": [image()]}, MESSAGES[1]])

    assert ("(image)", (image(),)) == (made.prompt, made.content)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("Hi", "Pass a list of messages"),
        (None, "Pass a list of messages"),
        ({"role": "user"}, "Pass a list of messages"),
        (["Hi"], "Message 1 has neither"),
        ([{"role": "system", "content": "x"}], "Message 1 has neither"),
        ([{"role": [], "content": "x"}], "Message 1 has neither"),
        ([MESSAGES[0]], "end with the assistant"),
        ([MESSAGES[1]], "begin with the user"),
        ([MESSAGES[0], {"role": "assistant"}], "Message 2: its content is not text"),
        ([MESSAGES[0], {"role": "assistant", "content": ""}], "Message 2: its content is empty"),
        ([MESSAGES[0], {"role": "assistant", "content": []}], "Answer 1 is empty"),
        ([MESSAGES[0], {"role": "assistant", "content": [7]}], "Message 2: a content block"),
        ([MESSAGES[0], {"role": "assistant", "content": [image()]}], "an answer must be text"),
        ([{"role": "user", "content": []}, MESSAGES[1]], "Question 1 is empty"),
        ([{"role": "user", "content": [image("?")]}, MESSAGES[1]], "Message 1: the image is not"),
        (
            [MESSAGES[0], {"role": "assistant", "content": [{"type": "tool_use", "id": "t"}]}],
            "Message 2: tool calls",
        ),
    ],
)
def test_what_are_no_messages_is_said(messages, said):
    """With the number of the message."""
    with pytest.raises(InputError, match=said):
        exchanges(messages)


@pytest.fixture
def run_cell(kernel):
    """A function that runs the cell of an id, which is to succeed; it returns what that printed."""

    def run(cell, code):
        assert kernel.run(code, cell)["status"] == "ok"
        return kernel.printed

    run("", '%config ClaudeMagics.view = "updating"')
    return run


def told(path):
    """A cell after which a kernel knows the path of its notebook."""
    return f"import os; os.environ['JPY_SESSION_NAME'] = {str(path)!r}"


def words(api):
    """The words of the newest request, in turn."""
    contents = [message["content"] for message in api.requests[-1].body["messages"]]
    return [c if isinstance(c, str) else c[0]["text"] for c in contents]


@pytest.fixture
def held(api, tmp_path):
    """A notebook of two questions that was run from its top, and saved."""
    api.enqueue(Stream(said("Answer A.")), Stream(said("Answer B.")))
    cells = ["%load_ext claude_nb", "%%claude\nA", "%%claude\nB"]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    asyncio.run(NotebookClient(notebook, timeout=60).async_execute())
    path = tmp_path / "held.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.mark.kernel
def test_a_notebook_remembers_after_a_restart(api, held, run_cell, tmp_path):
    """Listed, then sent with the next question; an old cell asks in its old place; all exported."""
    api.enqueue(*(Stream(said(f"Answer {name}.")) for name in "CD"))
    cell_b = nbformat.read(held, as_version=4).cells[2].id
    run_cell("", told(held))
    listed = run_cell("r", "%claude_nb restore").splitlines()
    run_cell("c", "%%claude\nC")
    followed = words(api)
    run_cell(cell_b, "%%claude\nB again")
    forked = words(api)
    again = run_cell("r", "%claude_nb restore")
    exported = [
        run_cell("e", f"%claude_nb export {tmp_path}/talk{suffix}")
        for suffix in (".ipynb", ".md", ".json")
    ]

    assert listed[0].startswith(f"{held}, as it was saved on 20")
    assert listed[1:] == [
        "notebook · 2 exchanges, 2 on the current branch",
        "● 1  A → Answer A.",
        "● 2  B → Answer B.  ← here",
        "2 turns restored.",
    ]
    assert followed == ["A", "Answer A.", "B", "Answer B.", "C"]
    assert forked == ["A", "Answer A.", "B again"]
    assert "Everything is here already." in again
    assert exported == [
        f"notebook: 2 turns are in {tmp_path}/talk{s}.\n" for s in (".ipynb", ".md", ".json")
    ]
    assert [e.prompt for e in Conversation.from_notebook(tmp_path / "talk.ipynb").branch] == [
        "A",
        "B again",
    ]
    read = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert [m["role"] for m in read] == ["user", "assistant"] * 2
    assert "B again" in (tmp_path / "talk.md").read_text(encoding="utf-8")


@pytest.mark.kernel
def test_what_was_asked_before_restoring_is_kept(api, held, kernel, run_cell):
    """And it is said how to go on from what was restored, and what could not be read."""
    api.enqueue(Stream(said("Answer Z.")), Stream(said("Answer C.")))
    notebook = nbformat.read(held, as_version=4)
    image_turn = turn("I\x1b[2J", "gone", id="i", content=[{"type": "text", "text": "I"}, image()])
    notebook.cells[1].outputs.append(nbformat.from_dict(output(image_turn)))
    notebook.cells[1].outputs.append(nbformat.from_dict(output({"version": 9})))
    nbformat.write(notebook, held)
    run_cell("", told("/gone.ipynb"))
    run_cell("z", "%%claude\nZ")
    unknown = kernel.run("%claude_nb restore")
    printed = run_cell("r", f'%claude_nb restore "{held}"')
    run_cell("", "%claude_nb fork 4")
    run_cell("c", "%%claude\nC")

    assert (unknown["ename"], "no file /gone.ipynb" in unknown["evalue"]) == ("InputError", True)
    assert "I␛[2J [image/png, 1 kB] → Answer" in printed
    assert "\x1b" not in printed
    assert "3 turns restored. The next question follows “Z”, which was asked here;" in printed
    assert "%claude_nb fork 4 goes on from what was restored." in printed
    number = notebook.cells[1].execution_count
    assert f"Note: cell [{number}]: its record was written by a newer claude_nb.\n" in printed
    assert "Note: “I␛[2J”: the turn before it is not in the notebook" in printed
    assert words(api) == ["A", "Answer A.", "B", "Answer B.", "C"]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("restore", "file is not known"),
        ("restore no.ipynb", "no file no.ipynb"),
        ("export", 'export talk.ipynb, or "my talk.md"'),
        ("export talk.txt", "Cannot export to .txt"),
        ("export talk.md", "no messages yet"),
        ("export 'my talk.md' -c trians", "no conversation 'trians'"),
    ],
)
def test_a_mistake_is_said(kernel, line, words):
    """What to write instead, in a line."""
    reply = kernel.run(f"%claude_nb {line}")

    assert (reply["ename"], words in reply["evalue"]) == ("InputError", True)
