"""An answer becomes the API's events, in pieces that add up to it."""

import itertools
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.simulator import wire

HEAD = {"id": "msg_sim_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5"}
STARTED = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 1,
    "output_tokens_details": {"thinking_tokens": 0},
}
USAGE = STARTED | {"output_tokens": 40, "output_tokens_details": {"thinking_tokens": 10}}
SIGNED = replace(wire.thinking("First this, then that."), signature="c2lnbmVk")
LONG = {"code": "x = 1\n" * 400, "n": 5}


def written(content, display="summarized"):
    """Return the timed events of an answer with this content."""
    answer = wire.Answer(content, container={"id": "container_sim_1"})
    return list(wire.events(HEAD, answer, (STARTED, USAGE), display, random.Random(0)))


def deltas(events, kind):
    """Return what the deltas of a type carry."""
    found = [e["delta"] for _, e in events if e["type"] == "content_block_delta"]
    return [delta for delta in found if delta["type"] == kind]


def timed_input(call):
    """Return the pieces of a call's input, each with the seconds before it."""
    return [
        (gap, event["delta"]["partial_json"])
        for gap, event in written([call])
        if event["type"] == "content_block_delta"
    ]


@settings(max_examples=40)
@given(st.text(), st.integers())
def test_pieces_add_up(text, seed):
    """Cutting loses nothing, makes no empty pieces, and none longer than 20 characters."""
    pieces = list(wire.pieces(text, random.Random(seed)))

    assert "".join(pieces) == text
    assert [piece for piece in pieces if not 1 <= len(piece) <= 20] == []


@settings(max_examples=60)
@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())), st.booleans()
)
def test_tool_input_adds_up(tool_input, eager):
    """A tool's input arrives as pieces of JSON, the first of them empty; no input, nothing more."""
    call = wire.tool_use("toolu_1", "f", tool_input, eager=eager)
    pieces = [delta["partial_json"] for delta in deltas(written([call]), "input_json_delta")]

    assert pieces[0] == ""
    assert "" not in pieces[1:]
    assert json.loads("".join(pieces) or "{}") == tool_input
    assert (len(pieces) > 1) == bool(tool_input)


@settings(max_examples=60)
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text())), st.integers(1))
def test_an_object_is_cut_behind_its_values(tool_input, end):
    """Every part but the last ends with a whole value, also where the end of it all is missing."""
    whole = json.dumps(tool_input)
    cut = whole[:end]
    parts = list(wire.values(cut))
    ends = ["".join(parts[:n]) for n in range(1, len(parts))]

    assert "".join(parts) == cut
    assert [len(json.loads(part + "}")) for part in ends] == list(range(1, len(parts)))
    assert len(list(wire.values(whole))) == len(tool_input) + 1


def test_a_value_is_held_back_until_it_is_complete():
    """Unless the tool is eager: a pause as long as writing takes, and then all of it at once."""
    held = timed_input(wire.tool_use("toolu_1", "f", LONG))
    value = json.dumps(LONG)[: json.dumps(LONG).index(', "n"')]

    (_, first), (pause, second), *rest = held
    assert (first, pause > 3) == ("", True)
    at_once = [second, *(piece for gap, piece in itertools.takewhile(lambda d: not d[0], rest))]
    assert "".join(at_once) == value


def test_an_eager_tool_gets_its_input_as_it_is_written():
    """With ``eager_input_streaming`` it comes at the pace of text, in the same time."""
    eager = timed_input(wire.tool_use("toolu_1", "f", LONG, eager=True))
    held = timed_input(wire.tool_use("toolu_1", "f", LONG))

    assert max(gap for gap, _ in eager) < 0.02
    assert sum(gap for gap, _ in eager) == pytest.approx(sum(gap for gap, _ in held), rel=0.1)


def test_a_long_silence_has_pings_in_it():
    """A client whose patience is shorter than a long value takes is not left without a sign."""
    huge = wire.tool_use("toolu_1", "f", {"text": "x" * 40_000})
    events = written([huge])

    assert max(gap for gap, _ in events) <= 10
    assert [event["type"] for gap, event in events if gap == 10] == ["ping"] * 8


