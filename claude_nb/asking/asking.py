"""Ask and show the reply: what the magics and the Python API have in common."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from claude_nb.asking.function_source import ORIGIN, FunctionSource, Respond
from claude_nb.asking.question import Question, check_names
from claude_nb.client.capabilities import checked
from claude_nb.client.connection import Connection
from claude_nb.client.engine import Stream, begun, call
from claude_nb.client.file_service import count_tokens
from claude_nb.client.retry import Policy
from claude_nb.client.source import ApiSource, WholeSource
from claude_nb.conversation.history import History
from claude_nb.conversation.snapshot import snapshot
from claude_nb.cost.models import own_prices
from claude_nb.errors import ClaudeError
from claude_nb.keeping import fingerprint
from claude_nb.keeping.answer import KeptSource
from claude_nb.keeping.keeper import Asked, Found, keeper
from claude_nb.render import saved_output
from claude_nb.reply import Reply
from claude_nb.request import documents
from claude_nb.request.place import Place
from claude_nb.request.request import Request
from claude_nb.session import budget
from claude_nb.session.limits import Limits
from claude_nb.session.session import session as session  # noqa: PLC0414 - shared from here
from claude_nb.streaming.events import EventLog
from claude_nb.streaming.progress import Progress
from claude_nb.tools.calls import Calls
from claude_nb.tools.tools import Tools
from claude_nb.views import background
from claude_nb.views.choice import fitting, make_view, steps
from claude_nb.views.painter import View, paint

NOTHING_TO_CITE = "nothing to cite: no document or text is attached"
"""The note on a reply that was to cite documents, of which there are none."""


def stream(prompt: str | list[dict[str, Any]], **options: Any) -> Stream:
    """Send a prompt and return its events, for your own loop.

    ``for event in stream("…")`` and ``async for event in stream("…")`` both work; each ``event``
    has a ``time``, a ``type`` and, in ``data``, the event as it came over the wire, a dict; its
    ``sdk`` is the SDK's typed event. Leaving the loop early ends the request.

    Args:
        prompt: The user's words; or content blocks as the API has them, which end with the text.
        **options: As for ``ask``, but those for showing it: ``attach``, ``upload``, ``tools``
            (which run on a thread of their own), ``output``, ``history``, ``new``, ``client``,
            ``policy``, ``max_cost``, ``keep``, ``model``, ``max_tokens``, ``system``, ``thinking``,
            ``effort``, ``instruct``, ``cite``, ``stop_sequences``, ``tool_choice``, ``metadata``,
            ``extra``, ``betas`` and ``fallback``.

    Returns:
        The stream, which has already started.

    Raises:
        InputError: The request cannot be sent as it is.
        TypeError: There is no such option, or a value is of another type; nothing was sent.
    """
    check_names(options, ask, left_out=("show", "view", "events", "hide_tools"))
    with sending(Question.of(prompt, **options), painted=False) as sent:
        return sent.stream


def ask(
    prompt: str | list[dict[str, Any]],
    *,
    attach: Iterable[Any] = (),
    upload: bool | int = False,
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
    keep: bool | None = None,
    **options: Any,
) -> Reply:
    """Send a prompt, show the reply as it streams, and return it when it is complete.

    It remembers nothing; to ask questions that build on each other, use ``Conversation``.

    Args:
        prompt: The user's words; or content blocks as the API has them, which end with the text.
        attach: Values that are sent along: tables, figures, paths, whatever can stand for ``{{x}}``
            in a ``%%claude`` cell.
        upload: Whether files, images and bytes of more than 100 kB are uploaded, once, and sent by
            their ids after that: for a day, or for so many seconds. The whole workspace of the key
            can see them. ``%claude_nb files`` lists and deletes them.
        tools: Functions that may be called, as a list or as ``Tools``, which says how. Their calls
            are run until there is an answer. None for those of the conversation: those that an
            earlier question named ask first, and ``[]`` puts them away.
        output: What the answer has to be: a pydantic model, another type, or a JSON schema. The
            reply's ``parsed`` is such an object then.
        history: The conversation that it belongs to, or None.
        new: Whether the conversation begins anew with it.
        client: Your own ``anthropic.AsyncAnthropic``; by default one for the session's connection.
        show: Whether to show it: in the cell's output, or on the terminal.
        view: ``live`` (a widget), ``updating`` (the same without one), ``terminal``, or ``auto``.
        stream: Whether it comes as it is written; otherwise all of it comes at the end.
        events: Whether to show the timeline of its events below it.
        policy: How to retry after failures; by default ``Policy()``.
        max_cost: The most that it may cost, in USD: the input is counted before it is sent, and
            ``max_tokens`` lowered if necessary. A reply that breaks off is then not continued. The
            results of ``web_search`` and ``web_fetch`` are input without a limit.
        keep: Whether a kept answer is shown, and nothing sent, where the same was answered before:
            True also with tools, whose functions do not run again; False to ask anew; None as
            ``%claude_nb keep`` says.
        **options: ``model``, ``max_tokens``, ``system``, ``thinking``, ``effort``, ``instruct``,
            ``cite``, ``hide_thinking``, ``hide_tools`` and ``fallback`` (whether another model may
            answer where this one declines), as the options of ``%%claude``;
            ``stop_sequences``, texts at which the reply ends; ``tool_choice``, ``"auto"``,
            ``"any"``, ``"none"``, the name of a tool that must be called first, or the API's dict;
            ``metadata``, ``{"user_id": …}``; ``extra``, a dict that is merged into the body of the
            request: fields that have no option here; and ``betas``, names of betas to switch on.
            In a conversation ``extra`` and ``betas`` hold until others are given; ``{}`` and
            ``[]`` clear them.

    Returns:
        The complete reply; one that was truncated or refused says so in ``outcome``.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
        TypeError: There is no such option, or a value is of another type; nothing was sent.
    """
    given = dict(locals())
    check_names(options, ask)
    return answer(Question.of(**given.pop("options"), **given))


def answer(question: Question) -> Reply:
    """``ask`` for a question that was put together already."""
    with sending(question) as sent:
        sent.paint()
    return sent.reply


async def ask_async(prompt: str | list[dict[str, Any]], **arguments: Any) -> Reply:
    """``ask`` as a coroutine: other tasks of the notebook continue while it waits.

    Args:
        prompt: The user's words; or content blocks as the API has them, which end with the text.
        **arguments: As for ``ask``.

    Returns:
        The complete reply.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
        CancelledError: The task was cancelled; the request has ended, and what came is shown.
    """
    check_names(arguments, ask)
    # On a thread: an MCP server among its tools may have to be started first.
    question = await asyncio.to_thread(Question.of, prompt, **arguments)
    with sending(question) as sent:
        painting = asyncio.ensure_future(asyncio.to_thread(sent.paint))
        try:
            await asyncio.shield(painting)
        except asyncio.CancelledError:
            sent.stream.stop()
            with suppress(ClaudeError):  # that it was stopped, which the caller did
                await painting
            raise
    return sent.reply


def begin(
    question: Question,
    show: Callable[[Stream, Reply], View | None],
    ended: Callable[[Reply, Exception | None], object],
) -> Reply:
    """Send a question without waiting: the reply is painted on a thread of its own.

    Args:
        question: What is asked.
        show: Makes the view from the stream and the reply; it returns None to show nothing.
        ended: Called when it has ended and its cost is recorded, with the reply, and with what went
            wrong with showing it, or None.

    Returns:
        The reply, which grows from now on.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
    """
    if question.respond is None or question.history is None:
        asked = sending(question)
    else:
        asked = responding(question, question.history, question.respond)
    with asked as sent:
        view = show(sent.stream, sent.reply)
        if sent.calls is not None:
            sent.calls.confirm = None if view is None else view.confirm
            sent.calls.main_thread.detach()
        cleanup = sent.cleanup.pop_all()

    def finish(bug: Exception | None) -> None:
        try:
            cleanup.close()
        finally:
            ended(sent.reply, bug)

    background.paint(sent.stream, sent.reply, view, finish)
    return sent.reply


def estimate(question: Question) -> budget.Estimate:
    """Count what would be sent, and what that would cost at least and at most; send nothing.

    With tools the first request alone is counted.

    Raises:
        InputError: The request could not be sent as it is.
        ClaudeError: The server did not count it.
    """
    own_prices()
    connection = session.connection(question.client)
    request = _as_sent(question, connection)
    return budget.estimate(request, call(count_tokens(connection, checked(request, connection))))


def last() -> Reply | None:
    """The newest reply of this process, complete or not; None before the first."""
    return session.last


@dataclass(frozen=True, slots=True)
class Sent:
    """A question that was sent, and its reply.

    Attributes:
        question: What was asked.
        stream: The events as they come.
        reply: What they become.
        calls: Runs the calls of tools in it, or None.
        cleanup: What is done when the reply has ended: its cost is recorded, its turn kept.
    """

    question: Question
    stream: Stream
    reply: Reply
    calls: Calls | None
    cleanup: ExitStack

    def paint(self) -> None:
        """Show the reply on this thread until it ends."""
        show = self.question.show and begun.get() is None  # a function's answer is in its chat
        self.reply.shown_in = self.question.place.execution if show else 0
        with card_above() if show else nullcontext():
            paint(self.stream, self.reply, self._view if show else None, self.calls)

    def _view(self) -> View:
        kind = fitting(self.question.view)
        view = make_view(kind, self.reply)
        if self.question.events:
            from claude_nb.views.inspector import WithTimeline

            return WithTimeline(view, live=steps(kind))
        return view


@contextmanager
def card_above() -> Iterator[None]:
    """Shorten the error of a reply, of which the output shows a card."""
    try:
        yield
    except ClaudeError as error:
        if error.reply is not None:
            shorten(error)
        raise


def shorten(error: ClaudeError) -> None:
    """Let an error that the output shows be raised in few words, so that nothing is said twice.

    Where nobody watches, nbclient and papermill report what is raised, and so what happened.
    """
    error.in_brief = error.what if fitting() == "updating" else "see above"


def _as_sent(question: Question, connection: Connection) -> Request:
    """A request with what is sent before its prompt: earlier turns, and cells of the notebook."""
    request, history = question.request, question.history
    if history is None:
        return request.with_cells()
    return history.next(
        request, question.place, connection.origin, new=question.new, after=question.after
    )


@contextmanager
def sending(
    question: Question, *, painted: bool = True, source: type[ApiSource] | None = None
) -> Iterator[Sent]:
    """Send a question; at the end of the context the cost of its reply is recorded, and more.

    An exception in the context stops the reply, which would go on and be paid for.

    Args:
        question: What is asked.
        painted: Whether the reply is shown in the context; if not, it is the stream's end that
            ends it.
        source: What sends it; by default what sends replies, which ``last`` returns.
    """
    request, tools = question.request, question.tools
    history, place = question.history, question.place
    connection = session.connection(question.client)
    over = threading.Event()
    with ExitStack() as stack:
        stack.callback(over.set)  # the first in is the last out: all else is done by then
        if history is not None:
            stack.enter_context(history.asking(in_cell=request.in_cell))
            request = _as_sent(question, connection)
            if question.new or history.head is None:
                history.begin(request)
            tools = history.effective_tools(tools, request)
        else:
            request = _as_sent(question, connection)
        found = Found() if source else _find_kept(question, request, tools, connection)
        limits = Limits(
            *(connection, session, question.policy, question.max_cost, question.limit_name),
            sends=found.answer is None,
        )
        stack.callback(limits.close)
        request = request if found.answer else checked(request, connection)
        # What a limit lowers holds for this reply, not for the conversation.
        kept = request = _with_notes(question, request, tools, found)
        if limits.are_set:
            request = call(limits.within_limits(request, Progress()))
        reply = Reply(request, question.output)
        reply.asked = found.data if keeper.saves or question.keep else None
        stack.callback(keeper.remember, found, reply)
        diagnostics = None if found.answer else _expect_cached(request, connection, reply)
        calls = None
        if tools:
            most = request.option("max_turns")
            calls = Calls(tools, is_painted=painted, limit_name=most)
        api = (source or _kind_of_source(question))(connection, diagnostics)
        reply.pending = lambda: connection.pending or api.uploading
        stack.callback(_back_up, question, reply)
        if history is not None:
            stack.callback(history.keep, kept, place, connection.origin, reply)
        stack.callback(session.keep, reply)
        stack.callback(limits.settle, reply)
        conversation = request.turn.conversation if request.turn else ""
        stack.callback(session.ledger.charge, reply, place, conversation)
        stack.push(lambda kind, *_: reply.stop() if kind else None)
        cleanup = stack if painted else stack.pop_all()

        def ended(events: EventLog) -> None:
            reply.events = events
            reply.advance()
            cleanup.close()

        stream = Stream(
            session.source(api) if found.answer is None else KeptSource(found.answer, api),
            request,
            limits.policy,
            ended=None if painted else ended,
            runner=calls,
            within_limits=limits.within_limits if limits.are_set else None,
        )
        reply.attach(stream, over)
        if painted and source is None:
            session.last = reply
        yield Sent(question, stream, reply, calls, cleanup)


@contextmanager
def responding(question: Question, history: History, respond: Respond) -> Iterator[Sent]:
    """``sending`` for a question that a function answers; what that sends is charged by itself."""
    over = threading.Event()
    with ExitStack() as stack:
        stack.callback(over.set)
        stack.enter_context(history.asking())
        request = history.next(question.request, question.place, ORIGIN, after=question.after)
        request = replace(request, notes=())
        if history.head is None:
            history.begin(request)
        reply = Reply(request)
        reply.pending = lambda: "working"
        stack.callback(_back_up, question, reply)
        stack.callback(history.keep, request, question.place, ORIGIN, reply)
        stack.push(lambda kind, *_: reply.stop() if kind else None)
        stream = Stream(FunctionSource(respond), request, Policy(tries=1))
        reply.attach(stream, over)
        yield Sent(question, stream, reply, None, stack)


def _kind_of_source(question: Question) -> type[ApiSource]:
    """What sends a question: streamed, or as a whole."""
    # In a stream, an object that one model began would stand before that of another.
    unstreamed = question.request.fallback and question.request.output is not None
    return ApiSource if question.stream and not unstreamed else WholeSource


def _find_kept(
    question: Question, request: Request, tools: Tools | None, connection: Connection
) -> Found:
    """What is kept of the same question, and whether it is shown.

    What is typed in a chat is never asked again, and recordings answer for themselves.
    """
    is_typed = question.chat_cell is not None and question.place == Place()
    if is_typed or connection.replayed:
        return Found()
    values, history = question.values, question.history
    digests = {one.name: fingerprint.of_value(one.attachment.blocks) for one in values}
    sources = tools.sources if tools is not None else {}
    found = fingerprint.Fingerprint(request, connection.origin, digests, sources)
    answered = datetime.now(UTC).isoformat(timespec="seconds")
    data = {"id": found.id, "request": found.parts, "answered": answered}
    option = "--keep" if request.in_cell else "keep=True"
    place, keep = question.place, question.keep
    return keeper.find(Asked(place, request.prompt, data, keep, option, values, history))


def _back_up(question: Question, reply: Reply) -> None:
    """Back up a turn that has an answer."""
    chat = question.chat_cell
    record = saved_output.record(reply, reply.request)
    cell = question.place.cell if chat is None else chat
    snapshot.back_up(cell, record, chat=chat is not None)


def _expect_cached(
    request: Request, connection: Connection, reply: Reply
) -> dict[str, str | None] | None:
    """Note what a request can find in the cache, and return what the server is asked about it."""
    if request.is_cached:
        reply.expectation = session.cache.expect(request, connection.cache, reply)
    if reply.expectation is None or not connection.diagnoses_cache:
        return None
    return {"previous_message_id": reply.expectation.previous_message}


def _with_notes(question: Question, request: Request, tools: Tools | None, found: Found) -> Request:
    """A request with what the reader should know of its answer."""
    notes = (*request.notes, *found.notes, *_notes(question, request, tools))
    return replace(request, notes=notes)


def _notes(question: Question, request: Request, tools: Tools | None) -> Iterator[str]:
    """What the reader should know of what may be called and cited in a reply."""
    if tools is not None and tools.definitions:
        yield tools.note
    if question.request.cite and not documents.are_in(request.blocks):
        yield NOTHING_TO_CITE
