"""The usage table: its columns in every form, and which of them are left out."""

from __future__ import annotations

from claude_nb.cost.usage import Usage
from claude_nb.render.usage import Row, of_reply, table
from claude_nb.streaming.events import RequestSent
from tests.played import end, said, start, text
from tests.render.test_html import Page
from tests.streaming.test_progress import ACCEPTED, SENT, progress

EVERYTHING = Usage(1_940, 0, 12_000, 180_204, 34_825, 20_000, 12)


def test_cost_and_total_come_first():
    """Then output, thinking, input, the cache, searches and the first text."""
    row = Row("end turn", [EVERYTHING], [0.9], total=125.0, first_text=21.0)

    assert table("stop reason", [row]).heads == (
        "stop reason",
        "cost",
        "total",
        "output",
        "thinking",
        "input",
        "cache write",
        "cache read",
        "searches",
        "first text",
    )


def test_a_column_that_tells_nothing_is_left_out():
    """It is zero or unknown in every row; what is known in one stands in all."""
    rows = [Row("a", [Usage(25, 0, 0, 0, 15, None)], [0.1]), Row("b", [Usage(25)], [0.2])]
    cached = [*rows, Row("c", [Usage(25, 0, 0, 400, 15, 3)], [0.3])]

    assert table("reply", rows).heads == ("reply", "cost", "output", "input")
    assert table("reply", cached).heads[2:] == ("output", "thinking", "input", "cache read")
    assert table("reply", cached).rows[0] == ("a", "$0.1000", "15", "unknown", "25", "0")


def test_a_server_that_counts_nothing_has_no_columns_of_unknowns():
    """Cost and output stay, which everyone looks for; the times are our own."""
    uncounted = [start(usage={}), *text("One"), {"type": "message_stop"}]

    shown = of_reply(progress(SENT, ACCEPTED, *uncounted))

    assert shown.heads == ("stop reason", "cost", "total", "output", "first text")
    assert shown.rows[0][1:4] == ("unknown", "6.0 s", "unknown")


def test_text_breaks_where_a_terminal_ends():
    """At 80 columns, between two columns of the table, each part with its labels."""
    row = Row("end turn", [EVERYTHING], [0.9], total=125.0, first_text=21.0, requests=3)

    lines = repr(table("stop reason", [row])).split("\n")

    assert max(map(len, lines)) <= 80
    assert [line[:11].rstrip() for line in lines] == [
        "stop reason",
        "end turn",
        "",
        "stop reason",
        "end turn",
    ]
    assert lines[0].split()[2:4] == ["cost", "total"]


def test_text_does_not_break_beside_a_long_label():
    """The path of a notebook would be repeated for every column or two."""
    row = Row("/home/user/notebooks/a/rather/long/path.ipynb", [EVERYTHING], [0.9], requests=3)

    assert repr(table("notebook", [row])).count("\n") == 1


def test_a_table_of_a_page_has_only_heads_that_say_something():
    """A real table: its columns' heads and its rows' labels are ``<th>``, and none is empty."""
    made = progress(SENT, ACCEPTED, *said("One"), SENT, ACCEPTED, *said("Two"))
    page = Page(of_reply(made)._repr_html_())

    assert page.tags.count("table") == 1
    assert page.tags.count("th") == len(("stop reason", "1", "2", "all")) + 5
    assert "></th>" not in of_reply(made)._repr_html_()


def test_markdown_is_a_table_without_formulas():
    """Two dollar signs in a paragraph are those of a formula to JupyterLab."""
    made = progress(SENT, ACCEPTED, *said("One"), SENT, ACCEPTED, *said("Two"))

    shown = of_reply(made).to_markdown()

    assert shown.startswith("| stop reason | cost | total | output | input | first text |\n| :-- |")
    assert "\n| all | &#36;0.0008 |" in shown
    assert "$" not in shown


def test_thinking_is_told_where_the_server_counts_it():
    """It is part of the output, and stands behind it."""
    counted = end(output_tokens_details={"thinking_tokens": 7})
    made = progress(RequestSent("claude-opus-5-5"), ACCEPTED, start(), *text("One"), *counted)

    assert of_reply(made).heads[3:5] == ("output", "thinking")
    assert of_reply(made).rows[0][3:5] == ("15", "7")
