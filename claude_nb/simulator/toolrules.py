"""The API's rules for tools: their definitions, their choice, their calls and results.

The rules are those of platform.claude.com/docs ("Define tools", "Handle tool calls", "Handling
stop reasons", "What's new" in the models); the wording is that of the API's own errors, where it is
known.
"""

import re
from collections.abc import Iterator
from itertools import pairwise, takewhile
from typing import Any

from claude_nb.simulator import catalogue, schemarules
from claude_nb.simulator.memory import is_memory
from claude_nb.simulator.refusals import mistyped, required
from claude_nb.simulator.servertools import kind_of
from claude_nb.simulator.tokens import Part, blocks
from claude_nb.simulator.turns import Turn, message_of, turns
from claude_nb.simulator.wire import SERVER_CALLS

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BUILT_IN = re.compile(
    "(web_search|web_fetch|code_execution|bash|text_editor|memory|tool_search_tool|computer|browser"
    "|mcp)_"
)
"""The types of the tools that have a schema of the API's own."""

_EVERY = ("type", "name", "allowed_callers", "cache_control", "defer_loading", "strict")
_WEB = (*_EVERY, "max_uses", "allowed_domains", "blocked_domains", "response_inclusion")
_SETTINGS = {
    "web_search": (*_WEB, "user_location"),
    "web_fetch": (*_WEB, "citations", "max_content_tokens", "url_sources", "use_cache"),
    "code_execution": _EVERY,
    "memory": (*_EVERY, "input_examples"),
}
"""The fields of the definitions of the tools that the API runs, and of the memory tool (the SDK's
types of 2.14.0)."""

_VERSIONS = {
    "web_search": ("20250305", "20260209", "20260318"),
    "web_fetch": ("20250910", "20260209", "20260309", "20260318"),
    "code_execution": ("20250522", "20250825", "20260120", "20260521"),
    "memory": ("20250818",),
}
_LOCATION = ("type", "city", "region", "country", "timezone")

_RESULT = re.compile(
    "(web_search|web_fetch|(bash_|text_editor_)?code_execution|tool_search|mcp)_tool_result"
)
_CHOICES = ("auto", "any", "tool", "none")


def about_definitions(request: dict[str, Any]) -> Iterator[str]:
    """Look at the tools that a request offers, and at the choice among them."""
    tools = request.get("tools") or []
    for number, tool in enumerate(tools):
        if not isinstance(tool, dict):
            yield f"tools.{number}: Input should be an object"
        yield from mistyped(f"tools.{number}.", tool, type=str, cache_control=dict)
        if tool.get("type") in (None, "custom"):
            yield from _about_custom(f"tools.{number}.custom", tool)
        else:
            yield from _about_built_in(f"tools.{number}", tool, request["model"])
    names = [tool["name"] for tool in tools if isinstance(tool.get("name"), str)]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    yield from _about_choice(request, names)


def about_calls(request: dict[str, Any]) -> Iterator[str]:
    """Hold every call against the results right after it, and these against it."""
    found = turns(request)
    kinds = {block["type"] for turn in found for block in turn.blocks}
    if not request.get("tools") and kinds & {"tool_use", "tool_result"}:
        yield "Requests which include `tool_use` or `tool_result` blocks must define tools."
    known: set[str] = set()
    nobody = Turn("user", [])
    for before, turn in pairwise([nobody, *found, nobody]):
        yield from _about_turn(turn, known)
        if turn.role == "user":
            yield from _about_answers(before, turn)
    yield from _about_server_tools(request, found)


def _about_custom(at: str, tool: dict[str, Any]) -> Iterator[str]:
    yield from _about_name(at, tool)
    switches = dict.fromkeys(("strict", "eager_input_streaming", "defer_loading"), bool)
    yield from mistyped(f"{at}.", tool, description=str, **switches)
    yield from schemarules.about_input(at, tool)


def _about_name(at: str, block: dict[str, Any]) -> Iterator[str]:
    yield from required(f"{at}.", block, name=str)
    if not _NAME.fullmatch(block["name"]):
        yield f"{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"


