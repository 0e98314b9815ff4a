"""The simulator's prompt cache reads, writes, expires and is diagnosed as the API's is."""

import asyncio
import hashlib
import json
import math
from typing import Any

import anthropic
import pytest

from claude_nb.simulator import Error, Scripted, Simulator
from claude_nb.simulator.cache import automatic_place
from claude_nb.simulator.tokens import parts

AUTO = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
"""500 tokens, as every image."""


def text(written, control=None):
    """A text block; BIG in it becomes 800 tokens that no other test sends."""
    return {"type": "text", "text": written} | ({"cache_control": control} if control else {})


def user(*content: Any):
    return {"role": "user", "content": list(content)}


def assistant(*content: Any):
    return {"role": "assistant", "content": list(content)}


def tool(name, schema="a b", control=None):
    properties = {key: {"type": "string"} for key in schema.split()}
    made = {"name": name, "input_schema": {"type": "object", "properties": properties}}
    return made | ({"cache_control": control} if control else {})


def prompt(**changes: Any):
    """A marked system prompt of 800 tokens and a question of 10; ``...`` leaves a field out."""
    base = {
        "model": "claude-opus-5-5",
        "max_tokens": 50,
        "system": [text("BIG", AUTO)],
        "messages": [user(text("q" * 40))],
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


def talk(*said: Any, **changes: Any):
    """A conversation without a marked system prompt that is cached automatically."""
    return prompt(system=..., cache_control=AUTO, messages=list(said), **changes)


FIRST = [user(text("BIG"))]
SECOND = [*FIRST, assistant(text("a" * 40)), user(text("q" * 80))]
CALLS = assistant(
    *({"type": "tool_use", "id": f"t{n}", "name": "f", "input": {}} for n in range(25))
)
RESULTS = user(
    *({"type": "tool_result", "tool_use_id": f"t{n}", "content": "1"} for n in range(25))
)
FORMAT = {"format": {"type": "json_schema", "schema": {"type": "string"}}}
CITED = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
    "citations": {"enabled": True},
}


def after(blocks):
    """A turn of BIG, and then as many blocks as are said."""
    return talk(*FIRST, assistant(*[text("a" * 4)] * (blocks - 1)), user(text("qqqq")))


