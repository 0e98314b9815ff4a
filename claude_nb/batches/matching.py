"""Which row a result is for: found by its custom id alone, whatever else is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_nb.batches.rows import parsed_id
from claude_nb.errors import InputError

if TYPE_CHECKING:
    from claude_nb.batches.requests import Requests
    from claude_nb.batches.service_batch import Part


class Matching:
    """Finds the rows of custom ids, and counts and names rows of which nothing else is known.

    Args:
        requests: What is known of the rows.

    Attributes:
        changed: Rows whose results are for something else than what is known of them here.
    """

    def __init__(self, requests: Requests) -> None:
        self.changed: set[int] = set()
        self._requests = requests
        self._foreign: dict[str, int] = {}
        self._names: list[str] = []  # its keys, in order
        self._handed_in = 0  # how many rows there were, by the ids of what was resumed

    def is_exact(self, name: str) -> bool:
        """Whether a custom id is for a row as it is known here, and no other."""
        parsed = parsed_id(name)
        return parsed is not None and name == self._requests.custom_id(parsed[0])

    def row(self, name: str, part: Part) -> int:
        """The row of a custom id.

        Raises:
            KeyError: The server sent it with a part that has no such row.
            InputError: The part was resumed, and is not of the rows that are known here.
        """
        requests = self._requests
        parsed = parsed_id(name)
        if parsed is not None:
            row, count, mark = parsed
            self._check_count(part, count)
            if requests.is_changed(row, mark):
                self.changed.add(row)
            return row
        if part.rows:  # a batch that was not handed in by us
            raise KeyError(name)
        if requests or self._handed_in:
            raise InputError(
                f"{part.id} was not handed in by batch(): its ids do not name these rows.",
                "Resume it by itself, without prompts=; its rows are called by their ids.",
            )
        row = self._foreign.setdefault(name, len(self._foreign))
        if row == len(self._names):
            self._names.append(name)
        requests.labels, requests.count = self._names, len(self._names)
        return row

    def _check_count(self, part: Part, count: int) -> None:
        """Compare how many rows a part says that there are with what is known of that."""
        requests = self._requests
        known = requests.count if requests else self._handed_in or count
        if count == known and not self._foreign:
            if not requests:
                self._handed_in, requests.count, requests.labels = count, count, range(count)
            return
        if part.rows:
            raise KeyError(count)
        if requests:
            raise InputError(
                f"It was handed in with {count:,} rows, and these are {known:,}.",
                "Pass what was passed to batch(); without prompts= it can be read too.",
            )
        others = len(self._foreign) or known
        raise InputError(
            f"These batches have different numbers of rows: {others:,} and {count:,}.",
            "They do not belong together: resume each by itself.",
        )
