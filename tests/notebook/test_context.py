"""The cells of the notebook in the requests of a real kernel, as the server gets them."""

from __future__ import annotations

import json

import nbformat
import pytest

import claude_nb
from claude_nb.notebook.context import is_hidden
from claude_nb.simulator import Stream
from tests.played import said

pytestmark = pytest.mark.kernel

KEY = "sk-" + "ant-0123456789"
SWITCH = "%config ClaudeMagics.context = 'above'"


class Notebook:
    """Cells that are run by their ids, and what the last question sent."""

    def __init__(self, kernel, simulator) -> None:
        self.kernel = kernel
        self.simulator = simulator

    def run(self, *sources: str, **cells: str) -> None:
        """Run cells: without an id, or under these."""
        for cell, source in [*(("", each) for each in sources), *cells.items()]:
            self.kernel.run(source, cell)

    def ask(self, cell: str, options: str = "", prompt: str = "Why?", page=None):
        """Ask in a cell; the texts of the last turn, and its notes."""
        self.simulator.enqueue(Stream(said("So.")))
        reply = self.kernel.run(f"%%claude {options}\n{prompt}", cell, page=page)
        assert reply["status"] == "ok", reply["evalue"]
        content = self.simulator.requests[-1].body["messages"][-1]["content"]
        texts = [content] if isinstance(content, str) else [b["text"] for b in content]
        return texts, self.kernel.last_shown()["data"]["text/plain"]


@pytest.fixture
def notebook(kernel, simulator):
    """A notebook whose questions have the cells above."""
    kernel.run(SWITCH)
    return Notebook(kernel, simulator)


def cells(texts):
    """The cells among texts, from their sources on."""
    return [text.partition("<input>\n")[2] for text in texts if text.startswith("<cell")]


def first_lines(texts):
    """The first lines of the cells' sources."""
    return [text.partition("\n")[0] for text in cells(texts)]


def test_what_an_early_cell_printed_is_in_a_late_request_and_read_from_the_cache(kernel, simulator):
    """Of thirty cells, in a conversation and outside of it; the cache line says so."""
    kernel.run(SWITCH, "c1")
    kernel.run("%config ClaudeMagics.model = 'claude-opus-5-5'", "c2")
    kernel.run("%config ClaudeMagics.max_tokens = 4_000", "c3")
    kernel.run("print('forty-two: ' + '6 x 7 ' * 3_000)", "c4")
    kernel.run("%%claude\nSay three words", "c5")
    assert "tokens written for" in kernel.last_shown()["data"]["text/plain"]
    for number in range(6, 30):
        kernel.run(f"print({number})", f"c{number}")

    kernel.run("%%claude\nSay three words", "c30")

    sent = [
        block for message in simulator.requests[-1].body["messages"] for block in content(message)
    ]
    assert any("forty-two: 6 x 7" in block.get("text", "") for block in sent)
    assert sum("forty-two" in block.get("text", "") for block in sent) == 1
    assert "tokens read for" in kernel.last_shown()["data"]["text/plain"]
    kernel.run("%%claude --once\nSay three words", "c31")
    kernel.run("%%claude --once\nSay three words", "c32")
    assert "tokens read for" in kernel.last_shown()["data"]["text/plain"]


def content(message):
    """The blocks of a message."""
    return message["content"] if isinstance(message["content"], list) else []


def test_a_turn_carries_what_is_new_or_changed(notebook):
    """A cell that was run again with the same output has not changed, one that was edited has."""
    notebook.run(a="print('a')", b="b = 1\nb")
    assert first_lines(notebook.ask("q")[0]) == [SWITCH, "print('a')", "b = 1"]

    notebook.run(a="print('a')", b="b = 2\nb", c="c = 3")
    texts, shown = notebook.ask("r")

    assert first_lines(texts) == ["b = 2", "c = 3"]
    assert texts[0].startswith("<notebook>\nCells of this notebook that are new, or have changed")
    assert "cells above: 2 new or changed, 2 sent before" in shown


def test_a_question_asked_again_has_the_cells_above_and_not_those_below(notebook):
    """Those whose first execution was before its own, where no page tells the order."""
    notebook.run(a="a = 1")
    notebook.ask("q")
    notebook.run(b="b = 1", a="a = 2")

    assert first_lines(notebook.ask("q")[0]) == [SWITCH, "a = 2"]
    texts, shown = notebook.ask("q", "--context notebook")
    assert first_lines(texts) == [SWITCH, "a = 2", "b = 1"]
    assert "cells of the notebook: 3" in shown


