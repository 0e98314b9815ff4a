"""Counting: about four characters a token, the parts of a prompt, the limits on the output."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from claude_nb.simulator.wire import Answer, Written

Level: TypeAlias = Literal["tools", "system", "messages"]

CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_FILE = {"image": 500, "document": 2000}
"""For files that are sent as base64 or by reference: one number for all."""


@dataclass(frozen=True, slots=True)
class Part:
    """One tool, system block or content block of a prompt.

    Attributes:
        level: The field of the request that it stands in.
        path: Where it stands, as the API's errors say it: ``messages.0.content.1``.
        role: The role of its message; the level again outside of messages.
        block: It, as it was sent.
    """

    level: Level
    path: str
    role: str
    block: dict[str, Any]


def estimate(text: str) -> int:
    """Return the tokens of a text: a quarter of its characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def of_request(request: dict[str, Any]) -> int:
    """Return the input tokens of a request, at least 1."""
    return max(1, sum(of_block(part.block) for part in parts(request)))


def of_block(block: dict[str, Any]) -> int:
    """Return the tokens of one tool or content block."""
    bare = without_mark(block)
    kind = bare.get("type")
    if kind in _TOKENS_PER_FILE and (bare.get("source") or {}).get("type") != "text":
        return _TOKENS_PER_FILE[kind]
    if kind == "compaction":
        return estimate(bare.get("content") or "")
    return estimate(bare["text"] if kind == "text" else json.dumps(bare, ensure_ascii=False))


def usage(
    request: dict[str, Any], answer: Answer, read: int, written: Mapping[str, int]
) -> dict[str, Any]:
    """Return the usage of a request and its answer.

    Args:
        request: The body of the request.
        answer: The answer to it.
        read: Input tokens that were read from the cache.
        written: Input tokens that were written to it, by time to live: ``5m`` and ``1h``.
    """
    # What the API's own tools brought in the middle of the answer was read by the model, too.
    results = [w.block for w in answer.content if w.block["type"].endswith("_tool_result")]
    brought = sum(map(of_block, results))
    outputs = [(w.block["type"], estimate(w.text)) for w in answer.content]
    thought = sum(count for kind, count in outputs if kind == "thinking")
    put_out = max(1, sum(count for _, count in outputs))
    usage = {
        "input_tokens": of_request(request) + brought - read - sum(written.values()),
        "cache_creation_input_tokens": sum(written.values()),
        "cache_read_input_tokens": read,
        "cache_creation": {f"ephemeral_{ttl}_input_tokens": n for ttl, n in written.items()},
        "output_tokens": min(put_out, request["max_tokens"]),
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
    }
    if request.get("compaction"):  # counted in ``iterations`` alone
        return _of_compaction(usage, answer)
    if results or any(kind == "server_tool_use" for kind, _ in outputs):
        usage["server_tool_use"] = {
            f"{tool}_requests": sum(_is_success(tool, result) for result in results)
            for tool in ("web_search", "web_fetch")
        }
    return usage


def _of_compaction(usage: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Return the usage of a request for a summary, in which there is no reply to count."""
    written = sum(of_block(written.block) for written in answer.content)
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = {name: usage[name] for name in names}
    counts["cache_creation"] = usage["cache_creation"]
    step = {"type": "compaction", **counts, "output_tokens": max(1, written)}
    nothing = dict.fromkeys((*names, "output_tokens"), 0)
    return {**nothing, "service_tier": usage["service_tier"], "iterations": [step]}


def _is_success(tool: str, result: dict[str, Any]) -> bool:
    """Say whether a result is one of a tool that did not fail: only such are counted."""
    content = result["content"]
    failed = isinstance(content, dict) and content["type"].endswith("_error")
    return result["type"] == f"{tool}_tool_result" and not failed


def limited(answer: Answer, request: dict[str, Any]) -> Answer:
    """Cut an answer where ``stop_sequences`` or ``max_tokens`` say, whichever comes first."""
    return _within(_stopped(answer, request.get("stop_sequences") or []), request["max_tokens"])


def _within(answer: Answer, max_tokens: int) -> Answer:
    left = max_tokens
    kept: list[Written] = []
    for written in answer.content:
        cost = estimate(written.text)
        if cost > left:
            if left:
                kept.append(replace(written, text=written.text[: left * CHARACTERS_PER_TOKEN]))
            return replace(answer, content=kept, stop_reason="max_tokens", stop_details=None)
        left -= cost
        kept.append(written)
    return answer


def _stopped(answer: Answer, sequences: list[str]) -> Answer:
    for number, written in enumerate(answer.content):
        found = [(written.text.find(s), s) for s in sequences if s in written.text]
        if found and written.block["type"] == "text":
            at, sequence = min(found)
            last = [replace(written, text=written.text[:at])] if at else []
            met = replace(answer, stop_reason="stop_sequence", stop_sequence=sequence)
            return replace(met, content=[*answer.content[:number], *last])
    return answer


def parts(request: dict[str, Any]) -> Iterator[Part]:
    """Take a prompt apart, in the order in which the model reads it and the cache keeps it."""
    for number, tool in enumerate(request.get("tools") or []):
        yield Part("tools", f"tools.{number}", "tools", tool)
    for number, block in enumerate(blocks(request.get("system") or [])):
        yield Part("system", f"system.{number}", "system", block)
    for index, message in enumerate(request["messages"]):
        for number, block in enumerate(blocks(message["content"])):
            path = f"messages.{index}.content.{number}"
            yield Part("messages", path, message["role"], block)


def blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return content as a list of blocks, which a string is short for."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def without_mark(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block without its ``cache_control``, which is no part of its content."""
    return {name: value for name, value in block.items() if name != "cache_control"}
