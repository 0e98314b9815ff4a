"""A thread that waits for a reply, and meanwhile runs what has to run on it."""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

T = TypeVar("T")


class _Job:
    """A function to be run, and the engine's coroutine that waits for what it returns."""

    def __init__(self, function: Callable[[], Any], context: Context) -> None:
        self._function = function
        self._context = context
        self._loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self.result: asyncio.Future[Any] = self._loop.create_future()
        self._lock = threading.Lock()
        self._thread: int | None = None  # on which it runs
        self._dropped = False

    def run(self) -> None:
        """Run it on this thread, unless nobody waits for it any more."""
        value: Any = None
        error: BaseException | None = None
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
        except BaseException as raised:  # noqa: BLE001 - SystemExit too: it is the tool's, not ours
            error = raised
        self._loop.call_soon_threadsafe(self._finish, value, error)

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        if self.result.done():
            return
        if isinstance(error, KeyboardInterrupt):  # ours, or the function's own
            self.result.cancel()
        elif error is not None:
            self.result.set_exception(ordinary(error))
        else:
            self.result.set_result(value)

    def drop(self) -> bool:
        """Nobody waits for it any more; say whether it runs on the main thread just now."""
        with self._lock:
            self._dropped = True
            return self._thread == threading.main_thread().ident

    @property
    def is_to_break_off(self) -> bool:
        """Whether it runs although nobody waits for it."""
        return self._dropped and self._thread is not None


class MainThreadRunner:
    """Takes functions from the engine, and has them run on the thread that works here.

    That is the main thread if it takes its place; otherwise each has a thread of its own, one at a
    time. A thread cannot be interrupted unless it is the main one: what runs too long on another is
    left to itself.

    Args:
        awaits: Whether a thread is going to say if it works here.

    Attributes:
        is_taken: Whether the main thread works here.
    """

    def __init__(self, *, awaits: bool = True) -> None:
        self.is_taken = False
        self._awaits = awaits
        self._jobs: deque[_Job] = deque()
        self._lock = threading.Lock()
        self._current: _Job | None = None
        self._wake: Callable[[], object] = lambda: None
        self._interrupts = 0  # signals that were sent from here, and have not arrived

    def take(self, wake: Callable[[], object]) -> None:
        """Say that this thread waits for the reply, and ``work``s here if it is the main one.

        Args:
            wake: Wakes this thread when there is work.
        """
        with self._lock:
            self._awaits = False
            self.is_taken = threading.current_thread() is threading.main_thread()
            self._wake = wake
        if not self.is_taken:
            self.leave()

    def leave(self) -> None:
        """Say that no thread works here: each function gets one of its own."""
        with self._lock:
            self._awaits = False
            while self._jobs:
                _start(self._jobs.popleft())

    def has_work(self) -> bool:
        """Whether there is something to run."""
        return bool(self._jobs)

    async def run(
        self,
        function: Callable[[], Any],
        context: Context,
        begin: Callable[[], None],
        limit: float | None = None,
    ) -> Any:
        """Have a function run, and return what it returns.

        Args:
            function: What it raises is raised here.
            context: The context variables that it sees.
            begin: Called right before it may begin.
            limit: Seconds that it may run.

        Raises:
            TimeUpError: They are over; it is broken off.
        """
        job = _Job(function, context)
        begin()
        with self._lock:
            if self.is_taken or self._awaits:
                self._jobs.append(job)
                self._wake()
            else:
                _start(job)
        try:
            await job.begun
            return await in_time(job.result, limit)
        finally:
            if job.drop():  # it runs on
                self._interrupts += 1
                _interrupt_main()

    def work(self) -> None:
        """Run what there is to run."""
        while self._jobs:
            self._current = self._jobs.popleft()
            try:
                self._current.run()
            finally:
                self._current = None

    def takes_interrupt(self) -> bool:
        """Say whether an interrupt came from here, for the handler of SIGINT.

        Raises:
            KeyboardInterrupt: It did, and is meant for the function that runs.
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
    """Wait for something, but no longer than so many seconds.

    Raises:
        TimeUpError: They are over.
    """
    try:
        async with asyncio.timeout(limit) as clock:
            return await running
    except TimeoutError:
        if clock.expired():
            raise TimeUpError from None
        raise  # the function's own


def ordinary(error: BaseException) -> Exception:
    """An error of a function's as one that ends nothing but its call."""
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


def _start(job: _Job) -> None:
    threading.Thread(target=job.run, name="claude_nb tool", daemon=True).start()


def _interrupt_main() -> None:
    """End what blocks the main thread, a ``sleep`` or a read too."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
