"""The reply to a prompt that chooses nothing: what was sent, word for word."""

import json
from typing import Any

from claude_nb.simulator.quoting import fenced
from claude_nb.simulator.tokens import blocks
from claude_nb.simulator.turns import text_of
from claude_nb.simulator.wire import Answer, text


def echo(request: dict[str, Any], last: list[dict[str, Any]]) -> Answer:
    """Say that nothing was understood, and show what was sent.

    Args:
        request: The body of the request.
        last: The content of the prompt.
    """
    prompt = text_of(last)
    system = text_of(blocks(request.get("system") or []))
    rows = {
        "model": f"`{request['model']}`",
        "max_tokens": str(request["max_tokens"]),
        "system": f"{len(system):,} characters" if system else "none",
        "thinking": f"`{json.dumps(request['thinking'])}`"
        if request.get("thinking")
        else "not set",
        "messages": str(len(request["messages"])),
        "tools": ", ".join(f"`{t.get('name')}`" for t in request.get("tools") or []) or "none",
    }
    others = [block["type"] for block in last if block["type"] != "text"]
    if others:
        rows["attached"] = ", ".join(others)
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    lines = [
        (
            "This is a **simulated reply**. No model has read your prompt: a small program on this "
            "machine has, and it understood nothing, because no script of it fits."
        ),
        f"What was sent:\n\n| | |\n|:--|:--|\n{table}",
        *_earlier(request["messages"][:-1]),
        f"And the prompt, word for word:\n\n{fenced(prompt)}",
        "Say *hello* to see what it has scripts for.",
    ]
    if system:
        lines.insert(2, f"The system prompt:\n\n{fenced(system)}")
    return Answer([text("\n\n".join(lines))])


def _earlier(messages: list[dict[str, Any]]) -> list[str]:
    """Show the messages before the prompt, each by its beginning."""
    if not messages:
        return []
    lines = []
    for message in messages:
        start = " ".join(text_of(blocks(message["content"])).split())
        lines.append(f"{message['role']}: {start if len(start) <= 60 else start[:59] + '…'}")
    return [f"Before the prompt, what was said earlier:\n\n{fenced(chr(10).join(lines))}"]
