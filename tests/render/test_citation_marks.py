"""Marks in Markdown: they stand where they were put, and change nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.characters import clean
from claude_nb.render.markdown.citation_marks import mark, unmarked
from claude_nb.render.markdown.incremental import Incremental
from claude_nb.render.markdown.markdown import (
    INLINE_LIMIT,
    rendered,
    saved,
    to_blocks,
    to_html,
    with_marks,
)
from tests.render.samples import texts
from tests.render.test_incremental import apply

MARK = "<sup>1</sup>"


def html(text: str, *, live: bool = False) -> str:
    """A text in which ``•`` stands for a mark, as HTML in which it does so too."""
    shown = "".join(rendered(text.replace("•", mark(MARK)), live=live)).replace(MARK, "•")
    return shown if live else saved(shown)


@st.composite
def marked_texts(draw):
    """A clean text, and the same with numbered marks anywhere in it."""
    text = clean(draw(texts), prose=True)
    places = sorted(draw(st.lists(st.integers(0, len(text)), min_size=1, max_size=4)))
    parts, begin = [], 0
    for number, place in enumerate(places, 1):
        parts += [text[begin:place], mark(f"<sup>{number}</sup>")]
        begin = place
    return text, "".join([*parts, text[begin:]])


@settings(max_examples=200)
@given(marked_texts(), st.booleans())
def test_marks_change_nothing_of_what_they_stand_in(drawn, live):
    """Without its marks the HTML is that of the text without marks; each mark is there once."""
    text, marked = drawn
    shown = "".join(rendered(marked, live=live))

    assert re.sub(r"<sup>\d</sup>", "", shown) == "".join(to_blocks(text, live=live))
    numbers = re.findall(r"<sup>(\d)</sup>", shown)
    assert numbers == sorted(set(numbers))


@settings(max_examples=200)
@given(marked_texts())
def test_marks_are_written_where_they_are_shown(drawn):
    """In Markdown as in HTML the same ones are left out, and the text between them is the same."""
    text, marked = drawn
    written = with_marks(marked)

    assert re.sub(r"<sup>\d</sup>", "", written) == text
    assert re.findall(r"<sup>(\d)</sup>", written) == re.findall(
        r"<sup>(\d)</sup>", "".join(rendered(marked))
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The sky is blue•. And", "<p>The sky is blue•. And</p>\n"),
        ("**X, the sky•** is", "<p><strong>X, the sky•</strong> is</p>\n"),
        ("**the sky.**• is", "<p><strong>the sky.</strong>• is</p>\n"),
        ("a_b•_c", "<p>a_b•_c</p>\n"),
        ("one•• two", "<p>one•• two</p>\n"),
        ("one\n\n•two", "<p>one•</p>\n<p>two</p>\n"),
        ("one  \n•two", "<p>one•<br>\ntwo</p>\n"),
        ("- a\n- b\n•\nc", "<ul>\n<li>a</li>\n<li>b•</li>\n</ul>\n<p>c</p>\n"),
        ("> a\n> b•\n", "<blockquote>\n<p>a\nb•</p>\n</blockquote>\n"),
        ("# A• #\n", "<h1>A•</h1>\n"),
        ("A•\n===", "<h1>A•</h1>\n"),
        ("`co•de` x", "<p><code>code</code>• x</p>\n"),
        ("a &am•p; b", "<p>a &amp;• b</p>\n"),
        (r"a \•* b", "<p>a *• b</p>\n"),
        ("$x•^2$ y", "<p>\\(x^2\\)• y</p>\n"),
        ("•one", "<p>one</p>\n"),
        ("[1]•\n\n[1]: ftp://x", "<p>[1]•</p>\n<p>[1]: ftp://x</p>\n"),
    ],
)
def test_where_a_mark_comes_to_stand(text, shown):
    """Behind what it would tear apart, and before white space; never at the beginning."""
    span = re.compile('<span class="mathjax[^>]*>|</span>')

    assert span.sub("", html(text)) == shown


@pytest.mark.parametrize("text", ["[li•nk](http://x) y", "[link](http•://x) y", "<http://x•> y"])
def test_a_mark_in_a_link_stands_behind_it(text):
    """It may be a link itself, and links do not hold links."""
    assert "</a>• y" in html(text)


@pytest.mark.parametrize(
    "text",
    [
        "```\na•b\n```\n",
        "```•\nab\n",
        "    a•b\n",
        "***•\n",
        "a\n\n[r]: http://x•\n",
        "~~~\na\n•~~~\n",
    ],
)
def test_where_there_is_no_place_for_a_mark(text):
    """In code, rules and definitions none is put, and nothing is torn apart."""
    assert html(text) == html(text.replace("•", ""))


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| c• | d |", ["c•", "d"]),
        ("| c |• d |", ["c•", "d"]),
        ("| c | d• |", ["c", "d•"]),
        ("| c | d |•", ["c", "d•"]),
        ("| c | d | e• |", ["c", "d•"]),
        (r"| a\|b•c | d |", ["a|b•c", "d"]),
        (r"| a\|bc | d• |", ["a|bc", "d•"]),
        ("| c• |", ["c•", ""]),
        ("> | c | d• |", ["c", "d•"]),
    ],
)
def test_marks_in_a_table(row, cells):
    """Each stands in its cell; one behind a bar belongs to the cell before it."""
    quote = row[:2] if row.startswith(">") else ""
    shown = html(f"{quote}| a | b |\n{quote}|---|---|\n{row}\n")

    assert re.findall("<td>(.*)</td>", shown) == cells


def test_a_mark_behind_a_bar_that_is_text_leaves_it_text():
    """Also in Markdown, where it has a backslash before it."""
    table = "| a | b |\n|---|---|\n| \\|•c | d |\n"

    assert with_marks(table.replace("•", mark(MARK))) == table.replace("•", MARK)


def test_a_mark_behind_a_heads_last_bar_leaves_the_table_one():
    """The head's row has as many cells as before."""
    assert re.findall("<th>(.*)</th>", html("| a | b |•\n|---|---|\n| c | d |\n")) == ["a", "b•"]


