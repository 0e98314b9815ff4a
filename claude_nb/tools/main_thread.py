"""Runs functions for the engine on the main thread while that thread waits for a reply."""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class _Job:
    """A function to run, and the engine's coroutine that waits for its result."""

    def __init__(self, function: Callable[[], Any], context: Context) -> None:
        self._function = function
        self._context = context
        self._loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self.result: asyncio.Future[Any] = self._loop.create_future()
        self._lock = threading.Lock()
        self._thread: int | None = None  # the one that runs it
        self._dropped = False

    def run(self) -> None:
        """Run it on this thread, unless nobody waits for it any more."""
        value: Any = None
        error: RaisedError | None = None
        with self._lock:
            if self._dropped:
                return
            self._thread = threading.get_ident()
        self._loop.call_soon_threadsafe(self._begin)
        try:
            try:
                value = self._context.copy().run(self._function)
            finally:
                self._thread = None
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it is the function's
            error = RaisedError(raised)
        self._loop.call_soon_threadsafe(self._finish, value, error)

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _finish(self, value: Any, error: RaisedError | None) -> None:
        if self.result.done():
            return
        if error is not None:
            self.result.set_exception(error)
        else:
            self.result.set_result(value)

    def drop(self) -> bool:
        """Stop waiting for it, and return whether it is running on the main thread."""
        with self._lock:
            self._dropped = True
            return self._thread == threading.main_thread().ident

    @property
    def is_to_break_off(self) -> bool:
        """Whether it is still running although nobody waits for it."""
        return self._dropped and self._thread is not None


class MainThreadRunner:
    """Runs functions for the engine on the main thread, if that thread waits for the reply.

    Otherwise each function gets a thread of its own. Only the main thread can be interrupted: a
    function that takes too long on another thread runs on, and nobody waits for it.

    Args:
        expects_thread: Whether a thread will call ``attach`` or ``detach``; functions wait for it.

    Attributes:
        is_attached: Whether the main thread runs the functions.
    """

    def __init__(self, *, expects_thread: bool = True) -> None:
        self.is_attached = False
        self._expects_thread = expects_thread
        self._jobs: deque[_Job] = deque()
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()
        self._current: _Job | None = None
        self._wake: Callable[[], object] = lambda: None
        self._interrupts = 0  # signals that this object sent and that have not arrived

    def attach(self, wake: Callable[[], object]) -> None:
        """Run the functions on this thread, if it is the main one: it calls ``run_pending``.

        Args:
            wake: Wakes this thread when there is a function to run.
        """
        if threading.current_thread() is not threading.main_thread():
            self.detach()
            return
        with self._lock:
            self._expects_thread = False
            self.is_attached = True
            self._wake = wake

    def detach(self) -> None:
        """Run each function on a thread of its own."""
        with self._lock:
            self._expects_thread = False
            while self._jobs:
                _start(self._jobs.popleft())

    def has_pending(self) -> bool:
        """Whether there is a function to run."""
        return bool(self._jobs)

    async def run(
        self,
        context: Context,
        function: Callable[[], Any],
        begin: Callable[[], None],
        limit: float | None = None,
    ) -> Any:
        """Run one function after another on the right thread, and return its result.

        Args:
            context: The context variables that it sees.
            function: The function.
            begin: Called just before it may begin.
            limit: Seconds that it may take.

        Raises:
            RaisedError: The function raised something.
            TimeUpError: It took longer, and was interrupted if it ran on the main thread.
        """
        async with self._turn:
            job = _Job(function, context)
            begin()
            with self._lock:
                if self.is_attached or self._expects_thread:
                    self._jobs.append(job)
                    self._wake()
                else:
                    _start(job)
            try:
                await job.begun
                return await in_time(job.result, limit)
            finally:
                if job.drop():  # it is still running
                    self._interrupts += 1
                    _interrupt_main()

    def run_pending(self) -> None:
        """Run the functions that are there, on this thread."""
        while self._jobs:
            self._current = self._jobs.popleft()
            try:
                self._current.run()
            finally:
                self._current = None

    def handle_interrupt(self) -> bool:
        """Return whether this object sent the interrupt that SIGINT's handler received.

        Raises:
            KeyboardInterrupt: It did, to end the function that is running.
        """
        if not self._interrupts:
            return False
        self._interrupts -= 1
        if self._current is not None and self._current.is_to_break_off:
            raise KeyboardInterrupt
        return True


class TimeUpError(Exception):
    """A function took too long."""


async def in_time(running: Awaitable[T], limit: float | None) -> T:
    """Wait for something, at most ``limit`` seconds.

    Raises:
        TimeUpError: It took longer.
    """
    try:
        async with asyncio.timeout(limit) as clock:
            return await running
    except TimeoutError:
        if clock.expired():
            raise TimeUpError from None
        raise  # the function's own


class RaisedError(Exception):
    """A function of the user's raised ``error``, which ends its call and nothing else.

    By itself it could be taken for a stop (``CancelledError``), end a thread (``SystemExit``), or
    be refused by a future (``StopIteration``).
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(type(error)))
        self.error = error


def contained(function: Callable[..., T], *args: Any) -> T:
    """Call a function of the user's.

    Raises:
        RaisedError: It raised something, whatever that is.
    """
    try:
        return function(*args)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        raise RaisedError(error) from None


def _start(job: _Job) -> None:
    threading.Thread(target=job.run, name="claude_nb tool", daemon=True).start()


def _interrupt_main() -> None:
    """Interrupt the main thread, even in a ``sleep`` or a read."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