def test_a_server_tool_takes_its_time_and_its_result_comes_whole():
    """The result has no deltas; a pause lies before it."""
    content = [{"type": "web_search_result", "title": "T"}]
    events = written(
        [
            wire.server_tool_use("srvtoolu_1", "web_search", {"query": "x"}),
            wire.server_tool_result("srvtoolu_1", "web_search", content),
        ]
    )
    begun = [(gap, event) for gap, event in events if event["type"] == "content_block_start"]
    pause, result = begun[1]

    assert begun[0][1]["content_block"]["input"] == {}
    assert 0.6 <= pause <= 1.4
    assert result["content_block"] == {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": content,
    }
    assert events[-3][1] == {"type": "content_block_stop", "index": 1}
    assert events[-4][1] == result


def test_citations_come_before_their_text():
    """A text that is cited starts with an empty list of them."""
    citation = {"type": "web_search_result_location", "url": "https://example.org/"}
    events = [event for _, event in written([wire.text("So it is.", citation)])]
    kinds = [e["delta"]["type"] for e in events if e["type"] == "content_block_delta"]

    assert events[1]["content_block"] == {"type": "text", "text": "", "citations": []}
    assert kinds == ["citations_delta", *["text_delta"] * (len(kinds) - 1)]
    assert wire.whole(wire.text("So it is.", citation), "omitted") == {
        "type": "text",
        "text": "So it is.",
        "citations": [citation],
    }


def test_the_container_is_said_in_the_end():
    """It stands beside the stop reason."""
    assert written([])[-2][1]["delta"]["container"] == {"id": "container_sim_1"}


def test_shown_thinking_is_written_and_then_signed():
    """Summarized thinking has thinking deltas and, last, one signature delta."""
    events = written([SIGNED])

    assert "".join(d["thinking"] for d in deltas(events, "thinking_delta")) == (
        "First this, then that."
    )
    assert deltas(events, "signature_delta") == [
        {"type": "signature_delta", "signature": "c2lnbmVk"}
    ]
    assert events[-4][1]["delta"]["type"] == "signature_delta"


def test_omitted_thinking_is_a_silence_and_a_signature():
    """Omitted thinking shows nothing, takes its time, and has the signature of the same thought."""
    events = written([SIGNED], "omitted")

    assert deltas(events, "thinking_delta") == []
    ((gap, delta),) = [(g, e["delta"]) for g, e in events if e["type"] == "content_block_delta"]
    assert gap > 0
    assert delta["signature"] == "c2lnbmVk"


@pytest.mark.parametrize("thought", ["Hm.", "First this, then that. " * 40])
def test_omitted_thinking_is_sooner(thought):
    """The text begins sooner than below thinking that is shown, and goes on as it would there."""
    content = [replace(SIGNED, text=thought), wire.text("And so it is. " * 9)]
    shown, hidden = written(content), written(content, "omitted")

    def until_text(events):
        return sum(gap for gap, _ in itertools.takewhile(lambda timed: not is_text(timed), events))

    def is_text(timed):
        return timed[1].get("delta", {}).get("type") == "text_delta"

    assert until_text(hidden) < until_text(shown)
    assert [timed for timed in hidden if is_text(timed)] == list(filter(is_text, shown))


def test_a_prompt_in_the_cache_is_read_sooner():
    """By less than chance can make up for, at the shortest prompt that any model caches."""

    def waits(seed, **usage: int):
        used = dict.fromkeys(STARTED, 0) | usage
        answer = wire.Answer([wire.text("Hello")])
        return next(wire.events(HEAD, answer, (used, used), "omitted", random.Random(seed)))[0]

    hits = [waits(seed, cache_read_input_tokens=512) for seed in range(99)]
    misses = [waits(seed, cache_creation_input_tokens=512) for seed in range(99)]
    assert max(hits) < min(misses)
    assert waits(0, input_tokens=10**7) <= 21


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
        replace(SIGNED, text="Hm."),
        wire.text("Hello"),
        wire.tool_use("toolu_1", "f", {"x": [1]}),
    ]
    thought = "Hm." if display == "summarized" else ""

    assert wire.message(HEAD, wire.Answer(content, "tool_use"), USAGE, display)["content"] == [
        {"type": "thinking", "thinking": thought, "signature": "c2lnbmVk"},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": [1]}},
    ]


def test_tool_input_that_was_cut_off_is_empty_in_a_message():
    """Half a JSON text is no input."""
    cut = wire.Written({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, '{"x": ')
    message = wire.message(HEAD, wire.Answer([cut], "max_tokens"), USAGE, "omitted")

    assert message["content"][0]["input"] == {}
