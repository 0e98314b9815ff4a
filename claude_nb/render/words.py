"""What is said to people: numbers, durations, states and outcomes. Plain text, nothing escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from claude_nb.blocks import TOOL_CALLS
from claude_nb.progress import Outcome

if TYPE_CHECKING:
    from claude_nb.blocks import Block
    from claude_nb.progress import Progress

UNKNOWN = "unknown"


def count(tokens: int | None) -> str:
    """A number of tokens: ``18,204``."""
    return UNKNOWN if tokens is None else f"{tokens:,}"


def money(usd: float | None) -> str:
    """A price in USD, to a hundredth of a cent: ``$0.0142``."""
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


def stop_reason(reason: str | None, outcome: Outcome) -> str:
    """Why a message ended, for a row of the usage table."""
    return reason.replace("_", " ") if reason else str(outcome)


def status(progress: Progress) -> str:
    """What a reply is doing now, in a few words."""
    message = progress.last
    if progress.outcome is not Outcome.STREAMING:
        return str(progress.outcome)
    if message is None or not message.accepted:
        return "connecting"
    if not message.content:
        return "waiting for the first words"
    block = message.content[-1]
    if block.ended is not None:
        return "working"
    if block.type in TOOL_CALLS:
        return "writing tool input"
    return {"text": "writing", "thinking": "thinking"}.get(block.type, "working")


def thought(block: Block, tokens: int | None) -> tuple[str, str]:
    """The label of a thinking pane: what stands out, and the rest.

    Args:
        block: The thinking block.
        tokens: The thinking tokens of its message, where this block is all of its thinking.
    """
    if block.ended is None:
        return "Thinking", "…"
    rest = f" for {seconds(block.ended - block.started)}"
    if tokens:
        rest += f" · {count(tokens)} tokens"
    return "Thought", rest if block.text else f"{rest} · nothing readable was sent"


@dataclass(frozen=True, slots=True)
class Card:
    """A note below a reply that did not simply end well.

    Attributes:
        title: What happened.
        text: What was kept and what to do, in lines.
        serious: Whether something failed, rather than ended early.
    """

    title: str
    text: str
    serious: bool = False


def card(progress: Progress) -> Card | None:
    """The card that a reply needs, or None."""
    kept = "What came before is kept." if progress.blocks else ""
    message = progress.last
    error = progress.error
    if error is not None:
        ids = f"Request id: {error.request_id}." if error.request_id else ""
        parts = [error.detail, kept, error.advice, ids]
        return Card(error.what, _lines(parts), serious=True)
    if progress.outcome is Outcome.STOPPED:
        unknown = "How many tokens it used is not known." if message and message.accepted else ""
        parts = [kept or "Nothing had come yet.", unknown]
        return Card("Stopped", _lines(parts))
    if message is None or progress.outcome is Outcome.STREAMING:
        return None
    if progress.outcome is Outcome.REFUSED:
        category = str(message.stop_details.get("category") or "").replace("_", " ")
        why = str(message.stop_details.get("explanation") or "No reason was given.")
        return Card("Claude declined to answer" + (f" ({category})" if category else ""), why)
    if progress.outcome is Outcome.TRUNCATED:
        return _TRUNCATED[str(message.stop_reason)]
    if not progress.text.strip() and not progress.tool_calls:
        return Card("The reply holds no text", "It ended normally. Ask again, or ask differently.")
    return None


def _lines(parts: list[str]) -> str:
    return "\n".join(part for part in parts if part)


_TRUNCATED = {
    "max_tokens": Card(
        "Cut off: the reply reached --max-tokens",
        "Thinking counts too. Run it again with a larger --max-tokens, or ask for less.",
    ),
    "model_context_window_exceeded": Card(
        "Cut off: the context window is full",
        "Prompt and reply together are as long as the model can take. Send less.",
    ),
    "pause_turn": Card(
        "The server paused this turn",
        "A long run of server tools was interrupted; what came so far is kept.",
    ),
}
