"""The notebook as context: the cells that go along with each prompt, by page, file or kernel.

A page with claude_nb's extension tells the notebook's cells. Where none answers, the saved notebook
has their order and its Markdown, if the kernel knows the file and the cell that asks is in it.
Otherwise it is the executions in their order, each cell by its newest one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from claude_nb import redaction
from claude_nb.conversation import notebook_file, saved_notebook
from claude_nb.errors import InputError
from claude_nb.notebook import executions
from claude_nb.notebook.outputs import Shown, shown
from claude_nb.notebook.tags import cut, plain, tag
from claude_nb.request.attachments.limits import IMAGE_TYPES
from claude_nb.request.cells import Cell, Cells, SentCell, head, size_of
from claude_nb.request.executed import cell_ids
from claude_nb.request.place import Place, shell
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.record import recorded
from claude_nb.views import page_outputs
from claude_nb.views.page_outputs import DisplayedCell, Output, UnansweredError

PART = 5_000
"""Characters of one source, output, reply or error at most; of a longer one both ends are sent."""

MOST_IMAGES = 5
"""Images of a cell at most."""

LONG = 20_000
"""Characters of a text in the saved notebook: of a longer one both ends are read, as of a page."""

_TEXTS = ("text/markdown", "text/latex", "text/html", "text/plain")

HIDDEN = "claude-hide"
"""The tag of a cell that is not sent."""

_HIDE = re.compile(
    r"\s*(?:%%.*\n\s*)*(?:#[ \t]*claude:[ \t]*hide[ \t]*$|<!--\s*claude:\s*hide\s*-->)",
    re.IGNORECASE | re.MULTILINE,
)

_made: dict[Hashable, SentCell] = {}
_MOST_MADE = 1_000
"""Cells as they were sent, by all that they were made of, and how many of them are kept."""

_files: dict[Path, tuple[tuple[int, int], list[DisplayedCell]]] = {}
"""The saved notebook as it was read last, with the time and the size of its file."""


def forget() -> None:
    """Make all cells anew."""
    _made.clear()
    _files.clear()


def is_hidden(source: str, tags: Iterable[str] = ()) -> bool:
    """Whether a cell asks not to be sent: by its tag, or by a comment in its first line."""
    return HIDDEN in tags or _HIDE.match(source) is not None


def cells(which: str, place: Place, *, told: bool | None = None) -> Cells:
    """The cells of the notebook that can go along with a prompt.

    Args:
        which: ``above`` for those above the cell that asks, or ``notebook`` for all others.
        place: The cell that asks, or in which the chat is that asks.
        told: Whether a page tells its cells; None for the page that started the execution.
    """
    here, left, is_page = shell(), 0, True
    unknown: tuple[str, ...] = ()
    if here is None:
        return Cells(which, ())
    known = executions.sources(here)
    known.pop(place.execution, None)
    try:
        told = page_outputs.is_told() if told is None else told
        found, left = page_outputs.notebook(place.cell, above=which == "above", told=told)
    except UnansweredError as reason:
        found, unknown = _without_page(here, which, place, known, str(reason))
        is_page = False
    return of_cells(which, found, known, is_page=is_page, left=left, unknown=unknown)


def of_cells(
    which: str,
    found: Sequence[DisplayedCell],
    known: Mapping[int, str],
    *,
    is_page: bool,
    left: int = 0,
    unknown: tuple[str, ...] = (),
) -> Cells:
    """These cells, to go along; none of them is made before it is sent.

    Args:
        which: As of ``Cells``, as are ``left`` and ``unknown``.
        found: The cells.
        known: The sources of this kernel's executions, by their numbers.
        is_page: Whether a page has told the cells: then they are as it shows them.
        left: See ``which``.
        unknown: See ``which``.
    """
    here, replies = shell(), executions.replies()
    visible = [cell for cell in found if not is_hidden(cell.source, cell.tags)]
    sent, ids = [], set()
    for cell in visible:
        if cell.kind not in ("code", "markdown") or not cell.source.strip():
            continue
        if cell.id in ids:  # edited by hand: the other one is known by it
            cell = replace(cell, id="")  # noqa: PLW2901
        ids.add(cell.id)
        # An earlier kernel gave the same numbers to other cells.
        is_ours = known.get(cell.execution, "").rstrip("\n") == cell.source.rstrip("\n")
        texts = tuple(replies.get(cell.execution, ())) if is_ours else ()
        if is_ours and not is_page:
            cell = _as_kernel_has_it(here, cell)  # noqa: PLW2901
        sent.append(_cell(here, cell, texts, is_page=is_page))
    return Cells(which, tuple(sent), len(found) - len(visible), left, unknown)


def _without_page(
    here: Any, which: str, place: Place, known: dict[int, str], reason: str
) -> tuple[list[DisplayedCell], tuple[str, ...]]:
    """The cells by the saved notebook, or by the executions; and what nobody knows of them."""
    because = f" ({reason})" if reason else ""
    not_kept = executions.not_kept(here)
    displayed = [f"{not_kept} output{because}"] if not_kept else []
    saved = _saved(place.cell) if place.cell else None
    if saved is not None:
        at = next(number for number, cell in enumerate(saved) if cell.id == place.cell)
        saved = saved[:at] + ([] if which == "above" else saved[at + 1 :])
        newest = {id_: number for number, id_ in cell_ids.items() if number in known}
        return [_as_run(cell, newest, known) for cell in saved], ("unsaved changes", *displayed)
    found: dict[str | int, DisplayedCell] = {}  # in the order of the first execution of each
    is_below = False
    for number, source in known.items():
        id_ = cell_ids.get(number, "")
        if id_ and id_ == place.cell:
            is_below = which == "above"  # what is run for the first time after the cell that asks
        elif id_ in found or not is_below:
            found[id_ or number] = DisplayedCell(number, source, id=id_)
    return list(found.values()), ("cells that were not run", *displayed)


def _as_run(saved: DisplayedCell, newest: dict[str, int], known: dict[int, str]) -> DisplayedCell:
    """A cell of the file as this kernel has run it last, if it has."""
    number = newest.get(saved.id)
    if number is None or saved.kind != "code":
        return saved
    if number == saved.execution and known[number].rstrip("\n") == saved.source.rstrip("\n"):
        return saved
    return DisplayedCell(number, known[number], id=saved.id, tags=saved.tags)


def _as_kernel_has_it(here: Any, cell: DisplayedCell) -> DisplayedCell:
    """A cell with the output and the error that the kernel knows, where nobody told others."""
    error = cell.error or executions.failure(here, cell.execution)
    outputs = cell.outputs
    if not outputs and (text := executions.output(here, cell.execution)):
        outputs = (Output(("text/plain",), {"text/plain": text}),)
    return replace(cell, error=error, outputs=outputs)


def _cell(here: Any, cell: DisplayedCell, replies: Sequence[str], *, is_page: bool) -> Cell:
    """A cell that is made when it is sent, and then not again while it stays the same."""
    is_code = cell.kind == "code"
    place = Place(cell.id, cell.execution if is_code else 0)
    images = min(MOST_IMAGES, sum(one.is_image for one in cell.outputs))
    # Of a table the text counts, of which the HTML is ten times as long.
    printed = sum(len(one.data.get("text/plain", "")) for one in cell.outputs)
    texts = (len(cell.source), printed, len(cell.error), *map(len, replies))
    size = size_of(sum(min(length, PART) for length in texts), images)

    def make() -> SentCell:
        key = (redaction.state(), is_page, replies, _key(cell))
        if key not in _made:
            if len(_made) > _MOST_MADE:
                _made.clear()
            _made[key] = (_code if is_code else _markdown)(here, cell, place, replies, is_page)
        return _made[key]

    return Cell(place, size, make, is_code and cell.source.lstrip().startswith("%%claude"))


def _key(cell: DisplayedCell) -> Hashable:
    outputs = ((*one.kinds, *one.data.items(), one.dropped, one.large) for one in cell.outputs)
    return (cell.kind, cell.id, cell.execution, cell.source, cell.error, *outputs)


def _markdown(_here: Any, cell: DisplayedCell, place: Place, *_: object) -> SentCell:
    source = plain(cell.source)
    text = _closed(head("markdown", place), [cut(source, most=PART)])
    return SentCell(place, text, cut=len(source) > PART)


def _code(
    here: Any,
    cell: DisplayedCell,
    place: Place,
    replies: Sequence[str],
    is_page: bool,  # noqa: FBT001
) -> SentCell:
    asks, found = cell.source.lstrip().startswith("%%claude"), _shown(cell)
    parts = [("input", plain(cell.source), 0), ("output", plain(found.text), found.dropped)]
    parts += [("reply", plain(reply), 0) for reply in replies]
    parts.append(("error", plain(cell.error), 0))
    unknown = []
    if hasattr(here, "kernel"):
        sends = asks and "--dry-run" not in cell.source.lstrip().partition("\n")[0]
        if sends and cell.execution and not replies and not cell.error:
            unknown.append("the reply")
        elif not is_page and not cell.outputs and executions.awaits(here, cell.source):
            unknown.append("printed output")
    tags = [tag(name, part, dropped, PART) for name, part, dropped in parts if part]
    return SentCell(
        place,
        _closed(head("cell", place), tags),
        tuple(found.images.values()),
        any(len(part) > PART or dropped for _, part, dropped in parts),
        tuple(found.missing),
        tuple(unknown),
    )


def _shown(cell: DisplayedCell) -> Shown:
    return shown(cell, MOST_IMAGES, among_many=True)


def _closed(begin: str, lines: Iterable[str]) -> str:
    name = begin[1:-1].partition(" ")[0]
    return "\n".join([begin, *lines, f"</{name}>\n"])


def _saved(cell: str) -> list[DisplayedCell] | None:
    """The cells of the saved notebook; None if it is not known, or that cell is not in it."""
    try:
        path = saved_notebook.current_path()
        stat = path.stat()
        version = stat.st_mtime_ns, stat.st_size
        if path not in _files or _files[path][0] != version:
            notebook = as_dict(json.loads(notebook_file.read(path)))
            read = [_of_file(as_dict(one)) for one in notebook.get("cells") or ()]
            _files.clear()
            _files[path] = version, read
        found = _files[path][1]
    except (InputError, OSError, ValueError, RecursionError, TypeError):
        return None
    return list(found) if any(one.id == cell for one in found) else None


def _of_file(cell: dict[str, Any]) -> DisplayedCell:
    """A cell as its file has it, which may come from anybody."""
    outputs, tags = cell.get("outputs"), as_dict(cell.get("metadata")).get("tags")
    found = [as_dict(output) for output in outputs] if isinstance(outputs, list) else []
    errors = [
        f"{as_string(one.get('ename'))}: {as_string(one.get('evalue'))}"
        for one in found
        if one.get("output_type") == "error"
    ]
    count = cell.get("execution_count")
    return DisplayedCell(
        count if isinstance(count, int) else 0,
        saved_notebook.joined(cell.get("source")),
        tuple(map(_output, filter(_is_output, found))),
        errors[0] if errors else "",
        as_string(cell.get("id")),
        as_string(cell.get("cell_type")),
        tuple(map(str, tags)) if isinstance(tags, list) else (),
    )


def _is_output(output: dict[str, Any]) -> bool:
    # The kernel has replies of Claude.
    return output.get("output_type") != "error" and recorded(output) is None


def _output(output: dict[str, Any]) -> Output:
    """An output of a file as a page tells it: its image, or its texts, of a long one both ends."""
    is_stream = output.get("output_type") == "stream"
    data = {"text/plain": output.get("text")} if is_stream else as_dict(output.get("data"))
    image = next((kind for kind in IMAGE_TYPES if kind in data), None)
    if image is not None:
        return Output(tuple(data), {image: saved_notebook.joined(data[image])})
    texts, dropped = {}, 0
    for kind in _TEXTS:
        text = saved_notebook.joined(data.get(kind))
        if len(text) > LONG and kind != "text/html":
            dropped = len(text) - LONG
            text = text[: LONG // 2] + text[-LONG // 2 :]
        if text and len(text) <= 10 * LONG:
            texts[kind] = text
    return Output(tuple(data), texts, dropped)
