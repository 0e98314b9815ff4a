"""An answer becomes the API's events, in pieces that add up to it."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.simulator import wire

HEAD = {"id": "msg_sim_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5"}
USAGE = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 40,
    "output_tokens_details": {"thinking_tokens": 10},
}


def written(content, display="summarized"):
    """Return the timed events of an answer with this content."""
    answer = wire.Answer(content)
    return list(wire.events(HEAD, answer, USAGE, display, random.Random(0)))


def deltas(events, kind):
    """Return what the deltas of a type carry."""
    found = [e["delta"] for _, e in events if e["type"] == "content_block_delta"]
    return [delta for delta in found if delta["type"] == kind]


@settings(max_examples=40, deadline=None)
@given(st.text(), st.integers())
def test_pieces_add_up(text, seed):
    """Cutting loses nothing, makes no empty pieces, and none longer than 20 characters."""
    pieces = list(wire.pieces(text, random.Random(seed)))

    assert "".join(pieces) == text
    assert [piece for piece in pieces if not 1 <= len(piece) <= 20] == []


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
def test_tool_input_adds_up(tool_input):
    """A tool's input arrives as pieces of JSON, the first of them empty."""
    pieces = deltas(written([wire.tool_use("toolu_1", "f", tool_input)]), "input_json_delta")

    assert pieces[0]["partial_json"] == ""
    assert json.loads("".join(piece["partial_json"] for piece in pieces)) == tool_input


def test_shown_thinking_is_written_and_then_signed():
    """Summarized thinking has thinking deltas and, last, one signature delta."""
    events = written([wire.thinking("First this, then that.")])

    assert "".join(d["thinking"] for d in deltas(events, "thinking_delta")) == (
        "First this, then that."
    )
    assert deltas(events, "signature_delta") == [
        {"type": "signature_delta", "signature": wire.signature("First this, then that.")}
    ]
    assert events[-4][1]["delta"]["type"] == "signature_delta"


def test_omitted_thinking_is_a_silence_and_a_signature():
    """Omitted thinking shows nothing, takes its time, and has the signature of the same thought."""
    events = written([wire.thinking("First this, then that.")], "omitted")

    assert deltas(events, "thinking_delta") == []
    ((gap, delta),) = [(g, e["delta"]) for g, e in events if e["type"] == "content_block_delta"]
    assert 1 <= gap <= 2
    assert delta["signature"] == wire.signature("First this, then that.")


def test_first_event_counts_the_input_and_the_last_everything():
    """message_start holds the input's usage, message_delta the cumulative total."""
    events = [event for _, event in written([wire.text("Hello")])]

    assert events[0]["message"]["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
    }
    assert events[-2]["usage"] == USAGE


def test_pings_come_early_and_now_and_then():
    """One ping follows the first block's start, and one every 250 deltas."""
    kinds = [event["type"] for _, event in written([wire.text("x" * 5000)])]

    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds.count("ping") == 1 + kinds.count("content_block_delta") // 250


def test_pace_is_about_eighty_deltas_a_second_after_a_pause():
    """At speed 1 the first event takes 0.3 to 0.6 seconds, and 60 to 100 deltas a second follow."""
    events = written([wire.text("x" * 5000)])
    count = len(deltas(events, "text_delta"))

    assert 0.3 <= events[0][0] <= 0.6
    assert 60 <= count / sum(gap for gap, _ in events[3:]) <= 100


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "ping"}, b'event: ping\ndata: {"type":"ping"}\n\n'),
        ({"text": "é\n"}, 'data: {"text":"é\\n"}\n\n'.encode()),
    ],
)
def test_server_sent_event(event, expected):
    """The name is the type, the data is one line of JSON, a blank line ends it."""
    assert wire.sse(event) == expected


@pytest.mark.parametrize("display", ["summarized", "omitted"])
def test_message_holds_what_the_events_say(display):
    """The whole message has the same blocks, complete; thinking that is not shown is empty."""
    content = [
        wire.thinking("Hm."),
        wire.text("Hello"),
        wire.tool_use("toolu_1", "f", {"x": [1]}),
    ]
    thought = "Hm." if display == "summarized" else ""

    assert wire.message(HEAD, wire.Answer(content, "tool_use"), USAGE, display)["content"] == [
        {"type": "thinking", "thinking": thought, "signature": wire.signature("Hm.")},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": [1]}},
    ]


def test_tool_input_that_was_cut_off_is_empty_in_a_message():
    """Half a JSON text is no input."""
    cut = wire.Written({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, '{"x": ')
    message = wire.message(HEAD, wire.Answer([cut], "max_tokens"), USAGE, "omitted")

    assert message["content"][0]["input"] == {}
