"""Parts of a cell as a prompt has them: in tags, as a reader sees them, and not too long."""

from __future__ import annotations

import re

from claude_nb.characters import clean
from claude_nb.redaction import redact

PART = 15_000
"""Characters of one source, output, reply or error at most; of a longer one both ends are kept."""

# ECMA-48: a control sequence, an operating system command, or a shorter escape.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")


def plain(text: str) -> str:
    """Text as a reader sees it: no escapes, overwritten lines as they were last, no keys."""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    text = text.replace("\r\n", "\n")
    if "\r" in text:  # a progress bar writes its line again and again
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return redact(clean(text, prose=True)).strip("\n")


def cut(text: str, dropped: int = 0, most: int = PART) -> str:
    """A text, its middle left out if it is long; ``dropped`` characters are missing there."""
    if len(text) <= most:
        return text
    half = most // 2
    dropped += len(text) - 2 * half
    return f"{text[:half]}\n[… {dropped:,} characters left out …]\n{text[-half:]}"


def tag(name: str, text: str, dropped: int = 0, most: int = PART) -> str:
    """A text in tags, ``cut`` if it is long."""
    return f"<{name}>\n{cut(text, dropped, most)}\n</{name}>"
