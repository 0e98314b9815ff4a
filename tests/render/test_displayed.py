"""Objects as they are shown and saved: in which form, how much of them, and never a script."""

from __future__ import annotations

import io
import json
from typing import Any

import matplotlib as mpl
import pytest
from IPython.display import HTML, JSON, SVG, Latex, Markdown
from PIL import Image

from claude_nb.render import displayed
from claude_nb.render.safe_html import safe_html
from claude_nb.request.attachments.limits import pixels

mpl.use("agg")


def kinds(value: Any) -> list[str]:
    return [part["type"] for part in displayed.displayed(value)]


def html(value: Any) -> str:
    return displayed.to_html(displayed.displayed(value))


def test_objects_are_shown_in_their_best_form() -> None:
    """Figures are pictures, tables are tables, Markdown is Markdown; lists are shown one by one."""
    import matplotlib.pyplot as plt
    import pandas as pd
    from ipywidgets import IntSlider

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    table = pd.DataFrame({"city": ["Bern"], "km": [3]})
    svg = SVG('<svg xmlns="http://www.w3.org/2000/svg"><rect width="5" height="5"/></svg>')

    assert kinds(figure) == kinds(axes) == kinds(svg) == ["image"]
    assert kinds([figure, table]) == ["image", "html"]
    assert kinds([1, 2]) == kinds(None) == kinds("a text") == ["text"]
    assert [*kinds(Latex("$x$")), *kinds(JSON({"a": 1}))] == ["markdown", "json"]
    assert kinds(IntSlider()) == ["widget"]
    assert "<td>Bern</td>" in html(table)
    assert "| 0 | Bern | 3 |" in displayed.to_markdown(displayed.displayed(table))
    assert html(Markdown("**bold**")) == "<p><strong>bold</strong></p>\n"
    plt.close(figure)


def test_parts_are_json_and_come_back_from_it() -> None:
    """What is shown can be saved with the reply, and is the same afterwards."""
    parts = displayed.displayed([Markdown("a"), HTML("<b>b</b>"), "c"])

    again = displayed.checked(json.loads(json.dumps(parts)))

    assert displayed.to_html(again) == displayed.to_html(parts)
    assert displayed.checked("nonsense") == displayed.checked([1, None]) == ()


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script><b>x</b>",
        "<b onclick=alert(1)>x</b>",
        "<img src=x onerror=alert(1)><b>x</b>",
        "<a href='javascript:alert(1)'>x</a>",
        "<svg onload=alert(1)><b>x</b></svg>x",
        "x<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table>",
        "<p style='background:url(javascript:alert(1))'>x</p>",
        "<iframe src='javascript:alert(1)'></iframe>x",
        "x<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<!--><img src=x onerror=alert(1)>-->x",
        "x<textarea><img src=x onerror=alert(1)>",
        "<form action='javascript:alert(1)'><button>x</button></form>x",
        "<a title='\"><img src=x onerror=alert(1)>'>x</a>",
    ],
)
def test_no_html_runs_anything(source: str) -> None:
    """Only harmless elements and attributes are written, whatever an object's HTML holds."""
    from html.parser import HTMLParser

    class Found(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in {"b", "a", "p", "img", "table", "div"}
            assert not [name for name, _ in attrs if name.startswith("on") or name == "src"]
            assert not [value for _, value in attrs if value and value.startswith("javascript")]

    safe = safe_html(source, 1000).html
    Found().feed(safe)
    assert "url(" not in safe
    assert "x" in safe
    assert safe_html(safe, 1000).html == safe  # so that it can be done again when it is shown


def test_a_script_is_named_where_the_object_needs_one() -> None:
    """An object that uses a script says so, and where it can be seen."""
    assert "uses a script" in html(HTML("<div></div><script>plot()</script>"))
    assert "Part of it is not shown" in html(HTML("<b>left</b><script>plot()</script>"))


def test_long_texts_fold_and_end() -> None:
    """A long text is one line to open, and never more than its first 20,000 characters."""
    shown = html("first\n" + "word " * 20_000)

    assert shown.startswith("<details")
    assert "<summary" in shown
    assert "2 lines, 100,006 characters" in shown
    assert "80,006 more characters" in shown
    assert len(shown) < 21_000
    assert html("short") == "<pre>short</pre>"


def noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 100).convert("RGB")


def test_large_pictures_are_thumbnails_that_open() -> None:
    """A small picture is shown as it is, a larger one by a small one that opens it."""
    assert "<details" not in html(noise(100, 80))
    large = html(Image.new("RGB", (1200, 900), "red").rotate(30))
    assert large.count("<img") == 2
    assert "1,200 × 900 px" in large

    huge = displayed.displayed(noise(3000, 2000))[0]
    assert huge["type"] == "image"
    assert len(json.dumps(huge)) < 401_000


def test_the_size_of_a_webp_is_known() -> None:
    """Pictures that were made smaller are WebP; their size is read in all three forms."""
    for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0x"}):
        file = io.BytesIO()
        noise(321, 123).save(file, "WEBP", **options)
        assert pixels(file.getvalue()) == (321, 123)


def test_an_object_that_fails_is_named() -> None:
    """The code of an object may raise; what is shown says so, and nothing else breaks."""

    class Fails:
        def __repr__(self) -> str:
            raise ValueError("no text")

    assert html(Fails()) == "<pre>Fails cannot be displayed: ValueError: no text</pre>"


def test_parts_from_a_file_are_checked() -> None:
    """A saved part with a script, or of an unknown kind, is harmless when it is shown again."""
    parts = [
        {"type": "html", "html": "<img src=x onerror=alert(1)>hello"},
        {"type": "image", "source": {"media_type": "image/png", "data": '"><script>'}},
        {"type": "image", "source": None},
        {"type": "other", "text": "x"},
        {"type": 3},
    ]
    shown = displayed.to_html(parts)
    assert "hello" in shown
    assert "onerror" not in shown
    assert "script" not in shown
    assert "\x1b" not in displayed.to_plain([{"type": "text", "text": "\x1b[2J"}])