def test_turns_of_the_conversation_are_left_out_and_others_have_their_reply(notebook):
    """A cell that asks is a turn already; outside of its conversation it is a cell like others."""
    notebook.ask("q", prompt="First")
    assert cells(notebook.ask("r", prompt="Second")[0]) == []

    texts, _ = notebook.ask("s", "--once", prompt="Third")
    again, _ = notebook.ask("t", "--once", prompt="Fourth")

    assert cells(texts)[-1].endswith("Second\n</input>\n<reply>\nSo.\n</reply>\n</cell>\n")
    assert again[: len(texts) - 2] == texts[:-2]  # the cache has it
    assert cells(again)[-1].endswith("Third\n</input>\n<reply>\nSo.\n</reply>\n</cell>\n")


def test_an_option_is_stronger_than_the_configuration_and_that_than_a_setting(kernel, simulator):
    """Off by default; a wrong value is refused with those that there are."""
    notebook = Notebook(kernel, simulator)
    page = {"protocol": 1, "version": claude_nb.__version__, "settings": {"context": "above"}}
    notebook.run("x = 1")
    assert notebook.ask("a", "--once")[0] == ["Why?"]
    assert len(notebook.ask("b", "--once", page=page)[0]) > 1
    assert notebook.ask("c", "--once --context off", page=page)[0] == ["Why?"]
    wrong = page | {"settings": {"context": "everything"}}
    assert notebook.ask("d", "--once", page=wrong)[0] == ["Why?"]
    notebook.run("%config ClaudeMagics.context = 'off'")
    assert notebook.ask("e", "--once", page=page)[0] == ["Why?"]
    assert len(notebook.ask("f", "--once --context above")[0]) > 1

    refused = notebook.kernel.run("%%claude --context below\nWhy?")
    assert refused["evalue"] == "--context: 'below' is not above, notebook or off."


@pytest.mark.parametrize(
    "source",
    [
        "# claude: hide\nx = 1",
        "\n#claude:hide\nx = 1",
        "%%time\n# Claude: hide\nx = 1",
        "<!-- claude: hide -->\nText",
    ],
)
def test_a_cell_asks_to_be_left_out_in_its_first_line(source):
    """As a comment of Python or of Markdown."""
    assert is_hidden(source)
    assert is_hidden("x = 1", ["claude-hide"])
    assert not is_hidden(f"x = 1\n{source}")
    assert not is_hidden("# claude: hide this from nobody")


def test_hidden_cells_are_counted_and_not_sent(notebook):
    """Nor are they by ``--cells all``; a number that was typed is meant."""
    notebook.run(a="# claude: hide\nprint('secret')", b="print('open')")

    texts, shown = notebook.ask("q")
    assert "secret" not in "".join(texts)
    assert "cells above: 2, 1 hidden" in shown
    assert "secret" not in notebook.ask("r", "--once --context off --cells all")[0][0]
    assert "secret" in notebook.ask("s", "--once --context off --cells 2")[0][0]


def test_each_cell_is_cut_by_itself_and_holds_no_keys(notebook):
    """Both ends stay; nothing that was sent as a credential, and no escape of a terminal."""
    notebook.run(a=f"print('begin', '-' * 100_000, '{KEY}', 'end')", b="1 / 0", c="c = 1")

    texts, shown = notebook.ask("q")

    _, long, failed, _ = cells(texts)
    assert "<output>\nbegin ---" in long
    assert "characters left out …]\n" in long
    assert long.endswith("sk-ant-… end\n</output>\n</cell>\n")
    assert KEY not in str(notebook.simulator.requests[-1].body)
    assert "<error>\nZeroDivisionError: division by zero\n</error>" in failed
    assert "[2] not in full" in shown


BAD = {
    "a repr that raises": "class A:\n    def __repr__(self): raise ValueError\nA()",
    "no In and Out": "del In, Out",
    "a reset of both": "%reset -f in out",
    "an error in every comparison": (
        "class B:\n    __eq__ = __bool__ = lambda *_: 1 / 0\n    __hash__ = None\nb = B()\nb"
    ),
    "a generator": "(n for n in range(3))",
    "a huge value": "list(range(10**6))",
}


@pytest.mark.parametrize("source", BAD.values(), ids=BAD)
def test_bad_values_break_nothing(notebook, source):
    """What nobody can write is left out, and the rest goes along."""
    notebook.run(source, "print('last')")

    assert "print('last')\n</input>\n<output>\nlast\n" in cells(notebook.ask("q")[0])[-1]


def test_executions_without_ids_each_count(notebook):
    """As nbclient runs a notebook: the note says what is not known."""
    notebook.run("x = 1", "x += 1\nx", "x += 1\nx")

    texts, shown = notebook.ask("")

    assert [text.rpartition("<output>\n")[2][0] for text in cells(texts)[-2:]] == ["2", "3"]
    assert "missing: cells that were not run, displayed output" in shown


