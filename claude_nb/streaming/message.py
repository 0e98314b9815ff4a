"""The reducer: events in, content blocks, stop reason and usage out.

``Message`` is what one request has become so far. Nothing here shows, sends or waits.

Servers and gateways send more than the documentation knows: every block and stop reason is carried,
known or not; a delta of an unknown type stays in the events and changes nothing. What is missing is
missing here too, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from claude_nb.characters import clean
from claude_nb.cost.models import facts
from claude_nb.cost.usage import TERMS, Usage, add, is_billed, known
from claude_nb.request.server_tools import includes_code
from claude_nb.streaming import sdk
from claude_nb.streaming.block import SERVER_CALLS, TOOL_CALLS, Block, as_dict, as_string
from claude_nb.streaming.continuation import Continuation
from claude_nb.streaming.events import DELTA_FIELDS, DELTAS, RequestSent

CUMULATIVE = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "server_tool_use",
    "output_tokens_details",
    "iterations",
)
"""What ``message_delta`` counts at the top of its ``usage``; what is not named here is dropped."""


_DECLINED = frozenset({"tool_use", "thinking", "redacted_thinking"})
"""Blocks that are not sent back where the model declined that wrote them (documentation, "Refusals
and fallback")."""


class Attempt(NamedTuple):
    """What one model did for a request; with a fallback, there are several.

    Attributes:
        model: The model.
        usage: Its tokens.
        cost: In USD, or None where it is unknown.
        stop_reason: Why it stopped; None if it did not say.
    """

    model: str
    usage: Usage
    cost: float | None
    stop_reason: str | None


@dataclass(eq=False)
class Message:
    """What one request has become.

    Attributes:
        sent: When the request was sent (``time.monotonic()``, seconds).
        request: How it was sent.
        round: How often tools were run for the reply before it was asked for.
        taken: The ids of the blocks of the messages before it.
        model: The model that answers: as the server says it, before that as it was asked for.
        simulated: Whether the simulator answers.
        request_id: The ``request-id`` header, or None.
        accepted: Whether the server took the request: status 200.
        content: The content blocks in the order in which they began, which is that of the message.
        stop_reason: As the server sent it, or None.
        stop_details: The reason of a refusal, as a dict.
        stop_sequence: The stop sequence that it met; empty if it met none.
        complete: Whether ``message_stop`` came.
        failure: What broke it off, in two or three words, if it was sent again.
        first_event: When the first event came, as ``sent``, or None; ``first_text`` and ``ended``
            likewise.
    """

    sent: float
    request: RequestSent
    _resumed: Continuation | None = None
    round: int = 0
    taken: frozenset[str] = frozenset()
    request_id: str | None = None
    first_event: float | None = None
    first_text: float | None = None
    ended: float | None = None
    accepted: bool = False
    content: list[Block] = field(default_factory=list)
    stop_reason: str | None = None
    stop_details: dict[str, Any] = field(default_factory=dict)
    stop_sequence: str = ""
    complete: bool = False
    failure: str = ""
    _at: dict[int, Block] = field(default_factory=dict)
    _begun: bool = False
    _counted: bool = False
    _base: dict[str, Any] = field(default_factory=dict)
    _usage: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.request.model
        self.simulated = self.request.simulated

    def apply(self, time: float, data: dict[str, Any]) -> None:
        """Take in an event of the wire.

        Args:
            time: When it arrived.
            data: The event; one that is not known changes nothing.
        """
        if self.first_event is None:
            self.first_event = time
        kind = data.get("type")
        if kind == "content_block_delta":
            self._delta(time, data.get("index"), as_dict(data.get("delta")))
        elif kind == "content_block_start":
            self._open(data.get("index"), time, as_dict(data.get("content_block")))
        elif kind == "content_block_stop":
            block = self._block(data.get("index"))
            if block is not None:
                self._close(block, time)
        elif kind == "message_start":
            self._begin(as_dict(data.get("message")))
        elif kind == "message_delta":
            self._message_delta(data)
        elif kind == "message_stop":
            self.complete = True
            self.end(time)

    def _begin(self, message: dict[str, Any]) -> None:
        """Take in the message that ``message_start`` brings; a second one changes nothing.

        A ``message_delta`` that came before it takes precedence.
        """
        if message and not self._begun:
            self._begun = True
            self._base = message | self._base
            self.model = clean(str(message.get("model") or self.model))
            self._usage = as_dict(message.get("usage")) | self._usage

    def grow(self, time: float, index: Any, kind: str, text: str) -> None:
        """Take in a delta that brings a text.

        Args:
            time: When it arrived.
            index: The block's index, if it names one.
            kind: The delta's type, one of ``DELTA_FIELDS``.
            text: What it adds.
        """
        if self.first_event is None:
            self.first_event = time
        block = self._block(index)
        if block is None:
            block = self._open(index, time, {"type": DELTAS[kind][1]})
        if text:
            block.add(text if self._resumed is None else self._resumed.new_part(block, text))
            if self.first_text is None and kind == "text_delta":
                self.first_text = time

    def _fall_back(self, time: float, start: dict[str, Any]) -> None:
        """Another model goes on from here; some of the blocks so far are not sent back to it."""
        self.model = clean(as_string(as_dict(start.get("to")).get("model"))) or self.model
        self._base["model"] = self.model
        answered = {block.answers for block in self.content}
        for block in self.content:
            unanswered = block.type in TOOL_CALLS and block.id not in answered
            block.declined = unanswered or block.type in _DECLINED
            if block.ended is None:
                self._close(block, time)

    def _open(self, index: Any, time: float, start: dict[str, Any]) -> Block:
        """Begin a block. One that had the same index keeps its place, and what came for it."""
        if start.get("type") == "fallback":
            self._fall_back(time, start)
        block = Block(len(self.content), time, self._with_own_id(start))
        if block.type == "text" and self._resumed is not None and self._resumed.text is None:
            block = self._resumed.begin(block)
        self.content.append(block)
        if isinstance(index, int):
            self._at[index] = block
        if block.type == "text" and block.parts and self.first_text is None:
            self.first_text = time
        return block

    def _with_own_id(self, start: dict[str, Any]) -> dict[str, Any]:
        """A call with an id that no other call of the reply has: its result has to name it.

        Gateways give two calls one id, or none.
        """
        if start.get("type") != "tool_use":
            return start
        taken = self.taken.union(block.id for block in self.content)
        given = own = as_string(start.get("id")) or "call"
        number = 1
        while own in taken:
            number += 1
            own = f"{given}_{number}"
        return start | {"id": own}

    def _block(self, index: Any) -> Block | None:
        """The block that an event is about: by its index, or the newest where it has none."""
        if isinstance(index, int):
            return self._at.get(index)
        return self.content[-1] if self.content else None

    def _close(self, block: Block, time: float) -> None:
        if self._resumed is not None:
            block.add(self._resumed.held_back(block))
        block.close(time)

    def end(self, time: float) -> None:
        """The request is over for good, whether its message is complete or not."""
        if self.ended is None:
            self.ended = time
        for block in self.content:
            if block.ended is None:
                self._close(block, time)

    def fail(self, time: float, why: str) -> None:
        """The request failed, and will be sent again; a text may yet go on."""
        self.ended, self.failure = time, why
        for block in self.content:
            if block.ended is None and block.type != "text":
                block.lost = True
                block.close(time)

    def discard(self, *, text: bool) -> None:
        """Discard what the retried request will produce again: calls without a result.

        Args:
            text: Whether it produces everything again, the text and the server's own results too.
        """
        answered = {block.answers for block in self.content if not (block.lost or text)}
        for block in self.content:
            if (text and (block.type == "text" or block.answers)) or (
                block.type in TOOL_CALLS and block.id not in answered
            ):
                block.lost = True
                if block.ended is None:
                    block.close(self.ended or self.sent)

    def _delta(self, time: float, index: Any, delta: dict[str, Any]) -> None:
        kind = as_string(delta.get("type"))
        if kind in DELTA_FIELDS:
            self.grow(time, index, kind, as_string(delta.get(DELTA_FIELDS[kind])))
            sealed, block = delta.get("encrypted_content"), self._block(index)
            if isinstance(sealed, str) and block is not None:
                block.encrypted_content = sealed
            return
        if kind not in ("signature_delta", "citations_delta"):
            return
        signs = kind == "signature_delta"
        block = self._block(index)
        if block is None:
            block = self._open(index, time, {"type": "thinking" if signs else "text"})
        if signs:
            block.signature = as_string(delta.get("signature"))
        else:
            block.citations.append(as_dict(delta.get("citation")))

    def _message_delta(self, data: dict[str, Any]) -> None:
        delta = as_dict(data.get("delta"))
        self.stop_reason = clean(as_string(delta.get("stop_reason"))) or self.stop_reason
        self.stop_details = as_dict(delta.get("stop_details")) or self.stop_details
        self.stop_sequence = as_string(delta.get("stop_sequence")) or self.stop_sequence
        for name in ("stop_reason", "stop_sequence", "stop_details"):
            self._base[name] = delta.get(name)
        if delta.get("container") is not None:
            self._base["container"] = delta["container"]
        usage = as_dict(data.get("usage"))
        # Counts are cumulative: later ones overwrite, an absent one leaves what was known.
        self._usage |= {k: usage[k] for k in CUMULATIVE if usage.get(k) is not None}
        self._counted = self._counted or usage.get("output_tokens") is not None

    @property
    def calls(self) -> list[Block]:
        """The calls that are to be run; none as long as it is not certain that all have come."""
        if not (self.complete and self.request.runs_tools and self.stop_reason == "tool_use"):
            return []
        return [b for b in self.content if b.type == "tool_use" and not b.declined]

    @property
    def id(self) -> str | None:
        """The id by which the server knows the message, or None."""
        return as_string(self._base.get("id")) or None

    @property
    def container(self) -> str | None:
        """The id of the container in which the server ran code, for the next request to name."""
        return as_string(as_dict(self._base.get("container")).get("id")) or None

    @property
    def writing(self) -> float:
        """Seconds from its first event to its end; 0 while there is no end, or no server."""
        if self.first_event is None or self.ended is None or self.request.is_local:
            return 0.0
        return self.ended - self.first_event

    @property
    def usage(self) -> Usage:
        """The tokens, as far as they are known: the output once the finished stream counted it.

        A request that the server did not take used none. What models used that declined before the
        one that answered is in ``attempts``.
        """
        return sum(self._usages, Usage())

    @property
    def _usages(self) -> list[Usage]:
        """What the counts at the top of ``usage`` say, and what each compaction took beside them.

        These are counted in ``iterations`` alone (documentation, "Compaction on demand", "Count
        compaction usage").
        """
        if not self.accepted and self.ended is not None:
            return []
        listed = self._usage.get("iterations")
        steps = map(as_dict, listed if isinstance(listed, list) else ())
        terms = {name: self._usage.get(name) for name in TERMS}  # of the whole request
        compactions = [terms | step for step in steps if step.get("type") == "compaction"]
        reply = Usage.from_api(self._usage, complete=self.complete and self._counted)
        return [reply, *(Usage.from_api(step, complete=True) for step in compactions)]

    @property
    def context_tokens(self) -> int | None:
        """How many tokens of the context window are taken with this message; None if not known.

        With tools of the server the prompt was read, and counted, several times.
        """
        if not self._usages or any(block.type in SERVER_CALLS for block in self.content):
            return None
        reply = self._usages[0]
        return add(reply.total_input_tokens, reply.output_tokens)

    @property
    def compaction(self) -> dict[str, Any] | None:
        """The block with the summary of a conversation, as it is sent back; None if none came."""
        blocks = [block.to_dict() for block in self.content if block.type == "compaction"]
        whole = self.complete and self.stop_reason == "compaction"
        return blocks[0] if whole and blocks and as_string(blocks[0].get("content")) else None

    @property
    def cost(self) -> float | None:
        """What it cost in USD by the price list, or None if that is not known.

        It is a lower bound where ``unpriced`` names something.
        """
        return known(sum, [attempt.cost for attempt in self.attempts])

    @property
    def attempts(self) -> list[Attempt]:
        """The models that were tried for it, the last of which answered, or declined for good.

        ``usage.iterations`` records each; they are priced by their own rates, and one that declined
        before any output is only billed in some categories (documentation, "Refusals and
        fallback").
        """
        if self.request.is_local:
            return []
        iterations = self._usage.get("iterations")
        entries = [as_dict(e) for e in (iterations if isinstance(iterations, list) else ())]
        used: dict[str, Usage] = {}
        for entry in entries if self.fell_back else ():
            model = clean(as_string(entry.get("model"))) or self.request.model
            if entry.get("type") == "message" and model != self.model:
                counts = {name: self._usage.get(name) for name in TERMS} | entry
                used[model] = used.get(model, Usage()) + Usage.from_api(counts, complete=True)
        handovers = [as_dict(b.to_dict().get("trigger")) for b in self.content if _is_fallback(b)]
        categories = [trigger.get("category") for trigger in handovers]
        found = []
        for number, (model, usage) in enumerate(used.items()):
            category = categories[number] if number < len(categories) else None
            free = usage.output_tokens == 0 and not is_billed(category)
            cost = 0.0 if free else usage.cost(facts(model))
            found.append(Attempt(model, usage, cost, "refusal"))
        wrote = bool(self.content) and not _is_fallback(self.content[-1])
        declined = self.stop_reason == "refusal" and not wrote
        free = declined and not is_billed(self.stop_details.get("category"))
        costs = [usage.cost(facts(self.model)) for usage in self._usages]
        cost = 0.0 if free else known(sum, costs)
        return [*found, Attempt(self.model, self.usage, cost, self.stop_reason)]

    @property
    def fell_back(self) -> bool:
        """Whether another model than the one that was asked answers, because that declined."""
        iterations = self._usage.get("iterations")
        return any(map(_is_fallback, self.content)) or any(
            as_dict(entry).get("type") == "fallback_message"
            for entry in (iterations if isinstance(iterations, list) else ())
        )

    @property
    def unpriced(self) -> tuple[str, ...]:
        """What usage names and the price list does not: see ``Usage.unpriced``."""
        if not self.cost:
            return ()
        is_free = includes_code(self.request.params.get("tools") or ())
        time = ("the time of code execution",) if self.container and not is_free else ()
        return self.usage.unpriced(facts(self.model)) + time

    @property
    def cache_miss_reason(self) -> str | None:
        """Why the server found less in its cache than before, as it names it; None: not named.

        It comes with ``message_start`` where the request asks for it: documentation, "Cache
        diagnostics".
        """
        reason = as_dict(as_dict(self._base.get("diagnostics")).get("cache_miss_reason"))
        return as_string(reason.get("type")) or None

    def fields(self) -> dict[str, Any]:
        """The message as the API's dict, but for its content; empty before ``message_start``."""
        return self._base | {"content": [], "usage": self._usage} if self._base else {}

    def to_sdk(self) -> Any:
        """The SDK's own ``Message``, or None where no ``message_start`` came."""
        if not self._begun:
            return None
        content = [block.to_dict() for block in self.content if not block.lost]
        return sdk.message(self.fields() | {"content": content})


def _is_fallback(block: Block) -> bool:
    return block.type == "fallback"
