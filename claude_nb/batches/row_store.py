"""Lines in a temporary file, found by number: memory stays small, however many there are."""

from __future__ import annotations

import tempfile
import threading


class Spool:
    """What is kept for each row of a batch; the file is gone when nobody holds this any more."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the spool
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def put(self, number: int, line: bytes) -> None:
        """Keep a line; one that was kept for this number before is forgotten."""
        with self._lock:
            self._file.seek(self._end)
            self._file.write(line)
            self._places[number] = (self._end, len(line))
            self._end += len(line)

    def get(self, number: int) -> bytes | None:
        """The line of this number, or None."""
        with self._lock:
            place = self._places.get(number)
            if place is None:
                return None
            self._file.seek(place[0])
            return self._file.read(place[1])

    def size(self, number: int) -> int:
        """The length of the line of this number in bytes; 0 for none."""
        return self._places.get(number, (0, 0))[1]

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def __del__(self) -> None:
        self.close()
