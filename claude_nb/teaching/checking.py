"""`check` and `hint`: a student's function is run on the cases of the exercise of its name."""

from __future__ import annotations

import json
import linecache
import marshal
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, zip_longest
from pathlib import Path
from threading import Timer
from types import CodeType, FunctionType, ModuleType
from typing import Any

from claude_nb.errors import ClaudeError, InputError, nearest
from claude_nb.teaching.exercises import EXERCISES
from claude_nb.teaching.exercises.exercise import Case, Exercise

_SECONDS = 5
"""How long the function may take for all cases together."""

_START = 60
"""How long the process may take to start, on a machine where thirty start one."""

_PRINTED = 80
"""Characters of what was printed that a report shows."""

_NO_RESULT = {
    "generator": "A function with `yield` makes a generator: collect the pieces and `return` them.",
    "coroutine": "`async def` makes a coroutine, which must be awaited: write `def`.",
}
"""By the type of what was returned: why it is not the result."""

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]

_hints_given: Counter[str] = Counter()


def check(function: Callable[..., Any]) -> None:
    """Run a function on the cases of its exercise, and print which are right.

    Args:
        function: The function itself, by the name that the exercise gave it.

    Raises:
        InputError: It is no function, there is no exercise of its name, or it cannot be sent to
            another process.
    """
    if not isinstance(function, FunctionType):
        raise _no_function(function, "check")
    exercise = _exercise(function.__name__)
    results = islice(_results(function, exercise), len(exercise.cases))
    print(report(exercise, list(results)))  # noqa: T201


def hint(function: Callable[..., Any] | str) -> None:
    """Print a hint for an exercise; the next call prints the next one.

    Args:
        function: The function, or its name.

    Raises:
        InputError: It is neither, or there is no exercise of that name.
    """
    name = function if isinstance(function, str) else getattr(function, "__name__", None)
    if name is None:
        raise _no_function(function, "hint")
    exercise = _exercise(name)
    number = min(_hints_given[exercise.name], len(exercise.hints) - 1)
    _hints_given[exercise.name] += 1
    print(f"Hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}")  # noqa: T201


def report(exercise: Exercise, results: list[dict[str, Any]]) -> str:
    """Say of each case whether it is right, and of one that is not, what was expected.

    Args:
        exercise: The exercise.
        results: Those of its cases, in their order; fewer if the process ended early.
    """
    if len(results) == len(exercise.cases) and all(r.get("got") == "None" for r in results):
        printed = any(result["printed"] for result in results)
        why = "It printed something; `return` it instead." if printed else "Is there a `return`?"
        return (
            f"{exercise.name}: it returned None in all {len(results)} cases. {why}\n"
            f"Stuck? hint({exercise.name})"
        )
    lines: list[str] = []
    right = 0
    for case, result in zip_longest(exercise.cases, results):
        if result is None:
            lines.append(f"– {case.about} (not run)")
            continue
        problem = list(_problem(case, result))
        right += not problem
        lines.append(f"{'✗' if problem else '✓'} {case.about}")
        notes = [f"    {line}" for line in problem[1:]]
        lines += [f"    {line}" for line in problem[:1]]
        lines += [note for note in notes if _differs(note) or note not in lines]
    total = len(exercise.cases)
    if right == total:
        lines.insert(0, f"{exercise.name}: all {total} cases are right.")
    else:
        lines.insert(0, f"{exercise.name}: {right} of {total} cases are right.")
        lines.append(f"Stuck? hint({exercise.name})")
    return "\n".join(lines)


def _differs(note: str) -> bool:
    """Whether a line is about one case; others need no second reading."""
    return note.split(maxsplit=1)[0] in {"expected", "got", "printed"}


def _no_function(value: object, called: str) -> InputError:
    return InputError(
        f"This is a {type(value).__name__}, not a function.",
        "Define the function with `def`, and pass its name without parentheses:"
        f" {called}(collect_text)",
    )


def _exercise(name: str) -> Exercise:
    if name == "<lambda>":
        raise InputError(
            "A lambda has no name, and the name says which exercise it is.",
            "Define the function with `def`: def collect_text(events):",
        )
    if name not in EXERCISES:
        near = nearest(name, EXERCISES)
        raise InputError(
            f"There is no exercise {name!r}.",
            f"Did you mean {near}?" if near else f"There are {', '.join(EXERCISES)}.",
        )
    return EXERCISES[name]


