"""Budgets for a period: a file that kernels share, and that never reads as "nothing spent"."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from claude_nb.errors import InputError
from claude_nb.request.request import Request
from claude_nb.session import shared_budget as module
from claude_nb.session.reservation import Reservation
from claude_nb.session.shared_budget import SharedBudget

CET = timezone(timedelta(hours=1))


class Clock:
    """A clock that a test sets."""

    def __init__(self, *at: int) -> None:
        self.at = datetime(*at, tzinfo=CET)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock():
    """Noon on the tenth of a month of 30 days."""
    return Clock(2026, 11, 10, 12)


@pytest.fixture
def shared(clock):
    """The user's budgets: a dollar a month."""
    made = SharedBudget(clock)
    made.set(1.0, "month")
    return made


def request(max_tokens=10_000):
    """A request that costs $0.20 at most beside its input, of which 100,000 tokens are $0.40."""
    return Request("Why?", max_tokens=max_tokens, model="claude-opus-5-5")


def spend(shared: SharedBudget, usd: float, name: str = "reply") -> None:
    """Reserve something, and spend it."""
    with shared.opened(name) as accounts:
        for account in accounts:
            account.reserve(usd)
    shared.settle(name, usd, is_exact=True)


def test_without_a_file_there_is_no_budget():
    """And none is made by asking."""
    found = SharedBudget()

    assert (found.budgets(), found.exists, found.batches(["msgbatch_1"])) == ([], False, [])
    assert not found.path.parent.exists()


def test_what_is_reserved_is_in_the_file_until_it_is_spent(shared, clock):
    """Another kernel sees it at once, names the process, and can spend only the rest."""
    made = Reservation([shared])
    fitted = made.fit(request(), [100_000])
    other = SharedBudget(clock)

    (budget,) = other.budgets()
    (part,) = budget.reserved
    assert fitted.max_tokens == 10_000
    assert (part.usd, part.process.split()[0]) == (pytest.approx(0.6), str(os.getpid()))
    assert budget.left == pytest.approx(0.4)
    with pytest.raises(InputError, match=r"the budget of \$1.0000 per month: \$0.4000 are left"):
        Reservation([other]).fit(request(), [100_000])

    made.settle(0.25)
    (budget,) = other.budgets()
    assert (budget.spent, budget.reserved) == (0.25, ())


def test_a_later_request_of_a_reply_replaces_what_it_had_reserved(shared):
    """What it has cost so far is in the new amount."""
    made = Reservation([shared])
    made.fit(request(), [100_000])
    made.fit(request(), [50_000], already=0.3)

    (budget,) = shared.budgets()
    assert [part.usd for part in budget.reserved] == [pytest.approx(0.3 + 0.2 + 0.2)]


@pytest.mark.parametrize(
    ("cost", "is_exact", "spent"), [(0.1, True, 0.1), (0.1, False, 0.6), (0.7, False, 0.7)]
)
def test_what_is_not_known_to_be_less_counts_as_it_was_reserved(shared, cost, is_exact, spent):
    """A reply that broke off may have cost all of it."""
    made = Reservation([shared])
    made.fit(request(), [100_000])

    made.settle(cost, is_exact=is_exact)

    assert shared.budgets()[0].spent == pytest.approx(spent)


def test_what_was_not_sent_is_given_back_and_cannot_be_reserved_again(shared):
    """A count of tokens that returns after the reply was stopped reserves nothing."""
    made = Reservation([shared])
    made.fit(request(), [100_000])
    made.settle()
    made.settle(0.5)

    assert (shared.budgets()[0].spent, shared.budgets()[0].reserved) == (0.0, ())
    with pytest.raises(InputError.__mro__[1], match="Stopped"):
        made.fit(request(), [100_000])


def test_a_reservation_is_left_where_it_does_not_fit_any_more(shared):
    """The reply goes on to cost what its earlier request reserved."""
    made = Reservation([shared])
    made.fit(request(), [100_000])
    with pytest.raises(InputError):
        made.fit(request(), [100_000], already=0.6)

    assert [part.usd for part in shared.budgets()[0].reserved] == [pytest.approx(0.6)]


