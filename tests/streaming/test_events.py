"""``EventLog``: what is taken down is what comes back, however it is kept."""

from __future__ import annotations

import pytest
from anthropic.types import RawContentBlockDeltaEvent
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.streaming.events import DELTA_FIELDS, EventLog, RequestSent, StreamEvent
from tests.played import GOOD, recorded, text

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
