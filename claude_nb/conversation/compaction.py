"""The summary of a conversation's earlier turns, which is sent in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from claude_nb.cost.models import facts
from claude_nb.cost.usage import Usage
from claude_nb.streaming import turns
from claude_nb.streaming.progress import Progress

COMPACTED = " compacted: "
"""What stands in the note on turns of which a summary is sent."""

_SUMMARY = "The summary of the conversation so far:\n\n<summary>\n{}\n</summary>"
"""How a summary is sent where its signature is not valid, or not taken: as the user's words."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """A summary of turns.

    Attributes:
        block: The content block, as the server signed it; None where only its text is known.
        before: The tokens that were summarised, system prompt and tools included; None: not known.
        after: The tokens of the summary, with the thinking that it took; None: not known.
    """

    block: dict[str, Any] | None
    before: int | None
    after: int | None

    @classmethod
    def of(cls, reply: Progress) -> Compaction | None:
        """The summary that a reply has brought, or None if it has brought none."""
        block = reply.last.compaction if reply.last is not None else None
        if block is None:
            return None
        used = reply.last.usage if reply.last is not None else Usage.unknown()
        return cls(block, used.total_input_tokens, used.output_tokens)

    @property
    def took(self) -> str:
        """How many tokens became how many, if that is known."""
        if self.before is None or self.after is None:
            return "a summary is sent in their place"
        return f"{self.before:,} → {self.after:,} tokens"

    def message(self, text: str, model: str, *, is_signed: bool) -> dict[str, Any]:
        """The message that stands for the turns.

        Args:
            text: The summary.
            model: The model that is asked; it gets no block if it is known to refuse that.
            is_signed: Whether the server that is asked has signed the block.
        """
        known = facts(model)
        refused = known is not None and known.compaction is False
        if self.block and is_signed and not refused:
            return turns.assistant([self.block])
        return turns.user(_SUMMARY.format(text))