def _results(function: FunctionType, exercise: Exercise) -> Iterator[dict[str, Any]]:
    """Run the cases in a child process, and yield what each did; then, what ended it early."""
    packed = _Packed(function)
    job = {
        "exercise": exercise.name,
        "functions": packed.functions,
        "names": packed.names,
        "path": sys.path,
    }
    paths = [str(_PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "claude_nb.teaching"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,  # an interrupt of the kernel ends the wait, and so the process
    )
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    timer = Timer(_START, _end, [process])
    timer.start()
    started = running = timed_out = False
    try:
        with suppress(BrokenPipeError):  # it has ended
            process.stdin.write(marshal.dumps(job))
            process.stdin.close()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                started = True
                timer.cancel()
                timer = Timer(_SECONDS, _end, [process])
                timer.start()
                packed.missing |= dict.fromkeys(
                    event["missing"], "a module that is not found there"
                )
            running = event["event"] == "begun"
            if event["event"] == "ended":
                yield event | {"missing": packed.missing.get(event.get("name", ""))}
        timed_out = timer.finished.is_set()
    finally:
        timer.cancel()
        _end(process)
        process.wait()
        process.stdout.close()
    if not started:
        raise ClaudeError("The process that runs the check did not start.", "Run the cell again.")
    if running:
        yield {"timed_out": timed_out}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that has not been waited for, and what it has started."""
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _problem(case: Case, result: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with a result, line by line; nothing if it is right."""
    if "timed_out" in result:
        yield (
            f"It was still running after {_SECONDS} seconds. Does a loop never end?"
            if result["timed_out"]
            else "It ended the Python process."
        )
        return
    if "error" in result:
        yield from _raised(result)
    elif not result["right"]:
        kinds = type(case.expected).__name__, result["kind"]
        is_plain = kinds[0] == kinds[1] or "NoneType" in kinds
        expected, got = ("" if is_plain else f" ({kind})" for kind in kinds)
        yield f"expected  {case.expected!r}{expected}"
        note = _NO_RESULT.get(kinds[1])
        yield f"got       {f'a {kinds[1]}' if note else result['got'] + got}"
        if note:
            yield note
    elif result["changed"]:
        yield "The result is right, but the function changed what it was given."
    else:
        return
    if printed := result["printed"]:
        yield f"printed   {printed[:_PRINTED]!r}{'…' * (len(printed) > _PRINTED)}"


def _raised(result: dict[str, Any]) -> Iterator[str]:
    if result["error"] == "SystemExit":
        yield "It called exit(); use `return` instead."
    else:
        yield f"{result['error']}: {result['message']}".rstrip(": ")
    source = linecache.getline(result.get("file", ""), result.get("line", 0)).strip()
    if source:
        yield f"in line {result['line']} of the cell:  {source}"
    if result["missing"]:
        yield (
            "check runs the function in another process, which gets the functions, modules and"
            f" plain values that it uses, but not {result['name']} ({result['missing']}): make it"
            " inside the function, or use a parameter."
        )


class _Packed:
    """A function and what it uses, as data that ``marshal`` takes to another process.

    Attributes:
        functions: The function, and those that it uses.
        names: The functions, modules and plain values of the notebook that they use.
        missing: What they use and cannot be sent: the names, each with what it is.

    Raises:
        InputError: A default of a parameter cannot be sent.
    """

    def __init__(self, function: FunctionType) -> None:
        self.functions: list[Any] = []
        self.names: dict[str, tuple[str, Any]] = {}
        self.missing: dict[str, str] = {}
        self._numbers: dict[int, int] = {}  # of the functions, by id
        self._globals = function.__globals__
        self._pack_function(function)

    def _pack_function(self, function: FunctionType) -> tuple[str, Any]:
        if id(function) not in self._numbers:
            number = self._numbers[id(function)] = len(self.functions)
            self.functions.append(None)  # it may use itself
            code = function.__code__
            self._add_names(code)
            cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
            self.functions[number] = (
                code,
                [self._pack_default(value) for value in function.__defaults__ or ()],
                {k: self._pack_default(v) for k, v in (function.__kwdefaults__ or {}).items()},
                [self._pack_used(name, cell.cell_contents) for name, cell in cells],
            )
        return "function", self._numbers[id(function)]

    def _add_names(self, code: CodeType) -> None:
        for name in code.co_names:
            if name in self._globals and name not in self.names:
                self.names[name] = ("missing", None)  # a function that uses it may be met again
                self.names[name] = self._pack_used(name, self._globals[name])
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._add_names(constant)

    def _pack_used(self, name: str, value: Any) -> tuple[str, Any]:
        packed = self._pack(value)
        if packed is None:
            is_class = isinstance(value, type)
            self.missing[name] = "a class" if is_class else f"of type {type(value).__name__}"
        return packed or ("missing", None)

    def _pack_default(self, value: Any) -> tuple[str, Any]:
        packed = self._pack(value)
        if packed is None:
            raise InputError(
                "check runs the function in another process, which gets no default value of type"
                f" {type(value).__name__}.",
                "Give the parameter a plain value, or leave it out.",
            )
        return packed

    def _pack(self, value: Any) -> tuple[str, Any] | None:
        if isinstance(value, ModuleType):
            return "import", (value.__name__, "")
        if isinstance(value, FunctionType) and value.__globals__ is self._globals:
            return self._pack_function(value)
        module = getattr(value, "__module__", None)
        path = getattr(value, "__qualname__", "")
        if module != "__main__" and getattr(sys.modules.get(module or ""), path, None) is value:
            return "import", (module, path)
        try:
            marshal.dumps(value)
        except ValueError:
            return None
        return "value", value
