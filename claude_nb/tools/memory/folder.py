"""A folder that a model reads and writes: confined to it, limited, and no version is ever lost.

Each part of a path is opened by itself, relative to the one before it where the system can do that
(everywhere but on Windows), and no link is followed: so none that somebody makes meanwhile leads
out of the folder either.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from claude_nb.characters import wellformed
from claude_nb.redaction import redact
from claude_nb.tools.results import CallFailedError

ROOT = "/memories"
"""What the model calls the folder."""

OLD = ".old"
"""The folder in it with what was overwritten and deleted."""

MAX_BYTES = 100_000
"""Bytes of a file at most."""

MAX_FILES = 500
"""Files in the folder at most, without old versions."""

_MAX_PARTS = 8
_MAX_NAME = 100
_NAME = re.compile(r"[^<>:\"|?*\\/\x00-\x1f\x7f]*[^<>:\"|?*\\/\x00-\x1f\x7f. ]")
"""A name that every system takes; it ends neither in a dot nor in a space."""

_LEVELS = 2
"""Levels of folders that a listing shows, as the API describes its tool."""

_RELATIVE = {os.open, os.stat, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd
_SAFELY = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe is not waited for
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Entry(NamedTuple):
    """A file or a folder in a listing.

    Attributes:
        path: As the model calls it; that of a folder ends in ``/``.
        size: In bytes.
    """

    path: str
    size: int


class _Open:
    """An open folder: a descriptor, or on Windows its path."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def root(cls, path: Path, stack: ExitStack) -> _Open:
        if not _RELATIVE:
            _check_folder(os.lstat(path))
            return cls(path, None)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFELY)
        stack.callback(os.close, descriptor)
        return cls(path, descriptor)

    def folder(self, name: str, stack: ExitStack, *, create: bool = False) -> _Open:
        if create:
            with suppress(FileExistsError):
                os.mkdir(self._at(name), 0o700, **self._here())  # noqa: PTH102 - by a descriptor
        path = self._path / name
        if self._descriptor is None:
            _check_folder(self.stat(name))
            return _Open(path, None)
        descriptor = self.open(name, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        return _Open(path, descriptor)

    def open(self, name: str, flags: int) -> int:
        if self._descriptor is None and not flags & os.O_CREAT:
            _check_not_linked(self.stat(name))
        return os.open(self._at(name), flags | _SAFELY, 0o600, **self._here())

    def stat(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), follow_symlinks=False, **self._here())  # noqa: PTH116

    def names(self) -> list[str]:
        here: Any = self._path if self._descriptor is None else self._descriptor
        return sorted(os.listdir(here))  # noqa: PTH208

    def unlink(self, name: str) -> None:
        os.unlink(self._at(name), **self._here())

    def move(self, name: str, to: _Open, new: str) -> None:
        where: dict[str, Any] = {}
        if self._descriptor is not None:
            where = {"src_dir_fd": self._descriptor, "dst_dir_fd": to._descriptor}
        os.replace(self._at(name), to._at(new), **where)  # noqa: PTH105

    def _at(self, name: str) -> Any:
        return self._path / name if self._descriptor is None else name

    def _here(self) -> dict[str, Any]:
        return {} if self._descriptor is None else {"dir_fd": self._descriptor}


class Folder:
    """The folder, by the paths that a model uses: ``/memories/notes.md``.

    All methods raise a ``CallFailedError``, which the model gets to read.

    Args:
        path: The folder; it need not be there to be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other kernels from changing the folder; without effect on Windows."""
        with _explained(ROOT), ExitStack() as stack:
            descriptor = _Open.root(self.path, stack).open(".lock", os.O_RDWR | os.O_CREAT)
            stack.callback(os.close, descriptor)
            with suppress(ImportError):
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def is_folder(self, path: str) -> bool:
        """Whether it is a folder; the top one always is.

        Raises:
            CallFailedError: It is not there, or the path is none.
        """
        parts = _parts(path)
        with _explained(path), ExitStack() as stack:
            if not parts:
                return True
            parent = self._parent(parts, stack)
            return stat.S_ISDIR(parent.stat(parts[-1]).st_mode)

    def entries(self, path: str) -> list[Entry]:
        """The files and folders below one, two levels deep, without hidden ones and links."""
        parts = _parts(path)
        if not parts and not self.path.exists():
            return []
        with _explained(path), ExitStack() as stack:
            here = _Open.root(self.path, stack)
            for part in parts:
                here = here.folder(part, stack)
            return list(_listed(here, "/".join([ROOT, *parts]), _LEVELS))

    def read(self, path: str) -> str:
        """The text of a file.

        Raises:
            CallFailedError: It is not there, too large, a link, or no UTF-8.
        """
        parts = _file(path)
        with _explained(path), ExitStack() as stack:
            return _read(self._parent(parts, stack), parts[-1], path)

    def create(self, path: str, text: str) -> str:
        """Make a file, and the folders that it needs, and return its text.

        Raises:
            CallFailedError: It is there already, too large, or one too many.
        """
        parts, data = _file(path), _encoded(path, text)
        with _explained(path), ExitStack() as stack:
            root = _Open.root(self.path, stack)
            if sum(1 for _ in islice(_files(root), MAX_FILES)) >= MAX_FILES:
                raise _refused(f"There are {MAX_FILES} files. Delete some, or write into others.")
            parent = self._parent(parts, stack, create=True)
            if _is_there(parent, parts[-1]):
                raise _refused(f"File {path} already exists")
            _write(parent, parts[-1], data)
        return data.decode()

    def replace(self, path: str, text: str) -> str:
        """Write a file anew, keep what it held, and return its text.

        Raises:
            CallFailedError: It is not there, or would be too large.
        """
        parts, data = _file(path), _encoded(path, text)
        with _explained(path), ExitStack() as stack:
            parent = self._parent(parts, stack)
            old = _read(parent, parts[-1], path).encode()
            _write(self._old(parts, stack), parts[-1], old)
            _write(parent, parts[-1], data)
        return data.decode()

    def delete(self, path: str) -> None:
        """Move a file or a folder to the old versions.

        Raises:
            CallFailedError: It is not there, or is the top folder.
        """
        parts = _file(path)
        with _explained(path), ExitStack() as stack:
            parent = self._parent(parts, stack)
            parent.stat(parts[-1])
            parent.move(parts[-1], self._old(parts, stack), parts[-1])

    def rename(self, old: str, new: str) -> None:
        """Rename or move a file or a folder.

        Raises:
            CallFailedError: It is not there, or there is something of the new name.
        """
        parts, to = _file(old), _file(new)
        with _explained(old), ExitStack() as stack:
            parent = self._parent(parts, stack)
            parent.stat(parts[-1])
            if to[: len(parts)] == parts:
                raise _refused(f"{old} cannot be moved into itself.")
            with _explained(new):
                target = self._parent(to, stack, create=True)
                if _is_there(target, to[-1]):
                    raise _refused(f"The destination {new} already exists")
                parent.move(parts[-1], target, to[-1])

    def _parent(self, parts: list[str], stack: ExitStack, *, create: bool = False) -> _Open:
        here = _Open.root(self.path, stack)
        for part in parts[:-1]:
            here = here.folder(part, stack, create=create)
        return here

    def _old(self, parts: list[str], stack: ExitStack) -> _Open:
        """The folder for the old version of a file: its place below a new folder with the time."""
        now = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(3)}"
        return self._parent([OLD, now, *parts], stack, create=True)


