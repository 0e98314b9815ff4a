"""Python values as text that ends somewhere: lists of ten million items, circles, nested ones."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

MAX_DEPTH = 20
"""How deep a nested collection is followed."""

_BRACKETS: dict[Any, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}
COLLECTIONS = tuple(_BRACKETS)
"""The types that are written item by item."""


NOT_INCLUDED = "(content not included)"
"""What stands in the text of a value of which Python writes its type and its address alone."""

_BARE = re.compile(r"<([^\n]* object(?: [^\n]*)?|function [^\n]*) at 0x[0-9a-fA-F]+>")


def described(text: str) -> str:
    """What Python writes of a value: of one without a text of its own, that it is not all.

    Its address is left out, which would be another in each request.
    """
    bare = _BARE.fullmatch(text)
    return f"<{bare[1]} {NOT_INCLUDED}>" if bare else text


def as_json(value: Any, limit: int) -> str | None:
    """``value`` as JSON, or None where that says something else or takes more than ``limit``."""
    try:
        encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
        text, whole = take(encoder.iterencode(value), limit)
        # The keys of {1: 2} and the tuple in [(1, 2)] would come back as something else.
        return text if whole and json.loads(text) == value else None
    except (TypeError, ValueError, RecursionError):
        return None


def as_python(value: Any, limit: int) -> tuple[str, bool]:
    """``value`` in Python's own notation, at most ``limit`` characters; whether that is all.

    What stands in a circle, or deeper than ``MAX_DEPTH``, is written as ``...``.
    """
    return take(_pieces(value, limit, ()), limit)


def take(pieces: Iterable[str], limit: int) -> tuple[str, bool]:
    """At most ``limit`` characters, and whether that is all; quoted text may be cut, no number."""
    taken: list[str] = []
    room = limit
    for piece in pieces:
        if len(piece) > room:
            cut = piece[:room] if piece.startswith(("'", '"')) else ""
            return "".join([*taken, cut]), False
        taken.append(piece)
        room -= len(piece)
    return "".join(taken), True


def _pieces(value: Any, limit: int, around: tuple[int, ...]) -> Iterator[str]:
    kind = next((kind for kind in _BRACKETS if isinstance(value, kind)), None)
    if isinstance(value, str | bytes):
        yield repr(value[: limit + 1])
    elif kind is None or _is_named(value):
        yield described(repr(value))
    elif id(value) in around or len(around) == MAX_DEPTH:
        yield "..."
    elif not value:
        yield repr(kind())
    else:
        around = (*around, id(value))
        opening, closing = _BRACKETS[kind]
        yield opening
        for place, item in enumerate(value):
            if place:
                yield ", "
            yield from _pieces(item, limit, around)
            if kind is dict:
                yield ": "
                yield from _pieces(value[item], limit, around)
        yield ",)" if kind is tuple and len(value) == 1 else closing


def _is_named(value: Any) -> bool:
    """Whether it is a named tuple, which writes the names of its fields."""
    return isinstance(value, tuple) and hasattr(value, "_fields")
