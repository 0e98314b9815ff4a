"""Facts and prices per model are dated data; what is not known stays unknown."""

import json
import typing
from datetime import date
from importlib import resources

import pytest
from anthropic.types import Model

from claude_nb.cost.models import (
    DEFAULT_MODEL,
    Price,
    as_of,
    facts,
    known_models,
    models_by_use,
)

SDK_IDS = typing.get_args(typing.get_args(Model)[0])


def test_every_model_of_the_installed_sdk_has_an_entry():
    """No id that the SDK's own type offers is a stranger here."""
    assert [model_id for model_id in SDK_IDS if facts(model_id) is None] == []


def test_known_models_are_the_sdks_newest_first_without_dated_ids():
    """The order is the SDK's, and a model that has two ids is listed once, by its undated id."""
    assert known_models() == [
        model_id for model_id in SDK_IDS if not model_id.rpartition("-")[2].startswith("202")
    ]


def test_the_default_model_is_known_with_its_price():
    """What runs when nobody names a model can be priced."""
    assert facts(DEFAULT_MODEL).price_for(1).output == 20


def test_table_of_limits_thinking_and_caching():
    """Limits, thinking types, default and display, prefill, smallest prompt that is cached."""
    adaptive, switchable = ("adaptive",), ("adaptive", "disabled")
    both, old = ("adaptive", "enabled", "disabled"), ("enabled", "disabled")
    big = (1_000_000, 128_000)
    small = (200_000, 64_000)
    assert {
        model: (
            (f.context_window, f.max_output_tokens),
            f.thinking_types,
            f.thinking_default,
            f.thinking_display,
            f.accepts_prefill,
            f.cache_minimum_tokens,
        )
        for model in known_models()
        if (f := facts(model))
    } == {
        "claude-fable-5-2": (big, adaptive, "always", None, False, None),
        "claude-mythos-5-2": (big, adaptive, "always", None, False, None),
        "claude-haiku-5-5": (big, switchable, "on", "omitted", False, 512),
        "claude-sonnet-5-5": (big, ("adaptive", "between_tools"), "on", "omitted", False, 512),
        "claude-fable-5-1": (big, adaptive, "always", "omitted", False, 512),
        "claude-opus-5-5": (big, adaptive, "always", "omitted", False, 512),
        "claude-mythos-5-1": (big, adaptive, "always", "omitted", False, 512),
        "claude-sonnet-5": (big, switchable, "on", "omitted", False, 1024),
        "claude-fable-5": (big, adaptive, "always", "omitted", False, 512),
        "claude-mythos-5": (big, adaptive, "always", "omitted", False, 512),
        "claude-opus-5": (big, switchable, "on", "omitted", False, 512),
        "claude-opus-4-8": (big, switchable, "off", "omitted", False, 1024),
        "claude-opus-4-7": (big, switchable, "off", "omitted", False, 2048),
        "claude-mythos-preview": (
            (None, None),
            ("adaptive", "enabled"),
            "always",
            None,
            False,
            2048,
        ),
        "claude-opus-4-6": (big, both, "off", "summarized", False, 4096),
        "claude-sonnet-4-6": (big, both, "off", "summarized", False, 1024),
        "claude-haiku-4-5": (small, old, "off", "summarized", True, 4096),
        "claude-opus-4-5": (small, old, "off", "summarized", True, 4096),
        "claude-sonnet-4-5": (small, old, "off", "summarized", True, 1024),
    }


def test_models_that_take_instructions_in_mid_conversation():
    """Role ``system`` between the messages; of three models it is not known."""
    yes = ("haiku-5-5", "sonnet-5-5", "fable-5-1", "opus-5-5", "mythos-5-1")
    yes += ("fable-5", "mythos-5", "opus-5", "opus-4-8")
    no = ("sonnet-5", "opus-4-7", "opus-4-6", "sonnet-4-6", "haiku-4-5", "opus-4-5", "sonnet-4-5")
    unknown = ("fable-5-2", "mythos-5-2", "mythos-preview")
    taken = {True: yes, False: no, None: unknown}

    assert {model: facts(model).system_messages for model in known_models()} == {
        f"claude-{name}": value for value, names in taken.items() for name in names
    }


def test_models_that_can_and_cannot_be_forced_to_call_a_tool():
    """Documented for these alone."""
    forced = {model: facts(model).accepts_forced_tools for model in known_models()}

    assert {model: known for model, known in forced.items() if known is not None} == {
        "claude-haiku-5-5": True,
        "claude-sonnet-5-5": False,
        "claude-fable-5-1": False,
        "claude-opus-5-5": False,
        "claude-mythos-5-1": False,
    }