def _parts(path: str) -> list[str]:
    """The names in a path of the model's; none for the folder itself."""
    first, *rest = [part for part in path.split("/") if part] or [""]
    if not path.startswith("/") or f"/{first}" != ROOT:
        raise _refused(f"Path must start with {ROOT}, got: {path}")
    for part in rest:
        if part in (".", ".."):
            raise _refused(f"Path {path} would escape {ROOT} directory")
        if part.startswith(".") or len(part) > _MAX_NAME or not _NAME.fullmatch(part):
            raise _refused(f"{part!r:.120} in {path:.200} is no name that a file here can have.")
    if len(rest) > _MAX_PARTS:
        raise _refused(f"{path:.200} is more than {_MAX_PARTS} folders deep.")
    return rest


def _file(path: str) -> list[str]:
    parts = _parts(path)
    if not parts:
        raise _refused(f"This cannot be done with the {ROOT} directory itself")
    return parts


def _refused(message: str) -> CallFailedError:
    return CallFailedError(message, "failed")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Errors of the system as the model gets to read them: without a path of this computer."""
    try:
        yield
    except FileNotFoundError:
        raise _refused(f"The path {path} does not exist. Please provide a valid path.") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise _refused(f"{path} is a link; links are not followed.") from None
        if isinstance(error, NotADirectoryError):
            raise _refused(f"{path} leads through a file or a link.") from None
        reason = error.strerror or type(error).__name__
        raise _refused(f"{path} was not changed or read: {reason}.") from None


def _encoded(path: str, text: str) -> bytes:
    """A text as it is written: without credentials, and within the limit."""
    data = redact(wellformed(text)).encode()
    if len(data) > MAX_BYTES:
        raise _refused(
            f"{path} would have {len(data):,} bytes; a file here has at most {MAX_BYTES:,}."
            " Write several files."
        )
    return data


def _read(folder: _Open, name: str, path: str) -> str:
    descriptor = folder.open(name, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise _refused(f"The path {path} is not a file.")
        _check_not_linked(found)
        if found.st_size > 10 * MAX_BYTES:
            raise _refused(f"{path} is too large to be read: {found.st_size:,} bytes.")
        data = file.read()
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _refused(f"{path} is not UTF-8 text.") from None


def _write(folder: _Open, name: str, data: bytes) -> None:
    """Write a file: in its place at once, or not at all."""
    beside = f".{token_hex(8)}.tmp"
    try:
        with os.fdopen(folder.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(data)
        folder.move(beside, folder, name)
    except BaseException:
        with suppress(OSError):
            folder.unlink(beside)
        raise


def _is_there(folder: _Open, name: str) -> bool:
    try:
        folder.stat(name)
    except FileNotFoundError:
        return False
    return True


def _listed(folder: _Open, path: str, levels: int) -> Iterator[Entry]:
    for name in folder.names():
        if name.startswith("."):
            continue
        found = folder.stat(name)
        if stat.S_ISDIR(found.st_mode):
            yield Entry(f"{path}/{name}/", found.st_size)
            if levels > 1:
                with ExitStack() as stack:
                    yield from _listed(folder.folder(name, stack), f"{path}/{name}", levels - 1)
        elif stat.S_ISREG(found.st_mode):
            yield Entry(f"{path}/{name}", found.st_size)


def _files(folder: _Open) -> Iterator[Entry]:
    return (e for e in _listed(folder, ROOT, _MAX_PARTS) if not e.path.endswith("/"))


def _check_folder(found: os.stat_result) -> None:
    """Refuse what is no folder, on Windows a link to one as well."""
    if not stat.S_ISDIR(found.st_mode) or getattr(found, "st_reparse_tag", None):
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory")


def _check_not_linked(found: os.stat_result) -> None:
    """Refuse what is no file of this folder alone: a link, a hard link, a pipe."""
    if stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", None):
        raise OSError(errno.ELOOP, "A link")
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise OSError(errno.ELOOP, "Not a file of this folder alone")
