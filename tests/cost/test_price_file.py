"""A user's own prices: read once, checked, and never ignored."""

from __future__ import annotations

import json

import pytest

import claude_nb
from claude_nb.cost import price_file
from claude_nb.cost.models import Price, facts, known_models, own_prices
from claude_nb.cost.usage import Usage
from claude_nb.errors import InputError

TIER = {"up_to_input_tokens": None, "input": 3.6, "output": 18}


@pytest.fixture
def prices(tmp_path, monkeypatch):
    """Writes the user's price file: a text, or an object as JSON."""
    path = tmp_path / "prices.json"
    monkeypatch.setenv("CLAUDE_NB_PRICES", str(path))

    def write(content):
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return write


def test_only_what_differs_is_another_one(prices):
    """The prices of the model as a whole; what is left out of them is not known."""
    path = prices({"as_of": "2026-11-23", "models": {"claude-opus-5-5": {"prices": [TIER]}}})

    opus = facts("claude-opus-5-5")

    assert opus.prices == (Price(None, 3.6, 18, None, None, None),)
    assert (opus.source, opus.read, opus.context_window) == (str(path), "2026-11-23", 1_000_000)
    assert Usage(1000, 0, 0, 0, 1000).cost(opus) == 0.0216
    assert Usage(1000, 0, 0, 10, 1000).cost(opus) is None
    assert facts("claude-sonnet-5-5").prices == (Price(None, 2, 10, 2.5, 4, 0.1),)
    assert own_prices() == (str(path), {"claude-opus-5-5"})


def test_prices_may_depend_on_the_size_of_the_prompt(prices):
    """As those of the package do."""
    small = TIER | {"up_to_input_tokens": 10}
    prices({"models": {"claude-opus-5-5": {"prices": [small, TIER | {"input": 7}]}}})

    opus = facts("claude-opus-5-5")

    assert [opus.price_for(tokens).input for tokens in (10, 11)] == [3.6, 7]


def test_a_model_that_was_unknown_becomes_known(prices):
    """With what the file says of it, and nothing else."""
    prices({"models": {"our-own-model": {"prices": [TIER], "cache_minimum_tokens": 2048}}})

    ours = facts("our-own-model")

    assert (ours.name, ours.cache_minimum_tokens) == ("our-own-model", 2048)
    assert (ours.context_window, ours.thinking_types, ours.read) == (None, None, None)
    assert known_models()[-1] == "our-own-model"


def test_a_dated_id_is_its_model(prices):
    """There are not two prices for one model."""
    prices({"models": {"claude-haiku-4-5-20251001": {"prices": [TIER]}}})

    assert facts("claude-haiku-4-5").prices == facts("claude-haiku-4-5-20251001").prices
    assert facts("claude-haiku-4-5").price_for(1).input == 3.6


def test_a_price_can_be_free_or_taken_away(prices):
    """Zero is a price; null is none."""
    free = {"up_to_input_tokens": None} | dict.fromkeys(("input", "output", "cache_read"), 0)
    prices({"models": {"claude-opus-5": {"prices": [free]}, "claude-opus-5-5": {"prices": None}}})

    assert Usage(10, 0, 0, 5, 10).cost(facts("claude-opus-5")) == 0
    assert Usage(10, 0, 0, 0, 10).cost(facts("claude-opus-5-5")) is None


