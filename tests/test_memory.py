"""``%%claude`` cells that remember, in a real kernel: as JupyterLab runs them, with cell ids."""

from __future__ import annotations

import re

import pytest

from claude_nb.simulator import Stream
from tests.played import end, said, start, text

pytestmark = pytest.mark.kernel


class Notebook:
    """Cells of one notebook, each with an id."""

    def __init__(self, kernel, simulator) -> None:
        self.kernel = kernel
        self.simulator = simulator
        assert kernel.run("%config ClaudeMagics.view = 'updating'")["status"] == "ok"

    def run(self, cell, code):
        """Run a cell; its status, and what it shows as plain text."""
        reply = self.kernel.run(code, cell)
        assert reply["status"] == "ok", reply
        shown = [content["data"]["text/plain"] for content in self.kernel.shown.values()]
        return "\n".join([*shown, self.kernel.printed])

    def ask(self, cell, prompt, options=""):
        """Run a ``%%claude`` cell; the user's words that were sent, and what it shows."""
        self.simulator.enqueue(Stream(said("Yes.")))
        shown = self.run(cell, f"%%claude {options}\n{prompt}")
        body = self.simulator.requests[-1].body
        return [_words(m["content"]) for m in body["messages"] if m["role"] == "user"], shown


def _words(content):
    return content if isinstance(content, str) else content[-1]["text"]


@pytest.fixture
def notebook(kernel, simulator):
    """A notebook in which nothing has been said."""
    return Notebook(kernel, simulator)


def test_a_cell_is_sent_with_the_cells_before_it(notebook):
    """And says so; run all again, and it is the same conversation."""
    for _ in range(2):
        notebook.ask("a", "First")
        notebook.ask("b", "Second")
        sent, shown = notebook.ask("c", "Third")

        assert sent == ["First", "Second", "Third"]
        assert shown.startswith("[turn 3 · sent with the 2 before it]")


def test_a_cell_that_is_run_again_forks_and_names_what_it_leaves(notebook):
    """By the numbers that stand beside the cells."""
    notebook.ask("a", "First")
    notebook.ask("b", "Second")
    notebook.ask("c", "Third")
    number = int(notebook.run("n", "print(len(In) - 1)")) - 1

    sent, shown = notebook.ask("b", "Second, edited")

    assert sent == ["First", "Second, edited"]
    assert f"[no longer in this conversation: cell [{number}]]" in shown


def test_new_once_and_named_conversations(notebook):
    """Each sends what it says, and no more."""
    notebook.ask("a", "First")

    assert notebook.ask("b", "Alone", "--once")[0] == ["Alone"]
    assert notebook.ask("c", "Trains?", '-c "my trains"')[0] == ["Trains?"]
    assert notebook.ask("d", "More?", "-c 'my trains'")[0] == ["Trains?", "More?"]
    assert notebook.ask("e", "Second")[0] == ["First", "Second"]
    assert notebook.ask("f", "Afresh", "--new")[0] == ["Afresh"]
    assert notebook.ask("g", "On")[0] == ["Afresh", "On"]


def test_the_history_is_a_tree_in_which_one_can_go_back(notebook):
    """``history`` shows it with its branches; ``undo``, ``fork`` and ``new`` move in it."""
    assert notebook.run("h", "%claude_nb history").strip() == ("notebook: no messages yet.")
    for cell, prompt in (("a", "First"), ("b", "Second"), ("b", "Second, edited"), ("c", "Third")):
        notebook.ask(cell, prompt)

    tree = notebook.run("h", "%claude_nb history").strip().splitlines()
    assert [re.sub(r"\[\d+\]", "[n]", line) for line in tree] == [
        "notebook · 4 exchanges, 3 on the current branch",
        "● 1  [n] First → Yes.",
        "  ○ 2  [n] Second → Yes.",
        "● 3  [n] Second, edited → Yes.",
        "● 4  [n] Third → Yes.  ← here",
    ]
    notebook.run("u", "%claude_nb undo")
    assert notebook.ask("d", "Fourth")[0] == ["First", "Second, edited", "Fourth"]
    notebook.run("u", "%claude_nb fork 2")
    assert notebook.ask("e", "Fifth")[0] == ["First", "Second", "Fifth"]
    removed = notebook.run("u", "%claude_nb undo 2")
    assert "removed “Second” and the 1 turn after it. The next question follows “First”" in removed
    notebook.run("u", "%claude_nb new")
    assert notebook.ask("g", "Sixth")[0] == ["Sixth"]


