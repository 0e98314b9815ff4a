"""The engine: one thread with an event loop, on which all streams run.

It only appends events (of several requests, if a reply needs them). Readers run on their own
threads. Any thread ends a stream by cancelling its task: nothing else ends a blocked read at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from claude_nb.client import fork, retry, waiting
from claude_nb.client.connection import close_unused
from claude_nb.client.explain import explain
from claude_nb.client.retry import Policy
from claude_nb.client.source import Source
from claude_nb.errors import ClaudeError
from claude_nb.redaction import redacted
from claude_nb.request.extra import body, without_secrets
from claude_nb.request.request import Request
from claude_nb.streaming import turns
from claude_nb.streaming.block import Block, as_dict
from claude_nb.streaming.events import (
    EventLog,
    Failed,
    RequestSent,
    Resumed,
    Stopped,
    StreamEvent,
    Unthought,
    Waiting,
)
from claude_nb.streaming.progress import Progress

T = TypeVar("T")

_LOG = logging.getLogger("claude_nb")

_PAUSES = 20
"""How often a turn is continued that the server pauses (its loop of server tools is long)."""


class Engine:
    """A daemon thread with an event loop; ``engine()`` returns the one of all streams."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            with suppress(SystemExit, KeyboardInterrupt):  # raised in one task: the others go on
                self.loop.run_forever()

    @property
    def is_current(self) -> bool:
        """Whether this is its thread, which cannot wait for what runs on it."""
        return threading.current_thread() is self._thread

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this thread, awaited on another; cancelling the wait cancels it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this thread and wait for it; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:  # an interrupt too: what nobody waits for must not go on
            future.cancel()
            raise

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Start a coroutine on the engine's thread.

        Returns:
            A function that cancels it, from any thread, at any time.
        """
        started: list[asyncio.Task[None]] = []

        def start() -> None:
            task = self.loop.create_task(coroutine)
            started.append(task)
            self._tasks.add(task)  # the loop itself holds tasks only weakly
            task.add_done_callback(self._tasks.discard)

        def cancel_task() -> None:
            # Once: a second cancellation would interrupt the closing of the connection.
            if not started[0].cancelling():
                started[0].cancel()

        def cancel() -> None:
            # Deferred by one loop iteration: a task cancelled before its first step would never
            # run its ``except``.
            self.loop.call_soon_threadsafe(self.loop.call_soon, cancel_task)

        self.loop.call_soon_threadsafe(start)
        return cancel


_engine: list[Engine] = []
_lock = threading.Lock()


def _renew() -> None:
    global _lock  # noqa: PLW0603 - one that was held when the process was forked stays held
    fork.leave(*_engine)
    _engine.clear()
    _lock = threading.Lock()


fork.in_child(_renew)


def engine() -> Engine:
    """The process's engine, started when it is first needed."""
    with _lock:
        if not _engine:
            _engine.append(Engine("claude_nb"))
        return _engine[0]


