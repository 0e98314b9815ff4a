"""What the notebook's cells display, asked of the page while a cell runs."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from claude_nb.client import waiting
from claude_nb.request.attachments.limits import IMAGE_TYPES
from claude_nb.request.page import Page
from claude_nb.request.place import can_display, current_place
from claude_nb.views.busy_kernel import busy_kernel

TARGET = "claude_nb.page"
"""The target of the comm: labextension/static/outputs.js answers, with at most 2 MB."""

PATIENCE = 1.0
"""Seconds that the page has to answer: in a Run All it may be drawing plots."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a cell, as the page shows it.

    Attributes:
        kinds: The MIME types that it has.
        data: Its image in base64, or else its texts, by MIME type.
        dropped: How many characters are missing in the middle of its text.
        large: Whether it did not fit into the answer, and has no data for that.
    """

    kinds: Collection[str]
    data: dict[str, str]
    dropped: int = 0
    large: bool = False

    @property
    def is_image(self) -> bool:
        """Whether it is one that the API takes."""
        return any(kind in IMAGE_TYPES for kind in self.data)


@dataclass(frozen=True, slots=True)
class DisplayedCell:
    """A cell of the notebook.

    Attributes:
        execution: The number of its execution, which may be one of an earlier kernel.
        source: Its text now.
        outputs: Its outputs, without the replies of Claude.
        error: The exception that it shows, in a line; only where all cells were asked for.
        id: Its id.
        kind: Its type: ``code``, ``markdown`` or ``raw``.
        tags: Its tags.
    """

    execution: int
    source: str
    outputs: tuple[Output, ...] = ()
    error: str = ""
    id: str = ""
    kind: str = "code"
    tags: tuple[str, ...] = ()


class UnansweredError(Exception):
    """The page cannot be asked, or did not answer in time: then the text says so, for a note."""


def is_told() -> bool:
    """Whether the page that started the execution that runs now tells what cells display."""
    return can_display() and "outputs" in Page().capabilities


def displayed(executions: Collection[int]) -> list[DisplayedCell]:
    """The cells that show these executions, as far as they are in the notebook.

    Raises:
        UnansweredError: Nobody has told it.
    """
    return _cells(_ask({"cells": list(executions)}, told=is_told()))


def newest_figure() -> DisplayedCell | None:
    """The cell with the newest figure above the one that runs, with that alone; None without one.

    Raises:
        UnansweredError: Nobody has told it.
    """
    place = current_place()
    question = {"figure_above": place.cell, "execution": place.execution}
    found = _cells(_ask(question, told=is_told()))
    return found[0] if found else None


def notebook(cell: str, *, above: bool, told: bool) -> tuple[list[DisplayedCell], int]:
    """The cells of the notebook in its order, without one, and how many there are before those.

    Of more than 2 MB the oldest half is left out, and more if need be.

    Args:
        cell: The id of the one.
        above: Whether only those above it.
        told: Whether there is a page that tells it.

    Raises:
        UnansweredError: Nobody has told it.
    """
    answer = _ask({"around": cell, "above": above}, told=told)
    return _cells(answer), answer["left"]


def _ask(question: dict[str, Any], *, told: bool) -> dict[str, Any]:
    if not told:
        raise UnansweredError("")
    try:
        from comm import create_comm
    except ImportError:  # ipykernel before 6.18 has comms of its own
        from ipykernel.comm import Comm as create_comm  # noqa: N813

    answer: dict[str, Any] = {}
    arrived = threading.Event()

    def take(message: dict[str, Any]) -> None:
        answer.update(message["content"]["data"]["content"])
        arrived.set()

    comm = create_comm(target_name=TARGET)
    try:
        busy_kernel.reach(comm)
        comm.on_msg(take)
        comm.send(question)
        if not waiting.wait(arrived.wait, PATIENCE):
            raise UnansweredError("the page did not answer in time")
    finally:
        comm.close()
    if answer["cells"] is None:
        raise UnansweredError("the cell is not in the notebook that the page shows")
    return answer


def _cells(answer: dict[str, Any]) -> list[DisplayedCell]:
    return [
        DisplayedCell(**cell | {"outputs": outputs, "tags": tuple(cell.get("tags", ()))})
        for cell in answer["cells"]
        for outputs in [tuple(Output(**each) for each in cell["outputs"])]
    ]
