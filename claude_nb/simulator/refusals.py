"""Errors with which the API refuses a request."""

from collections.abc import Iterator, Mapping
from typing import Any

from claude_nb.simulator.replies import Error

_NAMES = {
    str: "a valid string",
    int: "a valid integer",
    bool: "a valid boolean",
    dict: "an object",
    list: "a list",
}


class RefusalError(ValueError):
    """A request is refused.

    Args:
        error: What the API answers.
    """

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


def invalid(message: str) -> Error:
    """Return the error for a request that is not as it should be (400)."""
    return Error(400, "invalid_request_error", message)


def not_found(message: str) -> Error:
    """Return the error for something that does not exist (404)."""
    return Error(404, "not_found_error", message)


def required(at: str, fields: Mapping[str, Any], **types: type) -> Iterator[str]:
    """Yield a complaint for each field that is missing, or not of its type."""
    yield from (f"{at}{name}: Field required" for name in types if fields.get(name) is None)
    yield from mistyped(at, fields, **types)


def mistyped(at: str, fields: Mapping[str, Any], **types: type) -> Iterator[str]:
    """Yield a complaint for each field that is there and not of its type.

    Args:
        at: What stands before the name of a field in a complaint.
        fields: The object that holds them.
        types: The types by the names of the fields.
    """
    for name, kind in types.items():
        value = fields.get(name)
        if not isinstance(value, kind | None) or (kind is int and isinstance(value, bool)):
            yield f"{at}{name}: Input should be {_NAMES[kind]}"