def _about_built_in(at: str, tool: dict[str, Any], model: str) -> Iterator[str]:
    kind = tool["type"]
    expected = kind_of(tool) or ("memory" if is_memory(tool) else "")
    is_known = not expected or kind.rpartition("_")[2] in _VERSIONS[expected]
    if not _BUILT_IN.match(kind) or not is_known:
        yield f"{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
    name = tool.get("name")
    if "toolset" not in kind and not isinstance(name, str):
        yield f"{at}.{kind}.name: Field required"
    elif expected and name != expected:
        yield f"{at}.{kind}.name: Input should be '{expected}'"
    yield from mistyped(f"{at}.{kind}.", tool, citations=dict, strict=bool)
    if expected:
        yield from _about_settings(f"{at}.{kind}", tool, expected)
        yield from _about_version(tool, expected, model)


def _about_settings(at: str, tool: dict[str, Any], name: str) -> Iterator[str]:
    """Look at the settings of a tool that the API runs ("Web search tool", "Web fetch tool")."""
    for setting in tool:
        if setting not in _SETTINGS[name]:
            yield f"{at}.{setting}: Extra inputs are not permitted"
    numbers = dict.fromkeys(("max_uses", "max_content_tokens"), int)
    lists = dict.fromkeys(("allowed_domains", "blocked_domains"), list)
    lists_and_more = {**lists, "allowed_callers": list, "user_location": dict}
    yield from mistyped(f"{at}.", tool, **numbers, **lists_and_more)
    for setting in numbers:
        if (value := tool.get(setting)) is not None and value < 1:
            yield f"{at}.{setting}: Input should be greater than 0"
    named = [setting for setting in lists if tool.get(setting)]
    if len(named) > 1:
        yield f"{at}: Cannot specify both allowed_domains and blocked_domains"
    for domain in tool[named[0]] if named else []:
        if not isinstance(domain, str) or "://" in domain:
            yield f"{at}.{named[0]}: {domain!r} is not a valid domain"
    if (location := tool.get("user_location")) is not None:
        yield from _about_location(f"{at}.user_location", location)


def _about_location(at: str, location: dict[str, Any]) -> Iterator[str]:
    if location.get("type") != "approximate":
        yield f"{at}.type: Input should be 'approximate'"
    for part in location:
        if part not in _LOCATION:
            yield f"{at}.{part}: Extra inputs are not permitted"
    yield from mistyped(f"{at}.", location, **dict.fromkeys(_LOCATION, str))
    if not re.fullmatch("[A-Za-z]{2}", location.get("country") or "XX"):
        yield f"{at}.country: Input should be a country code of two letters"


def _about_version(tool: dict[str, Any], name: str, model: str) -> Iterator[str]:
    """Refuse versions of the web's tools that filter by code, where the model cannot write it."""
    filters = name in ("web_search", "web_fetch") and tool["type"].rpartition("_")[2] >= "20260209"
    is_direct = "direct" in (tool.get("allowed_callers") or ())
    if filters and not is_direct and not catalogue.filters_by_code(model):
        yield f"'{model}' does not support programmatic tool calling: {tool['type']}"


def _about_choice(request: dict[str, Any], names: list[str]) -> Iterator[str]:
    if (choice := request.get("tool_choice")) is None:
        return
    kind = choice.get("type")
    if kind not in _CHOICES:
        yield f"tool_choice.type: Input should be {', '.join(map(repr, _CHOICES))}"
    parallel = choice.get("disable_parallel_tool_use")
    if not isinstance(parallel, bool | None) or (kind == "none" and parallel is not None):
        wrong = "Extra inputs are not permitted" if kind == "none" else "Input should be a boolean"
        yield f"tool_choice.{kind}.disable_parallel_tool_use: {wrong}"
    if kind == "tool":
        yield from required("tool_choice.tool.", choice, name=str)
    if kind not in {"any", "tool"}:
        return
    if not catalogue.can_be_forced(request["model"]):
        yield 'tool_choice: type "tool" and "any" are not supported for this model.'
    if (request.get("thinking") or {}).get("type") == "enabled":
        yield "Thinking may not be enabled when tool_choice forces tool use."
    if not names:
        yield f"tool_choice.{kind} may only be specified while providing tools"
    if kind == "tool" and choice["name"] not in names:
        yield f"Tool '{choice['name']}' not found in provided tools"


