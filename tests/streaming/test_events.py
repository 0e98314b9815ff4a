"""``EventLog``: what is taken down is what comes back, however it is kept."""

from __future__ import annotations

import json

import pytest
from anthropic.types import RawContentBlockDeltaEvent
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.characters import wellformed
from claude_nb.errors import ClaudeError
from claude_nb.streaming.events import (
    DELTA_FIELDS,
    EventLog,
    Failed,
    RequestSent,
    Stopped,
    StreamEvent,
)
from tests.played import GOOD, citation, recorded, start, text

_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3))
_KINDS = st.sampled_from(["text_delta", "input_json_delta", "new_delta", None, 5, ["text_delta"]])
_DELTAS = st.one_of(
    _SCALARS,
    st.dictionaries(st.sampled_from(["text", "partial_json", "extra"]), _SCALARS).flatmap(
        lambda fields: _KINDS.map(lambda kind: {"type": kind} | fields)
    ),
)
_EVENTS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["content_block_delta", "content_block_stop", None])},
        optional={"index": _SCALARS, "delta": _DELTAS, "extra": _SCALARS},
    ),
    st.just(RequestSent("m")),
)


def log_of(*data: object):
    """A log of these, a second apart, the first of the first attempt."""
    log = EventLog()
    for number, item in enumerate(data):
        log.record(float(number), 1 + number // 2, item)
    return log


@given(st.lists(_EVENTS, max_size=8))
def test_whatever_is_recorded_comes_back(data):
    """Every event with its number, time and attempt, one by one, in slices and from behind."""
    expected = [StreamEvent(n, float(n), 1 + n // 2, item) for n, item in enumerate(data)]

    log = log_of(*data)

    assert list(log) == expected
    assert [log[n] for n in range(-len(log), 0)] == expected
    assert (log[1:], log[::-1], log[-2:]) == (expected[1:], expected[::-1], expected[-2:])
    assert list(EventLog(expected)) == expected
    assert [type(event.data) for event in log] == [type(item) for item in data]


@pytest.mark.parametrize("name", GOOD)
def test_a_stream_comes_back_with_its_fields_in_their_order(name):
    """As JSON it is the same text."""
    events = recorded(name)
    assert repr([event.data for event in log_of(*events)]) == repr(events)


@pytest.mark.parametrize("kind", DELTA_FIELDS)
def test_deltas_of_a_text_are_kept_small(kind):
    """Not as dicts: they are most of a stream."""
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": kind}}
    delta["delta"][DELTA_FIELDS[kind]] = "Hello"

    log = log_of(delta, delta)

    assert [type(entry) for entry in log.entries(0)] == [tuple, tuple]
    assert log.entries(0)[0][2] == (1, 0, kind)


def test_there_is_no_event_behind_the_last():
    """As in a list."""
    with pytest.raises(IndexError):
        log_of()[0]


def test_the_sdks_typed_event_is_made_when_it_is_asked_for():
    """Of a dict of the wire; an event of ours is itself."""
    sent, delta, new = log_of(RequestSent("m"), text("Hello")[1], {"type": "new", "x": 1})

    assert sent.sdk is sent.data
    assert isinstance(delta.sdk, RawContentBlockDeltaEvent)
    assert (delta.sdk.delta.text, delta.sdk.to_dict()) == ("Hello", delta.data)
    assert new.sdk.to_dict() == {"type": "new", "x": 1}


def one_request(*data: object):
    """A log of the events of one request."""
    log = EventLog()
    for number, item in enumerate(data):
        log.record(float(number), 1, item)
    return log


def read_back(log):
    """The text of each kind of delta, in the order in which it came."""
    deltas = [event.data["delta"] for event in log if event.type == "content_block_delta"]
    kinds = dict.fromkeys(delta["type"] for delta in deltas)
    return {
        kind: "".join(d[DELTA_FIELDS[kind]] for d in deltas if d["type"] == kind) for kind in kinds
    }


def delta_of(kind, piece, **more: object):
    """A delta that brings a text."""
    delta = {"type": kind, DELTA_FIELDS[kind]: piece} | more
    return {"type": "content_block_delta", "index": 0, "delta": delta}


@pytest.mark.parametrize("kind", DELTA_FIELDS)
@pytest.mark.parametrize("more", [{}, {"extra": 1}])
@given(st.lists(st.sampled_from(["a", "é", "\ud83d", "\ude00", "😀", ""]), max_size=8))
def test_halves_of_a_character_become_one_or_are_replaced(kind, more, pieces):
    """However they are spread over deltas, and no event holds half of one."""
    log = one_request(
        *(delta_of(kind, piece, **more) for piece in pieces), {"type": "message_stop"}
    )

    assert read_back(log) == ({kind: wellformed("".join(pieces))} if pieces else {})
    for event in log:
        json.dumps(event.data, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "then",
    [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
        Stopped(),
        Failed(ClaudeError("It failed.")),
        RequestSent("m"),
    ],
    ids=lambda data: type(data).__name__ if not isinstance(data, dict) else data["type"],
)
def test_half_a_character_that_stays_alone_is_replaced(then):
    """Before whatever follows, in a delta of its own."""
    log = one_request(delta_of("text_delta", "a\ud83d"), then)

    assert [event.data for event in log] == [
        delta_of("text_delta", "a"),
        delta_of("text_delta", "\ufffd"),
        then,
    ]
    assert [event.seq for event in log] == [0, 1, 2]


def test_halves_of_two_blocks_do_not_meet():
    """Interleaved blocks each wait for their own."""
    first, second = delta_of("text_delta", "\ud83d"), delta_of("thinking_delta", "\ud83d")
    log = one_request(first, second, delta_of("text_delta", "\ude00"), {"type": "message_stop"})

    assert read_back(log) == {"text_delta": "😀", "thinking_delta": "\ufffd"}


@pytest.mark.parametrize(
    "event",
    [
        start(model="m\ud83d"),
        {"type": "content_block_start", "index": 0, "content_block": {"name": "\ud83d"}},
        {"type": "content_block_delta", "index": 0, "delta": citation("A\ud83d")},
        {"type": "message_delta", "delta": {"stop_reason": "\ud83d"}},
        {"type": "\ud83d", "\ud83d": ["\ud83d"]},
    ],
)
def test_every_text_of_an_event_is_wellformed(event):
    """Names of fields, too; what there was of it stays."""
    (recorded_event,) = one_request(event)

    assert "\ufffd" in json.dumps(recorded_event.data, ensure_ascii=False)
    json.dumps(recorded_event.data, ensure_ascii=False).encode()
