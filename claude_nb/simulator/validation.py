"""The API's rules, as far as a user of a notebook meets them; for tools see ``toolrules``.

The rules are those of platform.claude.com/docs ("Errors", "Thinking", "Versioning",
"Prompt caching", read 2026-10-08; "Data residency", read 2026-11-30); the wording is ours, except
where a program may look for it.
"""

import re
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

from claude_nb.cost.models import ModelFacts, facts
from claude_nb.simulator import (
    catalogue,
    compaction,
    documents,
    mcp,
    schemarules,
    signatures,
    toolrules,
)
from claude_nb.simulator.cache import TTLS, automatic_place, breakpoints, cites, files, markable
from claude_nb.simulator.refusals import invalid, mistyped, not_found, required
from claude_nb.simulator.replies import Error
from claude_nb.simulator.tokens import Part, blocks, of_request, parts
from claude_nb.simulator.wire import SERVER_CALLS

_MOST_BREAKPOINTS = 4
_SAMPLING = ("temperature", "top_p", "top_k")
_TIERS = ("auto", "standard_only")
_SPEEDS = ("standard", "fast")
_FAST = {"claude-fable-5-2", "claude-mythos-5-2", "claude-opus-5-5", "claude-opus-5"}
"""Models with a fast mode; Opus 4.8 lost it on 2026-11-30 ("Fast mode", read 2026-11-30)."""

_LEAST_BUDGET = 1024
_THINKING: dict[str, tuple[str, ...]] = {
    "adaptive": ("display", "block_binding"),
    "enabled": ("budget_tokens", "display"),
    "disabled": (),
    "between_tools": (),
}
"""The fields that go with each ``thinking.type``."""

_COUNTED = {
    *("cache_control", "messages", "model", "output_config", "speed", "system", "thinking"),
    *("tool_choice", "tools"),
}
"""The fields of a request whose tokens are counted: the SDK's ``MessageCountTokensParams``."""

_SENT = _COUNTED | {
    *("container", "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier"),
    *("stop_sequences", "stream"),
}
"""The fields of a request: the SDK's ``MessageCreateParams``."""

_BETA_FIELDS = {
    "billing_policy": ("user-profiles-billing",),
    "compaction": ("compact-2026-09-04",),
    "context_management": ("context-management", "compact-2026-01-12"),
    "fallback_credit_token": ("fallback-credit",),
    "fallbacks": ("server-side-fallback",),
    "mcp_servers": ("mcp-client",),
    "thread": ("message-threads",),
}
"""Fields that betas bring, and how the names of these betas begin: the SDK's beta types."""

_BETA_COUNTED = {"billing_policy", "compaction", "context_management", "mcp_servers"}

_BETA = re.compile(
    r"(advisor-tool|cache-diagnosis|code-execution|compact|computer-use|context-1m"
    r"|context-management|extended-cache-ttl|fallback-credit|fast-mode|files-api|inline-tools"
    r"|interleaved-thinking|mcp-client|mcp-tunnels|message-batches|message-threads"
    r"|mid-conversation-(output-config|system-clear-at|tool-changes)"
    r"|model-context-window-exceeded|output-(128k|300k)|pdfs|prompt-caching|server-side-fallback"
    r"|skills|structured-outputs|task-budgets|thinking-(binding-controls|display-updates|token-count)"
    r"|token-counting|token-efficient-tools|user-profiles(-billing)?)-20\d\d-\d\d-\d\d"
)
"""The names of betas that are about messages: the SDK's ``AnthropicBetaParam``."""

_FIELDS = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "tool_use": ("id",),
    "server_tool_use": ("id",),
    "mcp_tool_use": ("id",),
}
"""Strings that a block must have, by its type; every result must have ``tool_use_id``."""