def test_a_conversation_is_named_with_c_as_in_a_cell(notebook, tmp_path):
    """In each command that is about one; a number is never taken for a name."""
    for cell, prompt in (("a", "First"), ("b", "Second")):
        notebook.ask(cell, prompt, "-c '2'")

    notebook.run("u", "%claude_nb undo 1 -c 2")
    assert notebook.run("h", "%claude_nb history -c 2").splitlines()[1].endswith("← here")
    for _ in range(2):  # as Run All does
        notebook.ask("c", "Third", "-c '2'")
        shown = notebook.run("e", f"%claude_nb export {tmp_path}/talk.md -c 2")
        assert "2: 2 turns are in" in shown
    (tmp_path / "talk.md").write_text("mine")
    refused = notebook.kernel.run(f"%claude_nb export '{tmp_path}/talk.md' -c 2")
    again = f"%claude_nb export {tmp_path}/talk.md -c 2 --overwrite"
    assert refused["evalue"].endswith(f"To replace it: {again}")
    assert "2: 2 turns are in" in notebook.run("e", again)


def test_what_to_do_about_a_cut_is_said_in_the_options_of_the_place(notebook):
    """With dashes in a cell; a call in Python has arguments."""
    notebook.run("i", "import claude_nb")
    cut = Stream([start(), *text("a"), *end("max_tokens")])
    notebook.simulator.enqueue(cut, cut)
    assert "the reply reached --max-tokens" in notebook.run("a", "%%claude --once\nHi")
    assert "the reply reached max_tokens" in notebook.run("b", "claude_nb.ask('Hi')")


def test_a_notebook_that_was_never_saved_is_to_be_saved_first(notebook, tmp_path):
    """Said by restore: the file that the front end made is empty."""
    path = tmp_path / "Untitled.ipynb"
    path.write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    shown = notebook.run("r", f"%claude_nb restore {path}")
    assert "No conversation is saved in it. Save the notebook first (Ctrl+S" in shown


def test_the_notebook_s_data_is_put_in(notebook):
    """Once, where its name stands; or along with the prompt; or not at all."""
    notebook.run("v", "rows = [1, 2, 3]; note = 'a {{rows}} in a text'")

    assert notebook.ask("a", "Sum {{rows}}?")[0] == ["Sum [1, 2, 3]?"]
    assert notebook.ask("b", "{{note}}", "--once")[0] == ["a {{rows}} in a text"]
    assert notebook.ask("c", "{{rows}}", "--once --raw")[0] == ["{{rows}}"]
    sent, shown = notebook.ask("d", "Sum?", "--once -a rows")
    assert sent == ["rows:\n[1, 2, 3]\n\nSum?"]
    assert shown.startswith("[rows: attached]")


def test_earlier_cells_can_be_sent_along(notebook):
    """What they were, what came of them, and that they are there."""
    notebook.run("v", "2 + 3")
    number = int(notebook.run("n", "print(len(In) - 1)")) - 1

    sent, shown = notebook.ask("a", "Explain.", f"--once --cells {number}")

    assert f'<cell number="{number}">\n<input>\n2 + 3\n</input>\n<output>\n5\n</output>' in sent[0]
    assert sent[0].endswith("\n\nExplain.")
    assert shown.startswith(f"[Cell [{number}] included")


def test_code_goes_into_a_new_cell_and_is_not_run(notebook):
    """The front end gets it as the next input."""
    notebook.simulator.enqueue(Stream(said("Here:\n\n```python\nx = 1\n```\n")))

    shown = notebook.run("a", "%%claude --insert\nWrite it.")

    assert "The code of the reply is in a new cell below; it was not run." in shown
    assert notebook.run("b", "print('x' in globals())").strip() == "False"


