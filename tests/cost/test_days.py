"""Local days, and the periods that they belong to."""

from __future__ import annotations

import time
from datetime import date

import pytest

from claude_nb.cost import days


@pytest.fixture
def in_tokyo(monkeypatch):
    """This computer's time zone is nine hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_a_day_is_a_local_one():
    """The evening in UTC is the next day in Tokyo; what is no moment has no day."""
    moments = ("2026-11-30T14:59:00+00:00", "2026-11-30T15:00:00Z", "2026-11-30T15:00:00", "", "x")

    found = [days.local_day(moment) for moment in moments]

    assert found == ["2026-11-30", "2026-12-01", "2026-12-01", "", ""]
    assert days.note() == "Days are in local time (UTC+09:00)."


@pytest.mark.parametrize(
    ("per", "first", "after"),
    [
        ("day", date(2026, 12, 31), date(2027, 1, 1)),
        ("week", date(2026, 12, 28), date(2027, 1, 4)),
        ("month", date(2026, 12, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_goes_over_the_end_of_a_year(per, first, after):
    """A week begins on Monday, a month on its first day."""
    assert days.period(per, date(2026, 12, 31)) == (first, after)
