"""Credentials in texts: known values in each form that they take, and what looks like one."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import claude_nb
from claude_nb.conversation import export, outline
from claude_nb.errors import ClaudeError
from claude_nb.recording.recording import Recording
from claude_nb.redaction import (
    DUMMY_KEY,
    REDACTED,
    Redactor,
    redact,
    redact_error,
    redact_exception,
    redacted,
    remember,
)
from claude_nb.simulator import Stream
from claude_nb.streaming.steps import Steps
from claude_nb.tools.permission import PermissionRequest
from claude_nb.views.confirmation import by_input
from tests.played import end, said, start, text, thinking, tool_use
from tests.render.test_frames import applied, play

KEY = "sk-" + "ant-api03-0123456789"
SECRET = 'my-gate"way/secret+&'


@pytest.fixture
def known():
    """A credential that was sent."""
    remember(SECRET)


def test_redact_leaves_the_rest_alone():
    """Only the key goes."""
    assert redact(f"a {KEY}, b") == "a sk-ant-…, b"


BEGINNING = "sk-" + "ant-"
CUT = st.sampled_from(
    [BEGINNING, BEGINNING[:3], BEGINNING[3:], KEY, *BEGINNING, "a", "_-9", " ", ".", "é", "…", "\n"]
)


@given(st.lists(st.lists(CUT, max_size=4).map("".join), max_size=8))
def test_a_key_in_pieces_is_redacted_as_a_whole_one_is(pieces):
    """For any cutting, and after each piece, nothing of a key comes out."""
    redactor, given_back = Redactor(), ""
    for count, piece in enumerate(pieces, 1):
        given_back += redactor.feed(piece)

        assert given_back == redact("".join(pieces[:count]))
        assert not re.search(rf"{BEGINNING}[\w-]", given_back, re.ASCII)


def test_a_key_that_comes_letter_by_letter_is_redacted():
    """As a slow stream brings it."""
    redactor = Redactor()

    assert "".join(map(redactor.feed, f"a {KEY}, {KEY} b")) == "a sk-ant-…, sk-ant-… b"


WRITTEN = {
    "as it is": SECRET,
    "in a URL": quote(SECRET, safe=""),
    "in a path": quote(SECRET),
    "in a URL, small": quote(SECRET, safe="").lower(),
    "in HTML": html.escape(SECRET),
    "in JSON": json.dumps(SECRET)[1:-1],
    "in HTML in JSON": json.dumps(html.escape(SECRET, quote=False))[1:-1],
    "in Python": repr(f"'{SECRET}")[2:-1],
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_known_credential_is_redacted_in_each_form(written, known):
    """As servers and tools quote it."""
    assert REDACTED in redact(f"It is <{written}>.")
    assert written not in redact(f"It is <{written}>.")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "a", "me:"])
def test_a_known_credential_is_redacted_in_base64(known, encode, before):
    """Whatever stands before it, as the user does in ``Basic``; at most two letters are left."""
    encoded = encode(f"{before}{SECRET}:".encode()).decode()

    left = redact(encoded).replace(REDACTED, "")

    assert encoded.startswith(left[: len(before)])
    assert len(left) <= 6


BASE64 = base64.b64encode(SECRET.encode()).decode()
PIECES = st.sampled_from(
    [SECRET, *SECRET, SECRET[:7], SECRET[7:], BASE64, "bX", KEY, "a", " ", ".\n", "é"]
)


@given(st.lists(st.lists(PIECES, max_size=4).map("".join), max_size=8))
def test_a_credential_in_pieces_is_redacted_as_a_whole_one_is(pieces):
    """For any cutting; and what was given back before the end never holds the beginning of one."""
    remember(SECRET)
    redactor, given_back = Redactor(), ""
    for count, piece in enumerate(pieces, 1):
        given_back += redactor.feed(piece)

        whole = redact("".join(pieces[:count]) + "\0").removesuffix("\0")
        assert whole.startswith(given_back)
        assert not given_back.endswith(SECRET[:1])
    assert given_back + redactor.finish() == redact("".join(pieces))


def test_nothing_of_a_credential_is_given_back_before_it_is_whole(known):
    """Letter by letter: neither its first letter nor all of it."""
    redactor = Redactor()

    shown = [redactor.feed(letter) for letter in f"a {SECRET} b"]

    assert "".join(shown[: len(SECRET) + 1]) == "a "
    assert "".join(shown) + redactor.finish() == f"a {REDACTED} b"


def test_what_only_begins_like_a_credential_is_given_back(known):
    """With the next letter that differs, or at the end."""
    redactor = Redactor()

    assert [redactor.feed(piece) for piece in ("I am m", "y own", " m")] == ["I am ", "my own", " "]
    assert redactor.finish() == "m"


def test_the_beginning_of_a_credential_at_the_end_of_a_text_is_redacted(known):
    """The text was cut there, or its stream broke off; a few letters are no such beginning."""
    assert redact(f"It is {SECRET[:-1]}") == f"It is {REDACTED}"
    assert redact(f"It is {SECRET[:6]}") == f"It is {REDACTED}"
    assert redact("It is my") == "It is my"
    assert redact(f"It is {SECRET[:-1]}.") == f"It is {SECRET[:-1]}."


def test_our_dummy_key_is_no_secret():
    """Replies of the simulator name it."""
    remember(DUMMY_KEY)

    assert redact_error(f"It is {DUMMY_KEY}.") == f"It is {DUMMY_KEY}."


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("invalid key: none", f"invalid key: {REDACTED}"),
        ("'none' is not allowed", f"'{REDACTED}' is not allowed"),
        ('{"authorization": "Bearer none"}', f'{{"authorization": "Bearer {REDACTED}"}}'),
        ("none of the keys is known", "none of the keys is known"),
        ("the key nonesuch", "the key nonesuch"),
    ],
)
def test_a_short_credential_is_redacted_in_errors_where_it_is_quoted(quoted, shown):
    """It is a word of other sentences too."""
    remember("none")

    assert redact_error(quoted) == shown
    assert redact(quoted) == quoted
    assert str(ClaudeError(quoted)) == shown


def test_the_password_in_an_address_is_redacted_in_errors():
    """Whether it is known or not."""
    assert redact_error("to http://me:pw@host/v1") == f"to http://{REDACTED}@host/v1"


def test_json_keeps_its_form(known):
    """Names and values alike; pictures are not looked at."""
    picture = {"type": "base64", "media_type": "image/png", "data": SECRET}

    assert redacted({SECRET: [SECRET, 1, None], "a": picture}) == {
        REDACTED: [REDACTED, 1, None],
        "a": picture,
    }


def test_exceptions_are_redacted_with_those_that_led_to_them(known):
    """Their arguments, their attributes and their notes, in circles too."""
    first, second = ValueError(SECRET), KeyError(SECRET.encode())
    first.__cause__, second.__context__ = second, first
    first.body = {"message": SECRET}
    second.add_note(SECRET)

    redact_exception(first)

    assert (str(first), first.body) == (REDACTED, {"message": REDACTED})
    assert (second.args, second.__notes__) == ((REDACTED.encode(),), [REDACTED])


TOKEN = "my-gateway-secret"
CUT = ['{"key": "', "my", "-", "gatew", "ay-secre", "t", '"']
STREAMS = {
    "text": text(*CUT),
    "thinking": thinking(*CUT),
    "tool": tool_use(*CUT, "}"),
    "tool, escaped": tool_use(*(piece.replace("a", "\\u0061") for piece in CUT), "}"),
    "letters": text(*"".join(CUT)),
}


@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_no_frame_shows_a_credential_or_its_beginning(events):
    """In every pane, while it streams and at the end."""
    remember(TOKEN)

    made, shown, frames, reply = play([[start()], *([event] for event in events)])

    assert REDACTED in shown
    for page in (shown, *(applied(made[:count]) for count in range(1, len(made) + 1))):
        assert not re.search("my|gatew|secre", re.sub("<[^>]*>", "", page))
    assert "gatew" not in str([*made, frames.snapshot(reply, 9.0)])


@pytest.mark.parametrize("kind", ["text", "thinking", "tool", "letters"])
def test_no_record_of_a_stream_holds_a_credential(api, tmp_path, kind):
    """The saved output, the recording, and the timeline with its steps."""
    remember(TOKEN)
    api.enqueue(Stream([start(), *STREAMS[kind], *end()]))

    reply = claude_nb.ask("Hello", show=False)
    Recording.of(reply).save(tmp_path / "reply.jsonl")

    steps = Steps()
    one_by_one = [step for event in reply.events for step in steps.take([event])]
    for record in (
        str(reply._repr_mimebundle_()),
        (tmp_path / "reply.jsonl").read_text(),
        str(Steps().take(reply.events)),
        str(one_by_one),
        repr(reply),
    ):
        assert not re.search("gatew|secre", record)


def test_a_recording_keeps_each_letter_that_is_none_of_a_credential(api, tmp_path):
    """Also the last of a block, which might have been the first of one."""
    remember(TOKEN)
    api.enqueue(Stream([start(), *thinking("Hm"), *text("Am", " I", " m", index=1), *end()]))

    reply = claude_nb.ask("Hello", show=False)
    Recording.of(reply).save(tmp_path / "reply.jsonl")
    again = Recording.load(tmp_path / "reply.jsonl").reply

    assert (again.thinking, again.text) == ("Hm", "Am I m")
    assert "Am I m" in str(again._repr_mimebundle_())


def test_a_stream_that_breaks_off_in_a_credential_shows_nothing_of_it(api):
    """Its first letters alone are no text that would be missed."""
    remember(TOKEN)
    api.enqueue(Stream([start(), *text("It is ", "my-gatew")[:-1]], end="drop"))

    with pytest.raises(ClaudeError) as raised:
        claude_nb.ask("Hello", show=False)

    assert "gatew" not in str(raised.value.reply._repr_mimebundle_())


def test_nothing_that_lists_conversations_and_replies_shows_a_credential(api, capsys):
    """The outline, the exports and comparisons; the prompt is sent as it is."""
    remember(TOKEN)
    prompt = f"What is {TOKEN}?"
    api.enqueue(*[Stream(said(f"It is {TOKEN}."))] * 3)

    talk = claude_nb.Conversation("talk")
    talk.ask(prompt, show=False)
    compared = claude_nb.compare(prompt, models=["claude-opus-5-5", "claude-haiku-4-5"])

    exported = [form(talk) for form in export.FORMS.values()]
    shown = [*exported, outline.tree(talk), str(compared._repr_mimebundle_()), repr(compared)]
    assert [text for text in shown if TOKEN in text] == []
    assert TOKEN not in str(capsys.readouterr())
    assert api.requests[0].body["messages"][0]["content"] == prompt


def test_who_is_asked_about_a_call_sees_no_credential(monkeypatch):
    """In a terminal, whose lines may be saved."""
    remember(TOKEN)
    asked = []
    monkeypatch.setattr("builtins.input", lambda line: asked.append(line) or "y")
    (call,) = play([[start(), *tool_use(f'{{"a": "{TOKEN}"}}')]])[3].tool_calls

    assert by_input(PermissionRequest(call)) == "once"
    assert REDACTED in asked[0]
    assert TOKEN not in asked[0]
