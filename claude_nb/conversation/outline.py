"""A conversation as a tree in plain text, for ``%claude_nb history``."""

from __future__ import annotations

import re
from collections import deque

from claude_nb.conversation.export import along
from claude_nb.conversation.history import Exchange, History, label
from claude_nb.render import labels

MAX_INDENT = 20
"""How far to the right an exchange is shown at most."""

_MARKS = re.compile(r"^#+ |[*`]+", re.MULTILINE)
"""Markdown that would only be in the way in a few plain words."""


def tree(history: History) -> str:
    """A conversation as a tree in plain text: its branch is marked, and where it goes on.

    Args:
        history: The conversation.

    Returns:
        One line for each exchange, with its number for ``%claude_nb fork``; what forks off stands
        further to the right, below the exchange that it follows.
    """
    if not history.exchanges:
        return f"{history.name}: no messages yet."
    branch = set(history.branch)
    count = len(history.exchanges)
    lines = [
        f"{history.name} · {labels.counted(count, 'exchange')}, {len(branch)} on the current branch"
    ]
    following = history.following
    numbers = {exchange: number for number, exchange in enumerate(history.exchanges, 1)}
    waiting = deque((exchange, 0) for exchange in _order(following[None], branch))
    while waiting:
        exchange, depth = waiting.popleft()
        mark = "●" if exchange in branch else "○"
        where = f"{label(exchange)} " if exchange.place.execution else ""
        here = " (edited)" if exchange.edited else ""
        here += "  ← here" if exchange is history.head else ""
        indent = "  " * min(depth, MAX_INDENT)
        beside = "".join(f" [{item}]" for item in along(exchange))
        asked = labels.first_words(exchange.prompt, 40)
        answer = labels.first_words(_MARKS.sub("", exchange.text), 28)
        lines.append(f"{indent}{mark} {numbers[exchange]}  {where}{asked}{beside} → {answer}{here}")
        follow = _order(following[exchange], branch)
        # The last one goes on below its parent; those before it were left, and stand aside.
        steps = [depth + 1] * (len(follow) - 1) + [depth] * bool(follow)
        waiting.extendleft(reversed([*zip(follow, steps, strict=True)]))
    if history.head is None:
        lines.append("← the next question starts fresh")
    return "\n".join(lines)


def _order(exchanges: list[Exchange], branch: set[Exchange]) -> list[Exchange]:
    """What follows an exchange: the current branch last, which then goes on without an indent."""
    return sorted(exchanges, key=branch.__contains__)
