"""What a whole reply has become: one or more messages, how it ended, what it used and how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from claude_nb.characters import clean
from claude_nb.cost.models import facts
from claude_nb.cost.savings import Savings
from claude_nb.cost.usage import Usage, add, known
from claude_nb.errors import ClaudeError, DroppedError
from claude_nb.request.cache_miss import CacheMiss, CachePrediction
from claude_nb.streaming import events
from claude_nb.streaming.block import TEXTS, TOOL_CALLS, Block, Break
from claude_nb.streaming.continuation import Continuation
from claude_nb.streaming.events import Delta, StreamEvent
from claude_nb.streaming.message import Attempt, Message

_TRUNCATED = frozenset({"max_tokens", "model_context_window_exceeded"})

_OF_TOOLS = frozenset({"container_upload", "mcp_tool_listing"})
"""Blocks that belong to calls of tools, beside their results."""


THINKING_REFUSED = "earlier thinking not resent: the server refused it"
"""The note on a reply whose request was sent again without the thinking of earlier turns."""


class Outcome(StrEnum):
    """How a reply ended, or that it has not."""

    STREAMING = "streaming"
    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    STOPPED = "stopped"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long it took, in seconds from the moment the first request was sent; None: not reached.

    Attributes:
        first_event: Until the server's first event.
        first_text: Until the first text, which is what a reader waits for.
        total: Until the end.
        tokens_per_second: Output tokens, from the finished count, by the time from the first event
            of each message to its end.
    """

    first_event: float | None
    first_text: float | None
    total: float | None
    tokens_per_second: float | None


