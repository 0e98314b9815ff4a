"""The bars of ``%claude_nb usage``: boxes alone, one scale, what is unknown left out."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from claude_nb.cost.usage import Usage
from claude_nb.render.chart import KINDS, MAX_BARS, Chart

WRITE = ("2026-11-23T07:00:00+00:00", Usage(100, 1500, 300, 0, 200))
READ = ("2026-11-23T07:01:10+00:00", Usage(100, 0, 0, 1800, 500))
BROKEN = ("2026-11-23T07:02:00+00:00", Usage(600, 0, 0, 0, None))


def at(when):
    """A time as it is shown: local."""
    return f"{datetime.fromisoformat(when).astimezone():%H:%M:%S}"


def boxes(chart):
    """The bars, each as its boxes from the top: height in pixels and kind."""
    kinds = {colour: kind for kind, colour in KINDS.items()}
    bars = re.findall(
        r'<div style="display:inline-block.*?">((?:<div.*?</div>)*)</div>', html(chart)
    )
    found = [re.findall(r"height:(\d+)px;background:(#\w+)", bar) for bar in bars]
    return [[(int(height), kinds[colour]) for height, colour in bar] for bar in found]


def html(chart):
    """The chart in a notebook."""
    return chart._repr_html_()


def test_each_request_is_a_bar_of_its_kinds():
    """The highest is 72 pixels; 1,800 of 2,400 tokens are 54 of them."""
    assert boxes(Chart([WRITE, READ, BROKEN])) == [
        [(6, "output"), (3, "input"), (54, "cache write")],
        [(15, "output"), (3, "input"), (54, "cache read")],
        [(18, "input")],
    ]


def test_what_is_little_is_seen_nevertheless():
    """A token among a million is a pixel high."""
    assert boxes(Chart([("2026-11-23T07:00:00+00:00", Usage(1, 0, 0, 10**6, 1))])) == [
        [(1, "output"), (1, "input"), (72, "cache read")]
    ]


def test_a_bar_tells_its_numbers():
    """When the pointer rests on it."""
    assert f'title="{at(WRITE[0])}: cache write 1,800, input 100, output 200"' in html(
        Chart([WRITE, READ])
    )


def test_a_request_without_any_count_keeps_its_place():
    """An empty bar, which says that it is unknown."""
    chart = Chart([WRITE, (READ[0], Usage.unknown())])

    assert boxes(chart)[1] == []
    assert f'title="{at(READ[0])}: unknown"' in html(chart)


def test_in_a_terminal_each_kind_is_a_line():
    """All at one scale."""
    assert repr(Chart([WRITE, READ, BROKEN])).split("\n") == [
        "Tokens over time",
        "output       ▁▂",
        "input        ▁▁▂",
        "cache write  ▆",
        "cache read    ▆",
        f"A bar for each request, {at(WRITE[0])} to {at(BROKEN[0])}; the highest is 2,400 tokens.",
    ]


def test_many_requests_share_bars():
    """No page is wide enough for a thousand."""
    chart = Chart([WRITE] * 1000)

    assert len(boxes(chart)) == 59 <= MAX_BARS
    assert "A bar for each 17 requests" in repr(chart)
    assert "the highest is 35,700 tokens" in repr(chart)


def test_more_than_a_day_is_told_with_its_dates():
    """A kernel may live for weeks."""
    later = ("2026-11-25T07:00:00+00:00", READ[1])

    assert "2026-11-2" in repr(Chart([WRITE, later]))
    assert "2026-11-2" not in repr(Chart([WRITE, READ]))


@pytest.mark.parametrize("used", [[], [(READ[0], Usage.unknown())], [(READ[0], Usage())]])
def test_nothing_is_drawn_where_there_is_nothing(used):
    """Neither a frame nor a legend."""
    assert (html(Chart(used)), repr(Chart(used))) == ("", "")


def test_it_holds_nothing_that_an_untrusted_notebook_loses():
    """JupyterLab takes out SVG, styles and scripts, and positions and variables in styles."""
    assert re.findall(r"<(?:svg|style|script)|position:|var\(", html(Chart([WRITE, READ]))) == []
