"""One prompt, one shown reply: the way through the house, for the magics and for Python users."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from claude_nb.api import Connection
from claude_nb.engine import Stream
from claude_nb.errors import ClaudeError, InputError
from claude_nb.history import Place
from claude_nb.interpolation import compose
from claude_nb.ledger import Ledger
from claude_nb.prompt import Request
from claude_nb.reply import Reply, execution, shell
from claude_nb.source import ApiSource
from claude_nb.views import paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from claude_nb.history import History
    from claude_nb.retry import Policy
    from claude_nb.simulator import Simulator
    from claude_nb.simulator.replies import Reply as SimulatedReply
    from claude_nb.views import View


VIEWS = ("auto", "live", "updating", "terminal")
"""How a reply can be shown: see ``ask``."""


class Session:
    """What one process shares between its cells: the connection, the ledger, the last reply.

    Attributes:
        ledger: What was spent.
        last: The newest reply, complete or not.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.last: Reply | None = None
        self._connection = Connection()
        self._simulator: Simulator | None = None
        self._simulate = os.environ.get("CLAUDE_NB_SIMULATE", "") not in ("", "0")
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
            self._simulate = on
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

    def use_key(self, api_key: str) -> None:
        """Use a key that was typed in; it is kept in memory only."""
        self._connection = Connection(api_key=api_key)
        self.simulate(on=False)

    @property
    def key_source(self) -> str:
        """Where the key comes from, in words; never the key."""
        if self._simulate:
            return "none is needed: the simulator answers"
        if self._connection.api_key:
            return "entered with %claude_nb key, in memory only"
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
            if os.environ.get(name):
                return f"the environment variable {name}"
        return "the SDK's own configuration, if it has one"

    def connection(self) -> Connection:
        """Where the next request goes."""
        if not self._simulate:
            return self._connection
        with self._lock:
            if self._simulator is None:
                self._simulator = self._start(
                    float(os.environ.get("CLAUDE_NB_SIMULATE_SPEED", "1")), 0
                )
            return Connection(base_url=self._simulator.base_url, simulated=True)

    def warm_up(self) -> None:
        """Make what the first request needs: the SDK alone takes over a second to import."""
        with suppress(ClaudeError, RuntimeError):  # the request itself will say what is wrong
            self.connection().client()

    def _start(self, speed: float, seed: int) -> Simulator:
        from claude_nb.simulator import Simulator

        return Simulator(speed=speed if speed > 0 else math.inf, seed=seed).start()


session = Session()
"""The process's session."""


def stream(
    prompt: str, *, client: Any = None, policy: Policy | None = None, **options: Any
) -> Stream:
    """Send a prompt and hand out its events, for people who want the loop themselves.

    ``for event in stream("…")`` and ``async for event in stream("…")`` both work; each ``event``
    has a ``time``, a ``type`` and, in ``data``, the SDK's own typed event. Leaving the loop early
    ends the request.

    Args:
        prompt: The user's words.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        policy: How patient to be with failures; by default ``Policy()``.
        **options: Fields of ``Request``: ``model``, ``max_tokens``, ``system``, ``thinking``,
            ``effort``, ``hide_thinking``.

    Returns:
        The stream: already on its way.

    Raises:
        InputError: The request cannot be sent as it is.
    """
    return Stream(ApiSource(_connection(client)), Request(prompt, **options), policy)


def ask(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    show: bool = True,
    view: str = "auto",
    policy: Policy | None = None,
    **options: Any,
) -> Reply:
    """Send a prompt, show the reply as it streams, and return it when it is done.

    It remembers nothing: for questions that build on each other there is ``Conversation``.

    Args:
        prompt: The user's words.
        attach: Values that are sent along: tables, figures, paths, whatever can stand for ``{{x}}``
            in a ``%%claude`` cell.
        history: The conversation that it belongs to, or None.
        new: Whether the conversation begins anew with it.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        policy: How patient to be with failures; by default ``Policy()``.
        show: Whether to show it: in the cell's output, or on the terminal.
        view: ``live`` (a widget), ``updating`` (the same without one), ``terminal``, or ``auto``.
        **options: Fields of ``Request``, as in ``stream``.

    Returns:
        The complete reply; one that was truncated or refused says so in ``outcome``.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
    """
    request = _request(prompt, attach, options)
    with _asked(
        request, history=history, new=new, client=client, show=show, view=view, policy=policy
    ) as asked:
        paint(*asked)
    return asked[1]


