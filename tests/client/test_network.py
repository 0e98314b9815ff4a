"""Addresses, proxies, certificates, headers and profiles that are wrong: each by its cause."""

from __future__ import annotations

import json
import os
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anthropic
import pytest

import claude_nb
from claude_nb.client.connection import Connection, count_tokens, list_models
from claude_nb.client.engine import call
from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    InputError,
    RequestError,
    UnreachableError,
)
from claude_nb.simulator import Simulator

SELF_SIGNED = Path(__file__).with_name("self_signed.pem")
"""A certificate for localhost, and its key."""


@contextmanager
def server(*, tls=False, connect=407):
    """The port of a server that knows no path, and as a proxy answers ``connect``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.answer(404, b'{"error": "no such path"}')

        def do_CONNECT(self):
            self.answer(connect, b"")

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object):
            pass

    running = Quiet(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(SELF_SIGNED)
        running.socket = context.wrap_socket(running.socket, server_side=True)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running.server_port
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="module")
def ports():
    """The ports of the servers that answer, by what they are."""
    with server() as http, server(tls=True) as tls, server(connect=502) as refusing:
        yield {"http": http, "tls": tls, "refusing": refusing}


@pytest.fixture
def failure(ports, monkeypatch):
    """The error of a question in an environment, in which ports stand by their names."""
    for name in ("HTTP", "HTTPS", "ALL", "NO"):
        monkeypatch.delenv(f"{name}_PROXY", raising=False)
        monkeypatch.delenv(f"{name}_proxy".lower(), raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")

    def ask(environment, client=None):
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(**ports))
        with pytest.raises(ClaudeError) as raised:
            claude_nb.ask("Hi", show=False, client=client)
        return raised.value

    return ask


NOT_AN_ADDRESS = "ANTHROPIC_BASE_URL is not the address of a server."
ADDRESSES = [
    ("nonsense", "http:// or https://"),
    ("localhost:8080", "http:// or https://"),
    ("ftp://gateway.example", "http:// or https://"),
    ("http://", "name of a server"),
    ("http://gate way.example", "name of a server"),
    ("http://gateway.example:99999", "no port 99999"),
    ("http://gateway.example:0", "no port 0"),
    ("http://gateway.example:abc", "Invalid port: 'abc'"),
    ("http://gateway.example/v1?code=1234567890", "Leave out the"),
    ("http://gateway.example/v1#top", "Leave out the"),
    ("http://☃.invalid", "Invalid IDNA hostname"),
]


@pytest.mark.parametrize(("url", "why"), ADDRESSES)
def test_what_is_no_address_is_refused(failure, url, why):
    """Before anything is sent, with the reason and with one that would do."""
    error = failure({"ANTHROPIC_BASE_URL": url})

    assert (type(error), error.what) == (InputError, NOT_AN_ADDRESS)
    assert why in error.detail
    assert "%env ANTHROPIC_BASE_URL=http://localhost:8080" in error.advice


@pytest.mark.parametrize("url", ["{http}/v1", "{http}/v1/", "{http}/v1/messages"])
def test_an_address_that_ends_in_the_api_s_path(failure, ports, url):
    """The cause is named, and the line that mends it; a dry run says it too."""
    error = failure({"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{url}"})
    root = f"http://127.0.0.1:{ports['http']}"

    assert type(error) is InputError
    assert error.what.startswith("The server's address ends in /v1")
    assert error.advice == f"Leave it out: %env ANTHROPIC_BASE_URL={root}"
    with pytest.raises(InputError, match="address ends in /v1"):
        call(count_tokens(Connection(), {"model": "m", "messages": []}))


def test_a_client_s_address_that_ends_in_the_api_s_path(failure, ports):
    """It is named as an argument, for it stands in no variable."""
    root = f"http://127.0.0.1:{ports['http']}"
    client = anthropic.AsyncAnthropic(base_url=f"{root}/v1", api_key="not-a-key", max_retries=0)

    error = failure({}, client)

    assert error.advice == f'Leave it out: base_url="{root}"'
    call(client.close())


def test_a_server_without_the_api_is_named(failure, ports):
    """With its address; the model's id is only one of the causes."""
    error = failure({"ANTHROPIC_BASE_URL": "http://127.0.0.1:{http}"})

    assert type(error) is RequestError
    assert error.what == f"There is nothing at http://127.0.0.1:{ports['http']}/v1/messages (404)."
    assert error.detail == "no such path"


