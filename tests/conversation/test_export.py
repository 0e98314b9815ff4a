"""A conversation as a notebook and as Markdown: what is written, and what can be read again."""

from __future__ import annotations

import json

import nbformat
import pytest

from claude_nb import Conversation
from claude_nb.conversation import export
from claude_nb.conversation.export import record
from claude_nb.conversation.saved_notebook import load
from claude_nb.errors import InputError
from claude_nb.streaming.events import RequestSent
from claude_nb.streaming.record import MIME, RecordedUsage
from tests.conversation.test_history import ACCEPTED, SENT, ask
from tests.conversation.test_restore import image
from tests.played import said

PYTHON = (
    "Look:\n\n```python\nx = 1\n```\n\nand\n\n```\nno language\n```\n\n1. ```py\n   y = 2\n   ```"
)
KEY = "sk-" + "ant-0123456789"


def answer(words):
    return [SENT, ACCEPTED, *said(words)]


@pytest.fixture
def talk():
    """A conversation of two turns, the second with code."""
    conversation = Conversation()
    ask(conversation, "Why?", came=answer("**Because.**"), cell="one", execution=1)
    ask(conversation, "How?", came=answer(PYTHON), cell="two", execution=2)
    return conversation


@pytest.fixture
def path(tmp_path):
    return tmp_path / "talk.ipynb"


