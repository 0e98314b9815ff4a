"""The options of ``%%claude``: what is read, what is left as it is, what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from claude_nb.errors import InputError
from claude_nb.magics.options import OPTIONS, manual, parse
from claude_nb.request.request import Request

VARIABLES = {"brief": "Be brief.", "number": 5, "_hidden": "x"}


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
        ("--system brief x", {"system": ("Be brief.",)}, "x"),
        ('-s "It\'s short." x', {"system": ("It's short.",)}, "x"),
        ("--system='a \"b\"' x", {"system": ('a "b"',)}, "x"),
        ("-m a -m b --effort low x", {"model": ("a", "b"), "effort": ("low",)}, "x"),
        ("--out answer x", {"out": "answer"}, "x"),
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
        ("--max-cost inf", "--max-cost: It takes a sum in USD above 0, such as 0.50, not 'inf'."),
        ("--max-tokens many", "--max-tokens: It takes a whole number, not 'many'."),
        ("--thinking maybe", "--thinking: It takes on, off or a number of tokens, not 'maybe'."),
        ("--system breif", "--system: There is no variable breif. Did you mean brief?"),
        ("--system number", "--system: number is of type int, not text."),
        ('--system "open', '--system: the quote " is not closed.'),
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


def test_every_option_sets_something():
    """None is accepted and ignored: ``Request`` or ``cell`` takes each."""
    fields = {field.name for field in dataclasses.fields(Request)}

    elsewhere = {
        "attach",
        "background",
        "cells",
        "confirm",
        "conversation",
        "dry_run",
        "eager",
        "error",
        "events",
        "insert",
        "json",
        "max_cost",
        "max_turns",
        "new",
        "no_stream",
        "once",
        "out",
        "raw",
        "tool_timeout",
    }
    assert elsewhere == {o.name.replace("-", "_") for o in OPTIONS} - fields


def test_the_manual_lists_every_option():
    """A line for each."""
    lines = manual().splitlines()

    assert [option.help for option in OPTIONS] == [
        line.strip().partition(line.split(option.help)[0].strip())[2].strip()
        for option, line in zip(OPTIONS, lines, strict=True)
    ]
