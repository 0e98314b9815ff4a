"""``{{name}}`` in a prompt: put in once, and everything else left as it was typed."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.errors import InputError
from claude_nb.request.attachments.attachment import Attachment, register_attachment
from claude_nb.request.attachments.interpolation import Filled, compose, fill


def text(prompt: str, **variables: object) -> str:
    """The prompt with these variables in it, which must be a single text."""
    (block,) = fill(prompt, variables).blocks
    assert set(block) == {"type", "text"}
    return block["text"]


class Picture:
    """A value that is sent as an image, without any package for images."""


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
register_attachment(Picture, lambda _, name: Attachment((IMAGE,), f"{name}: a picture"))


class Point:
    """Something with an attribute, and one that fails."""

    x = 3

    @property
    def broken(self):
        raise RuntimeError("the disk is on fire")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Hello {{name}}!", "Hello Ada!"),
        ("{{ name }}{{\tname\t}}", "AdaAda"),
        ("{{point.x}}", "3"),
        ("{{rows[0]}} {{rows[-1]}} {{rows[ 1 ]}}", '1 {"a b": {"c": 2}} {"a b": {"c": 2}}'),
        ("""{{rows[1]["a b"]['c']}}""", "2"),
        ("{{_}} {{_3}}", "last third"),
        ("{{größe}}", "big"),
        ("{{µ}}", "mean"),
    ],
)
def test_a_place_is_a_variable_its_attributes_and_its_items(prompt, expected):
    """Spaces are allowed within the braces, and names are read as Python reads them."""
    variables = {
        "name": "Ada",
        "point": Point(),
        "rows": [1, {"a b": {"c": 2}}],
        "_": "last",
        "_3": "third",
        "größe": "big",
        "μ": "mean",  # the Greek letter, which Python makes of the micro sign above
    }

    assert expected == text(prompt, **variables)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "  \n",
        "plain",
        "{{#if x}}{{/if}}",
        "{{ 1 }} {{-x}} {{}} {{",
        "{{{x}}} {{{{x}}}}",
        "{{\n  x: 1\n}}",
        "{x} {'a': {'b': 1}} }} $x $5 and $6 \"it's\" %s \\n \\{ {0}",
        "\\frac{1}{2} \r\n\ttab\0",
    ],
)
def test_everything_else_is_left_alone_byte_for_byte(prompt):
    """Braces of templates, JSON and TeX, dollars and quotes are the user's own."""
    assert Filled(({"type": "text", "text": prompt},), ()) == fill(prompt, {"x": "WRONG"})


@given(st.text(alphabet="{} \\x1.[]\"'\n$é", max_size=30))
def test_any_text_is_filled_or_refused(prompt):
    """No text makes anything but blocks or an ``InputError``; without ``{{`` it stays as it is."""
    try:
        filled = text(prompt, x="{{x}}")
    except InputError:
        return
    if "{{" not in prompt:
        assert prompt == filled


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (r"\{{name}}", "{{name}}"),
        (r"\{{name}} is {{name}}", "{{name}} is Ada"),
        (r"\{{df.head()}}", "{{df.head()}}"),
        (r"\\{{name}}", r"\{{name}}"),
    ],
)
def test_a_backslash_makes_braces_literal(prompt, expected):
    r"""``\{{`` is ``{{``, and what follows it is not looked up."""
    assert expected == text(prompt, name="Ada")


def test_what_was_put_in_is_not_looked_through_again():
    """A value that holds braces is data, whatever it says."""
    assert text("{{a}} {{b}}", a="{{b}} \\{{b}}", b="B") == "{{b}} \\{{b}} B"


@pytest.mark.parametrize(
    "prompt",
    [
        "{{df.head()}}",
        "{{df + 1}}",
        "{{rows[i]}}",
        "{{rows[0:2]}}",
        "{{my data}}",
        "{{x²}}",
        "{{df}",
        "{{ df",
        "{{df.}}",
    ],
)
def test_what_begins_like_a_name_and_is_none_is_refused(prompt):
    """No guess is made: the error shows it, what is possible, and how to mean it literally."""
    with pytest.raises(InputError) as caught:
        fill(f"before {prompt}\nafter }}}}", {"df": 1, "rows": [1], "i": 0, "my": 1, "x2": 1})

    assert prompt in caught.value.what
    assert '{{name["key"]}}' in caught.value.advice
    assert caught.value.advice.endswith(r"To send the braces themselves: \{{")


