"""The fallback: another model answers what the one that was asked declines.

The rules are those of platform.claude.com/docs, "Refusals and fallback" (read 2026-09-26). Which
model answers is the API's choice there; here it is always the one of the documentation's examples.
A conversation that fell back once is not routed to that model at once: each request is tried anew.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from claude_nb.cost.models import facts
from claude_nb.simulator import catalogue, tokens
from claude_nb.simulator.cache import Found
from claude_nb.simulator.refusals import invalid
from claude_nb.simulator.replies import Error
from claude_nb.simulator.wire import Answer, Written, text, thinking

BETA = "server-side-fallback-2026-07-01"
_ANSWERS = "claude-opus-4-8"
_DECLINES = ("claude-fable-", "claude-opus-5", "claude-sonnet-5-5")
"""How the ids of models begin that decline, and of which the API hands requests to others."""

_DROPPED = {"tool_use", "thinking", "redacted_thinking"}
_THOUGHT = "The other model declined. These lines stand where a summary would."


def problem(request: dict[str, Any], betas: Collection[str]) -> Error | None:
    """Return the error for a request that asks for a fallback in a way that there is not.

    Args:
        request: The body, known to be good otherwise.
        betas: The names in the ``anthropic-beta`` header.
    """
    complaint = next(_complaints(request, betas), None)
    return invalid(complaint) if complaint else None


def _complaints(request: dict[str, Any], betas: Collection[str]) -> Iterator[str]:
    asked = request.get("fallbacks")
    if asked is not None and BETA not in betas:
        yield "fallbacks: Extra inputs are not permitted"
    if asked not in (None, "default"):
        yield "fallbacks: the simulator knows 'default' alone"
    for number, message in enumerate(request["messages"]):
        content = tokens.blocks(message["content"])
        kinds = [block["type"] for block in content]
        if "fallback" not in kinds:
            continue
        at = f"messages.{number}.content"
        last = len(kinds) - 1 - kinds[::-1].index("fallback")
        if BETA not in betas:
            yield f"{at}.{last}: Input tag 'fallback' does not match any of the expected tags"
        for place, kind in enumerate(kinds[:last]):
            if kind in _DROPPED:
                yield f"{at}.{place}: {kind} before the last fallback block must be left out"


def handed_over(answer: Answer, request: dict[str, Any]) -> Answer:
    """Return an answer that goes on with another model, where it is a refusal that may do so."""
    model = request["model"]
    declines = answer.stop_reason == "refusal" and model.startswith(_DECLINES)
    known = facts(model)
    if not declines or request.get("fallbacks") is None or not (known and known.falls_back):
        return answer
    trigger = {"type": "refusal", "category": (answer.stop_details or {}).get("category")}
    ends = {"from": {"model": model}, "to": {"model": _ANSWERS}, "trigger": trigger}
    form = catalogue.output_format(request)
    # Without streaming, what the first model wrote is left out; a form is begun anew in any case.
    before = answer.content if request.get("stream") and not form else []
    goes_on = " another model goes on" if before else "Another model answers"
    thoughts = [thinking(_THOUGHT)] if catalogue.thinks({**request, "model": _ANSWERS}) else []
    written = [text(f"{goes_on}: {_ANSWERS}, as {model} declined.")]
    return replace(
        answer,
        content=[*before, Written({"type": "fallback", **ends}), *thoughts, *written],
        stop_reason="end_turn",
        stop_details=None,
        declined=answer.content,
    )


def place(answer: Answer) -> int | None:
    """Return where in an answer another model goes on; ``None`` if none does."""
    places = (i for i, w in enumerate(answer.content) if w.block["type"] == "fallback")
    return next(places, None)


def usages(
    request: dict[str, Any], answer: Answer, found: Found
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the usage when the message starts, and that of the whole message.

    Args:
        request: The body of the request.
        answer: The answer to it.
        found: What the cache has of the prompt.
    """
    started = tokens.usage(request, Answer(), found.read, found.written)
    at = place(answer)
    if at is None:
        return started, tokens.usage(request, answer, found.read, found.written)
    declined = tokens.usage(request, Answer(answer.declined), found.read, found.written)
    if not answer.declined:
        declined["output_tokens"] = 0
    served = tokens.usage(request, replace(answer, content=answer.content[at:]), 0, {})
    read = sum(tokens.estimate(w.text) for w in answer.content[:at] if w.block["type"] == "text")
    served["input_tokens"] += read
    counts = ("cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    iterations = [
        {"type": kind, "model": model, **{n: usage[n] for n in ("input_tokens", *counts)}}
        for kind, model, usage in (
            ("message", request["model"], declined),
            ("fallback_message", _ANSWERS, served),
        )
    ]
    begun = started if at else served | {"output_tokens": 1}
    return begun, served | {"iterations": iterations}
