"""The names of chats that are given none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import chain, count

from claude_nb.conversation import saved_chat
from claude_nb.conversation.snapshot import snapshot
from claude_nb.request.place import Place

_UNNAMED = re.compile(r"chat( \d+)?")


def unnamed(place: Place, taken: Collection[str]) -> str:
    """The name of a chat that is given none: what its cell has called it before, or a free one.

    So a cell that is run again, after a restart too, shows the chat that it showed before.

    Args:
        place: Where the chat is made.
        taken: The names of conversations that there are.
    """
    if not place.cell:
        return next(name for name in numbered("chat") if name not in taken)
    saved, known = saved_chat.names(snapshot, place.cell)
    by_default = (0, 0, [name for name in saved if _UNNAMED.fullmatch(name)])
    execution, number, names = snapshot.unnamed.get(place.cell, by_default)
    if execution != place.execution:
        number = 0
    if number == len(names):
        names.append(next(n for n in numbered("chat") if n not in taken and n not in known))
    snapshot.unnamed[place.cell] = place.execution, number + 1, names
    return names[number]


def named_anew(name: str, place: Place, taken: Collection[str]) -> str:
    """The name of a chat of another notebook: one that had none there gets one of this notebook.

    Args:
        name: What it is called there.
        place: As of ``unnamed``.
        taken: As of ``unnamed``.
    """
    return unnamed(place, taken) if place.cell and _UNNAMED.fullmatch(name) else name


def numbered(name: str) -> Iterator[str]:
    """The name, then the name with 2, 3, … behind it, to choose the first that is free."""
    return chain([name], (f"{name} {number}" for number in count(2)))
