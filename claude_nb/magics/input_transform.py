"""What IPython does to a cell before a magic sees it, and what is done about it here.

IPython opens help for a line that ends in ``?``, even a question to Claude. It finds a cell magic
only on the very first line, so that a comment above it breaks it. And before it looks for one, it
takes ``>>>`` and common indentation out of all lines, a prompt's too. ``rewrite`` runs before
IPython's own transformations and prevents all three.
"""

from __future__ import annotations

import io
import re
import tokenize

_LINE_MAGIC = re.compile(
    r"(?P<indent>[ \t]*)(?P<target>[A-Za-z_][\w.\[\]'\", ]*=[ \t]*)?%claude[ \t]+(?P<rest>\S.*)"
)
_CELL_MAGIC = re.compile(r"[ \t]*%%(?P<name>claude(?:_nb)?)(?:[ \t]+(?P<options>.*?))?\s*")


def rewrite(lines: list[str]) -> list[str]:
    """Prepare a cell's lines: for ``shell.input_transformers_cleanup``.

    Args:
        lines: The cell, each line with its line end; IPython gives the last one a line end where
            none was typed.

    Returns:
        A ``%%claude`` or ``%%claude_nb`` cell as the call that IPython would make of it, with the
        text as it was typed, and without the comments above; in another cell each ``%claude …``
        line as the call that IPython would make of it if it did not end in ``?``.
    """
    code = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    if not code:
        return lines
    first = lines[code[0]]
    if magic := _CELL_MAGIC.fullmatch(first):
        prompt = "".join(lines[code[0] + 1 :])
        if not prompt.endswith("\n\n"):  # or else the last line end was typed
            prompt = prompt.removesuffix("\n")
        # Not empty in any case: IPython would say that a cell magic needs a body, and go on.
        prompt = prompt or "\n"
        name, options = magic["name"], magic["options"] or ""
        return [f"get_ipython().run_cell_magic({name!r}, {options!r}, {prompt!r})\n"]
    if first.lstrip().startswith("%%"):
        return lines
    done: list[str] = []
    for line in lines:
        if (magic := _CELL_MAGIC.fullmatch(line)) and not _inside_string(done):
            what = f"%%{magic['name']} must be the first line of its cell."
            advice = "Put the code above it into a cell of its own."
            error = "__import__('claude_nb.errors').errors.InputError"
            return [f"raise {error}({what!r}, {advice!r})\n"]
        done.append(_call(line, done))
    return done


# A terminal asks IPython whether a cell is complete. There the `%%` must be seen, which lets a
# prompt go on until an empty line; this attribute keeps a transformation out of that question.
rewrite.has_side_effects = True  # type: ignore[attr-defined]


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
