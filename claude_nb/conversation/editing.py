"""An answer in the user's own words, which is sent in the place of the one that came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from claude_nb.characters import wellformed
from claude_nb.conversation.history import Exchange, History
from claude_nb.errors import InputError
from claude_nb.streaming import turns


def edited(exchange: Exchange, text: str) -> Exchange:
    """The same question with another answer: what is sent of it in the place of what came.

    Calls of tools and their results stay. Thinking is left out, as are citations: they belong to
    the text that came.

    Args:
        exchange: The one with the answer that came, or with one that was edited before.
        text: All of the answer's text.

    Raises:
        InputError: The text is empty, or there is none that it could replace.
    """
    if exchange.compaction is not None or not exchange.text.strip():
        raise InputError("This answer has no text to edit.")
    if not text.strip():
        raise InputError("An answer cannot be empty.", "To undo the turn: %claude_nb undo")
    return replace(
        exchange,
        id=uuid4().hex,
        answer=({"type": "text", "text": wellformed(text).rstrip()},),
        steps=tuple(map(_without_text, exchange.steps)),
        asked=datetime.now(UTC).isoformat(timespec="milliseconds"),
        context_tokens=None,
        edited=exchange.edited or exchange.id,
    )


def _without_text(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn between question and answer, of which the words are in the edited text."""
    if turn["role"] != "assistant":
        return turn
    left = turns.without_thinking(turn)
    return {**left, "content": [block for block in left["content"] if block["type"] != "text"]}


def go_on(history: History, exchange: Exchange) -> None:
    """Add an edited answer to a conversation, which goes on from there.

    The turns after the answer that came stay in the tree, as they were asked about that one.

    Args:
        history: The conversation.
        exchange: What ``edited`` returned.
    """
    with history.lock:
        history.exchanges.append(exchange)
        history.go_to(exchange)