def test_each_period_has_its_own_money(shared, clock):
    """What was spent yesterday is gone from the month, and not from today."""
    shared.set(0.5, "day")
    shared.set(2.0, "week")
    spend(shared, 0.4)
    clock.at += timedelta(days=1)

    assert [(b.per, b.spent) for b in shared.budgets()] == [
        ("day", 0.0),
        ("week", 0.4),
        ("month", 0.4),
    ]
    tightest = Reservation([shared]).tightest
    assert (tightest.left, tightest.name) == (0.5, "the budget of $0.5000 per day")
    clock.at = datetime(2026, 12, 1, 0, 0, tzinfo=CET)
    assert {budget.spent for budget in shared.budgets()} == {0.0}


def test_what_a_kernel_left_behind_counts_until_the_period_ends(shared, clock):
    """Then it is taken out with the next request."""
    Reservation([shared]).fit(request(), [100_000])
    clock.at += timedelta(days=20)
    assert shared.budgets()[0].left == pytest.approx(0.4)

    clock.at += timedelta(days=10)
    assert shared.budgets()[0].left == 1.0
    Reservation([shared]).fit(request(), [100])
    with sqlite3.connect(shared.path) as file:
        assert file.execute("SELECT count(*) FROM reserved").fetchone() == (1,)
    file.close()


def test_another_sum_forgets_nothing(shared):
    """Neither does a budget that is lifted and set again."""
    spend(shared, 0.4)
    shared.set(3.0, "month")
    assert shared.budgets()[0].left == pytest.approx(2.6)

    shared.lift("month")
    assert shared.budgets() == []
    shared.set(2.0, "month")
    assert shared.budgets()[0].left == pytest.approx(1.6)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_is_a_sum(limit):
    """As that of a kernel is; and no file is made for it."""
    with pytest.raises(InputError, match="A budget must be an amount in USD above 0"):
        SharedBudget().set(limit, "month")
    assert not SharedBudget().exists


def test_the_pace_says_how_the_period_ends(shared, clock):
    """From when money was first counted: $0.20 in two days are $0.10 a day until the end."""
    assert shared.budgets()[0].pace(clock.at) == ""
    spend(shared, 0.2)
    assert shared.budgets()[0].pace(clock.at) == ""  # half a day is no pace
    clock.at = datetime(2026, 11, 12, 0, tzinfo=CET)

    shared.set(5.0, "month")
    assert shared.budgets()[0].pace(clock.at) == "at this pace $2.1000 by then"
    shared.set(1.0, "month")
    assert shared.budgets()[0].pace(clock.at) == "at this pace it is used up on 2026-11-20"


ASK = """
import sys
from claude_nb.errors import InputError
from claude_nb.request.request import Request
from claude_nb.session.reservation import Reservation
from claude_nb.session.shared_budget import shared_budget
for _ in range(20):
    made = Reservation([shared_budget])
    try:
        made.fit(Request("Why?", max_tokens=300, model="claude-opus-5-5"), [1000])  # $0.01
    except InputError as error:
        assert "could exceed the budget" in error.what, error
        continue
    print("sent", flush=True)
    if "dies" in sys.argv:
        import os
        os._exit(0)
    made.settle(0.01)
"""


