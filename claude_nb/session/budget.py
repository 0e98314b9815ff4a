"""What a request may cost, found out before it is sent: its input counted, its output at most.

A running stream is never stopped on an estimate: no count in mid-stream is true. So a limit holds
because nothing is sent that could go beyond it, but for what the server's tools find on the web.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from claude_nb.cost.models import facts
from claude_nb.cost.usage import MILLION, Usage, known
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.request.extra import priced_field
from claude_nb.request.request import Request
from claude_nb.request.server_tools import includes_code, kind, versioned
from claude_nb.request.system import System

MIN_OUTPUT = 256
"""Output tokens below which a reply would not be worth its input."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request will cost, as far as it can be known before it is sent.

    Attributes:
        request: What would be sent.
        input_tokens: The whole prompt, as the API counts it: close to what is billed.
        low: USD if hardly anything comes back, and all that is marked is read from the cache; None
            where the price is not known.
        high: USD if ``max_tokens`` come back, and all that is marked is written to the cache; None
            too where a model may answer that the API chooses.
    """

    request: Request
    input_tokens: int
    low: float | None
    high: float | None


def estimate(request: Request, input_tokens: int) -> Estimate:
    """The price range of a request.

    Args:
        request: What is to be sent.
        input_tokens: Its input, counted.
    """
    model = facts(request.model)
    cheapest, dearest = _input(request, input_tokens)
    highest = replace(dearest, output_tokens=request.max_tokens).cost(model)
    return Estimate(
        request,
        input_tokens,
        cheapest.cost(model),
        None if request.fallback else highest,  # another model may answer too
    )


def within_limit(
    request: Request,
    counted: Sequence[int],
    limit: float,
    limit_name: str,
    factor: float | None = 1.0,
) -> tuple[Request, float]:
    """Make a request, or several that are alike, cost no more than a limit: by less output.

    Args:
        request: What is to be sent; of several, what they have in common.
        counted: The input of each, counted.
        limit: USD, for all of them.
        limit_name: What notes and errors call the limit.
        factor: The part of the price that is paid, or None where that is not known.

    Returns:
        The request, its ``max_tokens`` lowered and a note added where that is needed; and what all
        of them can cost then, in USD.

    Raises:
        InputError: The price is not known, or the input alone takes too much.
    """
    if (name := priced_field(request.extra or {})) is not None:
        raise InputError(
            f"extra contains {name}, which may cost something, so {limit_name} cannot be enforced.",
            "Nothing was sent. Leave it out, or lift the limit.",
        )
    uses = _uses(request, limit_name)
    searches = uses.get("web_search", 0)
    model, wanted = facts(request.model), request.max_tokens
    prices = [model.price_for(tokens) if model else None for tokens in counted]
    inputs = known(sum, [_input(request, tokens)[1].cost(model) for tokens in counted])
    output = known(sum, [price.output if price else None for price in prices])
    input_cost = known(math.prod, (inputs, factor))
    rate = known(math.prod, (output, factor))
    per_search = model.web_search_per_1000 if model and searches else 0.0
    if input_cost is None or rate is None or per_search is None:
        where = "" if factor == 1 else " in a batch"
        raise InputError(
            f"The price of {request.model}{where} is unknown, so {limit_name} cannot be enforced.",
            "Nothing was sent. Use a model with a known price (%claude_nb models), or lift the"
            " limit.",
        )
    left = (limit - input_cost) * MILLION
    each = per_search * len(counted) * MILLION / 1000  # what one search of every request costs
    if wanted * rate + searches * each > left and each:
        # Searches get half of what is left, or one: an answer that cannot be written is no use.
        searches = uses["web_search"] = min(searches, max(1, math.floor(left / 2 / each)))
    request = _with_uses(request, uses, limit_name)
    left -= searches * each
    paid = input_cost + searches * each / MILLION
    if wanted * rate <= left:
        return request, paid + wanted * rate / MILLION
    affordable = math.floor(left / rate) if rate else 0
    if affordable < MIN_OUTPUT:
        raise InputError(
            f"This could exceed {limit_name}: {labels.money(max(0.0, limit))} are left, and the"
            f" input alone, {labels.counted(sum(counted), 'token')}"
            f"{' and a search' if each else ''}, can cost {labels.money(paid)}.",
            "Nothing was sent. Send less, or raise the limit.",
        )
    note = (
        f"max tokens lowered from {labels.count(wanted)} to {labels.count(affordable)}:"
        f" {labels.money(limit)} are left of {limit_name}"
    )
    fits = replace(request, max_tokens=affordable, notes=(*request.notes, note))
    return fits, paid + affordable * rate / MILLION


def _uses(request: Request, limit_name: str) -> dict[str, int]:
    """How often a request may have the server's tools used that are bounded, by their names.

    Raises:
        InputError: Nothing bounds how often the server runs a tool.
    """
    found: dict[str, int] = {}
    tools = (request.tools or ()) if request.uses_tools else ()
    free_code = includes_code([versioned(tool, request.model) for tool in tools])
    for tool in tools:
        name, most = kind(tool), tool.get("max_uses")
        unbounded = tool.get("mcp_server_name")  # its results are input, as long as they may be
        if name == "code_execution" and not free_code:
            unbounded = name
        if unbounded:
            raise InputError(
                f"The cost of {unbounded} has no upper bound, so {limit_name} cannot be enforced.",
                f"Nothing was sent. Leave {unbounded} out, or lift the limit.",
            )
        if name not in ("web_search", "web_fetch"):
            continue
        if not isinstance(most, int):
            bounded = f"Tools.{name}(max_uses=3)"
            how = f"{name} = claude_nb.{bounded}" if request.in_cell else f"tools=[{bounded}]"
            raise InputError(
                f"Claude may use {name} any number of times, so {limit_name} cannot be enforced.",
                f"Nothing was sent. Set max_uses: {how}",
            )
        found[name] = most
    return found


def _with_uses(request: Request, uses: dict[str, int], limit_name: str) -> Request:
    """A request that may have the server's tools used so often, with notes on that."""
    words = [labels.searches(uses["web_search"])] if "web_search" in uses else []
    if (fetches := uses.get("web_fetch")) is not None:
        words.append(f"{fetches} fetch{'' if fetches == 1 else 'es'}")
    if not words:
        return request
    bound = f"at most {' and '.join(words)}; {limit_name} does not bound what their results cost"
    tools = tuple(
        {**tool, "max_uses": uses["web_search"]} if kind(tool) == "web_search" else tool
        for tool in request.tools or ()
    )
    notes = [bound]
    if tools != request.tools:
        fewer = uses["web_search"]
        notes.append(f"max_uses of web_search lowered to {fewer}: {limit_name} pays for no more")
    return replace(request, tools=tools, notes=(*request.notes, *notes))


