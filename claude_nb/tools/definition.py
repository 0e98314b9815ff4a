"""What the API takes as the definition of a tool."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from claude_nb.errors import InputError

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_PARAMETER = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
"""What the API takes as a tool's name, and as the name of a parameter: both are its own errors'."""


def check_definition(definition: Mapping[str, Any]) -> None:
    """Refuse what the API is known to refuse, and what cannot be sent as JSON.

    Raises:
        InputError: It is refused; the error says what.
    """
    name, schema = definition["name"], definition["input_schema"]
    if not TOOL_NAME.fullmatch(name):
        raise InputError(
            f"{name} cannot be the name of a tool.",
            "Use letters a to z, digits, _ and -, at most 128.",
        )
    for parameter in schema.get("properties", {}):
        if not _PARAMETER.fullmatch(parameter):
            raise InputError(
                f"{name} has a parameter {parameter}, which the API does not accept as a name.",
                "Rename it: letters a to z, digits and underscores, at most 64.",
            )
    if not is_json(definition):
        raise InputError(
            f"The definition of {name} cannot be written as JSON.",
            "It contains inf, nan or half a character: check its docstring and type hints.",
        )


def is_json(value: Any, **how: Any) -> bool:
    """Whether it can be sent."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False, **how).encode()
    except (TypeError, ValueError):
        return False
    return True