def test_asking_can_be_awaited_in_a_cell(notebook):
    """The reply is shown where it was awaited."""
    notebook.simulator.enqueue(Stream(said("At last.")))
    code = "import claude_nb\nreply = await claude_nb.ask_async('When?', view='updating')"

    assert notebook.run("a", code).startswith("At last.")


@pytest.mark.parametrize(
    ("options", "prompt", "said_so"),
    [
        ("--once --new", "Hi", "--once cannot be used with -c"),
        ("--once -c trains", "Hi", "--once cannot be used with -c"),
        ('-c ""', "Hi", "cannot be the name of a conversation"),
        ("", "{{nothing}}", "There is no variable nothing."),
        ("-a nothing", "Hi", "There is no variable nothing."),
        ("--cells 99", "Hi", "There is no earlier cell [99]"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(notebook, simulator, options, prompt, said_so):
    """The error says what is wrong, and nothing goes out."""
    count = len(simulator.requests)
    reply = notebook.kernel.run(f"%%claude {options}\n{prompt}")

    assert (reply["ename"], len(simulator.requests)) == ("InputError", count)
    assert said_so in reply["evalue"]


def test_a_dry_run_counts_and_sends_nothing(notebook, simulator):
    """With what was said before, as it would be sent; the conversation stays as it is."""
    notebook.ask("a", "First")
    asked = [request.path for request in simulator.requests].count("/v1/messages")

    shown = notebook.run("b", "%%claude --dry-run --max-tokens 100\nSecond")

    assert [request.path for request in simulator.requests].count("/v1/messages") == asked
    assert len(simulator.requests[-1].body["messages"]) == 3
    assert re.search(r"claude-opus-5-5 +\d+ tokens +100 tokens +<?\$0.0\d+ +\$0.00\d+", shown)
    assert notebook.ask("c", "Second")[0] == ["First", "Second"]


def test_max_cost_lowers_what_may_come_back(notebook, simulator):
    """And says so; what cannot be afforded at all is refused."""
    notebook.simulator.enqueue(Stream(said("Yes.")))
    shown = notebook.run("a", "%%claude --once --max-cost 0.10\nHello")

    assert simulator.requests[-1].body["max_tokens"] < 5_000
    assert "[max tokens lowered from 16,000 to 4," in shown
    reply = notebook.kernel.run("%%claude --once --max-cost 0.0001\nHello")
    assert "This could exceed --max-cost" in reply["evalue"]


def test_a_budget_holds_over_several_cells(notebook, simulator):
    """Each reply is charged when it is finished; the last one that does not fit is refused."""
    assert "No budget set." in notebook.run("q", "%claude_nb budget")
    assert notebook.run("q", "%claude_nb budget 0.02").strip() == "budget: $0.0200 · $0.0200 left"
    notebook.ask("a", "Hello", "--once")
    first = simulator.requests[-1].body["max_tokens"]
    notebook.ask("b", "Hello", "--once")
    second = simulator.requests[-1].body["max_tokens"]
    assert 500 < second < first < 1_000

    notebook.run("q", "%claude_nb budget 0.001")
    reply = notebook.kernel.run("%%claude --once\nHello")
    assert "This could exceed the budget of $0.0010" in reply["evalue"]
    assert notebook.kernel.run("%claude_nb budget -1")["ename"] == "InputError"
    assert notebook.kernel.run("%claude_nb budget lots")["ename"] == "InputError"
    assert "No budget set." in notebook.run("q", "%claude_nb budget off")


def test_what_broke_off_is_not_paid_for_twice_under_a_limit(notebook, simulator):
    """Its cost is not known, so going on could go beyond the limit."""
    count = len(simulator.requests)
    notebook.kernel.run("%config ClaudeMagics.tries = 5")
    simulator.enqueue(Stream(said("Half of it")[:-3], end="drop"))

    reply = notebook.kernel.run("%%claude --once --max-cost 1\nHello")
    notebook.kernel.run("%config ClaudeMagics.tries = 1")

    assert reply["ename"] == "DroppedError"
    paths = [request.path for request in simulator.requests[count:]]
    assert paths == ["/v1/messages/count_tokens", "/v1/messages"]