def test_a_path_that_the_server_has_not_is_named(api, failure):
    """Where the server's "Not found" says no more, the cause may be the address."""
    error = failure({"ANTHROPIC_BASE_URL": f"{api.base_url}/V1"})

    assert error.what == f"There is nothing at {api.base_url}/V1/v1/messages (404)."


def test_blanks_around_an_address_and_an_empty_one_do_no_harm(monkeypatch):
    """As in files that are read line by line; empty is as if it were not set."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    for typed, there in ((" http://h:8080 \n", "http://h:8080"), ("", "https://api.anthropic.com")):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", typed)
        assert str(Connection().client().base_url) == Connection().origin == there


REACHED = [
    ("http://127.0.0.1:9", UnreachableError, "cannot be reached.", "Connection refused."),
    ("http://no.invalid", UnreachableError, "http://no.invalid cannot", "A name was not found"),
    ("http://127.0.0.1:{tls}", UnreachableError, "closed the connection", "begins with https://"),
    ("https://127.0.0.1:{http}", InputError, "did not answer in TLS", "begin with http://"),
    ("https://localhost:{tls}", InputError, "self-signed", "%env SSL_CERT_FILE="),
    ("http://user:secret@127.0.0.1:9", UnreachableError, "http://127.0.0.1:9 cannot", "refused"),
]


@pytest.mark.parametrize(("url", "kind", "what", "more"), REACHED)
def test_a_server_that_cannot_be_reached(failure, url, kind, what, more):
    """Its address, the cause and what to do; what will fail again is not tried again."""
    error = failure({"ANTHROPIC_BASE_URL": url})

    assert type(error) is kind
    assert what in error.what
    assert more in f"{error.detail} {error.advice}"
    assert "secret" not in str(error)


def test_a_certificate_for_another_name(failure):
    """The server is to be asked by that name."""
    trusted = {"SSL_CERT_FILE": str(SELF_SIGNED)}
    error = failure({"ANTHROPIC_BASE_URL": "https://127.0.0.1:{tls}", **trusted})

    assert "certificate is not valid for '127.0.0.1'" in error.what
    assert error.advice == "Ask the server by the name that its certificate is for."


def test_a_certificate_that_is_named_is_trusted(failure, ports, monkeypatch):
    """Of a server on this machine too, whether the environment or a command names it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
    error = failure({"ANTHROPIC_BASE_URL": "https://localhost:{tls}"})
    with pytest.raises(ClaudeError) as raised:
        call(list_models(Connection(base_url=f"https://localhost:{ports['tls']}")))

    assert error.status == 404  # so it was asked
    assert raised.value.status == 501


PROXIES = [
    ("socks5://127.0.0.1:9", "HTTPS_PROXY names a SOCKS proxy", "%pip install 'httpx2[socks]'"),
    ("socks://127.0.0.1:9", "kind socks://", "%env HTTPS_PROXY=socks5://127.0.0.1:9"),
    ("ftp://127.0.0.1:9", "kind ftp://", "%env HTTPS_PROXY=http://proxy.example:8080"),
    ("http://user:secret@127.0.0.1:abc", "HTTPS_PROXY is not the address", "Invalid port"),
    ("http://user:secret@127.0.0.1:9", "(through the proxy of HTTPS_PROXY) cannot", "refused"),
    ("http://127.0.0.1:99999", "(through the proxy of HTTPS_PROXY) cannot", "0-65535"),
    ("http://127.0.0.1:{http}", "requires a user name and password (407)", "USER:PASSWORD"),
    ("http://127.0.0.1:{refusing}", "(through the proxy of HTTPS_PROXY) cannot", "502 Bad"),
    ("https://127.0.0.1:{http}", "or of the proxy of HTTPS_PROXY did not answer in TLS", "http://"),
    ("http://127.0.0.1:{tls}", "closed the connection", "%env HTTPS_PROXY="),
]


@pytest.mark.parametrize(("url", "what", "more"), PROXIES)
def test_a_proxy_that_is_wrong(failure, url, what, more):
    """The variable that names it, the cause and what to type; never its password."""
    error = failure({"ANTHROPIC_BASE_URL": "https://gateway.invalid", "HTTPS_PROXY": url})

    assert what in error.what
    assert more in f"{error.detail} {error.advice}"
    assert "secret" not in str(error)


