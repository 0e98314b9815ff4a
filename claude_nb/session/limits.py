"""What a reply may cost, with all its requests: ``--max-cost`` and the budgets."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from claude_nb.client.connection import Connection
from claude_nb.client.file_service import count_tokens
from claude_nb.client.retry import Policy
from claude_nb.cost.models import own_prices
from claude_nb.errors import ClaudeError, DroppedError, InputError, UnreachableError
from claude_nb.request.request import Request
from claude_nb.session.budget import within_limit
from claude_nb.session.reservation import Reservation, budgets
from claude_nb.session.session import Session
from claude_nb.streaming.progress import Outcome, Progress


class Limits:
    """What may be spent on a reply: each of its requests is made to fit, before it is sent.

    Args:
        connection: Where to have input counted.
        session: Its budget, and the user's, are what replies may cost together; while it replays,
            they cost nothing.
        policy: How to retry after failures, or None for the default.
        max_cost: USD for the whole reply, or None.
        limit_name: What notes and errors call ``max_cost``.
        sends: Whether anything is sent: of a kept answer nothing is, so that it costs nothing.

    Attributes:
        are_set: Whether there is a limit; a replay spends nothing.
        policy: How patient to be: what broke off is not counted, so with a limit the rest of a
            reply, which would be paid for anew, is not asked for.

    Raises:
        InputError: ``max_cost`` is no such sum, or the user's price file or the file of the user's
            budgets cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        session: Session,
        policy: Policy | None,
        max_cost: float | None,
        limit_name: str,
        *,
        sends: bool = True,
    ) -> None:
        if max_cost is not None and not max_cost > 0:
            raise InputError(f"max_cost must be an amount in USD above 0, not {max_cost:g}.")
        own_prices()  # a price file that cannot be used is an error before anything is sent
        self.policy = policy
        holding = budgets(session, simulated=connection.simulated) if sends else []
        self._reservation = Reservation(holding)
        costs = sends and session.library is None
        self.are_set = bool(holding) or (max_cost is not None and costs)
        if session.library is not None:
            self.policy = session.library.policy(policy)
        elif self.are_set:
            self.policy = replace(policy or Policy(), pays_again=False)
        self._connection = connection
        self._max_cost = max_cost
        self._limit_name = limit_name

    async def within_limits(self, request: Request, so_far: Progress) -> Request:
        """Make a request fit into what is left.

        Args:
            request: What is to be sent.
            so_far: What the reply has become, and cost, by the requests before it.

        Raises:
            InputError: It does not fit.
            ClaudeError: Its input cannot be counted.
        """
        spent = so_far.cost
        if spent is None or so_far.unpriced:
            raise ClaudeError("The cost of the reply so far is unknown.", "Lift the limit.")
        if request.fallback:
            option = request.option("fallback")
            tightest = await asyncio.to_thread(lambda: self._reservation.tightest)
            name = self._limit_name if tightest is None else tightest.name
            raise InputError(
                f"With {option} the API chooses which models answer, so {name} cannot be enforced.",
                f"Nothing was sent. Leave {option} out, or lift the limit.",
            )
        tokens = await count_tokens(self._connection, request)
        if self._max_cost is not None:
            left = self._max_cost - spent
            request, _ = within_limit(request, [tokens], left, self._limit_name)
        # On a thread of its own: another kernel may hold the file of the user's budgets.
        return await asyncio.to_thread(self._reservation.fit, request, [tokens], spent)

    def settle(self, reply: Progress) -> None:
        """Put what a reply has cost in the place of what was reserved for it.

        Where that is not known, because it broke off, what it could cost counts.

        Args:
            reply: The reply, which is in the ledger.
        """
        known = sum(attempt.cost or 0.0 for attempt in reply.attempts)
        self._reservation.settle(known, is_exact=_is_exact(reply), simulated=reply.simulated)

    def close(self) -> None:
        """Give back what was reserved for a request that was not sent."""
        self._reservation.settle()


def _is_exact(reply: Progress) -> bool:
    """Whether it is known what a reply has cost."""
    last, error = reply.last, reply.error
    broke_off = reply.outcome in (Outcome.STREAMING, Outcome.STOPPED) or (
        isinstance(error, DroppedError) or (isinstance(error, UnreachableError) and error.connected)
    )
    # A server may go on with a request of which no answer has arrived yet.
    unanswered = last is not None and not last.accepted and broke_off
    return reply.cost is not None and not reply.unpriced and not unanswered
