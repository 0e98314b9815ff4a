"""What is known about each Claude model: limits, thinking, prices.

The facts are data, in ``models.json``, each with its source and the date on which it was read.
A fact that nobody has published is ``None`` here, and a model that is not in the file is unknown:
nothing is guessed from a model's name. What the API can tell at run time (``client.models``) is
newer than this file; prices, prefill and cache minimums it does not tell.

A user whose prices are others names a file of them in ``CLAUDE_NB_PRICES``: see ``price_file``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

from claude_nb.cost import price_file
from claude_nb.errors import InputError

DEFAULT_MODEL = "claude-opus-5-5"
"""The model that is asked when none is named: the default of the SDK's own README."""

PRICE_FILE = "CLAUDE_NB_PRICES"
"""The environment variable that names the user's own price file."""

ThinkingType = Literal["adaptive", "enabled", "disabled", "between_tools"]
ThinkingDefault = Literal["always", "on", "off"]
ThinkingDisplay = Literal["summarized", "omitted"]
Lifecycle = Literal["active", "deprecated", "retired"]


_SEARCH = "web_search_per_1000"
_LISTS = ("thinking_types", "efforts", "efforts_without_thinking")


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs for prompts up to one size, in USD per million tokens.

    Attributes:
        up_to_input_tokens: The largest prompt (cached tokens included) that this price holds for;
            None for prompts of any size.
        input: Input tokens that were neither written to nor read from the cache.
        output: Output tokens, thinking included.
        cache_write_5m: Input tokens written to the cache for five minutes.
        cache_write_1h: Input tokens written to the cache for an hour.
        cache_read: Input tokens read from the cache.
    """

    up_to_input_tokens: int | None
    input: float
    output: float
    cache_write_5m: float | None
    cache_write_1h: float | None
    cache_read: float | None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The dated facts about one model; None is "not known" in every field.

    Attributes:
        id: The model's id without a date, as it is sent in a request.
        name: The name for people, such as "Claude Opus 5.5".
        source: Where the limits and the prices come from.
        read: The day on which they were read there, as "2026-10-08".
        context_window: Tokens of prompt and answer together.
        max_output_tokens: The largest ``max_tokens``.
        thinking_types: The values of ``thinking.type`` that the model accepts; others answer 400.
        thinking_default: Whether it thinks when the request says nothing about it: "always" (and
            it cannot be turned off), "on" or "off".
        thinking_display: What it shows of its thinking when the request does not say.
        accepts_prefill: Whether the last message may be the assistant's, to be continued.
        system_messages: Whether it takes messages with the role ``system`` between the others.
        accepts_forced_tools: Whether ``tool_choice`` can make it call a tool.
        prices: The prices by prompt size, the smallest prompt first; empty when not known.
        batch_discount: The share by which all prices are lower in a batch: 0.5 for half.
        cache_minimum_tokens: Prompts shorter than this are silently not cached.
        compaction: Whether it summarises a conversation on demand (``compaction``).
        efforts: The values of ``output_config.effort`` that it accepts; others answer 400.
        efforts_without_thinking: Those that it accepts where it does not think first; None where
            there is no difference.
        web_tools: The newest version of ``web_search`` and ``web_fetch`` that it takes, such as
            "20260318"; None for those that every model takes.
        factors: What the price of all tokens is multiplied by for a term that usage names, such as
            ``"speed fast"`` (see ``Usage.terms``).
        deprecated: The day on which it was deprecated, or None.
        retires: The day on which requests to it begin to fail, or None.
        web_search_per_1000: USD for a thousand searches of the server's ``web_search``.
        falls_back: Whether another model can answer what it declines; True where that is not known.
    """

    id: str
    name: str
    source: str
    read: str | None
    context_window: int | None
    max_output_tokens: int | None
    thinking_types: tuple[ThinkingType, ...] | None
    thinking_default: ThinkingDefault | None
    thinking_display: ThinkingDisplay | None
    accepts_prefill: bool | None
    system_messages: bool | None
    accepts_forced_tools: bool | None
    prices: tuple[Price, ...]
    batch_discount: float | None
    cache_minimum_tokens: int | None
    compaction: bool | None
    efforts: tuple[str, ...] | None
    efforts_without_thinking: tuple[str, ...] | None
    web_tools: str | None
    factors: dict[str, float]
    deprecated: str | None
    retires: str | None
    web_search_per_1000: float | None
    falls_back: bool

    def lifecycle(self, day: str) -> Lifecycle:
        """Return the stage of its life on a day such as "2026-11-30"."""
        if self.retires is not None and self.retires <= day:
            return "retired"
        return "active" if self.deprecated is None or self.deprecated > day else "deprecated"

    def price_for(self, input_tokens: int) -> Price | None:
        """Return the price of a request with a prompt of this size.

        Args:
            input_tokens: the whole prompt in tokens: fresh, written to and read from the cache.

        Returns:
            The price tier that the prompt falls into, or None when no price is known.
        """
        for price in self.prices:
            if price.up_to_input_tokens is None or input_tokens <= price.up_to_input_tokens:
                return price
        return None


