"""Backups: each finished turn in a file of its own, in the user's Jupyter data folder.

A notebook's file has only what was saved. What was said since then, or what a save has overwritten
because the front end had cleared an output that was to run again, is here. Nobody but the user can
read it, and it is kept for thirty days and 100 MB at most.

Several kernels may write at the same time: a file is written beside its place and then renamed, its
name is that of one turn, and whoever removes old ones may find them gone.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from claude_nb.conversation.notebook_file import holds
from claude_nb.conversation.saved_notebook import Record, record
from claude_nb.errors import InputError
from claude_nb.redaction import redacted
from claude_nb.streaming.block import as_dict, as_string

MAX_AGE = 30 * 24 * 3600.0
"""Seconds for which a turn is kept."""

MAX_BYTES = 100_000_000
"""Bytes of all turns together, of all notebooks."""

_CHECK_EVERY = 0.01
"""The part of ``MAX_BYTES`` after which this process looks at the whole folder again."""

_PREFIX = 16
"""Characters of a file's name that tell its cell."""

_FOLDER = "[0-9a-f]" * 32
_TURN = "[0-9a-f]" * 48 + ".json"
_HALF_WRITTEN = "claude_nb-*.part"
"""The names of a notebook's folder and of the files in it; whatever else is there is left alone."""

_FULL = 0.9
"""The part of ``MAX_BYTES`` above which old ones are removed: ten kernels may write at once."""

_DAY = 24 * 3600.0


