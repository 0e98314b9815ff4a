"""The reducer: events in, content blocks, stop reason and usage out."""

from __future__ import annotations

import pytest

from claude_nb.cost.usage import Usage
from claude_nb.streaming.block import TOOL_CALLS
from claude_nb.streaming.events import DELTAS, RequestSent
from claude_nb.streaming.message import Message
from claude_nb.streaming.turns import is_blank
from tests.played import block, end, said, start, text, thinking, tool_use


def message(*events: object):
    """What events have become; they arrive a second apart, the first at 1."""
    reduced = Message(0.0, RequestSent("asked"))
    reduced.accepted = True
    for time, data in enumerate(events, 1):
        reduced.apply(float(time), data)
    return reduced


def test_blocks_of_a_message():
    """Each has its place, its type and its text, in the order in which they began."""
    made = message(start(), *thinking("Hm", "m"), *text("He", "llo", index=1), *end())

    assert [(b.index, b.type, b.text) for b in made.content] == [
        (0, "thinking", "Hmm"),
        (1, "text", "Hello"),
    ]
    assert (made.content[0].signature, made.stop_reason, made.complete) == (
        "signed",
        "end_turn",
        True,
    )


def test_times_are_those_of_the_events():
    """First event, first text, and each block's beginning and end."""
    made = message(start(), *thinking("Hm"), *text("Hello", index=1), *end())

    assert (made.first_event, made.first_text, made.ended) == (1.0, 7.0, 10.0)
    assert [(b.started, b.ended) for b in made.content] == [(2.0, 5.0), (6.0, 8.0)]


def test_usage_is_cumulative_and_later_counts_overwrite():
    """An absent count leaves what was known."""
    made = message(
        start(usage={"input_tokens": 25, "cache_read_input_tokens": 7, "output_tokens": 1}),
        *end(output_tokens=15, input_tokens=30),
    )

    assert made.usage == Usage(30, 0, 0, 7, 15, None)


@pytest.mark.parametrize(
    ("search", "lower_bound"),
    [(None, True), ("web_search_20250305", True), ("web_search_20260318", False)],
)
def test_the_time_of_code_is_paid_for_unless_newer_searches_cover_it(search, lower_bound):
    """No usage names that time, so it makes the cost a lower bound; searched or not."""
    tools = [{"type": "code_execution_20250825", "name": "code_execution"}]
    tools += [{"type": search, "name": "web_search"}] if search else []
    made = Message(0.0, RequestSent("claude-opus-5-5", params={"tools": tools}))
    made.accepted = True
    for data in (start(container={"id": "c"}), *text("3"), *end()):
        made.apply(1.0, data)

    assert made.unpriced == (("the time of code execution",) if lower_bound else ())


def test_output_count_is_unknown_before_the_end():
    """What ``message_start`` says is a placeholder."""
    made = message(start(), *text("Hello"))

    assert (made.usage.input_tokens, made.usage.output_tokens) == (25, None)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], {}),
        ([""], {}),
        (["", '{"a": ', "1}"], {"a": 1}),
        (['{"a": ]'], None),
        (['{"a": 1'], None),
        (["[1]"], None),
        (['{"a": ' + "[" * 100_000], None),
    ],
    ids=["none", "empty", "whole", "invalid", "cut", "list", "deep"],
)
def test_tool_input(pieces, expected):
    """A dict when its JSON is complete; None while or because it is not."""
    (call,) = message(start(), *tool_use(*pieces)).content

    assert (call.name, call.input) == ("look_up", expected)


def test_a_repeated_index_loses_nothing():
    """The second block goes behind the first, and what follows for that index is the second's."""
    made = message(start(), *text("one"), *text("two", "!"))

    assert [(b.index, b.text) for b in made.content] == [(0, "one"), (1, "two!")]


@pytest.mark.parametrize("index", [None, "0", 1.5, [], {}, -3, 10**30])
def test_an_index_may_be_anything(index):
    """A block without a usable index is the newest one."""
    made = message(start(), *text("Hel", "lo", index=index))

    assert [(b.index, b.text, b.ended is not None) for b in made.content] == [(0, "Hello", True)]