def test_a_server_on_this_machine_is_asked_without_a_proxy(api, failure, monkeypatch):
    """Also where the environment names it: a proxy elsewhere does not know it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert claude_nb.ask("sky blue", show=False).text.startswith("The sky is blue")


SETTINGS = [
    ("SSL_CERT_FILE", "/no/such.pem", "SSL_CERT_FILE is /no/such.pem", "No such file"),
    ("SSL_CERT_FILE", os.devnull, "holds no readable certificate", "%env SSL_CERT_FILE="),
    ("ANTHROPIC_CUSTOM_HEADERS", "X-Å: secret", "A header holds", "ANTHROPIC_CUSTOM_HEADERS"),
    ("ANTHROPIC_CUSTOM_HEADERS", "a b: secret", "A header holds", "ANTHROPIC_CUSTOM_HEADERS"),
    ("ANTHROPIC_CUSTOM_HEADERS", "X-A: a\rsecret", "The header X-A holds", "as Name: value"),
]


@pytest.mark.parametrize(("name", "value", "what", "more"), SETTINGS)
def test_a_setting_that_is_wrong(failure, name, value, what, more):
    """The variable and what to type, without what may be secret in it."""
    error = failure({"ANTHROPIC_BASE_URL": "http://127.0.0.1:{http}", name: value})

    assert type(error) is InputError
    assert what in error.what
    assert more in f"{error.detail} {error.advice}"
    assert "secret" not in str(error)


def test_a_host_without_a_proxy_that_is_none(failure):
    """``NO_PROXY`` is named, though it is the network library that reads it."""
    error = failure({"ANTHROPIC_BASE_URL": "https://gateway.invalid", "NO_PROXY": "http://a:b"})

    assert error.what == "NO_PROXY contains an invalid host name."
    assert "%env NO_PROXY=localhost" in error.advice


PROFILES = [
    ({"authentication": {"type": "user_oauth"}}, "Credentials file not found"),
    ({"authentication": {"type": "magic"}}, "Unknown authentication.type 'magic'"),
    ({}, "missing the 'authentication' object"),
]


@pytest.mark.parametrize(("profile", "words"), PROFILES)
def test_a_profile_that_cannot_be_used(failure, monkeypatch, tmp_path, profile, words):
    """The SDK's own words say why, whenever it notices; it is not the server's fault."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "default.json").write_text(json.dumps(profile))
    (tmp_path / "configs" / "default.json").chmod(0o600)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))

    error = failure({"ANTHROPIC_BASE_URL": "http://127.0.0.1:{http}", "ANTHROPIC_API_KEY": ""})

    assert (type(error), error.what) == (CredentialsError, "The credentials cannot be read.")
    assert words in error.detail
    assert "%claude_nb key" in error.advice


def test_an_identity_that_cannot_be_exchanged(failure):
    """A token endpoint that answers nonsense is a matter of credentials."""
    identity = {"IDENTITY_TOKEN": "jwt", "FEDERATION_RULE_ID": "r", "ORGANIZATION_ID": "o"}
    environment = {f"ANTHROPIC_{name}": value for name, value in identity.items()}

    error = failure(
        {"ANTHROPIC_BASE_URL": "http://127.0.0.1:{http}", "ANTHROPIC_API_KEY": "", **environment}
    )

    assert type(error) is CredentialsError
    assert "Token exchange failed" in error.detail


def test_what_is_to_be_done_depends_on_who_named_the_server(failure):
    """The simulator is started again, a server that was connected can be left."""
    gone = Simulator()
    with gone:
        url = gone.base_url
    client = anthropic.AsyncAnthropic(base_url=url, api_key="not-a-key", max_retries=0)
    advice = {
        Connection(base_url=url, simulated=True): "%claude_nb simulate on starts",
        Connection(base_url=url): "%claude_nb connect off",
        Connection(own_client=client): "client=",
        Connection(): "network connection",
    }

    assert all(words in connection.advice for connection, words in advice.items())
    assert "client=" in failure({}, client).advice
    call(client.close())


def test_what_the_sdk_refuses_is_not_the_server_s_mistake():
    """Nothing came from a server yet: it is the request that is wrong."""
    client = anthropic.AsyncAnthropicBedrock(
        aws_region="r", aws_access_key="k", aws_secret_key="s", base_url="http://127.0.0.1:9"
    )
    with pytest.raises(InputError, match=r"The SDK cannot send this request\. Token counting"):
        call(count_tokens(Connection(own_client=client), {"model": "m", "messages": []}))
    call(client.close())