def test_models_that_compact():
    """Those that the pages on compaction list; of newer ones it is not known."""
    found = {model: facts(model).compaction for model in known_models()}

    assert [model for model, compacts in found.items() if compacts is None] == [
        "claude-fable-5-2",
        "claude-mythos-5-2",
    ]
    assert [model for model, compacts in found.items() if compacts is False] == [
        "claude-haiku-4-5",
        "claude-opus-4-5",
        "claude-sonnet-4-5",
    ]


def test_table_of_prices():
    """USD per million tokens, one tuple per prompt size: limit, in, out, writes 5m and 1h, read."""
    opus = ((None, 5, 25, 6.25, 10, 0.50),)
    fable = ((None, 10, 50, 12.5, 20, 1),)
    fable_5_2 = ((None, 8, 40, 10, 16, 0.20),)
    fable_5_1 = ((None, 10, 50, 12.5, 20, 0.25),)
    sonnet_4 = ((None, 3, 15, 3.75, 6, 0.30),)
    assert {
        model: tuple(
            (
                p.up_to_input_tokens,
                p.input,
                p.output,
                p.cache_write_5m,
                p.cache_write_1h,
                p.cache_read,
            )
            for p in facts(model).prices
        )
        for model in known_models()
    } == {
        "claude-fable-5-2": fable_5_2,
        "claude-mythos-5-2": fable_5_2,
        "claude-haiku-5-5": (
            (100_000, 0.10, 0.50, 0.125, 0.20, 0.01),
            (None, 0.50, 2.50, 0.625, 1, 0.05),
        ),
        "claude-sonnet-5-5": ((None, 2, 10, 2.5, 4, 0.10),),
        "claude-fable-5-1": fable_5_1,
        "claude-opus-5-5": ((None, 4, 20, 5, 8, 0.20),),
        "claude-mythos-5-1": fable_5_1,
        "claude-sonnet-5": ((None, 2, 10, 2.5, 4, 0.20),),
        "claude-fable-5": fable,
        "claude-mythos-5": fable,
        "claude-opus-5": opus,
        "claude-opus-4-8": opus,
        "claude-opus-4-7": opus,
        "claude-mythos-preview": (),
        "claude-opus-4-6": opus,
        "claude-sonnet-4-6": sonnet_4,
        "claude-haiku-4-5": ((None, 1, 5, 1.25, 2, 0.10),),
        "claude-opus-4-5": opus,
        "claude-sonnet-4-5": sonnet_4,
    }


def test_the_price_follows_the_size_of_the_prompt():
    """A tier holds up to and including its limit; the next token falls into the next tier."""
    haiku = facts("claude-haiku-5-5")
    assert [haiku.price_for(tokens).input for tokens in (0, 100_000, 100_001, 900_000)] == [
        0.10,
        0.10,
        0.50,
        0.50,
    ]


def test_a_price_that_nobody_published_is_none():
    """There is no price to guess for a model whose prices are not known."""
    assert facts("claude-mythos-preview").price_for(1) is None


def test_a_dated_id_has_the_facts_of_its_model():
    """Dated ids are the same model under a longer name."""
    assert facts("claude-haiku-4-5-20251001") is facts("claude-haiku-4-5")


def test_an_unknown_model_is_none_and_never_a_near_guess():
    """Neither another case, nor a prefix, nor a future number finds anything."""
    assert [
        facts(model) for model in ("Claude-Opus-5-5", "claude-opus", "claude-opus-9", "", "gpt")
    ] == [None] * 5


def test_facts_are_dated_and_third_party_figures_say_so():
    """The file carries its day, every model its source, and hearsay is called hearsay."""
    assert date.fromisoformat(as_of()) >= date(2026, 11, 22)
    assert all(facts(model).source for model in known_models())
    assert "third parties" in facts("claude-fable-5-2").source


def test_table_of_batch_discounts():
    """Half of all prices, but for the models of which no page was read that says so."""
    unknown = {"claude-mythos-preview"}
    assert {model: facts(model).batch_discount for model in known_models()} == {
        model: None if model in unknown else 0.5 for model in known_models()
    }


