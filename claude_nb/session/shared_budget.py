"""Budgets for a day, a week or a month, in a file that all kernels of the user share.

SQLite locks the file, between processes and on every system, and writes a change whole or not at
all. What a request can cost is in the file before it is sent, and is replaced by what it did cost.
A kernel that ends before its reply leaves what it had reserved, which counts until the period ends.
A file that cannot be locked, read or written refuses requests: it never means that nothing is
spent.

Days are local ones (``cost.days``).
"""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path

from claude_nb.cost.days import PERIODS, local_now, period
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.session.budget import Account, check_limit

WAIT = 5.0
"""Seconds to wait for another kernel that has locked the file."""

_VERSION = 1
_GONE = "it is gone"
_SCHEMA = """\
CREATE TABLE budget (per TEXT PRIMARY KEY,
    usd REAL CHECK (typeof(usd) = 'real' AND usd > 0), since TEXT NOT NULL);
CREATE TABLE spent (day TEXT PRIMARY KEY, usd REAL CHECK (typeof(usd) = 'real' AND usd >= 0));
CREATE TABLE reserved (name TEXT PRIMARY KEY, day TEXT NOT NULL,
    usd REAL CHECK (typeof(usd) = 'real' AND usd >= 0), process TEXT NOT NULL, at TEXT NOT NULL);
"""

_SOON = {"day": timedelta(hours=1), "week": timedelta(days=1), "month": timedelta(days=1)}
"""How long it takes until what was spent in a period is a pace."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a request that is under way can cost, or one whose kernel ended before its reply.

    Attributes:
        name: A random name, or the ids of the batches that it is for, with commas between them.
        usd: How much.
        process: The process that reserved it, such as ``"4242 on laptop"``.
        at: When, as ISO 8601 in local time.
    """

    name: str
    usd: float
    process: str
    at: str


@dataclass(frozen=True, slots=True)
class PeriodBudget:
    """A budget for a period, and what there is of it now.

    Attributes:
        per: One of ``PERIODS``.
        limit: USD.
        spent: USD that were spent in this period, without what is reserved.
        reserved: What is reserved in it.
        since: The moment from which on what was spent is known: the period's beginning, or later.
        until: The end of the period.
    """

    per: str
    limit: float
    spent: float
    reserved: tuple[Reserved, ...]
    since: datetime
    until: datetime

    @property
    def left(self) -> float:
        """USD that may yet be spent in this period."""
        return self.limit - self.spent - sum(part.usd for part in self.reserved)

    @property
    def name(self) -> str:
        """What it is called in notes and errors."""
        return f"the budget of {labels.money(self.limit)} per {self.per}"

    def pace(self, now: datetime) -> str:
        """What the rest of the period looks like if it goes on as it has gone so far.

        Args:
            now: The present.

        Returns:
            A few words; empty where too little time has passed, or nothing was spent.
        """
        passed = now - self.since
        if passed < _SOON[self.per] or not self.spent:
            return ""
        rate = self.spent / passed.total_seconds()
        total = self.spent + rate * (self.until - now).total_seconds()
        if total <= self.limit:
            return f"at this pace {labels.money(total)} by then"
        lasts = now + timedelta(seconds=max(0.0, self.left) / rate)
        return f"at this pace it is used up on {_moment(lasts, self.per)}"


