"""Tokens and money: every figure here was worked out by hand from the published prices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_nb.cost.models import facts, known_models
from claude_nb.cost.usage import Usage


def test_counts_are_read_from_the_api_s_object():
    """Cache writes are split by how long they last; the rest of a write lasts five minutes."""
    usage = Usage.from_api(
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 500,
            "cache_read_input_tokens": 2000,
            "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 70,
            "output_tokens_details": {"thinking_tokens": 30},
        },
        complete=True,
    )

    assert usage == Usage(10, 400, 100, 2000, 70, 30)
    assert (usage.cache_write_tokens, usage.total_input_tokens) == (500, 2510)


def test_output_is_unknown_until_the_stream_has_counted_it():
    """``message_start`` says 1 whatever will come."""
    usage = Usage.from_api({"input_tokens": 10, "output_tokens": 1}, complete=False)

    assert usage == Usage(10, 0, 0, 0, None, None)


@pytest.mark.parametrize("counts", [{}, {"input_tokens": None}, {"input_tokens": "25"}])
def test_without_an_input_count_all_is_unknown(counts):
    """No count is made up."""
    assert Usage.from_api(counts, complete=True) == Usage.unknown()


@pytest.mark.parametrize("wrong", [None, "many", -5, True, [], {}, 1.5])
def test_counts_of_the_wrong_type_are_unknown_or_none(wrong):
    """A gateway's nonsense becomes "unknown" (output) or nothing (cache), not an exception."""
    usage = Usage.from_api(
        {
            "input_tokens": 10,
            "output_tokens": wrong,
            "cache_creation_input_tokens": wrong,
            "cache_creation": wrong,
            "output_tokens_details": wrong,
        },
        complete=True,
    )

    assert usage == Usage(10, 0, 0, 0, None, None)


def test_usages_add_up_and_unknown_stays_unknown():
    """A sum with an unknown part is unknown in that part only."""
    assert Usage(1, 2, 3, 4, 5, 6) + Usage(10, 20, 30, 40, 50, None) == Usage(
        11, 22, 33, 44, 55, None
    )


MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        # 4 in, 20 out, 5 and 8 written for five minutes and an hour, 0.20 read, for a million each
        ("claude-opus-5-5", Usage(1000, 0, 0, 0, 500), 0.004 + 0.010),
        (
            "claude-opus-5-5",
            Usage(100, 2000, 1000, 50_000, 10),
            0.0004 + 0.01 + 0.008 + 0.01 + 2e-4,
        ),
        # 2 in, 10 out, 2.5, 4, 0.10
        ("claude-sonnet-5-5", Usage(0, 0, 0, MILLION, MILLION), 0.10 + 10),
        # 1 in, 5 out; a dated id costs what its model costs
        ("claude-haiku-4-5-20251001", Usage(2000, 0, 0, 0, 1000), 0.002 + 0.005),
        # up to 100,000 tokens of prompt: 0.10 in, 0.50 out, 0.01 read
        ("claude-haiku-5-5", Usage(100_000, 0, 0, 0, 1000), 0.01 + 0.0005),
        ("claude-haiku-5-5", Usage(40_000, 0, 0, 60_000, 0), 0.004 + 0.0006),
        # above: 0.50 in, 2.50 out, 0.05 read; tokens from the cache count for the size
        ("claude-haiku-5-5", Usage(100_001, 0, 0, 0, 1000), 0.0500005 + 0.0025),
        ("claude-haiku-5-5", Usage(40_000, 0, 0, 60_001, 0), 0.02 + 0.00300005),
    ],
)
def test_cost(model, usage, dollars):
    """Each count times its own price, by the tier that the whole prompt falls into."""
    assert usage.cost(facts(model)) == pytest.approx(dollars, rel=1e-12)


