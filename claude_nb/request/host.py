"""Which application shows the notebook, where its rules differ from those of Jupyter's own."""

from __future__ import annotations

import sys

from claude_nb.request.place import current_place, shell

VSCODE_CELL = "vscode-notebook-cell:"
"""What the ids of cells begin with in VS Code and its forks: the addresses of their documents."""


def host() -> str:
    """The application whose rules apply to what runs now.

    Returns:
        ``vscode``, ``colab``, ``marimo``, or an empty string for all others.
    """
    cell = current_place().cell
    # The page decides, not the machine: VS Code can use a kernel that runs in Colab.
    if cell.startswith(VSCODE_CELL):
        return "vscode"
    if "google.colab" in sys.modules:
        return "colab"
    if _is_marimo():
        return "marimo"
    # VS Code sets the name when it starts a kernel. It tells about code that no cell runs, such as
    # the handler of a widget's message; a page of JupyterLab on the same kernel sends ids of cells.
    here = shell()
    names = here.user_ns if here else {}
    return "vscode" if not cell and "__vsc_ipynb_file__" in names else ""


def typesets() -> bool:
    """Whether the page typesets the formulas of HTML, and colours the code in it.

    Colab shows each output in a frame without MathJax and style sheets, VS Code and marimo typeset
    only Markdown.
    """
    return not host()


def _is_marimo() -> bool:
    """Whether marimo runs here, or did: it tells that only to threads of its own."""
    global _was_marimo  # noqa: PLW0603
    marimo = sys.modules.get("marimo")
    # A module that is still being imported has no such function yet.
    _was_marimo = _was_marimo or (
        marimo is not None and getattr(marimo, "running_in_notebook", bool)()
    )
    return _was_marimo


_was_marimo = False
