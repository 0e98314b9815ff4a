"""Tab completion for ``%claude`` and ``%%claude``: options, model ids, and what options take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import isfunction
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from claude_nb.magics.options import CELL_OPTIONS, NO_TOOLS

IDENTIFIER = "claude_nb"
"""What IPython's configuration calls the matcher."""

_LINE = re.compile(r"(?:%%|[^%]*%)claude(?P<command>_nb)?\s(?P<before>(?:.*\s)?)(?P<word>\S*)")


def matcher(variables: Mapping[str, Any]) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Make a matcher for IPython's completer.

    Args:
        variables: The user's variables, for the options that name one.
    """

    @context_matcher(identifier=IDENTIFIER)  # type: ignore[untyped-decorator]
    def match(context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.fullmatch(context.text_until_cursor)
        if found is None:
            return {"completions": []}
        word = found["word"]
        candidates = _commands if found["command"] else _candidates
        fitting = [c for c in candidates(found["before"], word, variables) if c.startswith(word)]
        return {
            "completions": [SimpleCompletion(text=text, type="claude") for text in fitting],
            "matched_fragment": word,
            "suppress": bool(fitting),
        }

    made: Callable[[CompletionContext], SimpleMatcherResult] = match
    return made


def _commands(before: str, _word: str, _variables: Mapping[str, Any]) -> Iterable[str]:
    """The commands of ``%claude_nb``, of which there is one on a line."""
    from claude_nb.magics.commands import COMMANDS  # here: to load the extension stays cheap

    return () if before.strip() else COMMANDS


def _candidates(before: str, word: str, variables: Mapping[str, Any]) -> Iterable[str]:
    """What can stand where ``word`` does, after ``before``."""
    from claude_nb.asking.conversation import Conversation
    from claude_nb.cost.models import known_models
    from claude_nb.request.request import EFFORTS
    from claude_nb.request.system import System  # all here: to load the extension stays cheap
    from claude_nb.tools.tools import SERVER_TOOLS

    shown = {name: value for name, value in variables.items() if not name.startswith("_")}
    takes: dict[str, Callable[[], Iterable[str]]] = {
        "model": known_models,
        "thinking": lambda: ("on", "off"),
        "effort": lambda: EFFORTS,
        "system": lambda: [n for n, v in variables.items() if isinstance(v, (str, System))],
        "attach": lambda: shown,
        "conversation": lambda: [name for name in Conversation.names() if name.split() == [name]],
        "tools": lambda: [*filter(lambda n: isfunction(shown[n]), shown), *SERVER_TOOLS, NO_TOOLS],
        "json": lambda: [name for name, value in shown.items() if isinstance(value, (type, dict))],
    }
    last = before.split()[-1:] or [""]
    option = next((o for o in CELL_OPTIONS if last[0] in (f"--{o.name}", f"-{o.short}")), None)
    if option is not None and option.metavar:
        return takes.get(option.name, tuple)()
    return (f"--{option.name}" for option in CELL_OPTIONS) if word.startswith("-") else ()
