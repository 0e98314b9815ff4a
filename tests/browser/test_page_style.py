"""Outputs in a frame of their own, as in Colab, and in pages that have no style for them."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from claude_nb.render.html import root
from claude_nb.render.markdown.markdown import to_blocks
from claude_nb.render.scripts import style

TEXT = """\
Half of it is $x^{2}$:

$$\\frac{a}{b}$$

```python
import os  # a comment
print("growth", 1 + 1, None)
```
"""

# The colours of text and page: of Colab's and VS Code's themes, light and dark.
PAGES = {
    "Colab, light": ("#212121", "#ffffff"),
    "Colab, dark": ("#d5d5d5", "#383838"),
    "VS Code, light": ("#3b3b3b", "#ffffff"),
    "VS Code, dark": ("#cccccc", "#1f1f1f"),
    "VS Code, high contrast": ("#ffffff", "#000000"),
}

# The contrast of each kind of word to the box that it stands in, on this page.
CONTRASTS = """([color, background]) => {
    document.body.style.color = color;
    document.body.style.background = background;
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const painted = (...colours) => {
        for (const each of colours) {
            canvas.fillStyle = each;
            canvas.fillRect(0, 0, 1, 1);
        }
        const light = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(byte => {
            const share = byte / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return light[0] * 0.2126 + light[1] * 0.7152 + light[2] * 0.0722;
    };
    const pre = document.querySelector("pre");
    const box = painted(background, getComputedStyle(pre).backgroundColor);
    return Object.fromEntries([...pre.querySelectorAll("span")].map(span => {
        const word = painted(getComputedStyle(span).color);
        const [darker, lighter] = [box, word].sort((one, other) => one - other);
        return [span.className, (lighter + 0.05) / (darker + 0.05)];
    }));
}"""

# A chat on a page that has no colours for it: those of the page and of its text.
CHAT = """([of_page, of_body]) => {
    document.documentElement.setAttribute("theme", of_page);
    document.body.className = of_body;
    document.body.innerHTML = '<div class="claude-nb-widget claude-nb-chat"></div>';
    const { backgroundColor, color } = getComputedStyle(document.body.firstChild);
    return [backgroundColor, color];
}"""

LIGHT = ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
DARK = ["rgb(18, 18, 18)", "rgb(255, 255, 255)"]

COLOURS = """() => new Set([...document.querySelectorAll("pre span:not(.p)")].map(
    span => getComputedStyle(span).color)).size"""


@pytest.fixture
def frame(empty_page, monkeypatch):
    """A frame with an output of Colab, and nothing else."""
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    empty_page.set_content("<iframe></iframe>")
    frame = empty_page.frames[1]
    frame.set_content(root("".join(to_blocks(TEXT))))
    return frame


def test_code_is_coloured_and_can_be_read(frame):
    """Its words have colours of their own with a contrast of at least 4.5, light and dark."""
    for name, colours in PAGES.items():
        found = frame.evaluate(CONTRASTS, list(colours))
        assert {"kn", "c1", "s2", "mi", "o", "kc"} <= found.keys()
        assert min(found.values()) >= 4.5, (name, found)
        assert frame.evaluate(COLOURS) >= 4


def test_formulas_are_set(frame):
    """Without a script: the numerator stands above the denominator, and TeX is not seen."""
    numerator, denominator = (part.bounding_box() for part in frame.locator("mfrac > *").all())

    assert numerator["y"] + numerator["height"] <= denominator["y"]
    assert not frame.locator("annotation").first.is_visible()
    assert "\\frac" not in frame.locator("body").inner_text()


@pytest.mark.parametrize(
    ("of_page", "of_body", "colours"),
    [
        ("", "", LIGHT),
        ("dark", "", DARK),
        ("", "vscode-light", LIGHT),
        ("", "vscode-dark", DARK),
        ("", "vscode-high-contrast", DARK),
        ("", "vscode-high-contrast vscode-high-contrast-light", LIGHT),
        ("", "dark", DARK),
    ],
)
def test_a_chat_is_as_light_or_dark_as_the_page(frame, of_page, of_body, colours):
    """In Colab, VS Code and marimo, each of which says it in its own way."""
    frame.add_style_tag(content=style("chat"))

    assert frame.evaluate(CHAT, [of_page, of_body]) == colours
