"""A saved notebook, and the records that replies have left in it (``streaming.record``).

A file may come from anybody and may have been edited by hand, so each part is checked by itself,
and what is skipped is noted. It is read as JSON: ``nbformat`` refuses a whole notebook for one bad
cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from claude_nb.characters import wellformed_json
from claude_nb.conversation.notebook_file import read
from claude_nb.errors import InputError
from claude_nb.request.host import host
from claude_nb.request.place import possible_paths, session_name
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.record import VERSION, recorded

MAX_RECORDS = 10_000
"""The most records of a notebook that are read."""

SAVE_FIRST = "Save the notebook first (Ctrl+S, or ⌘S on a Mac)"
"""What to do where something is not in the notebook's file."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a reply left in a notebook.

    Attributes:
        number: The number of its cell in the notebook, from 1; 0 outside a notebook.
        cell: The id of its cell, or an empty string. A chat's replies were asked elsewhere: on the
            page, or in cells that their turns name.
        data: The record; only its version has been checked.
        digest: Equal for copies of one reply.
    """

    number: int
    cell: str
    data: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class ChatRecord:
    """A chat that an output shows.

    Attributes:
        conversation: The name of its conversation.
        cell: The id of the cell in which it was made, or an empty string.
        head: The id of the turn that it goes on from, an empty string for the beginning, or None
            where the record does not say.
        turns: The ids of its turns.
    """

    conversation: str
    cell: str
    head: str | None
    turns: frozenset[str]


@dataclass(frozen=True, slots=True)
class SavedNotebook:
    """A notebook's records, in its order.

    Attributes:
        records: The records.
        notes: What was skipped, a line each.
        unanswered: The numbers of the ``%%claude`` cells without a record.
        chats: The chats that its outputs show.
        labels: What the cells are called, by their numbers: ``[3]`` for the execution that the
            notebook shows, or their place where it shows none.
    """

    records: tuple[Record, ...]
    notes: tuple[str, ...]
    unanswered: tuple[int, ...]
    chats: tuple[ChatRecord, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)

    def label(self, number: int) -> str:
        """What a cell is called, by its number."""
        return self.labels.get(number, str(number))

    def in_chats(self) -> Iterator[tuple[str, Record]]:
        """The records of the replies in chats, each with the cell in which its chat was made."""
        cells = {turn: chat.cell for chat in self.chats for turn in chat.turns}
        for found in self.records:
            id_ = _turn_id(found.data)
            if not found.cell and id_ in cells:
                yield cells[id_], found

    def without_chats(self, conversation: str) -> SavedNotebook:
        """The same without what chats hold of a conversation."""
        of_chats = {
            id(one) for _, one in self.in_chats() if _conversation(one.data) == conversation
        }
        records = (one for one in self.records if id(one) not in of_chats)
        chats = (chat for chat in self.chats if chat.conversation != conversation)
        return replace(self, records=tuple(records), chats=tuple(chats))


def current_path() -> Path:
    """The file of the notebook that this kernel belongs to.

    Raises:
        InputError: It is not known, or not there: the notebook was renamed since the kernel began.
    """
    name = session_name()
    for path in possible_paths(name):
        if path.is_file():
            return path
    if host() == "colab":
        raise InputError(
            "Colab keeps the notebook's file where its kernel cannot read it.",
            "Mount Drive (the folder symbol at the left), or download the notebook and upload it"
            " there, and give its path: %claude_nb restore /content/analysis.ipynb",
        )
    raise InputError(
        f"There is no file {name}." if name else "This notebook's file is not known.",
        f"{SAVE_FIRST}, or give its path: %claude_nb restore analysis.ipynb",
    )


def load(path: str | Path) -> SavedNotebook:
    """Read the records of a notebook.

    Args:
        path: The file.

    Raises:
        InputError: It cannot be read, or is not a notebook; the error says which.
    """
    path = Path(path)
    return parse(read(path), path)


def parse(data: bytes, path: Path) -> SavedNotebook:
    """The records in the content of a notebook's file.

    Args:
        data: The content.
        path: The file, for errors.

    Raises:
        InputError: It is not a notebook.
    """
    records: list[Record] = []
    notes: list[str] = []
    unanswered: list[int] = []
    chats: list[ChatRecord] = []
    labels: dict[int, str] = {}
    for number, cell in enumerate(as_notebook(data, path)["cells"], 1):
        if not isinstance(cell, dict):
            notes.append(f"cell {number} is invalid")
            continue
        labels[number] = _label(number, cell)
        if len(records) >= MAX_RECORDS:
            notes.append(
                f"from cell {labels[number]} on: more than {MAX_RECORDS:,} records are not read"
            )
            break
        found = list(_records(cell, chats))[:MAX_RECORDS]
        for where, one in found:
            try:
                records.append(record(number, where, one))
            except InputError as error:
                notes.append(f"cell {labels[number]}: {error.what}")
        if not found and _is_prompt(cell):
            unanswered.append(number)
    return SavedNotebook(tuple(records), tuple(notes), tuple(unanswered), tuple(chats), labels)


def as_notebook(data: bytes, path: Path) -> dict[str, Any]:
    """The content of a notebook's file as JSON; its ``cells`` are a list, of anything.

    Args:
        data: The content.
        path: The file, for errors.

    Raises:
        InputError: It is not a notebook.
    """
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):  # not JSON, not text, or nested without end
        raise InputError(f"{path} is not a notebook: it is not JSON.") from None
    found = as_dict(notebook)
    if isinstance(found.get("cells"), list):
        return found
    if isinstance(found.get("worksheets"), list):  # nbformat 3, of before 2015
        raise InputError(
            f"{path} is in an old notebook format, which cannot hold claude_nb's records.",
            "Open it in Jupyter and save it to convert it.",
        )
    raise InputError(f"{path} is JSON, but not a notebook.")


def record(number: int, cell: str, data: Any) -> Record:
    """A reply's record, which may come from anybody.

    Args:
        number: As of ``Record``.
        cell: As of ``Record``.
        data: The record.

    Raises:
        InputError: It is none, or one of a newer version.
    """
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise InputError("its record cannot be read")
    if version > VERSION:
        raise InputError("its record was written by a newer claude_nb")
    try:
        digest = sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    except RecursionError:
        raise InputError("its record is nested too deeply") from None
    return Record(number, cell, data, digest)


def _records(cell: dict[str, Any], chats: list[ChatRecord]) -> Iterator[tuple[str, Any]]:
    """The records of a cell, each with its cell's id, or with none if a chat shows the reply.

    Its own, if a turn was exported as text, and those of its outputs.
    """
    outputs, id_ = cell.get("outputs"), as_string(cell.get("id"))
    for part in (cell, *(outputs if isinstance(outputs, list) else ())):
        if (found := wellformed_json(recorded(part))) is None:
            continue
        replies = found.get("replies") if isinstance(found, dict) else None
        if not isinstance(replies, list):
            yield id_, found
            continue
        chat = as_dict(found.get("chat"))
        name = as_string(chat.get("conversation"))
        if name:
            head = as_string(chat["head"]) if "head" in chat else None
            turns = frozenset(map(_turn_id, replies)) - {""}
            chats.append(ChatRecord(name, as_string(chat.get("cell")) or id_, head, turns))
        for reply in replies:
            yield "" if name else id_, reply


def _turn_id(record: Any) -> str:
    return as_string(as_dict(as_dict(record).get("turn")).get("id"))


def _conversation(record: Any) -> str:
    return as_string(as_dict(as_dict(record).get("turn")).get("conversation"))


def _label(number: int, cell: dict[str, Any]) -> str:
    execution = cell.get("execution_count")
    return f"[{execution}]" if type(execution) is int else f"{number} (without a number)"


def joined(text: Any) -> str:
    """A text in a notebook's JSON, which may be a list of its lines."""
    parts = text if isinstance(text, list) else [text]
    return "".join(part for part in parts if isinstance(part, str))


def _is_prompt(cell: dict[str, Any]) -> bool:
    lines = joined(cell.get("source")).splitlines()
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return cell.get("cell_type") == "code" and first.split(None, 1)[:1] == ["%%claude"]
