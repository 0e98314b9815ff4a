"""Labels for people to read: numbers, durations, states and outcomes. Plain text, unescaped."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from datetime import datetime

from claude_nb.characters import brief, clean
from claude_nb.cost.models import facts
from claude_nb.errors import CONTEXT_FULL
from claude_nb.redaction import redact
from claude_nb.render import partial_json
from claude_nb.streaming.block import TOOL_CALLS, Block, Break, as_dict
from claude_nb.streaming.events import ToolAsked, ToolRan, ToolStarted
from claude_nb.streaming.message import Message
from claude_nb.streaming.progress import Outcome, Progress

UNKNOWN = "unknown"

MAX_LINE = 1_000
"""Characters of what is sent that are shown in a line."""


def count(tokens: int | None) -> str:
    """A number of tokens: ``18,204``."""
    return UNKNOWN if tokens is None else f"{tokens:,}"


def counted(number: int, noun: str) -> str:
    """So many of something: ``1 read``, ``2 reads``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def searches(number: int) -> str:
    """So many searches: ``1 search``, ``2 searches``."""
    return f"{number:,} search{'' if number == 1 else 'es'}"


def money(usd: float | None) -> str:
    """An amount in USD, to a hundredth of a cent: ``$0.0142``."""
    if usd is None:
        return UNKNOWN
    return "<$0.0001" if 0 < usd < 0.00005 else f"${usd:,.4f}"


def seconds(duration: float | None) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``1 min 05 s``."""
    if duration is None:
        return "–"
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


def megabytes(size: int) -> str:
    """A size in bytes: ``2.4 MB``."""
    return f"{size / 1e6:.1f} MB"


def stop_reason(message: Message, outcome: Outcome) -> str:
    """Why a message ended, for a row of the usage table."""
    reason = message.stop_reason or message.failure or str(outcome)
    met = f" {quoted(message.stop_sequence)}" if message.stop_sequence else ""
    return reason.replace("_", " ") + met


def quoted(short: str) -> str:
    """A short text in quotes, in which line ends and the like are written as in Python."""
    return f"“{clean(json.dumps(short[:40], ensure_ascii=False)[1:-1])}”"


def also_sent(line: str) -> str:
    """A line of ``Request.also_sent``, shortened."""
    line = clean(line)
    return f"{line[:MAX_LINE]}…" if len(line) > MAX_LINE else line


def status(progress: Progress) -> str:
    """What a reply is doing, or how it ended."""
    return f"{_state(progress)} · replayed" if progress.replayed else _state(progress)


def title(progress: Progress, name: str = "") -> str:
    """What a reply is called: by its model, and the one in whose place that answers, if any.

    Args:
        progress: The reply.
        name: Its own name, if it has one.
    """
    message = progress.last
    if message is None or not message.fell_back:
        return name or progress.model
    model = f"{message.model} in place of {clean(message.request.model)}"
    return f"{name} · {model}" if name else model


def _state(progress: Progress) -> str:
    message = progress.last
    if progress.outcome is not Outcome.STREAMING:
        return str(progress.outcome)
    if progress.waiting is not None:
        return waiting(progress, seconds_left(max(0.0, progress.waiting.until - time.time())))
    if message is not None and message.request.whole:
        return "waiting for the whole reply"
    if message is None:
        return progress.pending() or "connecting"
    if not (message.accepted or message.request.is_local):
        return "connecting"
    if not message.content:
        return "working" if message.request.is_local else "waiting for the first words"
    block = message.content[-1]
    if message.calls:
        return _running(message.calls)
    if block.ended is not None:
        return "working"
    if block.type in TOOL_CALLS:
        return "writing tool input"
    return {"text": "writing", "thinking": "thinking"}.get(block.type, "working")


def _running(calls: list[Block]) -> str:
    """The state of a message's tool calls."""
    if any(isinstance(call.run, ToolAsked) for call in calls):
        return "waiting for your answer"
    names = dict.fromkeys(call.name for call in calls if isinstance(call.run, ToolStarted))
    return f"running {', '.join(names)}" if names else "working"


def call_outcome(call: Block) -> str:
    """The outcome of a tool call, for its label; empty while there is none."""
    run = call.run
    if isinstance(run, ToolAsked):
        return " · may it run?"
    if isinstance(run, ToolStarted):
        return " · running"
    if not isinstance(run, ToolRan):
        return ""
    duration = f" · {seconds(run.seconds)}" if run.seconds else ""
    return f"{' · ' if run.is_error else ' → '}{run.note or 'done'}{duration}"


def waiting(progress: Progress, left: str) -> str:
    """Why a reply waits, and for how long.

    Args:
        progress: A reply that is retried after a pause.
        left: The time that is left, as text.
    """
    wait = progress.waiting
    if wait is None:
        return ""
    turn = f"({wait.number} of {wait.tries})"
    again = "continuing" if progress.text.strip() else "trying again"
    if wait.error.retry_after:
        until = datetime.fromtimestamp(wait.until).astimezone()
        return f"{wait.error.label}, {again} at {until:%H:%M:%S}, {left} left {turn}"
    return f"{wait.error.label}, {again} in {left} {turn}"


