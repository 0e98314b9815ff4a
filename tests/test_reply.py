"""``Reply``: equal to the SDK's own message where a stream is good, not broken by a bad one."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import claude_nb
from claude_nb.errors import (
    ClaudeError,
    DroppedError,
    OverloadedError,
    RateLimitError,
    ServerError,
)
from claude_nb.render.code import CodeBlock
from claude_nb.simulator import Stream
from claude_nb.simulator.wire import sse
from claude_nb.streaming.record import MIME
from tests.played import BAD, GOOD, end, recorded, said, start, text, thinking, tool_use


@pytest.fixture(scope="module")
def sdk(simulator):
    """The SDK's own client."""
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="not-a-key") as client:
        yield client


@pytest.mark.parametrize("name", GOOD)
def test_message_is_what_the_sdk_makes_of_the_same_stream(api, sdk, name):
    """The same bytes over HTTP give the same final message, field by field."""
    api.enqueue(Stream(recorded(name)), Stream(recorded(name)))
    asked = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "Hello"}]}
    # The helper for the stable API leaves these blocks empty.
    messages = sdk.beta.messages if name.startswith("beta_") else sdk.messages
    with messages.stream(**asked, max_tokens=100) as stream:
        expected = stream.get_final_message().to_dict(warnings=False)

    reply = claude_nb.ask("Hello", show=False)

    # One that the server paused is continued by a second message.
    assert reply.messages[0].to_sdk().to_dict(warnings=False) == expected
    assert shown_and_saved(reply) == str(reply.outcome)


def shown_and_saved(reply):
    """The outcome in a reply's record, after its three forms were made."""
    data = reply._repr_mimebundle_()
    assert sorted(data) == [MIME, "text/html", "text/markdown", "text/plain"]
    return data[MIME]["outcome"]


OUTCOMES = {
    "delta_after_stop": ("complete", "Hello world"),
    "ends_after_start": ("dropped", ""),
    "ends_in_text": ("dropped", "Hello wor"),
    "error_first": ("failed", ""),
    "error_in_text": ("failed", "Hello wor"),
    "error_rate_limit": ("failed", "Hello"),
    "error_without_type": ("failed", "Hello"),
    "events_after_stop": ("complete", "Hello"),
    "index_gap": ("complete", "Hello world"),
    "index_repeated": ("complete", "Hello world"),
    "invalid_tool_json": ("complete", ""),
    "late_message_start": ("complete", "earlyHello"),
    "missing_fields": ("complete", ""),
    "no_block_start": ("complete", "Hello"),
    "no_block_stop": ("complete", "Hello world"),
    "no_events": ("dropped", ""),
    "no_message_delta": ("complete", "Hello"),
    "no_message_start": ("complete", "Hello"),
    "no_message_stop": ("dropped", "Hello"),
    "no_usage_in_delta": ("complete", "Hello"),
    "no_usage_in_start": ("complete", "Hello"),
    "null_message": ("complete", "Hello"),
    "null_objects": ("complete", "Hello"),
    "null_text": ("complete", "Hello"),
    "null_usage": ("complete", "Hello"),
    "odd_delta_types": ("complete", "Hello"),
    "second_message_start": ("complete", "Hello"),
    "tool_json_not_object": ("complete", ""),
    "truncated_tool_json": ("complete", ""),
    "unsigned_thinking": ("dropped", ""),
    "untyped_block": ("complete", "Hello"),
    "untyped_event": ("complete", "Hello"),
    "wrong_delta": ("complete", "Hello{}"),
    "wrong_types": ("complete", ""),
}
ERRORS = {
    "ends_after_start": DroppedError,
    "ends_in_text": DroppedError,
    "error_first": OverloadedError,
    "error_in_text": OverloadedError,
    "error_rate_limit": RateLimitError,
    "error_without_type": ServerError,
    "no_events": DroppedError,
    "no_message_stop": DroppedError,
    "unsigned_thinking": DroppedError,
}


def ask_anyhow(client=None):
    """The reply, and what was raised with it or None."""
    try:
        return claude_nb.ask("Hello", show=False, client=client), None
    except ClaudeError as error:
        return error.reply, error


@pytest.mark.parametrize("name", BAD)
def test_bad_stream_ends_in_a_named_outcome_with_its_text(api, name):
    """What was readable is there, and whatever is raised is of our own tree."""
    api.enqueue(Stream(recorded(name)))

    reply, error = ask_anyhow()

    assert (str(reply.outcome), reply.text) == OUTCOMES[name]
    assert type(error) is ERRORS.get(name, type(None))
    assert shown_and_saved(reply) == str(reply.outcome)


