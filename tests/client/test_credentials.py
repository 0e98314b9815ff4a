"""Credentials, wherever they come from: sent as they are meant, and redacted everywhere else."""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from typing import Any
from urllib.parse import quote

import anthropic
import httpx2
import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.client.connection import Connection, list_models
from claude_nb.client.credentials import remember_environment
from claude_nb.client.engine import call, engine
from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    InputError,
    RequestError,
    UnreachableError,
)
from claude_nb.recording.recording import Recording
from claude_nb.redaction import redact
from claude_nb.session.session import Session
from tests.local_server import LocalServer, stream
from tests.local_server import quote as quoting
from tests.played import said

SECRET = "my-gateway-secret"


@pytest.fixture(scope="module")
def running():
    """A server that is not the API's."""
    server = LocalServer()
    yield server
    server.close()


@pytest.fixture
def server(running, monkeypatch):
    """The same, which quotes what it is sent; the environment names it, and no key."""
    running.received.clear()
    running.answer = quoting
    monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
    return running


@pytest.fixture
def session(monkeypatch):
    """A session of this test alone."""
    made = Session()
    monkeypatch.setattr(asking, "session", made)
    return made


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_blanks_around_a_key_are_not_sent(server, monkeypatch, name):
    """They are copied with it; the network library would refuse them, and quote the key."""
    server.answer = stream(*said("Hello."))
    monkeypatch.setenv(name, f" {SECRET} \n")

    assert claude_nb.ask("Hello", show=False).text == "Hello."
    assert server.received[0].headers["authorization"] == f"Bearer {SECRET}"


def test_blanks_around_a_key_of_another_server_are_not_sent(server, session, monkeypatch):
    """Likewise for the variable that ``--key-env`` names."""
    server.answer = stream(*said("Hello."))
    monkeypatch.setenv("GATEWAY", f"{SECRET} ")
    session.connect(Connection(server.url, key_env="GATEWAY"))

    claude_nb.ask("Hello", show=False)

    assert server.received[0].headers["authorization"] == f"Bearer {SECRET}"


UNSENDABLE = [
    ("ANTHROPIC_API_KEY", "{}", "ANTHROPIC_API_KEY"),
    ("ANTHROPIC_AUTH_TOKEN", "{}", "ANTHROPIC_AUTH_TOKEN"),
    ("ANTHROPIC_CUSTOM_HEADERS", "X-Api-Key: {}", "The header X-Api-Key"),
]


@pytest.mark.parametrize("inside", ["\r", "\x07", "é", "\u200b", "漢"])
@pytest.mark.parametrize(("variable", "form", "named"), UNSENDABLE)
def test_a_key_that_cannot_be_sent_is_named_and_not_shown(
    server, monkeypatch, variable, form, named, inside
):
    """The network library would refuse it too, quoting the key."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-one")
    if variable == "ANTHROPIC_AUTH_TOKEN":
        monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv(variable, form.format(f"my-gateway{inside}secret"))

    with pytest.raises(CredentialsError) as raised:
        claude_nb.ask("Hello", show=False)

    shown = "".join(traceback.format_exception(raised.value))
    assert str(raised.value).startswith(named)
    assert "my-gateway" not in shown
    assert server.received == []


def test_an_own_client_s_key_that_cannot_be_sent_is_not_shown(server):
    """It would stand in the network library's message."""
    client = anthropic.AsyncAnthropic(auth_token=f"{SECRET} \n")

    with pytest.raises(CredentialsError) as raised:
        claude_nb.ask("Hello", show=False, client=client)

    assert SECRET not in "".join(traceback.format_exception(raised.value))


class Bearer(httpx2.Auth):
    """Adds the credential when the request is sent, as the SDKs of clouds do."""

    def auth_flow(self, request):
        request.headers["X-Goog-Session"] = f"Bearer {SECRET}"
        yield request


