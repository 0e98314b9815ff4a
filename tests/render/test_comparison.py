"""Replies side by side, in three forms."""

from __future__ import annotations

import re

from claude_nb.render import comparison
from claude_nb.render.comparison import Side
from tests.played import end, start, text
from tests.protocol import play


def side(name: str, *pieces: str, reason: str = "end_turn", **usage: int) -> Side:
    """A reply that has ended."""
    events = [start(usage={"input_tokens": 25, "output_tokens": 1, **usage}), *text(*pieces)]
    return Side(name, play([events, end(reason, output_tokens=15)])[3])


def open_side(name: str, *pieces: str) -> Side:
    """A reply that is being written."""
    return Side(name, play([[start(), *text(*pieces)[:-1]]])[3])


def test_columns_wrap_by_themselves():
    """Without a style sheet, a script or a variable."""
    page = comparison.page([side("a", "One."), side("b", "Two.")])

    columns = re.findall(r'<div style="(flex:[^"]*)">', page)
    assert len(columns) == 2
    assert "flex-wrap:wrap" in page
    assert not re.search(
        r"<style|<script|var\(|class=\"(?!claude-nb|highlight|mathjax_ignore)", page
    )


def test_each_column_says_what_it_is():
    """Its name, escaped, and how it ended."""
    page = comparison.page([side("a<b", "One."), side("c", "Two", reason="max_tokens")])

    assert "<b>a&lt;b</b>" in page
    assert "<b>c</b>" in page
    assert "Cut off: the reply reached max_tokens" in page


def test_the_table_comes_when_all_have_ended():
    """Before that, nothing of it is known."""
    assert "tokens/s" not in comparison.page([side("a", "One."), open_side("b", "Tw")], now=9.0)
    assert "tokens/s" in comparison.page([side("a", "One."), side("b", "Two.")])


def test_the_table_writes_thousands_with_a_comma():
    """The pace too."""
    ended = end("end_turn", output_tokens=34_825)
    fast = Side("a", play([[start(), *text("One.")], ended])[3])

    assert comparison.table([fast]).rows[0][-1] == "13,930"


def test_the_table_shows_the_cache_where_something_went_through_it():
    """What was read does not count as input, and must not be passed over."""
    plain = comparison.table([side("a", "One.")])
    cached = comparison.table([side("a", "One."), side("b", "Two.", cache_read_input_tokens=900)])

    assert plain.heads == (
        "reply",
        "cost",
        "total",
        "output",
        "input",
        "first text",
        "tokens/s",
    )
    assert cached.heads[3:6] == ("output", "input", "cache read")
    assert cached.rows[1][3:6] == ("15", "25", "900")


def test_the_other_forms_hold_all_of_it():
    """Names, words and the table, and that it is simulated."""
    bundle = comparison.mimebundle([side("a|b", "One."), side("c", "Two.")])

    for form in ("text/markdown", "text/plain"):
        assert "One." in bundle[form]
        assert "Two." in bundle[form]
        assert "simulated" in bundle[form]
    assert "| a&#124;b | &#36;0.0004 | " in bundle["text/markdown"]
    assert re.search(r"\na\|b +\$0.0004 ", bundle["text/plain"])


def test_a_link_of_one_column_is_not_defined_by_another():
    """What is harmless by itself may not be so beside others."""
    sides = [side("a", "[Look][here]."), side("b", "[here]: javascript:alert(1)")]

    markdown = comparison.mimebundle(sides)["text/markdown"]

    assert "[Look][here]" not in markdown


def test_the_record_names_them_and_holds_each():
    """A reply that is one of several is recorded as one alone is."""
    record = comparison.record([side("a", "One."), side("b", "Two.")])

    assert record["comparison"] == ["a", "b"]
    assert [reply["outcome"] for reply in record["replies"]] == ["complete", "complete"]
