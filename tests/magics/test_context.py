"""The notebook as context, by what IPython knows of it: in a shell, and in a real kernel."""

from __future__ import annotations

import atexit
import gc
import sys

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from claude_nb.errors import InputError
from claude_nb.magics import context
from claude_nb.magics.context import BUDGET, PART, cells, error, insert
from claude_nb.notebook.variables import with_outputs
from claude_nb.request import executed
from claude_nb.simulator import Stream
from tests.played import said, start, text

KEY = "sk-" + "ant-0123456789"

IS_OUTPUT_KEPT = hasattr(HistoryManager, "outputs")
"""IPython keeps it from 9.1."""
PRINTED = "out\nerr\n" if IS_OUTPUT_KEPT else ""
LOST = "displayed" if IS_OUTPUT_KEPT else "printed or displayed"

needs_output = pytest.mark.skipif(not IS_OUTPUT_KEPT, reason="IPython before 9.1 keeps no output")


class Notebook:
    """A shell whose cells are run by number, and what the last of them was given."""

    def __init__(self, shell) -> None:
        self.shell = shell
        shell.push({"cells": cells, "error": error, "insert": insert})

    def run(self, *sources: str) -> None:
        """Run cells, one after the other."""
        for source in sources:
            self.shell.run_cell(source, store_history=True)

    def give(self, call):
        """What a call in a new cell gives: text and note, or an ``InputError``."""
        self.run(f"given = None\ntry:\n    given = {call}\nexcept Exception as e:\n    given = e")
        given = self.shell.user_ns["given"]
        if isinstance(given, InputError):
            raise given
        return given

    def cells(self, which):
        return self.give(f"cells(get_ipython(), {which!r})")

    def error(self):
        return self.give("error(get_ipython())")


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    """IPython as it is in a terminal: not a kernel, and nobody's ``get_ipython()``."""
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    shell = InteractiveShell(config=config, ipython_dir=str(tmp_path_factory.mktemp("ipython")))
    shell.events.register("post_run_cell", executed.note)
    shell.reset()  # some of the history belongs to the class: other tests may have left it
    gc.freeze()  # its reset collects garbage, each time through all that was ever imported
    yield shell
    gc.unfreeze()
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


