"""A client that the simulator's tests share, because making one costs more than a request."""

import asyncio
import math

import anthropic
import pytest

from claude_nb.simulator import Simulator


@pytest.fixture(scope="package")
def simulator():
    """A simulator for these tests alone, so that no reply queued elsewhere comes here."""
    with Simulator(speed=math.inf) as running:
        yield running


@pytest.fixture(scope="package")
def runner():
    """An event loop that outlives a test."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="package")
def client(simulator, runner):
    """The SDK's own client, without its retries."""
    client = anthropic.AsyncAnthropic(
        base_url=simulator.base_url, api_key="not-a-key", max_retries=0
    )
    yield client
    runner.run(client.close())


@pytest.fixture
def events_of(client, runner):
    """A function that sends a request and returns the events of its stream."""

    async def collect(request):
        return [event async for event in await client.messages.create(**request, stream=True)]

    return lambda **request: runner.run(collect(request))


@pytest.fixture
def message_of(client, runner):
    """A function that sends a request without streaming and returns the message."""
    return lambda **request: runner.run(client.messages.create(**request))