SCENARIOS = {
    # The basics.
    "the first request writes": ([prompt()], (10, 800, 0)),
    "the same request reads": ([prompt(), prompt()], (10, 0, 800)),
    "another question reads": (
        [prompt(), prompt(messages=[user(text("q" * 80))])],
        (20, 0, 800),
    ),
    "nothing is cached unasked": (
        [prompt(system="BIG"), prompt(system="BIG")],
        (810, 0, 0),
    ),
    "a mark later does not find what was never written": (
        [prompt(system=[text("BIG")]), prompt()],
        (10, 800, 0),
    ),
    "below the minimum, which is the model's": (
        [prompt(model="claude-opus-4-6"), prompt(model="claude-opus-4-6")],
        (810, 0, 0),
    ),
    # What is compared.
    "a changed character": ([prompt(), prompt(system=[text("BIG!", AUTO)])], (10, 801, 0)),
    "another model": ([prompt(), prompt(model="claude-haiku-5-5")], (10, 800, 0)),
    "the same model under its dated id": (
        [
            prompt(model="claude-haiku-4-5", system=[text("BIG" * 6, AUTO)]),
            prompt(model="claude-haiku-4-5-20251001", system=[text("BIG" * 6, AUTO)]),
        ],
        (10, 0, 4800),
    ),
    "a string and its one block": (
        [talk(*FIRST), talk({"role": "user", "content": "BIG"})],
        (0, 0, 800),
    ),
    "a tool added": ([prompt(), prompt(tools=[tool("f")])], (10, 829, 0)),
    "a schema in another order": (
        [prompt(tools=[tool("f", "a b")]), prompt(tools=[tool("f", "b a")])],
        (10, 829, 0),
    ),
    "tools stay when the system prompt changes": (
        [
            prompt(tools=[tool("f", control=AUTO) | {"description": "BIG"}], system="One."),
            prompt(tools=[tool("f", control=AUTO) | {"description": "BIG"}], system="Two."),
        ],
        (11, 0, 834),
    ),
    "several parts, the last of which changes": (
        [
            prompt(system=[text("BIG", AUTO), text("x" * 40, AUTO)]),
            prompt(system=[text("BIG", AUTO), text("y" * 40, AUTO)]),
        ],
        (10, 10, 800),
    ),
    # Parameters that the messages are read under.
    "another tool_choice": (
        [
            prompt(tools=[tool("f")], cache_control=AUTO),
            prompt(tools=[tool("f")], cache_control=AUTO, tool_choice={"type": "none"}),
        ],
        (0, 10, 829),
    ),
    "another effort": (
        [
            prompt(cache_control=AUTO),
            prompt(cache_control=AUTO, output_config={"effort": "high"}),
        ],
        (0, 10, 800),
    ),
    "the model's own effort": (
        [
            prompt(cache_control=AUTO),
            prompt(cache_control=AUTO, output_config={"effort": "medium"}),
        ],
        (0, 0, 810),
    ),
    "thinking turned off": (
        [
            prompt(model="claude-haiku-5-5", cache_control=AUTO),
            prompt(model="claude-haiku-5-5", cache_control=AUTO, thinking={"type": "disabled"}),
        ],
        (0, 10, 800),
    ),
    "thinking shown in another way": (
        [
            prompt(cache_control=AUTO),
            prompt(cache_control=AUTO, thinking={"type": "adaptive", "display": "summarized"}),
        ],
        (0, 0, 810),
    ),
    "a first image": (
        [
            prompt(cache_control=AUTO),
            prompt(cache_control=AUTO, messages=[user(text("q" * 40), PNG)]),
        ],
        (0, 510, 800),
    ),
    "citations turned on": (
        [prompt(), prompt(messages=[user(CITED, text("q" * 40))])],
        (41, 800, 0),
    ),
    "an output format": ([prompt(), prompt(output_config=FORMAT)], (10, 800, 0)),
    "another speed": ([prompt(), prompt(speed="fast")], (10, 800, 0)),
    # Time.
    "within five minutes": ([prompt(), 299, prompt()], (10, 0, 800)),
    "after five minutes": ([prompt(), 301, prompt()], (10, 800, 0)),
    "reading refreshes": ([prompt(), 299, prompt(), 299, prompt()], (10, 0, 800)),
    "within an hour": (
        [prompt(system=[text("BIG", HOUR)]), 3599, prompt(system=[text("BIG", HOUR)])],
        (10, 0, 800),
    ),
    "after an hour": (
        [prompt(system=[text("BIG", HOUR)]), 3601, prompt(system=[text("BIG", HOUR)])],
        (10, 800, 0),
    ),
    "an entry keeps the hour it was written for": (
        [prompt(system=[text("BIG", HOUR)]), prompt(), 3500, prompt()],
        (10, 0, 800),
    ),
    "also where it is marked on the way to a longer one": (
        [
            prompt(system=[text("BIG", HOUR)], cache_control=AUTO),
            prompt(cache_control=AUTO),
            3500,
            prompt(),
            400,
            prompt(),
        ],
        (10, 0, 800),
    ),
    # Conversations.
    "automatic caching moves forward": ([talk(*FIRST), talk(*SECOND)], (0, 30, 800)),
    "a fork reads up to where it departs": (
        [
            talk(*FIRST),
            talk(*SECOND),
            talk(*SECOND[:2], user(text("another question " * 4))),
        ],
        (0, 27, 800),
    ),
    "an edit before the entry": (
        [talk(*SECOND), talk(user(text("BIG.")), *SECOND[1:])],
        (0, 831, 0),
    ),
    "the same words, said by the other": (
        [talk(*SECOND), talk(*FIRST, user(text("a" * 40)), SECOND[2])],
        (0, 830, 0),
    ),
    "19 blocks on, an entry is found": ([talk(*FIRST), after(19)], (0, 19, 800)),
    "20 blocks on, it is out of reach": ([talk(*FIRST), after(20)], (0, 820, 0)),
    "unless a second breakpoint is nearer": (
        [
            talk(*FIRST),
            talk(user(text("BIG", AUTO)), *after(20)["messages"][1:]),
        ],
        (0, 20, 800),
    ),
    "a run of tool calls is one position, and so are their results": (
        [talk(*FIRST, tools=[tool("f")]), talk(*FIRST, CALLS, RESULTS, tools=[tool("f")])],
        (0, 765, 829),
    ),
}
"""Steps, each a request or seconds that pass, and the last one's tokens: input, written, read."""