async def ask_async(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    show: bool = True,
    view: str = "auto",
    policy: Policy | None = None,
    **options: Any,
) -> Reply:
    """``ask`` for a top-level ``await``: the notebook's other tasks go on meanwhile.

    Args:
        prompt: The user's words.
        attach: Values that are sent along.
        history: The conversation that it belongs to, or None.
        new: Whether the conversation begins anew with it.
        client: As for ``ask``, as are the others.
        show: Whether to show it.
        view: How to show it.
        policy: How patient to be with failures.
        **options: Fields of ``Request``.

    Returns:
        The complete reply.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
        CancelledError: The task was cancelled; the request has ended, and what came is shown.
    """
    request = _request(prompt, attach, options)
    with _asked(
        request, history=history, new=new, client=client, show=show, view=view, policy=policy
    ) as asked:
        painting = asyncio.ensure_future(asyncio.to_thread(paint, *asked))
        try:
            await asyncio.shield(painting)
        except asyncio.CancelledError:
            asked[0].stop()
            with suppress(ClaudeError):  # that it was stopped, which the caller did
                await painting
            raise
    return asked[1]


def last() -> Reply | None:
    """The newest reply of this process, complete or not; None before the first."""
    return session.last


@contextmanager
def _asked(
    request: Request,
    *,
    history: History | None,
    new: bool,
    client: Any,
    show: bool,
    view: str,
    policy: Policy | None,
) -> Iterator[tuple[Stream, Reply, Callable[[], View] | None]]:
    """Send a prompt, and keep its books when it has been painted."""
    if view not in VIEWS:
        raise InputError(f"There is no view {view!r}.", f"It is one of {', '.join(VIEWS)}.")
    place = _place()
    connection = _connection(client)
    if history is not None:
        request = history.begin(request, place, new=new, simulated=connection.simulated)
    reply = Reply(request)
    reply.shown_in = place.execution if show else 0
    session.last = reply
    try:
        stream = Stream(ApiSource(connection), request, policy)
        try:
            yield stream, reply, partial(_view, view, stream, reply) if show else None
        except BaseException:  # nobody reads on: it must not go on, and be paid for
            stream.stop()
            raise
    finally:
        session.ledger.charge(reply)
        if history is not None:
            history.end(request, place, reply)


def _request(prompt: str, attach: Iterable[Any], options: dict[str, Any]) -> Request:
    attached = [(f"attachment {number}", value) for number, value in enumerate(attach, 1)]
    if attached:
        filled = compose(prompt, attached=attached)
        options = {"content": filled.blocks, "notes": filled.notes, **options}
    return Request(prompt, **options)


def _connection(client: Any) -> Connection:
    return session.connection() if client is None else Connection(own_client=client)


def _place() -> Place:
    """Where the code that runs now stands in the notebook."""
    here = shell()
    kernel = getattr(here, "kernel", None)
    parent = kernel.get_parent() if kernel else {}
    cell = (parent.get("metadata") or {}).get("cellId")
    return Place(str(cell or ""), execution())


def _view(name: str, stream: Stream, reply: Reply) -> View:
    """The view of that name, or the one that fits where this runs."""
    if name == "auto":
        name = _fitting()
    if name == "live":
        from claude_nb.views.live import LiveView

        return LiveView(reply, stream.stop)
    if name == "updating":
        from claude_nb.views.updating import UpdatingView

        return UpdatingView()
    from claude_nb.views.terminal import TerminalView

    return TerminalView()


def _fitting() -> str:
    """A widget where somebody is there to answer it: nbclient and papermill are not."""
    if getattr(shell(), "kernel", None) is None:
        return "terminal"
    live = sys.modules.get("claude_nb.views.live")
    answered = live is not None and live.LiveView.answered
    answers = bool(_place().cell) or answered or "google.colab" in sys.modules
    return "live" if answers else "updating"