# What it costs by hand: 30,000 in, 20,000 written for five minutes, 10,000 for an hour, 40,000 read
# and 50,000 out. The prompt is 100,000 tokens; each line adds up what a hundred of these requests
# cost: 3, 2, 1, 4 and 5 millions.
WORKED = {
    # 3 * 0.10 + 2 * 0.125 + 1 * 0.20 + 4 * 0.01 + 5 * 0.50 = 0.30 + 0.25 + 0.20 + 0.04 + 2.50
    "claude-haiku-5-5": 0.0329,
    # 3 * 2 + 2 * 2.50 + 1 * 4 + 4 * 0.10 + 5 * 10 = 6 + 5 + 4 + 0.40 + 50
    "claude-sonnet-5-5": 0.654,
    # 3 * 10 + 2 * 12.50 + 1 * 20 + 4 * 0.25 + 5 * 50 = 30 + 25 + 20 + 1 + 250
    "claude-fable-5-1": 3.26,
    "claude-mythos-5-1": 3.26,
    # 3 * 4 + 2 * 5 + 1 * 8 + 4 * 0.20 + 5 * 20 = 12 + 10 + 8 + 0.80 + 100
    "claude-opus-5-5": 1.308,
    # 3 * 2 + 2 * 2.50 + 1 * 4 + 4 * 0.20 + 5 * 10 = 6 + 5 + 4 + 0.80 + 50
    "claude-sonnet-5": 0.658,
    # 3 * 10 + 2 * 12.50 + 1 * 20 + 4 * 1 + 5 * 50 = 30 + 25 + 20 + 4 + 250
    "claude-fable-5": 3.29,
    "claude-mythos-5": 3.29,
    # 3 * 5 + 2 * 6.25 + 1 * 10 + 4 * 0.50 + 5 * 25 = 15 + 12.50 + 10 + 2 + 125
    "claude-opus-5": 1.645,
    "claude-opus-4-8": 1.645,
    "claude-opus-4-7": 1.645,
    "claude-opus-4-6": 1.645,
    "claude-opus-4-5": 1.645,
    # 3 * 3 + 2 * 3.75 + 1 * 6 + 4 * 0.30 + 5 * 15 = 9 + 7.50 + 6 + 1.20 + 75
    "claude-sonnet-4-6": 0.987,
    "claude-sonnet-4-5": 0.987,
    # 3 * 1 + 2 * 1.25 + 1 * 2 + 4 * 0.10 + 5 * 5 = 3 + 2.50 + 2 + 0.40 + 25
    "claude-haiku-4-5": 0.329,
    # 3 * 8 + 2 * 10 + 1 * 16 + 4 * 0.20 + 5 * 40 = 24 + 20 + 16 + 0.80 + 200
    "claude-fable-5-2": 2.608,
    "claude-mythos-5-2": 2.608,
}


def test_the_worked_table_of_costs():
    """Every model whose prices are all known, to the last digit: what a person works out."""
    usage = Usage(30_000, 20_000, 10_000, 40_000, 50_000)

    assert {model: usage.cost(facts(model)) for model in WORKED} == WORKED


def test_the_worked_table_leaves_no_priced_model_out():
    """A model that gets a price is worked out by hand too."""
    assert {model for model in known_models() if facts(model).prices} == set(WORKED)


def test_one_token_more_of_prompt_costs_all_of_it_at_the_next_tier():
    """Haiku 5.5 above 100,000: 3.0001 * 0.50 + 2 * 0.625 + 1 * 1 + 4 * 0.05 + 5 * 2.50 = 16.45005.

    It is the only model with more than one price.
    """
    usage = Usage(30_001, 20_000, 10_000, 40_000, 50_000)

    assert usage.cost(facts("claude-haiku-5-5")) == 0.1645005
    assert [m for m in known_models() if len(facts(m).prices) > 1] == ["claude-haiku-5-5"]