def _input(request: Request, tokens: int) -> tuple[Usage, Usage]:
    """The input at its cheapest and at its dearest: what is marked is read, or it is written."""
    if not request.is_cached:
        return Usage(input_tokens=tokens), Usage(input_tokens=tokens)
    if isinstance(request.system, System) and request.system.ttl == "1h":
        return Usage(cache_read_tokens=tokens), Usage(cache_write_1h_tokens=tokens)
    return Usage(cache_read_tokens=tokens), Usage(cache_write_5m_tokens=tokens)


@dataclass(frozen=True, slots=True)
class Account:
    """A budget while nobody else can reserve anything of it.

    Attributes:
        left: USD that may yet be spent, without what is reserved for others.
        name: What the budget is called in notes and errors.
        reserve: Reserves so many USD.
    """

    left: float
    name: str
    reserve: Callable[[float], object]


def check_limit(limit: float) -> None:
    """Check that a budget can be so high.

    Raises:
        InputError: The limit is not a number above 0.
    """
    if not 0 < limit < math.inf:
        raise InputError(f"A budget must be an amount in USD above 0, not {limit:g}.")


class Budget:
    """A limit on what the replies of this kernel cost together.

    Args:
        limit: USD.
        spent: Says what was spent so far, in USD; what is spent from now on counts.

    Raises:
        InputError: The limit is not a number above 0.
    """

    def __init__(self, limit: float, spent: Callable[[], float]) -> None:
        check_limit(limit)
        self.limit = limit
        self._spent = spent
        self._before = spent()
        self._unknown = 0.0  # what was reserved where it is unknown what was spent
        self._reserved: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """USD that are spent of it; replies that are under way are not counted.

        Of a reply that broke off it is not known what it has cost: what it could cost counts.
        """
        return self._spent() - self._before + self._unknown

    @property
    def left(self) -> float:
        """USD that may yet be spent, without what is reserved for replies that are under way."""
        return self.limit - self.spent - sum(self._reserved.values())

    @property
    def name(self) -> str:
        """What it is called in notes and errors."""
        return f"the budget of {labels.money(self.limit)}"

    @contextmanager
    def opened(self, reservation: str) -> Iterator[list[Account]]:
        """Lock the budget, so that something can be reserved of it.

        Args:
            reservation: The name of what is reserved; an earlier amount of that name is replaced.

        Yields:
            Its account.
        """
        with self._lock:
            left = self.left + self._reserved.get(reservation, 0.0)
            yield [Account(left, self.name, partial(self._reserved.__setitem__, reservation))]

    def rename(self, reservation: str, name: str) -> None:
        """Give what is reserved another name."""
        with self._lock:
            self._reserved[name] = self._reserved.pop(reservation)

    def settle(self, reservation: str, cost: float, *, is_exact: bool) -> None:
        """Give back what was reserved.

        Args:
            reservation: Its name.
            cost: USD that were spent, as the ledger has them.
            is_exact: Whether that is all; otherwise what was reserved counts as spent.
        """
        with self._lock:
            usd = self._reserved.pop(reservation, 0.0)
            self._unknown += 0.0 if is_exact else max(0.0, usd - cost)
