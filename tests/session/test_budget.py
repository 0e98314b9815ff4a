"""What a request may cost, before it is sent."""

from __future__ import annotations

import math

import pytest

from claude_nb.errors import InputError
from claude_nb.request.request import Request
from claude_nb.request.system import System, SystemPart
from claude_nb.session.budget import Budget, Estimate, estimate, within_limit

# USD per million tokens of claude-opus-5-5: input 4, output 20, writes 5 and 8, reads 0.20.
MODEL = "claude-opus-5-5"


def request(max_tokens=10_000, **fields: object):
    """A request to the model whose prices stand above."""
    return Request("Why?", max_tokens=max_tokens, **{"model": MODEL, **fields})


@pytest.mark.parametrize(
    ("fields", "low", "high"),
    [
        ({}, 0.4, 0.4 + 0.2),
        ({"system": System((SystemPart("manual", "Be brief."),))}, 0.02, 0.5 + 0.2),
        ({"system": System((SystemPart("manual", "Be brief."),), ttl="1h")}, 0.02, 0.8 + 0.2),
        ({"model": "claude-of-tomorrow"}, None, None),
    ],
)
def test_an_estimate_is_a_range(fields, low, high):
    """From all read and no output to all written and the most output; unknown stays unknown."""
    asked = Request("Why?", **{"model": MODEL, "max_tokens": 10_000} | fields)

    found = estimate(asked, 100_000)

    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found == Estimate(asked, 100_000, found.low, found.high)


def test_what_fits_is_sent_as_it_is():
    """Also where it fits to the cent."""
    asked = request()

    assert within_limit(asked, [100_000], 0.6001, "--max-cost") == (asked, pytest.approx(0.6))


def search(**options: object) -> dict[str, object]:
    """The definition of the server's search."""
    return {"type": "web_search_20250305", "name": "web_search", **options}


BOUND = "at most {} searches; --max-cost does not bound what their results cost"


def test_searches_that_fit_are_paid_for():
    """$0.40 of input, $0.20 of output at most, and 3 searches for $0.03."""
    fitted, cost = within_limit(
        request(tools=(search(max_uses=3),)), [100_000], 0.631, "--max-cost"
    )

    assert (fitted.max_tokens, cost) == (10_000, pytest.approx(0.63))
    assert fitted.tools == (search(max_uses=3),)
    assert fitted.notes == (BOUND.format(3),)


def test_searches_are_lowered_to_what_the_limit_pays_for():
    """They get half of the $0.10 that is left, the answer the rest: 5 searches, 2,500 tokens."""
    asked = request(tools=(search(max_uses=20, allowed_domains=["example.org"]),))

    fitted, cost = within_limit(asked, [0], 0.10, "--max-cost")

    assert fitted.tools == (search(max_uses=5, allowed_domains=["example.org"]),)
    assert fitted.max_tokens in (2_499, 2_500)
    assert cost <= 0.10
    assert fitted.notes == (
        BOUND.format(5),
        "max_uses of web_search lowered to 5: --max-cost pays for no more",
        f"max tokens lowered from 10,000 to {fitted.max_tokens:,}: $0.1000 are left of --max-cost",
    )


def test_searches_of_a_batch_are_those_of_all_its_rows():
    """Ten rows may search twice each: $0.20, at the full price; the output of each is $0.01."""
    asked = request(max_tokens=1_000, tools=(search(max_uses=2),))

    fitted, cost = within_limit(asked, [0] * 10, 0.31, "max_cost", 0.5)

    assert (fitted.tools, fitted.max_tokens, cost) == (asked.tools, 1_000, pytest.approx(0.3))


@pytest.mark.parametrize(
    ("tool", "limit", "what"),
    [
        (search(), 1.0, "Claude may use web_search any number of times, so --max-cost"),
        (
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            1.0,
            "Claude may use web_fetch any number",
        ),
        (
            {"type": "code_execution_20250825", "name": "code_execution"},
            1.0,
            "The cost of code_execution has no",
        ),
        (search(max_uses=20), 0.012, "This could exceed --max-cost: $0.0120 are left, and the"),
    ],
)
def test_what_nothing_bounds_is_refused_under_a_limit(tool, limit, what):
    """Before it is sent; so is what the limit cannot pay for with one search."""
    with pytest.raises(InputError) as caught:
        within_limit(request(tools=(tool,)), [100], limit, "--max-cost")

    assert caught.value.what.startswith(what)
    assert "Nothing was sent." in caught.value.advice
    assert within_limit(request(tools=(tool,), uses_tools=False), [100], 1.0, "--max-cost")


def test_code_that_the_price_of_searches_covers_is_no_obstacle():
    """Beside the newer versions it is free; definitions without a version are bounded too."""
    free = ({"name": "web_search", "max_uses": 1}, {"name": "code_execution"})

    fitted, _ = within_limit(request(tools=free), [100], 1.0, "--max-cost")

    assert fitted.notes == (BOUND.format(1).replace("searches", "search"),)
    with pytest.raises(InputError, match="The cost of code_execution has no upper bound"):
        within_limit(request(model="claude-haiku-4-5", tools=free), [100], 1.0, "--max-cost")


def test_output_is_lowered_to_what_is_affordable():
    """And it is said; at its most, the reply then costs the limit."""
    fitted, cost = within_limit(request(), [100_000], 0.5, "--max-cost")

    assert fitted.max_tokens in (4_999, 5_000)
    assert estimate(fitted, 100_000).high == pytest.approx(cost)
    assert cost <= 0.5
    assert fitted.notes == (
        f"max tokens lowered from 10,000 to {fitted.max_tokens:,}: $0.5000 are left of --max-cost",
    )


@pytest.mark.parametrize("limit", [0.4, 0.39, 0.0, -1.0, 0.405])
def test_input_that_leaves_nothing_for_a_reply_is_refused(limit):
    """Nothing is sent, and the error says how much is needed."""
    with pytest.raises(InputError, match=r"can cost \$0\.4000\. Nothing was sent"):
        within_limit(request(), [100_000], limit, "the budget")


def test_a_model_without_a_price_is_refused():
    """A limit that cannot be kept is not pretended to be."""
    with pytest.raises(InputError, match="The price of claude-of-tomorrow is unknown"):
        within_limit(Request("Why?", model="claude-of-tomorrow"), [10], 1.0, "the budget")


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf])
def test_a_budget_is_a_sum(limit):
    """Zero is no budget, and neither is what is no number."""
    with pytest.raises(InputError, match="A budget must be an amount in USD above 0"):
        Budget(limit, lambda: 0.0)


def test_a_budget_counts_from_when_it_was_set():
    """What was spent before is not its business."""
    spent = [5.0]
    budget = Budget(1.0, lambda: sum(spent))
    spent.append(0.25)

    assert budget.spent == 0.25


def test_what_broke_off_counts_with_what_it_could_cost():
    """Of a reply without a count the ledger knows nothing, so what was reserved is spent."""
    spent = [0.0]
    budget = Budget(1.0, lambda: sum(spent))
    for name, cost, is_exact in (("whole", 0.1, True), ("broken", 0.05, False)):
        with budget.opened(name) as (account,):
            account.reserve(0.4)
        spent.append(cost)
        budget.settle(name, cost, is_exact=is_exact)

    assert budget.spent == pytest.approx(0.1 + 0.4)
    assert budget.left == pytest.approx(0.5)
