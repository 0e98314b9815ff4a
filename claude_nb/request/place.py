"""Where in which notebook a request is made, and the IPython shell that runs there."""

from __future__ import annotations

import inspect
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
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
    metadata = execution_metadata()
    cell = metadata.get("cellId") or (metadata.get("colab") or {}).get("cell_id")
    return Place(str(cell or ""), execution())


def current_session() -> str:
    """The session of the page that sent the code that runs now; empty outside kernels."""
    return str((_execute_request().get("header") or {}).get("session", ""))


def session_name() -> str:
    """The notebook's path as the front end or the server tells it, or an empty string.

    VS Code puts it into ``__vsc_ipynb_file__``. Jupyter Server puts it into ``JPY_SESSION_NAME``,
    once: it stays what it was when the notebook is renamed, after a restart of the kernel too.
    """
    here = shell()
    name = here.user_ns.get("__vsc_ipynb_file__") if here else None
    return name if isinstance(name, str) and name else os.environ.get("JPY_SESSION_NAME", "")


def possible_paths(name: str) -> tuple[Path, ...]:
    """The paths that a session's name may mean: none for an empty name.

    It is absolute where the front end names the session, as JupyterLab and Notebook 7 do, else
    relative to the server's root, which a kernel does not know; but a kernel begins in the
    notebook's folder (``SessionManager.get_kernel_env`` of jupyter_server 2).
    """
    return (Path.cwd() / name, Path.cwd() / Path(name).name) if name else ()


def can_display() -> bool:
    """Whether this is a kernel, which can display something; one that it forks can only print."""
    kernel = getattr(shell(), "kernel", None)
    return kernel is not None and kernel.session.pid == os.getpid()


def is_claude_cell() -> bool:
    """Whether a whole cell of a kernel is ``%%claude``: no other code displays anything in it."""
    code = (_execute_request().get("content") or {}).get("code")
    return str(code or "").lstrip().startswith("%%claude")


def is_run_by_program() -> bool:
    """Whether a program such as nbclient runs the kernel's cells, and nobody looks on.

    Such a program takes no input, and has started the kernel itself: a server or a console would
    have named its connection file ``kernel-….json``.
    """
    content = _execute_request().get("content") or {}
    return content.get("allow_stdin") is False and not kernel_id()


def is_in_notebook_6() -> bool:
    """Whether a page of Notebook 6 runs the cell; it sends no id of it.

    Its ``kernel.js`` gives all users this name. So does jupyter_client where no other is known, but
    the sessions that it makes have a hyphen.
    """
    header = _execute_request().get("header") or {}
    return header.get("username") == "username" and "-" not in header.get("session", "-")


def kernel_id() -> str:
    """The server's id of this kernel, for its REST interface; empty where it cannot be known."""
    if getattr(shell(), "kernel", None) is None:
        return ""
    from ipykernel.connect import get_connection_file

    try:
        found = re.fullmatch(r"kernel-(.+)\.json", Path(get_connection_file()).name)
    except RuntimeError:
        return ""
    return found[1] if found else ""


def process_id() -> str:
    """What the headers of this kernel's messages have as their session, until it is restarted."""
    session = getattr(getattr(shell(), "kernel", None), "session", None)
    return str(getattr(session, "session", ""))


def execution_metadata() -> dict[str, Any]:
    """What the front end sent along with the code that runs now."""
    metadata = _execute_request().get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _execute_request() -> dict[str, Any]:
    """The message that asked the kernel to run the cell that runs now; empty outside kernels."""
    kernel = getattr(shell(), "kernel", None)
    parent: dict[str, Any] = kernel.get_parent() if kernel else {}
    return parent


def execution() -> int:
    """The number of IPython's current execution, the n of ``In[n]``; 0 outside IPython."""
    here = shell()
    # Not the shell's own count, which is ahead by one while a cell runs.
    return here.displayhook.prompt_count if here else 0


def is_result() -> bool:
    """Whether IPython is showing ``Out[n]``, rather than what ``display`` was given."""
    from IPython.core.displayhook import DisplayHook

    code, frame = DisplayHook.__call__.__code__, inspect.currentframe()
    while frame and frame.f_code is not code:  # the hook itself says that it is at work since 9.0
        frame = frame.f_back
    return frame is not None


def shell() -> Any:
    """The IPython shell that this runs in, or None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
