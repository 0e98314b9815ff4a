"""Steps: who applies their changes has, at each step, what the reducer has."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings

import claude_nb
from claude_nb.client.retry import Policy
from claude_nb.errors import ClaudeError
from claude_nb.recording.recording import Recording
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.events import StreamEvent, ToolAsked, ToolRan, ToolStarted
from claude_nb.streaming.progress import Progress
from claude_nb.streaming.steps import LONGEST, Steps, view
from tests.played import BAD, GOOD, block, end, recorded, said, start, text, thinking, tool_use
from tests.test_reply import body, broken_streams

KEY = "sk-" + "ant-0123456789"


def ask(**options: Any):
    """The reply to a question, however it ends."""
    try:
        return claude_nb.ask("Hello", show=False, **options)
    except ClaudeError as error:
        return error.reply


def apply(message, change):
    """The message after a change, as ``inspector.js`` makes it."""
    kind, *rest = change
    if kind == "message":
        return json.loads(json.dumps(rest[0], default=str))
    if kind == "fields":
        return message | json.loads(json.dumps(rest[0], default=str))
    blocks = message["content"]
    if kind == "open":
        assert len(blocks) == rest[0]
        blocks.append(json.loads(json.dumps(rest[1], default=str)))
    elif kind == "grow":
        number, field, added = rest
        blocks[number][field] = (blocks[number].get(field) or "") + added
    else:
        number, put, gone = rest
        for name in gone:
            del blocks[number][name]
        blocks[number] |= json.loads(json.dumps(put, default=str))
    return message


def walk(reply):
    """The message at each step, made of the changes, and by the reducer."""
    steps, reducer, made = Steps(), Progress(), None
    for event in reply.events:
        (step,) = steps.take([event])
        for change in step.changes:
            made = apply(made, change)
        reducer.apply(event)
        yield step, made, json.loads(json.dumps(view(reducer.last), default=str))


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_the_changes_of_every_stream_make_its_message(api, name):
    """At every step, and at the last one what the reply itself says."""
    api.enqueue(*[Stream(recorded(name))] * 2)
    reply = ask()
    made = None
    for step, made, expected in walk(reply):
        assert (step.seq, made) == (step.seq, expected)
    if reply.message is not None:
        assert made["content"] == json.loads(
            json.dumps(reply.message.to_dict(warnings=False)["content"], default=str)
        )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(events=broken_streams())
def test_no_stream_leads_astray(events):
    """Whatever a server sends."""
    content = body(events)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=content))
    client = anthropic.AsyncAnthropic(
        api_key="not-a-key", http_client=httpx2.AsyncClient(transport=transport)
    )
    for step, made, expected in walk(ask(client=client)):
        assert (step.seq, made) == (step.seq, expected)


def test_failures_and_seams_are_followed(api):
    """The message is that of the newest request; a text that was continued is all in it."""
    api.enqueue(
        Error(529, "overloaded_error", "Overloaded"),
        Stream([start(), *thinking("Hm"), *text("Hello wor", index=1)[:-1]], end="drop"),
        Stream(said("ld, and ", "all.")),
    )
    reply = ask(policy=Policy(base=0.0))
    steps = [step for step, made, expected in walk(reply) if made == expected]
    assert len(steps) == len(reply.events)
    (*_, (_, made, _)) = walk(reply)
    assert made["content"] == [{"type": "text", "text": "Hello world, and all."}]


def test_tool_input_is_what_came_until_it_is_whole(api):
    """Pieces of JSON are text; the input is there when the block ends."""
    api.enqueue(Stream([start(), *tool_use('{"a": ', '"x', '"}'), *end("tool_use")]))
    seen = []
    for _, made, _ in walk(ask()):
        if made and made["content"]:
            call = made["content"][0]
            seen.append((call.get("partial_json"), call["input"]))
    assert seen[0] == (None, {})
    assert seen[1:4] == [('{"a": ', {}), ('{"a": "x', {}), ('{"a": "x"}', {})]
    assert seen[-1] == (None, {"a": "x"})


def test_each_block_has_its_lane(api):
    """By request and index; all else is in the first. A tool's run is in the lane of its call."""
    events = [start(), *thinking("Hm"), *tool_use("{}", index=1), *end("tool_use")]
    api.enqueue(Stream([start(), *text("Hel")[:-1]], end="drop"), Stream(events))
    steps = Steps()
    taken = steps.take(ask(policy=Policy(base=0.0)).events)
    assert [(lane.kind, lane.name, lane.attempt, lane.block) for lane in steps.lanes] == [
        ("request", "", 0, -1),
        ("text", "", 1, 0),
        ("thinking", "", 2, 0),
        ("tool_use", "look_up", 2, 1),
    ]
    assert [step.lane for step in taken if step.kind == "input_json_delta"] == [3]
    assert {step.kind for step in taken if step.lane == 0} >= {"request_sent", "waiting", "resumed"}