@pytest.mark.parametrize(("kind", "field", "block"), [(k, *v) for k, v in DELTAS.items()])
def test_every_delta_that_brings_a_text_makes_its_block(kind, field, block):
    """With a start or without one, what came is in the block as the API's dict."""
    begin = {"type": "content_block_start", "index": 0, "content_block": {"type": block}}
    pieces = ['{"a":', "1}"]
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: piece}}
        for piece in pieces
    ]
    expected = {"input": {"a": 1}} if block in TOOL_CALLS else {field: "".join(pieces)}

    for events in ([begin, *deltas], deltas):
        (made,) = message(start(), *events).content
        assert {"type": block, **expected}.items() <= made.to_dict().items()


def test_a_delta_of_an_unknown_type_changes_nothing():
    """It stays in the events alone."""
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "sketch_delta", "svg": "<"},
    }

    assert message(start(), delta).content == []


def test_a_delta_without_a_start_makes_its_block():
    """Of the type that such a delta belongs to."""
    deltas = [part for part in thinking("Hm") if part["type"] == "content_block_delta"]

    assert [(b.type, b.text) for b in message(start(), *deltas).content] == [("thinking", "Hm")]


def test_what_is_unknown_is_carried():
    """Blocks, deltas and events of tomorrow change nothing that is known, and are not lost."""
    tomorrow = block(0, {"type": "new_delta", "x": 1}, type="new_block", y=2)
    made = message(start(), *tomorrow, {"type": "new_event"}, *text("Hi", index=1), *end("new"))

    assert made.content[0].to_dict() == {"type": "new_block", "y": 2}
    assert (made.content[1].text, made.stop_reason) == ("Hi", "new")


@pytest.mark.parametrize("junk", [5, "x", [1], {"a": {}}, None, True])
def test_fields_of_the_wrong_type_are_left_out(junk):
    """Nothing of them is shown, and nothing breaks."""
    made = message(
        {"type": "message_start", "message": junk},
        *block(0, type="text", text=junk, citations=junk, signature=junk),
        *block(1, {"type": "text_delta", "text": junk}, type=junk),
        *block(2, type="tool_use", name=junk, input=junk),
        {"type": "message_delta", "delta": junk, "usage": junk},
        {"type": "message_delta", "delta": {"stop_reason": junk, "stop_details": junk}},
        {"type": "message_stop"},
    )

    assert (made.content[0].signature, made.complete) == (junk if junk == "x" else "", True)
    assert made.stop_reason == (junk if junk == "x" else None)
    assert [b.to_dict()["type"] for b in made.content][::2] == ["text", "tool_use"]
    assert made.content[2].input in ({}, {"a": {}}, None)


def test_without_message_start_there_is_no_sdk_message():
    """The SDK could not make one either."""
    assert message(*said("Hi")[1:]).to_sdk() is None


def server_call(identifier, index=0):
    """A call of a tool that the server runs itself."""
    fields = {"type": "server_tool_use", "id": identifier, "name": "web_search", "input": {}}
    return block(index, **fields)


def server_result(identifier, index=1):
    """What came of it."""
    return block(index, type="web_search_tool_result", tool_use_id=identifier, content=[])


def lost(made):
    """The types of the blocks that are lost, in order."""
    return [b.type for b in made.content if b.lost]


def test_a_call_without_its_result_is_lost_with_the_connection():
    """A complete one too; one that the server has answered is part of what came."""
    broken = message(
        start(), *server_call("s1"), *server_result("s1"), *text("So"), *server_call("s2", 3)
    )
    broken.fail(9.0, "connection lost")

    broken.discard(text=False)

    assert lost(broken) == ["server_tool_use"]
    assert [b.id for b in broken.content if b.lost] == ["s2"]


def test_a_half_written_result_leaves_its_call_without_one():
    """It is lost itself, and so is the call."""
    broken = message(start(), *server_call("s1"), *server_result("s1")[:-1])
    broken.fail(9.0, "connection lost")

    broken.discard(text=False)

    assert lost(broken) == ["server_tool_use", "web_search_tool_result"]


