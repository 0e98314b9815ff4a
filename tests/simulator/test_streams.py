"""The fixtures in ``tests/streams``, played by the simulator to the real SDK."""

import json
from pathlib import Path

import pytest

from claude_nb.simulator import Simulator, Stream

STREAMS = Path(__file__).parents[1] / "streams"
GOOD = sorted((STREAMS / "good").glob("*.json"))
BAD = sorted((STREAMS / "bad").glob("*.json"))
REQUEST = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [*GOOD, *BAD], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_fixture_says_what_it_is(path):
    """A fixture is an object with its file's name, a sentence about it, and a list of events."""
    fixture = read(path)

    assert list(fixture) == ["name", "about", "events"]
    assert fixture["name"] == path.stem
    assert fixture["about"].endswith(".")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_stream_arrives_as_it_was_sent(simulator: Simulator, events_of, path):
    """``create(stream=True)`` yields every event of a good stream, unchanged, but no pings."""
    events = read(path)["events"]
    simulator.enqueue(Stream(events))

    arrived = [event.to_dict(warnings=False) for event in events_of(**REQUEST)]

    assert arrived == [event for event in events if event["type"] != "ping"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_stream_makes_a_message(simulator: Simulator, client, runner, path):
    """``.stream()`` makes a message of a good stream, with its blocks and its stop reason."""
    events = read(path)["events"]
    simulator.enqueue(Stream(events))

    async def final_message():
        async with client.messages.stream(**REQUEST) as stream:
            return await stream.get_final_message()

    message = runner.run(final_message())

    begun = [e["content_block"]["type"] for e in events if e["type"] == "content_block_start"]
    ends = [e for e in events if e["type"] == "message_delta"]
    assert [block.type for block in message.content] == begun
    assert message.stop_reason == ends[-1]["delta"]["stop_reason"]
    assert message.usage.output_tokens == ends[-1]["usage"]["output_tokens"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_stream_is_well_formed(path):
    """A good stream starts once, opens and closes each of its blocks, counts tokens and stops."""
    events = [event for event in read(path)["events"] if event["type"] != "ping"]
    begun = [e["index"] for e in events if e["type"] == "content_block_start"]
    ended = [e["index"] for e in events if e["type"] == "content_block_stop"]

    assert [e["type"] for e in events].count("message_start") == 1
    assert events[0]["type"] == "message_start"
    assert begun == list(range(len(begun)))
    assert sorted(ended) == begun
    assert [events[-2]["type"], events[-1]["type"]] == ["message_delta", "message_stop"]
    assert "output_tokens" in events[-2]["usage"]