_SOURCES: dict[str, dict[Any, tuple[str, ...]]] = {
    "image": {"base64": ("media_type", "data"), "url": ("url",), "file": ("file_id",)},
    "document": {
        "base64": ("media_type", "data"),
        "text": ("media_type", "data"),
        "content": ("content",),
        "url": ("url",),
        "file": ("file_id",),
    },
}
"""The sources of images and documents, and the fields that each must have."""


def problem(
    request: Any, betas: Collection[str] = (), *, counting: bool = False, batched: bool = False
) -> Error | None:
    """Return the error that the API answers to a request, or ``None`` for a good one.

    Args:
        request: The parsed body, ``None`` where it could not be parsed.
        betas: The names in the ``anthropic-beta`` header.
        counting: Whether tokens are only to be counted, which needs no ``max_tokens``.
        batched: Whether it is one of a batch, in which thinking that belongs to another
            conversation is left out.
    """
    if not isinstance(request, dict):
        return invalid("The request body is not valid JSON")
    if unknown := ", ".join(f"`{name}`" for name in betas if not _BETA.fullmatch(name)):
        return invalid(f"Unexpected value(s) {unknown} for the `anthropic-beta` header.")
    model = request.get("model")
    if not isinstance(model, str) or not model:
        return invalid("model: Field required")
    known = facts(model)
    if known is None or catalogue.info(model)["lifecycle"] == "retired":
        return not_found(f"model: {model}")
    try:
        flaws = chain(
            compaction.about_header(request, betas),
            _about_fields(request, betas, counting=counting),
            _complaints(request, known, counting=counting, batched=batched),
            mcp.complaints(request, betas),
        )
        complaint = next(flaws, None)
    except RecursionError:
        complaint = "The request body is nested too deeply"
    return invalid(complaint) if complaint else None


def _complaints(
    request: dict[str, Any], known: ModelFacts, *, counting: bool, batched: bool
) -> Iterator[str]:
    """Yield what is wrong with a request; only the first counts: what follows may rest on it."""
    yield from _about_shapes(request)
    if not counting or request.get("max_tokens") is not None:
        yield from _about_max_tokens(request, known)
    for name in filter(request.__contains__, _SAMPLING):
        yield f"{name}: sampling parameters are not accepted; leave it out"
    if request.get("inference_geo") is not None and "inference_geo us" not in known.factors:
        yield f"inference_geo: {known.id} does not support it"
    if request.get("speed") == "fast" and known.id not in _FAST:
        yield f"speed: {known.id} has no fast mode"
    yield from _about_thinking(request, known)
    yield from _about_effort(request)
    yield from toolrules.about_definitions(request)
    yield from schemarules.about_constraints(request)
    yield from _about_messages(request)
    yield from _about_system_messages(request)
    yield from compaction.complaints(request, known)
    yield from documents.complaints(request)
    yield from toolrules.about_calls(request)
    if not request.get("compaction"):
        yield from _about_prefill(request, known)
    yield from _about_caching(request)
    if catalogue.output_format(request) and cites(files(request)):
        yield "output_config.format: cannot be combined with citations"
    yield from signatures.complaints(request, bound=not batched)
    count = 0 if counting else of_request(request)
    if known.context_window is not None and count > known.context_window:
        yield f"prompt is too long: {count} tokens > {known.context_window} maximum"


def betas(header: str | None) -> list[str]:
    """Return the names in an ``anthropic-beta`` header."""
    return [name.strip() for name in (header or "").split(",") if name.strip()]


def _about_fields(
    request: dict[str, Any], betas: Collection[str], *, counting: bool
) -> Iterator[str]:
    """Check that there are no other fields than the API takes."""
    known = _COUNTED if counting else _SENT
    brought = _BETA_COUNTED if counting else _BETA_FIELDS
    for name in request:
        named = any(beta.startswith(_BETA_FIELDS.get(name, ())) for beta in betas)
        if name not in known and not (name in brought and named) and name not in _SAMPLING:
            yield f"{name}: Extra inputs are not permitted"
    metadata = request.get("metadata") or {}
    yield from mistyped("", request, metadata=dict, inference_geo=str)
    yield from mistyped("metadata.", metadata, user_id=str)
    yield from (f"metadata.{n}: Extra inputs are not permitted" for n in {*metadata} - {"user_id"})
    for name, values in (("service_tier", _TIERS), ("speed", _SPEEDS)):
        if request.get(name) not in (None, *values):
            yield f"{name}: Input should be {' or '.join(map(repr, values))}"


