"""Tab completion for the magics: options, commands, what they take, and variables in prompts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core import completer

from claude_nb.magics.options import CELL_OPTIONS, NO_TOOLS, Option, flags

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from claude_nb.magics.commands import Command

IDENTIFIER = "claude_nb"
"""What IPython's configuration calls the matcher."""

NOTHING = "nothing fits"
"""Offered where nothing else is, with what is typed: IPython would offer names of Python's."""

_LINE = re.compile(
    r"(?P<cell>%%)?(?(cell)|[^%]*%)claude(?P<command>_nb)?\s(?P<before>(?:.*\s)?)(?P<word>\S*)"
)
_PROMPT = re.compile(r"\s*%%claude\b.*\n|[^%\n]*%claude\s")
"""The beginning of a text whose end is in a prompt."""
_CLOSED = re.compile(r"[^{}]*\}\}")
"""What follows the caret where the braces are closed already."""


def install(shell: InteractiveShell) -> None:
    """Offer completions in a shell.

    Before IPython 8.6 only the lines of the magics are completed: a hook is told no more.
    """
    variables, hidden = shell.user_ns, shell.user_ns_hidden
    hooks: Any = shell.Completer.custom_completers
    if hasattr(completer, "context_matcher"):
        shell.Completer.custom_matchers.append(matcher(variables, hidden))
    else:
        hooks.add_re(_LINE, partial(_completed, variables, hidden))


def uninstall(shell: InteractiveShell) -> None:
    """Take out what ``install`` put in."""
    shell.Completer.custom_matchers[:] = [
        each
        for each in shell.Completer.custom_matchers
        if getattr(each, "matcher_identifier", "") != IDENTIFIER
    ]
    hooks: Any = shell.Completer.custom_completers
    hooks.regexs.pop(_LINE, None)


