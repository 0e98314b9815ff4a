"""Other servers that speak the Messages API: what they get, and what they lack."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb.asking import asking
from claude_nb.client.engine import call
from claude_nb.errors import CredentialsError, InputError, RequestError, ServerError
from claude_nb.magics import commands, connections, magics
from claude_nb.session.session import session as the_session
from claude_nb.simulator import wire
from tests.played import block, end, said, start

SECRET = "ambient-secret"


class Server:
    """A server on this machine that answers what it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("content-length") or 0)
                path = self.path.partition("?")[0]
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.received.append((path, headers, self.rfile.read(length)))
                status, body = outer.answers.get(path, (404, b'{"error":"Unexpected endpoint"}'))
                self.send_response(status)
                sse = body.startswith((b"event", b"data"))
                self.send_header("content-type", "text/event-stream" if sse else "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815 - the names are http.server's

            def log_message(self, *_: object):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stream(self, *events: dict, path="/v1/messages"):
        """Answer with these events."""
        self.answers[path] = (200, b"".join(map(wire.sse, events)))

    def json(self, path, value, status=200):
        """Answer with this JSON."""
        self.answers[path] = (status, json.dumps(value).encode())

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def other():
    """A server that is not the API's."""
    running = Server()
    yield running
    running.close()


@pytest.fixture
def server(other, monkeypatch):
    """It, without what an earlier test told it, and a user whose environment is full of keys."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", SECRET)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"X-Corp: {SECRET}\nAuthorization: {SECRET}")
    other.answers.clear()
    other.received.clear()
    yield other
    the_session.__init__()  # without the key that was entered


def connect(line, capsys):
    """What ``%claude_nb connect`` prints."""
    commands.execute(f"connect {line}", "claude-opus-5-5")
    return capsys.readouterr().out


def cell(line="", prompt="Hi"):
    """Run a cell, and return its reply."""
    shell = InteractiveShell()
    shell.register_magics(magics.ClaudeMagics(shell, tries=1))
    shell.run_cell_magic("claude", f"--once {line}", prompt)
    return claude_nb.last()


def test_no_ambient_key_goes_to_another_server(server, capsys):
    """Not the key, not the token, not a header that is meant for the company's own gateway."""
    server.stream(*said("Hello"))
    assert "a dummy" in connect(f"{server.url} --model qwen3", capsys)
    assert cell().text == "Hello"
    _, headers, body = server.received[-1]
    assert SECRET not in repr(headers)
    assert headers["authorization"] == "Bearer simulated"
    assert json.loads(body)["model"] == "qwen3"
    assert "thinking" not in json.loads(body)


def test_a_key_that_is_named_goes_there_and_is_never_shown(server, capsys, monkeypatch):
    """The variable is named, its value is not; without a value nothing is sent."""
    server.stream(*said("Hello"))
    with pytest.raises(CredentialsError, match="LOCAL_KEY is not set"):
        connect(f"{server.url} --key-env LOCAL_KEY --model m", capsys) and cell()
    assert server.received == []
    monkeypatch.setenv("LOCAL_KEY", "local-secret")
    shown = capsys.readouterr().out + connect(f"{server.url} --key-env LOCAL_KEY", capsys)
    assert cell("-m m").text == "Hello"
    assert server.received[-1][1]["authorization"] == "Bearer local-secret"
    assert "LOCAL_KEY" in shown
    assert "local-secret" not in shown


def test_connect_off_goes_back(server, capsys):
    """To the API, with the key of the environment."""
    connect(f"{server.url} --model qwen3", capsys)
    assert "ANTHROPIC_API_KEY" in connect("off", capsys)
    assert asking.session.model == ""


def test_what_is_typed_for_a_key_looks_like_one(server, capsys, monkeypatch):
    """Where it goes to Anthropic: the one in use stays. A gateway's key may look as it likes."""
    monkeypatch.setattr(connections, "getpass", lambda _: "hello")
    with pytest.raises(InputError, match="not look like an Anthropic key"):
        commands.execute("key", "claude-opus-5-5")
    assert "ANTHROPIC_API_KEY" in the_session.describe_key()

    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    commands.execute("key", "claude-opus-5-5")
    assert "entered with %claude_nb key" in capsys.readouterr().out


def test_a_key_on_the_line_is_refused_and_not_repeated():
    """It would be saved with the notebook."""
    with pytest.raises(InputError, match="asks for the key, so that") as raised:
        commands.execute(f"key {SECRET}", "claude-opus-5-5")
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("http://localhost:8080/v1/", "http://localhost:8080"),
        ("https://gw.example/anthropic/v1/messages", "https://gw.example/anthropic"),
    ],
)
def test_addresses_are_taken_as_people_copy_them(typed, there):
    """The SDK puts the path behind it itself."""
    assert connections._address(typed) == there