class Progress:
    """What a reply has become so far: a reduction of its events, and nothing else.

    Attributes:
        messages: One for each request that was sent.
        taken: How many entries of the event log were taken in; more may have come.
        outcome: How it ended, or that it has not.
        error: What went wrong (``ClaudeError``), or None.
        ended: When it ended (``time.monotonic()``, seconds), or None.
        waiting: What is waited for before the next request, or None.
        hides_tools: Whether calls of tools and their results are not to be shown.
        is_json: Whether its text is JSON.
        parse_error: Why there is no object although one was asked for; empty otherwise.
        notes: Lines about the request, shown above the reply.
        unthought: Whether the server refused the thinking of earlier turns, so that it was asked
            again without.
        asked_at: When it was asked, as ISO 8601 in UTC; empty where that is not known.
        expectation: What its request could find in the cache; None where it is not cached.
        option: Names an option as it is written where this was asked: see ``Request.option``.
        pending: Says what is being waited for before its first request can be sent; empty for
            nothing.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.taken = 0
        self.outcome = Outcome.STREAMING
        self.error: ClaudeError | None = None
        self.ended: float | None = None
        self.waiting: events.Waiting | None = None
        self.hides_tools = False
        self.is_json = False
        self.parse_error = ""
        self.notes: tuple[str, ...] = ()
        self.unthought = False
        self.asked_at = ""
        self.expectation: CachePrediction | None = None
        self.option: Callable[[str], str] = str
        self.pending: Callable[[], str] = str
        self._continuation: Continuation | None = None
        self._kept = 0  # of how many messages the text is part of the answer, though they broke off

    def take(self, entries: Iterable[StreamEvent | Delta]) -> None:
        """Take in events as an ``EventLog`` keeps them."""
        for entry in entries:
            self.taken += 1
            if isinstance(entry, StreamEvent):
                self.apply(entry)
            elif self.messages:
                time, text, (_, index, kind) = entry
                self.messages[-1].grow(time, index, kind, text)

    def apply(self, event: StreamEvent) -> None:
        """Take in one event.

        A reply ends once: what a connection does after ``message_stop`` takes nothing back.
        """
        data = event.data
        if isinstance(data, events.RequestSent):
            self._begin(event.time, data)
        elif isinstance(data, (events.Waiting, events.Unthought)):
            self._ask_again(event.time, data)
        elif isinstance(data, events.Resumed):
            self._resume(data)
        elif isinstance(data, (events.ToolAsked, events.ToolStarted, events.ToolRan)):
            for block in self.messages[-1].content if self.messages else ():
                if block.id == data.id:
                    block.run = data
        elif isinstance(data, events.Responded):
            self._end(event.time, _outcome(self.messages[-1]))
        elif isinstance(data, (events.Stopped, events.Failed)):
            self._break_off(event.time, data)
        elif self.messages:
            self._message(self.messages[-1], event.time, data)

    def _ask_again(self, time: float, data: events.Waiting | events.Unthought) -> None:
        """The newest request failed, and another one follows."""
        if isinstance(data, events.Waiting):
            self.waiting = data
        else:
            self.unthought = True
            self.notes = (*self.notes, THINKING_REFUSED)
        if self.messages:
            self.messages[-1].fail(time, data.error.label)
            self._unmask(data.error)

    def _begin(self, time: float, data: events.RequestSent) -> None:
        if self._continuation is None:
            for message in self.messages[self._kept :]:
                if not message.complete:  # it is asked for again, from the beginning
                    message.discard(text=True)
        last = self.last
        number = 0
        if last is not None:
            number = last.round + (bool(last.calls) or data.part != last.request.part)
        taken = frozenset(block.id for block in self.blocks if not block.lost)
        self.messages.append(Message(time, data, self._continuation, number, taken))
        self._continuation = self.waiting = self.error = self.ended = None
        self.outcome = Outcome.STREAMING

    def _break_off(self, time: float, data: events.Stopped | events.Failed) -> None:
        if isinstance(data, events.Stopped):
            self._end(time, Outcome.STOPPED)
            return
        self._unmask(data.error)
        dropped = isinstance(data.error, DroppedError)
        self._end(time, Outcome.DROPPED if dropped else Outcome.FAILED, data.error)

    def _unmask(self, error: ClaudeError) -> None:
        """The first response of a simulator behind the user's own client may be an error."""
        if self.messages and error.simulated:
            self.messages[-1].simulated = True

    def _resume(self, data: events.Resumed) -> None:
        """Keep the text of the request that broke off, and discard what else was half-written."""
        message = next((m for m in reversed(self.messages) if m.content), None)
        if message is None:
            return
        message.discard(text=False)
        self._kept = len(self.messages)
        texts = [block for block in self.blocks if block.type == "text"]
        broken = texts[-1] if texts and texts[-1].ended is None else None
        at = len(broken.text) if broken else 0
        after = (message.ended or message.sent) - message.sent
        where = Break(at, message.failure or data.error.label, after)
        self._continuation = Continuation(self._text_of(message.round), broken, where)

    def _message(self, message: Message, time: float, data: Any) -> None:
        if isinstance(data, events.ResponseStarted):
            message.accepted = True
            message.request_id = clean(data.request_id) if data.request_id else None
            message.simulated = message.simulated or data.simulated
            return
        message.apply(time, data)
        goes_on = message.stop_reason == "pause_turn" or message.calls or message.request.part
        if message.complete and not goes_on:
            self._end(time, _outcome(message))

    def _end(self, time: float, outcome: Outcome, error: ClaudeError | None = None) -> None:
        if self.ended is not None:
            return
        self.outcome, self.error, self.ended = outcome, error, time
        self.waiting = None
        for message in reversed(self.messages):  # a text that they share is the newest one's
            message.end(time)

    @property
    def blocks(self) -> list[Block]:
        """The content blocks of all messages, in order; a text that was continued is one block."""
        return list(dict.fromkeys(b for message in self.messages for b in message.content))

    def shows(self, block: Block) -> bool:
        """Whether a block is to be shown."""
        is_tool = block.type in TOOL_CALLS | _OF_TOOLS or block.type.endswith("_tool_result")
        return not (is_tool and self.hides_tools)

    @property
    def text(self) -> str:
        """All text, joined, with a blank line where tools were run; thinking is not text."""
        rounds = self.messages[-1].round + 1 if self.messages else 0
        return "\n\n".join(filter(None, map(self._text_of, range(rounds))))

    @property
    def round(self) -> list[Message]:
        """The messages since tools were last run."""
        return [m for m in self.messages if m.round == self.messages[-1].round]

    @property
    def answer(self) -> str:
        """The text since tools were last run."""
        return self._text_of(self.messages[-1].round) if self.messages else ""

    def _text_of(self, number: int) -> str:
        """The text of one round."""
        found = dict.fromkeys(b for m in self.messages if m.round == number for b in m.content)
        return "".join(b.text for b in found if b.type in TEXTS and not b.lost)

    @property
    def thinking(self) -> str:
        """All readable thinking, joined; empty where the model sends none."""
        return "\n\n".join(b.text for b in self.blocks if b.type == "thinking" and b.text)

    @property
    def tool_calls(self) -> list[Block]:
        """The tool-use blocks: each has a ``name`` and an ``input``."""
        return [b for b in self.blocks if b.type == "tool_use" and not b.lost]

    @property
    def model(self) -> str:
        """The model that answered, or was asked."""
        return next((message.model for message in reversed(self.messages) if message.model), "")

    @property
    def is_of_function(self) -> bool:
        """Whether a function of the notebook answers, perhaps with what Claude says to it."""
        return any(message.request.part for message in self.messages)

    @property
    def simulated(self) -> bool:
        """Whether the simulator wrote this, or refused a file before anything was asked."""
        if self.messages:
            return any(message.simulated for message in self.messages)
        error = self.waiting.error if self.waiting is not None else self.error
        return error is not None and error.simulated

    @property
    def replayed(self) -> bool:
        """Whether it comes from a recording: nothing was sent for it."""
        return any(message.request.replayed for message in self.messages)

    @property
    def kept(self) -> str:
        """Of a kept answer, for which nothing was sent, when it was given, as ISO 8601."""
        return self.messages[0].request.kept if self.messages else ""

    def saved_answer(self) -> dict[str, Any] | None:
        """What is saved so that the same request need not be sent again; None for nothing."""
        return None

    @property
    def stop_reason(self) -> str | None:
        """Why the server stopped: ``end_turn``, ``max_tokens``, …; None if it did not say."""
        return self.last.stop_reason if self.last else None

    @property
    def attempts(self) -> list[Attempt]:
        """What each model did that was asked: one for a request, or several with a fallback."""
        return [attempt for message in self.messages for attempt in message.attempts]

    @property
    def usage(self) -> Usage:
        """The tokens of all requests; a count that no finished stream gave is None: unknown."""
        return sum((attempt.usage for attempt in self.attempts), Usage())

    @property
    def cost(self) -> float | None:
        """What it cost in USD by the dated price list, or None if that is not known.

        It is a lower bound where ``unpriced`` names something.
        """
        return known(sum, [attempt.cost for attempt in self.attempts])

    @property
    def unpriced(self) -> tuple[str, ...]:
        """What its usage names and the price list does not, such as ``"service_tier priority"``."""
        return tuple(sorted({term for message in self.messages for term in message.unpriced}))

    @property
    def savings(self) -> Savings:
        """What of it went through the cache, and what that was worth."""
        parts = (Savings.of(a.usage, facts(a.model)) for a in self.attempts)
        return sum(parts, Savings())

    @property
    def accepted(self) -> Message | None:
        """The first request that the server accepted: it finds what earlier replies cached."""
        return next((message for message in self.messages if message.accepted), None)

    @property
    def cache_miss(self) -> CacheMiss | None:
        """Why less was read from the cache than there could have been; None if nothing is amiss."""
        message = self.accepted
        if message is None or self.expectation is None or message.fell_back:
            return None  # another model has a cache of its own
        return self.expectation.miss(message.usage, message.cache_miss_reason)

    @property
    def timing(self) -> Timing:
        """How long it took."""
        messages = self.messages
        if not messages:
            return Timing(None, None, None, None)
        start = -messages[0].sent
        first_event = next((m.first_event for m in messages if m.first_event is not None), None)
        first_text = next((m.first_text for m in messages if m.first_text is not None), None)
        output = self.usage.output_tokens
        writing = sum(message.writing for message in messages)
        rate = output / writing if output and writing and self.ended is not None else None
        return Timing(add(first_event, start), add(first_text, start), add(self.ended, start), rate)

    @property
    def request_ids(self) -> list[str]:
        """The API's ids of the requests, for a question to support."""
        return [m.request_id for m in self.messages if m.request_id]

    @property
    def last(self) -> Message | None:
        """The newest message, or None before a request was sent."""
        return self.messages[-1] if self.messages else None


def _outcome(message: Message) -> Outcome:
    if message.stop_reason == "refusal":
        return Outcome.REFUSED
    return Outcome.TRUNCATED if message.stop_reason in _TRUNCATED else Outcome.COMPLETE
