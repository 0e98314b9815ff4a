"""The HTTP server: records requests, refuses bad ones, answers the others at their pace."""

import asyncio
import contextlib
import json
import random
import socket
import struct
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import chain, islice
from typing import Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, RequestHandler

from claude_nb.simulator import breaking, catalogue, fallbacks, paging, tokens, validation, wire
from claude_nb.simulator.batches import LARGEST_BODY as _LARGEST_BATCH
from claude_nb.simulator.batches import Batch, Batches
from claude_nb.simulator.cache import Diagnostics, PromptCache
from claude_nb.simulator.refusals import RefusalError, invalid, not_found
from claude_nb.simulator.replies import (
    End,
    Ended,
    Error,
    Raw,
    Received,
    Reply,
    Scripted,
    Stream,
    to_json,
)
from claude_nb.simulator.responses import respond
from claude_nb.simulator.uploads import LARGEST_FILE, File, Files
from claude_nb.simulator.wire import Event

_UNRECORDED = {"authorization", "x-api-key", "cookie", "proxy-authorization"}
_LARGEST_BODY = 32 * 2**20
"""Bytes; the API's own limit for a message request."""


_EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
_JSON = {"Content-Type": "application/json"}
_WHOLE = Scripted(None, end="close")
_LINES_AT_ONCE = 20
"""Lines of a batch's results that are sent together."""


