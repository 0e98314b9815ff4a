"""A notebook's file, as bytes: read, and searched for its cells."""

from __future__ import annotations

import re
from pathlib import Path

from claude_nb.errors import InputError
from claude_nb.request import files

MAX_BYTES = 100_000_000
"""The largest notebook that is read. Jupyter itself gets slow long before."""

_STEP = 1_000_000
_SPACE = 100
_KEY = b'"id"'
_ID = re.compile(rb'"id"\s*:\s*"([\w-]{1,64})"', re.ASCII)


def read(path: Path) -> bytes:
    """The content of a notebook's file.

    Raises:
        InputError: It cannot be read, or is too large.
    """
    data = files.read_bytes(path, limit=MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB.")
    return data


def ids(data: bytes) -> frozenset[str]:
    """The ids of the cells in the content of a notebook's file, and whatever else is called so."""
    found = set()
    at = _find(data, _KEY)
    while at >= 0:  # many times as fast as a regular expression
        if match := _ID.match(data, at):
            found.add(match[1].decode())
        at = _find(data, _KEY, at + 1)
    return frozenset(found)


def has_records(data: bytes) -> bool:
    """Whether there may be a record of a reply in a notebook's content, or it may be damaged."""
    from claude_nb.streaming.record import MIME  # ``%load_ext`` does not wait for it

    is_whole = data[:_SPACE].lstrip()[:1] == b"{" and data[-_SPACE:].rstrip()[-1:] == b"}"
    return not is_whole or any(_find(data, mark) >= 0 for mark in (MIME.encode(), b'"claude_nb"'))


def _find(data: bytes, part: bytes, at: int = 0) -> int:
    """``data.find``, in steps between which other threads can run: 100 MB may be searched."""
    while at < len(data):
        found = data.find(part, at, at + _STEP + len(part))
        if found >= 0:
            return found
        at += _STEP
    return -1


def holds(path: Path, cell: str) -> bool:
    """Whether a file is a notebook with a cell of this id."""
    try:
        return cell in ids(read(path))
    except InputError:
        return False
