"""What a reply or a batch reserves of the budgets, from before it is sent until it is paid for."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from claude_nb.errors import InputError, StoppedError
from claude_nb.request.request import Request
from claude_nb.session.budget import Account, Budget, within_limit
from claude_nb.session.session import Session
from claude_nb.session.shared_budget import SharedBudget, shared_budget

if TYPE_CHECKING:
    from collections.abc import Iterator


def budgets(session: Session, *, simulated: bool) -> list[Budget | SharedBudget]:
    """The budgets that hold for what is sent now: this kernel's, and the user's.

    Args:
        session: The session; while it replays, nothing is spent.
        simulated: Whether the simulator answers, which costs nothing real: this kernel's budget
            counts what it would have cost, the user's does not.

    Raises:
        InputError: The file of the user's budgets cannot be used.
    """
    if session.library is not None:
        return []
    found: list[Budget | SharedBudget] = [] if session.budget is None else [session.budget]
    return found if simulated or not shared_budget.budgets() else [*found, shared_budget]


class Reservation:
    """What is reserved for one reply or batch, until it is known what that has cost.

    Args:
        budgets: The budgets of which it is reserved: see ``budgets``.
        name: A name that it has already, as what an earlier kernel reserved for a batch.

    Attributes:
        name: Its name in the budgets.
    """

    def __init__(self, budgets: Sequence[Budget | SharedBudget], name: str = "") -> None:
        self.name = name or uuid4().hex
        self._budgets = budgets
        self._lock = threading.Lock()
        self._is_made = bool(name)
        self._is_over = False

    @property
    def tightest(self) -> Account | None:
        """The budget of which the least is left, or None without one.

        Raises:
            InputError: The file of the user's budgets cannot be used.
        """
        with self._opened() as accounts:
            return min(accounts, key=lambda account: account.left, default=None)

    def fit(
        self,
        request: Request,
        counted: Sequence[int],
        already: float = 0.0,
        factor: float | None = 1.0,
    ) -> Request:
        """Make requests fit into what is left, and reserve what they can cost.

        Args:
            request: As for ``within_limit``, as are ``counted`` and ``factor``.
            counted: The input of each request.
            already: USD that their reply has cost by earlier requests, which no ledger has yet.
            factor: The part of the price that is paid.

        Returns:
            The request that may be sent.

        Raises:
            InputError: It does not fit, or the file of the user's budgets cannot be used.
            StoppedError: It was settled meanwhile.
        """
        with self._lock:
            if self._is_over:
                raise StoppedError("Stopped.")
            with self._opened() as accounts:
                if not accounts:  # lifted in another kernel
                    return request
                least = min(accounts, key=lambda account: account.left)
                left = least.left - already
                fits, cost = within_limit(request, counted, left, least.name, factor)
                for account in accounts:
                    account.reserve(already + cost)
            self._is_made = True
        return fits

    def rename(self, name: str) -> None:
        """Give it a name by which a later kernel finds it.

        Raises:
            InputError: The file of the user's budgets cannot be used.
        """
        with self._lock:
            for budget in self._budgets if self._is_made else ():
                budget.rename(self.name, name)
            self.name = name

    def settle(self, cost: float = 0.0, *, is_exact: bool = True, simulated: bool = False) -> None:
        """Put what was spent in its place; once, and by default nothing.

        Args:
            cost: USD that are known to be spent.
            is_exact: Whether that is all; otherwise what was reserved counts as spent.
            simulated: Whether the simulator answered, which the user's budgets do not count.
        """
        with self._lock:
            over, self._is_over = self._is_over, True
            for budget in () if over or not self._is_made else self._budgets:
                try:
                    if simulated and isinstance(budget, SharedBudget):
                        budget.settle(self.name, 0.0, is_exact=True)
                    else:
                        budget.settle(self.name, cost, is_exact=is_exact)
                except InputError as error:  # the reply is there, and paid for
                    why = error.what.rstrip(".")
                    warnings.warn(
                        f"{why}: what the reply could cost counts as spent.", stacklevel=2
                    )

    @contextmanager
    def _opened(self) -> Iterator[list[Account]]:
        with ExitStack() as stack:
            opened = [stack.enter_context(each.opened(self.name)) for each in self._budgets]
            yield [account for accounts in opened for account in accounts]
