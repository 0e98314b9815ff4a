"""A reply as Markdown and as plain text."""

from __future__ import annotations

import re
from unittest.mock import patch

import mistune
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from claude_nb.characters import clean
from claude_nb.redaction import remember
from claude_nb.render.markdown.host_math import taken_out
from claude_nb.render.markdown.markdown import INLINE_LIMIT, with_dollars
from claude_nb.render.text import (
    _change_blocks,
    _escape,
    _is_dangerous,
    _is_harmless,
    closed,
    harmless,
    markdown,
    plain,
    usage,
)
from claude_nb.streaming.events import Stopped, ToolRan
from tests.played import block, citation, cited, end, said, start, text, thinking, tool_use
from tests.render.samples import texts
from tests.streaming.test_progress import ACCEPTED, SENT, progress

SECRET = "my-gateway-secret"
USAGE = """\
claude-opus-5-5
stop reason     cost  total  output  input  first text
end turn     $0.0004   11 s      15     25       8.0 s"""


def reply(*pieces: str):
    """A complete reply, a text block for each piece."""
    blocks = [event for i, piece in enumerate(pieces) for event in text(piece, index=i)]
    return progress(SENT, ACCEPTED, start(), *blocks, *end())


def test_plain_text():
    """Words and usage; thinking is left out."""
    made = progress(
        SENT, ACCEPTED, start(), *thinking("Hm"), *text("Hello", index=1), *end("end_turn")
    )

    assert plain(made) == f"Hello\n\n{USAGE}"


def test_what_a_server_says_in_the_usage_is_redacted():
    """The model, and a stop reason that is none of the API's."""
    remember(SECRET)
    made = progress(SENT, ACCEPTED, start(model=f"m-{SECRET}"), *text("Hello"), *end(SECRET))

    for shown in (usage(made), plain(made), markdown(made)):
        assert SECRET not in shown


def test_a_stopped_reply_says_so():
    """In all forms: it must not look complete."""
    made = progress(SENT, ACCEPTED, start(), *text("Hel"), Stopped())

    assert "[Stopped] The text so far is kept." in plain(made)
    assert "Stopped" in markdown(made)
    assert re.search("stopped +unknown +.* s +unknown +25 ", usage(made))


def test_a_request_that_was_not_taken_has_no_usage():
    """Nothing is counted where nothing was used."""
    assert usage(progress(SENT)) == ""


def test_tool_calls_are_named():
    """With their input as it came; in Markdown in a fence that nothing in it can end."""
    sent = '{"a": "````\\n<img src=x>"}'
    made = progress(SENT, ACCEPTED, start(), *tool_use(sent), *end("tool_use"))

    assert plain(made).startswith(f"[look_up] {sent}\n\n")
    assert markdown(made).startswith(f"**look_up**\n\n`````json\n{sent}\n`````\n\n")


@pytest.mark.parametrize(
    ("sent", "result", "note", "expected"),
    [
        ('{"a": 1}', "3", "3", '[look_up] {"a": 1}\n→ 3 · 0.3 s\n\n'),
        ("", "| a |\n| --- |\n", "1 row", "[look_up]\n→ 1 row · 0.3 s\n| a |\n| --- |\n\n"),
        (
            "",
            "x" * 1_200,
            "text",
            f"[look_up]\n→ text · 0.3 s\n{'x' * 1000}\n[200 more characters]\n\n",
        ),
    ],
    ids=["short", "without arguments", "long"],
)
def test_a_call_in_plain_text(sent, result, note, expected):
    """Its input in one line and its outcome in the next; the result once, a long one cut."""
    ran = ToolRan("toolu_1", ({"type": "text", "text": result},), note=note, seconds=0.3)
    call = tool_use(sent) if sent else tool_use()
    made = progress(SENT, ACCEPTED, start(), *call, *end("tool_use"), ran)

    assert plain(made).startswith(expected)


def test_results_and_sources_in_plain_text():
    """They are the Markdown form without its markup: code as it is, links with their addresses."""
    found = {"type": "web_search_result", "title": "1. <b> & [c]", "url": "https://e.org/?a=1&b=2"}
    output = "**a** &amp; [b](<c>)\n\n````\n```"
    ran = {"type": "code_execution_result", "stdout": output, "stderr": "", "return_code": 0}
    source = citation("Sky", url="ftp://e.org/*x*", cited_text="very_blue")
    made = progress(
        *(SENT, ACCEPTED, start()),
        *block(0, type="web_search_tool_result", content=[found]),
        *block(1, type="code_execution_tool_result", content={**ran, "content": []}),
        *cited("It is **blue**", sources=[source], index=2),
        *end(),
    )

    assert plain(made).startswith(
        "[web search → 1 result]\n1. 1. <b> & [c] · https://e.org/?a=1&b=2\n\n"
        f"[ran code → exit 0]\n{output}\n\n"
        "It is **blue**[1]\n\n"
        "[Sources]\n1. Sky · ftp://e.org/*x*\n   “very_blue”\n\n"
    )


def test_plain_text_hides_nothing():
    """What an entity in a model's advice stands for is shown, and no key can be put together."""
    advice = "&#8238;a\u202e sk-&#97;nt-0123"
    content = {"type": "advisor_result", "text": advice}
    made = progress(SENT, ACCEPTED, start(), *block(0, type="advisor_tool_result", content=content))

    assert plain(made).startswith("[advisor → advice]\n‹U+202E›a‹U+202E› sk-ant-…")


