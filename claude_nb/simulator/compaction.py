"""Compaction on demand: requests that are answered by a summary, and summaries that come back.

The rules are those of platform.claude.com/docs, "Compaction on demand" (read 2026-11-30); of the
wording of errors, only what a program may look for is the API's.
"""

from collections.abc import Collection, Iterator
from typing import Any

from claude_nb.cost.models import ModelFacts
from claude_nb.simulator import catalogue, signatures
from claude_nb.simulator.refusals import mistyped
from claude_nb.simulator.tokens import blocks, estimate, parts
from claude_nb.simulator.turns import exchange, turns
from claude_nb.simulator.wire import Answer, Written

BETA = "compact-2026-09-04"

_LONGEST_INSTRUCTIONS = 16_384
_FIELDS = {"type", "content", "signature", "encrypted_content", "tool_changes", "cache_control"}
_BEGINNING = 60
"""Characters of the last question that a summary names."""


def about_header(request: dict[str, Any], betas: Collection[str]) -> Iterator[str]:
    """Yield what is wrong where the header does not name the beta."""
    if BETA in betas:
        return
    if request.get("compaction") is not None:
        yield f"compaction: requires anthropic-beta: {BETA}"
    messages = request.get("messages")
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for at, block in enumerate(content if isinstance(content, list) else ()):
            if isinstance(block, dict) and block.get("type") == "compaction":
                yield f"messages.{number}.content.{at}.type: 'compaction' is not one of the types"


def complaints(request: dict[str, Any], known: ModelFacts) -> Iterator[str]:
    """Yield what is wrong with a request for a summary, and with one that brings a summary back."""
    if (asked := request.get("compaction")) is not None:
        yield from _about_request(request, asked, known)
    found = [part for part in parts(request) if part.block.get("type") == "compaction"]
    for part in found:
        yield from _about_block(part.path, part.block)
    if len(found) > 1:
        yield "messages: more than one compaction block (compaction_block_ambiguous)"
    for part in found:
        if part.path != "messages.0.content.0":
            yield f"{part.path}: a compaction block comes first (compaction_block_misplaced)"


def _about_request(
    request: dict[str, Any], asked: dict[str, Any], known: ModelFacts
) -> Iterator[str]:
    if known.compaction is False:
        yield f"compaction: {known.id} does not support it"
    if asked.get("type") != "summarize":
        yield "compaction.type: Input should be 'summarize'"
    for name in asked.keys() - {"type", "instructions"}:
        yield f"compaction.{name}: Extra inputs are not permitted"
    yield from mistyped("compaction.", asked, instructions=str)
    if len(asked.get("instructions") or "") > _LONGEST_INSTRUCTIONS:
        yield f"compaction.instructions: at most {_LONGEST_INSTRUCTIONS} characters"
    unfit = {
        "context_management": request.get("context_management"),
        "stop_sequences": request.get("stop_sequences"),
        "output_config.format": catalogue.output_format(request),
        "tool_choice": (request.get("tool_choice") or {}).get("type") in ("any", "tool"),
    }
    for name in filter(unfit.get, unfit):
        yield f"{name}: cannot be combined with compaction"
    last = turns(request)[-1]
    if last.role == "assistant" and any(block["type"] == "tool_use" for block in last.blocks):
        yield "messages: the last call of a tool has no result yet (compaction_incomplete_turn)"


def _about_block(where: str, block: dict[str, Any]) -> Iterator[str]:
    for name in block.keys() - _FIELDS:
        yield f"{where}.compaction.{name}: Extra inputs are not permitted"
    content, given = block.get("content"), block.get("signature")
    if not isinstance(content, str) or not content:
        yield f"{where}.compaction.content: Input should be a non-empty string"
    elif not isinstance(given, str) or not given:
        yield f"{where}: the signature is missing (compaction_signature_invalid)"
    elif signatures.is_ours(given) and given != signatures.signature(content):
        yield f"{where}: content differs from what was signed (compaction_content_mismatch)"


def answer(request: dict[str, Any]) -> Answer:
    """Return the summary of a conversation; nothing where ``max_tokens`` are too few for it."""
    summary = _summary(request)
    if estimate(summary) > request["max_tokens"]:
        return Answer(stop_reason="max_tokens")
    block = {
        "type": "compaction",
        "content": summary,
        "signature": signatures.signature(summary),
    }
    return Answer([Written(block)], stop_reason="compaction")


def _summary(request: dict[str, Any]) -> str:
    """A summary that does not pretend to have understood anything."""
    asked = [turn for turn in turns(request) if turn.role == "user"]
    before = [b for b in blocks(request["messages"][0]["content"]) if b["type"] == "compaction"]
    prompt = " ".join(exchange(request).prompt.split())
    shown = prompt if len(prompt) <= _BEGINNING else prompt[:_BEGINNING] + "…"
    also = ", after what an earlier summary stands for" if before else ""
    count = f"{len(asked)} question{'s' if len(asked) != 1 else ''}"
    return (
        f"A simulated summary, which says nothing of what was discussed: {count} of the user{also}."
        f" The last one: “{shown}”"
    )