def filled(asked, big):
    """Put 3,200 characters in the place of BIG."""
    return json.loads(json.dumps(asked).replace("BIG", big))


@pytest.fixture
def big(request):
    """3,200 characters that no other test sends."""
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest().ljust(3200, "-")


@pytest.fixture
def sent(big, simulator, message_of):
    """A function that sends requests and waits as told, and returns the last message."""

    def send(*steps: Any):
        for step in steps:
            if isinstance(step, int):
                simulator.advance(step)
            else:
                message = message_of(**filled(step, big))
        return message

    return send


def counts(usage):
    """Input, written and read tokens."""
    return (
        usage.input_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
    )


@pytest.mark.parametrize(("steps", "expected"), SCENARIOS.values(), ids=SCENARIOS)
def test_scenarios(sent, steps, expected):
    """A prompt is read, written and billed as the documentation says of such a case."""
    assert counts(sent(*steps).usage) == expected


def test_the_split_says_how_long_entries_live(sent):
    """What is written for an hour is counted apart from what is written for five minutes."""
    usage = sent(prompt(system=[text("BIG", HOUR)], cache_control=AUTO)).usage

    assert usage.cache_creation_input_tokens == 810
    assert usage.cache_creation.ephemeral_1h_input_tokens == 800
    assert usage.cache_creation.ephemeral_5m_input_tokens == 10


def test_a_stream_says_it_at_its_start_and_at_its_end(big, events_of):
    """message_start has all input counts and the split; message_delta repeats the counts."""
    first, second = [events_of(**filled(prompt(), big)) for _ in range(2)]

    starts = [events[0].message.usage for events in (first, second)]
    ends = [events[-2].usage for events in (first, second)]
    assert [counts(usage) for usage in starts] == [(10, 800, 0), (10, 0, 800)]
    assert [counts(usage) for usage in ends] == [(10, 800, 0), (10, 0, 800)]
    assert starts[0].cache_creation.ephemeral_5m_input_tokens == 800


def test_counting_agrees_with_usage(sent, big, client, runner):
    """count_tokens gives what input, written and read tokens add up to, whatever is sent."""
    asked = prompt(
        tools=[tool("f", control=AUTO)],
        messages=[user(text("q" * 40), PNG), CALLS, RESULTS],
        cache_control=AUTO,
    )
    usage = sent(asked).usage
    del asked["max_tokens"]
    counted = runner.run(client.messages.count_tokens(**filled(asked, big)))

    assert counted.input_tokens == sum(counts(usage))
    assert usage.input_tokens == 0


def test_the_automatic_breakpoint_steps_back_over_thinking():
    """Thinking cannot carry a breakpoint; the last block before it that can, does."""
    said = assistant(text("a"), {"type": "thinking", "thinking": "b", "signature": "c"})

    assert automatic_place(list(parts(talk(*FIRST, said)))) == 1


def test_a_cache_can_be_warmed_without_an_answer(sent):
    """max_tokens=0 writes the prompt and generates nothing; the question after it reads."""
    warmed = sent(prompt(max_tokens=0))
    asked = sent(prompt())

    assert (warmed.content, warmed.stop_reason) == ([], "max_tokens")
    assert (warmed.usage.output_tokens, counts(warmed.usage)) == (0, (10, 800, 0))
    assert counts(asked.usage) == (10, 0, 800)


