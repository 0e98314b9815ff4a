"""The models that the simulator serves, and what it makes of their facts."""

from typing import Any

from claude_nb.models import ThinkingDisplay, facts, known_models

_UNKNOWN_RELEASE = "1970-01-01T00:00:00Z"
_YES, _NO = {"supported": True}, {"supported": False}


def names() -> list[str]:
    """Return the ids of all models, the newest first."""
    return known_models()


def info(name: str) -> dict[str, Any]:
    """Return a known model as ``GET /v1/models`` lists it (the SDK's ``ModelInfo``).

    Thinking and limits are the model's; the other capabilities are those of this server, which
    has no batches and runs no server tools.
    """
    known = facts(name)
    if known is None:
        raise KeyError(name)
    return {
        "id": known.id,
        "type": "model",
        "display_name": known.name,
        "created_at": _UNKNOWN_RELEASE,
        "deprecated_at": None,
        "retires_at": None,
        "lifecycle": "active",
        "line": None,
        "max_input_tokens": known.context_window,
        "max_tokens": known.max_output_tokens,
        "capabilities": None
        if known.thinking_types is None
        else _capabilities(known.thinking_types),
    }


def thinks(request: dict[str, Any]) -> bool:
    """Say whether the reply to a request begins with thinking."""
    asked = request.get("thinking")
    if asked is not None:
        return asked.get("type") in {"adaptive", "enabled"}
    known = facts(request["model"])
    return known is not None and known.thinking_default in {"always", "on"}


def thinking_display(request: dict[str, Any]) -> ThinkingDisplay:
    """Return how the reply to a request shows its thinking: as asked, else as the model does."""
    asked: ThinkingDisplay | None = (request.get("thinking") or {}).get("display")
    known = facts(request["model"])
    return asked or (known.thinking_display if known else None) or "omitted"


def _capabilities(thinking_types: tuple[str, ...]) -> dict[str, Any]:
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    types = {kind: {"supported": kind in thinking_types} for kind in kinds}
    efforts = ("low", "medium", "high", "max", "xhigh")
    return {
        "batch": _NO,
        "citations": _NO,
        "code_execution": _NO,
        "context_management": _NO,
        "effort": {**_YES, **dict.fromkeys(efforts, _YES)},
        "image_input": _YES,
        "pdf_input": _YES,
        "server_tools": {**_NO, "code_execution": _NO, "web_search": _NO},
        "structured_outputs": _YES,
        "thinking": {**_YES, "types": types},
    }
