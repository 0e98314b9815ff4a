"""The outputs that a page tells of, as text and images for a prompt."""

from __future__ import annotations

import pytest

from claude_nb.notebook.outputs import shown
from claude_nb.render.displayed import WIDGET
from claude_nb.views.page_outputs import DisplayedCell, Output

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA="
WIDE = "iVBORw0KGgoAAAANSUhEUgAAI/AAAAABCAYAAAA="


def of(*outputs: Output, most=20):
    """What a cell shows that has these outputs."""
    return shown(DisplayedCell(3, "", outputs), most)


def output(**data: str):
    """An output of these MIME types."""
    kinds = {name.replace("__", "/"): value for name, value in data.items()}
    return Output(list(kinds), kinds)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (output(text__plain="<module 're'>"), "<module 're'>"),
        (output(text__plain="a b", text__html="<pre>a b</pre>"), "a b"),
        (output(text__plain="<HTML object>", text__html="<b>bold</b>"), "bold"),
        (output(text__plain="a b", text__html="<table><td>1</table>"), "| 1 |\n| --- |"),
        (output(text__plain="<Math object>", text__latex="$x$"), "$x$"),
        (output(text__plain="<Markdown object>", text__markdown="# x"), "# x"),
        (Output([WIDGET, "text/plain"], {"text/plain": "IntSlider()"}), "IntSlider()"),
    ],
)  # fmt: skip
def test_an_output_is_the_text_that_says_most(given, text):
    """Tables in Markdown, other HTML only where there is nothing but the name of an object."""
    assert of(given).text == text


MISSING = {
    "widget": (Output([WIDGET], {}), "a widget"),
    "large": (Output(["image/png"], {}, large=True), "an output of more than 2 MB"),
    "svg": (
        Output(["image/svg+xml", "text/plain"], {"text/plain": "<Digraph at 0x1>"}),
        "an output of type image/svg+xml",
    ),
    "wide": (Output(["image/png"], {"image/png": WIDE}), "an image that the API does not take"),
    "text": (Output(["image/png"], {"image/png": "aGk="}), "an image that the API does not take"),
    "broken": (Output(["image/png"], {"image/png": "a"}), "an image that the API does not take"),
}


@pytest.mark.parametrize(("given", "missing"), MISSING.values(), ids=MISSING)
def test_what_cannot_be_sent_is_named(given, missing):
    """And nothing is sent in its place."""
    found = of(given)

    assert (found.text, found.images, found.missing) == ("", {}, [missing])


def test_images_are_named_where_they_stand_and_limited_in_number():
    """Those beyond are noted."""
    image = Output(["image/png"], {"image/png": PNG})

    found = of(output(text__plain="before\n"), image, image, most=1)

    assert found.text == "before\n(Image 1 of cell [3]: below)"
    assert list(found.images) == ["Image 1 of cell [3]"]
    assert found.missing == ["an image"]