def test_writes_without_a_sum_are_those_of_the_split():
    """A gateway may leave the sum out; the parts say the same."""
    split = {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 100}
    usage = Usage.from_api(
        {"input_tokens": 10, "output_tokens": 7, "cache_creation": split}, complete=True
    )

    assert usage == Usage(10, 400, 100, 0, 7, None)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("a-model-of-tomorrow", Usage(10, 0, 0, 0, 10)),
        ("claude-opus-5-5", Usage(10, 0, 0, 0, None)),
        ("claude-opus-5-5", Usage.unknown()),
        ("claude-mythos-preview", Usage(10, 0, 0, 0, 10)),
    ],
    ids=["model", "output", "all", "prices"],
)
def test_cost_is_unknown_where_anything_it_needs_is(model, usage):
    """No guess is made about money."""
    assert usage.cost(facts(model)) is None


@pytest.fixture
def half_priced():
    """Opus 5.5 without a price for what is written for an hour, nor for searches."""
    opus = facts("claude-opus-5-5")
    prices = (replace(opus.prices[0], cache_write_1h=None),)
    return replace(opus, prices=prices, web_search_per_1000=None)


def test_a_price_that_is_not_needed_may_be_unknown(half_priced):
    """One that is needed makes the cost unknown: 1,000 in at $4 and 1,000 out at $20."""
    assert Usage(1000, 0, 0, 0, 1000).cost(half_priced) == 0.024
    assert Usage(1000, 0, 1, 0, 1000).cost(half_priced) is None
    assert Usage(1000, 0, 0, 0, 1000, web_searches=1).cost(half_priced) is None


def api_usage(**more: Any) -> Usage:
    """The usage of a finished request as the API sends it."""
    return Usage.from_api({"input_tokens": 50_000, "output_tokens": 0, **more}, complete=True)


def test_searches_are_paid_for_beside_the_tokens():
    """50,000 tokens at $4 per million, 20 searches at $10 per thousand; fetches cost tokens."""
    searched = api_usage(server_tool_use={"web_search_requests": 20, "web_fetch_requests": 5})

    assert (searched.web_searches, searched.terms) == (20, ())
    assert searched.cost(facts("claude-opus-5-5")) == 0.4
    assert searched.cost(facts("claude-opus-5-5"), 0.5) == 0.3  # in a batch


@pytest.mark.parametrize(
    ("named", "model", "cost", "unpriced"),
    [
        ({"inference_geo": "us"}, "claude-opus-5-5", 0.22, ()),
        ({"inference_geo": "global", "speed": "standard"}, "claude-opus-5-5", 0.2, ()),
        ({"service_tier": "batch"}, "claude-opus-5-5", 0.2, ()),
        ({"speed": "fast"}, "claude-fable-5-2", 0.8, ()),
        ({"speed": "fast", "inference_geo": "us"}, "claude-fable-5-2", 0.88, ()),
        ({"speed": "fast"}, "claude-opus-5-5", 0.2, ("speed fast",)),
        ({"speed": "fast"}, "claude-mythos-5-2", 0.4, ("speed fast",)),
        ({"inference_geo": "us"}, "claude-haiku-4-5", 0.05, ("inference_geo us",)),
        ({"inference_geo": "mars"}, "claude-opus-5-5", 0.2, ("inference_geo mars",)),
        ({"service_tier": "priority"}, "claude-opus-5-5", 0.2, ("service_tier priority",)),
        ({"server_tool_use": {"dives": 2}}, "claude-opus-5-5", 0.2, ("dives",)),
        ({"server_tool_use": [], "speed": 3}, "claude-opus-5-5", 0.2, ()),
    ],
)
def test_what_usage_names_is_priced_or_makes_a_lower_bound(named, model, cost, unpriced):
    """50,000 tokens, by the factors of the price data; what these do not name stands out."""
    usage = api_usage(**named)

    assert usage.cost(facts(model)) == cost
    assert usage.unpriced(facts(model)) == unpriced


def test_terms_of_a_sum_stand_once():
    """Counts are added, terms are joined."""
    one, other = api_usage(speed="fast"), api_usage(speed="fast", inference_geo="us")

    assert (one + other).terms == ("inference_geo us", "speed fast")
    assert (one + other).input_tokens == 100_000
