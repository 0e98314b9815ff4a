"""The notebook as context, and a reply's code put back into it.

A page with claude_nb's extension is asked what cells displayed, and the kernel's own knowledge is
for where none answers (``notebook.executions``).
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from claude_nb.errors import InputError
from claude_nb.notebook import executions
from claude_nb.notebook.context import is_hidden
from claude_nb.notebook.outputs import Shown, shown
from claude_nb.notebook.tags import PART, plain, tag
from claude_nb.redaction import redact
from claude_nb.request.attachments.attachment import attach, is_picture
from claude_nb.request.attachments.limits import MANY_IMAGES
from claude_nb.request.cells import BUDGET, by_cell, names
from claude_nb.request.executed import failures, number_of, report
from claude_nb.request.page import Page
from claude_nb.request.place import Place
from claude_nb.views import page_outputs
from claude_nb.views.page_outputs import DisplayedCell, UnansweredError

_RANGE = re.compile(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Included:
    """A part of the notebook, for a request.

    Attributes:
        text: What is put before the prompt, in the user's turn: tags as the platform documentation
            recommends ("Use XML tags to structure your prompts"), no line end after the last.
            It holds no ANSI escapes, and nothing that looks like an API key.
        note: What was included and what was not, in a line for the output.
        place: Of an error, where it was raised, if that is known.
        images: Images, as the API's content blocks, by what the text calls them.
    """

    text: str
    note: str
    place: Place | None = None
    images: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """All of it as content blocks, which the prompt may follow at once."""
        blocks = [_text(f"{self.text}\n\n")] if self.text else []
        for name, image in self.images.items():
            blocks += [_text(f"{name}:\n"), image, _text("\n\n")]
        return blocks


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@dataclass(frozen=True, slots=True)
class _Cell:
    """One execution.

    Attributes:
        number: Its number.
        text: What is sent of it, in tags.
        cut: Whether a part of that was cut.
        images: The images that it displayed, by name.
        missing: What it displayed and is not sent.
        unknown: What nobody knows of it.
    """

    number: int
    text: str
    cut: bool
    images: dict[str, dict[str, Any]]
    missing: list[str]
    unknown: list[str]


def cells(shell: InteractiveShell, which: str) -> Included:
    """Give earlier cells to the model, by what page and kernel know of them.

    Every execution counts: a cell that was run twice has two numbers, and both are there.

    Args:
        shell: The shell in which a cell is running; that cell is never included.
        which: Numbers of executions, the n of ``In[n]``: ``3``, ``3-5``, ``3,5-7``, or ``all`` that
            do not ask to be left out.

    Returns:
        The cells in their order. If they are more than ``BUDGET`` characters, those from the
        newest on that fit.

    Raises:
        InputError: There are no such cells; the error says which there are.
    """
    sources = executions.sources(shell)
    sources.pop(shell.displayhook.prompt_count, None)  # a cell's source is stored before it runs
    visible = [number for number in sources if not is_hidden(sources[number])]
    numbers = _numbers(which, visible if which == "all" else list(sources))
    not_kept = executions.not_kept(shell)
    replies = executions.replies() if not_kept else {}  # what is kept has them
    on_page: dict[int, DisplayedCell] | None = None
    unanswered = ""
    try:
        found = page_outputs.displayed(numbers)
        # An earlier kernel gave the same numbers to other cells.
        on_page = {
            cell.execution: cell
            for cell in found
            if cell.source.rstrip("\n") == sources[cell.execution]
        }
    except UnansweredError as reason:
        unanswered = f" ({reason})" if str(reason) else ""
    included: list[_Cell] = []
    images: dict[str, dict[str, Any]] = {}
    used = 0
    for number in reversed(numbers):
        displayed = None
        if on_page and number in on_page:
            displayed = shown(on_page[number], MANY_IMAGES - len(images))
        cell = _cell(shell, number, sources[number], replies.get(number, []), displayed)
        used += len(cell.text)
        if included and used > BUDGET:
            break
        included.insert(0, cell)
        images = cell.images | images
    about = "Earlier cells of this notebook, by the number of their execution."
    not_known: list[str] = []
    if on_page is None and not_kept:
        about += f" Their {not_kept} output (plots, tables, widgets) is not included."
        not_known = [f"{not_kept} output{unanswered}"]
    elif on_page is not None:
        gone = [cell.number for cell in included if cell.number not in on_page]
        not_known = [f"{not_kept} output in {_ranges(gone)}"] if gone else []
    text = "\n".join([about, *(cell.text for cell in included)])
    note = _note(included, numbers[: -len(included)], not_known)
    return Included(text, note, images=images)


def figure(shell: InteractiveShell) -> Included:
    """Give the newest figure above the running cell to the model.

    It is the one that the page shows there. Where nobody tells it, it is the newest that was the
    result of an execution.

    Raises:
        InputError: There is none, or it cannot be sent.
    """
    named = "A figure that is in a variable can be sent by its name: {{fig}}"
    try:
        cell = page_outputs.newest_figure()
    except UnansweredError as reason:
        return _newest_result(shell, str(reason), named)
    if cell is None:
        raise InputError("There is no figure above this cell.", named)
    where = f"cell [{cell.execution}]" if cell.execution else "a cell above"
    found = shown(cell, 1)
    if not found.images:
        raise InputError(f"The figure of {where} is not sent: it is {found.missing[0]}.", named)
    name = f"The figure of {where}"
    return Included("", f"{name} included.", images={name: found.images.popitem()[1]})


def _newest_result(shell: InteractiveShell, reason: str, named: str) -> Included:
    """The newest result of an execution that is a figure or an image, drawn anew."""
    history: Any = shell.history_manager
    why = reason or "the page does not tell"
    for number, value in reversed(history.output_hist.items()):
        if is_picture(value):
            name = f"The figure of cell [{number}]"
            (image,) = attach(value, name).blocks
            note = f"{name} included, drawn again from its return value ({why})."
            return Included("", note, images={name: image})
    raise InputError(f"The displayed figure cannot be found: {why}.", named)


def error(shell: InteractiveShell, number: int | None = None) -> Included:
    """Give an exception to the model, with the source of the cell that failed.

    Without a number it is the one that the reader chose on the page, or the last. A slip on a
    ``%claude`` line is passed over as long as something else has failed before: it may be the one
    that has just been corrected.

    Args:
        shell: The shell in which it was raised.
        number: The number of the execution that failed.

    Raises:
        InputError: Nothing has failed yet, or not that execution.
    """
    chosen = Page().error if number is None else None
    if chosen is not None:
        return _included(chosen.name, chosen.source, chosen.traceback, chosen.place)
    failed = failures(shell)
    if number is not None:
        if number not in failed:
            there = f"The cells that failed: {_ranges(sorted(failed))}." if failed else ""
            raise InputError(f"Cell [{number}] did not fail in this kernel.", there)
        return _failure(shell, number)
    # IPython sets it for every exception that it shows, one in a script of `%run` too.
    value = getattr(sys, "last_value", None)
    if value is None:
        raise InputError("Nothing has failed yet: there is no error to include.")
    name, found = type(value).__name__, _failing(shell, value)
    if isinstance(value, InputError) and "%claude" in _source(shell, found):
        for earlier, failure in reversed(failed.items()):
            if failure["ename"] != name:
                return _failure(shell, earlier)
    place = Place(execution=found) if found else None
    return _included(name, _source(shell, found), report(shell, value), place)


def _failure(shell: InteractiveShell, number: int) -> Included:
    """The exception that ended an execution, as IPython showed it."""
    failure = failures(shell)[number]
    lines, place = "\n".join(failure["traceback"]), Place(execution=number)
    return _included(failure["ename"], _source(shell, number), lines, place)


def _included(name: str, source: str, lines: str, place: Place | None) -> Included:
    source, lines = plain(source), plain(lines)
    number = place.execution if place else 0
    begin, where = (
        (f'<error cell="{number}">', f" of cell [{number}]") if number else ("<error>", "")
    )
    tags = [tag("input", source)] if source else []
    cut = ", not in full" if max(len(source), len(lines)) > PART else ""
    return Included(
        "\n".join([begin, *tags, tag("traceback", lines), "</error>"]),
        f"The error{where} included: {name}{cut}.",
        place,
    )


def insert(shell: InteractiveShell, code: str) -> str:
    """Put code into one new cell below the running one; it is never run.

    In JupyterLab and Notebook 7 the cell appears when the running one has ended, and only if it
    did not fail (``set_next_input`` in their ``runCell``; the last call in a cell counts). In a
    terminal, the code is the beginning of the next input. nbclient and papermill do nothing.

    Args:
        shell: The shell in which a cell is running.
        code: What to put there; keys are redacted, as in all that is saved. Empty: no new cell.

    Returns:
        What was done, in a line for the output.
    """
    if not code.strip():
        return "There is no code in the reply: no cell was inserted."
    shell.set_next_input(redact(code), replace=False)
    return "The code of the reply is in a new cell below; it was not run."


def _numbers(which: str, there: list[int]) -> list[int]:
    """The numbers that were asked for, of those that there are."""
    if not there:
        raise InputError("There is no earlier cell to include.")
    if which == "all":
        return there
    wanted: set[int] = set()
    for part in which.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise InputError(
                f"--cells takes cell numbers, or all, not {which!r}.",
                f"For example: --cells 3-5 or --cells 3,5-7. There are {_ranges(there)}.",
            )
        low, high = int(match[1]), int(match[2] or match[1])
        if high < low:
            raise InputError(f"--cells {part}: the smaller number goes first: {high}-{low}.")
        for number in (low, high):
            if number not in there:
                raise InputError(
                    f"There is no earlier cell [{number}] in this kernel.",
                    f"There are {_ranges(there)}.",
                )
        wanted.update(number for number in there if low <= number <= high)
    return sorted(wanted)


def _ranges(numbers: Iterable[int]) -> str:
    return names(Place(execution=number) for number in numbers)


def _cell(
    shell: InteractiveShell, number: int, source: str, replies: list[str], displayed: Shown | None
) -> _Cell:
    # What the reader has cleared on the page is still known here.
    output = displayed.text if displayed else ""
    output = output or executions.output(shell, number)
    dropped = displayed.dropped if displayed else 0
    parts = [("input", plain(source), 0), ("output", plain(output), dropped)]
    parts += [("reply", plain(reply), 0) for reply in replies]
    failure = executions.failure(shell, number)
    parts.append(("error", plain(failure), 0))
    unknown: list[str] = []
    if hasattr(shell, "kernel"):
        if source.lstrip().startswith("%%claude") and not replies and not failure:
            unknown.append("the reply")
        elif not displayed and executions.awaits(shell, source):
            unknown.append("printed output")
    tags = [tag(name, part, dropped) for name, part, dropped in parts if part]
    text = "\n".join([f'<cell number="{number}">', *tags, "</cell>"])
    cut = any(len(part) > PART or dropped for _, part, dropped in parts)
    images, missing = (displayed.images, displayed.missing) if displayed else ({}, [])
    return _Cell(number, text, cut, images, missing, unknown)


def _note(included: list[_Cell], left: list[int], not_known: list[str]) -> str:
    """What was included, what was cut, what was left out and what nobody knows."""
    numbers = [cell.number for cell in included]
    note = f"Cell{'s' * (len(numbers) > 1)} {_ranges(numbers)} included"
    if images := sum(len(cell.images) for cell in included):
        note += f" with {images} image{'s' * (images > 1)}"
    if cut := [cell.number for cell in included if cell.cut]:
        note += ", not in full" if cut == numbers else f", {_ranges(cut)} not in full"
    if left:
        note += f", {len(left)} earlier left out"
    if missing := by_cell((Place(execution=c.number), c.missing) for c in included):
        note += f"; not included: {', '.join(missing)}"
    not_known = [*not_known, *by_cell((Place(execution=c.number), c.unknown) for c in included)]
    return f"{note}; missing: {', '.join(not_known)}." if not_known else f"{note}."


def _source(shell: InteractiveShell, number: int | None) -> str:
    return str(shell.user_ns.get(f"_i{number}", ""))


def _failing(shell: InteractiveShell, value: BaseException) -> int | None:
    """The number of the execution that an exception ended, or None if it ended none."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(value.__traceback__)]
    if isinstance(value, SyntaxError) and value.filename:
        files.append(value.filename)
    number = next(filter(None, (number_of(shell, file) for file in files)), None)
    # Code that a cell runs as a cell, as `%%capture` does, has the number of the next one, and
    # a script may call what an earlier one defined: it is that cell only if that cell failed.
    return number if number in failures(shell) else None
