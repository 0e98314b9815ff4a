"""Files of the user, read and written: what goes wrong is an ``InputError`` that names the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
    raise InputError(f"{shown} is not a file.", "Copy what you need of it to one.")


def write(
    path: str | Path,
    content: Iterable[str],
    *,
    overwrite: bool = False,
    how: str = "overwrite=True",
) -> None:
    """Write a file as UTF-8; half a character, which no file can hold, becomes U+FFFD.

    Args:
        path: The file; ``~`` and ``~name`` are home directories.
        content: Its parts.
        overwrite: Whether to replace a file that is there.
        how: What is typed to replace it, for the error.

    Raises:
        InputError: It is there, or cannot be written.
    """
    mode = "w" if overwrite else "x"
    try:
        file = Path(path).expanduser()
        with file.open(mode, encoding="utf-8", newline="") as opened:
            opened.writelines(map(wellformed, content))
    except FileExistsError:
        raise InputError(
            f"{path} is there already; it was left as it is.",
            f"To replace it: {how}",
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} cannot be written: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).removesuffix(".")
