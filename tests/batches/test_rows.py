"""A batch's rows: what can be passed, what a template is filled with, and how a row is named."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from claude_nb.batches import rows
from claude_nb.errors import InputError
from claude_nb.request.request import Request

TABLE = pd.DataFrame(
    {"title": ["A", "B"], "body text": ["x", "y"], "body": ["good", "bad"]}, index=["r1", "r1"]
)


def texts(prompts, template=None):
    """What is sent for each row as text; for one that cannot be sent, why."""
    texts = []
    for content in rows.read(prompts, template)[2]:
        try:
            texts.append(content().blocks[0]["text"])
        except InputError as error:
            texts.append(error.what)
    return texts


@pytest.mark.parametrize(
    ("prompts", "template", "expected"),
    [
        (["one", "two"], None, ["one", "two"]),
        (("one", 2), "Say {{prompt}}.", ["Say one.", "Say 2."]),
        ((word for word in ("one", "two")), None, ["one", "two"]),
        (TABLE["body"], None, ["good", "bad"]),
        (TABLE["body"], "Is {{body}} good?", ["Is good good?", "Is bad good?"]),
        (["Lovely", "Awful"], "Good?\n\n{{text}}", ["Good?\n\nLovely", "Good?\n\nAwful"]),
        (["Lovely"], "{{text}}: is {{text}} \\{{good}}?", ["Lovely: is Lovely {{good}}?"]),
        ([{"a": 1}, 2], "{{value}}", ['{"a": 1}', "2"]),
        (pd.Series(["x", "y"]), "{{review}}?", ["x?", "y?"]),
        (pd.Series(["x"], name=0), "{{review}}?", ["x?"]),
        (pl.Series(["x"]), "{{review}}?", ["x?"]),
        (TABLE, "{{title}}: {{ body }}", ["A: good", "B: bad"]),
        (TABLE[["body"]], None, ["good", "bad"]),
        (pl.DataFrame({"a": ["x"], "b": [1]}), "{{a}}{{b}}", ["x1"]),
        (pl.Series("a", ["x", "y"]), "{{a}}?", ["x?", "y?"]),
        ([{"a": 1}, {"a": 2}], "{{a}}!", ["1!", "2!"]),
        (["{{text}}", "x"], "{{text}}", ["{{text}}", "x"]),
    ],
    ids=str,
)
def test_what_can_be_passed(prompts, template, expected):
    """Lists, columns and tables, with a template or without."""
    assert texts(prompts, template) == expected


@pytest.mark.parametrize(
    ("prompts", "template", "said"),
    [
        ("one text", None, "a list of prompts"),
        ([], None, "no prompts"),
        ({"a": 1}, None, r"of type dict.*list\(prompts.values\(\)\), or pandas.DataFrame"),
        (7, None, "of type int"),
        (TABLE, None, "Pass a template"),
        (["one"], "Always the same", "no {{name}}"),
        (["one"], "Only \\{{braces}}", "no {{name}}"),
        (["one"], "{{a}} and {{b}}", "uses {{a}} and {{b}}, but each row is a single value"),
        (["one"], "{{a.b()}}", "{{a.b\\(\\)}} is not a name that a prompt can use"),
        (TABLE["body"], "{{text}}", "The rows have no column text; they have body"),
        (TABLE, "{{titel}}", "no column titel; they have title, body text, body"),
        ([{"a": 1}], "{{a}} {{b}}", "The rows have no column b; they have a"),
        (TABLE, "{{body text}}", "{{body text}} is not a name .*Rename .*: 'body text'"),
        (pd.DataFrame([["x", "y"]]), "{{0}}: {{1}}", "no {{name}}, .*Rename .*: '0', '1'"),
    ],
    ids=str,
)
def test_what_cannot_be_passed_is_said_before_anything_else(prompts, template, said):
    """The error says what would be right."""
    with pytest.raises(InputError, match=said):
        rows.read(prompts, template)


def test_a_missing_value_is_the_row_s_problem_and_not_the_others():
    """NaN, NA, NaT and None are never sent as words; a column that is not used may miss them."""
    prompts = pd.DataFrame({"a": ["x", None, float("nan"), pd.NA, pd.NaT], "b": [None] * 5})
    assert texts(prompts, "{{a}}") == ["x", *["a is missing."] * 4]
    assert texts([None, "x"]) == ["The prompt is missing.", "x"]


def test_a_row_that_cannot_be_sent_says_so_and_nothing_of_the_options_of_a_cell():
    """Blank and missing values, whether there is a template or not; the others are sent."""
    filled = texts([" ", "x", None], "{{text}}")
    assert filled == ["There is nothing to send: {{text}} is blank.", "x", "text is missing."]
    assert texts([{"a": 1}, {"b": 2}], "{{a}}") == ["1", "a is missing."]

    requests = rows.Requests(Request("…"))
    requests.fill([" ", "x"], None)
    assert requests.problems == {0: "The prompt is empty."}
    with pytest.raises(InputError, match=r"No row can be sent\. Row r1: .*{{body}}") as raised:
        requests.fill(pd.DataFrame({"body": ["\n"]}, index=["r1"]), "{{body}}")
    assert "--" not in str(raised.value)


def test_labels_are_the_index_as_it_was():
    """Two rows of one label stay two rows; a table that changes later changes nothing."""
    table = TABLE.copy()
    labels, _, contents = rows.read(table, "{{body}}")
    table.loc[:, "body"] = "changed"
    table.index = ["other", "index"]
    assert list(labels) == ["r1", "r1"]
    assert [content().blocks[0]["text"] for content in contents] == ["good", "bad"]


@pytest.mark.parametrize("name", ["1-2-abc", "x", "3-3-0123456789ab", "1-2-0123456789aB", ""])
def test_only_our_own_ids_are_read(name):
    """A row beyond the end, or another form, is somebody else's."""
    assert rows.parsed_id(name) is None


def test_a_custom_id_says_all_that_finds_a_row():
    """Its number, of how many, and what was asked; in the form that the API takes."""
    requests = rows.Requests(Request("…"))
    requests.fill(["other", "content"], None)
    name = requests.custom_id(1)
    assert rows.parsed_id(name) == (1, 2, rows.digest(b'"content"'))
    assert len(name) <= 64 - 2 * len("99999")  # the longest numbers fit too