@pytest.fixture
def notebook(terminal, monkeypatch):
    """An empty notebook, in which nothing has failed."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        monkeypatch.delattr(sys, name, raising=False)
    terminal.rl_next_input = None
    yield Notebook(terminal)
    terminal.reset()  # some of the history belongs to the class, and so to all shells


def body(included):
    """The text below its first line, which says what it is."""
    return included.text.partition("\n")[2]


@needs_output
def test_a_cell_is_its_source_its_output_and_its_error(notebook):
    """In tags, with the number of its execution; what was printed comes before the value."""
    notebook.run("x = 6\nprint('six')\nx * 7", "print('before')\n1 / 0", "y = 1")

    included = notebook.cells("1-3")

    assert body(included) == (
        "<cell number=\"1\">\n<input>\nx = 6\nprint('six')\nx * 7\n</input>\n"
        "<output>\nsix\n42\n</output>\n</cell>\n"
        "<cell number=\"2\">\n<input>\nprint('before')\n1 / 0\n</input>\n"
        "<output>\nbefore\n</output>\n<error>\nZeroDivisionError: division by zero\n</error>\n"
        '</cell>\n<cell number="3">\n<input>\ny = 1\n</input>\n</cell>'
    )
    assert included.note == "Cells [1]–[3] included."


RANGES = {
    "2": ([2], "Cell [2] included."),
    "2-4": ([2, 3, 4], "Cells [2]–[4] included."),
    "1,3-5": ([1, 3, 4, 5], "Cells [1], [3]–[5] included."),
    "5,4, 4-5": ([4, 5], "Cells [4]–[5] included."),
    "3-3": ([3], "Cell [3] included."),
    "all": ([1, 2, 3, 4, 5], "Cells [1]–[5] included."),
}


@needs_output
@pytest.mark.parametrize("which", RANGES)
def test_numbers_ranges_and_all(notebook, which):
    """In the order of the notebook, each once, without the cell that asks."""
    notebook.run(*(f"number = {n}" for n in range(1, 6)))

    included = notebook.cells(which)

    assert RANGES[which] == (
        [n for n in range(1, 9) if f"number = {n}\n" in included.text],
        included.note,
    )


MISTAKES = {
    "foo": "takes cell numbers, or all, not 'foo'. For example: .* There are \\[1\\]–",
    "": "takes cell numbers",
    "1-": "takes cell numbers",
    "-1": "takes cell numbers",
    "1,,2": "takes cell numbers",
    "1" * 5000: "takes cell numbers",
    "3-1": "the smaller number goes first: 1-3",
    "7": "no earlier cell \\[7\\] in this kernel. There are \\[1\\]–\\[3\\]",
    "2-7": "no earlier cell \\[7\\]",
    "0": "no earlier cell \\[0\\]",
    "4": "no earlier cell \\[4\\]",  # the one that asks
}


@pytest.mark.parametrize("which", MISTAKES, ids=lambda which: which[:9])
def test_a_mistake_says_which_cells_there_are(notebook, which):
    """Nothing is guessed."""
    notebook.run("1", "2", "3")

    with pytest.raises(InputError, match=MISTAKES[which]):
        notebook.cells(which)


def test_the_first_cell_has_nothing_before_it(notebook):
    """``all`` of nothing is a mistake too."""
    with pytest.raises(InputError, match="There is no earlier cell"):
        notebook.cells("all")


@needs_output
def test_numbers_are_those_of_the_prompt_where_in_is_not(notebook):
    """IPython leaves some cells out of ``In``, and all later ones are then at another place."""
    notebook.run("'first'", "%time 'paste'", "'third'")
    assert notebook.shell.user_ns["In"][2] == "'third'"

    assert "<input>\n'third'\n</input>" in notebook.cells("3").text
    with pytest.raises(InputError, match=r"There are \[1\], \[3\]–\[4\]"):
        notebook.cells("2")


def test_a_source_is_what_was_typed(notebook):
    """Magics as magics, and our own cells with their prompts."""
    notebook.run("%%claude -o x\nWhy {y}?", "%time 1")

    given = notebook.cells("all").text

    assert "<input>\n%%claude -o x\nWhy {y}?\n</input>" in given
    assert "<input>\n%time 1\n</input>" in given


def test_a_cell_that_was_run_again_is_there_each_time(notebook):
    """Each execution has a number of its own."""
    notebook.run("x = 1", "x += 1\nx", "x += 1\nx")

    given = notebook.cells("2,3").text

    assert [part[0] for part in given.split("<output>\n")[1:]] == ["2", "3"]


@needs_output
def test_the_newest_cells_go_first_into_the_budget(notebook):
    """What does not fit is counted; the order stays the notebook's."""
    notebook.run(*(f"x = {n}; '{'y' * (PART - 100)}';" for n in range(1, 9)))

    included = notebook.cells("all")

    assert [n for n in range(1, 9) if f"x = {n};" in included.text] == [5, 6, 7, 8]
    assert included.note == "Cells [5]–[8] included, 4 earlier left out."
    assert len(included.text) < BUDGET + 200


@needs_output
def test_a_long_part_is_cut_in_the_middle(notebook):
    """Both ends stay, and the text and the note say that something is missing."""
    notebook.run("x = 1", "print('first', 'y' * 100_000, 'end')")

    included = notebook.cells("all")

    assert "<output>\nfirst yyy" in included.text
    assert "\n[… 85,010 characters left out …]\n" in included.text
    assert "yyy end\n</output>" in included.text
    assert included.note == "Cells [1]–[2] included, [2] not in full."
    assert notebook.cells("2").note == "Cell [2] included, not in full."


@needs_output
def test_one_cell_is_always_included(notebook, monkeypatch):
    """However small the budget."""
    monkeypatch.setattr(context, "BUDGET", 10)
    notebook.run("x = 1", "y = 2")

    assert notebook.cells("all").note == "Cell [2] included, 1 earlier left out."


@needs_output
def test_output_is_what_a_reader_saw(notebook):
    """Without escapes and without what a progress bar overwrote, and with no half character."""
    notebook.run(
        "print('\\x1b[1;31mred\\x1b[0m \\x1b]8;;http://x\\x1b\\\\link\\x1b]8;;\\x07 \\x1bMup')",
        "print('10%\\r50%\\r', end=''); print('100%\\r\\ndone')",
        "import sys; sys.stdout.write('half \\ud83d\\n'); None",
    )

    given = notebook.cells("all").text

    outputs = [part.partition("\n</output>")[0] for part in given.split("<output>\n")[1:]]
    assert outputs == ["red link up", "100%\ndone", "half \ufffd"]


