"""``%claude_nb budget``: the budgets of this kernel and of the user, set, shown and lifted."""

from __future__ import annotations

from operator import attrgetter

from claude_nb.cost import days
from claude_nb.errors import InputError, either, nearest
from claude_nb.magics.options import Option, Value, read_dollars
from claude_nb.render import labels
from claude_nb.session.budget import Budget
from claude_nb.session.session import session
from claude_nb.session.shared_budget import PeriodBudget, shared_budget
from claude_nb.views.terminal import say


def _read_period(value: Value, _variables: object) -> str:
    if value.text in days.PERIODS:
        return value.text
    near = nearest(value.text, days.PERIODS)
    hint = f"Did you mean {near}?" if near else ""
    raise InputError(f"{value.text!r} is not {either(days.PERIODS)}.", hint)


PER = Option(
    "per",
    "",
    "|".join(days.PERIODS),
    "a budget for each day, week or month, shared by all your kernels on this computer",
    _read_period,
)


def command(limit: str = "", *, per: str = "") -> None:
    """Set, show or lift a budget.

    Args:
        limit: A sum in USD, ``off``, or an empty text to show what there is.
        per: The period of it; empty for the budget of this kernel.

    Raises:
        InputError: The limit is no such sum, or the file of the user's budgets cannot be used.
    """
    if limit == "off" and per:
        shared_budget.lift(per)
    elif limit == "off":
        if session.budget is None and (shared := shared_budget.budgets()):
            lift = f"To remove a shared one: %claude_nb budget off --per {shared[0].per}"
            say(f"This kernel has no budget of its own. {lift}")
        session.budget = None
    elif limit:
        try:
            usd = read_dollars(Value(limit, quoted=False), {})
        except InputError:
            what = f"%claude_nb budget takes an amount in USD above 0, or off, not {limit!r}."
            raise InputError(what, "For example: %claude_nb budget 20 --per month") from None
        if per:
            shared_budget.set(usd, per)
        else:
            session.budget = Budget(usd, session.ledger.spent)
    _show()


def _show() -> None:
    own, shared = session.budget, shared_budget.budgets()
    if own is None and not shared:
        say("No budget set.")
    if own is not None:
        here = " of this kernel" if shared else ""
        say(f"budget{here}: {labels.money(own.limit)} · {_left(own.limit - own.spent)}")
    for budget in shared:
        say(_line(budget))
    if not shared:
        return
    reserved = dict.fromkeys(part for budget in shared for part in budget.reserved)
    for part in sorted(reserved, key=attrgetter("at")):
        what = f"for batch {part.name}" if part.name.startswith("msgbatch") else "for a reply"
        say(
            f"{labels.money(part.usd)} of it is reserved {what}, by process {part.process}"
            f" since {part.at}. If its kernel has ended, that counts as spent until the period"
            " ends."
        )
    say(f"Shared by all your kernels; simulated replies do not count. {days.note()}")


def _line(budget: PeriodBudget) -> str:
    now = days.local_now()
    left = f"{_left(budget.left)} until {budget.until:%Y-%m-%d}"
    first, _ = days.period(budget.per, now.date())
    since = f"counted since {budget.since:%Y-%m-%d}" if budget.since.date() > first else ""
    parts = [f"budget per {budget.per}: {labels.money(budget.limit)}", left, since]
    return " · ".join(filter(None, [*parts, budget.pace(now)]))


def _left(usd: float) -> str:
    return f"{labels.money(max(0.0, usd))} left"
