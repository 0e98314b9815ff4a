"""The models that the simulator serves, and their facts."""

from collections.abc import Sequence
from typing import Any

from claude_nb.cost.models import ThinkingDisplay, as_of, facts, known_models
from claude_nb.simulator import paging
from claude_nb.simulator.refusals import RefusalError, invalid, not_found

_UNKNOWN_RELEASE = "1970-01-01T00:00:00Z"
_YES, _NO = {"supported": True}, {"supported": False}
_DEFAULT_EFFORT = {"claude-opus-5-5": "medium", "claude-haiku-5-5": "medium"}
"""Where it is not ``high`` (platform.claude.com/docs, pages on thinking, read 2026-10-08)."""

_LIKE_FABLE_5_1 = {"claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5"}
"""Models whose notes between calls of tools are thinking (platform.claude.com/docs, "What's new" in
each of them, read 2026-10-08)."""


_BINDING = _LIKE_FABLE_5_1 | {"claude-haiku-5-5", "claude-fable-5-2", "claude-mythos-5-2"}
"""Models whose thinking is bound to what stood before it (as above; "What's new in Claude Fable
5.2", read 2026-11-30)."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")


def undated(model: str) -> str:
    """Return a model's id without a date: both name one model."""
    known = facts(model)
    return known.id if known else model


def info(name: str) -> dict[str, Any]:
    """Return a known model as ``GET /v1/models`` lists it (the SDK's ``ModelInfo``).

    Thinking and limits are the model's; the other capabilities are those of this server, which
    runs no server tools: what they bring is made up.
    """
    known = facts(name)
    if known is None:
        raise RefusalError(not_found(f"model: {name}"))
    return {
        "id": known.id,
        "type": "model",
        "display_name": known.name,
        "created_at": _UNKNOWN_RELEASE,
        "deprecated_at": known.deprecated and f"{known.deprecated}T00:00:00Z",
        "retires_at": known.retires and f"{known.retires}T00:00:00Z",
        "lifecycle": known.lifecycle(as_of()),
        "line": None,
        "max_input_tokens": known.context_window,
        "max_tokens": known.max_output_tokens,
        "capabilities": _capabilities(known.id),
    }


def page(
    limit: int = 20,
    after_id: str | None = None,
    before_id: str | None = None,
    lifecycle: Sequence[str] = ("active", "deprecated"),
) -> dict[str, Any]:
    """Return a page of ``GET /v1/models``, as the SDK's ``models.list`` asks for it.

    Args:
        limit: The most models on it, 1 to 1000.
        after_id: The model before the page's first.
        before_id: The model after the page's last.
        lifecycle: The stages of the models that are listed.

    Raises:
        RefusalError: There is no such page.
    """
    ids = [name for name in known_models() if info(name)["lifecycle"] in lifecycle]
    for cursor in filter(None, (after_id, before_id)):
        if cursor not in ids:
            raise RefusalError(invalid(f"{cursor}: no such model in this list"))
    found = paging.page(ids, limit, after_id, before_id)
    return found | {"data": list(map(info, found["data"]))}


def thinks(request: dict[str, Any], *, between_calls: bool = False) -> bool:
    """Say whether the reply to a request begins with thinking.

    Args:
        request: The body of the request.
        between_calls: Whether it goes on after the results of tools.
    """
    kind, _ = thinking_mode(request)
    return kind in {"adaptive", "enabled"} or (kind == "between_tools" and between_calls)


def thinking_display(request: dict[str, Any]) -> ThinkingDisplay:
    """Return how the reply to a request shows its thinking: as asked, else as the model does.

    What a model thinks under ``between_tools`` is always shown.
    """
    thinking = request.get("thinking") or {}
    if thinking.get("type") == "between_tools":
        return "summarized"
    asked: ThinkingDisplay | None = thinking.get("display")
    known = facts(request["model"])
    return asked or (known.thinking_display if known else None) or "omitted"


def notes_are_thinking(model: str) -> bool:
    """Say whether what a model writes between two calls of tools arrives as thinking."""
    return undated(model) in _LIKE_FABLE_5_1


def can_be_forced(model: str) -> bool:
    """Say whether ``tool_choice`` can make a model call a tool."""
    known = facts(model)
    return known is None or known.accepts_forced_tools is not False


def binds_thinking(model: str) -> bool:
    """Say whether a model's thinking is valid only behind what it was thought behind."""
    return undated(model) in _BINDING


def thinking_types(model: str) -> tuple[str, ...] | None:
    """Return the values of ``thinking.type`` that a model takes; ``None`` if they are not known."""
    known = facts(model)
    return known.thinking_types if known else None


def efforts(model: str, thinking: str | None = None) -> list[str]:
    """Return the values of ``output_config.effort`` that a model takes with a type of thinking."""
    known = facts(model)
    taken = known.efforts if known and known.efforts is not None else EFFORTS
    less = known.efforts_without_thinking if known else None
    if less is not None and thinking in ("disabled", "between_tools"):
        taken = less
    return list(taken)


def filters_by_code(model: str) -> bool:
    """Say whether a model can filter what it finds on the web by code of its own."""
    known = facts(model)
    return known is not None and known.web_tools is not None


def takes_system_messages(model: str) -> bool:
    """Say whether a model takes messages with the role ``system``; it does if that is unknown."""
    known = facts(model)
    return known is None or known.system_messages is not False


def thinking_mode(request: dict[str, Any]) -> tuple[str, Any]:
    """Return how a request is thought about: the mode and the budget.

    How thinking is *shown* is no part of it. A request that asks for the model's default and one
    that asks for nothing are the same here.
    """
    asked = request.get("thinking") or {}
    known = facts(request["model"])
    default = known is not None and known.thinking_default in {"always", "on"}
    mode = asked.get("type") or ("adaptive" if default else "disabled")
    return mode, asked.get("budget_tokens")


def effort(request: dict[str, Any]) -> Any:
    """Return the effort of a request: as asked, else the model's default."""
    asked = (request.get("output_config") or {}).get("effort")
    return asked or _DEFAULT_EFFORT.get(undated(request["model"]), "high")


def output_format(request: dict[str, Any]) -> Any:
    """Return the form that a request asks its answer to have, if it does."""
    return (request.get("output_config") or {}).get("format")


def _capabilities(model: str) -> dict[str, Any] | None:
    taken, levels = thinking_types(model), efforts(model)
    if taken is None:
        return None
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    types = {kind: {"supported": kind in taken} for kind in kinds}
    leveled = {level: {"supported": level in levels} for level in EFFORTS}
    return {
        **dict.fromkeys(("batch", "citations", "image_input", "pdf_input"), _YES),
        **dict.fromkeys(("code_execution", "context_management"), _NO),
        "structured_outputs": _YES,
        "effort": {"supported": bool(levels), **leveled},
        "server_tools": {**_NO, "code_execution": _NO, "web_search": _NO},
        "thinking": {**_YES, "types": types},
    }
