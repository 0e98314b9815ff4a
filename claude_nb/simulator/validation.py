"""The API's rules, as far as a user of a notebook meets them; for tools see ``toolrules``.

The rules are those of platform.claude.com/docs ("Errors", "Thinking", "Versioning",
"Prompt caching", read 2026-10-08); the wording is ours, except where a program may look for it.
"""

from collections.abc import Iterator
from typing import Any

from claude_nb.cost.models import ModelFacts, facts
from claude_nb.simulator import signatures, toolrules
from claude_nb.simulator.cache import TTLS, automatic_place, breakpoints, markable
from claude_nb.simulator.refusals import invalid, mistyped, not_found
from claude_nb.simulator.replies import Error
from claude_nb.simulator.tokens import Part, blocks, parts

_MOST_BREAKPOINTS = 4
_LEAST_BUDGET = 1024
_FIELDS = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "tool_use": ("id",),
    "server_tool_use": ("id",),
}
"""Strings that a block must have, by its type; every result must have ``tool_use_id``."""


def problem(request: Any, *, counting: bool = False) -> Error | None:
    """Return the error that the API answers to a request, or ``None`` for a good one.

    Args:
        request: The parsed body, ``None`` where it could not be parsed.
        counting: Whether tokens are only to be counted, which needs no ``max_tokens``.
    """
    if not isinstance(request, dict):
        return invalid("The request body is not valid JSON")
    model = request.get("model")
    if not isinstance(model, str) or not model:
        return invalid("model: Field required")
    known = facts(model)
    if known is None:
        return not_found(f"model: {model}")
    complaint = next(_complaints(request, known, counting=counting), None)
    return invalid(complaint) if complaint else None


def _complaints(request: dict[str, Any], known: ModelFacts, *, counting: bool) -> Iterator[str]:
    if not counting:
        yield from _about_max_tokens(request, known)
    for name in ("temperature", "top_p", "top_k"):
        if name in request:
            yield f"{name}: sampling parameters are not accepted; leave it out"
    yield from _about_shapes(request)
    yield from _about_thinking(request, known)
    yield from toolrules.about_definitions(request)
    yield from _about_messages(request)
    yield from toolrules.about_calls(request)
    yield from _about_prefill(request["messages"], known)
    yield from _about_caching(request)
    yield from signatures.complaints(request)


def _about_shapes(request: dict[str, Any]) -> Iterator[str]:
    """Check the types of the fields that the rest of the simulator reads."""
    objects = ("thinking", "output_config", "tool_choice", "cache_control", "diagnostics")
    yield from mistyped(
        "", request, **dict.fromkeys(objects, dict), tools=list, stop_sequences=list
    )
    if any(not isinstance(s, str) or not s for s in request.get("stop_sequences") or []):
        yield "stop_sequences: each should be a non-empty string"
    if not isinstance(request.get("container"), str | dict | None):
        yield "container: Input should be a valid string"
    named = (request.get("diagnostics") or {}).get("previous_message_id")
    if not isinstance(named, str | None):
        yield "diagnostics.previous_message_id: Input should be a string or null"
    yield from _about_content("system", request.get("system") or [])


def _about_max_tokens(request: dict[str, Any], known: ModelFacts) -> Iterator[str]:
    if "max_tokens" not in request:
        yield "max_tokens: Field required"
    limit = request.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        yield "max_tokens: Input should be a whole number of at least 0"
    elif known.max_output_tokens is not None and limit > known.max_output_tokens:
        yield (
            f"max_tokens: {limit} > {known.max_output_tokens}, which is the maximum allowed number "
            f"of output tokens for {known.id}"
        )
    elif limit == 0:
        yield from _about_warming(request)


def _about_warming(request: dict[str, Any]) -> Iterator[str]:
    """Check fields that make no sense where nothing is generated ("Pre-warming the cache")."""
    forced = (request.get("tool_choice") or {}).get("type") in {"any", "tool"}
    unfit = {
        "stream": request.get("stream"),
        "tool_choice": forced,
        "output_config.format": (request.get("output_config") or {}).get("format"),
    }
    for name, asked in unfit.items():
        if asked:
            yield f"{name}: cannot be combined with max_tokens: 0"


def _about_thinking(request: dict[str, Any], known: ModelFacts) -> Iterator[str]:
    thinking = request.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind is None:
        yield "thinking.type: Field required"
    elif known.thinking_types is not None and kind not in known.thinking_types:
        accepted = ", ".join(known.thinking_types)
        yield f"thinking.type: {known.id} does not accept {kind!r}; it accepts {accepted}"
    elif kind == "between_tools" and len(thinking) > 1:
        extra = next(name for name in thinking if name != "type")
        yield f"thinking.between_tools.{extra}: Extra inputs are not permitted"
    elif kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < _LEAST_BUDGET:
            yield f"thinking.budget_tokens: Input should be at least {_LEAST_BUDGET}"
        elif budget >= request.get("max_tokens", budget + 1):
            yield "max_tokens: must be greater than thinking.budget_tokens"


