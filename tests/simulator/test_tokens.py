"""Usage adds up, limits hold, and the prompt cache remembers exact prefixes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.simulator import tokens
from claude_nb.simulator.wire import Answer, text, thinking

LONG = "A rule for the model to follow. " * 100
"""3,200 characters, 800 tokens: enough to be cached by models with a minimum of 512."""


def request(*messages: Any, **options: Any):
    base = {"model": "claude-opus-5-5", "max_tokens": 1000}
    return {**base, "messages": list(messages) or [user("Hello")], **options}


def user(content):
    return {"role": "user", "content": content}


def marked(content, **control: Any):
    return {"type": "text", "text": content, "cache_control": {"type": "ephemeral", **control}}


def counts(usage):
    """Return a usage's input, written and read tokens."""
    kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return tuple(usage[kind] for kind in kinds)


@pytest.fixture
def use():
    """A function that gives a request's usage, with one cache for all of a test."""
    cache = tokens.PrefixCache()
    return lambda *messages, **options: tokens.usage(
        request(*messages, **options), Answer([text("ok")]), cache
    )


def test_four_characters_are_a_token():
    """A text's tokens are a quarter of its characters, rounded up."""
    assert [tokens.estimate("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_a_request_counts_all_it_sends():
    """Tools, system and every message count; a string counts as the block that it is short for."""
    block = [{"type": "text", "text": "x" * 40}]

    assert tokens.of_request(request(user("x" * 40), system="x" * 20)) == 15
    assert tokens.of_request(request(user(block), system="x" * 20)) == 15
    assert tokens.of_request(request(user("x" * 40), tools=[{"name": "f"}])) > 10


def test_a_picture_is_not_counted_by_its_bytes():
    """Base64 data would be thousands of tokens; a picture counts as 500."""
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}

    assert tokens.of_request(request(user([{"type": "image", "source": source}]))) == 500


def test_thinking_is_part_of_the_output(use):
    """output_tokens holds thinking and text; the details say how much was thinking."""
    answer = Answer([thinking("x" * 40), text("x" * 20)])
    usage = tokens.usage(request(), answer, tokens.PrefixCache())

    assert usage["output_tokens"] == 15
    assert usage["output_tokens_details"] == {"thinking_tokens": 10}


def test_nothing_is_cached_unasked(use):
    """Without cache_control both counters stay 0, however often a prompt is sent."""
    use(user(LONG))

    assert counts(use(user(LONG))) == (800, 0, 0)


def test_a_marked_prefix_is_written_and_then_read(use):
    """The first request writes the prefix, the next with the same one reads it."""
    first = use(user("x" * 40), system=[marked(LONG)])
    second = use(user("y" * 80), system=[marked(LONG)])

    assert (counts(first), counts(second)) == ((10, 800, 0), (20, 0, 800))


def test_a_changed_character_misses(use):
    """A prefix must be the same to the last character."""
    use(system=[marked(LONG + "!")])

    assert counts(use(system=[marked(LONG + "?")])) == (2, 801, 0)


def test_another_model_misses(use):
    """Models do not read each other's caches."""
    use(system=[marked(LONG)])

    assert counts(use(system=[marked(LONG)], model="claude-haiku-5-5")) == (2, 800, 0)


def test_a_short_prefix_is_silently_not_cached(use):
    """Below the model's minimum, both counters stay 0: 800 tokens are too few for Opus 4.6."""
    use(system=[marked(LONG)], model="claude-opus-4-6")

    assert counts(use(system=[marked(LONG)], model="claude-opus-4-6")) == (802, 0, 0)


def test_automatic_caching_moves_forward_with_a_conversation(use):
    """With cache_control at the top, each turn reads what the turn before wrote."""
    control = {"type": "ephemeral"}
    turns = [user(LONG), {"role": "assistant", "content": "x" * 40}, user("y" * 80)]

    assert counts(use(*turns[:1], cache_control=control)) == (0, 800, 0)
    assert counts(use(*turns, cache_control=control)) == (0, 30, 800)


def test_the_split_says_how_long_entries_live(use):
    """What is written for an hour is counted apart from what is written for five minutes."""
    usage = use(user([marked(LONG)]), system=[marked(LONG, ttl="1h")])

    assert usage["cache_creation"] == {
        "ephemeral_5m_input_tokens": 800,
        "ephemeral_1h_input_tokens": 800,
    }


def test_entries_expire(use, monkeypatch):
    """After five minutes without use there is nothing to read any more."""
    clock = [0.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: clock[0])
    use(system=[marked(LONG)])
    clock[0] = 299
    kept = use(system=[marked(LONG)])
    clock[0] = 299 + 301

    assert counts(kept) == (2, 0, 800)
    assert counts(use(system=[marked(LONG)])) == (2, 800, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1), st.integers(0, 50))
def test_max_tokens_is_never_exceeded(texts, limit):
    """An answer is cut to at most max_tokens, and says so exactly if it was."""
    answer = Answer([text(part) for part in texts])
    limited = tokens.limited(answer, {"max_tokens": limit})

    total = sum(tokens.estimate(written.text) for written in limited.content)
    assert total <= limit
    assert (limited.stop_reason == "max_tokens") == (limited != answer)


def test_the_first_stop_sequence_in_the_text_stops():
    """The text ends before it; thinking is not searched."""
    answer = Answer([thinking("a STOP"), text("one, two, three, four")])
    limits = {"max_tokens": 100, "stop_sequences": ["four", "three", "STOP"]}

    assert tokens.limited(answer, limits) == Answer(
        [thinking("a STOP"), text("one, two, ")], "stop_sequence", "three"
    )
