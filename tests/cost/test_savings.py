"""What the cache was worth, and after how many reads it has paid for itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_nb.cost.models import facts
from claude_nb.cost.savings import Savings, payback
from claude_nb.cost.usage import Usage

OPUS = facts("claude-opus-5-5")


def test_what_was_read_and_written_at_both_prices():
    """Opus 5.5: input 4, written 5 and 8 (an hour), read 0.20 USD per million tokens."""
    used = Usage(
        input_tokens=70,
        cache_write_5m_tokens=10_000,
        cache_write_1h_tokens=20_000,
        cache_read_tokens=100_000,
    )

    found = Savings.of(used, OPUS)

    assert (found.read_tokens, found.written_tokens) == (100_000, 30_000)
    assert found.read_cost == pytest.approx(0.02)
    assert found.read_uncached == pytest.approx(0.40)
    assert found.written_cost == pytest.approx(0.05 + 0.16)
    assert found.written_uncached == pytest.approx(0.12)
    assert found.saved == pytest.approx(0.38 - 0.09)


def test_the_price_of_the_whole_prompt_holds():
    """Haiku 5.5 costs 0.10 up to 100,000 tokens, and 0.50 for all of a longer prompt."""
    used = Usage(input_tokens=100_000, cache_read_tokens=10_000)

    found = Savings.of(used, facts("claude-haiku-5-5"))

    assert found.read_uncached == pytest.approx(0.005)
    assert found.read_cost == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("used", "model"),
    [
        (Usage.unknown(), "claude-opus-5-5"),
        (Usage(cache_read_tokens=5), "not-a-model"),
        (Usage(cache_write_1h_tokens=5), "claude-mythos-preview"),
    ],
)
def test_unknown_stays_unknown(used, model):
    """A count that did not come, a model that is not known, a price that is not published."""
    assert Savings.of(used, facts(model)).saved is None


def test_nothing_cached_saves_nothing_whatever_the_price():
    """An unknown model makes no unknown of it."""
    assert Savings.of(Usage(input_tokens=9), None).saved == 0


def test_the_sum_of_two():
    """Of the requests of one reply."""
    one = Savings.of(Usage(cache_write_5m_tokens=1_000_000), OPUS)
    other = Savings.of(Usage(cache_read_tokens=1_000_000), OPUS)

    assert (one + other).saved == pytest.approx(-1 + 3.8)
    assert (one + Savings.of(Usage.unknown(), OPUS)).saved is None


@pytest.mark.parametrize(
    ("model", "ttl", "reads"),
    [
        ("claude-opus-5-5", "5m", 1),  # 5 + 0.20 is less than 4 + 4
        ("claude-opus-5-5", "1h", 2),  # 8 + 0.20 is more than 8; 8 + 0.40 is less than 12
        ("claude-sonnet-4-5", "1h", 2),  # 6 + 0.30 is more than 6; 6 + 0.60 is less than 9
        ("claude-fable-5-2", "1h", 2),  # 16 + 0.20 is more than 16; 16 + 0.40 is less than 24
    ],
)
def test_the_reads_that_pay_for_the_writing(model, ttl, reads):
    """Counted by hand."""
    assert payback(facts(model).prices[0], ttl) == reads


def test_a_price_that_is_not_published_pays_for_nothing():
    """How often it has to be read is not known."""
    assert payback(replace(OPUS.prices[0], cache_write_1h=None), "1h") is None
