"""Thinking and effort in the form that a model takes; what it is known not to take is refused."""

from __future__ import annotations

from typing import Any

from claude_nb.cost.models import ModelFacts
from claude_nb.errors import InputError, either

MIN_THINKING_BUDGET = 1024
"""The smallest ``budget_tokens``: platform documentation, "Extended thinking"."""


def thinking_param(
    wanted: str | int | None, model: ModelFacts | None, max_tokens: int, *, hidden: bool, limit: str
) -> dict[str, Any] | None:
    """The ``thinking`` parameter in the form that a model takes, or None to send none.

    Args:
        wanted: ``"on"``, ``"off"``, a budget in tokens, or None for what the model does by itself.
        model: What is known of the model, or None.
        max_tokens: The most tokens to generate, thinking included.
        hidden: Whether no readable thinking is to be sent.
        limit: What errors call ``max_tokens``.

    Raises:
        InputError: The model is known not to take it.
    """
    if wanted is None:
        # Readable thinking has to be asked for, or only a signature comes. A model that does
        # not think by itself, or of which nothing is known, is left alone.
        if model is None or model.thinking_default not in ("always", "on"):
            return None
        wanted = "on"
    display = "omitted" if hidden else "summarized"
    accepted = (model.thinking_types if model else None) or ()
    if wanted == "off" and "disabled" not in accepted and "between_tools" in accepted:
        return {"type": "between_tools"}
    if wanted == "off":
        _check_form(model, "disabled", "turn thinking off")
        return {"type": "disabled"}
    if wanted == "on" and "enabled" not in accepted:
        _check_form(model, "adaptive", "think")
    if wanted == "on" and (not accepted or "adaptive" in accepted):
        return {"type": "adaptive", "display": display}
    if wanted == "on":
        wanted = max(MIN_THINKING_BUDGET, max_tokens // 2)
    if not isinstance(wanted, int):
        raise InputError(f"thinking must be on, off or a number of tokens, not {wanted!r}.")
    _check_form(model, "enabled", "be given a thinking budget")
    if not MIN_THINKING_BUDGET <= wanted < max_tokens:
        raise InputError(
            f"A thinking budget of {wanted:,} tokens is not allowed.",
            f"It must be at least {MIN_THINKING_BUDGET:,} and less than {limit}"
            f" ({max_tokens:,}), which includes thinking.",
        )
    return {"type": "enabled", "budget_tokens": wanted, "display": display}


def check_effort(
    effort: str | None, model: ModelFacts | None, thinking: dict[str, Any] | None
) -> None:
    """Refuse an effort that a model is known not to take.

    Args:
        effort: The effort, or None for the model's default.
        model: What is known of the model, or None.
        thinking: The ``thinking`` parameter that goes with it.

    Raises:
        InputError: The model is known not to take it.
    """
    if effort is None or model is None or model.efforts is None:
        return
    if not model.efforts:
        raise InputError(f"{model.id} does not support effort.", "Leave effort out.")
    if effort not in model.efforts:
        raise InputError(
            f"{model.id} does not support the effort {effort}.",
            f"Use {either(model.efforts)}.",
        )
    off = thinking is not None and thinking["type"] in ("disabled", "between_tools")
    least = model.efforts_without_thinking
    if off and least is not None and effort not in least:
        raise InputError(
            f"With thinking off, {model.id} does not support the effort {effort}.",
            f"Use {either(least)}; or turn thinking on.",
        )


_INSTEAD = {
    "adaptive": "thinking on (the model decides how much; effort guides it)",
    "enabled": "thinking with a token budget",
    "disabled": "thinking off",
}


def _check_form(model: ModelFacts | None, form: str, wish: str) -> None:
    """Refuse a form of thinking that the model is known not to take, and name those it takes."""
    if model is None or not model.thinking_types or form in model.thinking_types:
        return
    forms = [text for name, text in _INSTEAD.items() if name in model.thinking_types]
    raise InputError(f"{model.id} cannot {wish}.", f"Use {either(forms)}.")
