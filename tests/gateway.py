"""A small HTTP server that answers every request in one way, as no API would."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gateway(ThreadingHTTPServer):
    """The server.

    Attributes:
        body: What it answers.
        bodies: What it answers instead where a path ends so.
        headers: The headers of its answers, beside ``Content-Length``.
        status: Their status.
        paths: The paths that it was asked for.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = b""
        self.bodies: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.status = 200
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Answer any request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.paths.append(self.path)
        path = self.path.partition("?")[0]
        found = [body for end, body in self.server.bodies.items() if path.endswith(end)]
        body = found[0] if found else self.server.body
        self.send_response_only(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - as the server calls them

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def running() -> Iterator[Gateway]:
    """Run one."""
    with Gateway() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
