"""What a server says that a model takes, asked where our own data does not know it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from claude_nb.client.connection import Connection
from claude_nb.client.engine import call
from claude_nb.cost.models import ModelFacts, ThinkingType, facts, unknown
from claude_nb.errors import ClaudeError
from claude_nb.request.request import EFFORTS, Request

LOOK_UP_TIMEOUT = 2.0
"""Seconds that a question about a model may take; after that the request is sent as it is."""

_TYPES: tuple[ThinkingType, ...] = ("adaptive", "enabled", "disabled", "between_tools")

_looked_up: dict[tuple[str, str], dict[str, Any]] = {}
"""The capabilities of models by server and model; empty where the server did not say."""


def checked(request: Request, connection: Connection) -> Request:
    """A request in the form that its model takes, as far as the server says.

    The server is asked once for each model, and only where thinking or effort is asked for and our
    own data does not know what the model takes. The simulator knows no more than that data.

    Args:
        request: What is to be sent.
        connection: Where to.

    Raises:
        InputError: The model does not take it.
    """
    if request.effort is None and request.thinking is None:
        return request
    known = facts(request.model) or unknown(request.model)
    effort = request.effort is not None and known.efforts is None
    thinking = request.thinking is not None and known.thinking_types is None
    if not (effort or thinking) or connection.simulated or connection.replayed:
        return request
    key = connection.origin, request.model
    if key not in _looked_up:
        try:
            _looked_up[key] = call(_look_up(connection, request.model))
        except ClaudeError:  # no key, say, which may be there next time
            return request
    return replace(request, model_facts=_with(known, _looked_up[key]))


async def _look_up(connection: Connection, model: str) -> dict[str, Any]:
    """The capabilities of a model (the SDK's ``ModelCapabilities``), or an empty dict."""
    client = await asyncio.to_thread(connection.client)
    with suppress(Exception):  # a server may not know models, or answer anything
        async with asyncio.timeout(LOOK_UP_TIMEOUT):
            found = await client.models.retrieve(model)
            return part(found.to_dict(mode="json", warnings=False), "capabilities")
    return {}


def _with(known: ModelFacts, capabilities: dict[str, Any]) -> ModelFacts:
    """What is known of a model, and what the server says of the rest."""
    efforts, types = known.efforts, known.thinking_types
    if efforts is None:
        effort = part(capabilities, "effort")
        levels = tuple(level for level in EFFORTS if level in supported(effort))
        efforts = levels if levels or effort.get("supported") is False else None
    if types is None:
        taken = supported(part(part(capabilities, "thinking"), "types"))
        types = tuple(name for name in _TYPES if name in taken) or None
    return replace(known, efforts=efforts, thinking_types=types)


def supported(capabilities: dict[str, Any]) -> list[str]:
    """The names of what is supported, in an object of the API's ``CapabilitySupport``."""
    return [n for n in capabilities if part(capabilities, n).get("supported") is True]


def part(value: dict[str, Any], name: str) -> dict[str, Any]:
    """An object in an object; an empty one where there is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}