def seconds_left(duration: float) -> str:
    """The rest of a wait in whole seconds, as ``live.js`` counts them down."""
    return f"{math.ceil(duration)} s"


def more_characters(rest: int) -> str:
    """The line below a text of which ``rest`` characters are not shown; empty if all are shown."""
    return f"{count(rest)} more characters are in .blocks of the reply." if rest > 0 else ""


def break_line(item: Break) -> str:
    """The line where a text was broken off."""
    return f"{item.why} after {seconds(item.after)} · continued"


def call(block: Block) -> str:
    """A tool call in one short line, as in Python."""
    inside = arguments(block)
    short = inside if len(inside) <= 80 else inside[:79] + "…"
    return f"{block.name or block.type}({short})"


def arguments(block: Block) -> str:
    """The arguments of a tool call; empty while its input is incomplete."""
    return ", ".join(f"{k}={partial_json.write(v)}" for k, v in (block.input or {}).items())


def thought(block: Block, tokens: int | None) -> tuple[str, str]:
    """The label of a thinking pane: the part in bold type, and the rest.

    Args:
        block: The thinking block.
        tokens: The thinking tokens of its message, if it has no other thinking block.
    """
    if block.ended is None:
        return "Thinking", "…"
    rest = f" for {seconds(block.ended - block.started)}"
    if block.lost:
        return "Thought", f"{rest} · lost with the connection"
    if tokens:
        rest += f" · {counted(tokens, 'token')}"
    return "Thought", rest if block.text else f"{rest} · no readable text"


@dataclass(frozen=True, slots=True)
class Card:
    """A note below a reply that did not complete.

    Attributes:
        title: What happened.
        text: Lines: what was kept and what to do.
        serious: Whether the reply failed, rather than ended early.
    """

    title: str
    text: str
    serious: bool = False


def card(progress: Progress) -> Card | None:
    """The card of a reply, or None if it completed or still streams."""
    came = any(block.type != "traceback" for block in progress.blocks)
    kept = "The text so far is kept." if came else ""
    message = progress.last
    error = progress.error
    if error is not None:
        ids = f"Request id: {error.request_id}." if error.request_id else ""
        tries = 1 + sum(not message.complete for message in progress.messages[:-1])
        tried = f"Tried {tries} times." if tries > 1 else ""
        parts = [error.detail, kept, tried, error.advice, ids]
        return Card(error.what, _lines(parts), serious=True)
    if progress.outcome is Outcome.STOPPED:
        unknown = "Token count unknown." if message and message.accepted else ""
        parts = [kept or "Nothing had arrived yet.", unknown]
        return Card("Stopped", _lines(parts))
    if message is None or progress.outcome is Outcome.STREAMING:
        return None
    if progress.outcome is Outcome.REFUSED:
        category = str(message.stop_details.get("category") or "").replace("_", " ")
        why = brief(str(message.stop_details.get("explanation") or "No reason was given."))
        title = "Claude declined to answer" + (f" ({category})" if category else "")
        return Card(title, _lines([why, progress.parse_error, _other_model(progress, message)]))
    if progress.outcome is Outcome.TRUNCATED:
        title, text = _TRUNCATED[str(message.stop_reason)]
        most = progress.option("max_tokens")
        return Card(title.format(most), _lines([text.format(most), progress.parse_error]))
    if progress.parse_error:
        return Card("The answer does not match the requested schema", progress.parse_error)
    if not (progress.text.strip() or progress.tool_calls or message.compaction):
        ended = "The reply ended normally."
        if message.stop_sequence:
            ended = f"The reply began with the stop sequence {quoted(message.stop_sequence)}."
        return Card("The reply contains no text", f"{ended} Ask again, or ask differently.")
    return None


def _lines(parts: list[str]) -> str:
    return "\n".join(part for part in parts if part)


def _other_model(progress: Progress, message: Message) -> str:
    """How another model may come to answer what this one declined; empty where none can."""
    recommended = message.stop_details.get("recommended_model")
    if isinstance(recommended, str) and recommended:
        return f"{brief(recommended)} could not be reached; it may answer."
    known = facts(message.model)
    if "fallbacks" in as_dict(message.request.params.get("extra_body")) or (
        known is not None and not known.falls_back
    ):
        return ""
    option = progress.option("fallback")
    return f"Another model may answer: ask with {option}{'' if option[0] == '-' else '=True'}."


_TRUNCATED = {
    "max_tokens": (
        "Cut off: the reply reached {}",
        "Thinking counts too. Ask again with a larger {}, or ask for less.",
    ),
    "model_context_window_exceeded": (
        "Cut off: the context window is full",
        f"Prompt and reply together fill the model's context window. {CONTEXT_FULL}",
    ),
}


def first_words(text: str, width: int) -> str:
    """The beginning of a text, in one line of at most ``width`` characters, without credentials."""
    line = " ".join(redact(text[: 4 * width]).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def instruction_note(text: str) -> str:
    """An instruction in a few words."""
    return f"instruction from here on: “{first_words(text, 60)}”"
