"""The reply to a prompt that no script fits."""

from typing import Any

from claude_nb.simulator.quoting import inline
from claude_nb.simulator.turns import text_of, typed
from claude_nb.simulator.wire import Answer, text

_SHOWN = 200
"""Characters of the prompt that are shown."""

TRY = (
    "Explain how streaming works",
    "Why is the sky blue?",
    "Write a Python function",
    "Show me a tour of Markdown",
    "Think about it",
    "Tell me a story",
    "Hello",
)


def echo(prompt: list[dict[str, Any]]) -> Answer:
    """Say that no script fits, with the beginning of what the user typed, and what to try instead.

    Args:
        prompt: The content of the prompt.
    """
    own = typed(prompt) or text_of(prompt)
    more = len(text_of(prompt)) - len(own[:_SHOWN])
    others = [block["type"] for block in prompt if block["type"] != "text"]
    along = [f"{more:,} more characters"] if more > 0 else []
    along += [f"{others.count(kind)} × {kind}" for kind in dict.fromkeys(others)]
    shown = [inline(own[:_SHOWN])] if own.strip() else []
    return Answer(
        [
            text(
                "This is a **simulated reply**; no model has read your prompt, and no script fits"
                f" it: {' and '.join([*shown, *along])}.\n\n"
                f"Prompts that have a script: {', '.join(f'*{example}*' for example in TRY)}."
            )
        ]
    )