def default_folder() -> Path:
    """Where backups are kept: in Jupyter's data folder, which ``JUPYTER_DATA_DIR`` can move."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "claude_nb" / "backups"


@dataclass(frozen=True, slots=True)
class Backup:
    """A turn that was kept.

    Attributes:
        notebook: The path of its notebook.
        cell: The id of the cell that it belongs to: in which it was asked, or whose chat it is in;
            empty where the front end sends none.
        chat: Whether it is in a chat.
        record: The record of its reply.
        time: When it was written, in seconds since 1970.
        size: In bytes.
        path: Its file.
    """

    notebook: str
    cell: str
    chat: bool
    record: Record
    time: float
    size: int
    path: Path

    @property
    def turn(self) -> dict[str, Any]:
        """The turn in the record."""
        return as_dict(self.record.data.get("turn"))

    @property
    def conversation(self) -> str:
        """The name of its conversation."""
        return as_string(self.turn.get("conversation"))


class BackupStore:
    """Turns of conversations, kept as files.

    Args:
        folder: Where; it is made when there is something to keep.
        max_age: Seconds for which a turn is kept.
        max_bytes: Bytes of all turns together; the oldest are removed first.
    """

    def __init__(
        self, folder: Path, *, max_age: float = MAX_AGE, max_bytes: int = MAX_BYTES
    ) -> None:
        self.folder = folder
        self.max_age = max_age
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._unchecked = 0  # bytes that were written since the folder was looked at
        self._checked = 0.0  # when that was, in seconds since 1970
        self._warned = False

    def keep(self, notebook: str, cell: str, data: dict[str, Any], *, chat: bool) -> None:
        """Keep a turn. What goes wrong is a warning, once: the turn itself is there, and paid for.

        Args:
            notebook: The path of its notebook.
            cell: As of ``Backup``.
            data: The record of its reply; without a turn and an answer it is not kept.
            chat: As of ``Backup``.
        """
        if not _turn_id(data):
            return
        entry = {"notebook": notebook, "cell": cell, "chat": chat, "record": data}
        content = json.dumps(redacted(entry)).encode()
        path = self._path(notebook, cell, data)
        try:
            with self._lock:
                try:
                    self._write(path, content)
                except FileNotFoundError:  # another kernel has just removed the empty folder
                    self._write(path, content)
                self._unchecked += len(content)
                if self._unchecked >= self.max_bytes * _CHECK_EVERY or self._is_due():
                    self._remove_old()
        except OSError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"The turn was not backed up: {self.folder}: {error.strerror or error}."
                    " The reply itself is not affected. To turn backups off: %config"
                    " ClaudeMagics.backup = False",
                    stacklevel=2,
                )

    def keep_missing(
        self, notebook: str, turns: Iterable[tuple[str, Record]], *, chat: bool
    ) -> None:
        """Keep those turns that are not kept yet, each with its cell: see ``keep``."""
        for cell, one in turns:
            if not self._path(notebook, cell, one.data).exists():
                self.keep(notebook, cell, one.data, chat=chat)

    def of(self, notebook: str) -> list[Backup]:
        """The turns of a notebook, oldest first."""
        return sorted(self._read(self._place(notebook)), key=lambda backup: backup.time)

    def of_cell(self, notebook: str, cell: str) -> list[Backup]:
        """The turns of a cell of a notebook, newest first; the others are not read."""
        found = self._read(self._place(notebook), _digest(cell)[:_PREFIX])
        return sorted(found, key=lambda backup: backup.time, reverse=True)

    def moved(self, ids: frozenset[str]) -> list[Backup]:
        """The turns of notebooks that are not at their path any more and had cells of these ids."""
        wanted = {_digest(id_)[:_PREFIX]: id_ for id_ in ids}
        found: list[Backup] = []
        for place in self._places():
            cells = {wanted.get(path.name[:_PREFIX], "") for path in self._files(_TURN, place)}
            turns = list(self._read(place)) if cells - {""} else []
            # A copy has the same ids: then the original is still there, and these are its own.
            if turns and not any(holds(Path(turns[0].notebook), cell) for cell in cells if cell):
                found += turns
        return sorted(found, key=lambda backup: backup.time)

    def all(self) -> list[Backup]:
        """All turns, oldest first."""
        turns = (turn for place in self._places() for turn in self._read(place))
        return sorted(turns, key=lambda backup: backup.time)

    def delete(self, backups: Iterable[Backup]) -> None:
        """Delete these turns.

        Raises:
            InputError: One cannot be deleted.
        """
        try:
            for backup in backups:
                backup.path.unlink(missing_ok=True)
                with suppress(OSError):  # fails if there are more in it
                    backup.path.parent.rmdir()
        except OSError as error:
            raise InputError(f"{backup.path} cannot be deleted: {error.strerror}.") from None

    def remove_old(self) -> None:
        """Remove what is too old, and of the rest the oldest, as far as there is too much of it."""
        with suppress(OSError), self._lock:
            self._remove_old()

    def _place(self, notebook: str) -> Path:
        return self.folder / _digest(notebook)

    def _path(self, notebook: str, cell: str, data: dict[str, Any]) -> Path:
        return self._place(notebook) / f"{_digest(cell)[:_PREFIX]}{_digest(_turn_id(data))}.json"

    def _files(self, pattern: str, place: Path | None = None) -> list[Path]:
        """The files of a notebook, or of all: none where another kernel has just removed them."""
        places = [place] if place is not None else self._places()
        found: list[Path] = []
        for folder in places:
            with suppress(OSError):
                found += folder.glob(pattern)
        return found

    def _places(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self.folder.glob(_FOLDER) if path.is_dir()]
        return []

    def _read(self, place: Path, prefix: str = "") -> Iterator[Backup]:
        """The turns in the folder of a notebook; what is damaged or too old is passed over."""
        oldest = time.time() - self.max_age
        for path in self._files(f"{prefix}{_TURN[len('[0-9a-f]') * len(prefix) :]}", place):
            try:
                data = path.read_bytes()
                facts = path.stat()
                entry = as_dict(json.loads(data))
                cell = as_dict(as_dict(entry.get("record")).get("turn")).get("cell")
                found = record(0, as_string(cell), entry.get("record"))
            except (OSError, ValueError, RecursionError):  # InputError is a ValueError
                continue
            if facts.st_mtime >= oldest:
                yield Backup(
                    as_string(entry.get("notebook")),
                    as_string(entry.get("cell")),
                    entry.get("chat") is True,
                    found,
                    facts.st_mtime,
                    len(data),
                    path,
                )

    def _write(self, path: Path, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        number, beside = tempfile.mkstemp(  # for the user alone
            dir=path.parent, prefix="claude_nb-", suffix=".part"
        )
        try:
            with os.fdopen(number, "wb") as opened:
                opened.write(content)
            Path(beside).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(beside).unlink()
            raise

    def _is_due(self) -> bool:
        return time.time() - self._checked > _DAY

    def _remove_old(self) -> None:
        now = time.time()
        self._unchecked, self._checked = 0, now
        found: list[tuple[float, int, Path]] = []
        for path in (*self._files(_TURN), *self._files(_HALF_WRITTEN)):
            with suppress(OSError):  # another kernel has removed it
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for written, size, path in sorted(found):
            if total <= self.max_bytes * _FULL and written >= now - self.max_age:
                break
            with suppress(OSError):
                path.unlink()
                total -= size
                path.parent.rmdir()  # fails if there are more in it


def _turn_id(data: dict[str, Any]) -> str:
    """The id of a turn, or of an answer outside of any conversation."""
    turn, answer = as_dict(data.get("turn")), as_dict(data.get("answer"))
    return as_string(turn.get("id")) or as_string(answer.get("id"))


def _digest(name: str) -> str:
    return sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
