"""A batch's rows: what the user passed, as one content for each, with the label that it had.

All of it is read once, when the batch is made: a table that changes afterwards changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any

from claude_nb.errors import InputError
from claude_nb.request.attachments.interpolation import Filled, compose

PROMPT = "prompt"
"""What a template calls a row that has no names of its own: ``{{prompt}}``."""

_USED = re.compile(r"\{\{[ \t]*(\w+)")
_CUSTOM_ID = re.compile(r"(\d{1,9})-(\d{1,9})-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a batch.

    Attributes:
        count: How many there are.
        labels: What each is called: the table's index, or its number from 0.
        index: The pandas index, to be given back; None where the rows had none.
        contents: What is sent for each, in order; an error for one that cannot be sent. Read once.
    """

    count: int
    labels: Sequence[Any]
    index: Any
    contents: Iterator[Filled | InputError]


def read(prompts: Any, template: str | None) -> Rows:
    """Read what the user passed.

    Args:
        prompts: Texts or other values, a pandas or polars column or table, or a list of dicts.
        template: The prompt, with ``{{name}}`` for the columns of a table, the keys of a dict, the
            name of a column, or ``{{prompt}}``; None: the values are the prompts.

    Raises:
        InputError: It cannot be read so.
    """
    if isinstance(prompts, (str, bytes)):
        raise InputError(
            "batch() takes many prompts, and this is one text.",
            'For example: batch(["first", "second"]), or claude_nb.ask(text).',
        )
    values, names, index = _values(prompts)
    if not values:
        raise InputError("There are no prompts.")
    if template is None and names:
        if len(names) > 1:
            raise InputError(
                "A template is needed: which columns are the prompt?",
                f'For example: template="Summarise this: {{{{{names[0]}}}}}".',
            )
        values = [row[names[0]] for row in values]
    if template is not None and "{{" not in template:
        name = names[0] if names else PROMPT
        raise InputError(
            "The template has no {{name}} in it: all rows would be the same.",
            f"For example: {{{{{name}}}}}.",
        )
    labels = index if index is not None else range(len(values))
    used = set(_USED.findall(template or ""))
    contents = (_content(value, template, used) for value in values)
    return Rows(len(values), labels, index, contents)


def custom_id(number: int, count: int, digest: str) -> str:
    """The id that finds a row again: its number, how many there are, and what was asked.

    Args:
        number: The row's number, from 0.
        count: How many rows the whole batch has.
        digest: Of its content.
    """
    return f"{number}-{count}-{digest}"


def parsed_id(value: str) -> tuple[int, int, str] | None:
    """What ``custom_id`` was made of, or None for an id that it did not make."""
    match = _CUSTOM_ID.fullmatch(value)
    if match is None or int(match[1]) >= int(match[2]):
        return None
    return int(match[1]), int(match[2]), match[3]


def digest(content: bytes) -> str:
    """Twelve hexadecimal digits that tell a row's content from others (of its SHA-256)."""
    return sha256(content).hexdigest()[:12]


def named(labels: Iterable[Any], count: int, most: int = 5) -> str:
    """Rows by their labels, in words: ``3, 7, 12 and 4 more``."""
    shown = [str(label)[:40] for label in islice(labels, most)]
    more = f" and {count - len(shown):,} more" if count > len(shown) else ""
    return ", ".join(shown) + more


def _values(prompts: Any) -> tuple[list[Any], list[str], Any]:
    """The rows as values or dicts, the names of their columns, and the index of a pandas object."""
    kind = type(prompts).__module__.partition(".")[0]
    if kind == "pandas" and hasattr(prompts, "columns"):
        names = list(map(str, prompts.columns))
        return _records(prompts.to_dict("records")), names, prompts.index.copy()
    if kind == "pandas" and hasattr(prompts, "index"):
        values, names = _named(prompts.tolist(), prompts.name)
        return values, names, prompts.index.copy()
    if kind == "polars" and hasattr(prompts, "columns"):
        return prompts.to_dicts(), list(prompts.columns), None
    if kind == "polars" and hasattr(prompts, "to_list"):
        return *_named(prompts.to_list(), prompts.name), None
    if isinstance(prompts, Mapping) or not isinstance(prompts, Iterable):
        raise InputError(
            f"batch() takes a list of prompts or a table, not a {type(prompts).__name__}."
        )
    values = list(prompts)
    if values and all(isinstance(value, Mapping) for value in values):
        names = list(dict.fromkeys(str(key) for row in values for key in row))
        return _records(values), names, None
    return values, [], None


def _records(rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows]


def _named(values: list[Any], name: Any) -> tuple[list[Any], list[str]]:
    """A column by its name, so that a template can use it; one without a name is as it is."""
    if not isinstance(name, str) or not name:
        return values, []
    return [{PROMPT: value, name: value} for value in values], [name]


def _content(value: Any, template: str | None, used: set[str]) -> Filled | InputError:
    try:
        if template is None:
            return _plain(value)
        variables = value if isinstance(value, Mapping) else {PROMPT: value}
        for name in used & variables.keys():
            if _missing(variables[name]):
                return InputError(f"{name} is missing.")
        return compose(template, variables=variables)
    except InputError as error:
        return error


def _plain(value: Any) -> Filled | InputError:
    if _missing(value):
        return InputError("The prompt is missing.")
    if isinstance(value, str):
        return Filled(({"type": "text", "text": value},), ())
    return compose("{{prompt}}", variables={PROMPT: value})


def _missing(value: Any) -> bool:
    """None, NaN, or what pandas has for them."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value  # noqa: PLR0124 - as only NaN does
