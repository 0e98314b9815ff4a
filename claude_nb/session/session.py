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
from claude_nb.request.host import host
from claude_nb.session.ledger import Ledger
from claude_nb.session.request_log import RequestLog

if TYPE_CHECKING:
    from claude_nb.client.source import Source
    from claude_nb.recording.replay import Recorder, RecordingStore
    from claude_nb.reply import Reply
    from claude_nb.session.budget import Budget
    from claude_nb.simulator import Simulator


class Session:
    """What one process shares between its cells.

    Attributes:
        ledger: What was spent.
        budget: What may be spent, or None for no limit.
        cache: What was sent with a system prompt that is cached.
        last: The newest reply, complete or not.
        shown: The texts of the replies that executions have shown, by the numbers of these.
        model: The model that cells ask where a server is connected, or an empty string.
        recorder: What saves replies, or None.
        library: The recordings that are replayed instead of asking, or None.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.budget: Budget | None = None
        self.cache = RequestLog()
        self.last: Reply | None = None
        self.shown: dict[int, dict[str, None]] = {}
        self.model = ""
        self.recorder: Recorder | None = None
        self.library: RecordingStore | None = None
        self._api = Connection()  # with the environment's key, or one that was entered
        self._server: Connection | None = None  # another one, which was connected
        self._server_model = ""
        self._simulator: Simulator | None = None
        self._speed: float | None = None  # of the simulator, where they are not the environment's
        self._seed: int | None = None
        self._simulate = os.environ.get("CLAUDE_NB_SIMULATE", "").lower() not in _OFF
        self._simulate_later = False  # when the server is disconnected
        self._lock = threading.Lock()

    @property
    def simulated(self) -> bool:
        """Whether requests go to the simulator."""
        return self._simulate

    def simulate(
        self,
        on: bool,  # noqa: FBT001
        *,
        speed: float | None = None,
        seed: int | None = None,
    ) -> None:
        """Send requests to the simulator, or to the API again.

        One that is running goes on, with its prompt cache, and fails only when it is asked to
        again: the faults that were queued are forgotten.

        Args:
            on: Which of the two.
            speed: Factor on the pace of its replies; None for the one that was set before since it
                was turned on, or else the environment's.
            seed: The same seed and prompt give the same stream; None as for the pace.

        Raises:
            InputError: The environment names a pace or a seed that is none.
        """
        if on:
            self._speed = self._speed if speed is None else speed
            self._seed = self._seed if seed is None else seed
        else:
            self._speed = self._seed = None
        pace = self.pace() if on else {}
        with self._lock:
            self._answer(self._server, simulate=on)
            if on and self._simulator is not None and self._simulator.is_running:
                self._simulator.drain()
                self._simulator.adjust(**pace)
                return
            if self._simulator is not None:
                self._simulator.stop()
                self._simulator = None
            if on:
                self._simulator = self._start()

    def simulator(self) -> Simulator:
        """The simulator that answers; it is started if it is not running.

        Raises:
            InputError: The simulator is off.
        """
        if not self._simulate:
            raise InputError("The simulator is off.", "Turn it on: %claude_nb simulate on")
        with self._lock:
            if self._simulator is None:
                self._simulator = self._start()
            return self._simulator

    def pace(self) -> dict[str, Any]:
        """The speed and the seed of the simulator: those that were set, or the environment's.

        Raises:
            InputError: The environment names one that is none.
        """
        speed = _of_environment(_SPEED, float) if self._speed is None else self._speed
        seed = _of_environment(_SEED, int) if self._seed is None else self._seed
        return {"speed": speed or math.inf, "seed": seed}

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

    def describe_simulator(self) -> str:
        """The pace, the seed and the queued faults of the simulator; empty if it does not answer.

        Raises:
            InputError: The environment names a pace or a seed that is none.
        """
        if self.library is not None or not self._simulate:
            return ""
        pace = self.pace()
        queued = ", ".join(self.queued_faults())
        return f"speed {pace['speed']:g} · seed {pace['seed']}{queued and f' · next: {queued}'}"

    def queued_faults(self) -> list[str]:
        """The names of the faults that no request has met yet."""
        if self._simulator is None or not self._simulator.is_running:
            return []
        from claude_nb.simulator.faults import name_of

        return [name_of(reply) for reply in self._simulator.queued()]

    def connection(self, client: Any = None) -> Connection:
        """Where the next request goes; nowhere while recordings are replayed.

        Args:
            client: The user's own ``anthropic.AsyncAnthropic``, or None for the session's server.

        Raises:
            InputError: The environment names a pace or a seed for the simulator that is none.
        """
        if self.library is not None:
            return Connection(replayed=True)
        if client is not None:
            return Connection(own_client=client)
        if not self._simulate:
            return self._server or self._api
        return Connection(simulated=True, simulator=self.simulator())

    def source(self, live: Source) -> Source:
        """Where events come from: ``live``, or recordings in its place."""
        if self.library is None:
            return live
        from claude_nb.recording.replay import ReplaySource

        return ReplaySource(self.library, live)

    def keep(self, reply: Reply) -> None:
        """Save a reply that has ended, if replies are recorded; warn of what went wrong."""
        if reply.shown_in and (text := reply.text.rstrip()):
            self.shown.setdefault(reply.shown_in, {})[text] = None
        if self.recorder is not None:
            try:
                self.recorder.keep(reply)
            except InputError as error:  # the reply itself is there, and paid for
                _warn(f"The reply was not recorded: {error}")
        self.warn_of_unused()

    def warn_of_unused(self) -> None:
        """Say which faults did not apply to the request that they met, and why; each once."""
        if self._simulate and self._simulator is not None and self._simulator.is_running:
            from claude_nb.simulator.faults import describe_unused

            for unused, why in self._simulator.take_unused():
                _warn(describe_unused(unused, why))

    def warm_up(self) -> Iterator[None]:
        """Make ready what the first request needs, in steps; the import of the SDK is the longest.

        A simulator is started only where it is what answers.
        """
        with suppress(ClaudeError):  # the request itself will say what is wrong
            self.connection()
        for name in ("pydantic", "httpx2", "anthropic"):  # first what others may need too
            yield
            import_module(name)
        if host() == "colab":  # its secrets are asked for when something is sent
            return
        yield
        with suppress(ClaudeError):
            self.connection().client()

    def _start(self) -> Simulator:
        from claude_nb.simulator import Simulator

        return Simulator(**self.pace(), record=False).launch()

    def renew(self) -> None:
        """In a forked process: ask the parent's simulator, unless it was still starting."""
        self._lock = threading.Lock()
        if self._simulator is not None and not self._simulator.listens:
            fork.leave(self._simulator)
            self._simulator = None


def _warn(text: str) -> None:
    """Warn each time: Python's own ``warn`` shows a text once, with a line of this package."""
    warnings.warn_explicit(text, UserWarning, "claude_nb", 0)


_OFF = ("", "0", "off", "no", "false")
"""What ``CLAUDE_NB_SIMULATE`` is where the simulator is to be off."""

_SPEED, _SEED = "CLAUDE_NB_SIMULATE_SPEED", "CLAUDE_NB_SIMULATE_SEED"
_DEFAULTS = {_SPEED: "1", _SEED: "0"}
_SHOULD_BE = {
    _SPEED: ("a factor of at least 0", "0.5"),
    _SEED: ("a whole number of at least 0", "7"),
}


def _of_environment(name: str, read: type[float | int]) -> float:
    """A number of the simulator that the environment names."""
    named = os.environ.get(name) or _DEFAULTS[name]
    with suppress(ValueError):
        if (number := read(named)) >= 0:
            return number
    kind, example = _SHOULD_BE[name]
    raise InputError(
        f"{name} must be {kind}, not {named!r}.", f"For example: %env {name}={example}"
    )


session = Session()
"""The process's session."""

fork.in_child(session.renew)
