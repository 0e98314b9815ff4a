"""A small server on this machine, which answers as a test says and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from claude_nb.simulator.wire import sse

if TYPE_CHECKING:
    from collections.abc import Callable


class Sent(NamedTuple):
    """A request as it arrived: its headers have lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """A response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class LocalServer:
    """Answers requests by a function, and keeps them.

    Attributes:
        answer: What a request is answered with.
        received: The requests so far.
        url: The address.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Sent], Answer] = quote
        self.received: list[Sent] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                sent = Sent(self.command, self.path, headers, self.rfile.read(length))
                outer.received.append(sent)
                found = outer.answer(sent)
                self.send_response(found.status)
                for name, value in (*found.headers, ("content-length", str(len(found.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(found.body)

            do_GET = do_POST = respond  # noqa: N815 - the names are http.server's

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


def quote(sent: Sent) -> Answer:
    """A 401 that quotes all that it was sent, as careless gateways do."""
    text = f"Not allowed: {sent.path} {json.dumps(sent.headers)}"
    error = {"type": "error", "error": {"type": "authentication_error", "message": text}}
    return Answer(401, json.dumps(error).encode(), (("content-type", "application/json"),))


def redirect(status: int, location: str) -> Callable[[Sent], Answer]:
    """Redirects each request."""
    return lambda _: Answer(status, b"", (("location", location),))


def stream(*events: dict[str, Any]) -> Callable[[Sent], Answer]:
    """Streams these events."""
    body = b"".join(map(sse, events))
    return lambda _: Answer(200, body, (("content-type", "text/event-stream"),))