def facts(model_id: str) -> ModelFacts | None:
    """Return what is known about a model.

    Args:
        model_id: The id as it is sent in a request, case exact. A dated id
            ("claude-haiku-4-5-20251001") gives the facts of the model it names.

    Returns:
        The facts, or None for a model that is not in the data file.
    """
    models = _models()
    return models.get(model_id) or models.get(_data()["aliases"].get(model_id, ""))


def unknown(model_id: str) -> ModelFacts:
    """The facts about a model of which nothing is known."""
    nothing: dict[str, Any] = {field.name: None for field in fields(ModelFacts)}
    named = {"id": model_id, "name": model_id, "source": "", "prices": (), "factors": {}}
    return ModelFacts(**nothing | named)


def known_models() -> list[str]:
    """Return the ids of all models that are known, the newest first, each once (no dated ids)."""
    return list(_models())


def models_by_use(*first: str) -> list[str]:
    """Return the models in the order in which they are offered, each once.

    Args:
        *first: The ids of those that come first, known or not; empty ones are left out.

    Returns:
        Then the other known ones, the newest first and deprecated ones last, without those that
        are retired by now.
    """
    now = today()
    known = [(model.lifecycle(now), model.id) for model in _models().values()]
    stages: tuple[Lifecycle, ...] = ("active", "deprecated")
    others = [found for stage in stages for at, found in known if at == stage]
    return list(dict.fromkeys([*filter(None, first), *others]))


def today() -> str:
    """Return the day, in UTC, as "2026-11-22"."""
    return datetime.now(UTC).date().isoformat()


def as_of() -> str:
    """Return the day on which the facts were last gone through, as "2026-11-22"."""
    return str(_data()["as_of"])


def own_prices() -> tuple[str, frozenset[str]]:
    """Return the user's own price file, and the ids of the models that it is about.

    ``facts`` never fails: where the file cannot be used, no price is known to it. So this is called
    before anything is sent, and wherever prices are listed.

    Returns:
        The path and the ids, both empty where no file is named.

    Raises:
        InputError: The file cannot be used; the error names the entry and what is wrong with it.
    """
    path = os.environ.get(PRICE_FILE, "")
    return path, frozenset(_own_file(path)[0]) if path else frozenset()


# What it raises is not kept: a file that was put right is read again.
_own_file = lru_cache(maxsize=8)(price_file.read)


@cache
def _data() -> dict[str, Any]:
    text = resources.files("claude_nb.cost").joinpath("models.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _models() -> dict[str, ModelFacts]:
    try:
        return _table(os.environ.get(PRICE_FILE, ""))
    except InputError:
        return _unpriced()


@lru_cache(maxsize=8)
def _table(path: str) -> dict[str, ModelFacts]:
    """All models, with what the user's file says of them; a file that was read stays as it was."""
    entries = dict(_data()["models"])
    search = {_SEARCH: _data()[_SEARCH]}
    unknown = dict.fromkeys(next(iter(entries.values()))) | {"factors": {}}
    if path:
        models, own_search = _own_file(path)
        search |= own_search
        for model_id, own in models.items():
            named = _data()["aliases"].get(model_id, model_id)
            known = entries.get(named, unknown | {"name": model_id})
            entries[named] = known | {"source": path, "read": None} | own
    return {model_id: _facts(model_id, entry | search) for model_id, entry in entries.items()}


@cache
def _unpriced() -> dict[str, ModelFacts]:
    """All models without their prices: the user said that they are others, and not which."""
    none: dict[str, Any] = {"prices": (), _SEARCH: None}
    return {model_id: replace(model, **none) for model_id, model in _table("").items()}


def _facts(model_id: str, entry: dict[str, Any]) -> ModelFacts:
    lists = {name: entry[name] for name in _LISTS}
    return ModelFacts(
        **entry
        | {name: None if value is None else tuple(value) for name, value in lists.items()}
        | {
            "id": model_id,
            "falls_back": model_id not in _data()["without_fallback"],
            "prices": tuple(Price(**tier) for tier in entry["prices"] or ()),
        }
    )
