"""Cells of the notebook that go along with a prompt: which of them, and where they stand.

The beginning of what is sent has to stay the same, byte for byte, or the prompt cache does not have
it. So each cell is a content block of its own, which nothing outside it changes; what an earlier
turn has sent is not sent again; and over ``BUDGET`` the oldest half goes at once, not a cell with
each question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from claude_nb.request.place import Place

CONTEXTS = ("above", "notebook", "off")
"""Which cells can go along."""

BUDGET = 60_000
"""Characters of cells at most, about 15,000 tokens."""

_IMAGE = 6_000
"""Characters for which an image counts: it takes about 1,500 tokens."""

_BEGIN, _END = "<notebook>\n", "</notebook>\n\n"
_HEAD = re.compile(r'<(\w+)(?: id="(\w+)")?(?: number="(\d+)")?>')
"""How the text of a cell begins: see ``head``."""

_NUMBER = re.compile(r'^(<\w+ id="\w+") number="\d+"')
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-fA-F]+(?=[^<>\n]*>)")

_INTRODUCTION = {
    "above": "The cells of this notebook above the one that asks.",
    "notebook": "The other cells of this notebook.",
}
_CHANGED = "Cells of this notebook that are new, or have changed since they were sent."
_EARLIER = " Earlier ones are left out."


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that can go along.

    Attributes:
        place: Its id and the number of its execution, as far as they are known.
        size: About how many characters it takes: see ``size_of``.
        make: Makes what is sent of it, which takes a while.
        asks: Whether it is ``%%claude``: it is a turn of a conversation, perhaps of this one.
    """

    place: Place
    size: int
    make: Callable[[], SentCell]
    asks: bool = False


@dataclass(frozen=True, slots=True)
class SentCell:
    """A cell as it is sent.

    Attributes:
        place: As of ``Cell``.
        text: Its source and its output, in tags.
        images: The images that it displayed, as content blocks.
        cut: Whether a part of it was cut.
        missing: What it displayed and is not sent.
        unknown: What nobody knows of it.
    """

    place: Place
    text: str
    images: tuple[dict[str, Any], ...] = ()
    cut: bool = False
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def blocks(self) -> tuple[dict[str, Any], ...]:
        """Its content blocks."""
        return ({"type": "text", "text": self.text}, *self.images)


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells that can go along with a prompt.

    Attributes:
        which: One of ``CONTEXTS``.
        cells: The cells, in the order in which they are sent.
        hidden: How many cells ask not to be sent.
        left: How many there are before those, which are too much.
        unknown: What nobody knows of them, such as their order; for the note, and the model.
    """

    which: str
    cells: tuple[Cell, ...]
    hidden: int = 0
    left: int = 0
    unknown: tuple[str, ...] = ()

    def beside(
        self, before: Iterable[Mapping[str, Any]], asked: Collection[Place]
    ) -> tuple[tuple[dict[str, Any], ...], str]:
        """What is sent of them after other turns, as content blocks, and a note on that.

        Args:
            before: The turns that are sent before, as the API's dicts.
            asked: Where the questions among them were asked.
        """
        at = [cell for cell in self.cells if not (cell.asks and _is_turn(cell.place, asked))]
        first, sent = _first(at), _sent(before)
        made = [cell.make() for cell in at[first:]]
        fresh = [cell for cell in made if _version(cell.blocks) not in sent.items()]
        left = self.left + first
        note = self._note(fresh, len(made) - len(fresh), left)
        if not fresh:
            return (), note
        about = _CHANGED if sent else _INTRODUCTION[self.which]
        about += _EARLIER if left else ""
        about += f" Missing: {', '.join(self.unknown)}." if self.unknown else ""
        blocks = [block for cell in fresh for block in cell.blocks]
        return (_text(f"{_BEGIN}{about}\n"), *blocks, _text(_END)), note

    def _note(self, fresh: Sequence[SentCell], earlier: int, left: int) -> str:
        count = f"{len(fresh):,}" if fresh else "none"
        if earlier:
            count = f"{count} new or changed, {earlier:,} sent before"
        parts = [count]
        if images := sum(len(cell.images) for cell in fresh):
            parts[0] += f", with {images} image{'s' * (images > 1)}"
        if cut := names(cell.place for cell in fresh if cell.cut):
            parts.append(f"{cut} not in full")
        if left:
            parts.append(f"the oldest {left:,} left out")
        if self.hidden:
            parts.append(f"{self.hidden:,} hidden")
        note = f"{note_of(self.which)}{', '.join(parts)}"
        if missing := by_cell((cell.place, cell.missing) for cell in fresh):
            note += f"; not included: {', '.join(missing)}"
        unknown = [*self.unknown, *by_cell((cell.place, cell.unknown) for cell in fresh)]
        return f"{note}; missing: {', '.join(unknown)}" if unknown else note


def size_of(characters: int, images: int) -> int:
    """For how many characters texts and images count."""
    return characters + _IMAGE * images


def note_of(which: str) -> str:
    """How the note on the cells begins that are sent along."""
    return "cells above: " if which == "above" else "cells of the notebook: "


NOTES = tuple(map(note_of, CONTEXTS[:2]))
"""How the notes on such cells begin."""


def count_cells(content: str | Sequence[Mapping[str, Any]]) -> int:
    """How many blocks at the beginning of a turn's content are cells that went along."""
    if isinstance(content, str) or not content:
        return 0
    if not str(content[0].get("text", "")).startswith(_BEGIN):
        return 0
    return next((n for n, block in enumerate(content, 1) if block.get("text") == _END), 0)


