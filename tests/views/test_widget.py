"""The source of the widgets, as the page gets it."""

from __future__ import annotations

import re

import pytest

from claude_nb.views.widget import source, style

SYMBOLS = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u2bff\U0001f000-\U0001ffff‹›⋯]"
)


@pytest.mark.parametrize("name", ["chat", "inspector", "live", "output_sync"])
def test_icons_are_drawn(name):
    """No character stands for one: where no font has it, it is an empty box."""
    text = source(name) if name == "output_sync" else source(name) + style(name)

    assert SYMBOLS.findall(text) == []
