r"""Markdown as JupyterLab parses it, without the formulas.

JupyterLab removes formulas before it parses the text, and inserts them unescaped into the HTML
(``removeMath`` and ``replaceMath`` of @jupyterlab/rendermime). So text between two dollars can hide
a backtick from the parser, or end the attribute that it is in: what other renderers show as code or
as an address becomes a tag there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PLACE = "@@0@@"
"""The placeholder of a formula while the rest is parsed."""

_FENCE = re.compile(r"^(`{3,}|(?:~~~)+)[^`\n]*\n[\s\S]*?^\1`*$", re.MULTILINE)
_SPAN = re.compile(r"(?<!\\)(`+)[^\n]*?[^`\n]\1(?!`)")
_HIDDEN = "\0"
"""The placeholder of a dollar in code that JupyterLab recognises; `clean` text never has it."""

_TOKEN = re.compile(
    r"\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|(?:\n\s*)+|\\\\[()\[\]]", re.IGNORECASE
)
_PARTNERS = {"$": "$", "$$": "$$", r"\\(": r"\\)", r"\\[": r"\\]"}
_MATTERS = re.compile(r'[\n`"\[\]<>]')
"""Characters of a formula without which the rest may parse differently."""


def taken_out(source: str) -> str:
    """Markdown as JupyterLab parses it, or unchanged if the formulas make no difference."""
    text = source
    for code in (_FENCE, _SPAN):
        text = code.sub(lambda found: found[0].replace("$", _HIDDEN), text)
    spans = list(_spans(text))
    if not any(_MATTERS.search(text, *span) for span in spans):
        return source
    parts, end = [], 0
    for first, last in spans:
        parts += [text[end:first], PLACE]
        end = last
    return "".join([*parts, text[end:]]).replace(_HIDDEN, "$")


def without_math(source: str) -> str:
    """Markdown in which nothing is a formula; all else looks as before."""
    source = source.replace("$", "\\$").replace(r"\\(", r"\\&#40;").replace(r"\\[", r"\\&#91;")
    return re.sub(r"\\(?=begin\{)", "&#92;", source, flags=re.IGNORECASE)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The place of each formula: from a delimiter to its partner, not across a blank line."""
    begin, last, partner, depth = -1, -1, "", 0
    for found in _TOKEN.finditer(text):
        mark = found[0]
        if begin < 0:
            partner, depth = _partner(mark), 0
            begin = found.start() if partner else -1
        elif mark == partner and not depth:
            yield begin, found.end()
            begin = last = -1
        elif mark == partner:
            last = found.end()  # within braces: only if there is no other
        elif mark.count("\n") > 1:
            if last >= 0:
                yield begin, last
            begin = last = -1
        else:
            depth = max(0, depth + {"{": 1, "}": -1}.get(mark, 0))
    if begin >= 0 and last >= 0:
        yield begin, last


def _partner(mark: str) -> str:
    """The delimiter that ends a formula begun by this one; empty if it begins none."""
    if mark[1:6] == "begin":  # as JupyterLab compares it, in small letters
        return f"\\end{mark[6:]}"
    return _PARTNERS.get(mark, "")