@pytest.mark.parametrize(
    ("line", "said_there"),
    [
        ("", r"takes URL\|off .* For example: %claude_nb connect http://localhost:8080"),
        ("ftp://x", "not the address"),
        ("http://", "not the address"),
        ("http://user:pw@host", "holds a password"),
        ("localhost:1 --key sk", "--key"),
        ("localhost:1 --model", "--model"),
    ],
)
def test_what_is_no_connection(line, said_there, capsys):
    """Nothing is changed."""
    with pytest.raises(InputError, match=said_there):
        connect(line, capsys)
    assert "dummy" not in asking.session.describe_key()


def test_models_of_another_server(server, capsys):
    """The only one is taken; of several one has to be named; a server may list none."""
    shown = connect(server.url, capsys)
    assert f"No list of models: There is nothing at {server.url}/v1/models (404)." in shown
    server.json("/v1/models", {"object": "list", "data": [{"id": "qwen3", "object": "model"}]})
    assert "Cells ask qwen3" in connect(server.url, capsys)
    assert asking.session.model == "qwen3"
    server.json("/v1/models", {"data": [{"id": "a"}, {"id": "b"}]})
    assert "a, b" in connect(server.url, capsys)
    assert asking.session.model == ""
    assert "qwen3" not in repr(commands.execute("models", "m"))


def test_what_cannot_be_counted_cannot_be_limited(server, capsys):
    """A dry run and a limit say why, and nothing is sent."""
    connect(f"{server.url} --model qwen3", capsys)
    for option in ("--dry-run", "--max-cost 1"):
        with pytest.raises(InputError, match="does not count tokens"):
            cell(option)
    assert {path for path, *_ in server.received} == {"/v1/messages/count_tokens"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "model not loaded"}, RequestError),  # Ollama, LM Studio
        (400, {"error": {"code": 400, "message": "model not loaded"}}, RequestError),  # llama.cpp
        (422, {"detail": "model not loaded"}, RequestError),  # FastAPI
        (500, {"object": "error", "message": "model not loaded"}, ServerError),  # vLLM
        (401, {"detail": [{"msg": "model not loaded"}]}, RequestError),
    ],
)
def test_errors_in_other_shapes(server, capsys, status, body, error):
    """The server's own words come through."""
    server.json("/v1/messages", body, status)
    connect(f"{server.url} --model m", capsys)
    with pytest.raises(error, match="model not loaded"):
        cell()


@pytest.mark.parametrize(
    "events",
    [
        [  # neither ids nor usage
            {"type": "message_start", "message": {"role": "assistant", "content": []}},
            *block(0, {"type": "text_delta", "text": "Hello"}, type="text", text=""),
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ],
        [  # a text that is not opened
            start(),
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "Hello"},
            },
            *end(),
        ],
        [  # blocks that are interleaved
            start(),
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "thinking", "thinking": ""},
            },
            {
                "type": "content_block_start",
                "index": 1,
                "content_block": {"type": "text", "text": ""},
            },
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "text_delta", "text": "Hel"},
            },
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "thinking_delta", "thinking": "Hm"},
            },
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "text_delta", "text": "lo"},
            },
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_stop", "index": 1},
            *end(),
        ],
    ],
    ids=["nothing-but-text", "unopened", "interleaved"],
)
def test_streams_in_other_shapes(server, capsys, events):
    """What is there is shown, and what is not is unknown."""
    server.stream(*events)
    connect(f"{server.url} --model m", capsys)
    reply = cell()
    assert (reply.text, str(reply.outcome)) == ("Hello", "complete")
    assert reply.usage.output_tokens == (15 if events[0] == start() else None)


def test_an_error_inside_the_stream_in_another_shape(server, capsys):
    """Its words come through too."""
    server.stream(start(), {"type": "error", "error": "out of memory"})
    connect(f"{server.url} --model m", capsys)
    with pytest.raises(ServerError, match="out of memory"):
        cell()


def test_without_streaming_and_without_batches(server, capsys):
    """A plain answer of a small server; and that it has no batches is said."""
    message = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
    server.json("/v1/messages", {"type": "message", **message})
    connect(f"{server.url} --model m", capsys)
    assert cell("--no-stream").text == "Hello"
    with pytest.raises(RequestError, match="this server has no batches"):
        claude_nb.batch(["x"], model="m", show=False)


@pytest.mark.parametrize(
    "make",
    [
        lambda url: anthropic.AsyncAnthropic(base_url=url, api_key="k"),
        lambda url: anthropic.AsyncAnthropicFoundry(base_url=url, api_key="k"),
        lambda url: anthropic.AsyncAnthropicAWS(
            base_url=url, api_key="k", aws_region="r", workspace_id="w"
        ),
    ],
    ids=["first-party", "foundry", "aws"],
)
def test_the_sdk_s_other_clients(api, make):
    """Whichever of the asynchronous ones is passed: streamed and as a whole."""
    client = make(api.base_url)
    for stream in (True, False):
        reply = claude_nb.ask("sky blue", client=client, stream=stream, show=False)
        assert reply.text.startswith("The sky is blue")
    call(client.close())
