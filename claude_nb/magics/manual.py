"""The manuals: what can be typed, and what each does, readable at any width."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import dedent, wrap

from claude_nb.magics.options import CELL_OPTIONS, Option

_LEFT = 30
"""Characters of what is typed beside which there is room for what it does."""

_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"


@dataclass(frozen=True, slots=True)
class Manual:
    """What can be typed: a table in a notebook, text in a terminal.

    Attributes:
        rows: What is typed, and what it does.
        before: Text above it; lines that are indented are code.
        after: Text below it.
    """

    rows: Sequence[tuple[str, str]]
    before: str = ""
    after: str = ""

    def text(self, columns: int) -> str:
        """All of it as plain text, in lines of so many characters at most."""
        lines = [line for typed, does in self.rows for line in _beside(typed, does, columns)]
        parts = [_wrapped(self.before, columns), "\n".join(lines), _wrapped(self.after, columns)]
        return "\n\n".join(filter(None, parts))

    def __repr__(self) -> str:
        return self.text(shutil.get_terminal_size().columns)

    def _repr_html_(self) -> str:
        from claude_nb.render.markdown.inline import text  # here: to load the extension stays cheap

        rows = "".join(
            f'<tr><td style="{_CELL}"><code>{text(typed)}</code></td>'
            f'<td style="{_CELL}">{text(does)}</td></tr>'
            for typed, does in self.rows
        )
        table = f'<table style="margin-left:0"><tbody>{rows}</tbody></table>'
        above, below = (
            "".join(
                f"<pre>{text(dedent(part))}</pre>"
                if part.startswith(" ")
                else f"<p>{text(part)}</p>"
                for part in filter(None, written.split("\n\n"))
            )
            for written in (self.before, self.after)
        )
        return f"{above}{table}{below}"


def _wrapped(written: str, columns: int) -> str:
    """Paragraphs in lines of so many characters; code as it is."""
    parts = written.split("\n\n")
    return "\n\n".join(p if p.startswith(" ") else "\n".join(wrap(p, columns)) for p in parts)


def _beside(typed: str, does: str, columns: int) -> list[str]:
    """What is typed, and beside it or below it what it does."""
    lines = wrap(does, max(columns - _LEFT, 20))
    if len(typed) > _LEFT - 2 or not lines:
        return [typed, *(" " * _LEFT + line for line in lines)]
    lefts = [typed, *[""] * (len(lines) - 1)]
    return [f"{left:<{_LEFT}}{line}" for left, line in zip(lefts, lines, strict=True)]


def typed_option(option: Option) -> str:
    """An option as it is typed: ``-m, --model ID``."""
    short = f"-{option.short}, " if option.short else ""
    return f"{short}--{option.name} {option.metavar}".rstrip()


_BEFORE = """\
Ask Claude: the cell's text is the prompt, and the reply streams into the output.

    %%claude [options]
    Why is the sky blue?

    %claude [options] Why is the sky blue?
    answer = %claude [options] Why is the sky blue?"""

_AFTER = """\
--tools look_up lets Claude call a function of the notebook; its name, docstring and type hints
describe it. A call runs unasked only in a cell that names the function. Later cells of the
conversation keep the tool, but ask you before each call, and refuse it where nobody can be asked.
--tools none removes the tools.

%claude_nb mcp add time uvx mcp-server-time starts an MCP server. --tools time offers all of its
tools, --tools time.convert_time only one. Each call asks first.

The input of a call streams value by value, so a long value arrives all at once, after a pause.
--eager streams it as it is written. If it then turns out to be invalid, the call is not run, and
Claude gets an error.

To change a default: %config ClaudeMagics.model = "claude-sonnet-5-5"

To stop a reply, interrupt the kernel. The text so far is kept.

%claude_nb help lists the other commands."""


def of_cell(options: Iterable[Option] = CELL_OPTIONS) -> Manual:
    """The manual of ``%%claude`` and ``%claude``."""
    typed: dict[str, list[str]] = {}  # by what it does: some are one thing
    for option in options:
        typed.setdefault(option.help, []).append(typed_option(option))
    rows = [(", ".join(several), does) for does, several in typed.items()]
    return Manual(rows, _BEFORE, _AFTER)
