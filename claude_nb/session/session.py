"""What the cells of one process share: the connection, the ledger, the budget, the last reply."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from claude_nb.client import fork
from claude_nb.client.connection import Connection
from claude_nb.errors import ClaudeError, InputError
from claude_nb.session.ledger import Ledger
from claude_nb.session.request_log import RequestLog

if TYPE_CHECKING:
    from claude_nb.client.source import Source
    from claude_nb.recording.replay import Recorder, RecordingStore
    from claude_nb.reply import Reply
    from claude_nb.session.budget import Budget
    from claude_nb.simulator import Simulator
    from claude_nb.simulator.replies import Reply as SimulatedReply


class Session:
    """What one process shares between its cells.

    Attributes:
        ledger: What was spent.
        budget: What may be spent, or None for no limit.
        cache: What was sent with a system prompt that is cached.
        last: The newest reply, complete or not.
        model: The model that cells ask where a server is connected, or an empty string.
        recorder: What saves replies, or None.
        library: The recordings that are replayed instead of asking, or None.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.budget: Budget | None = None
        self.cache = RequestLog()
        self.last: Reply | None = None
        self.model = ""
        self.recorder: Recorder | None = None
        self.library: RecordingStore | None = None
        self._api = Connection()  # with the environment's key, or one that was entered
        self._server: Connection | None = None  # another one, which was connected
        self._server_model = ""
        self._simulator: Simulator | None = None
        self._simulate = os.environ.get("CLAUDE_NB_SIMULATE", "") not in ("", "0")
        self._simulate_later = False  # when the server is disconnected
        self._lock = threading.Lock()

    @property
    def simulated(self) -> bool:
        """Whether requests go to the simulator."""
        return self._simulate

    def simulate(self, on: bool, *, speed: float = 1.0, seed: int = 0) -> None:  # noqa: FBT001
        """Send requests to the simulator, or to the API again.

        Args:
            on: Which of the two.
            speed: Factor on the pace of its replies.
            seed: The same seed and prompt give the same stream.
        """
        with self._lock:
            self._answer(self._server, simulate=on)
            if self._simulator is not None:
                self._simulator.stop()
                self._simulator = None
            if on:
                self._simulator = self._start(speed, seed)

    def simulate_next(self, *replies: SimulatedReply) -> None:
        """Set what the next simulated replies are, instead of scripts.

        Args:
            *replies: One for each request, tried again or not.

        Raises:
            InputError: The simulator is off.
        """
        if not self._simulate:
            raise InputError("The simulator is off.", "Turn it on: %claude_nb simulate on")
        self.connection()
        with self._lock:
            if self._simulator is not None:
                self._simulator.enqueue(*replies)

    def connect(self, server: Connection, *, model: str = "") -> None:
        """Send requests to another server, until ``disconnect``.

        Args:
            server: Where to.
            model: The model that cells ask there, or an empty string for theirs.
        """
        self._simulate_later = self._simulate_later or self._simulate
        self._server_model = model
        self._answer(server, simulate=False)

    def choose_model(self, model: str) -> None:
        """Let cells ask this model of the server that is connected."""
        self._server_model = self.model = model

    def disconnect(self) -> None:
        """Send requests to what answered before a server was connected: the API or the simulator.

        A simulator that was turned on since goes on answering.
        """
        self._server_model = ""
        self._answer(None, simulate=self._simulate or self._simulate_later)
        self._simulate_later = False

    def _answer(self, server: Connection | None, *, simulate: bool) -> None:
        """Let the simulator answer from now on, or this server, or the API."""
        self._server, self._simulate = server, simulate
        self.model = "" if simulate else self._server_model

    def enter_key(self, key: str) -> None:
        """Send requests to the API, with a key that was typed."""
        self._simulate_later = False
        self.disconnect()
        self.simulate(on=False)
        self._api = Connection(api_key=key)

    def describe_key(self) -> str:
        """Where the key comes from, or that there is none and what to do; never the key."""
        if self.library is not None:
            return f"Answered from the recordings in {self.library.name}; no key needed."
        if self._simulate:
            return "Answered by the simulator; no key needed."
        try:
            return f"key: {(self._server or self._api).key_source()}"
        except ClaudeError as error:
            return str(error)

    def connection(self, client: Any = None) -> Connection:
        """Where the next request goes; nowhere while recordings are replayed.

        Args:
            client: The user's own ``anthropic.AsyncAnthropic``, or None for the session's server.

        Raises:
            InputError: The environment names a pace for the simulator that is none.
        """
        if self.library is not None:
            return Connection(replayed=True)
        if client is not None:
            return Connection(own_client=client)
        if not self._simulate:
            return self._server or self._api
        with self._lock:
            if self._simulator is None:
                self._simulator = self._start(_speed(), 0)
            return Connection(simulated=True, simulator=self._simulator)

    def source(self, live: Source) -> Source:
        """Where events come from: ``live``, or recordings in its place."""
        if self.library is None:
            return live
        from claude_nb.recording.replay import ReplaySource

        return ReplaySource(self.library, live)

    def keep(self, reply: Reply) -> None:
        """Save a reply that has ended, if replies are recorded."""
        if self.recorder is not None:
            try:
                self.recorder.keep(reply)
            except InputError as error:  # the reply itself is there, and paid for
                warnings.warn(f"The reply was not recorded: {error}", stacklevel=2)

    def warm_up(self) -> Iterator[None]:
        """Make ready what the first request needs, in steps; the import of the SDK is the longest.

        A simulator is started only where it is what answers.
        """
        with suppress(ClaudeError):  # the request itself will say what is wrong
            self.connection()
        for name in ("pydantic", "httpx2", "anthropic"):  # first what others may need too
            yield
            import_module(name)
        yield
        with suppress(ClaudeError):
            self.connection().client()

    def _start(self, speed: float, seed: int) -> Simulator:
        from claude_nb.simulator import Simulator

        pace = speed if speed > 0 else math.inf
        return Simulator(speed=pace, seed=seed, record=False).launch()

    def renew(self) -> None:
        """In a forked process: ask the parent's simulator, unless it was still starting."""
        self._lock = threading.Lock()
        if self._simulator is not None and not self._simulator.listens:
            fork.leave(self._simulator)
            self._simulator = None


_SPEED = "CLAUDE_NB_SIMULATE_SPEED"


def _speed() -> float:
    """The pace of the simulator that the environment names."""
    named = os.environ.get(_SPEED) or "1"
    with suppress(ValueError):
        if (speed := float(named)) >= 0:
            return speed
    raise InputError(f"{_SPEED} is {named!r}, not a factor.", f"For example: %env {_SPEED}=0.5")


session = Session()
"""The process's session."""

fork.in_child(session.renew)
