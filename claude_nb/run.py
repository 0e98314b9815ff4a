"""One prompt, one shown reply: the way through the house, for the magics and for Python users."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from claude_nb.api import Connection, count_tokens
from claude_nb.attachments.interpolation import compose
from claude_nb.budget import estimate as estimated
from claude_nb.budget import fit
from claude_nb.engine import Stream, call
from claude_nb.errors import ClaudeError, InputError
from claude_nb.history import Place
from claude_nb.prompt import Request
from claude_nb.reply import Reply, execution, shell
from claude_nb.retry import Policy
from claude_nb.session import session as session  # noqa: PLC0414 - shared from here
from claude_nb.source import ApiSource
from claude_nb.views import paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from claude_nb.budget import Estimate
    from claude_nb.history import History
    from claude_nb.render.timeline import Timeline
    from claude_nb.views import View


VIEWS = ("auto", "live", "updating", "terminal")
"""How a reply can be shown: see ``ask``."""


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
    connection, place, limits = _connection(client), current_place(), ExitStack()

    def ended(reply: Reply) -> None:
        session.ledger.charge(reply, place)
        limits.close()
        session.keep(reply)

    request, policy = _limited(Request(prompt, **options), connection, policy, None, limits)
    return Stream(session.source(ApiSource(connection)), request, policy, ended)


def ask(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    show: bool = True,
    view: str = "auto",
    events: bool = False,
    policy: Policy | None = None,
    max_cost: float | None = None,
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
        max_cost: The most that it may cost, in USD: its input is counted before it is sent, and
            ``max_tokens`` lowered if need be. What broke off is then not asked for again.
        show: Whether to show it: in the cell's output, or on the terminal.
        view: ``live`` (a widget), ``updating`` (the same without one), ``terminal``, or ``auto``.
        events: Whether to show the timeline of its events below it.
        **options: Fields of ``Request``, as in ``stream``.

    Returns:
        The complete reply; one that was truncated or refused says so in ``outcome``.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
    """
    with _asked(
        prompt,
        attach=attach,
        history=history,
        new=new,
        client=client,
        show=show,
        view=view,
        events=events,
        policy=policy,
        max_cost=max_cost,
        **options,
    ) as asked:
        paint(*asked)
    return asked[1]


async def ask_async(prompt: str, **arguments: Any) -> Reply:
    """``ask`` for a top-level ``await``: the notebook's other tasks go on meanwhile.

    Args:
        prompt: The user's words.
        **arguments: As for ``ask``.

    Returns:
        The complete reply.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
        CancelledError: The task was cancelled; the request has ended, and what came is shown.
    """
    with _asked(prompt, **arguments) as asked:
        painting = asyncio.ensure_future(asyncio.to_thread(paint, *asked))
        try:
            await asyncio.shield(painting)
        except asyncio.CancelledError:
            asked[0].stop()
            with suppress(ClaudeError):  # that it was stopped, which the caller did
                await painting
            raise
    return asked[1]


def estimate(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    **options: Any,
) -> Estimate:
    """Count what ``ask`` would send, and what that would cost at least and at most; send nothing.

    Args:
        prompt: The user's words.
        attach: As for ``ask``, as are the others.
        history: The conversation that it would belong to, or None.
        new: Whether the conversation would begin anew with it.
        client: Your own ``anthropic.AsyncAnthropic``.
        **options: Fields of ``Request``.

    Raises:
        InputError: The request could not be sent as it is.
        ClaudeError: The server did not count it.
    """
    connection = _connection(client)
    request = _request(prompt, attach, options)
    if history is not None:
        request = history.next(request, current_place(), connection.origin, new=new)
    return estimated(request, call(count_tokens(connection, request.params())))


def last() -> Reply | None:
    """The newest reply of this process, complete or not; None before the first."""
    return session.last


@contextmanager
def _asked(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    show: bool = True,
    view: str = "auto",
    events: bool = False,
    policy: Policy | None = None,
    max_cost: float | None = None,
    **options: Any,
) -> Iterator[tuple[Stream, Reply, Callable[[], View] | None]]:
    """Send a prompt, and keep its books when it has been painted."""
    if view not in VIEWS:
        raise InputError(f"There is no view {view!r}.", f"It is one of {', '.join(VIEWS)}.")
    request = _request(prompt, attach, options)
    place = current_place()
    connection = _connection(client)
    with ExitStack() as stack:
        if history is not None:
            stack.enter_context(history.asking())
            request = history.next(request, place, connection.origin, new=new)
        request, policy = _limited(request, connection, policy, max_cost, stack)
        reply = Reply(request)
        reply.expectation = session.cache.expect(request, connection, reply)
        reply.shown_in = place.execution if show else 0
        session.last = reply
        stream = Stream(session.source(ApiSource(connection)), request, policy)
        try:
            shown = partial(_view, view, stream, reply, events=events) if show else None
            yield stream, reply, shown
        except BaseException:  # nobody reads on: it must not go on, and be paid for
            stream.stop()
            raise
        finally:
            conversation = request.turn.conversation if request.turn else ""
            session.ledger.charge(reply, place, conversation)
            session.keep(reply)
            if history is not None:
                history.keep(request, place, connection.origin, reply)


def _limited(
    request: Request,
    connection: Connection,
    policy: Policy | None,
    max_cost: float | None,
    until: ExitStack,
) -> tuple[Request, Policy | None]:
    """Make a request fit into what may be spent, which is kept for it until ``until`` is closed.

    A replay spends nothing.
    """
    if max_cost is not None and not max_cost > 0:
        raise InputError(f"--max-cost is a sum in USD above 0, not {max_cost:g}.")
    if session.library is not None:
        return request, session.library.policy(policy)
    if max_cost is None and session.budget is None:
        return request, policy
    tokens = call(count_tokens(connection, request.params()))
    if max_cost is not None:
        request = fit(request, tokens, max_cost, "--max-cost")
    if session.budget is not None:
        request = until.enter_context(session.budget.fitting(request, tokens))
    # What broke off cannot be counted, and to ask for the rest is paid for anew.
    return request, replace(policy or Policy(), pays_again=False)


def _request(prompt: str, attach: Iterable[Any], options: dict[str, Any]) -> Request:
    attached = [(f"attachment {number}", value) for number, value in enumerate(attach, 1)]
    if attached:
        filled = compose(prompt, attached=attached)
        options = {"content": filled.blocks, "notes": filled.notes, **options}
    return Request(prompt, **options)


def _connection(client: Any) -> Connection:
    if client is None or session.library is not None:
        return session.connection()
    return Connection(own_client=client)


def current_place() -> Place:
    """Where the code that runs now stands in the notebook."""
    here = shell()
    kernel = getattr(here, "kernel", None)
    parent = kernel.get_parent() if kernel else {}
    cell = (parent.get("metadata") or {}).get("cellId")
    return Place(str(cell or ""), execution())


def show_timeline(timeline: Timeline) -> None:
    """Show a timeline as fits where this runs: to be stepped through where a page can."""
    from claude_nb import inspector

    (inspector.inspect if _fitting() == "live" else inspector.static)(timeline)


def _view(name: str, stream: Stream, reply: Reply, *, events: bool = False) -> View:
    """The view of that name, or the one that fits where this runs."""
    if name == "auto":
        name = _fitting()
    if events:
        from claude_nb.inspector import Below

        return Below(_view(name, stream, reply), live=name == "live")
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
    answers = bool(current_place().cell) or answered or "google.colab" in sys.modules
    return "live" if answers else "updating"
