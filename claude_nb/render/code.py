"""The fenced code of a reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from claude_nb.characters import clean, in_code
from claude_nb.render.markdown import markdown

_PYTHON = frozenset({"", "python", "python3", "py", "ipython", "ipython3"})


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block of code.

    Attributes:
        language: The first word after the opening fence, as it was written; empty if there is none.
        code: Its lines, without the last line end.
    """

    language: str
    code: str


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced blocks of Markdown, also those in lists and quotes; not indented code.

    Args:
        text: Markdown as the model wrote it. A fence that is not closed ends with the text.

    Returns:
        The blocks in their order; hidden characters in them are visible (see ``characters``).
    """
    return [
        CodeBlock(markdown.language_of(token), in_code(token.content.removesuffix("\n")))
        for token in markdown.parse(clean(text, prose=True), {})
        if token.type == "fence"
    ]


def code_for_cell(blocks: Sequence[CodeBlock]) -> str:
    """The Python blocks of a reply, or all blocks if none is Python, joined by blank lines."""
    python = [block for block in blocks if block.language.lower() in _PYTHON]
    codes = [block.code.strip("\n") for block in python or blocks]
    return "\n\n".join(filter(None, codes))
