"""What `check` tells of a function, right, wrong or never ending."""

import shutil
from functools import partial

import pytest
from IPython.core.interactiveshell import InteractiveShell

from claude_nb.errors import ClaudeError, InputError
from claude_nb.teaching import check, checking, hint

RIGHT = """
import json
from json import loads as read

EMPTY = "{}"

def pieces(events):
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            yield event.delta.partial_json

def tool_input(events):
    try:
        return read("".join(pieces(events)) or EMPTY)
    except json.JSONDecodeError:
        return None
"""


@pytest.fixture
def checked(capsys):
    """Run a cell in IPython, check the function that it defines, and return what is printed."""
    shell = InteractiveShell()

    def run(cell, name="collect_text"):
        shell.run_cell(cell).raise_error()
        check(shell.user_ns[name])
        return capsys.readouterr().out

    return run


def test_a_right_function_may_use_what_its_cell_defines(checked):
    """Modules, names imported from them, other functions and plain values come along."""
    assert checked(RIGHT, "tool_input").startswith("tool_input: all 4 cases are right.\n✓ ")


DECORATED = """
from functools import wraps

def named(function):
    @wraps(function)
    def wrapper(*arguments):
        return wrapper.__name__ and function(*arguments)
    return wrapper

@named
def collect_text(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    return "".join(d.text for d in deltas if d.type == "text_delta")
"""


def test_a_decorated_function_may_use_itself(checked):
    """A closure that holds the function that it belongs to comes along."""
    assert checked(DECORATED).startswith("collect_text: all 5 cases are right.")


def test_a_function_from_a_file_may_use_other_files(checked, tmp_path, monkeypatch):
    """What the notebook can import, the check can."""
    text = "def text(event):\n    return getattr(getattr(event, 'delta', None), 'text', '')"
    (tmp_path / "pieces_of_mine.py").write_text(text)
    answer = "import pieces_of_mine\n\ndef collect_text(events):\n    return ''.join(%s)"
    answer %= "map(pieces_of_mine.text, events)"
    (tmp_path / "answer_of_mine.py").write_text(answer)
    monkeypatch.syspath_prepend(tmp_path)
    assert checked("from answer_of_mine import collect_text").startswith("collect_text: all 5")


def test_a_module_that_is_not_found_in_the_other_process_is_named(checked):
    """Its name is defined in the notebook; to say no more than that it is not would be untrue."""
    cell = (
        "import sys, types\nmade = sys.modules['made_here'] = types.ModuleType('made_here')\n"
        "def collect_text(events):\n    return made.text"
    )
    assert "but not made (a module that is not found there)" in checked(cell)


def test_a_copy_of_the_process_is_not_waited_for(checked):
    """It holds the pipe open, and ends with the check."""
    cell = (
        "import os, signal\ndef collect_text(events):\n"
        "    os.fork() or signal.pause()\n    return ''"
    )
    assert checked(cell).startswith("collect_text: 1 of 5 cases are right.")


def test_a_price_may_be_any_kind_of_number(checked):
    """Whoever counts money in decimals is right too."""
    cell = """
from decimal import Decimal
def price(tokens_in, tokens_out, batched):
    dollars = tokens_in * Decimal("0.10") + tokens_out * Decimal("0.50")
    return dollars / 1_000_000 / (2 if batched else 1)
"""
    assert checked(cell, "price").startswith("price: all 4 cases are right.")


