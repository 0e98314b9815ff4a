"""Local days and periods: a day is one of this computer's clock and time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

PERIODS = ("day", "week", "month")
"""The periods of which each has a first day; a week begins on Monday."""


def local_now() -> datetime:
    """The present, in local time."""
    return datetime.now().astimezone()


def local_day(moment: str) -> str:
    """The local day of a moment in ISO 8601, as "2026-11-30"; empty for what is no moment."""
    try:
        found = datetime.fromisoformat(moment)
        return str((found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone().date())
    except (ValueError, OverflowError, OSError):
        return ""


def note() -> str:
    """The sentence that says which days are meant."""
    return f"Days are in local time (UTC{local_now().isoformat()[-6:]})."


def period(per: str, day: date) -> tuple[date, date]:
    """The period that a day belongs to.

    Args:
        per: One of ``PERIODS``.
        day: The day.

    Returns:
        Its first day, and the first day after it.
    """
    if per == "day":
        return day, day + timedelta(days=1)
    if per == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)