def test_what_is_asked_for_again_is_lost_as_a_whole():
    """Its calls, their results and its text: the next request brings its own."""
    broken = message(start(), *server_call("s1"), *server_result("s1"), *text(" ", index=2))
    broken.fail(9.0, "connection lost")

    broken.discard(text=True)

    assert lost(broken) == ["server_tool_use", "web_search_tool_result", "text"]


FABLE, OPUS = "claude-fable-5-1", "claude-opus-4-8"


def handover(category=None, index=0):
    """The block at which another model goes on."""
    trigger = {"type": "refusal", "category": category}
    models = {"from": {"model": FABLE}, "to": {"model": OPUS}}
    return block(index, type="fallback", **models, trigger=trigger)


def fell_back(*events: object, output_tokens: int = 0, reason: str = "end_turn", model: str = OPUS):
    """A message that another model answered, with the usage of the documentation's example."""
    tried = {"type": "message", "model": FABLE, "input_tokens": 535, "output_tokens": output_tokens}
    served = {"type": "fallback_message", "model": OPUS, "input_tokens": 412, "output_tokens": 264}
    iterations = [tried, served] if events[0]["type"] == "content_block_start" else [served]
    counts = {"input_tokens": 412, "iterations": iterations}
    reduced = Message(0.0, RequestSent(FABLE, runs_tools=True))
    reduced.accepted = True
    for data in (start(model=model), *events, *end(reason, 264, **counts)):
        reduced.apply(1.0, data)
    return reduced


@pytest.mark.parametrize(
    ("category", "output_tokens", "cost"),
    [
        (None, 0, 0.0),
        ("cyber", 0, 0.0),
        ("general_harms", 0, 0.0),
        ("bio", 0, 535 * 10e-6),
        ("frontier_llm", 0, 535 * 10e-6),
        ("reasoning_extraction", 0, 535 * 10e-6),
        ("cyber", 7, 535 * 10e-6 + 7 * 50e-6),
    ],
)
def test_each_model_of_a_fallback_has_its_own_price(category, output_tokens, cost):
    """One that declined before any output is billed in some categories; who answered, always."""
    made = fell_back(*handover(category), *text("Hi", index=1), output_tokens=output_tokens)

    answered = 412 * 5e-6 + 264 * 25e-6
    assert [(a.model, a.stop_reason) for a in made.attempts] == [
        (FABLE, "refusal"),
        (OPUS, "end_turn"),
    ]
    assert [a.cost for a in made.attempts] == pytest.approx([cost, answered])
    assert made.cost == pytest.approx(cost + answered)
    assert (made.model, made.fell_back, made.usage.input_tokens) == (OPUS, True, 412)


def test_a_turn_that_goes_to_the_other_model_at_once_has_one_attempt():
    """The API does so where a conversation fell back before; no block marks it."""
    made = fell_back({"type": "ping"}, *text("Hi"))

    assert made.fell_back
    assert [(a.model, a.cost) for a in made.attempts] == [(OPUS, pytest.approx(0.00866))]


def test_what_the_model_that_declined_began_is_not_called_nor_sent_back():
    """Its calls and thinking are out; those of the model that goes on are in."""
    made = fell_back(
        *thinking("Hm.", index=0),
        *tool_use("{}", index=1, call="first"),
        *block(2, type="server_tool_use", id="s1", name="web_search", input={}),
        *handover(index=3),
        *thinking("Well.", index=4),
        *tool_use("{}", index=5, call="second"),
        output_tokens=9,
        reason="tool_use",
        model=FABLE,
    )

    assert [call.id for call in made.calls] == ["second"]
    assert [b.type for b in made.content if not is_blank(b)] == ["fallback", "thinking", "tool_use"]


@pytest.mark.parametrize(
    ("category", "cost"),
    [(None, 0.0), ("cyber", 0.0), ("bio", 412 * 5e-6 + 264 * 25e-6)],
)
def test_a_refusal_of_all_models_is_billed_by_its_category(category, cost):
    """Nothing was written behind the last handover."""
    made = fell_back(*handover(), reason="refusal")
    made.stop_details = {"type": "refusal", "category": category}

    assert made.attempts[-1].cost == pytest.approx(cost)
