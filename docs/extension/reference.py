"""Tables of the reference, made from those that the code itself reads."""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING
from unittest.mock import patch

import traitlets
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import claude_nb
from claude_nb.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

_CODE = re.compile(
    r"((?<=For example: )[^,]+|%%?claude(?:_nb)?(?: [a-z]+)?|(?<!\w)--?[a-z][\w-]*|\{\{\S+?\}\})"
)


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> nodes.table:
    """A table of two columns: what is typed, as code, and what it does."""
    table = nodes.table(classes=["typed"])
    group = nodes.tgroup(cols=2)
    table += group
    group += [nodes.colspec(colwidth=40), nodes.colspec(colwidth=60)]
    group += nodes.thead("", _row([nodes.paragraph("", text) for text in head]))
    body = nodes.tbody()
    for typed, does in rows:
        code = nodes.literal("", typed.strip())
        indent = ["option-of-command"] if typed.startswith(" ") else []
        body += _row([nodes.paragraph("", "", code, classes=indent), _described(does)])
    group += body
    return table


def _row(cells: Iterable[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def _described(does: str) -> nodes.paragraph:
    """A text in which options and variables are code."""
    paragraph = nodes.paragraph()
    for number, part in enumerate(_CODE.split(does)):
        paragraph += nodes.literal("", part) if number % 2 else nodes.Text(part)
    return paragraph


class Options(SphinxDirective):
    """``claude-options``: the options of ``%%claude``."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        from claude_nb.magics.manual import of_cell

        return [_table(("Option", "What it does"), of_cell().rows)]


class Commands(SphinxDirective):
    """``claude-commands``: the commands of ``%claude_nb``, with their options."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        from claude_nb.magics.commands import COMMANDS, execute

        manuals: list[Any] = [execute(f"{name} --help", "") for name in COMMANDS]
        rows = []
        for manual in manuals:
            (typed, does), *options = manual.rows
            about = f"{does}. {manual.after}" if manual.after else does
            named = [row for row in options if "--conversation" not in row[0]]  # told there
            rows += [(typed, about), *named]
        return [_table(("Command", "What it does"), rows)]


class Settings(SphinxDirective):
    """``claude-settings``: what ``%config ClaudeMagics`` takes."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        from claude_nb.magics.magics import ClaudeMagics

        traits = ClaudeMagics.class_own_traits(config=True)
        rows = [
            (f"{name} = {_literal(trait)}", str(trait.help))
            for name, trait in sorted(traits.items())
        ]
        return [_table(("Setting and default", "What it does"), rows)]


def _literal(trait: traitlets.TraitType[Any, Any]) -> str:
    value = trait.default()
    return f'"{value}"' if isinstance(value, str) else repr(value)


class Faults(SphinxDirective):
    """``claude-faults``: the ways in which the simulator fails on demand."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        from claude_nb.simulator.faults import FAULTS

        rows = [(name, fault.describe(1)) for name, fault in FAULTS.items()]
        return [_table(("Name", "What the server does"), rows)]


class CommandLine(SphinxDirective):
    """``claude-command-line``: the help of ``claude-nb`` and of each of its commands."""

    def run(self) -> list[nodes.Node]:
        """Make a block for each, under its name."""
        helped = _help()
        commands = re.findall(r"^ {4}(\w+)\b", helped, re.MULTILINE)
        found = [("claude-nb", helped), *((f"claude-nb {each}", _help(each)) for each in commands)]
        return [
            node
            for name, text in found
            for node in (nodes.rubric("", name), nodes.literal_block("", text, language="text"))
        ]


def _help(*command: str) -> str:
    """What ``claude-nb COMMAND --help`` prints."""
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit), patch.dict(os.environ, COLUMNS="90"):
        main([*command, "--help"])
    return printed.getvalue()


def _check_names(app: Sphinx, _env: Any) -> None:
    """Warn of public names that the reference leaves out."""
    documented = app.env.get_domain("py").objects  # type: ignore[attr-defined]
    for name in claude_nb.__all__:
        if f"claude_nb.{name}" not in documented:
            logger.warning("claude_nb.%s is not in the reference", name)


def setup(app: Sphinx) -> None:
    """Add the directives."""
    app.add_directive("claude-options", Options)
    app.add_directive("claude-commands", Commands)
    app.add_directive("claude-settings", Settings)
    app.add_directive("claude-faults", Faults)
    app.add_directive("claude-command-line", CommandLine)
    app.connect("env-check-consistency", _check_names)