@pytest.fixture
def saved(kernel, tmp_path, monkeypatch):
    """A saved notebook that the kernel knows, with a cell of each kind and one id twice."""
    v4 = nbformat.v4
    output = v4.new_output("stream", text="saved\n")
    nodes = [
        v4.new_markdown_cell("# Title", id="m"),
        v4.new_code_cell("print('saved')", id="a", execution_count=7, outputs=[output]),
        v4.new_code_cell("print('old')", id="b", execution_count=1),
        v4.new_code_cell("hidden = 1", id="h", metadata={"tags": ["claude-hide"]}),
        v4.new_code_cell("%%claude\nWhy?", id="q"),
        v4.new_code_cell("below = 1", id="z"),
        v4.new_code_cell("%%claude\nWhy?", id="q"),
    ]
    path = tmp_path / "saved.ipynb"
    path.write_text(json.dumps({**v4.new_notebook(), "cells": nodes}))  # as a front end may
    kernel.run(f"import os; os.environ['JPY_SESSION_NAME'] = {str(path)!r}")
    return path


def test_without_a_page_the_saved_notebook_has_the_order_and_the_markdown(saved, notebook):
    """What this kernel has run is as it was run, the rest as it was saved; the first of two ids."""
    notebook.run(b="print('new')")

    texts, shown = notebook.ask("q")

    assert texts[1].startswith('<markdown id="')
    assert texts[1].endswith('">\n# Title\n</markdown>\n')
    assert cells(texts) == [
        "print('saved')\n</input>\n<output>\nsaved\n</output>\n</cell>\n",
        "print('new')\n</input>\n<output>\nnew\n</output>\n</cell>\n",
    ]
    assert "cells above: 3, 1 hidden; missing: unsaved changes, displayed output" in shown
    saved.write_text("{")
    assert "print('new')" in first_lines(notebook.ask("q")[0])


def test_a_chat_sends_the_cells_above_its_own(notebook):
    """Each question with what is new; another value is refused."""
    run = notebook.kernel.run
    notebook.run(a="print('a')")

    run("import claude_nb\nchat = claude_nb.Chat(context='above')", "chat")
    notebook.simulator.enqueue(Stream(said("So.")), Stream(said("So.")))
    assert run("chat.ask('Why?')", "x")["status"] == "ok"
    sent = notebook.simulator.requests[-1].body["messages"]
    assert first_lines(block["text"] for block in sent[-1]["content"]) == [SWITCH, "print('a')"]
    assert run("chat.ask('And?')", "y")["status"] == "ok"
    sent = notebook.simulator.requests[-1].body["messages"]
    assert sent[-1]["content"] == "And?"

    refused = run("claude_nb.Chat(context='below')")
    assert refused["evalue"] == "context must be above, notebook or off, not 'below'."


def test_a_dry_run_is_a_tree_of_what_would_go_along(notebook):
    """With the tokens of each part; nothing is sent."""
    notebook.run(a="print('a')")
    notebook.ask("q")
    notebook.run(b="print('b')")

    notebook.kernel.run("%%claude --dry-run\nAnd?", "r")

    shown = notebook.kernel.last_shown()["data"]["text/plain"]
    head, *lines = shown.splitlines()
    assert head.endswith("tokens, about")
    assert [line.rsplit(None, 1)[0].rstrip() for line in lines] == [
        "earlier turns",
        "├─ user: Why? · 2 cells",
        "└─ assistant: So.",
        "cells of the notebook",
        "└─ [4] print('b')",
        "prompt: And?",
    ]


@pytest.mark.parametrize("name", ["Out[2]", "Out[3]"])
def test_an_output_is_named_by_the_number_of_its_cell(notebook, name):
    """What it returned, or else what it printed; also where ``Out`` was deleted."""
    notebook.run("6 * 7", "print(6 * 7)", "del Out")

    assert notebook.ask("q", "--once --context off", f"Why {{{{{name}}}}}?")[0] == ["Why 42?"]


def test_an_output_that_there_is_not_says_so(notebook):
    """A number of no cell, a cell that printed nothing, a repr that raises, and one that awaits."""
    notebook.run("x = 1", "class A:\n    def __repr__(self): raise ValueError('no')\nA()")
    notebook.run("import asyncio\nawait asyncio.sleep(0)\nprint(42)")

    for prompt, said_so in {
        "{{Out[2]}}": "Cell [2] returned no value, and IPython has not kept what it displayed. Put",
        "{{Out[99]}}": "There is no earlier cell [99] in this kernel.",
        "{{Out[3]}}": "Out[3] cannot be put into a prompt: ValueError: no",
        "{{Out[4]}}": "IPython has not kept what it printed or displayed.",
    }.items():
        assert said_so in notebook.kernel.run(f"%%claude --once\n{prompt}")["evalue"]
