"""What the kernel knows of its executions: sources, what they printed and returned, replies.

It does not see the notebook. What it knows is each execution, by its number: the source, what was
written to ``sys.stdout`` and ``sys.stderr`` while it ran, the value that was its result, and the
exception that ended it. It does not know what was displayed (plots, tables, widgets), nor what a
cell that awaits at its top level has printed; IPython in a terminal knows both.

Where that is kept: ``InteractiveShell._tee``, ``DisplayHook.log_output`` and
``HistoryManager.exceptions`` of IPython 9.1 and later (before, only source and value, and
``request.executed`` notes the exceptions);
``IPythonKernel.do_execute``, which does not go through ``_tee`` when it awaits, and
``ZMQDisplayPublisher.publish`` of ipykernel 7. Read there and tried, with IPython 9.18.
"""

from __future__ import annotations

from reprlib import Repr
from typing import Any

from claude_nb.asking.asking import session
from claude_nb.asking.conversation import Conversation
from claude_nb.request.executed import failures

_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 2_000


def sources(shell: Any) -> dict[int, str]:
    """The sources of the executions, by their numbers; that of a cell that runs is among them."""
    # `In` is of no use: it leaves out `exit` and `%paste`, and is then off by one.
    return {
        number: source
        for number in range(1, shell.displayhook.prompt_count + 1)
        if isinstance(source := shell.user_ns.get(f"_i{number}"), str)
    }


def output(shell: Any, number: int) -> str:
    """What an execution printed, displayed and returned, in that order, as far as it is known."""
    history: Any = shell.history_manager
    shown: list[str] = []
    returned = False
    # By `get`: it is a defaultdict, and `_tee` fails at an empty list.
    for one in getattr(history, "outputs", {}).get(number) or []:
        if one.output_type in ("out_stream", "err_stream"):
            shown.append("".join(one.bundle["stream"]))
        elif one.output_type == "execute_result" or not hasattr(shell, "kernel"):
            # ipykernel, where it is told to store what is displayed, stores it one cell further.
            text = str(one.bundle.get("text/plain", ""))
            shown.append(text)
            returned = returned or (one.output_type == "execute_result" and text != "")
    if not returned and number in history.output_hist:
        # Not from `output_hist_reprs`: what `%reset` leaves there is of other cells.
        shown.append(_safe_repr(history.output_hist[number]))
    return "\n".join(text.removesuffix("\n") for text in shown if text)


def failure(shell: Any, number: int) -> str:
    """The exception that ended an execution, in a line; empty if none did."""
    found = failures(shell).get(number)
    return f"{found['ename']}: {found['evalue']}" if found else ""


def replies() -> dict[int, list[str]]:
    """The texts of replies, by the execution in which they were shown."""
    found = {number: dict.fromkeys(texts) for number, texts in session.shown.items()}
    for name in Conversation.names():
        for exchange in Conversation.named(name).exchanges:
            found.setdefault(exchange.place.execution, {})[exchange.text] = None
    return {number: list(texts) for number, texts in found.items()}


def not_kept(shell: Any) -> str:
    """What nobody but a page knows that cells did with their output; empty where all is kept."""
    if not hasattr(shell.history_manager, "outputs"):  # before IPython 9.1
        return "printed or displayed"
    return "displayed" if hasattr(shell, "kernel") else ""


def awaits(shell: Any, source: str) -> bool:
    """Whether a cell awaits at its top level, so that less is kept of it than of others."""
    is_kept = hasattr(shell.history_manager, "outputs")
    if not is_kept or ("await" not in source and "async" not in source):
        return False
    try:
        return bool(shell.should_run_async(source, transformed_cell=shell.transform_cell(source)))
    except Exception:  # noqa: BLE001 - transformations can be a stranger's
        return False


def _safe_repr(value: Any) -> str:
    """A bounded ``repr``, whatever the value's own does."""
    try:
        return _repr.repr(value)
    except Exception:  # noqa: BLE001 - the code of a stranger
        return f"<{type(value).__name__}: its repr failed>"
