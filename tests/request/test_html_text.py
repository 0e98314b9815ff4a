"""HTML as text: tables in Markdown, of all else the words."""

from __future__ import annotations

import pandas as pd
import pytest

from claude_nb.request.attachments.html_text import html_text


def test_a_data_frame_is_a_table():
    """With its index, and a bar in a cell that ends no column."""
    frame = pd.DataFrame({"a": [1, 2], "b|": ["x", "y z"]})

    assert html_text(frame._repr_html_()) == (
        "| | a | b\\| |\n| --- | --- | --- |\n| 0 | 1 | x |\n| 1 | 2 | y z |"
    )


def test_cells_that_span_rows_and_columns_leave_the_others_in_their_columns():
    """As in a table with an index of two levels."""
    index = pd.MultiIndex.from_tuples([("n", 1), ("n", 2), ("m", 1)], names=["k", "l"])
    frame = pd.DataFrame({("q", "a"): [1, 2, 3], ("q", "b"): [4, 5, 6]}, index=index)

    rows = html_text(frame._repr_html_()).split("\n")

    assert rows[0] == "| | | q | |"
    assert rows[-3:] == ["| n | 1 | 1 | 4 |", "| n | 2 | 2 | 5 |", "| m | 1 | 3 | 6 |"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>two<br>&amp; more</p><script>var x</script><style>p {}</style>", "two\n& more"),
        ("<table><tr><td>x<table><tr><td>in</table></table>after", "| x in |\n| --- |\n\nafter"),
        ("</table></td>x<table><td>1<td>2<tr><td >3", "x\n\n| 1 | 2 |\n| --- | --- |\n| 3 | |"),
        ("<img src=x><svg><text>1</text></svg>", ""),
        ("<table></table>", ""),
    ],
)  # fmt: skip
def test_html_of_any_kind(html, text):
    """What a reader sees; broken HTML too."""
    assert html_text(html) == text
