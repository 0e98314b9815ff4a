"""What the notebook's cells display, asked of the page while a cell runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from claude_nb.request.page import Page
from claude_nb.request.place import can_display, current_place
from claude_nb.views.busy_kernel import busy_kernel

TARGET = "claude_nb.page"
"""The target of the comm: labextension/static/outputs.js answers, with at most 2 MB."""

PATIENCE = 0.2
"""Seconds that the page has to answer."""

WIDGET = "application/vnd.jupyter.widget-view+json"


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


@dataclass(frozen=True, slots=True)
class DisplayedCell:
    """A cell of the notebook.

    Attributes:
        execution: The number of its execution, which may be one of an earlier kernel.
        source: Its text now.
        outputs: Its outputs, without errors and the replies of Claude.
    """

    execution: int
    source: str
    outputs: tuple[Output, ...]


class UnansweredError(Exception):
    """The page cannot be asked, or did not answer in time: then the text says so, for a note."""


def displayed(executions: Collection[int]) -> list[DisplayedCell]:
    """The cells that show these executions, as far as they are in the notebook.

    Raises:
        UnansweredError: Nobody has told it.
    """
    return _ask({"cells": list(executions)})


def newest_figure() -> DisplayedCell | None:
    """The cell with the newest figure above the one that runs, with that alone; None without one.

    Raises:
        UnansweredError: Nobody has told it.
    """
    place = current_place()
    found = _ask({"figure_above": place.cell, "execution": place.execution})
    return found[0] if found else None


def _ask(question: dict[str, Any]) -> list[DisplayedCell]:
    if not can_display() or "outputs" not in Page().capabilities:
        raise UnansweredError("")
    from comm import create_comm

    answers: SimpleQueue[dict[str, Any]] = SimpleQueue()
    comm = create_comm(target_name=TARGET)
    try:
        busy_kernel.reach(comm)
        comm.on_msg(lambda message: answers.put(message["content"]["data"]["content"]))
        comm.send(question)
        answer = answers.get(timeout=PATIENCE)
    except Empty:
        raise UnansweredError("the page did not answer in time") from None
    finally:
        comm.close()
    return [
        DisplayedCell(
            cell["execution"], cell["source"], tuple(Output(**each) for each in cell["outputs"])
        )
        for cell in answer["cells"]
    ]
