"""Scripted turns with tools, streamed by the simulator to the real SDK over HTTP."""

import json
from typing import Any, Literal

import pytest
from anthropic import beta_async_tool
from pydantic import BaseModel, Field

MODEL = "claude-opus-5-5"
OTHER = "claude-opus-4-8"
SHOWN = {"type": "adaptive", "display": "summarized"}
WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "examples": ["Rome", "Paris"]},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
}
EAGER = WEATHER | {"name": "eager", "eager_input_streaming": True}
NOW = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
FETCH = {"type": "web_fetch_20260318", "name": "web_fetch", "citations": {"enabled": True}}
CODE = {"type": "code_execution_20260521", "name": "code_execution"}
TOOLS = [WEATHER, EAGER, NOW, SEARCH, FETCH, CODE]


@pytest.fixture
def final(client, runner):
    """A function that streams the answer to some messages, and returns the whole message."""

    async def stream(messages, options):
        turns = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
        asked = {"model": MODEL, "max_tokens": 2000, "tools": TOOLS, "messages": turns, **options}
        async with client.messages.stream(**asked) as streamed:
            return await streamed.get_final_message()

    return lambda *messages, **options: runner.run(stream(messages, options))


@pytest.fixture
def whole(message_of):
    """A function that returns the answer to some messages without streaming it."""

    def create(*messages: Any, **options: Any):
        turns = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
        asked = {"model": MODEL, "max_tokens": 2000, "tools": TOOLS, "messages": turns, **options}
        return message_of(**asked)

    return create


def content(message):
    """Return the blocks of a message without what is different in every request."""
    made = [block.to_dict() for block in message.content]
    fleeting = {"id", "tool_use_id"}
    return [{k: v for k, v in block.items() if k not in fleeting} for block in made]


def results(message, said="done"):
    """Answer every call of a message."""
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": block.id, "content": said}
            for block in message.content
            if block.type == "tool_use"
        ],
    }


STREAMS = {
    "one call": "get_weather",
    "an eager call": "eager",
    "no input": "now",
    "several calls": "get_weather and again; now",
    "a search": "search for K2",
    "a search that fails": "search for K2; unavailable",
    "a page": "fetch https://example.com/",
    "code": "compute 1, 2 and 3",
    "all three": "search for K2, fetch it, and compute 5",
    "a pause": "search for K2; pause",
    "both kinds": "get_weather and search for K2",
}


@pytest.mark.parametrize("thinking", [None, SHOWN], ids=["omitted", "shown"])
@pytest.mark.parametrize("model", [MODEL, OTHER])
@pytest.mark.parametrize("prompt", STREAMS.values(), ids=STREAMS)
def test_the_sdk_makes_the_same_message_of_a_stream(final, whole, prompt, model, thinking):
    """Its helper, which parses every delta, ends with what comes without a stream."""
    options: dict[str, Any] = {"model": model, **({"thinking": thinking} if thinking else {})}
    streamed, plain = final(prompt, **options), whole(prompt, **options)

    assert content(streamed) == content(plain)
    assert streamed.stop_reason == plain.stop_reason
    assert streamed.usage.to_dict() == plain.usage.to_dict()
    assert (streamed.container is None) == (plain.container is None)


@pytest.mark.parametrize("model", [MODEL, OTHER])
@pytest.mark.parametrize("display", ["omitted", "summarized"])
def test_a_loop_of_tools_goes_to_its_end(final, model, display):
    """What the SDK made of each message is taken back, thinking and all."""
    options = {"model": model, "thinking": {"type": "adaptive", "display": display}}
    messages: list[Any] = ["get_weather and now, then eager"]
    reasons = []
    while True:
        message = final(*messages, **options)
        reasons.append(message.stop_reason)
        messages.append({"role": "assistant", "content": list(content_of(message))})
        if message.stop_reason != "tool_use":
            break
        messages.append(results(message))
    again = final(*messages, "Tell me a story", **options)

    assert reasons == ["tool_use", "tool_use", "end_turn"]
    assert message.content[-1].text.startswith("`get_weather` returned `done`.")
    assert again.content[-1].text.startswith("# The lighthouse")


def content_of(message):
    """Return the blocks of a message as they came."""
    return (block.to_dict() for block in message.content)