def matcher(
    variables: Mapping[str, Any],
    hidden: Container[str] = frozenset(),
    default_model: Callable[[], str] = lambda: "",
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Make a matcher for IPython's completer.

    Args:
        variables: The user's variables, for the options that name one.
        hidden: The names among them that are IPython's.
        default_model: Says which model ``%%claude`` asks by default.
    """

    @completer.context_matcher(identifier=IDENTIFIER)  # type: ignore[untyped-decorator]
    def match(context: CompletionContext) -> SimpleMatcherResult:
        names = _in_prompt(context, variables, hidden)
        if names is not None:
            return names
        line = _LINE.fullmatch(context.text_until_cursor)
        if line is None:
            return {"completions": []}
        fragment, found = _in_line(line, variables, hidden, default_model())
        return _result(fragment, [(text, "claude") for text in found] or [(fragment, NOTHING)])

    made: Callable[[CompletionContext], SimpleMatcherResult] = match
    return made


def _completed(variables: Mapping[str, Any], hidden: Container[str], event: Any) -> list[str]:
    """What IPython before 8.6 offers on a line of ours: it calls this."""
    line = _LINE.fullmatch(event.text_until_cursor)
    if line is None:
        return []
    fragment, found = _in_line(line, variables, hidden, "")
    return found or [fragment]


def _in_line(
    line: re.Match[str], variables: Mapping[str, Any], hidden: Container[str], default_model: str
) -> tuple[str, list[str]]:
    """What is being written on a line of ours, and what it can become."""
    before, word = line["before"].split(), line["word"]
    shown = {n: v for n, v in variables.items() if n not in hidden and not n.startswith("_")}
    if line["command"]:
        fragment, candidates = _of_command(before, word)
    else:
        fragment, candidates = _of_cell(before, word, shown, default_model)
    return fragment, [c for c in dict.fromkeys(candidates) if c and c.startswith(fragment)]


def _result(fragment: str, found: Iterable[tuple[str, str]]) -> SimpleMatcherResult:
    """Texts with what each is, in this order and alone; they replace ``fragment``."""
    completions = [completer.SimpleCompletion(text=text, type=about) for text, about in found]
    return {
        "completions": completions,
        "matched_fragment": fragment,
        "suppress": bool(completions),
        "ordered": True,
    }


def _in_prompt(
    context: CompletionContext, variables: Mapping[str, Any], hidden: Container[str]
) -> SimpleMatcherResult | None:
    """The variables, where a word is being written in a prompt; None elsewhere.

    Nothing else is offered there: IPython would parse the prose as Python, which takes seconds.
    """
    from claude_nb.request.attachments import variables as named  # loaded late: see below

    lines = context.full_text.split("\n")[: context.cursor_line]
    text = "\n".join([*lines, context.text_until_cursor])
    prompt, begun = _PROMPT.match(text), named.BEGUN.search(text)
    if prompt is None or (begun is None and not prompt[0].endswith("\n")):
        return None
    rest = context.full_text.split("\n")[context.cursor_line][context.cursor_position :]
    end = "" if begun is None or _CLOSED.match(rest) else "}}"
    word = begun[1] if begun else re.split(r"\W", context.text_until_cursor)[-1]
    found = named.variables(variables, word, hidden)
    return _result(word, [(name + end, about) for name, about in found] or [(word, NOTHING)])


# What is imported here inside functions is not needed to load the extension, which stays cheap.


def _of_cell(
    before: Sequence[str], word: str, shown: Mapping[str, Any], default_model: str
) -> tuple[str, Iterable[str]]:
    """What can stand on the line of ``%%claude`` where ``word`` does, after ``before``."""
    from claude_nb.request.cells import CONTEXTS
    from claude_nb.request.request import EFFORTS
    from claude_nb.request.server_tools import BUILT_IN_TOOLS
    from claude_nb.request.system import System

    def dicts() -> list[str]:
        return [name for name, value in shown.items() if isinstance(value, dict)]

    def functions() -> list[str]:
        return [name for name, value in shown.items() if isfunction(value)]

    values: dict[str, Callable[[], Iterable[str]]] = {
        "model": lambda: _models(default_model),
        "thinking": lambda: ("on", "off"),
        "effort": lambda: EFFORTS,
        "system": lambda: [n for n, v in shown.items() if isinstance(v, (str, System))],
        "instruct": lambda: [n for n, v in shown.items() if isinstance(v, str)],
        "attach": lambda: shown,
        "cells": lambda: ("all",),
        "context": lambda: CONTEXTS,
        "conversation": _conversations,
        "tools": lambda: [*functions(), *_servers(shown, word), *BUILT_IN_TOOLS, NO_TOOLS],
        "tool-choice": lambda: ["auto", "any", "none", *functions(), *BUILT_IN_TOOLS],
        "stop-sequences": lambda: [n for n, v in shown.items() if isinstance(v, (str, list))],
        "extra": lambda: [*dicts(), "none"],
        "metadata": dicts,
        "json": lambda: [name for name, value in shown.items() if isinstance(value, (type, dict))],
    }
    found = _of_option(CELL_OPTIONS, values, before, word)
    if found is not None:
        return found
    is_prompt = bool(before) and not _ends_option(CELL_OPTIONS, before)
    return word, () if is_prompt else _flags(CELL_OPTIONS)


def _of_command(before: Sequence[str], word: str) -> tuple[str, Iterable[str]]:
    """What can stand on the line of ``%claude_nb`` where ``word`` does, after ``before``."""
    from claude_nb.magics.commands import COMMANDS
    from claude_nb.recording.matching import PARTS

    if not before:
        return word, COMMANDS
    command = COMMANDS.get(before[0])
    if command is None:
        return word, ()
    values: dict[str, Callable[[], Iterable[str]]] = {
        "conversation": _conversations,
        "key-env": lambda: [name for name in os.environ if name.endswith(("_KEY", "_TOKEN"))],
        "without": lambda: PARTS,
    }
    found = _of_option(command.options, values, before, word)
    if found is not None:
        return found
    return word, _flags(command.options) if word.startswith("-") else _words(command, before, word)


def _words(command: Command, before: Sequence[str], word: str) -> Iterable[str]:
    """The words that a command takes next, as ``takes`` names them: ``on|off|next FAULT``."""
    from claude_nb.conversation.export import FORMS
    from claude_nb.simulator.faults import FAULTS

    values: dict[str, Callable[[], Iterable[str]]] = {
        "NAME": lambda: _servers({}, "") if before[0] == "mcp" else _conversations(),
        "FILE": lambda: _paths(word, (".json",)),
        "FAULT": lambda: FAULTS,
        "PATH": lambda: _paths(word, tuple(FORMS)),
        "FOLDER": lambda: _paths(word, ()),
    }
    for alternative in re.sub(r"[\[\]]", "", command.takes).split("|"):
        *places, last = alternative.split() or [""]
        places += [last] * (1 if last != "FAULT" else len(before))  # of faults there can be many
        typed = before[1:]
        if len(typed) < len(places) and all(
            place in (given, place.upper()) for place, given in zip(places, typed, strict=False)
        ):
            place = places[len(typed)]
            yield from values.get(place, tuple)() if place.isupper() else [place]


def _of_option(
    options: Iterable[Option],
    values: Mapping[str, Callable[[], Iterable[str]]],
    before: Sequence[str],
    word: str,
) -> tuple[str, Iterable[str]] | None:
    """The values of the option that ``word`` belongs to, or None: ``-m x``, ``--model=x``."""
    known = flags(options)
    flag, equals, value = word.partition("=")
    if not (equals and flag in known):
        flag, value = before[-1] if before else "", word
    option = known.get(flag)
    if option is None or not option.needs_value:
        return None
    candidates = values.get(option.name, tuple)()
    if option.metavar != "NAMES" and not option.several:
        return value, candidates
    *given, begun = value.split(",")
    return begun, [name for name in candidates if name not in given]


def _ends_option(options: Iterable[Option], before: Sequence[str]) -> bool:
    """Whether what was typed ends in an option with its value, so that another may follow."""
    known = flags(options)
    flag, equals, _ = before[-1].partition("=")
    if flag in known:
        return bool(equals) or not known[flag].needs_value
    option = known.get(before[-2]) if len(before) > 1 else None
    return option is not None and option.needs_value


def _flags(options: Iterable[Option]) -> list[str]:
    return [f"--{option.name}" for option in options]


def _models(default_model: str) -> list[str]:
    """The models, the default first, then those that were asked in this kernel."""
    from claude_nb.cost.models import models_by_use
    from claude_nb.session.session import session

    used = [entry.model for entry in reversed(session.ledger.entries)]
    return models_by_use(session.model, default_model, *used)


def _conversations() -> list[str]:
    """The names of the conversations that need no quotes."""
    from claude_nb.asking.conversation import Conversation

    return [name for name in Conversation.names() if name.split() == [name]]


def _servers(variables: Mapping[str, Any], word: str) -> list[str]:
    """The names of MCP servers; behind ``NAME.`` those with their tools."""
    from claude_nb.tools.mcp.named import servers
    from claude_nb.tools.mcp.server import McpServer

    found = {n: v for n, v in variables.items() if isinstance(v, McpServer)} | servers
    if "." not in word:
        return list(found)
    return [f"{name}.{tool.name}" for name, server in found.items() for tool in server.tools]


def _paths(word: str, endings: tuple[str, ...]) -> list[str]:
    """The folders, and the files with these endings, that a path begins to name."""
    folder, slash, begun = word.rpartition("/")
    found = []
    try:
        entries = sorted(Path(f"{folder}{slash}" or ".").expanduser().iterdir())
    except OSError:
        return []
    for entry in entries:
        is_folder = entry.is_dir()
        if entry.name.startswith(".") > begun.startswith(".") or entry.name.split() != [entry.name]:
            continue
        if is_folder or entry.name.endswith(endings or "\0"):
            found.append(f"{folder}{slash}{entry.name}{'/' if is_folder else ''}")
    return found