@dataclass(slots=True)
class State:
    """The state that requests share.

    Attributes:
        speed: Factor on the pace.
        seed: Where the variation begins.
        report: Gets the events: what is received, how it ends, which fault did not apply.
        queues: Replies that take the place of an endpoint's own, by its name.
        received: How many requests there were.
        cache: The prompt prefixes that were seen.
        diagnostics: What is known of earlier requests, to say why a later one missed the cache.
        batches: The batches of all accounts.
        files: The files of all accounts.
        ahead: Seconds that the clock of these is ahead of the real one.
    """

    speed: float
    seed: int
    report: Callable[[dict[str, Any]], None]
    queues: dict[str, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    received: int = 0
    cache: PromptCache = field(default_factory=PromptCache)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    batches: Batches = field(default_factory=Batches)
    files: Files = field(default_factory=Files)
    ahead: float = 0.0

    def now(self) -> float:
        """Return the time by which entries of the cache live, in seconds."""
        return time.monotonic() + self.ahead

    def date(self) -> datetime:
        """Return the time by which batches are processed, and files expire."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)


def _parsed(body: bytes) -> Any:
    """The JSON of a request; half a character, which JSON can escape, is refused as the API does.

    Raises:
        ValueError: It is not JSON, or holds half a character.
    """
    found = json.loads(body)
    if b"\\ud" in body or b"\\uD" in body:
        json.dumps(found, ensure_ascii=False).encode()
    return found


class _Handler(RequestHandler):
    """Reports each request; answers errors in the API's shape; paces and ends bodies."""

    largest_body = _LARGEST_BODY
    cut = _WHOLE
    ended: Ended | None = None

    def initialize(self, state: State) -> None:
        self.state = state
        self.number = state.received
        self.sent = 0
        self.over = False
        self.left = asyncio.Event()
        state.received += 1
        self.request_id = f"req_sim_{state.seed}_{self.number:06d}"
        # A body that was dropped must not be finished by tornado after all.
        self._auto_finish = False
        self.too_large = len(self.request.body) > self.largest_body
        self.json: Any = None
        if not self.too_large and not self.is_form:
            with contextlib.suppress(ValueError, RecursionError):
                self.json = _parsed(self.request.body)
        headers = {name.lower(): value for name, value in self.request.headers.get_all()}
        received = Received(
            number=self.number,
            method=self.request.method or "",
            path=self.request.path,
            headers={k: v for k, v in headers.items() if k not in _UNRECORDED},
            body=self.json if len(self.request.body) <= _LARGEST_BODY else None,
            at=time.monotonic(),
        )
        state.report({"event": "received", "request": asdict(received)})

    @property
    def is_form(self) -> bool:
        """Whether the body is a form, which holds a file."""
        return self.request.headers.get("Content-Type", "").startswith("multipart/form-data")

    @property
    def account(self) -> str:
        """The account: the key or token of the request."""
        headers = self.request.headers
        return headers.get("authorization") or headers.get("x-api-key", "")

    def resolved(self, request: Any) -> Any:
        """Return a message request with its files in the place of their ids."""
        return self.state.files.resolved(request, self.account, self.state.date())

    def set_default_headers(self) -> None:
        self.set_header("Server", "claude_nb-simulator")

    def prepare(self) -> None:
        self.set_header("request-id", self.request_id)
        # Without it every delta would wait for the acknowledgement of the one before.
        _stream(self.request).set_nodelay(True)
        if self.too_large:
            self.fail(Error(413, "request_too_large", "Request exceeds the maximum size"))

    @property
    def betas(self) -> list[str]:
        """The betas that the request names."""
        return validation.betas(self.request.headers.get("anthropic-beta"))

    def start(self, status: int, headers: dict[str, str]) -> None:
        """Set status and headers of the answer."""
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)

    def fail(self, error: Error) -> None:
        """Answer with an error in the API's shape."""
        self.start(error.status, {"request-id": self.request_id} | error.headers)
        body = {"type": error.type, "message": error.message}
        self.finish({"type": "error", "error": body, "request_id": self.request_id})

    def write_error(self, status_code: int, **details: Any) -> None:
        _, problem, _ = details.get("exc_info", (None, None, None))
        if isinstance(problem, RefusalError):
            self.fail(problem.error)
            return
        kind = {404: "not_found_error", 405: "invalid_request_error"}.get(status_code, "api_error")
        self.fail(Error(status_code, kind, HTTPStatus(status_code).phrase))

    def log_exception(self, kind: Any, problem: Any, trace: Any) -> None:
        if not isinstance(problem, RefusalError):
            super().log_exception(kind, problem, trace)

    def on_connection_close(self) -> None:
        self.left.set()
        self.end(client_left=time.monotonic())

    def on_finish(self) -> None:
        self.end()

    def end(self, *, client_left: float | None = None) -> None:
        """Report that the reply is over, once."""
        if self.over:
            return
        self.over = True
        fields = {"sent": self.sent, "ended": time.monotonic(), "client_left": client_left}
        self.state.report({"event": "changed", "number": self.number, "fields": fields})

    def page_query(self) -> dict[str, Any]:
        """Return the query of a list: ``limit``, ``after_id`` and ``before_id``."""
        names = ("limit", "after_id", "before_id")
        asked = {n: value for n in names if (value := self.get_query_argument(n, None))}
        limit = asked.get("limit", "20")
        return asked | {"limit": int(limit) if limit.isdecimal() else 0}

    async def replaced(self, endpoint: str, headers: dict[str, str] = _JSON) -> bool:
        """Answer with the next reply in an endpoint's queue; return whether the answer is complete.

        A ``Scripted`` is kept as ``cut`` and an ``Ended`` as ``ended``, for the endpoint's own
        answer.
        """
        queue = self.state.queues[endpoint]
        match queue.popleft() if queue else None:
            case Error() as error:
                self.fail(error)
            case Stream() as stream:
                self.start(200, headers | stream.headers)
                timed = ((stream.delay, wire.sse(event)) for event in stream.events)
                await self.send(timed, stream.end)
            case Raw() as raw:
                self.start(raw.status, headers | raw.headers)
                await self.send(((raw.delay, chunk) for chunk in raw.chunks), raw.end)
            case Scripted() as cut:
                self.cut = cut
            case Ended() as ended:
                self.ended = ended
        return self._finished or self.over

    async def send(self, timed: Iterable[tuple[float, bytes]], end: End) -> None:
        """Write a body chunk by chunk.

        Args:
            timed: For each chunk the seconds since the one before, and its bytes.
            end: How the body ends.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            for gap, chunk in timed:
                if gap:
                    # Against a deadline, so that late wake-ups do not add up.
                    due += gap
                    await self.pause(due - loop.time())
                self.write(chunk)
                await self.flush()
                self.sent += 1
            if self.sent == 0:
                await self.flush()  # the headers
            await self.conclude(end)
        except StreamClosedError:
            self.left.set()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the client.

        Raises:
            StreamClosedError: If the client left.
        """
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self.left.wait()
        except TimeoutError:
            return
        raise StreamClosedError

    async def conclude(self, end: End) -> None:
        """End the body and, unless it ends as HTTP says, the connection."""
        if end == "close":
            self.finish()
        elif end == "hang":
            await self.left.wait()
        else:
            self.end()
            stream = _stream(self.request)
            if end == "reset":
                # Lingering for 0 seconds makes a close a reset.
                linger = struct.pack("ii", 1, 0)
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            stream.close()


def _stream(request: HTTPServerRequest) -> IOStream:
    """Return the connection of a request, to end it in ways that HTTP does not know."""
    return cast("HTTP1Connection", request.connection).stream


