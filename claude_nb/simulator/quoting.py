"""Texts of others in the simulator's Markdown: short ones in the line, others in a fence."""

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


def quoted(content: str) -> tuple[str, bool]:
    """Quote a text.

    Returns:
        It as Markdown, and whether that is a block of its own.
    """
    if 0 < len(content) <= _SHORT and not re.search(r"[`\n\r]|^\s|\s$", content):
        return f"`{content}`", False
    language = "text"
    try:
        content = json.dumps(json.loads(content), ensure_ascii=False, indent=2)
        language = "json"
    except (RecursionError, ValueError):
        pass
    if len(content) <= _LONG:
        return fenced(content, language), True
    rest = f"…and {len(content) - _LONG:,} characters more."
    return f"{fenced(content[:_LONG], language)}\n\n{rest}", True