def by_variable(name, value, key="a-key"):
    """The credential stands in the environment."""

    def use(server, monkeypatch, session):
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        if name == "ANTHROPIC_AUTH_TOKEN":
            monkeypatch.delenv("ANTHROPIC_API_KEY")
        monkeypatch.setenv(name, value.replace("ADDRESS", server.url.removeprefix("http://")))

    return use


def by_client(**options: Any):
    """The credential is given to a client of the user's own."""

    def use(server, monkeypatch, session):
        http = options.pop("http", None)
        made = httpx2.AsyncClient(**http) if http else None
        return anthropic.AsyncAnthropic(http_client=made, **{"api_key": "a-key", **options})

    return use


def by_connecting(server, monkeypatch, session):
    """The variable is named for a connected server."""
    monkeypatch.setenv("GATEWAY", SECRET)
    session.connect(Connection(server.url, key_env="GATEWAY"))


def by_typing(server, monkeypatch, session):
    """As ``%claude_nb key`` takes it."""
    session.connect(Connection(api_key=SECRET))


BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()
FORMS = (SECRET, BASIC, base64.b64encode(f"{SECRET}:".encode()).decode())
SOURCES = {
    "API key": by_variable("ANTHROPIC_API_KEY", SECRET),
    "token": by_variable("ANTHROPIC_AUTH_TOKEN", SECRET),
    "custom header, by name": by_variable("ANTHROPIC_CUSTOM_HEADERS", f"X-Api-Key: {SECRET}"),
    "custom header, JWT": by_variable("ANTHROPIC_CUSTOM_HEADERS", f"X-Iap-Jwt-Assertion: {SECRET}"),
    "custom header, by scheme": by_variable("ANTHROPIC_CUSTOM_HEADERS", f"X-Me: Bearer {SECRET}"),
    "basic": by_variable("ANTHROPIC_CUSTOM_HEADERS", f"Authorization: Basic {BASIC}"),
    "cookie": by_variable("ANTHROPIC_CUSTOM_HEADERS", f"Cookie: a=b; session={SECRET}"),
    "in the address": by_variable("ANTHROPIC_BASE_URL", f"http://me:{SECRET}@ADDRESS"),
    "before the address": by_variable("ANTHROPIC_BASE_URL", f"http://{SECRET}@ADDRESS"),
    "connected": by_connecting,
    "typed": by_typing,
    "own client, key": by_client(api_key=SECRET),
    "own client, token": by_client(api_key=None, auth_token=SECRET),
    "own client, header": by_client(default_headers={"Authorization": f"Token {SECRET}"}),
    "own client, argument": by_client(default_query={"api_key": SECRET}),
    "own network client, header": by_client(http={"headers": {"X-Secret": SECRET}}),
    "own network client, auth": by_client(http={"auth": ("me", SECRET)}),
    "own network client, flow": by_client(http={"auth": Bearer()}),
}


@pytest.mark.parametrize("address", [f"http://me:{SECRET}@proxy:8080", f"me:{SECRET}@proxy:8080"])
def test_the_password_of_a_proxy_is_redacted(address):
    """Whether its address has a scheme or not, as the network library takes both."""
    remember_environment([("HTTPS_PROXY", address), ("NO_PROXY", "localhost,.example.com")])

    assert redact(f"me:{SECRET}, localhost") == "me:[redacted], localhost"
    assert SECRET not in redact(SECRET)
    assert BASIC not in redact(BASIC)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_credential_that_a_server_quotes_is_redacted(
    server, session, monkeypatch, tmp_path, source
):
    """In the error, in those that led to it, and in all that is saved of the reply."""
    client = source(server, monkeypatch, session)

    with pytest.raises(ClaudeError) as raised:
        claude_nb.ask("Hello", show=False, client=client)

    if client is not None:
        asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()
    (sent,) = server.received
    assert any(form in str(sent) for form in FORMS)
    error = raised.value
    Recording.of(error.reply).save(tmp_path / "reply.jsonl")
    shown = {
        "error": f"{error} {error!r} {vars(error)}",
        "traceback": "".join(traceback.format_exception(error)),
        "saved": str(error.reply._repr_mimebundle_()),
        "recorded": (tmp_path / "reply.jsonl").read_text(),
        "timeline": error.reply.timeline().output(),
    }
    assert "[redacted]" in shown["error"]
    for name, text in shown.items():
        assert [form for form in FORMS if form in text] == [], name


