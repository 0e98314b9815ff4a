"""The response to a request, before it is streamed or sent as a whole."""

import random
from collections.abc import Collection
from typing import Any

from claude_nb.simulator import breaking, compaction, fallbacks, mcp, signatures, tokens
from claude_nb.simulator.cache import Found, PromptCache
from claude_nb.simulator.replies import Ended
from claude_nb.simulator.scripts import answer_to
from claude_nb.simulator.wire import Answer


def respond(
    request: dict[str, Any],
    rng: random.Random,
    cache: PromptCache,
    now: float,
    end: Ended | None = None,
    *,
    betas: Collection[str] = (),
) -> tuple[dict[str, Any], Answer, Found]:
    """Return the head of the message, the answer, and what the cache has of the prompt.

    Args:
        request: The body of a request that is known to be good.
        rng: Gives the message and its calls their ids.
        cache: Where the prompt is looked up; nothing is written yet.
        now: Seconds of its clock.
        end: How the model is to end its answer too early, if it has a text.
        betas: The names in the ``anthropic-beta`` header.
    """
    if request.get("compaction"):
        answer = compaction.answer(request)
    else:
        answer = answer_to(request, rng)
        answer = (end and breaking.ended(answer, end, request)) or answer
        answer = fallbacks.handed_over(answer, request)
        answer = mcp.listed(answer, request, betas)
        answer = signatures.signed(tokens.limited(answer, request), request)
    first = answer.content[0].block if answer.content else {}
    head = {
        "id": f"msg_sim_{rng.randbytes(10).hex()}",
        "type": "message",
        "role": "assistant",
        "model": first["to"]["model"] if fallbacks.place(answer) == 0 else request["model"],
    }
    return head, answer, cache.find(request, now)