def test_requests_side_by_side_all_write():
    """An entry can be read only when the response that writes it has begun."""
    asked = filled(prompt(), "x" * 3200)

    async def begin(client):
        async with await client.messages.create(**asked, stream=True) as stream:
            return counts((await anext(aiter(stream))).message.usage)

    async def all_of_them(url):
        async with anthropic.AsyncAnthropic(base_url=url, api_key="not-a-key") as client:
            together = await asyncio.gather(begin(client), begin(client))
            return [*together, await begin(client)]

    with Simulator(speed=2) as paced:  # so that a message starts some time after its request came
        begun = asyncio.run(all_of_them(paced.base_url))

    assert begun == [(10, 800, 0), (10, 800, 0), (10, 0, 800)]


def test_what_never_began_is_not_written(sent, big, simulator, client, runner):
    """A request that failed before its message started leaves nothing to be read."""
    asked = filled(prompt(stream=True), big)
    simulator.enqueue(Error(529, "overloaded_error", "Overloaded"), Scripted(0, end="close"))
    with pytest.raises(anthropic.OverloadedError):
        runner.run(client.messages.create(**asked))
    runner.run(runner.run(client.messages.create(**asked)).close())

    assert counts(sent(prompt()).usage) == (10, 800, 0)


def test_every_simulator_has_a_cache_of_its_own():
    """A new simulator has nothing to be read, and its clock is its own."""
    read = []
    for _ in range(2):
        with Simulator(speed=math.inf) as one:
            client = anthropic.Anthropic(base_url=one.base_url, api_key="not-a-key")
            with client:
                asked = filled(prompt(), "x" * 3200)
                read.append([counts(client.messages.create(**asked).usage) for _ in range(2)])

    assert read == [[(10, 800, 0), (10, 0, 800)]] * 2


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_the_clock_goes_forward_only(simulator: Simulator, seconds):
    """What is no time that can pass is refused."""
    with pytest.raises(ValueError, match="seconds is a number from 0"):
        simulator.advance(seconds)


