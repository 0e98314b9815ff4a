"""Runs a student's function on the cases of its exercise: the child process of `checking`.

The function comes in on standard input, and a line of JSON goes out for each case that begins or
has ended. What the function prints goes elsewhere.
"""

from __future__ import annotations

import builtins
import importlib
import io
import json
import marshal
import os
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from decimal import Decimal
from math import isclose
from numbers import Real
from types import CellType, FunctionType
from typing import Any

from claude_nb.teaching.exercises import EXERCISES
from claude_nb.teaching.exercises.exercise import Case

_SHOWN = 300
"""Characters of a value or of what was printed."""

_MEMORY = 1024**3
"""Bytes of addresses: a list that grows without end must not take the machine's memory."""


class _Beginning(io.TextIOBase):
    """Keeps the beginning of what is printed, however much that is."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text = (self.text + text[:_SHOWN])[:_SHOWN]
        return len(text)


def main() -> None:
    """Run the cases, and end whatever the function has left running."""
    job = marshal.load(sys.stdin.buffer)  # noqa: S302  (the parent wrote it)
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    function, missing = _function(job)
    with suppress(ImportError):  # on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    cases = EXERCISES[job["exercise"]].cases
    for case in cases:
        case.prepare()
    print(json.dumps({"event": "ready", "missing": missing}), file=report, flush=True)
    for case in cases:
        print(json.dumps({"event": "begun"}), file=report, flush=True)
        ended = {"event": "ended", **_result(function, case)}
        print(json.dumps(ended), file=report, flush=True)
    os._exit(0)


def _function(job: dict[str, Any]) -> tuple[FunctionType, list[str]]:
    """Make the function again, with the modules, functions and values that it uses.

    Returns:
        The function, and the names of the modules that were not found.
    """
    sys.path += [path for path in job["path"] if path not in sys.path]
    names: dict[str, Any] = {"__builtins__": builtins, "__name__": "__main__"}
    functions = [_unfilled(packed, names) for packed in job["functions"]]
    for function, (_, defaults, keyword_defaults, cells) in zip(
        functions, job["functions"], strict=True
    ):
        function.__defaults__ = tuple(_unpacked(packed, functions) for packed in defaults)
        function.__kwdefaults__ = {k: _unpacked(v, functions) for k, v in keyword_defaults.items()}
        for cell, packed in zip(function.__closure__ or (), cells, strict=True):
            if (value := _unpacked(packed, functions)) is not _MISSING:
                cell.cell_contents = value
    unpacked = {name: _unpacked(packed, functions) for name, packed in job["names"].items()}
    names |= {name: value for name, value in unpacked.items() if value is not _MISSING}
    kinds = {name: kind for name, (kind, _) in job["names"].items()}
    return functions[0], [n for n, kind in kinds.items() if kind == "import" and n not in names]


_MISSING = object()


def _unfilled(packed: tuple[Any, ...], names: dict[str, Any]) -> FunctionType:
    """Make a function whose defaults and closure are to come: it may be among them."""
    code = packed[0]
    closure = tuple(CellType() for _ in code.co_freevars)
    return FunctionType(code, names, code.co_name, None, closure)


def _unpacked(packed: tuple[str, Any], functions: list[FunctionType]) -> Any:
    kind, content = packed
    if kind == "value":
        return content
    if kind == "function":
        return functions[content]
    if kind == "import":
        module, path = content
        with suppress(Exception):  # whatever a student's file raises
            found = importlib.import_module(module)
            return getattr(found, path) if path else found
    return _MISSING


def _result(function: FunctionType, case: Case) -> dict[str, Any]:
    """Call the function, and describe what it did."""
    printed = _Beginning()
    before = repr(case.given)
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            got = case.call(function)
            result = {
                "right": _is_right(got, case.expected),
                "got": _shown(got),
                "kind": type(got).__name__,
                "changed": repr(case.given) != before,
            }
    except BaseException as error:  # noqa: BLE001  (exit() too)
        result = {"error": type(error).__name__, "message": str(error)[:_SHOWN], **_where(error)}
        if isinstance(error, NameError):
            result["name"] = error.name
    return {**result, "printed": printed.text}


def _is_right(got: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        is_number = isinstance(got, (Real, Decimal)) and not isinstance(got, bool)
        return is_number and isclose(got, expected, rel_tol=1e-6)
    return type(got) is type(expected) and bool(got == expected)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _where(error: BaseException) -> dict[str, Any]:
    """The line of the notebook at which it was raised."""
    where = {}
    trace = error.__traceback__
    while trace is not None:
        if (
            trace.tb_frame.f_globals.get("__name__") == "__main__"
            and trace.tb_frame.f_code.co_filename != __file__
        ):
            where = {"file": trace.tb_frame.f_code.co_filename, "line": trace.tb_lineno}
        trace = trace.tb_next
    return where


if __name__ == "__main__":
    main()