class _Messages(_Handler):
    async def post(self) -> None:
        if await self.replaced("messages", _EVENT_STREAM):
            return
        request = self.valid_request()
        state, now = self.state, self.state.now()
        rng = random.Random(f"{state.seed} {_fingerprint(request)}")  # noqa: S311  (not a secret)
        head, answer, found = respond(request, rng, state.cache, now, self.ended, betas=self.betas)
        if self.ended and breaking.ended(answer, self.ended, request) is None:
            self.unused("the reply had no text")
        head["diagnostics"] = state.diagnostics.compare(request, now)
        started, usage = fallbacks.usages(request, answer, found)
        display = catalogue.thinking_display(request)
        timed = wire.events(head, answer, (started, usage), display, rng)

        def begun() -> None:
            state.cache.keep(found)
            state.diagnostics.remember(head["id"], request, now)

        if not request.get("stream"):
            if self.cut.events is not None:
                self.unused("the request was not streamed")
            with contextlib.suppress(StreamClosedError):  # it takes as long as to stream it
                await self.pause(sum(gap for gap, _ in timed) / (state.speed * self.cut.pace))
                begun()
                self.finish(wire.message(head, answer, usage, display))
            return
        self.start(200, _EVENT_STREAM)
        timed = self.cut_short(timed)

        def paced() -> Iterator[tuple[float, bytes]]:
            for gap, event in timed:
                yield gap / (state.speed * self.cut.pace), wire.sse(event)
                if event.get("type") == "message_start":
                    begun()

        await self.send(paced(), self.cut.end)

    def valid_request(self) -> dict[str, Any]:
        """Return the request, if the API would take it.

        Raises:
            RefusalError: It would not.
        """
        request: dict[str, Any] = self.resolved(self.json)
        error = validation.problem(request, self.betas)
        error = error or fallbacks.problem(request, self.betas)
        if error is not None:
            self.unused("the request was refused")
            raise RefusalError(error)
        return request

    def cut_short(self, timed: Iterator[tuple[float, Event]]) -> Iterator[tuple[float, Event]]:
        """Return the timed events that are sent: all, or those that ``cut`` leaves."""
        kept = self.cut.events
        if kept == "middle":
            every = list(timed)
            timed = iter(every)
            kept = breaking.events_before([event for _, event in every])
            if kept is None:
                self.unused("the reply had no content")
                self.cut = _WHOLE
        return chain(islice(timed, kept), ((0.0, event) for event in self.cut.then))

    def unused(self, why: str) -> None:
        """Report that what was queued does not apply to this request, if something was."""
        queued = self.ended or self.cut
        if queued is not _WHOLE:
            self.state.report({"event": "unused", "reply": to_json(queued), "why": why})


def _fingerprint(request: dict[str, Any]) -> str:
    """Return what a reply's variation depends on: whether thinking is shown changes no more."""
    thinking = request.get("thinking")
    if thinking:
        request = request | {"thinking": {**thinking, "display": None}}
    return json.dumps(request, sort_keys=True)


class _CountTokens(_Handler):
    def post(self) -> None:
        request = self.resolved(self.json)
        if (error := validation.problem(request, self.betas, counting=True)) is not None:
            raise RefusalError(error)
        self.finish({"input_tokens": tokens.of_request(request)})


class _Models(_Handler):
    def get(self) -> None:
        stages = self.get_query_arguments("lifecycle[]")  # as the SDK writes a list
        asked: dict[str, Any] = {"lifecycle": stages} if stages else {}
        self.finish(catalogue.page(**self.page_query(), **asked))


class _Model(_Handler):
    def get(self, identifier: str) -> None:
        self.finish(catalogue.info(identifier))


class _Batch(_Handler):
    """A handler for batches."""

    def find(self, identifier: str) -> Batch:
        """Return a batch of the account.

        Raises:
            RefusalError: There is none of this id.
        """
        return self.state.batches.find(identifier, self.account)

    def info(self, batch: Batch) -> dict[str, Any]:
        """Return a batch as the API describes it."""
        base = f"{self.request.protocol}://{self.request.host}"
        return batch.info(self.state.date(), f"{base}/v1/messages/batches/{batch.id}/results")


class _Batches(_Batch):
    largest_body = _LARGEST_BATCH

    async def post(self) -> None:
        if await self.replaced("batches"):
            return
        state = self.state
        account = self.account
        batch = state.batches.create(
            self.json,
            account,
            state.date(),
            state.speed,
            state.seed,
            resolved=lambda request: state.files.resolved(request, account, state.date()),
            betas=self.betas,
        )
        if self.cut.events is not None:  # created, but the answer is lost
            await self.send((), self.cut.end)
        else:
            self.finish(self.info(batch))

    async def get(self) -> None:
        if await self.replaced("batches"):
            return
        page = paging.page(self.state.batches.ids(self.account), **self.page_query())
        self.finish(page | {"data": [self.info(self.find(found)) for found in page["data"]]})