def test_keys_are_redacted_wherever_they_stand(notebook):
    """In source, output, value and error, before anything is cut."""
    notebook.run(
        f"key = '{KEY}'; print(key); raise ValueError(key)",
        f"print('x' * {PART // 2 - 7} + key + 'x' * {PART})",
        "key",
    )

    given = notebook.cells("all").text + notebook.error().text

    assert KEY[:9] not in given
    assert given.count("sk-ant-…") >= 5


VALUES = """
class Raises:
    def _ipython_display_(self): pass
    def __repr__(self): raise ValueError('no')
class Huge(Raises):
    def __repr__(self): return 'x' * 10**6
class set(Raises): pass
class Html:
    def _repr_html_(self): return '<b>1</b>'
    def __repr__(self): return 'as text'
"""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Raises()", "<output>\n<Raises instance at 0x"),
        ("[Raises()]", "<output>\n[<Raises instance at 0x"),
        ("set()", "<output>\n<set: its repr failed>"),
        ("Huge()", "x...x"),
        ("Html()", "<output>\nas text\n</output>"),
        ("{'a': [1, 2]}", "<output>\n{'a': [1, 2]}\n</output>"),
    ],
)
def test_a_value_is_what_was_shown_or_a_bounded_repr(notebook, value, shown):
    """A value that shows itself in its own way has no text: then its ``repr``, if it works."""
    notebook.run(VALUES, value)

    included = notebook.cells("2")

    assert shown.replace("x...x", "xxx...xxx") in included.text
    assert len(included.text) < 3_000


def test_out_of_a_cell_without_output_says_what_is_not_known(notebook):
    """Before IPython 9.1 a cell may have printed something."""
    notebook.run("x = 42" if IS_OUTPUT_KEPT else "print(42)", "y = 1")

    with pytest.raises(InputError) as raised:
        with_outputs(notebook.shell)["Out"][1]

    assert str(raised.value).partition(" Put ")[0] == (
        "Cell [1] has no output."
        if IS_OUTPUT_KEPT
        else "Cell [1] returned no value, and IPython has not kept what it printed or displayed."
    )


@needs_output
def test_a_terminal_knows_what_was_displayed(notebook):
    """IPython keeps it there, as text."""
    notebook.run("get_ipython().display_pub.publish({'text/plain': 'a plot'})\n2")

    included = notebook.cells("all")

    assert "<output>\na plot\n2\n</output>" in included.text
    assert "not known" not in included.note


def test_an_error_is_its_traceback_and_the_cell_that_failed(notebook):
    """From the cell on, the cells under their numbers; IPython's own frames say nothing."""
    notebook.run("def half(x):\n    return x / 0", "y = 3\nhalf(y)", "z = 1")

    included = notebook.error()

    assert included.text.startswith('<error cell="2">\n<input>\ny = 3\nhalf(y)\n</input>\n')
    assert (
        "<traceback>\nTraceback (most recent call last):\n  Cell In[2], line 2, in" in included.text
    )
    assert "  Cell In[1], line 2, in half\n    return x / 0\n" in included.text
    assert included.text.endswith("ZeroDivisionError: division by zero\n</traceback>\n</error>")
    assert "IPython" not in included.text
    assert included.note == "The error of cell [2] included: ZeroDivisionError."


ERRORS = {
    "syntax": ("x = = 1", "Cell In[2], line 1\n    x = = 1\n"),
    "chain": (
        "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e",
        "direct cause",
    ),
    "group": ("raise ExceptionGroup('g', [ValueError('a')])", "  |   Cell In[2], line 1, in"),
    "note": ("e = ValueError('v'); e.add_note('a note'); raise e", "ValueError: v\na note\n"),
    "magic": ("%no_such_magic", "`%no_such_magic` not found"),
    "red": ("raise ValueError('\\x1b[31mred\\x1b[0m')", "ValueError: red\n"),
    "ours": (
        "from claude_nb.errors import RequestError\nraise RequestError('No.', 'Do.')",
        "<traceback>\nRequestError: No. Do.\n</traceback>",
    ),
    "input": (
        "from claude_nb.errors import InputError\nraise InputError('No.', 'Do.')",
        "<traceback>\nInputError: No. Do.\n</traceback>",
    ),
}


