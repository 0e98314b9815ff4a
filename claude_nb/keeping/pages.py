"""``claude-nb page``: a page of the replies in a notebook, or of a recording."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from pathlib import Path

from claude_nb.conversation.saved_notebook import Record, SavedNotebook, load
from claude_nb.errors import InputError
from claude_nb.keeping.answer import read
from claude_nb.recording.recording import Recording
from claude_nb.render import page
from claude_nb.request import files
from claude_nb.streaming.block import as_dict, as_string

_NO_EVENTS = """\
its reply has no saved events: it is incomplete, or %claude_nb keep was off"""

_KEPT = "A notebook saves those of complete replies, unless %claude_nb keep is off."


def save(
    source: str,
    target: str = "",
    *,
    without: Collection[str] = (),
    cell: int | None = None,
    title: str = "",
    overwrite: bool = False,
) -> tuple[Path, list[str]]:
    """Write the page of a notebook or a recording.

    Args:
        source: The file. Of a notebook, each reply whose events are saved is on the page.
        target: Where; by default beside it, with the ending ``.html``.
        without: What to leave out, as for ``Recording.of``.
        cell: Of a notebook, the number of the only cell whose replies are on it.
        title: The heading; by default the notebook's name, or the beginning of the only prompt.
        overwrite: Whether a file that is there may be replaced.

    Returns:
        The file, and what was passed over, a line each.

    Raises:
        InputError: The source cannot be read or holds no events, or the page cannot be written.
    """
    path = files.expanded(source)
    notes: list[str] = []
    if path.suffix == ".ipynb":
        parts, notes = _of_notebook(path, without, cell)
        title = title or (path.stem if len(parts) > 1 else "")
    else:
        parts = [Recording.load(path).part(without)]
    goal = Path(target) if target else path.with_suffix(".html")
    again = ["claude-nb", "page", source, *(["-o", target] if target else []), "--overwrite"]
    page.save(goal, parts, title, overwrite=overwrite, how=shlex.join(again))
    return goal, notes


def _of_notebook(
    path: Path, without: Collection[str], cell: int | None
) -> tuple[list[page.Part], list[str]]:
    notebook = load(path)
    parts, notes = [], list(notebook.notes)
    for where, record in _chosen(notebook, cell):
        saved = as_dict(record.data.get("answer"))
        if not saved:
            notes.append(f"{where}: {_NO_EVENTS}")
            continue
        try:
            events = read(as_string(saved.get("events")))
        except InputError as error:
            notes.append(f"{where}: {error.what}")
            continue
        asked = as_dict(record.data.get("turn") or record.data.get("once"))
        prompt = as_string(asked.get("prompt"))
        parts.append(Recording({}, events).part(without, prompt or "(not saved)"))
    if not parts:
        of = f"cell [{cell}] of {path}" if cell is not None else str(path)
        raise InputError(
            f"There are no saved events in {of}.",
            "Run this and the cells again, then save the notebook: %claude_nb keep on",
            detail=_KEPT + "".join(f" {note}." for note in notes if not note.endswith(_NO_EVENTS)),
        )
    return parts, notes


def _chosen(notebook: SavedNotebook, cell: int | None) -> Iterator[tuple[str, Record]]:
    """The records, each once, with what to call their cells."""
    seen = set()
    for record in notebook.records:
        label = notebook.label(record.number)
        if record.digest not in seen and (cell is None or label == f"[{cell}]"):
            seen.add(record.digest)
            yield f"cell {label}", record
