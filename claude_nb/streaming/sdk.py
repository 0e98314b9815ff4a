"""The SDK's own types, made of the wire's dicts for whoever asks for them."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args


def event(data: dict[str, Any]) -> Any:
    """The typed event that the SDK would have yielded for ``data``; unchecked, as the SDK's own.

    Args:
        data: An event of the Messages API, as it came over the wire.
    """
    named, otherwise = _event_types()
    kind = data.get("type")
    return named.get(kind if isinstance(kind, str) else "", otherwise).construct(**data)


def message(data: dict[str, Any]) -> Any:
    """A ``Message`` of the SDK; unchecked, as the SDK's own.

    Args:
        data: The message as the API's dict.
    """
    from anthropic.types import Message

    return Message.construct(**data)


@cache
def _event_types() -> tuple[dict[str, Any], Any]:
    """The SDK's types of events by name; and the first, of which it makes what it does not know."""
    from anthropic.types import RawMessageStreamEvent

    types = get_args(get_args(RawMessageStreamEvent)[0])
    return {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in types}, types[0]
