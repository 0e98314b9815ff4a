"""The SDK's clients for other platforms hand out the wire's dicts as its own client does."""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import anthropic
import pytest

import claude_nb
from claude_nb.simulator.wire import sse
from tests.played import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = recorded("thinking")


def header(name: str, value: str) -> bytes:
    """A header of an AWS event stream whose value is a string."""
    return (
        struct.pack("!B", len(name))
        + name.encode()
        + struct.pack("!BH", 7, len(value))
        + (value.encode())
    )


def frame(event: dict[str, object]) -> bytes:
    """An event as Bedrock sends it: in a message of an AWS event stream."""
    headers = header(":event-type", "chunk") + header(":message-type", "event")
    body = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    start = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = start + struct.pack("!I", zlib.crc32(start)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


class Platform(BaseHTTPRequestHandler):
    """Streams the reply, whatever the address under which a platform has it."""

    def do_POST(self) -> None:
        """Answer in the platform's form."""
        self.rfile.read(int(self.headers["content-length"]))
        self.server.paths.append(self.path)
        encode, kind = sse, "text/event-stream"
        if "/invoke" in self.path:  # as Bedrock calls its streams
            encode, kind = frame, "application/vnd.amazon.eventstream"
        body = b"".join(map(encode, EVENTS))
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def platform() -> Iterator[ThreadingHTTPServer]:
    """A server that answers as every platform does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Platform) as server:
        server.paths = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


CLIENTS = {
    "/v1/messages": [
        (anthropic.AsyncAnthropic, {"api_key": "x"}),
        (anthropic.AsyncAnthropicFoundry, {"api_key": "x"}),
        (anthropic.AsyncAnthropicAWS, {"api_key": "x", "workspace_id": "w", "aws_region": "r"}),
        (anthropic.AsyncAnthropicBedrockMantle, {"api_key": "x", "aws_region": "r"}),
        (
            anthropic.AsyncAnthropicGoogleCloud,
            {"skip_auth": True, "project": "p", "location": "l", "workspace_id": "w"},
        ),
    ],
    "/invoke-with-response-stream": [
        (anthropic.AsyncAnthropicBedrock, {"api_key": "x", "aws_region": "r"}),
    ],
    ":streamRawPredict": [
        (anthropic.AsyncAnthropicVertex, {"access_token": "x", "region": "r", "project_id": "p"}),
    ],
}


@pytest.mark.parametrize(
    ("path", "kind", "options"),
    [(path, *client) for path, clients in CLIENTS.items() for client in clients],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_its_events_are_the_wires_dicts(platform, path, kind, options):
    """Each event as it was sent, by the platform's own address and encoding."""
    client = kind(base_url=f"http://127.0.0.1:{platform.server_port}", **options)

    reply = claude_nb.ask("Hello", client=client, show=False)

    assert platform.paths[-1].endswith(path)
    came = [event.data for event in reply.events if isinstance(event.data, dict)]
    assert came == [event for event in EVENTS if event["type"] != "ping"]
    assert reply.outcome == "complete"
