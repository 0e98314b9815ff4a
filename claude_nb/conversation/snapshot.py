"""This kernel's notebook as it was when ``%load_ext`` ran, where no save can reach it.

JupyterLab clears the output of a cell when the cell is scheduled, and saves by itself. So under
Restart and Run All the file may have lost what a cell held before that cell runs. The file is read
once, on a thread: ``%load_ext`` waits for the reading alone, and what is imported here is cheap.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from claude_nb.conversation.notebook_file import has_records, ids, read
from claude_nb.errors import InputError
from claude_nb.request.place import current_place, possible_paths, session_name

if TYPE_CHECKING:
    from claude_nb.conversation.backup import BackupStore
    from claude_nb.conversation.saved_notebook import SavedNotebook

_WAIT = 0.02
"""Seconds for which ``%load_ext`` waits for the file: one of 10 MB is read by then."""

_MAX_SEARCHED = 100
"""The most files of a folder in which a cell is searched, the newest first."""

_SUFFIX = ".ipynb"


@dataclass(frozen=True, slots=True)
class NotebookFile:
    """A notebook's file as it was read.

    Attributes:
        path: The file.
        modified: When it was saved, in seconds since 1970.
        ids: The ids of its cells.
        saved: The records in it, or None if there is none.
    """

    path: Path
    modified: float
    ids: frozenset[str]
    saved: SavedNotebook | None


class Snapshot:
    """What this kernel's notebook held, and the backups of its turns.

    Attributes:
        backup: Whether turns are backed up.
        restored: The conversations of chats of which nothing more is to be restored in this kernel.
        unnamed: Of each cell that made chats without a name: in which execution, how many of them
            in that one, and their names.
    """

    def __init__(self) -> None:
        self.backup = True
        self.restored: WeakSet[object] = WeakSet()
        self.unnamed: dict[str, tuple[int, int, list[str]]] = {}
        self._lock = threading.Lock()
        self._store: BackupStore | None = None
        self._told = ""  # the notebook's path, as the kernel was told it
        self._files: tuple[NotebookFile, ...] = ()
        self._error = ""
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Read the notebook, unless it was read already: a save may have overwritten it since."""
        with self._lock:
            if self._thread is not None and (self._thread.is_alive() or self._files):
                return
            name = session_name()
            if not name.endswith(_SUFFIX):  # a console, or a notebook in another format
                return
            paths, was_read = possible_paths(name), threading.Event()
            self._told = os.path.realpath(paths[0])
            self._thread = threading.Thread(
                target=self._load,
                args=(paths, current_place().cell, was_read),
                name="claude_nb snapshot",
                daemon=True,
            )
            self._thread.start()
        was_read.wait(_WAIT)

    @property
    def files(self) -> tuple[NotebookFile, ...]:
        """The notebook's file, or the copies of it where its own is gone; none if it is not known.

        Waits until they are read.
        """
        if self._thread is None:
            self.take()
        self.finish()
        return self._files

    @property
    def error(self) -> str:
        """Why the notebook could not be read, or an empty text."""
        return "" if self.files else self._error

    @property
    def paths(self) -> tuple[str, ...]:
        """The notebook's path, under which its turns are backed up; then another that it has had.

        None where the kernel is not told to which notebook it belongs.
        """
        known = [str(file.path) for file in self.files]
        told = [self._told] if self._told else []
        return tuple(dict.fromkeys(known + told if len(known) == 1 else told + known))

    @property
    def store(self) -> BackupStore:
        """The backups."""
        if self._store is None:
            from claude_nb.conversation.backup import BackupStore, default_folder

            self._store = BackupStore(default_folder())
        return self._store

    def back_up(self, cell: str, record: dict[str, Any], *, chat: bool) -> None:
        """Back up a turn, or an answer in no conversation, where the kernel knows its notebook.

        Args:
            cell: The id of the cell that it belongs to: see ``backup.Backup``.
            record: Its record.
            chat: Whether it is in a chat.
        """
        is_answer = record.get("turn", {}).get("text") or "answer" in record
        if self.backup and is_answer and (paths := self.paths):
            self.store.keep(paths[0], cell, record, chat=chat)

    def choose(self, file: NotebookFile) -> None:
        """Take one of several copies for the notebook."""
        self._files = (file,)
        self._keep_chats()

    def forget_chat(self, conversation: str) -> None:
        """Forget what chats of the notebook held of a conversation."""
        self._files = tuple(
            replace(file, saved=file.saved and file.saved.without_chats(conversation))
            for file in self.files
        )

    def finish(self) -> None:
        """Wait until what is being read is read."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _load(self, paths: tuple[Path, ...], cell: str, was_read: threading.Event) -> None:
        self._error = ""
        contents: list[tuple[Path, float, bytes]] = []
        try:
            contents = _contents(paths, cell)
        except (InputError, OSError) as error:
            self._error = str(error)
        finally:
            was_read.set()
        found = []
        for path, modified, data in contents:
            try:
                found.append(NotebookFile(path, modified, ids(data), _saved(path, data)))
            except InputError as error:
                self._error = error.what
        self._files = tuple(found)
        self._keep_chats()

    def _keep_chats(self) -> None:
        """Back up the notebook's chats: a save may overwrite them before their cells have run."""
        if not self.backup:
            return
        if len(self._files) == 1 and (saved := self._files[0].saved) is not None:
            self.store.keep_missing(str(self._files[0].path), saved.in_chats(), chat=True)


def _contents(paths: tuple[Path, ...], cell: str) -> list[tuple[Path, float, bytes]]:
    """The path of the notebook, when it was saved, and its content; of several copies, of each.

    The name that a kernel was told stays when the notebook is renamed, and there may be another one
    of that name by then. The cell that runs now shows which it is.

    Raises:
        InputError: It cannot be read, or is not there.
    """
    own, failed = [], InputError(f"There is no file {paths[0]}.")
    for path in paths:
        if path.is_file():
            try:
                own = [_content(path)]
            except InputError as error:
                failed = error
            break
    if cell and not any(cell in ids(data) for *_, data in own):
        found = [content for content in map(_content_or_none, _beside(paths)) if content]
        own = [content for content in found if cell in ids(content[2])] or own
    if not own:
        raise failed
    return own


def _content(path: Path) -> tuple[Path, float, bytes]:
    data = read(path)
    return Path(os.path.realpath(path)), path.stat().st_mtime, data


def _content_or_none(path: Path) -> tuple[Path, float, bytes] | None:
    try:
        return _content(path)
    except (InputError, OSError):
        return None


def _beside(paths: tuple[Path, ...]) -> list[Path]:
    """The notebooks in the folders of these paths, the newest first."""
    dated = []
    for folder in {path.parent for path in paths}:
        for path in folder.glob(f"*{_SUFFIX}"):
            with suppress(OSError):
                dated.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(dated, reverse=True)[:_MAX_SEARCHED]]


def _saved(path: Path, data: bytes) -> SavedNotebook | None:
    """The records in a notebook's content; of one without any, not even its cells are parsed."""
    if not has_records(data):
        return None
    from claude_nb.conversation.saved_notebook import parse

    return parse(data, path)


snapshot = Snapshot()
"""The process's."""

if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=snapshot.finish)  # a child would inherit the locks of its thread
