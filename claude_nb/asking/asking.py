"""One prompt, one shown reply: the way through the house, for the magics and for Python users."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from claude_nb.client.connection import count_tokens
from claude_nb.client.engine import Stream, call
from claude_nb.client.output import Output
from claude_nb.client.source import ApiSource, WholeSource
from claude_nb.errors import ClaudeError, InputError
from claude_nb.reply import Reply
from claude_nb.request.attachments.interpolation import compose
from claude_nb.request.place import Place, current_place, shell
from claude_nb.request.request import Request
from claude_nb.session.budget import estimate as estimated
from claude_nb.session.limits import Limits
from claude_nb.session.session import session as session  # noqa: PLC0414 - shared from here
from claude_nb.streaming.progress import Progress
from claude_nb.tools.calls import Calls
from claude_nb.tools.tools import Tools
from claude_nb.views import background
from claude_nb.views.painter import paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from claude_nb.client.retry import Policy
    from claude_nb.conversation.history import Exchange, History
    from claude_nb.render.timeline import Timeline
    from claude_nb.session.budget import Estimate
    from claude_nb.streaming.events import EventLog
    from claude_nb.views.painter import View


VIEWS = ("auto", "live", "updating", "terminal")
"""How a reply can be shown: see ``ask``."""


def stream(
    prompt: str,
    *,
    tools: Tools | Iterable[Any] = (),
    client: Any = None,
    policy: Policy | None = None,
    **options: Any,
) -> Stream:
    """Send a prompt and hand out its events, for people who want the loop themselves.

    ``for event in stream("…")`` and ``async for event in stream("…")`` both work; each ``event``
    has a ``time``, a ``type`` and, in ``data``, the event as it came over the wire, a dict; its
    ``sdk`` is the SDK's typed event. Leaving the loop early ends the request.

    Args:
        prompt: The user's words.
        tools: As for ``ask``; they run on a thread of their own.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        policy: How patient to be with failures; by default ``Policy()``.
        **options: Fields of ``Request``: ``model``, ``max_tokens``, ``system``, ``thinking``,
            ``effort``, ``hide_thinking``.

    Returns:
        The stream: already on its way.

    Raises:
        InputError: The request cannot be sent as it is.
    """
    connection, place = session.connection(client), current_place()
    limits = Limits(connection, None, session.budget, session.library)

    def ended(events: EventLog) -> None:
        try:
            reply = Reply(request)
            reply.events = events
            reply.advance()
            session.ledger.charge(reply, place)
            session.keep(reply)
        finally:
            limits.close()

    offered = _tools(tools)
    request = _request(prompt, (), offered, None, options)
    request = call(limits.fit(request, Progress()))
    return Stream(
        session.source(ApiSource(connection)),
        request,
        limits.policy(policy),
        ended=ended,
        runner=Calls(offered, is_painted=False) if offered else None,
        fit=limits.fit,
    )


def ask(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    tools: Tools | Iterable[Any] | None = None,
    output: Any = None,
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    show: bool = True,
    view: str = "auto",
    stream: bool = True,
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
        tools: Functions that may be called, as a list or as ``Tools``, which says how. Their calls
            are run until there is an answer. None for those of the conversation.
        output: What the answer has to be: a pydantic model, another type, or a JSON schema. The
            reply's ``parsed`` is such an object then.
        history: The conversation that it belongs to, or None.
        new: Whether the conversation begins anew with it.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        policy: How patient to be with failures; by default ``Policy()``.
        max_cost: The most that it may cost, in USD: its input is counted before it is sent, and
            ``max_tokens`` lowered if need be. What broke off is then not asked for again.
        show: Whether to show it: in the cell's output, or on the terminal.
        view: ``live`` (a widget), ``updating`` (the same without one), ``terminal``, or ``auto``.
        stream: Whether it comes as it is written; otherwise all of it comes at the end.
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
        tools=tools,
        output=output,
        history=history,
        new=new,
        client=client,
        show=show,
        view=view,
        stream=stream,
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


def begin(
    prompt: str,
    show: Callable[[Stream, Reply], View | None],
    ended: Callable[[Reply, Exception | None], object],
    **arguments: Any,
) -> Reply:
    """``ask`` without waiting: the reply is painted on a thread of its own.

    Args:
        prompt: The user's words.
        show: Makes the view from the stream and the reply; it returns None to show nothing.
        ended: Called when it has ended and the books are kept, with the reply, and with what went
            wrong with showing it, or None.
        **arguments: As for ``ask``, without ``show`` and ``view``; ``place`` is where it is asked,
            ``after`` the exchange that it follows, where that was chosen, and ``whose`` what sets
            ``max_cost``, to be named in notes and errors.

    Returns:
        The reply, which grows from now on.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
    """
    with ExitStack() as stack:
        stream, reply, _, calls = stack.enter_context(_asked(prompt, show=False, **arguments))
        view = show(stream, reply)
        if calls is not None:
            calls.confirm = None if view is None else view.confirm
            calls.main_thread.detach()
        books = stack.pop_all()

    def finish(bug: Exception | None) -> None:
        try:
            books.close()
        finally:
            ended(reply, bug)

    background.paint(stream, reply, view, finish)
    return reply


def estimate(
    prompt: str,
    *,
    attach: Iterable[Any] = (),
    tools: Tools | Iterable[Any] | None = None,
    output: Any = None,
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    **options: Any,
) -> Estimate:
    """Count what ``ask`` would send, and what that would cost at least and at most; send nothing.

    Args:
        prompt: The user's words.
        attach: As for ``ask``, as are the others.
        tools: With tools the first request alone is counted.
        output: As for ``ask``.
        history: The conversation that it would belong to, or None.
        new: Whether the conversation would begin anew with it.
        client: Your own ``anthropic.AsyncAnthropic``.
        **options: Fields of ``Request``.

    Raises:
        InputError: The request could not be sent as it is.
        ClaudeError: The server did not count it.
    """
    connection = session.connection(client)
    request = _request(prompt, attach, _tools(tools), _output(output), options)
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
    tools: Tools | Iterable[Any] | None = None,
    output: Any = None,
    history: History | None = None,
    new: bool = False,
    client: Any = None,
    show: bool = True,
    view: str = "auto",
    stream: bool = True,
    events: bool = False,
    policy: Policy | None = None,
    max_cost: float | None = None,
    whose: str = "--max-cost",
    place: Place | None = None,
    after: Exchange | None = None,
    **options: Any,
) -> Iterator[tuple[Stream, Reply, Callable[[], View] | None, Calls | None]]:
    """Send a prompt, and keep its books when it has been painted."""
    if view not in VIEWS:
        raise InputError(f"There is no view {view!r}.", f"It is one of {', '.join(VIEWS)}.")
    offered, typed = _tools(tools), _output(output)
    request = _request(prompt, attach, offered, typed, options)
    place = place or current_place()
    connection = session.connection(client)
    limits = Limits(connection, max_cost, session.budget, session.library, whose)
    with ExitStack() as stack:
        over = threading.Event()
        stack.callback(over.set)  # the first in is the last out: all else is done by then
        stack.callback(limits.close)
        if history is not None:
            stack.enter_context(history.asking())
            request = history.next(request, place, connection.origin, new=new, after=after)
            offered = history.effective_tools(offered, request)
        request = call(limits.fit(request, Progress()))
        reply = Reply(request, typed)
        reply.expectation = session.cache.expect(request, connection, reply)
        reply.pending = lambda: connection.pending
        reply.shown_in = place.execution if show else 0
        session.last = reply
        calls = Calls(offered) if offered else None
        source = session.source((ApiSource if stream else WholeSource)(connection))
        asked = Stream(source, request, limits.policy(policy), runner=calls, fit=limits.fit)
        reply.attach_stop(asked.stop, over)
        try:
            shown = partial(_view, view, asked, reply, events=events) if show else None
            yield asked, reply, shown, calls
        except BaseException:  # nobody reads on: it must not go on, and be paid for
            asked.stop()
            raise
        finally:
            conversation = request.turn.conversation if request.turn else ""
            session.ledger.charge(reply, place, conversation)
            session.keep(reply)
            if history is not None:
                history.keep(request, place, connection.origin, reply)


def _request(
    prompt: str,
    attach: Iterable[Any],
    tools: Tools | None,
    output: Output | None,
    options: dict[str, Any],
) -> Request:
    attached = [(f"attachment {number}", value) for number, value in enumerate(attach, 1)]
    if attached:
        filled = compose(prompt, attached=attached)
        options = {"content": filled.blocks, "notes": filled.notes, **options}
    schema = output.schema if output is not None else None
    definitions = tools.definitions if tools is not None else None
    return Request(prompt, tools=definitions, output=schema, **options)


def _tools(tools: Tools | Iterable[Any] | None) -> Tools | None:
    return None if tools is None else Tools.of(tools)


def _output(output: Any) -> Output | None:
    return None if output is None else Output.of(output)


def show_timeline(timeline: Timeline) -> None:
    """Show a timeline as fits where this runs: to be stepped through where a page can."""
    from claude_nb.views import inspector

    (inspector.inspect if fitting() == "live" else inspector.static)(timeline)


def _view(name: str, stream: Stream, reply: Reply, *, events: bool = False) -> View:
    """The view of that name, or the one that fits where this runs."""
    if name == "auto":
        name = fitting()
    if events:
        from claude_nb.views.inspector import WithTimeline

        return WithTimeline(_view(name, stream, reply), live=name == "live")
    if name == "live":
        from claude_nb.views.live import LiveView

        return LiveView(reply, stream.stop)
    if name == "updating":
        from claude_nb.views.updating import UpdatingView

        return UpdatingView()
    from claude_nb.views.terminal import TerminalView

    return TerminalView()


def fitting() -> str:
    """The view that fits where this runs.

    A widget where somebody is there to answer it: nbclient and papermill are not.
    """
    if getattr(shell(), "kernel", None) is None:
        return "terminal"
    answered = False
    if "claude_nb.views.live" in sys.modules:
        from claude_nb.views.live import LiveOutput

        answered = LiveOutput.answered
    answers = bool(current_place().cell) or answered or "google.colab" in sys.modules
    return "live" if answers else "updating"
