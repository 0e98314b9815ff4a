"""The answers of a turn in which tools are used: what comes next, the client's tools or the API's.

- The API's own tools run in the middle of an answer: a call, its result, and on with the answer.
- The client's tools end an answer, and their results come with the next request.
- Where both are called together, the API returns without having run its own, and begins the next
  answer with their results (platform.claude.com/docs, "Handling stop reasons").
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from claude_nb.simulator import calls, catalogue, mcp, servertools, wire
from claude_nb.simulator.turns import Exchange, words
from claude_nb.simulator.wire import Answer, Written

Use: TypeAlias = servertools.Use | mcp.Use

_BEFORE = "A tool is to be used. Its input only has to fit the schema."
_AFTER = "The results are there. What is left is to say what they were."


def answer(
    request: dict[str, Any],
    now: Exchange,
    steps: list[list[calls.Call]],
    uses: Sequence[Use],
    rng: random.Random,
    *,
    typed: Written | None = None,
) -> Answer | None:
    """Return the next answer of a turn with tools, or ``None`` if no tool is used in it.

    Args:
        request: The body of the request.
        now: What goes on in it.
        steps: The calls of the client's tools that were asked for, step by step.
        uses: The uses of the API's own tools that were asked for.
        rng: Gives calls their ids.
        typed: The answer to the prompt, if it is to have a form of its own.
    """
    if not (steps or uses or now.results):
        return None
    called = [block for block in now.done if block["type"] in wire.SERVER_CALLS]
    left = uses[len(called) :]
    begun = list(_waiting(now, uses))
    done = sum(any(b["type"] == "tool_use" for b in turn) for turn in now.since)
    step = next(iter(steps[done:]), [])
    if (request.get("tool_choice") or {}).get("type") in {"any", "tool"} and steps:
        return Answer([call.written(rng) for call in steps[0]], "tool_use")
    if step:
        called_now = [*(use.called(rng) for use in left), *(call.written(rng) for call in step)]
        content = [*begun, *_before(request, now, step, left), *called_now]
        return Answer(content, "tool_use", container=_container(request, content, rng))
    content = [*begun, wire.thinking(_AFTER if now.since else _BEFORE)]
    if left and not now.since:
        content.append(wire.text(servertools.announced(left)))
    for number, use in enumerate(left):
        call = use.called(rng)
        content += [call, use.returned(call.block["id"])]
        if servertools.PAUSE in words(now.prompt) and not called and number == 0:
            return Answer(content, "pause_turn", container=_container(request, content, rng))
    content += [typed] if typed else _ending(now, uses)
    return Answer(content, container=_container(request, content, rng))


def _before(
    request: dict[str, Any], now: Exchange, step: list[calls.Call], uses: Sequence[Use]
) -> list[Written]:
    """Return what comes before calls: a thought and a text, or between calls a note."""
    if now.results:
        note = calls.noted(now, step)
        as_thinking = catalogue.notes_are_thinking(request["model"])
        return [wire.thinking(note) if as_thinking else wire.text(note)]
    texts = [calls.announced(step), *([servertools.announced(uses)] if uses else [])]
    return [wire.thinking(_BEFORE), wire.text(" ".join(texts))]


def _waiting(now: Exchange, uses: Sequence[Use]) -> Iterator[Written]:
    """Yield the results of the API's tools that were called and have not run yet."""
    ran = {block.get("tool_use_id") for block in now.done}
    called = [block for block in now.done if block["type"] in wire.SERVER_CALLS]
    for block, use in zip(called, uses, strict=False):
        if block.get("id") not in ran:
            yield use.returned(block["id"])


def _ending(now: Exchange, uses: Sequence[Use]) -> list[Written]:
    texts = [written for use in uses for written in use.about]
    if now.results:
        texts.insert(0, wire.text(calls.about_results(now) + ("\n\n" if texts else "")))
    *most, last = texts
    return [*most, replace(last, text=last.text.rstrip())]


def _container(
    request: dict[str, Any], content: list[Written], rng: random.Random
) -> dict[str, Any] | None:
    """Return the container of an answer in which code was run."""
    names = (written.block.get("name", written.block["type"]) for written in content)
    ran = any("code_execution" in name for name in names)
    return servertools.container(request, rng) if ran else None