class SharedBudget:
    """The user's budgets with a period, and what was spent since they were set.

    Args:
        now: Tells the time, with its time zone.
    """

    def __init__(self, now: Callable[[], datetime] = local_now) -> None:
        self._now = now
        self._seen: set[Path] = set()  # files that were there: one that is gone is no "no budget"

    @property
    def path(self) -> Path:
        """The file: in Jupyter's data folder, which ``JUPYTER_DATA_DIR`` can move."""
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir()).absolute() / "claude_nb" / "budget.sqlite"

    @property
    def exists(self) -> bool:
        """Whether there is such a file.

        Raises:
            InputError: It cannot be known, or the file that was there is gone.
        """
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            if self.path in self._seen:
                raise self._unusable(_GONE) from None
            return False
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        self._seen.add(self.path)
        return True

    def budgets(self) -> list[PeriodBudget]:
        """The budgets as they are now, the shortest period first.

        Raises:
            InputError: The file cannot be used.
        """
        if not self.exists:
            return []
        with self._changing() as file:
            return self._budgets(file)

    def set(self, limit: float, per: str) -> None:
        """Set a budget; what is spent already in a period with one counts on.

        Raises:
            InputError: It is no such sum, or the file cannot be used.
        """
        check_limit(limit)
        self._seen.discard(self.path)
        is_new = not self.exists
        try:
            with self._changing(create=is_new) as file:
                file.execute(
                    "INSERT INTO budget VALUES (?, ?, ?)"
                    " ON CONFLICT (per) DO UPDATE SET usd = excluded.usd",
                    (per, limit, self._now().isoformat()),
                )
        except InputError:
            if is_new:  # on a full disk SQLite leaves an empty one, which would refuse requests
                self._remove_empty()
            raise
        self._seen.add(self.path)

    def lift(self, per: str) -> None:
        """Lift the budget for a period.

        Raises:
            InputError: The file cannot be used.
        """
        self._seen.discard(self.path)
        if self.exists:
            with self._changing() as file:
                file.execute("DELETE FROM budget WHERE per = ?", (per,))

    @contextmanager
    def opened(self, reservation: str) -> Iterator[list[Account]]:
        """Lock the budgets, so that something can be reserved of them.

        Args:
            reservation: The name of what is reserved; an earlier amount of that name is replaced.

        Yields:
            An account of each budget.

        Raises:
            InputError: The file cannot be used.
        """
        with self._changing() as file:
            budgets = self._budgets(file, without=reservation)
            reserve = partial(self._reserve, file, reservation)
            yield [Account(budget.left, budget.name, reserve) for budget in budgets]

    def rename(self, reservation: str, name: str) -> None:
        """Give what is reserved another name.

        Raises:
            InputError: The file cannot be used.
        """
        with self._changing() as file:
            file.execute("UPDATE reserved SET name = ? WHERE name = ?", (name, reservation))

    def settle(self, reservation: str, cost: float, *, is_exact: bool) -> None:
        """Put what was spent in the place of what was reserved; without that nothing changes.

        Args:
            reservation: The name of what was reserved.
            cost: USD that are known to be spent.
            is_exact: Whether that is all; otherwise what was reserved counts as spent.

        Raises:
            InputError: The file cannot be used.
        """
        with self._changing() as file:
            for day, usd in file.execute(
                "SELECT day, usd FROM reserved WHERE name = ?", (reservation,)
            ).fetchall():
                spent = cost if is_exact else max(cost, usd)
                file.execute(
                    "INSERT INTO spent VALUES (?, ?)"
                    " ON CONFLICT (day) DO UPDATE SET usd = usd + excluded.usd",
                    (day, spent),
                )
            file.execute("DELETE FROM reserved WHERE name = ?", (reservation,))

    def batches(self, ids: Iterable[str]) -> list[str]:
        """The names of what is reserved for these batches, by this kernel or an earlier one.

        Raises:
            InputError: The file cannot be used.
        """
        if not self.exists:
            return []
        known = set(ids)
        with self._changing() as file:
            names = [name for (name,) in file.execute("SELECT name FROM reserved").fetchall()]
        return [name for name in names if known.issuperset(name.split(","))]

    def _budgets(self, file: sqlite3.Connection, without: str = "") -> list[PeriodBudget]:
        """The budgets, and what is reserved in each but under one name."""
        now, found = self._now(), []
        (known,) = file.execute("SELECT min(day) FROM spent").fetchone()
        for per, limit, since in file.execute("SELECT per, usd, since FROM budget").fetchall():
            first, after = period(per, now.date())
            (spent,) = file.execute(
                "SELECT total(usd) FROM spent WHERE day >= ?", (str(first),)
            ).fetchone()
            reserved = file.execute(
                "SELECT name, usd, process, at FROM reserved WHERE day >= ? AND name != ?"
                " ORDER BY at, rowid",
                (str(first), without),
            ).fetchall()
            try:
                began = datetime.fromisoformat(since)
                if known is not None:
                    began = min(began, _midnight(date.fromisoformat(known), now))
            except (TypeError, ValueError) as error:
                raise self._unusable(str(error)) from None
            found.append(
                PeriodBudget(
                    per,
                    limit,
                    spent,
                    tuple(Reserved(*row) for row in reserved),
                    max(began, _midnight(first, now)),
                    _midnight(after, now),
                )
            )
        return sorted(found, key=lambda budget: PERIODS.index(budget.per))

    def _reserve(self, file: sqlite3.Connection, reservation: str, usd: float) -> None:
        now = self._now()
        oldest = min(period(per, now.date())[0] for per in PERIODS)
        file.execute("DELETE FROM reserved WHERE day < ?", (str(oldest),))
        process = f"{os.getpid()} on {platform.node()}"
        at = now.isoformat(timespec="seconds")
        file.execute(
            "INSERT OR REPLACE INTO reserved VALUES (?, ?, ?, ?, ?)",
            (reservation, str(now.date()), usd, process, at),
        )

    @contextmanager
    def _changing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """The file, locked; what is changed in it is written at the end of the context.

        Args:
            create: Whether it is to be made.
        """
        if not create and not self.exists:
            raise self._unusable(_GONE)
        try:
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            mode = "rwc" if create else "rw"
            address = f"{self.path.as_uri()}?mode={mode}"
            connected = sqlite3.connect(address, uri=True, timeout=WAIT, isolation_level=None)
            with closing(connected) as file:
                file.execute("BEGIN IMMEDIATE")
                self._check(file, create=create)
                yield file
                file.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from None
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None

    def _check(self, file: sqlite3.Connection, *, create: bool) -> None:
        """Check that the file is whole, and one of this version; one that is new is filled."""
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version == 0 and create:
            for statement in _SCHEMA.split(";")[:-1]:
                file.execute(statement)
            file.execute(f"PRAGMA user_version = {_VERSION}")
            self.path.chmod(0o600)
        elif version != _VERSION:
            is_empty = not self.path.stat().st_size
            raise self._unusable("it is empty" if is_empty else f"it is of version {version}")
        (result,) = file.execute("PRAGMA quick_check(1)").fetchone()
        if result != "ok":
            raise self._unusable(str(result))

    def _remove_empty(self) -> None:
        """Remove the file if nothing could be written into it."""
        with suppress(OSError):
            if not self.path.stat().st_size:
                self.path.unlink()

    def _unusable(self, reason: str) -> InputError:
        forget = f"import os; os.remove({str(self.path)!r})"
        advice = f"Fix that, or delete the file with all recorded spending: {forget}"
        if "locked" in reason:
            advice = "Another kernel is using it. Run this again."
        elif reason == _GONE:
            advice = "To go on without a budget: %claude_nb budget off --per month"
        return InputError(
            f"The budget file {self.path} cannot be used: {reason}.", f"Nothing was sent. {advice}"
        )


def _midnight(day: date, now: datetime) -> datetime:
    """The beginning of a local day."""
    return datetime.combine(day, time(), now.tzinfo)


def _moment(when: datetime, per: str) -> str:
    return f"{when:%Y-%m-%d at %H:%M}" if per == "day" else f"{when:%Y-%m-%d}"


shared_budget = SharedBudget()
"""The user's."""