def test_a_wrong_value_is_shown_beside_the_expected_one(checked):
    """Each case has a mark, and one that fails has both values."""
    cell = "def whole(message):\n    return message.stop_reason is not None"
    assert checked(cell, "whole").splitlines() == [
        "whole: 3 of 5 cases are right.",
        "✓ the model had finished (end_turn)",
        "✗ it reached max_tokens",
        "    expected  False",
        "    got       True",
        "✓ a silent end: no stop reason",
        "✗ the model declined (refusal)",
        "    expected  False",
        "    got       True",
        "✓ finished, in two words without a full stop",
        "Stuck? hint(whole)",
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("...", "collect_text: it returned None in all 5 cases. Is there a `return`?"),
        (
            "return ['Blue ', 'sky.']",
            "expected  'Blue sky.' (str)\n    got       ['Blue ', 'sky.'] (list)",
        ),
        (
            "return 1 / 0",
            "ZeroDivisionError: division by zero\n    in line 2 of the cell:  return 1 / 0",
        ),
        ("print('Blue sky.'); return 0", "printed   'Blue sky.\\n'"),
        ("print('Blue sky.')", "in all 5 cases. It printed something; `return` it instead."),
        (
            "yield events",
            "got       a generator\n    A function with `yield` makes a generator: collect",
        ),
        (
            "return Local()\nclass Local: pass",
            "but not Local (a class): make it inside the function, or use a parameter.",
        ),
        ("return 'x' * 10_000_000", "xxx… (10,000,002 characters)"),
        ("exit()", "It called exit(); use `return` instead."),
        ("import os; os._exit(0)", "It ended the Python process."),
        ("return input()", "EOFError"),
        ("return missing", "NameError: name 'missing' is not defined"),
        ("return get_ipython()", "but not get_ipython"),
        (
            "events.clear(); return 'Blue sky.'",
            "The result is right, but the function changed what",
        ),
        ("return collect_text(events)", "RecursionError"),
    ],
)
def test_what_went_wrong_is_told(checked, body, told):
    """A student reads what happened in the first case that fails, in which line."""
    assert told in checked(f"def collect_text(events):\n    {body}")


@pytest.mark.parametrize("body", ["pass", "print('x' * 10_000)"])
def test_an_endless_loop_ends(checked, monkeypatch, body):
    """It costs a few seconds, prints nothing, and the cases behind it are named as not run."""
    monkeypatch.setattr(checking, "_SECONDS", 0.3)
    shown = checked(f"def collect_text(events):\n    while True:\n        {body}").splitlines()
    assert shown[1:4] == [
        "✗ three pieces of text",
        "    It was still running after 0.3 seconds. Does a loop never end?",
        "– thinking first, then text (not run)",
    ]


def test_a_list_that_grows_without_end_takes_no_memory(checked, monkeypatch):
    """The process is not given what the machine has."""
    monkeypatch.setattr(checking, "_SECONDS", 60)  # a busy machine takes long to reach the limit
    cell = "def collect_text(events):\n    while True:\n        events += [bytearray(10**8)]"
    assert "MemoryError" in checked(cell)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("Blue sky.", "This is a str, not a function."),  # check(collect_text(events))
        (None, "This is a NoneType, not a function."),
        (len, "This is a builtin_function_or_method, not a function."),
        (lambda: "Blue sky.", "A lambda has no name, and the name says which exercise it is."),
        (partial(print), "This is a partial, not a function."),
    ],
)
def test_what_is_no_exercise(wrong, told):
    """The error says what it is, and what to pass."""
    with pytest.raises(InputError) as raised:
        check(wrong)
    assert told in str(raised.value)


@pytest.mark.parametrize("wrong", [None, 3, partial(print)])
def test_a_hint_for_what_is_no_function(wrong):
    """It raises the same error as the check: hint(collect_text(events)) is a slip too."""
    with pytest.raises(InputError, match="not a function") as raised:
        hint(wrong)
    assert raised.value.advice.endswith(": hint(collect_text)")


def test_a_default_that_cannot_be_sent(checked):
    """The error names its type."""
    with pytest.raises(InputError, match="no default value of type object"):
        checked("def collect_text(events, last=object(), kind=str):\n    return ''")


def test_a_process_that_does_not_start(checked, monkeypatch):
    """Is no answer of the student's that is wrong."""
    monkeypatch.setattr(checking.sys, "executable", shutil.which("false"))
    with pytest.raises(ClaudeError, match="The process that runs the check did not start"):
        checked("def whole(message):\n    return True", "whole")


def test_hints_come_one_by_one(capsys, monkeypatch):
    """Each call says a little more, and the last one stays."""
    monkeypatch.setattr(checking, "_hints_given", checking.Counter())
    for _ in range(4):
        hint("whole")
    with pytest.raises(InputError, match="There is no exercise 'hole'") as raised:
        hint("hole")
    assert raised.value.advice == "Did you mean whole?"
    lines = capsys.readouterr().out.splitlines()
    assert [line[:11] for line in lines] == [f"Hint {n} of 3" for n in (1, 2, 3, 3)]