MANY = "A maximum of 4 blocks with cache_control may be provided. Found 5."
ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)
THOUGHT = {"type": "thinking", "thinking": "b", "signature": "c", "cache_control": AUTO}
REFUSED = {
    "five breakpoints": (prompt(system=[text("BIG", AUTO)] * 5), MANY),
    "four and the automatic one": (
        prompt(system=[text("BIG", AUTO)] * 4, cache_control=AUTO),
        MANY,
    ),
    "another time to live on the automatic one's block": (
        prompt(messages=[user(text("q", AUTO))], cache_control=HOUR),
        "cache_control.ttl: differs from the cache_control of the last block",
    ),
    "an hour after five minutes": (
        prompt(tools=[tool("f", control=AUTO)], system=[text("BIG", HOUR)]),
        f"system.0.cache_control.ttl: {ORDER}",
    ),
    "an automatic hour after five minutes": (
        prompt(cache_control=HOUR),
        f"messages.0.content.0.cache_control.ttl: {ORDER}",
    ),
    "a time to live that does not exist": (
        prompt(system=[text("BIG", {"type": "ephemeral", "ttl": "2h"})]),
        "system.0.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ),
    "one on the automatic one": (
        prompt(cache_control={"type": "ephemeral", "ttl": 300}),
        "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ),
    "another type": (
        prompt(tools=[tool("f", control={"type": "eternal"})]),
        "tools.0.cache_control.type: Input should be 'ephemeral'",
    ),
    "marked thinking": (
        prompt(messages=[user(text("q")), assistant(THOUGHT, text("a")), user(text("q"))]),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    "marked empty text": (
        prompt(messages=[user(text("q"), text("", AUTO))]),
        "messages.0.content.1.text: cache_control cannot be set for empty text blocks",
    ),
    "warming with a forced tool": (
        prompt(max_tokens=0, tools=[tool("f")], tool_choice={"type": "any"}),
        "tool_choice: cannot be combined with max_tokens: 0",
    ),
    "warming with an output format": (
        prompt(max_tokens=0, output_config=FORMAT),
        "output_config.format: cannot be combined with max_tokens: 0",
    ),
    "warming with a stream": (
        prompt(max_tokens=0, stream=True),
        "stream: cannot be combined with max_tokens: 0",
    ),
    "a diagnosis against no id": (
        prompt(diagnostics={"previous_message_id": 7}),
        "diagnostics.previous_message_id: Input should be a valid string",
    ),
}


@pytest.mark.parametrize(("asked", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_the_api_refuses_is_refused(sent, asked, complaint):
    """Each is a 400 that says what is wrong, and where."""
    with pytest.raises(anthropic.BadRequestError) as raised:
        sent(asked)

    assert raised.value.body["error"]["message"] == complaint


def changed(what, missed):
    return {"type": f"{what}_changed", "cache_missed_input_tokens": missed}


TOLD = [tool("f")]
DIAGNOSES = {
    "nothing": (prompt(), prompt(), None),
    "a question added": (talk(*FIRST), talk(*SECOND), None),
    "a breakpoint moved": (prompt(), prompt(system=[text("BIG")], cache_control=AUTO), None),
    "the model": (prompt(), prompt(model="claude-haiku-5-5"), changed("model", 810)),
    "the speed": (prompt(), prompt(speed="fast"), changed("model", 810)),
    "the tools": (prompt(tools=TOLD), prompt(), changed("tools", 839)),
    "the system prompt": (
        prompt(tools=TOLD),
        prompt(tools=TOLD, system="BIG!"),
        changed("system", 810),
    ),
    "tools and system prompt": (prompt(tools=TOLD), prompt(system="x"), changed("tools", 839)),
    "an earlier message": (
        talk(*SECOND),
        talk(*FIRST, assistant(text("other")), SECOND[2]),
        changed("messages", 30),
    ),
    "messages taken away": (talk(*SECOND), talk(*FIRST), changed("messages", 30)),
    "the tool choice": (
        prompt(tools=TOLD),
        prompt(tools=TOLD, tool_choice={"type": "none"}),
        {"type": "unavailable"},
    ),
    "the effort": (prompt(), prompt(output_config={"effort": "max"}), {"type": "unavailable"}),
    "the output format": (prompt(), prompt(output_config=FORMAT), {"type": "unavailable"}),
}
"""The previous request, the next, and the reason that is given."""


@pytest.mark.parametrize(("before", "now", "reason"), DIAGNOSES.values(), ids=DIAGNOSES)
def test_diagnoses(sent, before, now, reason):
    """The first difference from the previous request is named, whether or not the cache was hit."""
    previous = sent(before | {"diagnostics": {"previous_message_id": None}})
    message = sent(now | {"diagnostics": {"previous_message_id": previous.id}})

    assert previous.diagnostics is None
    assert reason == (message.diagnostics and message.diagnostics.cache_miss_reason.to_dict())


def test_a_stream_is_diagnosed_at_its_start(sent, events_of):
    """message_start holds the reason."""
    previous = sent(prompt(diagnostics={"previous_message_id": None}))
    asked = prompt(diagnostics={"previous_message_id": previous.id}, system="Other.")
    (start, *_) = events_of(**asked)

    assert start.message.diagnostics.cache_miss_reason.type == "system_changed"


@pytest.mark.parametrize(
    "steps",
    [
        [prompt()],  # it did not ask to be remembered
        [prompt(diagnostics={"previous_message_id": None}), 3601],
    ],
    ids=["never asked", "long ago"],
)
def test_a_request_that_is_not_remembered_is_not_found(sent, steps):
    """Only requests with ``diagnostics`` are remembered, and not for ever."""
    previous = sent(steps[0])
    message = sent(*steps[1:], prompt(diagnostics={"previous_message_id": previous.id}))

    assert message.diagnostics.cache_miss_reason.type == "previous_message_not_found"


def test_nothing_is_diagnosed_unasked(sent):
    """Without ``diagnostics`` in the request there are none in the response."""
    assert sent(prompt(), prompt(system="Other.")).diagnostics is None