def test_a_paused_turn_goes_on_when_it_is_sent_back(final):
    """As it is, without a word of the user."""
    prompt = "search for K2, then compute 1 and 2; pause"
    paused = final(prompt)
    rest = final(prompt, {"role": "assistant", "content": list(content_of(paused))})

    assert (paused.stop_reason, rest.stop_reason) == ("pause_turn", "end_turn")
    assert paused.usage.server_tool_use.web_search_requests == 1
    assert rest.usage.server_tool_use.web_search_requests == 0
    assert rest.container.id.startswith("container_sim_")
    assert rest.content[-1].text.endswith("simulated sum: 3\n```")


def test_a_waiting_search_is_answered_after_the_clients_results(final):
    """The next message begins with the result of the call in the one before."""
    prompt = "now, and search for K2"
    first = final(prompt)
    call = next(block for block in first.content if block.type == "server_tool_use")
    said = {"role": "assistant", "content": list(content_of(first))}
    rest = final(prompt, said, results(first, "twelve"))

    assert first.usage.server_tool_use.web_search_requests == 0
    assert (rest.content[0].type, rest.content[0].tool_use_id) == (
        "web_search_tool_result",
        call.id,
    )
    assert rest.usage.server_tool_use.web_search_requests == 1


def test_what_is_brought_in_counts_in_the_end(events_of):
    """Input tokens grow between the start of the message and its end, by the results."""
    events = events_of(
        model=OTHER,
        max_tokens=999,
        messages=[{"role": "user", "content": "search"}],
        tools=[SEARCH],
    )
    (start,) = [e.message.usage for e in events if e.type == "message_start"]
    (end,) = [e.usage for e in events if e.type == "message_delta"]
    (result,) = [
        e.content_block
        for e in events
        if e.type == "content_block_start" and e.content_block.type == "web_search_tool_result"
    ]

    assert end.input_tokens - start.input_tokens == -(-len(json.dumps(result.to_dict())) // 4)
    assert end.server_tool_use.web_search_requests == 1
    assert start.server_tool_use is None


class Booking(BaseModel):
    """A typed answer, with limits that the SDK writes into descriptions."""

    guest: str = Field(min_length=2)
    nights: int = Field(ge=3, le=9)
    board: Literal["half", "full"]
    notes: list[str]


def test_a_typed_answer_is_one(client, runner):
    """Pydantic takes it, with the limits that the SDK wrote into descriptions."""

    async def parsed():
        async with client.messages.stream(
            model=MODEL,
            max_tokens=500,
            messages=[{"role": "user", "content": "Book it"}],
            output_format=Booking,
        ) as stream:
            return (await stream.get_final_message()).parsed_output

    assert runner.run(parsed()) == Booking(guest="example", nights=3, board="half", notes=[])


def test_a_typed_answer_is_cut_by_max_tokens(message_of):
    """It says so, and is no JSON then."""
    message = message_of(
        model=OTHER,
        max_tokens=3,
        messages=[{"role": "user", "content": "Hello"}],
        output_config={
            "format": {
                "type": "json_schema",
                "schema": WEATHER["input_schema"] | {"additionalProperties": False},
            }
        },
    )

    assert message.stop_reason == "max_tokens"
    assert message.content[0].text == '{\n  "city": '


def test_the_sdks_own_loop_runs_its_functions(client, runner):
    """``tool_runner`` calls two functions one after the other, and gets an answer about both."""
    called = []

    @beta_async_tool
    async def add(left: Literal[3], right: int = 2) -> str:
        """Add."""
        called.append(("add", left, right))
        return str(left + right)

    @beta_async_tool
    async def greet(name: Literal["Ana"]) -> str:
        """Greet."""
        called.append(("greet", name))
        return f"Hello {name}"

    async def run():
        loop = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=1000,
            messages=[{"role": "user", "content": "add, then greet"}],
            tools=[add, greet],
            thread=False,
        )
        return await loop.until_done()

    message = runner.run(run())

    assert called == [("add", 3, 2), ("greet", "Ana")]
    assert message.content[-1].text.startswith(
        "`add` returned `5`.\n\n`greet` returned `Hello Ana`"
    )
