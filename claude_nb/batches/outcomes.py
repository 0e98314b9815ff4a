"""What came for each row of a batch: its line in a file, its outcome in a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_nb.batches.results import ORDER
from claude_nb.batches.row_store import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_nb.batches.results import RowOutcome

_CODE = {outcome: number for number, outcome in enumerate(ORDER, start=1)}  # 0: nothing came


class Outcomes:
    """What came for each row; the best, where several results came for one."""

    def __init__(self) -> None:
        self._lines = Spool()
        self._codes = bytearray()

    def put(self, row: int, outcome: RowOutcome, line: bytes) -> None:
        """Keep a result of a row, if nothing better came before."""
        self._grow(row)
        if not self._codes[row] or _CODE[outcome] <= self._codes[row]:
            self._lines.put(row, line)
            self._codes[row] = _CODE[outcome]

    def forget(self, rows: Iterable[int]) -> None:
        """Let what came for rows count no more."""
        for row in rows:
            self._grow(row)
            self._codes[row] = 0

    def get(self, row: int) -> RowOutcome | None:
        """What came for a row, or None."""
        code = self._codes[row] if row < len(self._codes) else 0
        return ORDER[code - 1] if code else None

    def line(self, row: int) -> bytes | None:
        """The line that came last for a row, or None."""
        return self._lines.get(row)

    def count(self, outcome: RowOutcome) -> int:
        """For how many rows it came."""
        return self._codes.count(_CODE[outcome])

    def __bool__(self) -> bool:
        """Whether anything came."""
        return any(self._codes)

    def _grow(self, row: int) -> None:
        self._codes.extend(bytes(max(0, row + 1 - len(self._codes))))