def without(content: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The content of a turn without the cells that went along."""
    return tuple(content[count_cells(content) :])


def each(content: str | Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The cells that went along in the content of a turn, each as its blocks."""
    found: list[list[dict[str, Any]]] = []
    if isinstance(content, str):
        return found
    for block in content[1 : max(1, count_cells(content) - 1)]:
        if block["type"] == "text":
            found.append([block])
        elif found:
            found[-1].append(block)
    return found


def lasting(content: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The content of a turn, and of the cells in it what another kernel has too, run in any order.

    That is neither the number of an execution, where the cell has an id, nor where in memory an
    object was: ``<Line2D at 0x7f278bffb510>``.
    """
    count = count_cells(content)
    return [*map(_lasting, content[:count]), *content[count:]]


def head(kind: str, place: Place) -> str:
    """The tag with which the text of a cell begins: with a short id, and its number if it has one.

    By the id another version is recognised; a front end's own would take 20 tokens.
    """
    short = sha256(place.cell.encode()).hexdigest()[:6] if place.cell else ""
    parts = [kind, f'id="{short}"' if short else ""]
    parts.append(f'number="{place.execution}"' if place.execution else "")
    return f"<{' '.join(filter(None, parts))}>"


def label(text: str) -> str:
    """The text of a cell in a few words: its number, and the first line of its source."""
    found = _HEAD.match(text)
    source = text[found.end() :].removeprefix("\n<input>") if found else text
    line = next((line for line in source.split("\n") if line.strip()), "").strip()
    if found is None or found[1] == "markdown":
        return f"Markdown: {line}"
    return f"[{found[3] or ' '}] {line}"


def names(places: Iterable[Place]) -> str:
    """Cells by their numbers, in ascending order: ``[3]–[5], [7]``; others by how many they are."""
    found = list(places)
    numbers = sorted(place.execution for place in found if place.execution)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    parts = ["–".join(f"[{number}]" for number in run) for run in runs]
    if other := len(found) - len(numbers):
        parts.append(f"{other} without a number")
    return ", ".join(parts)


def by_cell(found: Iterable[tuple[Place, Iterable[str]]]) -> list[str]:
    """Each thing once, with the cells in which it is."""
    cells_of: dict[str, list[Place]] = {}
    for place, what in found:
        for one in dict.fromkeys(what):
            cells_of.setdefault(one, []).append(place)
    return [f"{what} in {names(cells_of[what])}" for what in sorted(cells_of)]


def _first(cells: Sequence[Cell]) -> int:
    """The number of the first cell that is sent.

    It stays the same for the questions of later cells, until there are so many that half has to go.
    """
    first = total = 0
    for number, cell in enumerate(cells):
        total += cell.size
        if total > BUDGET:
            while total > BUDGET // 2 and first < number:
                total -= cells[first].size
                first += 1
    return first


def _is_turn(place: Place, asked: Collection[Place]) -> bool:
    by_id = any(place.cell == other.cell for other in asked)
    by_number = any(place.execution == other.execution for other in asked)
    return by_id if place.cell else bool(place.execution and by_number)


def _sent(before: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The newest version of each cell that turns have sent, by what it is known by."""
    return dict(_version(cell) for turn in before for cell in each(turn["content"]))


def _lasting(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] != "text":
        return block
    text = _NUMBER.sub(r"\1", block["text"])
    return block | {"text": _ADDRESS.sub("", text)}


def _version(cell: Sequence[dict[str, Any]]) -> tuple[str, tuple[str, ...]]:
    """What a cell is known by, and all else of it that can change.

    With an id, its number is neither: run again, with the same output, it has not changed. Neither
    has it where an object is elsewhere in memory.
    """
    text, *images = map(_lasting, cell)
    found = _HEAD.match(text["text"])
    data = (image["source"].get("data", "") for image in images)
    if found is None or not found[2]:
        return text["text"], tuple(data)
    return f"{found[1]} {found[2]}", (text["text"][found.end() :], *data)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
