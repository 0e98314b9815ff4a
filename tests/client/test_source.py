"""``ApiSource``: one request, told as it happens."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import anthropic
import pytest

import claude_nb
from claude_nb.client.connection import Connection
from claude_nb.client.source import ApiSource, Warming, WholeSource
from claude_nb.errors import DroppedError, InputError
from claude_nb.request.request import Request
from claude_nb.simulator import Raw, Stream
from claude_nb.simulator.wire import sse
from claude_nb.streaming.events import RequestSent, ResponseStarted, event_type
from tests.played import recorded, said, start

ODD = [b"null", b"[]", b"5", b'"text"', b"true"]


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
    """First that it was sent, then that it was accepted, then the wire's events; no pings."""
    api.enqueue(Stream(recorded("text")))

    (sent, accepted, *events), error = told(api)

    number = api.requests[-1].number
    assert sent == RequestSent("claude-opus-5-5", simulated=True)
    assert accepted == ResponseStarted(f"req_sim_0_{number:06d}", simulated=True)
    assert events == [e for e in recorded("text") if e["type"] != "ping"]
    assert error is None


def test_a_clean_end_without_message_stop_is_a_drop(api):
    """The SDK finds nothing wrong with it."""
    api.enqueue(Stream([start()]))

    events, error = told(api)

    assert [event_type(event) for event in events] == [
        "request_sent",
        "response_started",
        "message_start",
    ]
    assert error.what == "The stream ended before the reply was complete."


def test_leaving_early_closes_the_connection(api):
    """Nobody pays for words that nobody reads."""
    api.enqueue(Stream(said("Hello")[:2], end="hang"))

    told(api, most=3)

    api.wait_for(lambda requests: requests[-1].client_left)


def test_what_is_no_object_is_no_event(api):
    """A gateway may send anything as the data of an event."""
    odd = b"".join(b"event: message_start\ndata: %s\n\n" % data for data in ODD)
    api.enqueue(Raw([odd, b"".join(map(sse, said("Hello")))]))

    (_, _, *events), error = told(api)

    assert (events, error) == (said("Hello"), None)


def test_a_stream_of_nothing_but_odd_data_is_empty(api):
    """It is a drop, as an empty body is."""
    api.enqueue(Raw([b"event: message_start\ndata: %s\n\n" % data for data in ODD]))

    _, error = told(api)

    assert error.what == "The server accepted the request, but sent no reply."


@pytest.mark.parametrize("source", [ApiSource, WholeSource])
def test_what_is_no_client_of_the_sdk_is_refused_before_it_is_asked(source):
    """A double may have ``create`` and ``close``; what is sent goes through raw responses."""

    class Double:
        messages = None

        async def close(self):
            pass

    with pytest.raises(InputError, match="client= is a Double"):
        asyncio.run(anext_but_one(source(Connection(own_client=Double())).events(Request("Hi"))))


async def anext_but_one(events):
    """The second item."""
    async with aclosing(events):
        await anext(events)
        return await anext(events)


@pytest.mark.parametrize("source", [ApiSource, WholeSource, Warming])
def test_the_clock_starts_when_a_request_can_be_sent(monkeypatch, source):
    """Importing the SDK, starting the simulator and making a client are no time to first text."""
    order = []
    monkeypatch.setattr(Connection, "client", lambda _: order.append("client made"))

    async def begin():
        request = Request("Hello", system=claude_nb.CachedSystem("Be brief."))
        async with aclosing(source(Connection()).events(request)) as events:
            order.append((await anext(events)).type)

    asyncio.run(begin())

    assert order == ["client made", "request_sent"]
