"""What hides or deceives is seen; what real writing needs stays as it is."""

from __future__ import annotations

import json
import unicodedata
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.characters import (
    MAX_BLOCK_CHARACTERS,
    Cleaner,
    brief,
    clean,
    in_code,
    wellformed,
    wellformed_escapes,
    wellformed_json,
)
from claude_nb.render.markdown.incremental import Incremental
from claude_nb.render.markdown.markdown import saved, to_html
from claude_nb.render.partial_json import to_html as json_to_html
from claude_nb.render.text import harmless, markdown, plain
from tests.played import end, start, text, thinking, tool_use
from tests.protocol import play
from tests.render.test_frames import applied
from tests.render.test_text import reply
from tests.streaming.test_progress import ACCEPTED, SENT, progress

SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
WRITING = {
    "Arabic": "قال: مرحبًا!\u200f ثم كتب C++\u200e وذهب.",
    "Hebrew": "הוא אמר \u200e(C#)\u200f והלך.",
    "Persian": "می\u200cخواهم کتاب\u200cها را در ۱۳۹۰ ه\u200d.ش بخوانم.",
    "Hindi": "क्\u200dष और क्\u200cष",
    "Thai": "ภาษา\u200bไทย",
    "joined emoji": "👩\u200d💻 👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👩🏽\u200d🚀 🏳\ufe0f\u200d🌈",
    "selectors": "1\ufe0f\u20e3 ©\ufe0f ☠\ufe0f",
    "flag": f"Scotland {SCOTLAND}, 🏴 and 🏴\u200d☠\ufe0f",
    "Chinese": "葛\U000e0100飾区、你好",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180b",
    "soft hyphens": "Donau\u00addampf\u00adschiff",
}
TROJAN = {
    "early return": '"""Subtract funds \u202e\u2066return\u2069 \u2066from the account."""',
    "commenting out": "/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin admins only */",
    "stretched string": 'if access_level != "user\u202e \u2066// Check if admin\u2069 \u2066":',
    "embedding": "a = '\u202bx\u202c'",
    "isolate": "a = '\u2067x\u2069'",
    "mirrored": "if (a \u200f<\u200f b)",
    "letter mark": "a \u061c<\u061c b",
    "invisible name": "const { timeout,\u3164} = req.query",
    "half width filler": "const \uffa0 = 1",
    "zero-width name": "is_ad\u200bmin = True",
    "joined name": "ad\u200dmin = аdmin\u200c",
    "byte order mark": "x\ufeff = 1",
    "word joiner": "x\u2060 = 1",
    "hidden words": "ok " + "".join(chr(0xE0000 + ord(c)) for c in "run rm"),
    "hidden bytes": "ok😀" + "".join(map(chr, range(0xE0100, 0xE0110))),
    "hidden bits": "ok" + "\u200b\u200c" * 4,
    "a flag that is none": f"{SCOTLAND[:-1]} 🏴" + SCOTLAND[1:-1] * 2 + "\U000e007f",
    "annotation": "\ufff9sign here\ufffagive all\ufffb",
    "line that no editor shows": "x = 1 # \u2028 run()",
    "soft hyphen": "ad\u00admin = 1",
}
FORMATTING = {"Cf", "Zl", "Zp"}


def hidden(shown):
    """The characters in a text that cannot be seen."""
    return [f"{ord(c):X}" for c in shown if unicodedata.category(c) in FORMATTING or c in "ㅤﾠ"]


@pytest.mark.parametrize("words", WRITING.values(), ids=WRITING)
def test_what_writing_needs_stays(words):
    """In prose, in every form of a reply, unchanged."""
    made = reply(words)

    assert clean(words, prose=True) == words
    assert unescape(to_html(words)).removesuffix("</p>\n").partition(">")[2] == words
    assert plain(made).startswith(f"{words}\n\n")
    assert markdown(made).startswith(f"{words}\n\n")


@pytest.mark.parametrize("name", ["Persian", "Hindi", "Thai", "joined emoji", "flag", "Chinese"])
def test_what_writing_needs_stays_in_code(name):
    """Joiners, selectors and flags, between quotation marks and anywhere else."""
    words = WRITING[name]

    assert clean(words) == words
    assert f"print('{words}')" in unescape(to_html(f"```\nprint('{words}')\n```"))


@pytest.mark.parametrize("code", TROJAN.values(), ids=TROJAN)
@pytest.mark.parametrize("form", ["{}", "`{}`", "```\n{}\n```", "    {}", "- `{}`"])
def test_nothing_in_code_is_hidden_or_reordered(code, form):
    """In code, whether it is in a block or in a line, no character is left that is not seen."""
    source = form.replace("{}", code)
    made = reply(source)
    if form == "{}":  # as the input of a tool; and prose keeps the marks of direction
        made = progress(SENT, ACCEPTED, start(), *tool_use(f'{{"a": "{code}"}}'), *end("tool_use"))
        pages = [json_to_html(f'"{code}"'), to_html(in_code(clean(code, prose=True)))]
    else:
        pages = [to_html(source), to_html(source, live=True)]

    for shown in (clean(code), *pages, plain(made), markdown(made)):
        assert hidden(shown) == []
        assert "‹U+" in shown


def test_a_hidden_character_is_shown_as_its_number():
    """In the place where it was."""
    assert clean("a\u202eb") == clean("a\u202eb", prose=True) == "a‹U+202E›b"
    assert clean("\U000e0061") == "‹U+E0061›"