def test_output_count_of_message_start_is_never_shown(api):
    """Where ``message_delta`` brings no count, the output is unknown: the 1 is a placeholder."""
    for name in ("no_usage_in_delta", "null_usage", "no_message_delta"):
        api.enqueue(Stream(recorded(name)))
        reply, _ = ask_anyhow()
        assert (name, reply.usage.output_tokens, reply.cost) == (name, None, None)


def test_representation_is_short_and_holds_no_key(api):
    """``repr`` says how it ended, who answered and how it begins."""
    key = "sk-" + "ant-0123"
    words = text(f"Your key is {key}. " + "word " * 50)
    api.enqueue(Stream([start(model=f"m {key}"), *words, *end()]))

    shown = repr(claude_nb.ask("Hello", show=False))

    assert shown.startswith("<Reply complete · m sk-ant-… · 'Your key is sk-ant-…. word")
    assert len(shown) < 110


def test_code_blocks_are_those_of_all_texts_in_order(api):
    """What stands between two texts makes no difference; thinking and indented code is not code."""
    api.enqueue(
        Stream(
            [
                start(),
                *thinking("```python\nno = 1\n```"),
                *text("Use\n\n```python\nx", " = 1\n```\n\n    indented\n", index=1),
                *tool_use('{"a": "```\\nno\\n```"}', index=2),
                *text("or\n\n1. ~~~ R\n   2\n   ~~~", index=3),
                *end(),
            ]
        )
    )

    reply = claude_nb.ask("Hello", show=False)

    assert reply.code_blocks == [CodeBlock("python", "x = 1"), CodeBlock("R", "2")]


def test_a_fence_that_was_not_closed_counts_as_far_as_it_came(api):
    """The connection was lost in the middle of a line."""
    api.enqueue(Stream([start(), *text("```python\nx = 1\nprint(")], end="drop"))

    reply, error = ask_anyhow()

    assert reply.code_blocks == [CodeBlock("python", "x = 1\nprint(")]
    assert type(error) is DroppedError


def test_a_reply_without_code_has_no_code_blocks(api):
    """Nor has one that never began."""
    api.enqueue(Stream(said("Use `x = 1`.")), Stream(recorded("no_events")))

    assert claude_nb.ask("Hello", show=False).code_blocks == []
    assert ask_anyhow()[0].code_blocks == []


# --- what no server has sent yet -------------------------------------------------------------

_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**30),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["type", "text", "index"]), st.text(max_size=3), max_size=2),
)


def mangle(draw, value):
    """The value with some of it replaced, left out or put elsewhere."""
    if draw(st.integers(0, 11)) == 0:
        return draw(_JUNK)
    if isinstance(value, dict):
        return {k: mangle(draw, v) for k, v in value.items() if draw(st.integers(0, 19))}
    if isinstance(value, list):
        return [mangle(draw, item) for item in value]
    return value


@st.composite
def broken_streams(draw):
    """The events of a recorded stream: some mangled, some left out, some in another order."""
    events = recorded(draw(st.sampled_from([*GOOD, *BAD])))
    if draw(st.booleans()):
        events = draw(st.permutations(events))
    mangled = [mangle(draw, event) for event in events if draw(st.integers(0, 9))]
    return [event for event in mangled if isinstance(event, dict)]


def body(events):
    """The events as bytes on the wire, each with a name, so that the SDK reads it."""
    chunks = []
    for event in events:
        chunk = sse({**event, "type": str(event.get("type") or "message_delta")[:30].strip()})
        chunks.append(chunk)
    return b"".join(chunks)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(events=broken_streams())
def test_no_stream_breaks_a_reply(events):
    """Whatever a server sends ends in an outcome that can be shown and saved."""
    content = body(events)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"request-id": "req_1"}, content=content)
    )
    client = anthropic.AsyncAnthropic(
        api_key="not-a-key", http_client=httpx2.AsyncClient(transport=transport)
    )

    reply, _ = ask_anyhow(client=client)

    assert str(reply.outcome) in {"complete", "truncated", "refused", "dropped", "failed"}
    assert shown_and_saved(reply) == str(reply.outcome)
    assert reply.timing.total is not None