def test_marks_in_a_text_that_is_too_long_to_be_parsed():
    """It is shown as it is, and so are they."""
    words = "word " * (INLINE_LIMIT // 5)

    assert html(f"{words}*one*• two") == f"<p>{words}*one*• two</p>\n"


def test_nobody_else_can_write_a_mark():
    """The characters that make one are not in a clean text."""
    assert "<b>" not in to_html(f"a{mark('<b>')}c")
    assert unmarked(f"a{mark('<b>')}c") == "ac"


def renders(marked):
    """What a frame may show: all, or all but the last line, which may end a fence."""
    yield "".join(rendered(marked, live=True))
    yield "".join(rendered(marked[: marked.rfind("\n") + 1], live=True))


@settings(max_examples=150)
@given(texts, st.randoms(use_true_random=False), st.sampled_from([1, 3, 12]))
def test_every_frame_is_the_render_of_the_text_so_far_with_its_marks(text, rng, longest):
    """For any cut into deltas, any marks between them and any frames."""
    text = clean(text, prose=True)
    incremental, blocks, position, marked = Incremental(), [], 0, ""
    while position < len(text):
        size = rng.randint(1, longest)
        incremental.feed(text[position : position + size])
        marked += text[position : position + size]
        position += size
        if rng.random() < 0.3:
            incremental.mark(MARK)
            marked += mark(MARK)
        if rng.random() < 0.7:
            apply(blocks, incremental.frame())
            assert blocks == incremental.blocks
            if "]:" not in text:  # a definition with marks in it is only judged at the end
                assert "".join(blocks) in renders(marked)
    apply(blocks, incremental.finish())
    assert "".join(blocks) == "".join(rendered(marked))


def test_a_mark_behind_a_block_stays_when_a_late_definition_changes_the_block():
    """Also where it came in the white space behind it."""
    incremental = Incremental()
    incremental.feed("see [r]\n")
    incremental.mark(MARK)
    incremental.feed("\nlast\n\n")
    incremental.frame()
    incremental.feed("[r]: http://x\n\n")
    incremental.finish()

    assert incremental.blocks[0].endswith(f">r</a>{MARK}</p>\n")


def test_what_is_sent_and_parsed_again_does_not_grow_with_the_marks():
    """Text in blocks that are each cited costs as much in its thousandth as in its first."""
    incremental, sent, longest = Incremental(), 0, 0
    for number in range(400):
        incremental.feed(f"a sentence of words {number}")
        incremental.mark(MARK)
        incremental.feed(".\n\n" if number % 3 == 0 else ". ")
        sent += sum(len(patch.html) for patch in incremental.frame())
        longest = max(longest, len(incremental._tail))
    assert sent < 8 * len("".join(incremental.blocks))
    assert longest < 300
