"""What IPython does to a cell before a magic sees it, and what is done about it here.

IPython opens help for a line that ends in ``?``, even a question to Claude; and it finds a cell
magic only on the very first line, so that a comment above it breaks it. ``rewrite`` runs before
IPython's own transformations and takes these two traps away.
"""

from __future__ import annotations

import io
import re
import tokenize

_LINE_MAGIC = re.compile(
    r"(?P<indent>[ \t]*)(?P<target>[A-Za-z_][\w.\[\]'\", ]*=[ \t]*)?%claude[ \t]+(?P<rest>\S.*)"
)
_CELL_MAGIC = re.compile(r"%%claude(\s|$)")
_MISPLACED = (
    "%%claude must be the first line of its cell.",
    "Put the code above it into a cell of its own.",
)


def rewrite(lines: list[str]) -> list[str]:
    """Prepare a cell's lines: for ``shell.input_transformers_cleanup``.

    Args:
        lines: The cell, each line with its line end.

    Returns:
        The lines with each ``%claude …`` as the call that IPython would make of it if it did not
        end in ``?``; the comments above a ``%%claude`` left out.
    """
    code = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    if not code:
        return lines
    first = lines[code[0]]
    if _CELL_MAGIC.match(first):
        return lines[code[0] :]
    if first.startswith("%%"):
        return lines
    done: list[str] = []
    for line in lines:
        if _CELL_MAGIC.match(line) and not _inside_string(done):
            what, advice = _MISPLACED
            error = "__import__('claude_nb.errors').errors.InputError"
            return [f"raise {error}({what!r}, {advice!r})\n"]
        done.append(_call(line, done))
    return done


def _call(line: str, before: list[str]) -> str:
    match = _LINE_MAGIC.fullmatch(line.rstrip("\r\n"))
    if match is None or match["rest"].strip("?") == "" or match["rest"].endswith("\\"):
        return line
    if _inside_string(before):
        return line
    call = f"get_ipython().run_line_magic('claude', {match['rest']!r})"
    target = match["target"] or ""
    # A semicolon is IPython's way to say that a value is not to be shown: the magic shows it.
    return f"{match['indent']}{target}{call}{'' if target else ';'}\n"


def _inside_string(before: list[str]) -> bool:
    """Whether the next line would stand inside a string in triple quotes."""
    try:
        for _ in tokenize.generate_tokens(io.StringIO("".join(before)).readline):
            pass
    except tokenize.TokenError as error:
        return "string" in str(error)
    except SyntaxError:
        return False
    return False
