"""The options of ``%%claude``: what is read, what is left as it is, what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from claude_nb.asking.question import REQUEST_OPTIONS, Question
from claude_nb.errors import InputError
from claude_nb.magics.manual import of_cell
from claude_nb.magics.options import CELL_OPTIONS, parse

VARIABLES = {
    "brief": "Be brief.",
    "number": 5,
    "blank": " \n",
    "_hidden": "x",
    "fields": {"a": 1},
    "ends": ["END", "STOP"],
}


@pytest.mark.parametrize(
    ("line", "given", "rest"),
    [
        ("", {}, ""),
        ('What\'s {this}, "quoted"?', {}, 'What\'s {this}, "quoted"?'),
        ("-m claude-sonnet-5-5 Why?", {"model": ("claude-sonnet-5-5",)}, "Why?"),
        ("--model=claude-sonnet-5-5 Why?", {"model": ("claude-sonnet-5-5",)}, "Why?"),
        ("--max-tokens 1_000 --effort low", {"max_tokens": 1000, "effort": ("low",)}, ""),
        ("--max-tokens 1,000", {"max_tokens": 1000}, ""),
        ("--thinking on x", {"thinking": "on"}, "x"),
        ("-t 2000 x", {"thinking": 2000}, "x"),
        ("--hide-thinking x", {"hide_thinking": True}, "x"),
        ("--fallback x", {"fallback": True}, "x"),
        ("--system brief x", {"system": ("Be brief.",)}, "x"),
        ('-s "It\'s short." x', {"system": ("It's short.",)}, "x"),
        ("--system='a \"b\"' x", {"system": ('a "b"',)}, "x"),
        ("--instruct brief --cite x", {"instruct": "Be brief.", "cite": True}, "x"),
        ('--instruct "Be short." x', {"instruct": "Be short."}, "x"),
        ("-m a -m b --effort low x", {"model": ("a", "b"), "effort": ("low",)}, "x"),
        ("--out answer x", {"out": "answer"}, "x"),
        ("--extra fields x", {"extra": {"a": 1}}, "x"),
        ("--extra none x", {"extra": {}}, "x"),
        ("--betas a,b --betas c x", {"betas": ("a", "b", "c")}, "x"),
        ("--betas none x", {"betas": ()}, "x"),
        ('--stop-sequences "END" x', {"stop_sequences": ("END",)}, "x"),
        ("--stop-sequences brief x", {"stop_sequences": ("Be brief.",)}, "x"),
        ("--stop-sequences ends x", {"stop_sequences": ("END", "STOP")}, "x"),
        ("--tool-choice any x", {"tool_choice": "any"}, "x"),
        ("--metadata fields x", {"metadata": {"a": 1}}, "x"),
        ("-- --model is an option", {}, "--model is an option"),
        ("Why -m x?", {}, "Why -m x?"),
    ],
)
def test_options_come_first_and_the_rest_is_left_alone(line, given, rest):
    """Quotes, apostrophes and braces of the prompt mean nothing here."""
    assert parse(line, VARIABLES) == (given, rest)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--modle x", "There is no option --modle. Did you mean --model?"),
        ("--zzzzzz", "There is no option --zzzzzz. There are --model,"),
        ("- a list", "There is no option -."),
        ("--model", "--model needs a value."),
        ("--model   ", "--model needs a value."),
        ("--hide-thinking=yes", "--hide-thinking is a switch: it takes no value."),
        ("--max-cost inf", "--max-cost: 'inf' is not an amount in USD above 0, such as 0.50."),
        ("--max-tokens many", "--max-tokens: 'many' is not a whole number."),
        ("--thinking maybe", "--thinking: 'maybe' is not on, off or a number of tokens."),
        ("--system breif", "--system: There is no variable breif. Did you mean brief?"),
        ("--system number", "--system: number is of type int, not text."),
        ("--system blank", "--system: blank is blank."),
        ("--instruct number", "--instruct: number is of type int, not text."),
        (
            "--instruct blank",
            "--instruct: blank is blank. Put text into it, or leave out --instruct.",
        ),
        ('--system "open', '--system: the quote " is not closed.'),
        ("--extra number", "--extra: number is of type int, not a dict."),
        ("--extra feilds", "--extra: There is no variable feilds. Did you mean fields?"),
        ("--metadata none", "--metadata: There is no variable none."),
        ("--stop-sequences number", "--stop-sequences: number is of type int, not text."),
        ("--stop-sequences END", "--stop-sequences: There is no variable END. "),
        ("--out 2x", "--out: '2x' cannot be the name of a variable."),
        ("--out a.b", "--out: 'a.b' cannot be the name of a variable."),
        ("--out class", "--out: 'class' cannot be the name of a variable."),
    ],
)
def test_what_cannot_be_read_is_said(line, said):
    """The option, what is wrong with it, and the nearest right one."""
    with pytest.raises(InputError) as raised:
        parse(line, VARIABLES)

    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("--tools nope", "Name "),
        ("--json Nope", "Name "),
        ("--attach nope", "Name "),
        ("--tools opne", "Name "),
        ("--tools Inn", "Name "),
        ("--tools look_pu", "Did you mean look_up? "),
        ("--tools LOOK_UP", "Did you mean look_up? "),
        ("--confrim", "Did you mean --confirm?"),
        ("--frobnicate", "There are --model, "),
    ],
)
def test_only_a_slip_of_the_fingers_is_taken_for_another_name(line, advice):
    """And never for Python's own ``open``, which IPython has among the user's variables."""
    variables = {"open": open, "In": [], "get_ipython": int, "look_up": len}

    with pytest.raises(InputError) as raised:
        parse(line, variables)

    assert raised.value.advice.startswith(advice)


def test_every_option_sets_something():
    """An option of a question, or what ``cell`` makes of it: none is accepted and ignored."""
    by_cell = {
        *(
            "background",
            "cells",
            "confirm",
            "context",
            "conversation",
            "dry_run",
            "eager",
            "error",
            "help",
            "fresh",
        ),
        *("insert", "json", "max_turns", "no_stream", "once", "out", "plot", "tool_timeout"),
    }
    of_question = {field.name for field in dataclasses.fields(Question)} | {
        "attach",
        "raw",
        "upload",
    }

    names = {option.name.replace("-", "_") for option in CELL_OPTIONS}
    assert names - by_cell - of_question == set(REQUEST_OPTIONS)


def test_a_type_of_python_is_a_form():
    """A variable of the same name is meant first."""
    assert parse("--json int x", {}) == ({"json": int}, "x")
    assert parse("--json int x", {"int": float}) == ({"json": float}, "x")
    with pytest.raises(InputError, match="There is no variable print"):
        parse("--json print x", {})


def test_the_manual_lists_every_option():
    """A line for each; those that are ways of one thing share theirs."""
    rows = of_cell().rows

    assert [does for _, does in rows] == list(dict.fromkeys(o.help for o in CELL_OPTIONS))
    assert next(does for typed, does in rows if typed == "--cells 3-5|all, --plot")
    typed = " ".join(typed for typed, _ in rows)
    assert all(f"--{option.name}" in typed for option in CELL_OPTIONS)
    assert ("-m, --model ID", CELL_OPTIONS[0].help) in rows
