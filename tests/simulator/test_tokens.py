"""Usage adds up, and limits hold."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.simulator import tokens
from claude_nb.simulator.wire import Answer, server_tool_result, server_tool_use, text, thinking


def request(*messages: Any, **options: Any):
    base = {"model": "claude-opus-5-5", "max_tokens": 1000}
    return {**base, "messages": list(messages) or [user("Hello")], **options}


def user(content):
    return {"role": "user", "content": content}


def test_four_characters_are_a_token():
    """A text's tokens are a quarter of its characters, rounded up."""
    assert [tokens.estimate("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_a_request_counts_all_it_sends():
    """Tools, system and every message count; a string counts as the block that it is short for."""
    block = [{"type": "text", "text": "x" * 40}]

    assert tokens.of_request(request(user("x" * 40), system="x" * 20)) == 15
    assert tokens.of_request(request(user(block), system="x" * 20)) == 15
    assert tokens.of_request(request(user("x" * 40), tools=[{"name": "f"}])) > 10


def test_a_picture_is_not_counted_by_its_bytes():
    """Base64 data would be thousands of tokens; a picture counts as 500."""
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}

    assert tokens.of_request(request(user([{"type": "image", "source": source}]))) == 500


def test_thinking_is_part_of_the_output():
    """output_tokens holds thinking and text; the details say how much was thinking."""
    answer = Answer([thinking("x" * 40), text("x" * 20)])
    usage = tokens.usage(request(), answer, 0, {})

    assert usage["output_tokens"] == 15
    assert usage["output_tokens_details"] == {"thinking_tokens": 10}


def test_input_is_what_the_cache_neither_read_nor_wrote():
    """The three kinds of input tokens add up to the prompt; what was written is split by TTL."""
    usage = tokens.usage(request(user("x" * 400)), Answer(), 50, {"5m": 20, "1h": 10})

    assert usage["input_tokens"] == 20
    assert (usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]) == (30, 50)
    assert usage["cache_creation"] == {
        "ephemeral_5m_input_tokens": 20,
        "ephemeral_1h_input_tokens": 10,
    }


SEARCH = server_tool_result("s1", "web_search", [{"type": "web_search_result", "title": "x" * 400}])
FETCH = server_tool_result("s2", "web_fetch", {"type": "web_fetch_result"})
FAILURE = server_tool_result("s3", "web_search", {"type": "web_search_tool_result_error"})


def test_uses_of_the_servers_tools_are_counted():
    """Each that came to something counts, and only where one of these tools was called."""
    call = server_tool_use("s1", "web_search", {"query": "x"})
    answer = Answer([call, SEARCH, call, SEARCH, call, FETCH, call, FAILURE])

    assert tokens.usage(request(), answer, 0, {})["server_tool_use"] == {
        "web_search_requests": 2,
        "web_fetch_requests": 1,
    }
    assert "server_tool_use" not in tokens.usage(request(), Answer([text("x")]), 0, {})


def test_what_a_server_tool_brings_is_input():
    """The model reads the results that come in the middle of its answer."""
    asked = request(user("x" * 400))
    usage = tokens.usage(asked, Answer([SEARCH]), 30, {"5m": 20})

    assert usage["input_tokens"] == 100 + tokens.of_block(SEARCH.block) - 50
    assert usage["input_tokens"] > 150


def test_a_prompt_is_taken_apart_in_the_order_in_which_it_is_read():
    """Tools come first, then system, then the messages, each with the path of the API's errors."""
    prompt = request(user("Hello"), system="Be brief.", tools=[{"name": "f"}])

    assert [(part.level, part.path, part.role) for part in tokens.parts(prompt)] == [
        ("tools", "tools.0", "tools"),
        ("system", "system.0", "system"),
        ("messages", "messages.0.content.0", "user"),
    ]


@settings(max_examples=60)
@given(st.lists(st.text(min_size=1), min_size=1), st.integers(0, 50))
def test_max_tokens_is_never_exceeded(texts, limit):
    """An answer is cut to at most max_tokens, and says so exactly if it was."""
    answer = Answer([text(part) for part in texts])
    limited = tokens.limited(answer, {"max_tokens": limit})

    total = sum(tokens.estimate(written.text) for written in limited.content)
    assert total <= limit
    assert (limited.stop_reason == "max_tokens") == (limited != answer)


def test_the_first_stop_sequence_in_the_text_stops():
    """The text ends before it; thinking is not searched."""
    answer = Answer([thinking("a STOP"), text("one, two, three, four")])
    limits = {"max_tokens": 100, "stop_sequences": ["four", "three", "STOP"]}

    assert tokens.limited(answer, limits) == Answer(
        [thinking("a STOP"), text("one, two, ")], "stop_sequence", "three"
    )
