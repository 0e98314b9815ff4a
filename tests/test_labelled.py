"""Whatever comes from the simulator is labelled as simulated, whoever made the client."""

from __future__ import annotations

import asyncio

import anthropic
import pytest

import claude_nb
from claude_nb.client.engine import engine
from claude_nb.client.retry import Policy
from claude_nb.render import saved_output
from claude_nb.simulator import Error, Scripted


@pytest.fixture
def own_client(api):
    """A user's own client, which nothing but its address leads to the simulator."""
    client = anthropic.AsyncAnthropic(base_url=api.base_url, api_key="not-a-key")
    yield client
    asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()


def labelled(reply):
    """The reply, after a look at its label in all that is saved of it."""
    assert ">simulated</span>" in saved_output.mimebundle(reply)["text/html"]
    assert "simulated" in saved_output.mimebundle(reply)["text/markdown"]
    assert "simulated" in saved_output.mimebundle(reply)["text/plain"]
    assert saved_output.record(reply)["simulated"]
    return reply


def test_a_reply_to_a_user_s_own_client_is_labelled(own_client):
    """In all its forms: the server says what it is."""
    assert labelled(claude_nb.ask("hello", show=False, client=own_client)).text


def test_it_is_labelled_as_soon_as_it_begins(own_client, api):
    """Before its first word."""
    api.enqueue(Scripted(0, end="close"))

    with pytest.raises(claude_nb.ClaudeError) as raised:
        claude_nb.ask("hello", show=False, client=own_client)

    assert labelled(raised.value.reply).blocks == []


def test_an_error_in_place_of_a_reply_is_labelled(own_client, api):
    """A refusal that no API has uttered must not look like one."""
    api.enqueue(Error(400, "invalid_request_error", "No."))

    with pytest.raises(claude_nb.ClaudeError) as raised:
        claude_nb.ask("hello", show=False, client=own_client)

    labelled(raised.value.reply)


def test_an_error_that_passes_is_labelled_while_it_is_waited_for(own_client, api):
    """Not only when the next request is answered."""
    api.enqueue(Error(529, "overloaded_error", "Busy."))
    stream = claude_nb.stream("hello", client=own_client, policy=Policy(base=60.0))
    reply = claude_nb.Reply(stream._request)
    while reply.waiting is None:
        stream.wait(len(reply.events), 5)
        reply.advance(stream.events[len(reply.events) :])
    stream.stop()

    assert reply.simulated


def test_what_a_test_has_queued_and_not_used_can_be_taken_back(api):
    """So that one failure is not its neighbours' failure."""
    api.enqueue(*[Error(500, "api_error", "Oh.")] * 3)
    api.drain()

    assert str(claude_nb.ask("hello", show=False).outcome) == "complete"
