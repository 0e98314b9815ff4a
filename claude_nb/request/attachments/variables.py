"""The notebook's variables, for one who begins to name one: which there are and what they are."""

from __future__ import annotations

import builtins
import re
from collections.abc import Container, Mapping
from types import ModuleType
from typing import Any

from claude_nb.request.attachments import bounded

BEGUN = re.compile(r"\{\{\s*(\w*)$")
"""The name of a variable that is being written, at the end of a text."""

MOST = 50
"""Variables that are offered at once."""

_IPYTHONS = re.compile(r"In|Out|get_ipython|_+|_[iod]h|_i{0,3}\d*|_exit_code")

_SIZED = (str, bytes, *bounded.COLLECTIONS)
_SHAPED = ("numpy", "pandas", "polars")


def variables(
    namespace: Mapping[str, Any], beginning: str, hidden: Container[str] = frozenset()
) -> list[tuple[str, str]]:
    """The variables whose names begin so, in the order of their names, each with what it is.

    Private names come only where one was begun; modules do not come, and neither do IPython's own.

    Args:
        namespace: The user's variables by name.
        beginning: What was typed of the name.
        hidden: Names that are IPython's.
    """
    private = beginning.startswith("_")
    found = [
        name
        for name, value in list(namespace.items())  # a copy: a cell may be running
        if name.lower().startswith(beginning.lower())
        and name.startswith("_") == private
        and name not in hidden
        and not isinstance(value, ModuleType)
    ]
    return [(name, about(namespace.get(name))) for name in sorted(found, key=str.lower)[:MOST]]


def user_names(namespace: Mapping[str, Any]) -> list[str]:
    """The names that the user has given: none of Python's own, and none of IPython's."""
    return [
        name
        for name in list(namespace)
        if not (hasattr(builtins, name) or _IPYTHONS.fullmatch(name))
    ]


def about(value: Any) -> str:
    """What a value is, in two words: ``DataFrame 1,204 × 9``. None of its own code is run."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in _SHAPED:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and shape:
            return f"{kind.__name__} {' × '.join(f'{side:,}' for side in shape)}"
    if kind in _SIZED:
        return f"{kind.__name__} {len(value):,}"
    return kind.__name__
