"""How the end of a growing text is shown: as it will probably be, never as markers that flash."""

import re

import pytest
from hypothesis import given

from claude_nb.render.markdown.incremental import Incremental
from claude_nb.render.markdown.markdown import saved, to_html
from tests.render.answers import ANSWERS, streamed, visible
from tests.render.samples import texts
from tests.render.test_markdown import assert_safe
from tests.work import calls

HEALED = {
    "bold": [
        ("it is **bo", "it is <strong>bo</strong>"),
        ("it is **bold*", "it is <strong>bold</strong>"),
        ("it is **", "it is"),
        ("**a `b` c", "<strong>a <code>b</code> c</strong>"),
        ("**two\nlines", "<strong>two\nlines</strong>"),
        ("__bo", "<strong>bo</strong>"),
        ("2**10 is", "2**10 is"),
    ],
    "italic": [
        ("an *ite", "an <em>ite</em>"),
        ("an *", "an"),
        ("_ite", "<em>ite</em>"),
        ("5*3 is", "5*3 is"),
        ("snake_cas", "snake_cas"),
        ("2 * 3 is", "2 * 3 is"),
        ("*a **b", "<em>a <strong>b</strong></em>"),
    ],
    "bold and italic": [
        ("***bo", "<em><strong>bo</strong></em>"),
        ("***both**", "<em><strong>both</strong></em>"),
        ("**a *b", "<strong>a <em>b</em></strong>"),
        ("**a *b*", "<strong>a <em>b</em></strong>"),
    ],
    "inline code": [
        ("call `f(", "call <code>f(</code>"),
        ("call `", "call"),
        ("`` a ` b `", "<code>a ` b </code>"),
        ("`**a", "<code>**a</code>"),
        ("`a` and `b", "<code>a</code> and <code>b</code>"),
    ],
    "strikethrough": [
        ("~~ol", "<s>ol</s>"),
        ("~~old~", "<s>old</s>"),
        ("now ~", "now"),
        ("~~**a", "<s><strong>a</strong></s>"),
    ],
    "links": [
        ("see [the do", "see the do"),
        ("see [the docs]", "see the docs"),
        ("see [the docs](", "see the docs"),
        ("see [the docs](https://e.x/a_b", "see the docs"),
        ('see [the docs](https://e.x "What\'s', "see the docs"),
        ("see [**the** `do", "see <strong>the</strong> <code>do</code>"),
        ("**see [the docs](https://e", "<strong>see the docs</strong>"),
        ("<https://e.x/", "https://e.x/"),
        ("see https://e.x/a", "see https://e.x/a"),
        ("as in [1", "as in"),
        ("as in [1].", "as in [1]."),
        ("arr[i", "arr[i"),
        ("in [0, 1) ", "in [0, 1)"),
        ("[a](javascript:b", "[a](javascript:b"),
        ("[a](lab/tree", "[a](lab/tree"),
    ],
    "images": [
        ("see !", "see"),
        ("see ![a pl", "see a pl"),
        ("see ![a plot](https://e.x/p", "see a plot"),
        ("[![build](https://e.x/b.svg", "build"),
        ("Hello!", "Hello!"),
    ],
    "single tilde": [
        ("20~25", "20~25"),
        ("about ~20", "about ~20"),
        ("5~", "5"),
        ("20~25 and ~~ol", "20~25 and <s>ol</s>"),
    ],
    "tags and entities": [
        ("a <", "a"),
        ("a <det", "a"),
        ("a <details> b", "a &lt;details&gt; b"),
        ("x < y", "x &lt; y"),
        ("R&D, AT&am", "R&amp;D, AT"),
        ("a &amp; b", "a &amp; b"),
        ("C:\\", "C:"),
    ],
    "CJK": [
        ("これは**「雨", "これは<strong>「雨</strong>"),
        ("これは**「雨」*", "これは<strong>「雨」</strong>"),
        ("**「雨」**でした", "<strong>「雨」</strong>でした"),
        ("说*“最", "说<em>“最</em>"),
    ],
}  # fmt: skip

BLOCKS = {
    "comparison operators": [
        ("- >", ""),
        ("- > 25 K", "<ul>\n<li>\n<blockquote>\n<p>25 K</p>\n</blockquote>\n</li>\n</ul>\n"),
        ("a > 25", "<p>a &gt; 25</p>\n"),
    ],
    "setext headings": [
        ("a line\n-", "<p>a line</p>\n"),
        ("a line\n- ", "<p>a line</p>\n"),
        ("a line\n=", "<p>a line</p>\n"),
        ("a line\n- it", "<p>a line</p>\n<ul>\n<li>it</li>\n</ul>\n"),
        ("a line\n---\n", "<h2>a line</h2>\n"),
    ],
    "headings": [
        ("#", ""),
        ("## ", ""),
        ("## **He", "<h2><strong>He</strong></h2>\n"),
        ("# a\n", "<h1>a</h1>\n"),
    ],
    "list markers": [
        ("1", ""),
        ("1. ", ""),
        ("- a\n- ", "<ul>\n<li>a</li>\n</ul>\n"),
        ("- a\n  -", "<ul>\n<li>a</li>\n</ul>\n"),
        ("- **a", "<ul>\n<li><strong>a</strong></li>\n</ul>\n"),
        ("- [", ""),
        ("- [x", ""),
        ("- [ ] ", ""),
        ("> ", ""),
        ("> - *", ""),
    ],
    "tables": [
        ("|", ""),
        ("| a | b |", ""),
        ("| a | b |\n", ""),
        ("| a | b |\n| -", ""),
        ("text\n| a |\n|-", "<p>text</p>\n"),
        ("| a | is no table\nb", "<p>| a | is no table\nb</p>\n"),
    ],
    "fences": [
        ("`", ""),
        ("```", ""),
        ("```pyth", ""),
        ("text\n~~~", "<p>text</p>\n"),
        ("- a\n\n  ```py", "<ul>\n<li>a</li>\n</ul>\n"),
        ("1. ```", ""),
    ],
    "definitions": [
        ("[r]: http", ""),
        ("[r]: http://x", ""),
        ("a [r]\n\n[r]: http://x", "<p>a [r]</p>\n"),
    ],
}  # fmt: skip


