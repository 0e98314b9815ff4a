"""``Simulator``: the server's process, seen from the process that started it."""

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal, Self, TypeAlias

from claude_nb.simulator.replies import Received, Reply, from_json, to_json

Endpoint: TypeAlias = Literal["messages", "batches", "results", "files"]

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class Simulator:
    """A server on this computer that speaks the Messages API, in a separate process.

    It needs no key and no network. It understands nothing and answers from fixed scripts (see
    :mod:`claude_nb.simulator.scripts`), or with exactly what :meth:`enqueue` was given. Every
    answer can be recognised: its message id begins with ``msg_sim_``, its request id with
    ``req_sim_``, and its ``server`` header says ``claude_nb-simulator``.

    The two processes talk over the child's standard input and output, so nobody else can, and
    the child ends when the parent does, however that ends.

    Example::

        with Simulator() as simulator:
            client = anthropic.Anthropic(base_url=simulator.base_url, api_key="not-a-key")

    Args:
        speed: Factor on the pace of scripted replies. 1 is about 80 deltas a second, 0.2 a fifth of
            that, ``math.inf`` as fast as the connection takes them.
        seed: Where the variation in delta sizes and pace begins. The same seed and request give
            the same stream (cache usage apart, which depends on the requests before).
        record: Whether ``requests`` and ``wait_for`` are to be used. Each request holds all
            messages before it, so a long-lived simulator does better without.

    Raises:
        ValueError: If ``speed`` is not above 0.
    """

    def __init__(self, *, speed: float = 1.0, seed: int = 0, record: bool = True) -> None:
        if not speed > 0:
            raise ValueError(f"speed is a factor above 0, or math.inf; {speed!r} is not")
        self.speed = speed
        self.seed = seed
        self.record = record
        self._process: subprocess.Popen[str] | None = None
        self._starter = 0  # the process that started it; one that is forked from it can only ask
        self._reader: threading.Thread | None = None
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._port = 0
        self._commands = 0
        self._answered = 0
        self._listed: dict[int, list[Reply]] = {}  # by the number of the command that asked
        self._unused: list[tuple[Reply, str]] = []
        self._ended = False
        self._requests: dict[int, Received] = {}  # by number

    @property
    def base_url(self) -> str:
        """The address for the SDK's ``base_url``; after ``launch`` it waits until it is known.

        Raises:
            RuntimeError: If the simulator is not running, or ended before it listened.
        """
        if not (self._port and self._process):
            self._running()
            with self._changed:
                self._changed.wait_for(lambda: self._port or self._ended)
        if not self._port:
            self.stop()
            raise RuntimeError("the simulator's process ended before it listened")
        return f"http://127.0.0.1:{self._port}"

    @property
    def listens(self) -> bool:
        """Whether the server takes connections, or did until it was stopped."""
        return bool(self._port)

    @property
    def is_running(self) -> bool:
        """Whether it was started by this process and has not ended."""
        process = self._process
        return process is not None and self._starter == os.getpid() and process.poll() is None

    @property
    def requests(self) -> tuple[Received, ...]:
        """The requests since the start or :meth:`forget`, the oldest first.

        It outlives :meth:`stop`.
        """
        if self._process is not None:
            self._command({"do": "sync"})
        with self._changed:
            return tuple(self._requests.values())

    def start(self) -> Self:
        """Start the server and wait until it listens; nothing happens if it is running.

        Returns:
            This simulator.

        Raises:
            RuntimeError: If the process ended before it listened.
        """
        self.launch()
        _ = self.base_url
        return self

    def launch(self) -> Self:
        """Start the server without waiting until it listens; nothing happens if it is running.

        Returns:
            This simulator.
        """
        if self._process is not None:
            return self
        self._port = self._commands = self._answered = 0
        self._starter = os.getpid()
        self._ended = False
        self._requests = {}
        # The server needs no credentials, and with -P no module beside a notebook gets in its way.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
        paths = [str(_PACKAGE_PARENT), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        command = [sys.executable, "-P", "-m", "claude_nb.simulator"]
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [*command, "--speed", str(self.speed), "--seed", str(self.seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
            # An interrupt of the kernel goes to its whole process group: the server is not in it.
            start_new_session=True,
        )
        _launched.add(self)
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="simulator", daemon=True
        )
        self._reader.start()
        return self

    def stop(self) -> None:
        """End the process and its connections; nothing happens if it is not running.

        In a process that was forked from the one that started it, it is only forgotten.
        """
        process = self._process
        if self._starter != os.getpid():
            return
        self._process = None
        if process is None or process.stdin is None or process.stdout is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join()
        process.stdout.close()

    def enqueue(self, *replies: Reply, at: Endpoint = "messages") -> None:
        """Set what the next ``POST /v1/messages`` get, one reply each, instead of a script.

        Args:
            *replies: Sent in this order, after those that are still waiting. A ``Scripted`` cuts
                the lines of a batch's results, and loses the answer to a batch that was taken in;
                one with ``None`` events changes nothing.
            at: The endpoint: ``batches`` to create, read, list or cancel a batch, ``results`` for
                its results, ``files`` to upload a file.

        Raises:
            RuntimeError: If the simulator is not running.
        """
        sent = [to_json(reply) for reply in replies]
        self._command({"do": "enqueue", "at": at, "replies": sent})

    def drain(self) -> None:
        """Remove the queued replies, so that scripts answer again.

        Raises:
            RuntimeError: If the simulator is not running.
        """
        self._command({"do": "drain"})

    def queued(self, at: Endpoint = "messages") -> list[Reply]:
        """The queued replies.

        Args:
            at: The endpoint.

        Raises:
            RuntimeError: If the simulator is not running.
        """
        number = self._command({"do": "list", "at": at})
        return self._listed.pop(number)

    def take_unused(self) -> list[tuple[Reply, str]]:
        """Return the replies that did not apply to the request that got them, each with the reason.

        Each is returned once. The request was answered as if none had been enqueued.

        Raises:
            RuntimeError: If the simulator is not running.
        """
        self._command({"do": "sync"})
        with self._changed:
            found, self._unused = self._unused, []
        return found

    def adjust(self, *, speed: float, seed: int) -> None:
        """Set the pace and the seed; unfinished replies continue at the new pace.

        Args:
            speed: As for the class.
            seed: As for the class.

        Raises:
            RuntimeError: If the simulator is not running.
        """
        self.speed, self.seed = speed, seed
        self._command({"do": "adjust", "speed": speed, "seed": seed})

    def forget(self) -> None:
        """Forget the requests received so far: ``requests`` and ``wait_for`` begin anew.

        Each holds all messages before it, so many of them take much memory.

        Raises:
            RuntimeError: If the simulator is not running.
        """
        self._command({"do": "sync"})
        with self._changed:
            self._requests = {}

    def advance(self, seconds: float) -> None:
        """Move the clock of the prompt cache, batches and files forward, without waiting.

        Args:
            seconds: 0 or more. Of the rest, only the memory of its diagnosis goes by this clock.

        Raises:
            ValueError: If ``seconds`` is below 0, or not finite.
            RuntimeError: If the simulator is not running.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds is a number from 0; {seconds!r} is not")
        self._command({"do": "advance", "seconds": seconds})

    def wait_for(
        self, condition: Callable[[Sequence[Received]], Any], timeout: float = 20.0
    ) -> tuple[Received, ...]:
        """Wait until the received requests satisfy a condition.

        Args:
            condition: Gets the requests (at least all that a client has got an answer to), again
                at every change. It must not use this simulator.
            timeout: Seconds.

        Returns:
            The requests that satisfied it.

        Raises:
            RuntimeError: If the simulator is not running.
            TimeoutError: If they did not in time.
        """
        self._command({"do": "sync"})
        with self._changed:
            if not self._changed.wait_for(
                lambda: condition(tuple(self._requests.values())), timeout
            ):
                seen = [f"{request.method} {request.path}" for request in self._requests.values()]
                raise TimeoutError(f"no such requests within {timeout} s; received: {seen}")
            return tuple(self._requests.values())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the simulator is not running; start() starts it")
        if self._starter != os.getpid():
            raise RuntimeError("the process that started the simulator alone can command it")
        return self._process

    def _command(self, command: dict[str, Any]) -> int:
        """Send a command and wait until the child has carried it out; return its number.

        All events that the child sent before have been read then.
        """
        process = self._running()
        if process.stdin is None:
            raise RuntimeError("the simulator's process takes no commands")
        with self._writing:
            self._commands += 1
            number = self._commands
            try:
                process.stdin.write(json.dumps(command) + "\n")
                process.stdin.flush()
            except BrokenPipeError:
                raise RuntimeError("the simulator's process has ended") from None
        with self._changed:
            self._changed.wait_for(lambda: self._answered >= number or self._ended)
            if self._answered < number:
                raise RuntimeError("the simulator's process has ended")
        return number

    def _read(self, output: IO[str]) -> None:
        """Read the child's events, on a thread of its own."""
        for line in output:
            event = json.loads(line)
            with self._changed:
                match event["event"]:
                    case "listening":
                        self._port = event["port"]
                    case "done":
                        self._answered += 1
                        if "replies" in event:
                            self._listed[self._answered] = [*map(from_json, event["replies"])]
                    case "unused":
                        self._unused.append((from_json(event["reply"]), event["why"]))
                    case "received" if self.record:
                        received = Received(**event["request"])
                        self._requests[received.number] = received
                    case "changed" if event["number"] in self._requests:
                        number = event["number"]
                        self._requests[number] = replace(self._requests[number], **event["fields"])
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


_launched: weakref.WeakSet[Simulator] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked process: let the servers end when the process that started them closes them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for simulator in _launched:
        process = simulator._process  # noqa: SLF001
        if process is not None and process.stdin is not None and not process.stdin.closed:
            os.dup2(nowhere, process.stdin.fileno(), inheritable=False)
    os.close(nowhere)


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_let_go)