def _about_shapes(request: dict[str, Any]) -> Iterator[str]:
    """Check the types of the fields that the rest of the simulator reads."""
    objects = (
        *("thinking", "output_config", "tool_choice", "cache_control", "diagnostics"),
        "compaction",
    )
    lists = dict.fromkeys(("tools", "stop_sequences"), list)
    yield from mistyped("", request, **dict.fromkeys(objects, dict), **lists)
    output = request.get("output_config") or {}
    for at, fields, types in (
        ("thinking", request.get("thinking"), {"type": str, "budget_tokens": int, "display": str}),
        ("output_config", output, {"effort": str, "format": dict}),
        ("output_config.format", output.get("format"), {"type": str, "schema": dict}),
        ("tool_choice", request.get("tool_choice"), {"type": str, "name": str}),
        ("diagnostics", request.get("diagnostics"), {"previous_message_id": str}),
    ):
        yield from mistyped(f"{at}.", fields or {}, **types)
    if any(not isinstance(s, str) or not s.strip() for s in request.get("stop_sequences") or []):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    if not isinstance(request.get("container"), str | dict | None):
        yield "container: Input should be a valid string"
    if (form := output.get("format")) is not None:
        if form.get("type") != "json_schema":
            yield "output_config.format.type: Input should be 'json_schema'"
        yield from required("output_config.format.", form, schema=dict)
    system = request.get("system") or []
    yield from _about_content("system", system)
    yield from _about_texts("system", system)


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
    forced = (request.get("tool_choice") or {}).get("type") in ("any", "tool")
    form = catalogue.output_format(request)
    unfit = {"stream": request.get("stream"), "tool_choice": forced, "output_config.format": form}
    for name in filter(unfit.get, unfit):
        yield f"{name}: cannot be combined with max_tokens: 0"


def _about_thinking(request: dict[str, Any], known: ModelFacts) -> Iterator[str]:
    if (thinking := request.get("thinking")) is None:
        return
    kind, accepted = thinking.get("type"), catalogue.thinking_types(known.id) or tuple(_THINKING)
    yield from required("thinking.", thinking, type=str)
    if kind not in accepted:
        yield f"thinking.type: {known.id} does not accept {kind!r}, only {', '.join(accepted)}"
    for name in thinking:
        if name not in ("type", *_THINKING.get(str(kind), ())):
            yield f"thinking.{kind}.{name}: Extra inputs are not permitted"
    if thinking.get("display") not in (None, "summarized", "omitted"):
        yield f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'"
    if kind == "enabled":
        budget = thinking.get("budget_tokens") or 0
        if budget < _LEAST_BUDGET:
            yield f"thinking.budget_tokens: Input should be at least {_LEAST_BUDGET}"
        elif budget >= (request.get("max_tokens") or budget + 1):
            yield "max_tokens: must be greater than thinking.budget_tokens"


def _about_effort(request: dict[str, Any]) -> Iterator[str]:
    effort = (request.get("output_config") or {}).get("effort")
    thinking = (request.get("thinking") or {}).get("type")
    taken = catalogue.efforts(request["model"], thinking)
    if effort is not None and effort not in taken:
        where = f"{request['model']} (thinking: {thinking or 'not set'})"
        yield f"output_config.effort: {where} accepts {', '.join(taken) or 'none'}, not {effort!r}"