def test_the_form_of_the_package_s_own_file_is_taken(prices):
    """A file with the beginning of models.json, and a byte order mark as some editors write it."""
    prices("\ufeff" + json.dumps({"units": "USD", "sources": {}, "aliases": {}, "models": {}}))

    assert own_prices()[1] == frozenset()


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("", "it is not JSON: line 1, column 1"),
        ('{"models": {}', "it is not JSON: line 1"),
        ("[" * 100_000, "it cannot be read: maximum recursion depth"),
        ([], "the file is []; it must be an object"),
        ({}, "models is null; it must be an object"),
        ({"model": {}}, 'the file has "model", which the file does not have: models'),
        ({"as_of": "tomorrow", "models": {}}, 'as_of is "tomorrow"; it must be a day such as'),
        ({"models": {"": {}}}, '"" is not a model\'s id'),
        ({"models": {"m": 4}}, "m is 4; it must be an object"),
        ({"models": {"m": {"price": []}}}, 'm has "price", which a model does not have: prices'),
        ({"models": {"m": {"thinking_types": []}}}, 'm has "thinking_types", which'),
        ({"models": {"m": {"context_window": -1}}}, "m, context_window is -1; it must be a whole"),
        ({"models": {"m": {"cache_minimum_tokens": 1.5}}}, "m, cache_minimum_tokens is 1.5"),
        ({"models": {"m": {"max_output_tokens": True}}}, "m, max_output_tokens is true"),
        ({"models": {"m": {"batch_discount": 50}}}, "m, batch_discount is 50; it must be a share"),
        ({"models": {"m": {"name": 3}}}, "m, name is 3; it must be a string"),
        ({"models": {"m": {"source": "a\x1b[31m"}}}, "m, source is "),
        ({"models": {"m": {"read": 2026}}}, "m, read is 2026; it must be a day"),
        ({"models": {"m": {"prices": 4}}}, "m, prices is 4; it must be a list of prices, or null"),
        ({"models": {"m": {"prices": []}}}, "m, prices is []; it must be a list"),
        ({"models": {"m": {"prices": [4]}}}, "m, prices, entry 1 is 4; it must be an object"),
        ({"models": {"m": {"prices": [{"input": 1}]}}}, "entry 1, output is null; it must be USD"),
        ({"models": {"m": {"prices": [TIER | {"input": "4"}]}}}, 'entry 1, input is "4"'),
        ({"models": {"m": {"prices": [TIER | {"input": -4}]}}}, "entry 1, input is -4"),
        ({"models": {"m": {"prices": [TIER | {"input": True}]}}}, "entry 1, input is true"),
        ({"models": {"m": {"prices": [TIER | {"output": float("nan")}]}}}, "output is NaN"),
        ({"models": {"m": {"prices": [TIER | {"cache_read": 1e999}]}}}, "cache_read is Infinity"),
        (
            {"models": {"m": {"prices": [TIER | {"cache": 1}]}}},
            'has "cache", which a price does not have',
        ),
        ({"models": {"m": {"prices": [TIER, TIER]}}}, "in all but the last it is a number"),
        (
            {"models": {"m": {"prices": [TIER | {"up_to_input_tokens": 9}]}}},
            "entry 1, up_to_input_tokens is 9; in the last it is null",
        ),
        (
            {"models": {"m": {"prices": [TIER | {"up_to_input_tokens": n} for n in (9, 9, None)]}}},
            "entry 2, up_to_input_tokens is 9; it must be a whole number above 9",
        ),
        ('{"models": {"m": {}, "m": {}}}', "'m' appears twice in one object"),
    ],
)
def test_nonsense_is_named_with_its_place(prices, content, wrong):
    """The error says which entry it is, and what it takes instead."""
    prices(content)

    with pytest.raises(InputError) as raised:
        own_prices()

    assert wrong in raised.value.detail
    assert "CLAUDE_NB_PRICES" in raised.value.advice


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None], ids=["not a text", "not there"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    """With the words of the system."""
    path = tmp_path / "prices.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError) as raised:
        price_file.read(str(path))

    assert raised.value.what == f"The price file {path} cannot be used."
    assert raised.value.detail.startswith("In it, it cannot be read: ")


def test_nothing_is_sent_while_the_prices_cannot_be_used(api, prices):
    """What it would cost is not known, and the user believes that it is."""
    number = len(api.requests)
    prices("{")

    with pytest.raises(InputError, match="price file"):
        claude_nb.ask("Hi", show=False)

    assert len(api.requests) == number


def test_until_it_is_put_right_no_price_is_known(prices):
    """A reply that is under way goes on, and its cost is unknown: the package's would be wrong."""
    prices("{")
    opus = facts("claude-opus-5-5")
    assert (opus.prices, opus.cache_minimum_tokens) == ((), 512)

    prices({"models": {"claude-opus-5-5": {"prices": [TIER]}}})
    assert facts("claude-opus-5-5").price_for(1).input == 3.6


def test_a_file_is_read_once(prices):
    """What a kernel's replies cost is worked out by one list."""
    path = prices({"models": {"claude-opus-5-5": {"prices": [TIER]}}})
    before = facts("claude-opus-5-5")
    path.unlink()

    assert facts("claude-opus-5-5") is before
