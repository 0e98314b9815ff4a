"""What a reply may cost, with all its requests: ``--max-cost`` and the budget of the session."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from claude_nb.client.connection import Connection
from claude_nb.client.file_service import count_tokens
from claude_nb.client.retry import Policy
from claude_nb.cost.models import own_prices
from claude_nb.errors import ClaudeError, InputError
from claude_nb.request.request import Request
from claude_nb.session.budget import within_limit
from claude_nb.session.session import Session
from claude_nb.streaming.progress import Progress


class Limits:
    """What may be spent on a reply: each of its requests is made to fit, before it is sent.

    Args:
        connection: Where to have input counted.
        session: Its budget is what replies may cost together; while it replays, they cost nothing.
        policy: How patient to be with failures, or None for the default.
        max_cost: USD for the whole reply, or None.
        limit_name: What notes and errors call ``max_cost``.

    Attributes:
        are_set: Whether there is a limit; a replay spends nothing.
        policy: How patient to be: what broke off is not counted, so with a limit the rest of a
            reply, which would be paid for anew, is not asked for.

    Raises:
        InputError: ``max_cost`` is no such sum, or the user's price file cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        session: Session,
        policy: Policy | None,
        max_cost: float | None,
        limit_name: str,
    ) -> None:
        if max_cost is not None and not max_cost > 0:
            raise InputError(f"max_cost is a sum in USD above 0, not {max_cost:g}.")
        own_prices()  # a price file that cannot be used is an error before anything is sent
        self.policy, self._budget = policy, session.budget
        limited = max_cost is not None or session.budget is not None
        self.are_set = limited and session.library is None
        if session.library is not None:
            self.policy = session.library.policy(policy)
        elif self.are_set:
            self.policy = replace(policy or Policy(), pays_again=False)
        self._connection = connection
        self._max_cost = max_cost
        self._limit_name = limit_name
        self._reserved = ExitStack()

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
            raise ClaudeError("What the reply has cost so far is not known.", "Lift the limit.")
        if request.fallback:
            option = request.option("fallback")
            name = self._limit_name if self._budget is None else self._budget.name
            raise InputError(
                f"With {option} the API chooses which models answer, so {name} cannot be kept.",
                f"Nothing was sent. Leave {option} out, or lift the limit.",
            )
        tokens = await count_tokens(self._connection, request)
        if self._max_cost is not None:
            left = self._max_cost - spent
            request, _ = within_limit(request, [tokens], left, self._limit_name)
        self.close()
        if self._budget is not None:
            reserved = self._budget.reserve(request, [tokens], spent)
            request = self._reserved.enter_context(reserved)
        return request

    def close(self) -> None:
        """Give back what was reserved for requests that are over."""
        self._reserved.close()