@pytest.mark.parametrize(("source", "shown"), ERRORS.values(), ids=ERRORS)
def test_an_error_of_any_kind(notebook, source, shown):
    """Whatever raised it, our own errors with what they advise."""
    notebook.run("1", source)

    given = notebook.error().text

    assert given.startswith(f'<error cell="2">\n<input>\n{source}\n</input>\n')
    assert shown in given


@pytest.mark.parametrize("source", ["get_ipython().run_cell('1 / 0')", "%%capture\n1 / 0"])
def test_an_error_that_ended_no_cell_is_given_without_one(notebook, source):
    """Code that a cell ran as a cell has the next cell's number, which is not what failed."""
    notebook.run("1", source)

    included = notebook.error()

    assert included.text.startswith("<error>\n<traceback>\n")
    assert "ZeroDivisionError: division by zero\n" in included.text
    assert included.note == "The error included: ZeroDivisionError."


def test_an_error_in_a_script_is_found(notebook, tmp_path):
    """``%run`` shows an exception without failing itself, so no cell is known to have failed."""
    script = tmp_path / "script.py"
    script.write_text("def broken():\n    1 / 0\nbroken()\n")
    notebook.run("x = 1", f"%run {script}")

    included = notebook.error()

    begin = "<error>\n<traceback>\nTraceback (most recent call last):\n"
    assert included.text.startswith(f'{begin}  File "{script}", line 3, in <module>\n')
    assert f'File "{script}", line 2, in broken' in included.text
    assert included.note == "The error included: ZeroDivisionError."


def test_a_long_traceback_keeps_both_ends(notebook):
    """Where it began and what it was."""
    notebook.run("raise ValueError('x' * 100_000 + 'end')")

    included = notebook.error()

    assert "<traceback>\nTraceback" in included.text
    assert "characters left out …]\n" in included.text
    assert "xxxend\n</traceback>" in included.text
    assert included.note == "The error of cell [1] included: ValueError, not in full."


def test_a_slip_on_our_own_line_does_not_hide_the_error(notebook):
    """``%%claude --eror``, corrected, still gives what had failed before."""
    slip = "%claude_slip = 1; from claude_nb.errors import InputError; raise InputError('a slip')"
    slip = slip.replace("%claude_slip = 1", "'%claude'")
    notebook.run("1 / 0", slip, slip)

    included = notebook.error()

    assert '<error cell="1">\n<input>\n1 / 0\n</input>' in included.text
    assert "ZeroDivisionError: division by zero\n</traceback>" in included.text
    assert "\x1b" not in included.text
    assert included.note == "The error of cell [1] included: ZeroDivisionError."


def test_a_slip_is_given_where_nothing_else_has_failed(notebook):
    """It is an error like any other then."""
    notebook.run("'%claude'; from claude_nb.errors import InputError; raise InputError('a slip')")

    assert "InputError: a slip" in notebook.error().text


def test_nothing_has_failed_yet(notebook):
    """That is said, and nothing is sent."""
    notebook.run("1")

    with pytest.raises(InputError, match="Nothing has failed yet"):
        notebook.error()


def test_code_is_the_beginning_of_the_next_input_in_a_terminal(notebook):
    """It is there to be read before it is run, and a key is not saved."""
    said = notebook.give(f"insert(get_ipython(), 'x = \"{KEY}\"\\nx')")

    assert notebook.shell.rl_next_input == 'x = "sk-ant-…"\nx'
    assert "x" not in notebook.shell.user_ns
    assert said == "The code of the reply is in a new cell below; it was not run."


@pytest.mark.parametrize("code", ["", " \n"])
def test_without_code_there_is_no_cell(notebook, code):
    """And a note that says so."""
    said = notebook.give(f"insert(get_ipython(), {code!r})")

    assert notebook.shell.rl_next_input is None
    assert said == "There is no code in the reply: no cell was inserted."


# --- in a kernel -----------------------------------------------------------------------------


@pytest.fixture
def kernel(kernel, simulator):
    """A kernel with some cells behind it."""
    simulator.enqueue(
        Stream(said("Blue.")), Stream(said("Red.")), Stream([start(), *text("Gre")], end="drop")
    )
    for number, source in enumerate(CELLS, 1):
        assert kernel.run(source)["execution_count"] == number
    return kernel


