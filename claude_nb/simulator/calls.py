"""Calls of the tools that a request offers, and texts about their results."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from claude_nb.simulator import memory, wire
from claude_nb.simulator.quoting import ending
from claude_nb.simulator.schema import sample
from claude_nb.simulator.tokens import blocks
from claude_nb.simulator.turns import Exchange, text_of, words

THEN = "then"
TWICE = ("again", "twice")
ANY = ("tool", "tools")
"""Words of a prompt that choose calls, beside the names of the tools."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool.

    Attributes:
        name: The tool's name.
        input: What it is called with.
        eager: Whether the tool wants its input as it is written.
    """

    name: str
    input: dict[str, Any]
    eager: bool = False

    def written(self, rng: random.Random) -> wire.Written:
        """Return the content block, with an id of its own."""
        identifier = f"toolu_sim_{rng.randbytes(8).hex()}"
        return wire.tool_use(identifier, self.name, self.input, eager=self.eager)


def steps(request: dict[str, Any], prompt: str, *, otherwise: bool) -> list[list[Call]]:
    """Return the calls that a prompt asks for: those of a step together, one step after the other.

    Args:
        request: The body of the request.
        prompt: The prompt.
        otherwise: Whether a prompt that names no tool gets a call of the first one all the same.
    """
    tools = _callable(request)
    eager = {name for name, tool in tools.items() if tool.get("eager_input_streaming") is True}
    choice = request.get("tool_choice") or {}
    if choice.get("type") == "none" or not tools:
        return []
    order = [step for step in _order(prompt, tools) if step]
    asked = otherwise or choice.get("type") == "any" or not set(ANY).isdisjoint(words(prompt))
    if choice.get("type") == "tool":
        order = [[choice["name"]]] if choice["name"] in tools else []
    elif not order and asked:
        order = [[next(iter(tools))]]
    if choice.get("disable_parallel_tool_use"):
        order = [[name] for step in order for name in step]
    counts = {name: count() for name in tools}  # calls of one tool differ, if its schema lets them
    return [
        [Call(name, _input(tools[name], next(counts[name])), name in eager) for name in step]
        for step in order
    ]


def announced(step: list[Call]) -> str:
    """Return the text before the first calls."""
    names = _listed([call.name for call in step])
    together = f", {len(step)} calls in one message" if len(step) > 1 else ""
    return f"I am calling {names}{together}, with sample input."


def noted(now: Exchange, step: list[Call]) -> str:
    """Return the text between the results of some calls and the next calls."""
    before = [call["name"] for call, _ in _answered(now, now.results[-1])]
    after = [call.name for call in step]
    return (
        f"{_listed(before)} {'has' if len(set(before)) == 1 else 'have'} answered. "
        f"Next {'comes' if len(set(after)) == 1 else 'come'} {_listed(after)}."
    )


def about_results(now: Exchange) -> str:
    """Return the text about all results in the end."""
    results = [result for several in now.results for result in several]
    answered = list(_answered(now, results))
    names = [call["name"] for call, _ in answered]
    texts = [_about(_label(call, names), result) for call, result in answered]
    if now.remark:
        texts.append(f"Behind that you wrote{ending(now.remark)}")
    texts.append("A simulated reply can make no more of it than to show that it arrived.")
    return "\n\n".join(texts)


def _callable(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tools that the client runs, by name."""
    tools = request.get("tools") or []
    return {
        tool["name"]: tool
        for tool in tools
        if isinstance(tool.get("input_schema"), dict) or memory.is_memory(tool)
    }


def _input(tool: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the input of the call of a tool that follows this many others."""
    if memory.is_memory(tool):
        return memory.command(number)
    made: dict[str, Any] = sample(tool["input_schema"], number)
    return made


def _order(prompt: str, tools: dict[str, Any]) -> list[list[str]]:
    """Return the names of tools in a prompt, step by step."""
    by_name = {name.lower(): name for name in tools}
    order: list[list[str]] = [[]]
    repeat = False
    for word in re.findall(r"[\w-]+", prompt.lower()):
        if name := by_name.get(word):
            if name not in order[-1]:
                order[-1] += [name] * (1 + repeat)
            repeat = False
        elif word == THEN:
            order.append([])
            repeat = False
        elif word in TWICE:
            order[-1] += order[-1][-1:]
            repeat = not order[-1]
    return order


def _answered(
    now: Exchange, results: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield results, each with the call that it answers."""
    calls = {block["id"]: block for block in now.done if block["type"] == "tool_use"}
    for result in results:
        yield calls.get(result["tool_use_id"], {"name": "tool", "input": {}}), result


def _label(call: dict[str, Any], all_names: list[str]) -> str:
    """Return the name of a call's tool, with the first input where others have the same tool."""
    if all_names.count(call["name"]) < 2 or not call["input"]:
        return f"`{call['name']}`"
    parameter, value = next(iter(call["input"].items()))
    written = json.dumps(value, ensure_ascii=False)
    return f"`{call['name']}({parameter}={written if len(written) <= 40 else '…'})`"


def _listed(names: list[str]) -> str:
    """Return names, each once, as code with commas and an *and*."""
    code = [f"`{name}`" for name in dict.fromkeys(names)]
    return code[0] if len(code) == 1 else f"{', '.join(code[:-1])} and {code[-1]}"


def _about(label: str, result: dict[str, Any]) -> str:
    content = blocks(result.get("content") or [])
    text = text_of(content)
    others = ", ".join(_named(block) for block in content if block["type"] != "text")
    verb = "failed with" if result.get("is_error") else "returned"
    if not text:
        return f"{label} {verb} {others or 'nothing'}."
    return f"{label} {verb}{ending(text, others and f'and {others}')}"


def _named(block: dict[str, Any]) -> str:
    """Return a name for a block that is no text."""
    kind = block["type"]
    source = block.get("source") or {}
    what = source.get("media_type") or block.get("title") or source.get("url")
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind.replace('_', ' ')}" + (f" (`{what}`)" if what else "")