@pytest.mark.parametrize(
    "source",
    [
        "```python\nx = 1\n```",
        "```python\nx = 1\n```\n\n",
        "~~~~\nx\n~~~~~~",
        "```\n```",
        "| a |\n|---|\n| b<br>c<br/>d |",
        "A `code` span and **bold**\n\n- a\n- b",
        "$5 & [a link](https://example.org) and <https://example.org>",
    ],
)
def test_markdown_is_as_the_model_wrote_it(source):
    """What is harmless and complete is not touched."""
    assert markdown(reply(source)).startswith(f"{source}\n\n*claude-opus-5-5")


@pytest.mark.parametrize("source", ["```python\nx = 1", "```python\nx = 1\n", "~~~~\n```", "```"])
def test_a_fence_that_was_cut_off_is_closed(source):
    """What follows it is no code."""
    assert "<em>what follows</em>" in MarkdownIt().render(closed(source) + "\n\n*what follows*")


@settings(deadline=None, max_examples=300)
@given(texts)
@example("[a](javascript:x)")
@example("[a][b]\n\n[b]: x")
@example("[a](HTTPS://x)")
@example("[[a](x)](http://y)")
@example("a\n[b]")
@example("x" * (INLINE_LIMIT + 1))
def test_what_is_not_suspicious_needs_no_parsing(source):
    """Parsed or not, the same is escaped."""
    source = with_dollars(clean(source, prose=True))
    assert harmless(source) == _change_blocks(source, _is_dangerous, _escape)


MATH = [
    "$",
    "$$",
    "`",
    '"',
    "[a](",
    "https://e.x/",
    ")",
    " ",
    "\n",
    "\n\n",
    "```",
    "x",
    "](",
    "<b",
    "1. ",
]


@settings(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(MATH), max_size=14).map("".join))
@example('[a](https://e.x/$"x"$)')
@example('[a](https://e.x/ "$"x"$")')
@example('1. ```$"x"$\n   y')
def test_what_a_formula_cannot_fill_needs_no_parsing(source):
    """Parsed or not, it is the same that JupyterLab would make something dangerous of."""
    parsed = taken_out(_change_blocks(source, _is_dangerous, _escape))
    with patch("claude_nb.render.text._SUSPICIOUS", re.compile("")):
        expected = _is_harmless(parsed)
    assert _is_harmless(parsed) == expected


HOSTILE = [
    "<script>run()</script>",
    "hello <img src=x onerror=run()>",
    "<details>\n\n<img src=x onerror=run()>\n",
    "- a\n\n  <svg onload=run()>",
    "| a |\n|---|\n| <img src=x onerror=run()> |",
    "> <a href=javascript:run()>x</a>",
    "[x](javascript:run())",
    "[x](JaVaScRiPt:run())",
    "[x](&#106;avascript:run())",
    "[x](vbscript:run())",
    "[x](data:text/html,run)",
    "[x][y]\n\n[y]: javascript:run()",
    "<javascript:run()>",
    "![](http://example.org/x.png)",
    "![x][y]\n\n[y]: http://example.org/x.png",
    "<b>\\[x](javascript:run())",
    "<b>\\\\[x](javascript:run())",
    "`<b>` <b>[x](javascript:run())</b>",
    "<!-- \n\n<img src=x onerror=run()>",
]


def careless(source):
    """What renderers make of Markdown that let everything through: two of them, in one text."""
    first = MarkdownIt("commonmark", {"html": True}).enable("table")
    first.validateLink = lambda _: True
    second = mistune.create_markdown(
        escape=False, renderer=mistune.HTMLRenderer(escape=False, allow_harmful_protocols=True)
    )
    return (first.render(source) + second(source)).lower()


@pytest.mark.parametrize("source", HOSTILE)
def test_nothing_runs_where_markdown_is_rendered_unsanitised(source):
    """Nothing runs, nothing is fetched, by whichever renderer."""
    page = careless(markdown(reply(source)))

    for bad in ("<script", "<img", "<svg", "<a href=java", 'href="java', 'href="vb', 'href="data'):
        assert bad not in page


def test_a_link_may_be_defined_in_another_block():
    """So the whole text is looked at, not each block alone."""
    page = careless(markdown(reply("See [this].", "[this]: javascript:run()")))

    assert 'href="javascript' not in page


def test_an_unclosed_fence_does_not_hide_the_next_block():
    """Each block ends its own fences."""
    page = careless(markdown(reply("```\ncode", "<img src=x onerror=run()>")))

    assert "<img" not in page


def test_no_control_character_and_no_key_is_left():
    """Escape sequences of terminals become visible, keys are taken out."""
    key = "sk-" + "ant-0123"
    made = reply(f"\x1b]0;title\x07 \ud83d {key}")

    for form in (plain(made), markdown(made)):
        assert form.startswith("␛]0;title␇ \ufffd sk-ant-…")


def test_a_reply_without_text_says_so():
    """An empty output would look like a failure to show it."""
    made = progress(SENT, ACCEPTED, start(), *end())

    assert plain(made).startswith("[The reply contains no text]")


def test_said_is_shown():
    """Right-to-left text, CJK and joined emoji stay as they are."""
    words = "مرحبا 你好 👩‍👩‍👧"

    assert plain(progress(SENT, ACCEPTED, *said(words))).startswith(words)