def _about_messages(request: dict[str, Any]) -> Iterator[str]:
    yield from required("", request, messages=object)
    messages = request["messages"]
    if not messages or not isinstance(messages, list):
        yield "messages: at least one message is required"
    for number, message in enumerate(messages):
        yield from _about_message(f"messages.{number}", message)


def _about_prefill(request: dict[str, Any], known: ModelFacts) -> Iterator[str]:
    last = request["messages"][-1]
    content = blocks(last["content"])
    # A turn that the server paused is sent back as it is, and holds calls of the server's tools.
    if last["role"] != "assistant" or any(b["type"] in SERVER_CALLS for b in content):
        return
    if known.accepts_prefill is False:
        yield (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    if catalogue.output_format(request):
        yield "output_config.format: cannot be combined with assistant message prefill"
    if content[-1].get("type") == "text" and content[-1]["text"][-1:].isspace():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _about_system_messages(request: dict[str, Any]) -> Iterator[str]:
    """Check messages with the role ``system``: they stand between a user and an assistant."""
    messages = request["messages"]
    for number, message in enumerate(messages):
        if message["role"] != "system":
            continue
        at = f"messages.{number}"
        yield from _about_texts(f"{at}.content", message["content"])
        if not catalogue.takes_system_messages(request["model"]):
            yield f"{at}.role: {request['model']} takes no system messages"
        follows = number > 0 and messages[number - 1]["role"] == "user"
        if not follows or any(m["role"] != "assistant" for m in messages[number + 1 :][:1]):
            rule = "must follow a user message, and be the last or precede an assistant message"
            yield f"{at}.role: a system message {rule}"


def _about_texts(where: str, content: str | list[dict[str, Any]]) -> Iterator[str]:
    for number, block in enumerate(blocks(content)):
        if block["type"] != "text":
            yield f"{where}.{number}.type: Input should be 'text'"


def _about_message(where: str, message: Any) -> Iterator[str]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("user", "assistant", "system"):
        yield f"{where}.role: Input should be 'user', 'assistant' or 'system'"
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
    for number, block in enumerate(blocks(content)):
        at = f"{where}.{number}"
        kind: Any = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str):
            yield f"{at}.type: Field required"
        for name in _FIELDS.get(kind, ("tool_use_id",) if kind.endswith("tool_result") else ()):
            if not isinstance(block.get(name), str):
                yield f"{at}.{kind}.{name}: Field required"
        if kind == "text" and not block["text"]:
            if block.get("cache_control"):
                yield f"{at}.text: cache_control cannot be set for empty text blocks"
            yield f"{at}: text content blocks must be non-empty"
        # The citations of a document are switched on; those of a text are a list.
        cited = {"citations": dict} if kind == "document" else {}
        yield from mistyped(f"{at}.", block, cache_control=dict, source=dict, **cited)
        yield from _about_source(f"{at}.{kind}.source", kind, block.get("source"))
        if kind == "tool_result" and block.get("content"):
            yield from _about_content(f"{at}.content", block["content"])
    texts = [block["text"] for block in blocks(content) if block["type"] == "text"]
    if texts and not "".join(texts).strip() and where != "system":
        yield f"{where}: text content blocks must contain non-whitespace text"


def _about_source(at: str, kind: str, source: Any) -> Iterator[str]:
    if kind not in _SOURCES or not isinstance(source, dict):
        return
    yield from required(f"{at}.", source, type=str)
    form = source.get("type")
    if form not in _SOURCES[kind]:
        yield f"{at}.type: Input should be {', '.join(map(repr, _SOURCES[kind]))}"
    fields = _SOURCES[kind][form]
    for name in source:
        if name not in ("type", *fields):
            yield f"{at}.{name}: Extra inputs are not permitted"
    for name in fields:
        if name not in source:
            yield f"{at}.{form}.{name}: Field required"


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
            yield f"{part.path}.{part.block['type']}.cache_control: Extra inputs are not permitted"
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
