"""Answers that are out of date: what went into them has changed since."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import ref

from claude_nb.conversation.history import Exchange, History, label
from claude_nb.errors import InputError
from claude_nb.keeping.fingerprint import of_value
from claude_nb.request.attachments.attachment import attach
from claude_nb.request.attachments.interpolation import PutIn, value_of
from claude_nb.request.place import Place
from claude_nb.request.request import Request
from claude_nb.streaming.compact import digest

_ROWS, _COLUMNS = 200, 50
"""About how many rows and columns of a large table, or elements of an array, are compared."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Input:
    """A value that went into an answer; the value itself is not held.

    Attributes:
        name: How the user wrote it.
        digest: The digest of what was sent of it.
        sample: A digest of rows from all of it, where only its beginning was sent; else empty.
        is_whole: Whether all of it was sent.
        upload: Whether it was to be uploaded.
    """

    name: str
    digest: str
    sample: str
    is_whole: bool
    upload: bool | int

    @classmethod
    def of(cls, put_in: PutIn) -> Input:
        """What is to be known of a value later."""
        made = put_in.attachment
        taken = "" if made.is_whole else sample(put_in.value)
        return cls(put_in.name, of_value(made.blocks), taken, made.is_whole, put_in.upload)

    def state(self, variables: Mapping[str, Any]) -> tuple[str, bool]:
        """What has become of it.

        Args:
            variables: The user's variables.

        Returns:
            It in words, empty where it is unchanged, and whether it has changed: of a large value
            that looks the same nobody knows.
        """
        name = self.name.strip("{}")
        try:
            value = value_of(self.name, variables)
        except InputError:
            return f"{self.name} no longer exists", True
        try:
            made = attach(value, name, upload=self.upload)
        except InputError as error:
            return f"{self.name} counts as changed: {error.what}", True
        if of_value(made.blocks) != self.digest:
            return f"{self.name} changed", True
        if made.is_whole:
            return "", False
        if self.sample and sample(value) != self.sample:
            return f"{self.name} changed", True
        return f"{self.name} not checked: it was not sent in full", False


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What went into an answer that a cell shows.

    Attributes:
        place: Where it was asked.
        prompt: The user's words.
        inputs: The values in it.
        turn: The id of its turn, or an empty string.
        history: Its conversation, weakly, or None.
    """

    place: Place
    prompt: str
    inputs: tuple[Input, ...]
    turn: str
    history: ref[History] | None

    def reasons(self, variables: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Why it is out of date, and what could not be checked, in words.

        Args:
            variables: The user's variables.
        """
        states = [one.state(variables) for one in self.inputs]
        changed = [words for words, is_changed in states if is_changed]
        unknown = [words for words, is_changed in states if words and not is_changed]
        return [*changed, *self._asked_again()], unknown

    def _asked_again(self) -> Iterator[str]:
        """The earlier turns that have another question or answer now."""
        history = self.history() if self.history is not None else None
        if history is None:
            return
        with history.lock:
            exchanges = list(history.exchanges)
        own = next((e for e in exchanges if e.id == self.turn), None)
        newest: dict[str, Exchange] = {e.place.cell: e for e in exchanges if e.place.cell}
        for earlier in own.branch[:-1] if own is not None else ():
            now = newest.get(earlier.place.cell, earlier)
            if (now.content, now.text) != (earlier.content, earlier.text):
                yield f"cell {label(now)} was asked again"


class ShownAnswers:
    """The answers that the cells of this kernel show: of each cell those of its newest run."""

    def __init__(self) -> None:
        self._by_cell: dict[str | int, list[ShownAnswer]] = {}

    def add(
        self, place: Place, request: Request, values: Iterable[PutIn], history: History | None
    ) -> None:
        """Remember what went into an answer.

        Args:
            place: Where it was asked.
            request: What was sent.
            values: The values in it.
            history: Its conversation.
        """
        turn = request.turn.id if request.turn is not None else ""
        inputs = tuple(Input.of(value) for value in values)
        kept = ref(history) if history is not None else None
        answers = self._by_cell.setdefault(place.cell or place.execution, [])
        answers[:] = [one for one in answers if one.place.execution == place.execution]
        answers.append(ShownAnswer(place, request.prompt, inputs, turn, kept))

    def __iter__(self) -> Iterator[ShownAnswer]:
        """All of them, in the order in which their cells ran."""
        found = [answer for answers in list(self._by_cell.values()) for answer in list(answers)]
        return iter(sorted(found, key=lambda answer: answer.place.execution))


def sample(value: Any) -> str:
    """A digest of rows from all over a table or an array; empty for other values."""
    with suppress(Exception):  # a value may raise whatever it likes
        if hasattr(value, "iloc"):
            part = value.iloc[:: _step(len(value), _ROWS)]
            if value.ndim > 1:
                part = part.iloc[:, :: _step(value.shape[1], _COLUMNS)]
            return _digest(part.to_dict())
        if hasattr(value, "flat"):
            return _digest(value.flat[:: _step(value.size, _ROWS)].tolist())
        if hasattr(value, "gather_every"):
            part = value.gather_every(_step(len(value), _ROWS))
            return _digest(part.to_list() if hasattr(part, "to_list") else part.rows())
    return ""


def _step(size: int, most: int) -> int:
    return max(1, size // most)


def _digest(value: Any) -> str:
    return digest(_ADDRESS.sub("", repr(value)))