CELLS = [
    "import sys; print('out'); print('err', file=sys.stderr); 42",  # 1
    "from IPython.display import display; display({'a': 1}); 5",
    "await __import__('asyncio').sleep(0); print('awaited'); 6",
    "1 / 0",
    "%%claude -o sky\nWhich colour?",  # 5
    "%%claude --once\nAnd later?",
    "%%claude -o grass\nAnd grass?",
    "!echo shell",
]  # fmt: skip

GIVEN = """
from claude_nb.magics.context import cells, error, insert
given = {call}
print(given.text); print(given.note)
"""


@pytest.mark.kernel
def test_what_a_kernel_knows(kernel):
    """Streams and values; not what was displayed, nor what was printed while it awaited."""
    kernel.run(GIVEN.format(call="cells(get_ipython(), '1-4,8')"))

    assert f"<output>\n{PRINTED}42\n</output>" in kernel.printed
    assert "display({'a': 1}); 5\n</input>\n<output>\n5\n</output>" in kernel.printed
    assert "print('awaited'); 6\n</input>\n<output>\n6\n</output>" in kernel.printed
    assert "<error>\nZeroDivisionError: division by zero\n</error>" in kernel.printed
    assert ("<output>\nshell\n</output>" in kernel.printed) == IS_OUTPUT_KEPT
    more = ", printed output in [3]" if IS_OUTPUT_KEPT else ""
    assert kernel.printed.endswith(f"Cells [1]–[4], [8] included; missing: {LOST} output{more}.\n")


@pytest.mark.kernel
def test_a_page_that_does_not_answer_is_noted(kernel):
    """It is waited for a moment, then what the kernel knows is sent."""
    page = {"protocol": 1, "version": "1", "capabilities": ["outputs"]}
    kernel.run(GIVEN.format(call="cells(get_ipython(), '1')"), page=page)

    assert f"<output>\n{PRINTED}42\n</output>" in kernel.printed
    assert f"missing: {LOST} output (the page did not answer in time).\n" in kernel.printed


@pytest.mark.kernel
def test_without_a_page_the_newest_figure_is_the_newest_result_that_is_one(kernel):
    """Drawn anew; where there is none, nothing is sent."""
    pytest.importorskip("PIL")
    figure = GIVEN.format(call="figure(get_ipython())").replace("cells,", "cells, figure,")
    assert kernel.run(figure)["evalue"].startswith("The displayed figure cannot be found: ")
    kernel.run("import PIL.Image\nPIL.Image.new('RGB', (4, 3))")
    kernel.run("42")
    kernel.run(figure + "print([block['type'] for block in given.blocks])")

    assert (
        "The figure of cell [10] included,"
        " drawn again from its return value (the page does not tell)."
    ) in kernel.printed
    assert kernel.printed.endswith("['text', 'image', 'text']\n")


@pytest.mark.kernel
def test_replies_that_are_at_hand_are_included(kernel):
    """Those of a conversation, of none, and what had come of one that broke off."""
    kernel.run(GIVEN.format(call="cells(get_ipython(), '5-7')"))

    assert "<reply>\nBlue.\n</reply>\n</cell>" in kernel.printed
    assert "And later?\n</input>\n<reply>\nRed.\n</reply>\n</cell>" in kernel.printed
    assert "<reply>\nGre\n</reply>\n<error>\nDroppedError: " in kernel.printed
    assert kernel.printed.endswith(f"missing: {LOST} output.\n")


@pytest.mark.kernel
def test_the_last_error_in_a_kernel(kernel):
    """The cell under its number, with its source; a slip on our own line does not hide it."""
    kernel.run("def f():\n    await_ = 1 / 0\nf()")
    assert kernel.run("%%claude --eror\nWhy?")["ename"] == "InputError"
    kernel.run(GIVEN.format(call="error(get_ipython())"))

    assert "Cell In[" in kernel.printed
    assert "await_ = 1 / 0" in kernel.printed
    assert "ipykernel" not in kernel.printed
    assert kernel.printed.endswith("included: ZeroDivisionError.\n")


@pytest.mark.kernel
def test_inserted_code_is_one_new_cell(kernel):
    """The front end is told to put it below, not in the place of the running cell."""
    reply = kernel.run(
        "from claude_nb.magics.context import insert\n"
        "insert(get_ipython(), 'ran = 1\\n\\nran')\n'done'"
    )

    assert reply["payload"] == [
        {"source": "set_next_input", "text": "ran = 1\n\nran", "replace": False}
    ]
    assert kernel.run("ran")["ename"] == "NameError"