def call(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the engine's thread and return its result; an interrupt cancels it."""
    return engine().call(coroutine)


class Runner(Protocol):
    """Runs the tool calls of a reply."""

    async def run(self, calls: Sequence[Block], tell: Callable[[Any], None]) -> None:
        """Run the calls of a message, on the engine's loop; each ends with a ``ToolRan``.

        Args:
            calls: The calls, in order.
            tell: Takes the events.

        Raises:
            ClaudeError: The reply cannot go on.
        """


begun: ContextVar[list[Stream] | None] = ContextVar("begun", default=None)
"""The streams that began in this context, where somebody stops them with what began them."""


class Stream:
    """The events of one reply, as they come: ``for``, ``async for`` or ``wait``.

    Leaving a loop over it early ends the request, so that no unread text is paid for.

    Args:
        source: Where the events come from.
        request: What is asked.
        policy: How failures are retried; by default ``Policy()``.
        ended: Called once, on the engine's thread, with all events. What it raises is raised to
            the reader after the last event.
        runner: Runs the tool calls of the reply; without one the reply ends with them.
        within_limits: Lowers what each request after the first may cost, where it has to, or
            raises.

    Attributes:
        events: All events so far; the engine appends, nobody else writes.
    """

    def __init__(
        self,
        source: Source,
        request: Request,
        policy: Policy | None = None,
        *,
        ended: Callable[[EventLog], object] | None = None,
        runner: Runner | None = None,
        within_limits: Callable[[Request, Progress], Awaitable[Request]] | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self.events = EventLog()
        self._finished = threading.Event()
        self._source = source
        self._request = request
        self._progress = Progress()  # updated only where a decision needs it
        self._waiting: set[Callable[[], object]] = set()
        self._attempt = 0
        self._ended = ended
        self._error: Exception | None = None  # of ``ended``
        self._left = False  # by the reader, before the end
        self._runner = runner
        self._within_limits = within_limits
        self._cancel = engine().spawn(self._run())
        if (streams := begun.get()) is not None:
            streams.append(self)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all requests so far, as ``Reply.requests`` has them."""
        return [redacted(body(without_secrets(sent))) for sent in self._source.sent]

    @property
    def done(self) -> bool:
        """Whether no more events will come."""
        return self._finished.is_set()

    def join(self, timeout: float | None = None) -> None:
        """Block until the stream is done, or ``timeout`` seconds have passed."""
        waiting.wait(self._finished.wait, timeout)

    def stop(self) -> None:
        """End the stream now, from any thread; what came is kept."""
        self._cancel()

    async def _run(self) -> None:
        try:
            await close_unused()
            await self._answer()
        except asyncio.CancelledError:
            self._append(Stopped())
        except ClaudeError as error:
            self._append(Failed(error))
        except Exception as bug:  # noqa: BLE001 - whatever it is, the reply must say so
            ours = f"{type(bug).__name__} in claude_nb: the reply cannot continue."
            kept = "The text so far is kept."
            self._append(Failed(ClaudeError(ours, kept, detail=f"{bug!r:.300}")))
        finally:
            try:
                if self._ended is not None:
                    self._ended(self.events)
            except Exception as error:  # noqa: BLE001 - raised to the reader
                self._error = error
                if self._left:
                    _LOG.exception("The cost of a stopped stream could not be recorded.")
            finally:
                self._finished.set()
                self.wake()

    async def _answer(self) -> None:
        """Send requests until there is a whole reply, and run the tools that it calls.

        Raises:
            ClaudeError: Trying again would not help, or has not.
        """
        request = self._request
        while True:
            answered = await self._round(request)
            if self._runner is None or self._stop_reason() != "tool_use":
                return
            calls = self._so_far().messages[-1].calls
            if not calls:
                return
            await self._runner.run(calls, self._append)
            request = turns.with_results(answered, self._so_far().messages[-1])
            if self._within_limits is not None:
                request = await self._within_limits(request, self._progress)

    async def _round(self, first: Request) -> Request:
        """Send a request, again or continued if need be, until its message is whole.

        Returns:
            The request that the last message answered.

        Raises:
            ClaudeError: Trying again would not help, or has not.
        """
        request = again = first
        before = ""  # the text when the server last paused
        failures = pauses = rewritten = 0
        continues = quoted = False
        broken = ClaudeError("Nothing has failed.")
        tries = self._policy.tries
        while True:
            error = await self._send(request)
            if error is None and self._stop_reason() != "pause_turn":
                return request
            progress = self._so_far()
            last = progress.last
            paid = last is not None and last.accepted and not self._policy.pays_again
            if error is None:
                pauses += 1
                _check_pause(pauses, paid=paid)
                request = again = retry.unpaused(first, progress)
                before = retry.partial_text(progress)
                continues = False
                continue
            if (unthought := retry.unthought(request, error)) is not None:
                request = again = unthought
                first = retry.unthought(first, error) or first
                self._append(Unthought(error))
                continue
            failures += 1
            wait = self._policy.wait(error, failures)
            if not (continues and retry.refuses_form(error)):
                broken = error  # a form that was refused is not what broke the text off
            elif not quoted:
                quoted, wait = True, 0.0
            wrote = retry.partial_text(progress) != before
            if wrote and first.output is not None:
                # An answer of a form begins a new object after a break, so it is written anew
                # (documentation, "Structured outputs"): once, as all of it is paid for again.
                rewritten += 1
            if wait is None or failures >= tries or paid or rewritten > 1:
                raise broken
            self._append(Waiting(error, wait, time.time() + wait, failures + 1, tries))
            await asyncio.sleep(wait)
            continues = wrote and first.output is None
            if continues:
                request = retry.continued(first, progress, quoted=quoted)
                self._append(Resumed(broken))
            else:
                request = again

    async def _send(self, request: Request) -> ClaudeError | None:
        """Send one request and take what comes; return what broke it off, if anything did.

        What comes of a request that is not streamed is taken when all of it is there, or when it
        breaks off.
        """
        held: list[dict[str, Any]] = []
        take: Callable[[Any], None] = self._append
        try:
            async with aclosing(self._source.events(request)) as events:
                async for data in events:
                    if isinstance(data, RequestSent) and data.whole:
                        take = held.append
                    (take if type(data) is dict else self._append)(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reply must say so
            _release(error)
            return explain(error)
        finally:
            for data in held:
                self._append(data)
        return None

    def _stop_reason(self) -> Any:
        """The stop reason of the newest request's message, as ``Message`` has it; None for none."""
        for event in reversed(self.events):
            if event.attempt != self._attempt:
                return None
            if event.type == "message_delta":
                reason = as_dict(event.data.get("delta")).get("stop_reason")
                if reason and isinstance(reason, str):
                    return reason
        return None

    def _so_far(self) -> Progress:
        """What the reply has become until now."""
        self._progress.take(self.events.entries(self._progress.taken))
        return self._progress

    def _append(self, data: Any) -> None:
        moment = time.monotonic()
        if isinstance(data, StreamEvent):  # of a kept answer, at a time of its own
            moment, data = data.time, data.data
        if isinstance(data, RequestSent):
            self._attempt += 1
            runs_tools = data.runs_tools or self._runner is not None
            data = replace(data, runs_tools=runs_tools)
        self.events.record(moment, self._attempt, data)
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Let the readers look again."""
        waiting, self._waiting = self._waiting, set()
        with suppress(KeyError):  # empty: two threads may take from the same set
            while True:
                waiting.pop()()

    def wait(
        self,
        seen: int,
        timeout: float | None = None,
        ready: Callable[[], bool] = lambda: False,
    ) -> None:
        """Block until there are more than ``seen`` events, the stream is done, or time is up.

        Args:
            seen: How many events the reader has.
            timeout: Seconds, or None for as long as it takes.
            ready: Says whether there is something else to do; asked before and after ``wake``.
        """
        arrived = threading.Event()
        self.call_on_news(seen, arrived.set)
        if not ready():
            waiting.wait(arrived.wait, timeout)
        self._waiting.discard(arrived.set)

    def call_on_news(self, seen: int, wake: Callable[[], object]) -> None:
        """Call ``wake`` once, when there are more than ``seen`` events or the stream is done.

        At once if that is so already; else on the engine's thread.

        Args:
            seen: How many events the reader has.
            wake: Must not block.
        """
        self._waiting.add(wake)
        if len(self.events) > seen or self.done:
            self._waiting.discard(wake)
            wake()

    def __iter__(self) -> Iterator[StreamEvent]:
        seen, finished = 0, False
        with self._read():
            while not finished:
                self.wait(seen)
                finished, new = self.done, self.events[seen:]
                seen += len(new)
                yield from new

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        loop = asyncio.get_running_loop()
        seen, finished = 0, False
        with self._read():
            while not finished:
                arrived = asyncio.Event()
                wake = partial(loop.call_soon_threadsafe, arrived.set)
                self.call_on_news(seen, wake)
                try:
                    await arrived.wait()
                finally:
                    self._waiting.discard(wake)
                finished, new = self.done, self.events[seen:]
                seen += len(new)
                for event in new:
                    yield event

    @contextmanager
    def _read(self) -> Iterator[None]:
        """Stop the stream when its reader leaves, and raise what ``ended`` raised."""
        try:
            yield
        finally:
            self._left = True
            self.stop()
        if self._error is not None:
            raise self._error


def _check_pause(pauses: int, *, paid: bool) -> None:
    """Refuse to go on with a turn that the server paused, where that may cost too much."""
    if paid:
        raise ClaudeError("The server paused this turn.", "Continuing it costs another request.")
    if pauses > _PAUSES:
        raise ClaudeError(f"The server paused this turn {_PAUSES} times.")


def _release(error: BaseException) -> None:
    """Let go of what the frames of an exception hold: the SDK's generators, which end here then.

    Kept in a traceback, they would be collected later, by whatever thread that happens on, while
    this one's loop closes them too.
    """
    found: list[BaseException | None] = [error]
    seen: set[int] = set()
    while found:
        each = found.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            traceback.clear_frames(each.__traceback__)
            found += [each.__cause__, each.__context__]