def test_a_short_key_is_redacted_in_errors_alone(server, monkeypatch):
    """Local servers take any word for a key, and that is a word of other texts too."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "ollama")

    with pytest.raises(ClaudeError) as raised:
        claude_nb.ask("Is ollama running?", show=False)
    server.answer = stream(*said("Yes, ollama is."))

    assert "ollama" not in str(raised.value)
    assert "ollama is" in str(claude_nb.ask("Hello", show=False)._repr_mimebundle_())


def test_a_custom_header_that_is_no_credential_is_not_redacted(server, monkeypatch):
    """Its value may be a word of any text."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Department: chemistry")
    server.answer = stream(*said("It is chemistry."))

    assert "chemistry" in str(claude_nb.ask("What?", show=False)._repr_mimebundle_())


def test_the_user_s_own_words_are_sent_as_they_are(server, monkeypatch):
    """The prompt and the history; what is shown and saved of them is redacted."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", SECRET)
    server.answer = stream(*said(f"You said {SECRET}."))
    talk = claude_nb.Conversation("talk")

    for prompt in (f"What is {SECRET}?", "Again?"):
        reply = talk.ask(prompt, show=False)

    messages = json.loads(server.received[-1].body)["messages"]
    assert messages[0]["content"] == f"What is {SECRET}?"
    assert messages[1]["content"][0]["text"] == f"You said {SECRET}."
    assert SECRET not in str(reply._repr_mimebundle_())


def test_a_proxy_s_password_is_redacted(server, monkeypatch):
    """The network library reads it from the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{quote(SECRET + '/1', safe='')}@127.0.0.1:9")
    server.answer = stream(*said(f"It is {SECRET}/1."))

    assert SECRET not in str(claude_nb.ask("Hello", show=False)._repr_mimebundle_())


def test_a_proxy_s_address_that_is_none_is_not_quoted(server, monkeypatch):
    """A slash in a password has to be encoded; without that the network library quotes a part."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.invalid")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}/1@127.0.0.1:9")

    with pytest.raises(InputError) as raised:
        Connection().client()

    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_the_exception_behind_an_error_is_redacted(server, monkeypatch):
    """A traceback, and whoever looks at ``__cause__``, would show what the server quoted."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", SECRET)

    with pytest.raises(RequestError) as raised:
        call(list_models(Connection()))

    cause = raised.value.__cause__
    assert type(cause) is anthropic.AuthenticationError
    assert "[redacted]" in str(cause.body)
    assert SECRET not in f"{cause} {cause!r} {vars(cause)}"


def test_a_password_in_an_address_is_in_no_error_and_no_name(monkeypatch):
    """However short it is."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://me:pw@127.0.0.1:9/gateway")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")

    with pytest.raises(UnreachableError) as raised:
        claude_nb.ask("Hello", show=False)

    assert Connection().origin == "http://127.0.0.1:9/gateway"
    assert "pw@" not in "".join(traceback.format_exception(raised.value))


def test_what_a_connected_server_is_not_to_have_is_redacted_too(server, session, monkeypatch):
    """A tool's error may quote the environment's key, which another server must not get."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", SECRET)
    session.connect(Connection(server.url))
    server.answer = stream(*said(f"It is {SECRET}."))

    assert SECRET not in str(claude_nb.ask("Hello", show=False)._repr_mimebundle_())
    assert server.received[0].headers["authorization"] == "Bearer simulated"
