r"""What outputs bring along where the page sets no formulas and colours no code."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from claude_nb.render.html import root
from claude_nb.render.markdown.markdown import to_blocks

TEXT = "For $a < b$ it is $5.\n\n$$\\frac{1}{2}$$\n\n```python\nimport os\n```\n"


def shown(text: str = TEXT) -> str:
    """A text in the root of an output."""
    return root("".join(to_blocks(text)))


def test_jupyter():
    """Jupyter's own pages set formulas and colour code: an output has no style of its own."""
    found = shown()

    assert r"\(a &lt; b\)</span>" in found
    assert "<math" not in found
    assert "<style>" not in found


@pytest.mark.parametrize("name", ["google.colab", "marimo"])
def test_others(monkeypatch, name):
    """In others a formula is MathML with its TeX beside it, and code has its colours."""
    module = ModuleType(name)
    module.running_in_notebook = lambda: True
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("claude_nb.request.host._was_marimo", False)  # as it is after the test

    found = shown()

    assert '<annotation encoding="application/x-tex">a &lt; b</annotation></semantics></math>' in (
        found
    )
    assert '<math alttext="\\frac{1}{2}" display="block"><semantics><mrow><mfrac>' in found
    assert "mathjax_process" not in found
    assert ".claude-nb math {" in found
    assert ":where(.claude-nb .highlight)" in found


def test_only_what_is_needed(monkeypatch):
    """Text has no style; formulas and code bring their own only."""
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))

    assert "<style>" not in shown("Hello.")
    assert ".highlight" not in shown("$x^2$")
    assert " math" not in shown("```\nx\n```").partition("<style>")[2]


def test_no_text_of_a_reply_ends_the_style(monkeypatch):
    """What a formula's source says is escaped."""
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))

    found = shown(r"$x < \text{</annotation><img src=x onerror=alert(1)>}$")

    assert "<img" not in found
