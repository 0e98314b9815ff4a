"""Lines in a temporary file, found by row: memory stays small, however many there are."""

from __future__ import annotations

import tempfile
import threading
import weakref
from pathlib import Path

from claude_nb.errors import InputError
from claude_nb.request.files import room


class RowStore:
    """A line for each row of a batch; the file is deleted together with this object."""

    def __init__(self) -> None:
        # Unbuffered: a line that a full disk refuses would stand in the way of all others.
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()
        # Not in ``__del__``: in a circle the file might be finalized first, with a warning.
        weakref.finalize(self, self._file.close)

    def put(self, row: int, line: bytes) -> None:
        """Store the line of a row, in place of an earlier one.

        Raises:
            InputError: The disk is full.
        """
        with self._lock:
            self._file.seek(self._end)
            rest = line
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                folder = tempfile.gettempdir()
                what = f"The rows of a batch cannot be saved in {folder}: {error.strerror}."
                raise InputError(what, room(error, Path(folder), len(line))) from None
            self._places[row] = (self._end, len(line))
            self._end += len(line)

    def get(self, row: int) -> bytes:
        """The line of a row; empty if there is none."""
        with self._lock:
            start, size = self._places.get(row, (0, 0))
            self._file.seek(start)
            return self._file.read(size)

    def size(self, row: int) -> int:
        """The length of the line of a row in bytes; 0 if there is none."""
        return self._places.get(row, (0, 0))[1]
