"""``ApiSource``: one request, told as it happens."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import anthropic

from claude_nb.api import Connection
from claude_nb.errors import DroppedError
from claude_nb.events import RequestSent, ResponseStarted
from claude_nb.prompt import Request
from claude_nb.simulator import Stream
from claude_nb.source import ApiSource
from tests.played import recorded, said, start


def told(api, *, most=None):
    """What a source tells about one request: the events, and the error that ended them."""

    async def collect():
        events = []
        async with anthropic.AsyncAnthropic(base_url=api.base_url, api_key="not-a-key") as client:
            connection = Connection(own_client=client, simulated=True)
            async with aclosing(ApiSource(connection).events(Request("Hello"))) as source:
                try:
                    async for event in source:
                        events.append(event)
                        if len(events) == most:
                            break
                except DroppedError as error:
                    return events, error
        return events, None

    return asyncio.run(collect())


def test_a_request_is_told_from_its_sending_to_its_end(api):
    """First that it was sent, then that it was accepted, then the SDK's own events; no pings."""
    api.enqueue(Stream(recorded("text")))

    (sent, accepted, *events), error = told(api)

    number = api.requests[-1].number
    assert sent == RequestSent("claude-opus-5-5", simulated=True)
    assert accepted == ResponseStarted(f"req_sim_0_{number:06d}", simulated=True)
    assert [e.to_dict() for e in events] == [e for e in recorded("text") if e["type"] != "ping"]
    assert error is None


def test_a_clean_end_without_message_stop_is_a_drop(api):
    """The SDK finds nothing wrong with it."""
    api.enqueue(Stream([start()]))

    events, error = told(api)

    assert [event.type for event in events] == [
        "request_sent",
        "response_started",
        "message_start",
    ]
    assert error.what == "The stream ended before the reply did."


def test_leaving_early_closes_the_connection(api):
    """Nobody pays for words that nobody reads."""
    api.enqueue(Stream(said("Hello")[:2], end="hang"))

    told(api, most=3)

    api.wait_for(lambda requests: requests[-1].client_left)
