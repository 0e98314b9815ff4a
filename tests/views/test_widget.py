"""The source of the widgets, as the page gets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import claude_nb
from claude_nb.render.scripts import source, style

SYMBOLS = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u2bff\U0001f000-\U0001ffff‹›⋯]"
)


@pytest.mark.parametrize("name", ["chat", "inspector", "live", "output_sync"])
def test_icons_are_drawn(name):
    """No character stands for one: where no font has it, it is an empty box."""
    text = source(name) if name == "output_sync" else source(name) + style(name)

    assert SYMBOLS.findall(text) == []


EXTENSION = Path(claude_nb.__file__).parent / "labextension" / "static" / "style.css"
SHEETS = {name: style(name) for name in ("chat", "inspector", "live")}
SHEETS["extension"] = EXTENSION.read_text(encoding="utf-8")


def selectors(sheet: str) -> set[str]:
    """The selectors of a style sheet that have a class of ours."""
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", sheet)
    found = {each.strip() for rule in rules for each in re.split(r",(?![^()]*\))", rule)}
    return {each for each in found if classes(each)}


def classes(text: str) -> set[str]:
    """The classes of ours in selectors."""
    return set(re.findall(r"\.(claude-nb[\w-]*)", text))


@pytest.mark.parametrize("name", SHEETS)
def test_a_style_sheet_styles_only_its_own(name):
    """All are on a page at once: what others have too is styled only inside what is its own."""
    core = selectors(SHEETS["live"]) & selectors(SHEETS["inspector"])  # both begin with it
    others = [selectors(sheet) for other, sheet in SHEETS.items() if other != name]
    own = selectors(SHEETS[name]) - core
    roots = {f"claude-nb-{name}"} | classes(" ".join(own)) - classes(" ".join(core.union(*others)))

    assert [each for each in own if not classes(each) & roots] == []
