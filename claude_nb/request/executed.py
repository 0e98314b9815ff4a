"""Executions that have ended: the ids of their cells, the errors that ended them, their code."""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from claude_nb.errors import ClaudeError
from claude_nb.request import place

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

cell_ids: dict[int, str] = {}
"""The front end's ids of the cells that were run, by the numbers of the executions."""

_failures: dict[int, dict[str, Any]] = {}

_FILE = re.compile(r'(?m)^([ |]*)File "([^"\n]+)"')
_IN_TERMINAL = re.compile(r"<ipython-input-(\d+)-")
"""What IPython before 8.6 calls the code of a cell in a terminal."""


def note(result: Any) -> None:
    """Note an execution that has ended: IPython calls it."""
    from IPython.core.history import HistoryManager

    number, error = result.execution_count, result.error_before_exec or result.error_in_exec
    if not number:
        return
    cell_ids.pop(number, None)
    if cell := place.current_place().cell or getattr(result.info, "cell_id", None):
        cell_ids[number] = str(cell)
    _failures.pop(number, None)
    if error and not hasattr(HistoryManager, "exceptions"):
        said = traceback.TracebackException.from_exception(error)
        lines = [report(place.shell(), error)]
        _failures[number] = {"ename": type(error).__name__, "evalue": str(said), "traceback": lines}


def forget() -> None:
    """Forget all that was noted."""
    cell_ids.clear()
    _failures.clear()


def failures(shell: InteractiveShell) -> dict[int, dict[str, Any]]:
    """The errors that ended executions, by their numbers.

    Each with ``ename``, ``evalue`` and the lines of its ``traceback``: IPython keeps them from 9.1.
    """
    found: dict[int, dict[str, Any]] = getattr(shell.history_manager, "exceptions", _failures)
    return found


def report(shell: InteractiveShell, error: BaseException) -> str:
    """The traceback without the way to the user's code, the cells in it under their numbers."""
    if isinstance(error, ClaudeError):  # the way to it is ours, and says nothing to a reader
        return f"{type(error).__name__}: {error}"
    begin = error.__traceback__
    while begin and begin.tb_frame.f_globals.get("__name__", "").startswith("IPython."):
        begin = begin.tb_next
    return with_cells(shell, "".join(traceback.format_exception(type(error), error, begin)))


def with_cells(shell: InteractiveShell | None, lines: str) -> str:
    """A traceback with the numbers of the cells in the place of the files of their code."""

    def name(found: re.Match[str]) -> str:
        number = number_of(shell, found[2]) if shell else 0
        return f"{found[1]}Cell In[{number}]" if number else found[0]

    return _FILE.sub(name, lines)


def number_of(shell: InteractiveShell, filename: str) -> int:
    """The number of the execution that was compiled under a file name; 0 for other files."""
    compiler: Any = shell.compile
    if hasattr(compiler, "format_code_name"):
        label = compiler.format_code_name(filename)  # ("Cell", "In[3]")
        return int(label[1][3:-1]) if label else 0
    if found := _IN_TERMINAL.match(filename):
        return int(found[1])
    # Before IPython 8.6 a kernel has no more than a hash of the source in a folder of its own.
    if PurePath(filename).parent != PurePath(compiler.get_code_name("", "", 0)).parent:
        return 0
    numbers = range(shell.displayhook.prompt_count, 0, -1)
    sources = {number: str(shell.user_ns.get(f"_i{number}", "")) for number in numbers}
    names = (n for n, text in sources.items() if compiler.get_code_name(text, "", n) == filename)
    return next(names, 0)