def test_a_long_piece_of_a_template_is_shown_in_part():
    """The error stays one line."""
    with pytest.raises(InputError) as caught:
        fill("{{" + "a b " * 1000, {})

    assert len(caught.value.what) < 100


@pytest.mark.parametrize(
    ("prompt", "what", "advice"),
    [
        ("{{pries}}", "There is no variable pries.", "Did you mean prices or price?"),
        ("{{_hid}}", "There is no variable _hid.", "Did you mean _hide?"),
        ("{{zzz}}", "There is no variable zzz.", "To send the braces themselves"),
        ("{{point.borken}}", "{{point.borken}} raised AttributeError:", "Did you mean broken?"),
        ("{{prices['ada']}}", "{{prices['ada']}} raised KeyError:", "Did you mean Ada?"),
        ("{{prices.Ada.x[0]}}", "{{prices.Ada}} raised AttributeError:", "braces"),
        ("{{rows[7]}}", "{{rows[7]}} raised IndexError:", "braces"),
        ("{{price[0]}}", "{{price[0]}} raised TypeError:", "braces"),
        ("{{rows[" + "9" * 5000 + "]}}", "}} raised ValueError:", "braces"),
        ("{{point.broken}}", "RuntimeError: the disk is on fire", "braces"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(prompt, what, advice):
    """A name, an attribute or an item: the error has what Python says and how to mean it."""
    variables = {
        "price": 1,
        "prices": {"Ada": 1},
        "_hide": 1,
        "_pries": 1,  # a private name is suggested only for a private one
        "point": Point(),
        "rows": [],
    }

    with pytest.raises(InputError) as caught:
        fill(prompt, variables)

    assert what in caught.value.what
    assert advice in caught.value.advice
    assert caught.value.advice.endswith(r"themselves: \{{")  # a chat and a batch have no options
    with pytest.raises(InputError) as caught:
        fill(prompt, variables, in_cell=True)
    assert caught.value.advice.endswith(r"themselves: \{{, or --raw for the whole prompt.")


def test_a_value_that_cannot_be_sent_is_named_as_it_was_typed():
    """Not the type's name, but what the user wrote."""
    with pytest.raises(InputError, match=r"rows\[0\] cannot be put into a prompt: ValueError"):
        fill("{{rows[0]}}", {"rows": [10**5000]})


def test_blocks_come_in_the_order_of_the_prompt_with_neighbouring_text_as_one():
    """Text before, between and after images; a blank one would be refused by the API."""
    filled = fill("a {{t}} b{{p}}\n{{p}}{{t}}{{t}} \\{{", {"t": "T", "p": Picture()})

    assert filled.blocks == (
        {"type": "text", "text": "a T b"},
        IMAGE,
        IMAGE,
        {"type": "text", "text": "TT {{"},
    )
    assert filled.notes == ("p: a picture",)


def test_an_image_alone_is_a_prompt():
    """No empty text is sent beside it."""
    assert fill("{{p}}\n", {"p": Picture()}).blocks == (IMAGE,)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{{empty}}", "There is nothing to send: {{empty}} is blank."),
        ("\n{{spaces}}\n", "There is nothing to send: {{spaces}} is blank."),
        ("{{empty}} {{spaces}}", "There is nothing to send: {{empty}} and {{spaces}} are blank."),
    ],
)
def test_a_prompt_of_blank_values_is_refused_by_their_names(prompt, said):
    """The API would refuse it; a file is attached to it in vain."""
    variables = {"empty": "", "spaces": " \n\t"}
    for attached in ([], [("picture", Picture())]):
        with pytest.raises(InputError) as caught:
            compose(prompt, variables=variables, attached=attached)
        assert caught.value.what == said


def test_blank_text_beside_an_image_is_left_out():
    """A text block that is blank would be refused by the API."""
    assert fill(" {{e}}{{p}}\n{{p}}{{e}}", {"e": " ", "p": Picture()}).blocks == (IMAGE, IMAGE)
    assert compose("Why?", attached=[("e", "")]).notes == ("e: blank",)


TABLE = "| a | b |\n| --- | --- |\n| 1 | 2 |"
CODE = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("{{table}}", TABLE),
        ("{{code}}", CODE),
        ("Read:\n\n{{table}}\n\nWhy?", f"Read:\n\n{TABLE}\n\nWhy?"),
        ("Read:\n{{code}}\nWhy?", f"Read:\n{CODE}\nWhy?"),
        ("Read:\n{{table}}\nWhy?", f"Read:\n\n{TABLE}\n\nWhy?"),
        ("{{table}}\n{{table}}", f"{TABLE}\n\n{TABLE}"),
        ("1. {{text}}\n2. b", "1. one\n   two\n2. b"),
        ("- {{table}}\n- b", "- " + TABLE.replace("\n", "\n  ") + "\n\n- b"),
        ("> {{text}}\n> says Ada", "> one\n> two\n> says Ada"),
        ("  {{text}}", "  one\n  two"),
        ("```\n  {{text}}\nx = {{text}}\n```", "```\n  one\n  two\nx = one\ntwo\n```"),
        ("```\na\n{{table}}\nb\n```", f"```\na\n{TABLE}\nb\n```"),
        ('Say "{{text}}".', 'Say "one\ntwo".'),
        ("<doc>{{text}}</doc>", "<doc>\none\ntwo\n</doc>"),
        ("Say {{line}} now.", "Say one line now."),
        ("Say {{line_end}}now.", "Say one line\nnow."),
    ],
)
def test_a_value_that_has_a_line_to_itself_stays_there(prompt, expected):
    """So does one that quotes or tags hold; a table gets blank lines, a list item its margin."""
    assert expected == text(prompt, **LINES)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Why does {{table}} fall?", f"Why does `table` fall?\n\ntable:\n\n{TABLE}"),
        ("Read: {{code}}\n", "Read: `code`\n\ncode:\n\n```python\n" + CODE + "```\n"),
        ("Read {{text}}.\n\nWhy?", "Read `text`.\n\ntext:\n\n```\none\ntwo\n```\n\nWhy?"),
        (
            "Does {{rows['a']}} fit\n{{table}}, and {{rows['a']}} {{line}}?\n\nOr {{table}}?",
            (
                "Does `rows['a']` fit\n`table`, and `rows['a']` one line?\n\nrows['a']:\n\n```\none"
                f"\ntwo\n```\n\ntable:\n\n{TABLE}\n\nOr `table`?"
            ),
        ),
        ("- {{table}} is\n- new", f"- `table` is\n- new\n\ntable:\n\n{TABLE}"),
        (
            "As {{table}}:\n```\nx\n```\nand {{line}}",
            f"As `table`:\n\ntable:\n\n{TABLE}\n\n```\nx\n```\nand one line",
        ),
        ("{{fence}}!", "`fence`!\n\nfence:\n\n````\n```\nx\n```\n````"),
    ],
)
def test_a_value_of_several_lines_in_a_sentence_stands_below_the_paragraph(prompt, expected):
    """The sentence has its name; below, it is headed by that name and fenced, each value once."""
    assert expected == text(prompt, **LINES)


class Code:
    """A value with a language."""


register_attachment(Code, lambda *_: Attachment(({"type": "text", "text": CODE},), "", "python"))
LINES = {
    "table": pl.DataFrame({"a": [1], "b": [2]}),
    "code": Code(),
    "text": "one\ntwo",
    "rows": {"a": "one\ntwo"},
    "fence": "```\nx\n```",
    "line": "one line",
    "line_end": "one line\n",
}


def test_each_value_is_made_once():
    """A figure in two places is drawn once."""
    calls = []

    class Slow:
        pass

    register_attachment(Slow, lambda _, name: calls.append(name) or name)

    assert text("{{s}} {{ s }}", s=Slow()) == "s s"
    assert calls == ["s"]
