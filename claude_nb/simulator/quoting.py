"""Texts of others in the simulator's Markdown: short ones in the line, others in a fence."""

import contextlib
import json
import re

_SHORT = 60
"""Characters that a line can take."""

_LONG = 1500
"""Characters that a fence can take."""


def fenced(content: str, language: str = "text") -> str:
    """Return a code fence that is longer than any in its content."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def inline(content: str) -> str:
    """Return a text as code in the line."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    pad = " " if longest else ""
    return f"{'`' * (longest + 1)}{pad}{' '.join(content.split())}{pad}{'`' * (longest + 1)}"


def ending(content: str, rest: str = "") -> str:
    """Return the end of a sentence that quotes a text: in the line, or in a block below it.

    Args:
        content: The text.
        rest: What follows it.
    """
    if 0 < len(content) <= _SHORT and not re.search(r"[`\n\r]|^\s|\s$", content):
        return f" `{content}`{' ' if rest else ''}{rest}."
    language = "text"
    with contextlib.suppress(RecursionError, ValueError):
        content = json.dumps(json.loads(content), ensure_ascii=False, indent=2)
        language = "json"
    more = f"…and {len(content) - _LONG:,} characters more." if len(content) > _LONG else ""
    parts = (fenced(content[:_LONG], language), more, rest and f"{rest}.")
    return "".join(f"\n\n{part}" for part in parts if part)