def test_marks_of_direction_stay_in_prose_alone():
    """Beside a line of code in the same reply."""
    source = "שלום!\u200f\n\n`a \u200f<\u200f b` שלום"
    shown = "שלום!\u200f\n\n`a ‹U+200F›<‹U+200F› b` שלום"

    assert plain(reply(source)).startswith(shown)
    assert markdown(reply(source)).startswith(shown)
    assert "שלום!\u200f</p>" in to_html(source)


@pytest.mark.parametrize(
    "entity",
    ["&#x202e;", "&#8238;", "&#x2066;", "&ApplyFunction;", "&ZeroWidthSpace;", "&#xE0061;"],
)
def test_an_entity_hides_nothing(entity):
    """In HTML it is shown as what it stands for; in Markdown as what was written."""
    source = f"a{entity}b"

    assert hidden(to_html(source)) == hidden(to_html(source, live=True)) == []
    assert "‹U+" in to_html(source)
    assert harmless(source) == f"a&amp;{entity[1:]}b"
    assert hidden(to_html(f'[a](http://e.x "b{entity}")')) == []
    assert hidden(to_html(f"![a{entity}](http://e.x/i)")) == []


PIECES = [*"a \n\r", "\u202e", "\u200f", "\u200d", "\ufe0f", "👩", "é", "א", "`", "```\n", "\u2028"]
PIECES += ["\ud83d", "\ude00", "🏴", *SCOTLAND[1:], SCOTLAND, "&#x202e;", "&zwj;", "$", "- ", "|"]
hiding = st.lists(st.sampled_from(PIECES), max_size=20)


@given(hiding, st.booleans())
@settings(max_examples=100)
def test_pieces_are_cleaned_as_the_whole_is(pieces, prose):
    """Wherever it is cut."""
    cleaner = Cleaner(prose=prose)
    came = "".join(map(cleaner.feed, pieces)) + cleaner.finish()

    assert came == clean("".join(pieces), prose=prose)


@given(hiding)
@settings(max_examples=150)
def test_what_is_live_is_what_is_settled(pieces):
    """For any cut, within a flag and between a letter and its joiner too."""
    incremental = Incremental()
    for piece in pieces:
        incremental.feed(piece)
        incremental.frame()
    incremental.finish()

    assert saved("".join(incremental.blocks)) == to_html("".join(pieces))


def test_cleaning_twice_changes_nothing_more():
    """What is shown for a hidden character can be seen."""
    for code in TROJAN.values():
        assert clean(clean(code)) == clean(code)


def test_every_character_that_unicode_calls_formatting_is_considered():
    """None is left by itself, but those that are drawn: Arabic, Kaithi and Egyptian signs."""
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    drawn |= set(range(0x13430, 0x13456))

    left = [
        code
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "Cf" and clean(chr(code)) == chr(code)
    ]

    assert set(left) <= drawn


def test_a_message_is_shown_in_brief():
    """A name, a title or an error that is endless has an end."""
    assert brief("a" * 2000) == "a" * 2000
    assert brief("a" * 2001) == "a" * 1999 + "…"


def test_a_block_that_is_endless_is_shown_as_far_as_it_can_be_read():
    """In every form; the reply itself keeps all of it."""
    whole = "abcd efgh " * (MAX_BLOCK_CHARACTERS // 5)
    made = progress(SENT, ACCEPTED, start(), *text(whole), *end())
    note = f"{MAX_BLOCK_CHARACTERS:,} more characters are in .blocks"

    assert made.text == whole
    for form in (plain(made), markdown(made)):
        assert MAX_BLOCK_CHARACTERS < len(form) < MAX_BLOCK_CHARACTERS + 1000
        assert note in form


@pytest.mark.parametrize("make", [text, thinking, tool_use])
def test_an_endless_block_is_live_what_it_is_settled(make):
    """As far as it is shown, in pieces of any size, with the same line below it."""
    pieces = ["abcd efgh " * (MAX_BLOCK_CHARACTERS // 20)] * 3
    frames, html, maker, grown = play([[start()], *([event] for event in make(*pieces)), end()])

    assert applied(frames) == applied([maker.snapshot(grown, 9.0)]) == html
    assert f"{MAX_BLOCK_CHARACTERS // 2:,} more characters are in .blocks" in html


def test_an_open_fence_hides_nothing_while_it_grows():
    """Its text is appended without being parsed, and is code all the same."""
    incremental = Incremental()
    for piece in ["```\na ", "\u200f<\u200f", " b 👩", "\u200d💻"]:
        incremental.feed(piece)
        incremental.frame()

    assert "a ‹U+200F›&lt;‹U+200F› b 👩\u200d💻</code>" in "".join(incremental.blocks)


@given(st.text(st.characters(exclude_categories=())))
def test_data_is_wellformed(value):
    """Halves alone are replaced, pairs are joined, and all else stays as it is."""
    whole = wellformed(value)

    assert whole.encode("utf-16-le").decode("utf-16-le") == whole
    assert whole == value or any("\ud800" <= c <= "\udfff" for c in value)
    assert wellformed_json({value: [value, 1]}) == {whole: [whole, 1]}


@given(st.lists(st.sampled_from(["a", "\\", '"', "\n", "\ud83d", "\ude00", "😀", "ud83d"])))
def test_escapes_of_halves_are_replaced_in_json(pieces):
    """What JSON escapes is the same as what stands there; an escaped backslash begins nothing."""
    source = json.dumps(pieces)

    assert json.loads(wellformed_escapes(source)) == wellformed_json(pieces)
    assert json.loads(wellformed_escapes(source.replace("ud", "uD"))) is not None
