"""`Difference`: what a text was and what it is now, line by line, as an object to display."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Self

_LINES = 5_000
"""Lines from which on texts are not compared: that can take more than linear time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference.

    Attributes:
        name: What differs, such as a file.
        lines: The lines, each behind ``+``, ``-`` or a space.
        note: How many came and went, in short.
    """

    name: str
    lines: str
    note: str = ""

    @classmethod
    def of(cls, name: str, before: str, after: str) -> Self:
        """The difference between two texts, with three lines around each change."""
        old, new = before.splitlines(), after.splitlines()
        if max(len(old), len(new)) > _LINES:
            found = [*(f"-{line}" for line in old), *(f"+{line}" for line in new)]
        else:
            found = list(difflib.unified_diff(old, new, lineterm=""))[2:]
        added, removed = (sum(line.startswith(sign) for line in found) for sign in "+-")
        return cls(name, "\n".join(found), f"+{added:,} −{removed:,} lines")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/x-diff": str(self), "text/plain": str(self)}

    def __str__(self) -> str:
        return f"{self.name}\n{self.lines}\n"
