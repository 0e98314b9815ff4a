"""The messages of a branch of a conversation, as they are sent before its next turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from claude_nb.cost.models import facts
from claude_nb.request.system import System
from claude_nb.streaming import turns

if TYPE_CHECKING:
    from claude_nb.conversation.history import Exchange

_SUMMARY = "The summary of the conversation so far:\n\n<summary>\n{}\n</summary>"
"""How a summary is sent where its signature is not valid, or not taken: as the user's words."""

Bound = tuple[tuple[str | None, ...], tuple[dict[str, Any], ...]]


def compacted_at(branch: Sequence[Exchange], origin: str | None) -> int:
    """The place of the newest compaction that is sent to a server; -1 if there is none.

    A simulated summary says nothing of the turns, so no other server gets it in their place.
    """
    places = [
        place
        for place, exchange in enumerate(branch)
        if exchange.compaction is not None and (exchange.origin == origin or not exchange.simulated)
    ]
    return places[-1] if places else -1


def _summary(exchange: Exchange, origin: str | None, model: str) -> dict[str, Any]:
    """The message that stands for all turns up to a compaction.

    The block goes back to the server that signed it, for a model that is not known to refuse it.
    """
    found, known = exchange.compaction, facts(model)
    refused = known is not None and known.compaction is False
    if found is not None and found.block and exchange.origin == origin and not refused:
        return turns.assistant([found.block])
    return turns.user(_SUMMARY.format(exchange.text))


def sent_messages(
    branch: Sequence[Exchange], to: Bound, origin: str | None, model: str
) -> list[dict[str, Any]]:
    """A branch as the messages before a turn with that system prompt, those tools and that model.

    The turns up to a compaction are left out: its summary stands for them.
    """
    at = compacted_at(branch, origin)
    messages = [_summary(branch[at], origin, model)] if at >= 0 else []
    branch = [exchange for exchange in branch[at + 1 :] if exchange.compaction is None]
    # Thinking is valid as long as nothing before it has changed: back to the last change of the
    # system prompt or the tools, and never further, even if an earlier one comes back.
    bounds = [*(bound_to(exchange.system, exchange.tools) for exchange in branch), to]
    pairs = enumerate(pairwise(bounds), 1)
    changed = max((number for number, (one, other) in pairs if one != other), default=0)
    # What a server refused once is never sent again: the thinking since then does not know of it.
    refused = (number for number, exchange in enumerate(branch) if exchange.unthought)
    changed = max(changed, *refused, 0)
    for position, exchange in enumerate(branch):
        messages += exchange.question
        if exchange.origin != origin:
            messages += map(turns.plain, exchange.steps)
            answer = turns.text_only(exchange.answer)
            messages += [turns.assistant(answer)] if answer else []
        elif position < changed:
            messages += map(turns.without_thinking, exchange.turns)
        else:
            messages += exchange.turns
    return messages


def tools_key(definitions: Sequence[dict[str, Any]]) -> str:
    """The definitions of tools as a text, which is the same where they are."""
    return json.dumps(definitions, sort_keys=True)


def bound_to(system: str | System | None, tools: tuple[dict[str, Any], ...]) -> Bound:
    """What thinking is bound to beside the messages: the texts of the system prompt, and tools."""
    return system.texts if isinstance(system, System) else (system,), tools