def _about_messages(request: dict[str, Any]) -> Iterator[str]:
    messages = request.get("messages")
    if messages is None:
        yield "messages: Field required"
    if not messages or not isinstance(messages, list):
        yield "messages: at least one message is required"
        return
    for number, message in enumerate(messages):
        yield from _about_message(f"messages.{number}", message)


def _about_prefill(messages: list[dict[str, Any]], known: ModelFacts) -> Iterator[str]:
    last = messages[-1]
    # A turn that the server paused is sent back as it is, and holds calls of the server's tools.
    paused = any(block["type"] == "server_tool_use" for block in blocks(last["content"]))
    if last["role"] == "assistant" and not paused and known.accepts_prefill is False:
        yield (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )


def _about_message(where: str, message: Any) -> Iterator[str]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in {"user", "assistant", "system"}:
        yield f"{where}.role: Input should be 'user', 'assistant' or 'system'"
        return
    content = message.get("content")
    if not content:
        yield f"{where}: content must be non-empty"
    yield from _about_content(f"{where}.content", content)
    for number, block in enumerate(blocks(content)):
        if role == "user" and block["type"] == "text" and block.get("citations"):
            yield f"{where}.content.{number}.citations: not accepted on text of the user"
        elif role == "assistant" and block["type"] == "document":
            yield f"{where}.content.{number}: an assistant message cannot hold a document"


def _about_content(where: str, content: Any) -> Iterator[str]:
    if not isinstance(content, str | list):
        yield f"{where}: Input should be a string or a list of content blocks"
        return
    for number, block in enumerate(blocks(content)):
        at = f"{where}.{number}"
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str):
            yield f"{at}.type: Field required"
            return
        fields = _FIELDS.get(kind, ("tool_use_id",) if kind.endswith("tool_result") else ())
        for name in fields:
            if not isinstance(block.get(name), str):
                yield f"{at}.{kind}.{name}: Field required"
        if kind == "text" and not block["text"]:
            yield (
                f"{at}.text: cache_control cannot be set for empty text blocks"
                if block.get("cache_control")
                else f"{at}: text content blocks must be non-empty"
            )
        # The citations of a document are switched on; those of a text are a list.
        cited = {"citations": dict} if kind == "document" else {}
        yield from mistyped(f"{at}.", block, cache_control=dict, source=dict, **cited)
        if kind == "tool_result" and block.get("content"):
            yield from _about_content(f"{at}.content", block["content"])


def _about_caching(request: dict[str, Any]) -> Iterator[str]:
    prompt = list(parts(request))
    marked = [part for part in prompt if part.block.get("cache_control") is not None]
    controls = [(f"{part.path}.cache_control", part.block["cache_control"]) for part in marked]
    if request.get("cache_control") is not None:
        controls.append(("cache_control", request["cache_control"]))
    for at, control in controls:
        if control.get("type") != "ephemeral":
            yield f"{at}.type: Input should be 'ephemeral'"
        if control.get("ttl", "5m") not in tuple(TTLS):
            yield f"{at}.ephemeral.ttl: Input should be '5m' or '1h'"
    for part in marked:
        if not markable(part.block):
            kind = part.block["type"]
            yield f"{part.path}.{kind}.cache_control: Extra inputs are not permitted"
    if len(controls) > _MOST_BREAKPOINTS:
        yield (
            f"A maximum of {_MOST_BREAKPOINTS} blocks with cache_control may be provided. "
            f"Found {len(controls)}."
        )
    yield from _about_lifetimes(request, prompt)


def _about_lifetimes(request: dict[str, Any], prompt: list[Part]) -> Iterator[str]:
    automatic, place = request.get("cache_control"), automatic_place(prompt)
    last = prompt[place].block.get("cache_control") if place is not None else None
    if automatic and last and automatic.get("ttl", "5m") != last.get("ttl", "5m"):
        yield "cache_control.ttl: differs from the cache_control of the last block"
    short = False
    for number, ttl in breakpoints(request, prompt):
        if short and ttl == "1h":
            yield (
                f"{prompt[number].path}.cache_control.ttl: a ttl='1h' cache_control block must not "
                "come after a ttl='5m' cache_control block. Note that blocks are processed in the "
                "following order: `tools`, `system`, `messages`."
            )
        short = short or ttl == "5m"