def test_every_price_has_the_day_on_which_it_was_read():
    """A price without a date would not be known to be old."""
    read = {model: facts(model).read for model in known_models() if facts(model).prices}
    exceptions = {
        "claude-fable-5-2": "2026-11-30",
        "claude-mythos-5-2": "2026-11-30",
        "claude-sonnet-4-6": "2026-09-02",
        "claude-opus-4-5": "2026-03-31",
    }
    assert dict.fromkeys(read, "2026-10-08") | exceptions == read


def test_a_price_is_a_plain_value():
    """Two prices with the same figures are equal, so tests and ledgers can compare them."""
    assert Price(None, 4, 20, 5, 8, 0.2) == facts("claude-opus-5-5").price_for(10)


def test_models_are_offered_in_the_order_of_their_use(monkeypatch):
    """Those that are named, then the newest, deprecated ones last; retired ones only if named."""
    monkeypatch.setattr("claude_nb.cost.models.today", lambda: "2026-11-30")
    retired = ["claude-mythos-preview", "claude-sonnet-4-5"]
    found = models_by_use("qwen3", "", DEFAULT_MODEL, "qwen3", retired[0])

    assert found[:3] == ["qwen3", DEFAULT_MODEL, retired[0]]
    others = [m for m in known_models() if m not in (*retired, DEFAULT_MODEL, "claude-opus-4-5")]
    assert found[3:] == [*others, "claude-opus-4-5"]
    assert set(models_by_use()) == set(known_models()) - set(retired)


@pytest.mark.parametrize(
    ("day", "stage"),
    [("2026-11-22", "active"), ("2026-11-23", "deprecated"), ("2027-01-22", "retired")],
)
def test_a_model_is_deprecated_and_retired_on_its_days(day, stage):
    """From the first moment of each, in UTC."""
    assert facts("claude-opus-4-5").lifecycle(day) == stage
    assert facts("claude-opus-5-5").lifecycle(day) == "active"


EVERY = ("low", "medium", "high", "xhigh", "max")


def test_table_of_efforts():
    """Every model takes all of them but these, where a page says what it takes."""
    others = {
        "claude-fable-5-2": None,
        "claude-mythos-5-2": None,
        "claude-mythos-preview": ("low", "medium", "high", "max"),
        "claude-opus-4-6": ("low", "medium", "high", "max"),
        "claude-sonnet-4-6": ("low", "medium", "high", "max"),
        "claude-opus-4-5": ("low", "medium", "high"),
        "claude-haiku-4-5": (),
        "claude-sonnet-4-5": (),
    }
    assert {model: facts(model).efforts for model in known_models()} == (
        dict.fromkeys(known_models(), EVERY) | others
    )
    assert {m for m in known_models() if facts(m).efforts_without_thinking} == {
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5",
    }


def test_table_of_the_web_s_tools():
    """Claude 4.6 and later, and Mythos Preview, take the versions that filter by code."""
    old = {"claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"}
    assert {m: facts(m).web_tools for m in known_models()} == {
        m: None if m in old else "20260318" for m in known_models()
    }


def test_table_of_factors():
    """A region costs a tenth more from Claude 4.6 on, and Fable 5.2 is known to cost twice fast."""
    old = {"claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"}
    us = {"inference_geo us": 1.1}
    assert {m: facts(m).factors for m in known_models()} == {
        **{m: {} if m in old else us for m in known_models()},
        "claude-fable-5-2": {**us, "speed fast": 2},
    }


def test_table_of_life_cycles():
    """The days on which models are deprecated, and retire."""
    assert {
        m: (f.deprecated, f.retires)
        for m in known_models()
        if (f := facts(m)).deprecated or f.retires
    } == {
        "claude-mythos-preview": (None, "2026-06-30"),
        "claude-opus-4-5": ("2026-11-23", "2027-01-22"),
        "claude-sonnet-4-5": (None, "2026-11-30"),
    }


def test_every_kind_of_fact_has_a_source_and_a_day():
    """A figure without them could not be checked again."""
    text = resources.files("claude_nb.cost").joinpath("models.json").read_text(encoding="utf-8")
    data = json.loads(text)
    named = ", ".join(data["sources"])
    kinds = {*data, *data["models"]["claude-opus-5-5"]} - {"as_of", "units", "sources", "models"}
    kinds -= {"source", "read"}  # of each model, which "sources" point to

    assert [kind for kind in sorted(kinds) if kind not in named] == []
    own = ("each model's own", "anthropic 2.14.0")
    assert all("read 2026-" in s or s.startswith(own) for s in data["sources"].values())
