"""``Progress``: what a reply is, from the events alone."""

from __future__ import annotations

import pytest

from claude_nb.cost.usage import Usage
from claude_nb.errors import DroppedError, OverloadedError
from claude_nb.streaming.events import EventLog, Failed, RequestSent, ResponseStarted, Stopped
from claude_nb.streaming.progress import Outcome, Progress, Timing
from tests.played import end, said, start, text, thinking, tool_use

SENT = RequestSent("claude-opus-5-5")
ACCEPTED = ResponseStarted("req_1")


def progress(*data: object):
    """What events have become; they arrive a second apart, the first at 10."""
    made, log = Progress(), EventLog()
    for seq, item in enumerate(data):
        log.record(10.0 + seq, 1, item)
    made.take(log.entries(0))
    return made


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ([], Outcome.STREAMING),
        (end("end_turn"), Outcome.COMPLETE),
        (end("stop_sequence"), Outcome.COMPLETE),
        (end("tool_use"), Outcome.COMPLETE),
        (end("a_reason_of_tomorrow"), Outcome.COMPLETE),
        (end("max_tokens"), Outcome.TRUNCATED),
        (end("model_context_window_exceeded"), Outcome.TRUNCATED),
        (end("pause_turn"), Outcome.STREAMING),
        (end("refusal"), Outcome.REFUSED),
        (end("end_turn")[:1], Outcome.STREAMING),
        ([Stopped()], Outcome.STOPPED),
        ([Failed(DroppedError("Lost."))], Outcome.DROPPED),
        ([Failed(OverloadedError("Busy."))], Outcome.FAILED),
    ],
)
def test_outcome(ending, outcome):
    """Success means that ``message_stop`` was seen; anything else has a name."""
    made = progress(SENT, ACCEPTED, start(), *text("Hello"), *ending)

    assert (made.outcome, made.text) == (outcome, "Hello")
    assert (made.ended is None) == (outcome is Outcome.STREAMING)


@pytest.mark.parametrize("late", [Stopped(), Failed(DroppedError("Lost.")), *said("more")[1:3]])
def test_what_comes_after_the_end_takes_nothing_back(late):
    """A complete reply stays complete, and ended when it ended."""
    whole = [SENT, ACCEPTED, *said("Hello")]
    made = progress(*whole, late)

    assert (made.outcome, made.error, made.ended) == (Outcome.COMPLETE, None, 9.0 + len(whole))


def test_a_new_request_goes_on():
    """A reply of several requests has ended when the last one has; the first began it anew."""
    lost = Failed(DroppedError("Lost."))
    between = progress(SENT, ACCEPTED, start(), *text("One"), lost, SENT)
    made = progress(SENT, ACCEPTED, start(), *text("One"), lost, SENT, ACCEPTED, *said("Two"))

    assert (between.outcome, between.error) == (Outcome.STREAMING, None)
    assert (made.outcome, made.text, len(made.messages)) == (Outcome.COMPLETE, "Two", 2)
    assert made.usage == Usage(50, 0, 0, 0, None, None)


def test_views_of_the_blocks():
    """Text is the text blocks, thinking the thinking, tool calls their blocks."""
    made = progress(
        SENT, ACCEPTED, start(), *thinking("Hm"), *text("Hi", index=1), *tool_use("{}", index=2)
    )

    assert (made.thinking, made.text, [b.name for b in made.tool_calls]) == (
        "Hm",
        "Hi",
        ["look_up"],
    )
    assert (made.model, made.request_ids, made.simulated) == ("claude-opus-5-5", ["req_1"], False)


def test_timing_counts_from_the_first_request():
    """15 output tokens in the 5 seconds from the first event to the end."""
    made = progress(SENT, ACCEPTED, *said("Hello"))

    assert made.timing == Timing(2.0, 4.0, 7.0, 3.0)


def test_cost_is_the_sum_of_the_requests():
    """25 in at 4 and 15 out at 20 USD per million, twice."""
    made = progress(SENT, ACCEPTED, *said("One"), SENT, ACCEPTED, *said("Two"))

    assert made.cost == pytest.approx(2 * (25 * 4 + 15 * 20) / 1e6)


def test_nothing_yet():
    """Before anything happened there is nothing to say, and no error in asking."""
    made = Progress()

    assert (made.text, made.model, made.stop_reason, made.last) == ("", "", None, None)
    assert (made.timing, made.usage, made.cost) == (Timing(None, None, None, None), Usage(), 0)


def test_events_without_a_request_are_ignored():
    """There is no message that they could belong to."""
    made = progress(ACCEPTED, start(), {}, *text("Hello"), Stopped())

    assert (made.messages, made.outcome) == ([], Outcome.STOPPED)