def _about_turn(turn: Turn, known: set[str]) -> Iterator[str]:
    """Look at the calls and results of a turn by themselves."""
    for part in turn.parts:
        kind = part.block["type"]
        role = {"tool_use": "assistant", "tool_result": "user"}.get(kind)
        if role and role != turn.role:
            yield f"{message_of(part)}: `{kind}` blocks can only be in `{role}` messages"
        elif kind == "tool_use":
            yield from _about_call(part, known)
        elif kind == "tool_result":
            yield from _about_result(part)


def _about_call(part: Part, known: set[str]) -> Iterator[str]:
    call, at = part.block, f"{part.path}.tool_use"
    yield from _about_name(at, call)
    yield from required(f"{at}.", call, input=dict)
    if call["id"] in known:
        yield f"{part.path}: `tool_use` ids must be unique"
    known.add(call["id"])


def _about_result(part: Part) -> Iterator[str]:
    result, at = part.block, f"{part.path}.tool_result"
    yield from mistyped(f"{at}.", result, is_error=bool)
    failed = result.get("is_error")
    content = blocks(result.get("content") or [])
    if failed and not content:
        yield f"{at}: content cannot be empty if `is_error` is true"
    if failed and any(block["type"] != "text" for block in content):
        yield f"{at}: all content must be type `text` if `is_error` is true"


def _about_answers(calling: Turn, answering: Turn) -> Iterator[str]:
    """Hold the calls of a turn against the next one; only what comes first there answers them."""
    called = [part.block["id"] for part in calling.parts if part.block["type"] == "tool_use"]
    results = [part for part in answering.parts if part.block["type"] == "tool_result"]
    leading = takewhile(lambda block: block["type"] == "tool_result", answering.blocks)
    answers = [block["tool_use_id"] for block in leading]
    for number, part in enumerate(results):
        identifier = part.block["tool_use_id"]
        if identifier not in called:
            yield (
                f"{part.path}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{identifier}. Each `tool_result` block must have a corresponding `tool_use` "
                "block in the previous message."
            )
        if identifier in answers[:number]:
            yield (
                f"{part.path}: each tool_use must have a single result. Found multiple "
                f"`tool_result` blocks with id: {identifier}"
            )
    if missing := [identifier for identifier in called if identifier not in answers]:
        yield (
            f"{message_of(calling.parts[-1])}: `tool_use` ids were found without `tool_result` "
            f"blocks immediately after: {', '.join(missing)}. Each `tool_use` block must have a "
            "corresponding `tool_result` block in the next message."
        )


def _about_server_tools(request: dict[str, Any], found: list[Turn]) -> Iterator[str]:
    """Hold the API's own calls against their results, which may come in a later turn.

    Only what goes on may still wait: a turn that was paused, or results and nothing else.
    """
    waiting: dict[str, str] = {}
    for turn in found:
        alone = turn.role == "assistant" or all(b["type"] == "tool_result" for b in turn.blocks)
        for identifier, name in () if alone else waiting.items():
            yield (
                f"`{name}` tool use with id `{identifier}` was found without a corresponding "
                f"`{name}_tool_result` block"
            )
        for part in turn.parts:
            kind = part.block["type"]
            if kind in SERVER_CALLS:
                name = "mcp" if kind == "mcp_tool_use" else str(part.block.get("name"))
                waiting[part.block["id"]] = name
            elif _RESULT.fullmatch(kind) and waiting.pop(part.block["tool_use_id"], None) is None:
                yield (
                    f"{part.path}: unexpected `tool_use_id` found in `{kind}` blocks: "
                    f"{part.block['tool_use_id']}. Each `{kind}` block must have a corresponding "
                    "call before it."
                )
    offered = {tool.get("name") or "mcp" for tool in request.get("tools") or []}
    for identifier, name in waiting.items() if offered else ():
        tool = "code_execution" if name.endswith("code_execution") else name
        if tool not in offered:
            yield (
                f"`{name}` tool use with id `{identifier}` is waiting for its result, but no "
                f"`{tool}` tool was provided"
            )
