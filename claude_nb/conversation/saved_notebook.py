"""A saved notebook, and the records that replies have left in it (``streaming.record``).

A file may come from anybody and may have been edited by hand, so each part is checked by itself,
and what is skipped is noted. It is read as JSON: ``nbformat`` refuses a whole notebook for one bad
cell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from claude_nb.characters import wellformed_json
from claude_nb.errors import InputError
from claude_nb.request import files
from claude_nb.request.place import shell
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.record import VERSION

MAX_BYTES = 100_000_000
"""The largest notebook that is read. Jupyter itself gets slow long before."""

MAX_RECORDS = 10_000
"""The most records of a notebook that are read."""

SAVE_FIRST = "Save the notebook first (Ctrl+S, or ⌘S on a Mac)"
"""What to do where something is not in the notebook's file."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a reply left in a notebook.

    Attributes:
        number: The number of its cell in the notebook, from 1.
        cell: The id of its cell, or an empty string.
        data: The record; only its version has been checked.
        digest: Equal for copies of one reply.
    """

    number: int
    cell: str
    data: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class SavedNotebook:
    """A notebook's records, in its order.

    Attributes:
        records: The records.
        notes: What was skipped, a line each.
        unanswered: The numbers of the ``%%claude`` cells without a record.
        chats: The names of the conversations that were held in a chat.
        labels: What the cells are called, by their numbers: ``[3]`` for the execution that the
            notebook shows, or their place where it shows none.
    """

    records: tuple[Record, ...]
    notes: tuple[str, ...]
    unanswered: tuple[int, ...]
    chats: tuple[str, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)

    def label(self, number: int) -> str:
        """What a cell is called, by its number."""
        return self.labels.get(number, str(number))


def current_path(example: str = "%claude_nb restore analysis.ipynb") -> Path:
    """The file of the notebook that this kernel belongs to.

    VS Code puts it into ``__vsc_ipynb_file__``. Jupyter Server puts it into ``JPY_SESSION_NAME``:
    an absolute path where the front end names the session, as JupyterLab and Notebook 7 do, else
    one relative to the server's root, which a kernel does not know; but a kernel begins in the
    notebook's folder (``SessionManager.get_kernel_env`` of jupyter_server 2).

    Args:
        example: What to run with a path in place of this, for the error.

    Raises:
        InputError: It is not known, or not there: the notebook was renamed since the kernel began.
    """
    here = shell()
    name = here.user_ns.get("__vsc_ipynb_file__") if here else None
    if not isinstance(name, str) or not name:
        name = os.environ.get("JPY_SESSION_NAME", "")
    for path in (Path.cwd() / name, Path.cwd() / Path(name).name):
        if name and path.is_file():
            return path
    raise InputError(
        f"There is no file {name} any more." if name else "This notebook's file is not known.",
        f"{SAVE_FIRST}, or give its path: {example}",
    )


def load(path: str | Path) -> SavedNotebook:
    """Read the records of a notebook.

    Args:
        path: The file.

    Raises:
        InputError: It cannot be read, or is not a notebook; the error says which.
    """
    path = Path(path)
    records: list[Record] = []
    notes: list[str] = []
    unanswered: list[int] = []
    chats: list[str] = []
    labels: dict[int, str] = {}
    for number, cell in enumerate(_cells(path), 1):
        if not isinstance(cell, dict):
            notes.append(f"cell {number} is not a cell")
            continue
        labels[number] = _label(number, cell)
        if len(records) >= MAX_RECORDS:
            notes.append(
                f"from cell {labels[number]} on: more than {MAX_RECORDS:,} records are not read"
            )
            break
        found = list(_records(cell, chats))[:MAX_RECORDS]
        for data in found:
            try:
                records.append(_record(number, cell.get("id"), data))
            except InputError as error:
                notes.append(f"cell {labels[number]}: {error.what}")
        if not found and _is_prompt(cell):
            unanswered.append(number)
    return SavedNotebook(tuple(records), tuple(notes), tuple(unanswered), tuple(chats), labels)


def _cells(path: Path) -> list[Any]:
    data = files.read_bytes(path, limit=MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):  # not JSON, not text, or nested without end
        raise InputError(f"{path} is not a notebook: it is not JSON.") from None
    found = as_dict(notebook)
    if isinstance(found.get("cells"), list):
        return list(found["cells"])
    if isinstance(found.get("worksheets"), list):  # nbformat 3, of before 2015
        raise InputError(
            f"{path} is a notebook in an old format, which has no place for what is to be read.",
            "Open it in Jupyter and save it: that makes it a new one.",
        )
    raise InputError(f"{path} is JSON, but not a notebook.")


def _record(number: int, cell: Any, data: Any) -> Record:
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise InputError("its record cannot be read")
    if version > VERSION:
        raise InputError("its record is of a newer version of claude_nb")
    try:
        digest = sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    except RecursionError:
        raise InputError("its record is nested without end") from None
    return Record(number, cell if isinstance(cell, str) else "", data, digest)


def _records(cell: dict[str, Any], chats: list[str]) -> Iterator[Any]:
    """The records of a cell: its own, if a turn was exported as text, and those of its outputs."""
    outputs = cell.get("outputs")
    for part in (cell, *(outputs if isinstance(outputs, list) else ())):
        metadata = part.get("metadata") if isinstance(part, dict) else None
        if not isinstance(metadata, dict) or "claude_nb" not in metadata:
            continue
        record = wellformed_json(metadata["claude_nb"])
        replies = record.get("replies") if isinstance(record, dict) else None
        if not isinstance(replies, list):
            yield record
            continue
        if name := as_string(as_dict(record.get("chat")).get("conversation")):
            chats.append(name)
        yield from replies


def _label(number: int, cell: dict[str, Any]) -> str:
    execution = cell.get("execution_count")
    return f"[{execution}]" if type(execution) is int else f"{number} (without a number)"


def _is_prompt(cell: dict[str, Any]) -> bool:
    source = cell.get("source")
    parts = source if isinstance(source, list) else [source]
    lines = "".join(part for part in parts if isinstance(part, str)).splitlines()
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return cell.get("cell_type") == "code" and first.split(None, 1)[:1] == ["%%claude"]