def written(conversation, path, **options: object):
    """The notebook that is written, which is valid."""
    conversation.to_notebook(path, **options)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def sources(notebook):
    """The cells: their type, and their source."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def turns(conversation):
    """What of each turn on the branch can be saved."""
    return [
        (e.id, e.parent and e.parent.id, e.prompt, e.content, e.text, e.simulated, e.asked)
        for e in conversation.branch
    ]


def test_prompts_are_cells_that_can_be_run_again(talk, path):
    """The answer is their output, its Python is in code cells below, and nothing has been run."""
    notebook = written(talk, path)

    assert sources(notebook) == [
        ("markdown", "# notebook\n\nA conversation with Claude, 2 turns."),
        ("code", "%load_ext claude_nb"),
        ("code", "%%claude\nWhy?"),
        ("code", "%%claude\nHow?"),
        ("code", "x = 1"),
        ("code", "y = 2"),
    ]
    (output,) = notebook.cells[2].outputs
    assert output.data.pop(MIME)["turn"]["text"] == "**Because.**"
    assert output.data == {"text/markdown": "**Because.**", "text/plain": "**Because.**"}
    assert {None} == {cell.execution_count for cell in notebook.cells[1:]}


def test_prompts_can_be_markdown(talk, path):
    """For reading: the answer stands below the question, its Python in code cells between."""
    notebook = written(talk, path, prompts="markdown")

    assert sources(notebook)[1:] == [
        ("markdown", "**You**\n\nWhy?"),
        ("markdown", "**Claude**\n\n**Because.**"),
        ("markdown", "**You**\n\nHow?"),
        ("markdown", "**Claude**\n\nLook:"),
        ("code", "x = 1"),
        ("markdown", "and\n\n```\nno language\n```\n\n1. ```py\n   y = 2\n   ```"),
    ]


@pytest.mark.parametrize("prompts", ["cells", "markdown"])
def test_what_was_written_can_be_read_again(talk, path, prompts):
    """Each turn as it was, attachments too, and from there it goes on."""
    content = ({"type": "text", "text": "And this?"}, image())
    ask(talk, "And this?", came=answer("A cat."), content=content)
    talk.to_notebook(path, prompts=prompts)

    again = Conversation.from_notebook(path)

    assert turns(talk) == turns(again)
    assert talk.messages() == again.messages()


def test_only_the_current_branch_is_written(talk, path):
    """What was left behind is not part of the conversation."""
    talk.undo()
    ask(talk, "Where?", came=answer("Here."))

    talk.to_notebook(path)

    assert [e.prompt for e in Conversation.from_notebook(path).exchanges] == ["Why?", "Where?"]
    assert "How?" not in talk.to_markdown()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("trains", '%%claude -c "trains"'),
        ("my trains", '%%claude -c "my trains"'),
        ('a "b"', "%%claude -c 'a \"b\"'"),
        ('it\'s "b"', "%%claude -c 'it’s \"b\"'"),
    ],
)
def test_a_conversation_with_a_name_keeps_it(path, name, line):
    """On the ``%%claude`` line and in the record."""
    conversation = Conversation(name)
    ask(conversation, "Why?")

    assert f"{line}\nWhy?" == written(conversation, path).cells[2].source
    assert name == Conversation.from_notebook(path).name


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ((), "%%claude --raw"),
        (({"type": "text", "text": "Why {{x}}?"},), "%%claude --raw"),
        (({"type": "text", "text": "Why 7?"},), "%%claude"),
    ],
)
def test_braces_mean_what_they_meant(path, content, line):
    """What had been sent as it was typed would otherwise look for a variable."""
    conversation = Conversation()
    ask(conversation, "Why {{x}}?", content=content)

    assert f"{line}\nWhy {{{{x}}}}?" == written(conversation, path).cells[2].source


def test_simulated_answers_are_labelled(path):
    """In every form."""
    conversation = Conversation()
    ask(
        conversation,
        "Why?",
        came=[RequestSent("claude-opus-5-5", simulated=True), *answer("So.")[1:]],
    )

    cells = written(conversation, path).cells
    assert "Simulated answers" in cells[0].source
    assert cells[2].outputs[0].data["text/markdown"] == "So.\n\n*simulated*"
    read = written(conversation, path, prompts="markdown", overwrite=True).cells
    assert read[2].source == "**Claude** · *simulated*\n\nSo."
    assert "**Claude** · *simulated*" in conversation.to_markdown()
    assert Conversation.from_notebook(path).head.simulated


HOSTILE = "<script>x</script>\n\n![x](http://x.test/y.png)\n\n```python\nx = 1"


def test_nothing_that_was_said_runs_or_is_fetched(path):
    """Raw HTML and images are taken apart, and a fence that was cut off ends."""
    conversation = Conversation()
    ask(conversation, HOSTILE, came=answer(HOSTILE))

    markdown = conversation.to_markdown()
    cells = written(conversation, path, prompts="markdown").cells
    shown = written(conversation, path, overwrite=True).cells[2].outputs[0].data["text/markdown"]
    read = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for form in (markdown, shown, read):
        assert "<script" not in form
        assert "![" not in form
    assert markdown.count("```python\nx = 1\n```") == 2


def test_no_key_is_written(path):
    """Wherever it was said."""
    conversation = Conversation()
    content = ({"type": "text", "text": KEY},)
    ask(conversation, KEY, came=answer(f"```python\n{KEY}\n```"), content=content)

    for prompts in ("cells", "markdown"):
        conversation.to_notebook(path, prompts=prompts, overwrite=True)
        assert KEY not in path.read_text(encoding="utf-8")
    assert KEY not in conversation.to_markdown()


def test_no_key_is_in_a_turn_s_record():
    """A chat saves it of turns that were asked elsewhere, and nothing redacts it after that."""
    conversation = Conversation()
    content = ({"type": "text", "text": KEY},)
    ask(conversation, KEY, came=answer(KEY), content=content)

    assert KEY not in json.dumps(record(conversation.branch[0], "notebook", "cell"))


def test_markdown_is_for_reading(talk):
    """Turn by turn, attachments by kind and size."""
    pixels = image("iVBORw0KGgoA" + "A" * 7_988)
    ask(talk, "And?", came=answer("A cat."), content=({"type": "text", "text": "And?"}, pixels))

    assert talk.to_markdown().split("\n\n---\n\n")[::3] == [
        "# notebook\n\nA conversation with Claude, 3 turns.",
        "**You**\n\nAnd?\n\n*image/png, 7 kB*\n\n**Claude**\n\nA cat.\n",
    ]


def test_a_file_that_is_there_is_left_as_it_is(talk, path):
    """Unless it is said that it may be replaced."""
    path.write_text("mine")

    with pytest.raises(InputError, match="exists already"):
        talk.to_notebook(path)
    assert path.read_text() == "mine"
    talk.to_notebook(path, overwrite=True)
    assert len(Conversation.from_notebook(path).branch) == 2


@pytest.mark.parametrize("ending", [".ipynb", ".md"])
def test_an_export_that_nobody_changed_is_replaced_by_the_next(talk, tmp_path, ending):
    """A notebook may be run again; work in the file is never lost, and ``overwrite`` says so."""
    path = tmp_path / f"talk{ending}"
    export.save(path, export.FORMS[ending](talk))
    ask(talk, "When?", came=answer("Now."))
    export.save(path, export.FORMS[ending](talk))
    written = path.read_text(encoding="utf-8")
    assert "Now." in written

    changed = written.replace("Now.", "Now, says the reader.")
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(InputError, match=r"it was not changed\. To replace it: --overwrite"):
        export.save(path, export.FORMS[ending](talk), how="--overwrite")
    assert path.read_text(encoding="utf-8") == changed
    export.save(path, export.FORMS[ending](talk), overwrite=True)
    assert "says the reader" not in path.read_text(encoding="utf-8")


def test_messages_as_json_have_no_place_for_a_mark(talk, tmp_path):
    """So they are replaced by the same ones only."""
    path = tmp_path / "talk.json"
    for _ in range(2):
        export.save(path, export.to_json(talk))
    ask(talk, "When?", came=answer("Now."))
    with pytest.raises(InputError, match="overwrite=True"):
        export.save(path, export.to_json(talk))


@pytest.mark.parametrize(
    "name", ["no/such/folder.ipynb", ".", "nul\x00.ipynb", "x" * 1_000, "~nobody/x"]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_cannot_be_written_is_said(talk, tmp_path, name, overwrite):
    """In a line."""
    with pytest.raises(InputError, match=r"cannot be written|exists already"):
        talk.to_notebook(name if name[0] == "~" else tmp_path / name, overwrite=overwrite)


def test_there_may_be_nothing_to_write(path):
    """No file is made then."""
    for write in (Conversation().to_markdown, lambda: Conversation().to_notebook(path)):
        with pytest.raises(InputError, match="no messages yet"):
            write()
    assert not path.exists()


def test_prompts_have_two_forms(talk, path):
    """The error names them."""
    with pytest.raises(InputError, match="as 'cell'") as caught:
        talk.to_notebook(path, prompts="cell")
    assert caught.value.advice == "As cells or markdown."


def test_what_was_spent_stays_in_the_original(talk, path):
    """An export counts no token a second time."""
    talk.to_notebook(path)

    assert {None} == {RecordedUsage.of(record.data) for record in load(path).records}


def test_half_a_character_is_no_obstacle(path):
    """A model can send one; no file can hold it."""
    conversation = Conversation()
    ask(conversation, "Why?", came=answer("So \ud83d."))

    conversation.to_notebook(path)

    assert "So \ufffd." in path.read_text(encoding="utf-8")


def test_of_several_conversations_one_is_read(talk, path):
    """The notebook's own, the only one, or the one that is named; otherwise they are listed."""
    named = Conversation("trains")
    ask(named, "When?")
    other = path.with_name("other.ipynb")
    talk.to_notebook(path)
    named.to_notebook(other)
    both = nbformat.read(path, as_version=4)
    both.cells += nbformat.read(other, as_version=4).cells
    nbformat.write(both, path)

    assert Conversation.from_notebook(other).name == "trains"
    assert Conversation.from_notebook(path).name == "notebook"
    assert [e.prompt for e in Conversation.from_notebook(path, "trains").branch] == ["When?"]
    with pytest.raises(InputError, match="no conversation 'x' in") as caught:
        Conversation.from_notebook(path, "x")
    assert caught.value.advice == "It has notebook, trains."


def test_what_is_passed_over_is_warned_of(talk, path):
    """Here: prompts whose answers are not there."""
    notebook = written(talk, path)
    notebook.cells.append(nbformat.v4.new_code_cell("%%claude\nAnd?"))
    nbformat.write(notebook, path)

    with pytest.warns(UserWarning, match=r"cell 7 \(without a number\): no saved answer"):
        assert len(Conversation.from_notebook(path).branch) == 2


def test_a_notebook_without_answers_holds_no_conversation(path):
    """The error says what there is."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("%%claude\nWhy?", "%%claude\nHow?")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)

    with pytest.raises(InputError, match="no conversation in") as caught:
        Conversation.from_notebook(path)
    assert (
        caught.value.advice == "cells 1 (without a number), 2 (without a number): no saved answer"
    )
