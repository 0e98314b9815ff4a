"""A user's own price file: read, and checked before any of it is used.

It has the form of ``models.json`` and holds only what differs: the models, and of each the
prices and limits that are others::

    {"as_of": "2026-11-23", "models": {"claude-opus-5-5": {"prices": [
        {"up_to_input_tokens": null, "input": 3.6, "output": 18, "cache_read": 0.18}]}}}

``"web_search_per_1000"`` beside ``"models"`` is what a thousand searches cost; either may be left
out.

The prices of a model are replaced together, those of all sizes of prompt; one that is left out is
not known. Half of one list and half of another would be a price that nobody has set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

from claude_nb.errors import InputError, nearest

Check = Callable[[Any], bool]

_RATES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_LIMIT = "up_to_input_tokens"
_SEARCH = "web_search_per_1000"


class _WrongError(Exception):
    """What is wrong, and where: the first argument grows on the way up."""


def read(path: str) -> tuple[dict[str, dict[str, Any]], dict[str, float | None]]:
    """Read a price file.

    Args:
        path: Where it is.

    Returns:
        For each model, the facts that are others, as in ``models.json``; and the price of searches
        by its name there, if the file has one.

    Raises:
        InputError: It cannot be read, or something in it is no price, limit or date; the error
            names the entry.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
        return _file(json.loads(text, object_pairs_hook=_once))
    except _WrongError as error:
        wrong = str(error)
    except json.JSONDecodeError as error:
        wrong = f"it is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: too deep, or ~nobody
        wrong = f"it cannot be read: {error}"
    raise InputError(
        f"The price file {path} cannot be used.",
        "Correct it, or unset CLAUDE_NB_PRICES. Its format is that of claude_nb/cost/models.json.",
        detail=f"In it, {wrong}.",
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON in which no name stands twice: one of the two would be ignored."""
    found = dict(pairs)
    for name, _ in pairs:
        if sum(name == other for other, _ in pairs) > 1:
            raise _WrongError(f"{name!r} appears twice in one object")
    return found


def _file(data: Any) -> tuple[dict[str, dict[str, Any]], dict[str, float | None]]:
    names = ("as_of", "units", "sources", "aliases", "models", _SEARCH)
    _object(data, names, "the file", "the file")
    as_of = data.get("as_of")
    _fact("read", as_of, "as_of")
    search = {_SEARCH: data[_SEARCH]} if _SEARCH in data else {}
    for price in search.values():
        fits = price is None or _is_rate(price)
        _check(_SEARCH, price, "USD per 1,000 searches, 0 or more, or null", fits=fits)
    models = data.get("models", {} if search else None)
    _check("models", models, "an object, a model's id each", fits=isinstance(models, dict))
    dated = {} if as_of is None else {"read": as_of}
    return {name: dated | _model(name, entry) for name, entry in models.items()}, search


def _model(model_id: str, entry: Any) -> dict[str, Any]:
    if not model_id.strip() or not model_id.isprintable():
        raise _WrongError(f"{_brief(model_id)} is not a model's id")
    _object(entry, _FACTS, model_id, "a model")
    for name, value in entry.items():
        _fact(name, value, f"{model_id}, {name}")
    if "prices" not in entry:
        return dict(entry)
    return {**entry, "prices": _prices(f"{model_id}, prices", entry["prices"])}


def _prices(where: str, tiers: Any) -> list[dict[str, Any]]:
    """The prices by size of prompt: each larger than the one before, the last one without end."""
    before = 0
    for number, tier in enumerate(tiers or (), 1):
        here = f"{where}, entry {number}"
        _object(tier, (_LIMIT, *_RATES), here, "a price")
        for rate in _RATES:
            value = tier.get(rate)
            if value is not None or rate in ("input", "output"):
                takes = "USD per million tokens, 0 or more"
                _check(f"{here}, {rate}", value, takes, fits=_is_rate(value))
        limit = tier.get(_LIMIT)
        last = number == len(tiers)
        if last != (limit is None):
            rule = "the last it is null" if last else "all but the last it is a number of tokens"
            raise _WrongError(f"{here}, {_LIMIT} is {_brief(limit)}; in {rule}")
        if not last:
            fits = type(limit) is int and limit > before
            _check(f"{here}, {_LIMIT}", limit, f"a whole number above {before}", fits=fits)
            before = limit
    return [dict.fromkeys((_LIMIT, *_RATES)) | tier for tier in tiers or ()]


def _object(value: Any, names: Iterable[str], where: str, what: str) -> None:
    """Hold that a value is an object with these names alone."""
    _check(where, value, "an object", fits=isinstance(value, dict))
    names = tuple(names)
    for name in value:
        if name not in names:
            near = nearest(name, names) or ", ".join(names)
            raise _WrongError(f"{where} has {_brief(name)}, which {what} does not have: {near}")


def _check(where: str, value: Any, takes: str, *, fits: bool) -> None:
    if not fits:
        raise _WrongError(f"{where} is {_brief(value)}; it must be {takes}")


def _fact(name: str, value: Any, where: str) -> None:
    check, takes = _FACTS[name]
    _check(where, value, takes, fits=check(value))


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def _is_rate(value: Any, most: float = sys.float_info.max) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


def _is_limit(value: Any) -> bool:
    return value is None or (type(value) is int and value > 0)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and value.strip() != ""


def _is_day(value: Any) -> bool:
    try:
        return value is None or bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


_TOKENS = (_is_limit, "a whole number of tokens above 0, or null")
_TEXT = (_is_text, "a string")

_FACTS: dict[str, tuple[Check, str]] = {
    "name": _TEXT,
    "source": _TEXT,
    "read": (_is_day, 'a day such as "2026-11-23", or null'),
    "context_window": _TOKENS,
    "max_output_tokens": _TOKENS,
    "prices": (
        lambda value: value is None or (isinstance(value, list) and value != []),
        "a list of prices, or null",
    ),
    "batch_discount": (
        lambda value: value is None or _is_rate(value, 1),
        "a share from 0 to 1, or null",
    ),
    "cache_minimum_tokens": _TOKENS,
    "factors": (
        lambda value: isinstance(value, dict) and all(map(_is_rate, value.values())),
        'an object such as {"speed fast": 2}',
    ),
}
