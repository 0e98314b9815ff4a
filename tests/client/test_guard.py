"""Redirects: those to another server are refused before anything is sent there."""

from __future__ import annotations

import asyncio
import json

import anthropic
import httpx2
import pytest

import claude_nb
from claude_nb.client import batch_service
from claude_nb.client.connection import Connection, count_tokens, list_models
from claude_nb.client.engine import call, engine
from claude_nb.errors import ClaudeError, RequestError
from tests.local_server import Answer, LocalServer, redirect, stream
from tests.played import said

PARAMS = {
    "model": "claude-opus-5-5",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 9,
}


@pytest.fixture(scope="module")
def servers():
    """Two servers on two ports: the one that is asked, and one that nobody asked."""
    running = LocalServer(), LocalServer()
    yield running
    for server in running:
        server.close()


@pytest.fixture
def asked(servers, monkeypatch):
    """The server that the environment names; both have received nothing yet."""
    for server in servers:
        server.received.clear()
        server.answer = stream(*said("Hello."))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", servers[0].url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-first-server-s-key")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Tenant-Token: for-the-first-server")
    return servers[0]


@pytest.fixture
def other(servers, asked):
    """The server to which the first one redirects."""
    return servers[1]


@pytest.fixture
def own(asked):
    """A client of the user's own."""
    client = anthropic.AsyncAnthropic(default_headers={"X-Api-Key": "my-own-client-s-key"})
    yield client
    asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()


async def first_result(connection):
    """The first line of a batch's results."""
    return await anext(batch_service.results(connection, "batch_1"))


async def body():
    """The body of a batch."""
    yield b"{}"


REQUESTS = {
    "count_tokens": lambda connection: count_tokens(connection, PARAMS),
    "models": list_models,
    "create a batch": lambda connection: batch_service.create(connection, body(), 2, {}),
    "a batch": lambda connection: batch_service.retrieve(connection, "batch_1"),
    "cancel a batch": lambda connection: batch_service.cancel(connection, "batch_1"),
    "batches": batch_service.newest,
    "results of a batch": first_result,
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("whole", [False, True])
def test_a_message_is_not_sent_to_another_server(asked, other, status, whole):
    """The error names both addresses and what to type; the other server sees nothing."""
    asked.answer = redirect(status, f"{other.url}/v1/messages?token=of-the-other-one")

    with pytest.raises(RequestError) as raised:
        claude_nb.ask("Hello", show=False, stream=not whole)

    error = raised.value
    assert error.what == (
        f"{asked.url}/v1/messages redirects to {other.url}/v1/messages. Nothing was sent there."
    )
    assert error.advice.endswith(f"%claude_nb connect {other.url}")
    assert (other.received, len(asked.received)) == ([], 1)
    assert "of-the-other-one" not in str(error)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("with_own", [False, True], ids=["ours", "own"])
def test_no_request_is_sent_to_another_server(asked, other, own, request_, with_own):
    """Whatever is asked, and by whichever client."""
    asked.answer = redirect(307, f"{other.url}/elsewhere")
    connection = Connection(own_client=own) if with_own else Connection()

    with pytest.raises(ClaudeError, match=f"redirects to {other.url}/elsewhere"):
        call(request_(connection))

    assert (other.received, len(asked.received)) == ([], 1)


def test_results_are_not_read_from_another_server(asked, other):
    """The ``results_url`` of a batch may name one; the key would go there too."""
    found = {
        "id": "batch_1",
        "processing_status": "ended",
        "results_url": f"{other.url}/v1/messages/batches/batch_1/results",
    }
    asked.answer = lambda _: Answer(200, json.dumps(found).encode())

    call(batch_service.retrieve(Connection(), "batch_1"))
    call(first_result(Connection()))

    assert other.received == []
    assert asked.received[-1].path == "/v1/messages/batches/batch_1/results"


def test_the_user_s_own_client_stays_as_it_is(asked, other, own):
    """It follows redirects for its owner, as before, and goes on working after ours."""
    asked.answer = redirect(307, f"{other.url}/v1/messages")
    with pytest.raises(RequestError, match="redirects to"):
        claude_nb.ask("Hello", show=False, client=own)
    assert other.received == []

    async def ask_without_us():
        return await own.messages.with_raw_response.create(**PARAMS)

    asyncio.run_coroutine_threadsafe(ask_without_us(), engine().loop).result()

    assert len(other.received) == 1
    assert own._client.event_hooks == {"request": [], "response": []}


def test_what_is_changed_in_the_user_s_own_client_holds_for_the_next_request(asked, own):
    """Its headers, for example, however they are set."""
    claude_nb.ask("Hello", show=False, client=own)
    own._client.headers = {"X-Mine": "changed"}

    claude_nb.ask("Hello", show=False, client=own)

    assert ["x-mine" in sent.headers for sent in asked.received] == [False, True]


def test_a_redirect_without_encryption_is_another_server(asked, other):
    """So is one with it, where the request went without; the address is told."""
    asked.answer = redirect(308, asked.url.replace("http", "https"))

    with pytest.raises(RequestError, match="redirects to https://127"):
        claude_nb.ask("Hello", show=False)


@pytest.mark.parametrize("location", ["javascript:alert(1)", "data:text/html,x"])
def test_a_redirect_to_no_server_is_refused(asked, location):
    """At once: it is no network that failed, and asking again would not help."""
    asked.answer = redirect(307, location)

    with pytest.raises(RequestError, match=f"redirects to {location[:4]}"):
        claude_nb.ask("Hello", show=False)

    assert len(asked.received) == 1


def test_a_redirect_within_the_server_is_followed(asked, other):
    """As gateways add a slash; the request stays what it was."""
    answer = stream(*said("Hello."))
    moved = redirect(307, "/moved/v1/messages/")
    asked.answer = lambda sent: answer(sent) if sent.path.startswith("/moved") else moved(sent)

    assert claude_nb.ask("Hello", show=False).text == "Hello."
    assert [sent.path for sent in asked.received] == ["/v1/messages", "/moved/v1/messages/"]
    assert asked.received[0].body == asked.received[1].body


@pytest.mark.parametrize("with_own", [False, True], ids=["ours", "own"])
def test_redirects_are_not_followed_for_ever(asked, own, with_own):
    """A few, then an error that names the address."""
    asked.answer = redirect(307, "/v1/messages")

    with pytest.raises(RequestError, match=f"{asked.url}/v1/messages redirects in a loop"):
        claude_nb.ask("Hello", show=False, client=own if with_own else None)

    assert len(asked.received) == 4


def test_a_redirect_that_drops_the_prompt_is_refused(asked):
    """A POST would become a GET, which is another request."""
    asked.answer = redirect(302, "/login")

    with pytest.raises(RequestError, match=f"redirects to {asked.url}/login"):
        claude_nb.ask("Hello", show=False)

    assert len(asked.received) == 1


def test_a_client_that_was_closed_says_so(asked):
    """Its guarded copy does not open it again."""
    client = anthropic.AsyncAnthropic(http_client=httpx2.AsyncClient())
    claude_nb.ask("Hello", show=False, client=client)
    asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()

    with pytest.raises(ClaudeError):
        claude_nb.ask("Hello", show=False, client=client)

    assert len(asked.received) == 1
