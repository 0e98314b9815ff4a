"""Files of the user, read and written: what goes wrong is an ``InputError`` that names the file."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from claude_nb.characters import wellformed
from claude_nb.errors import InputError


def expanded(path: str | Path) -> Path:
    """The path of a file or folder, with the home directory in place of ``~`` and ``~name``.

    Raises:
        InputError: There is no user of that name.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"There is no folder {path}.", detail=str(error)) from None


def read_bytes(path: str | Path, name: str = "", limit: int = -1) -> bytes:
    """The content of a file. A pipe or a device is refused: reading it might never end.

    Args:
        path: The file; ``~`` and ``~name`` are home directories.
        name: What the user calls it, for errors.
        limit: The most bytes to read, or -1 for all.

    Raises:
        InputError: It is not there, is not a file, or cannot be read.
    """
    shown = f"{name} ({path})" if name else str(path)
    try:
        file = Path(path).expanduser()
        file.stat()
        if file.is_file():
            with file.open("rb") as opened:
                return opened.read(limit)
    except FileNotFoundError:
        raise InputError(
            f"There is no file {path}{f' ({name})' if name else ''}.",
            f"Relative paths begin at {Path.cwd()}.",
        ) from None
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a zero byte in the path
        raise InputError(f"{shown} cannot be read: {_reason(error)}.") from None
    if file.is_dir():
        raise InputError(f"{shown} is a directory.", "Name a file in it.")
    raise InputError(f"{shown} is not a file.", "Copy what you need of it into a file.")


def write(
    path: str | Path,
    content: Iterable[str],
    *,
    overwrite: bool = False,
    how: str = "overwrite=True",
) -> None:
    """Write a file as UTF-8; half a character, which no file can hold, becomes U+FFFD.

    All of it is written beside, then moved into place: whatever fails, as on a full disk, a file
    that was there stays as it was, and none that is empty or cut off appears. Of a symbolic link
    the target is replaced; the mode stays.

    Args:
        path: The file; ``~`` and ``~name`` are home directories.
        content: Its parts.
        overwrite: Whether to replace an existing file.
        how: What is typed to replace it, for the error.

    Raises:
        InputError: It is there, or cannot be written.
    """
    data = "".join(map(wellformed, content)).encode()
    target = Path(path)
    try:
        target = target.expanduser().resolve()
        mode = _mode(target, overwrite=overwrite)
        replace(target, data, mode)
    except FileExistsError:
        raise InputError(
            f"{path} exists already; it was not changed.",
            f"To replace it: {how}",
        ) from None
    except OSError as error:
        what = f"{path} cannot be written: {_reason(error)}."
        advice = room(error, target.parent, len(data))
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = f"Name a file in a folder that you may write to, such as ~/{target.name}"
        raise InputError(what, advice) from None
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path} cannot be written: {_reason(error)}.") from None


def replace(target: Path, data: bytes, mode: int | None = None) -> None:
    """Write a file beside its place and move it there: at any moment it is whole, or as it was.

    Args:
        target: The file; if it is a symbolic link, that is replaced.
        data: Its content.
        mode: Its permissions; by default those of any new file.

    Raises:
        OSError: It cannot be written, and is as it was.
    """
    beside = target.with_name(f".claude_nb-{uuid4().hex}")
    try:
        with beside.open("xb") as opened:
            if mode is not None:
                beside.chmod(mode)
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())  # some disks say only now that they are full
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def make_folder(folder: Path, advice: str) -> None:
    """Make a folder, if it is not there, in which files are going to be written.

    Args:
        folder: The folder.
        advice: What to do where that is not possible, for the error.

    Raises:
        InputError: It cannot be made, or nothing can be written into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        what = f"Cannot write into the folder {folder.absolute()}: {_reason(error)}."
        raise InputError(what, advice) from None


def room(error: OSError, folder: Path, size: int) -> str:
    """How much room is needed and how much there is, if a lack of it is the error; or nothing.

    Args:
        error: What went wrong.
        folder: Where it was written.
        size: How many bytes.
    """
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ""
    need, free = (f"{-(-n // 1000):,} kB" for n in (size, shutil.disk_usage(folder).free))
    return (
        f"It needs {need}, but {folder} has {free} free. Free some space, or choose another folder."
    )


def _mode(file: Path, *, overwrite: bool) -> int | None:
    """The mode of a file that is to be replaced; None if there is none.

    Raises:
        OSError: It must not be replaced.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "it is a folder")
    if not overwrite:
        raise FileExistsError
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a file")
    if not os.access(file, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(mode)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).removesuffix(".")