class _OneBatch(_Batch):
    async def get(self, identifier: str) -> None:
        if not await self.replaced("batches"):
            self.finish(self.info(self.find(identifier)))

    def delete(self, identifier: str) -> None:
        batch = self.find(identifier)
        if self.state.date() < batch.ends():
            message = "A batch cannot be deleted before its processing has ended."
            raise RefusalError(invalid(message))
        self.state.batches.delete(batch)
        self.finish({"id": batch.id, "type": "message_batch_deleted"})


class _CancelBatch(_Batch):
    async def post(self, identifier: str) -> None:
        if await self.replaced("batches"):
            return
        batch = self.find(identifier)
        if self.state.date() >= batch.ends():
            message = "A batch cannot be canceled after its processing has ended."
            raise RefusalError(invalid(message))
        batch.canceled = batch.canceled or self.state.date()
        self.finish(self.info(batch))


class _BatchResults(_Batch):
    async def get(self, identifier: str) -> None:
        if await self.replaced("results"):
            return
        batch = self.find(identifier)
        if self.info(batch)["results_url"] is None:
            raise RefusalError(not_found(f"batch: {identifier} has no results"))
        self.set_header("Content-Type", "application/x-jsonl")
        lines = batch.results(self.state.cache, self.state.now())
        at_once = _LINES_AT_ONCE if self.cut.events is None else 1
        pieces = iter(lambda: b"".join(islice(lines, at_once)), b"")
        kept = None if self.cut.events == "middle" else self.cut.events
        await self.send(((0.0, line) for line in islice(pieces, kept)), self.cut.end)


class _Files(_Handler):
    largest_body = LARGEST_FILE + 2**16

    async def post(self) -> None:
        if await self.replaced("files"):
            return
        if not self.is_form:
            raise RefusalError(invalid("Content-Type: should be multipart/form-data"))
        sent, state = self.request, self.state
        file = state.files.create(sent.files, sent.body_arguments, self.account, state.date())
        self.finish(file.info())

    def get(self) -> None:
        limit, page = self.page_query()["limit"], self.get_query_argument("page", "")
        ids = self.get_query_arguments("ids[]")
        self.finish(self.state.files.page(self.account, self.state.date(), limit, page, ids))


class _OneFile(_Handler):
    def find(self, identifier: str) -> File:
        """Return a file of the account.

        Raises:
            RefusalError: There is none of this id.
        """
        return self.state.files.find(identifier, self.account, self.state.date())

    def get(self, identifier: str) -> None:
        self.finish(self.find(identifier).info())

    def delete(self, identifier: str) -> None:
        self.state.files.delete(self.find(identifier))
        self.finish({"id": identifier, "type": "file_deleted"})


class _FileContent(_OneFile):
    def get(self, identifier: str) -> None:
        self.find(identifier)
        raise RefusalError(invalid("A file that was uploaded cannot be downloaded"))


class _Unknown(_Handler):
    def prepare(self) -> None:
        super().prepare()
        raise RefusalError(not_found("Not found"))


def listen(state: State, port: int = 0) -> tuple[HTTPServer, int]:
    """Serve the API to programs on this machine, as long as the event loop runs.

    Args:
        state: Shared by all requests.
        port: The port; 0 for any that is free.

    Returns:
        The server, and its port.

    Raises:
        OSError: The port is in use, or not allowed.
    """
    listening = socket.create_server(("127.0.0.1", port))
    listening.setblocking(False)  # noqa: FBT003
    # A little more than the API's own limit, so that it is the handler that answers 413.
    server = HTTPServer(_application(state), max_buffer_size=LARGEST_FILE + 2**24)
    server.add_socket(listening)
    return server, listening.getsockname()[1]


def _application(state: State) -> Application:
    shared = {"state": state}
    return Application(
        [
            (r"/v1/messages", _Messages, shared),
            (r"/v1/messages/count_tokens", _CountTokens, shared),
            (r"/v1/messages/batches", _Batches, shared),
            (r"/v1/messages/batches/([^/]+)", _OneBatch, shared),
            (r"/v1/messages/batches/([^/]+)/cancel", _CancelBatch, shared),
            (r"/v1/messages/batches/([^/]+)/results", _BatchResults, shared),
            (r"/v1/files", _Files, shared),
            (r"/v1/files/([^/]+)", _OneFile, shared),
            (r"/v1/files/([^/]+)/content", _FileContent, shared),
            (r"/v1/models", _Models, shared),
            (r"/v1/models/([^/]+)", _Model, shared),
        ],
        default_handler_class=_Unknown,
        default_handler_args=shared,
        log_function=lambda _: None,  # ``report`` gets them
    )