def test_processes_that_ask_at_the_same_time_never_spend_more_than_there_is():
    """Four of them ask eighty times for a cent each, after one that died in its first request."""
    shared = SharedBudget()
    shared.set(0.25, "month")

    def started(*arguments: str):
        command = [sys.executable, "-c", ASK, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    dead = started("dies")
    assert dead.communicate(timeout=60)[0] == "sent\n"
    others = [started() for _ in range(4)]
    sent = sum(process.communicate(timeout=60)[0].count("sent") for process in others)

    (budget,) = shared.budgets()
    assert [process.returncode for process in (dead, *others)] == [0] * 5
    assert 23 <= sent <= 24
    assert [part.usd for part in budget.reserved] == [pytest.approx(0.01)]
    assert budget.spent == pytest.approx(sent * 0.01)


def test_a_locked_file_refuses(shared, monkeypatch):
    """The request is not sent, and the error says what to do."""
    monkeypatch.setattr(module, "WAIT", 0.01)
    locked = sqlite3.connect(shared.path, isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")

    with pytest.raises(InputError, match=r"database is locked\. Nothing was sent\. Another kern"):
        Reservation([shared]).fit(request(), [10])
    locked.close()
    Reservation([shared]).fit(request(), [10])


def damage(content: bytes):
    """Overwrite the file."""
    return lambda path: path.write_bytes(content)


def edit(statement: str):
    """Change the file by hand."""

    def change(path: Path) -> None:
        file = sqlite3.connect(path, isolation_level=None)
        file.execute("PRAGMA ignore_check_constraints = 1")
        file.execute(statement)
        file.close()

    return change


def half(path: Path) -> None:
    """Cut the file off."""
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damage(b"$0.00 spent\n" * 100), "file is not a database"),
        (damage(b""), "it is empty"),
        (half, "malformed"),
        (Path.unlink, "it is gone"),
        (lambda path: (path.unlink(), path.mkdir()), "unable to open database file"),
        (edit("PRAGMA user_version = 9"), "it is of version 9"),
        (edit("DROP TABLE spent"), "no such table: spent"),
        (edit("UPDATE spent SET usd = 'none'"), "CHECK constraint failed in spent"),
        (edit("UPDATE budget SET since = 'long ago'"), "Invalid isoformat string: 'long ago'"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_refuses(shared, spoil, why):
    """Whatever is done with it; it never reads as "nothing spent"."""
    spend(shared, 0.4)
    spoil(shared.path)

    for use in (
        shared.budgets,
        lambda: Reservation([shared]).fit(request(), [10]),
        lambda: Reservation([shared]).tightest,
    ):
        with pytest.raises(InputError) as caught:
            use()
        assert f"{shared.path} cannot be used: " in caught.value.what
        assert why in caught.value.what
        assert caught.value.advice.startswith("Nothing was sent.")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_budget_that_cannot_be_written_leaves_no_file():
    """On a full disk: an empty file would refuse requests until it is deleted."""
    import resource
    import signal

    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, most))
    try:
        with pytest.raises(InputError, match="cannot be used"):
            SharedBudget().set(1.0, "month")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        signal.signal(signal.SIGXFSZ, before)

    assert SharedBudget().budgets() == []
    assert not SharedBudget().path.exists()


def test_a_file_that_is_gone_can_be_done_without(shared):
    """By lifting the budget; a new one counts anew."""
    spend(shared, 0.4)
    shared.path.unlink()

    with pytest.raises(InputError, match="%claude_nb budget off --per month"):
        shared.budgets()
    shared.lift("month")
    assert shared.budgets() == []
    shared.set(1.0, "month")
    assert shared.budgets()[0].left == 1.0


@contextmanager
def without_rights():
    """Nobody, in a folder of which root's rights are not needed."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("file", "folder", "why"),
    [
        (0o444, 0o777, "attempt to write a readonly database"),
        (0o000, 0o777, "unable to open database file"),
        (0o666, 0o000, "Permission denied"),
    ],
)
def test_a_file_without_rights_refuses(monkeypatch, file, folder, why):
    """One that cannot be written, or read, or even looked for."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)  # noqa: PTH101 - a text
        monkeypatch.setenv("JUPYTER_DATA_DIR", place)
        shared = SharedBudget()
        shared.set(1.0, "month")
        shared.path.chmod(file)
        shared.path.parent.chmod(folder)
        try:
            with without_rights(), pytest.raises(InputError) as caught:
                Reservation([SharedBudget()]).fit(request(), [10])
        finally:
            shared.path.parent.chmod(0o777)
    assert why in caught.value.what


def test_a_cost_that_cannot_be_written_counts_as_it_was_reserved(shared):
    """The reply is there: that is a warning, and the file still holds what was reserved."""
    made = Reservation([shared])
    made.fit(request(), [100_000])
    content = shared.path.read_bytes()
    shared.path.write_bytes(b"")

    with pytest.warns(UserWarning, match="it is empty: what the reply could cost counts as spent"):
        made.settle(0.1)
    shared.path.write_bytes(content)
    assert shared.budgets()[0].left == pytest.approx(0.4)


def test_only_the_user_can_read_it(shared):
    """What was spent is nobody else's business."""
    modes = [path.stat().st_mode & 0o777 for path in (shared.path, shared.path.parent)]
    assert modes == [0o600, 0o700]


def test_what_an_earlier_kernel_reserved_for_batches_is_found_by_their_ids(shared):
    """Where all of them are known: otherwise a part of what they cost would be missing."""
    made = Reservation([shared])
    made.fit(request(), [100_000])
    made.rename("msgbatch_1,msgbatch_2")

    assert shared.batches(["msgbatch_1"]) == []
    (name,) = shared.batches(["msgbatch_2", "msgbatch_1", "msgbatch_0"])
    Reservation([shared], name).settle(0.2)
    assert (shared.budgets()[0].spent, shared.budgets()[0].reserved) == (0.2, ())