def table(body):
    """A table of two columns with that body."""
    head = "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n"
    return f"{head}<tbody>\n{body}</tbody>\n</table>\n"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param(text, f"<p>{inside}</p>\n", id=f"{kind}: {text}")
        for kind, cases in HEALED.items()
        for text, inside in cases
    ],
)
def test_what_is_half_written_in_a_line_is_shown_as_it_will_be(text, html):
    """Markers are closed, or held back while they may be anything."""
    assert to_html(text, live=True).replace(" </p>", "</p>") == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param(text, html, id=f"{kind}: {text}")
        for kind, cases in BLOCKS.items()
        for text, html in cases
    ],
)
def test_a_line_that_cannot_be_told_yet_is_held_back(text, html):
    """No list marker makes a heading, no table begins as text."""
    assert to_html(text, live=True) == html


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("|", ""),
        ("| **c", "<td><strong>c</strong></td>\n<td></td>\n"),
        ("| **c |", "<td>**c</td>\n<td></td>\n"),
        ("| c | `d", "<td>c</td>\n<td><code>d</code></td>\n"),
        ("| c | **d |", "<td>c</td>\n<td>**d</td>\n"),
        ("| c<br", "<td>c</td>\n<td></td>\n"),
    ],
)
def test_only_the_last_cell_of_a_row_is_open(row, cells):
    """What stands before a bar is complete."""
    body = f"<tr>\n{cells}</tr>\n" if cells else ""
    html = table(body) if body else table("").replace("<tbody>\n</tbody>\n", "")
    assert to_html(f"|a|b|\n|-|-|\n{row}", live=True) == html


@pytest.mark.parametrize("text", ["**a\n\n", "**a\n\nb", "# **a\n", "> **a\n\n", "`a\n***\n"])
def test_what_is_complete_is_not_healed(text):
    """A paragraph that has ended shows the markers that nothing closed."""
    assert to_html(text, live=True) == to_html(text)


@given(texts)
def test_a_complete_text_is_the_full_render(text):
    """Whatever its frames have shown."""
    incremental = Incremental()
    for character in text:
        incremental.feed(character)
        incremental.frame()
    incremental.finish()
    again = Incremental()
    again.feed(text)
    again.finish()
    assert incremental.blocks == again.blocks


@pytest.mark.parametrize("size", [1, 4, 12])
def test_frames_show_what_the_end_shows(size):
    """Of fifty answers: no phantom heading, and raw markers in one frame of a hundred at most."""
    found = [streamed(text, size) for text in ANSWERS.values()]
    assert len(found) == 50
    assert not [frame for each in found for frame in each.phantoms]
    raw = [frame for each in found for frame in each.raw]
    assert len(raw) <= 0.01 * sum(each.frames for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "- **a *b `c ~~d [e](http://x",
        "> - ```py\n>   def f(",
        "1. > ```md\n   > ```py\n   > x",
        "[" * 200 + "a",
        "see [the docs](https://e.x/" + "a" * 5_000,
        "| a " * 300 + "|\n" + "|-" * 300 + "|\n" + "| **b " * 299,
        "| a | b |\n|---|",
        "**\U0001f469\u200d\U0001f4bb",
        "text\n-",
        "&#",
        "\\",
        "***",
    ],
)
def test_what_is_never_closed_is_shown_as_written_at_the_end(text):
    """Every frame on the way is safe, half an emoji at the edge of a delta among them."""
    units = text.encode("utf-16-le")
    size = 2 if len(text) < 400 else 200
    incremental = Incremental()
    for begin in range(0, len(units), size):
        incremental.feed(units[begin : begin + size].decode("utf-16-le", "surrogatepass"))
        incremental.frame()
        assert_safe("".join(incremental.blocks))
    incremental.finish()
    assert saved("".join(incremental.blocks)) == to_html(text)


def test_little_is_held_back():
    """Where prose grows by four characters, the frames are at most twelve characters behind."""
    text = re.sub(r"[^a-z ]", "", ANSWERS["a long paragraph"])
    incremental = Incremental()
    for end in range(4, len(text), 4):
        incremental.feed(text[end - 4 : end])
        incremental.frame()
        behind = visible(to_html(text[:end])).removeprefix(visible("".join(incremental.blocks)))
        assert len(behind) <= 12


@pytest.mark.parametrize(
    "unit",
    ["**", "*a ", "`a", "[", "[a](", "![", "<", "&", "\\", "~~a", "|a", "- ", "> ", "`", "_a ",
     "[a](http://x ", "***a ~~b ", "1. "],
)  # fmt: skip
def test_healing_takes_work_that_grows_with_the_text_alone(unit):
    """Of thousands of repetitions of what is never closed."""
    once, twice = (calls(lambda n=n: to_html(unit * n, live=True)) for n in (1_000, 2_000))
    assert twice <= 2.1 * once