def test_what_is_done_with_a_call_is_in_its_lane(api):
    """Asked for, run and returned."""
    api.enqueue(Stream([start(), *tool_use("{}"), *end("tool_use")]))
    events = list(ask().events)
    for data in (ToolAsked("toolu_1"), ToolStarted("toolu_1"), ToolRan("toolu_1", ())):
        events.append(StreamEvent(len(events), events[-1].time, 1, data))
    assert [step.lane for step in Steps().take(events)][-3:] == [1, 1, 1]


def test_no_key_is_in_a_step(api):
    """Neither in an event nor in a change, nor spread over several."""
    api.enqueue(Stream([start(), *text("Your key: sk-a", "nt-01", "23456789.", KEY), *end()]))
    steps = Steps().take(ask().events)
    assert "23456789" not in json.dumps(steps, default=str)
    assert [step.text for step in steps if step.text] == ["Your key: sk-a", "nt-…", ".", "sk-ant-…"]


def test_a_clock_that_jumps_makes_no_gap_that_cannot_be(api):
    """Nor does one that goes back; the gap as it was measured is kept."""
    api.enqueue(Stream(said("Hello")))
    times = [5.0, 4.0, 4.5, 9000.0, 9000.5, 9000.5, 9001.0, 9001.0]
    events = [
        StreamEvent(e.seq, at, e.attempt, e.data) for e, at in zip(ask().events, times, strict=True)
    ]
    steps = Steps().take(events)
    assert [step.time for step in steps[:5]] == [0.0, 0.0, 0.5, 0.5 + LONGEST, 1.0 + LONGEST]
    assert [step.gap for step in steps[:4]] == [0.0, -1.0, 0.5, 8995.5]


def test_a_long_reply_takes_time_in_proportion(api):
    """The changes of ten thousand events are not much larger than the events."""
    pieces = [f"word{number} " for number in range(10_000)]
    api.enqueue(Stream([start(), *block(0, *deltas(pieces), type="text", text=""), *end()]))
    reply = ask()
    steps = Steps().take(reply.events)
    changes = json.dumps([step.changes for step in steps])
    assert len(changes) < 6 * len(reply.text)


def deltas(pieces):
    """Deltas of a text block."""
    return [{"type": "text_delta", "text": piece} for piece in pieces]


def test_what_is_too_deep_for_python_is_left_out(api, tmp_path):
    """A timeline and a recording are made all the same."""
    deep = json.loads('{"a":' * 350 + "1" + "}" * 350)
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "new", "x": deep}}
    api.enqueue(Stream([start(), block, *tool_use('{"a":' * 350, index=1), *end()]))

    reply = ask()
    Recording.of(reply).save(tmp_path / "deep.jsonl")

    assert reply.timeline().output()
    assert len(Recording.load(tmp_path / "deep.jsonl").events) == len(reply.events)
