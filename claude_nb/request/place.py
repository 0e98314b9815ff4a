"""Where in the notebook a request is made, and the IPython shell that runs there."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was asked.

    Attributes:
        cell: The front end's id of the cell; empty where it sends none.
        execution: The number of the execution, the n of ``In[n]``; 0 outside IPython.
    """

    cell: str = ""
    execution: int = 0


def current_place() -> Place:
    """Where the code that runs now stands in the notebook."""
    kernel = getattr(shell(), "kernel", None)
    parent = kernel.get_parent() if kernel else {}
    cell = (parent.get("metadata") or {}).get("cellId")
    return Place(str(cell or ""), execution())


def execution() -> int:
    """The number of IPython's current execution, the n of ``In[n]``; 0 outside IPython."""
    here = shell()
    # Not the shell's own count, which is ahead by one while a cell runs.
    return here.displayhook.prompt_count if here else 0


def is_result() -> bool:
    """Whether IPython is showing ``Out[n]``, rather than what ``display`` was given."""
    hook = shell().displayhook
    # A kernel's hook has the message that it is making; a terminal's says that it is at work.
    return bool(getattr(hook, "msg", hook.is_active))


def shell() -> Any:
    """The IPython shell that this runs in, or None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
