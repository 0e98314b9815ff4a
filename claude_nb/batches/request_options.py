"""What all rows of a batch are asked with: saved beside its ids, and restored when it is resumed.

What may be long or secret (a system prompt, a schema) is not saved, only a digest of it: enough to
notice that it is missing when rows are to be handed in again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from claude_nb.batches.rows import digest
from claude_nb.client.batch_service import schema_of
from claude_nb.errors import InputError, redact
from claude_nb.request.request import Request
from claude_nb.request.system import System

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPTIONS = ("model", "max_tokens", "effort", "thinking")
"""Fields of ``Request`` that are saved as they are."""

_ELSEWHERE = ("model", "max_tokens", "thinking", "output_config")
"""Arguments of ``messages.create`` that these stand for."""


_TTL = "1h"
"""How long a cached system prompt is kept for a batch, which takes longer than five minutes."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of what a batch was handed in with, where it was resumed.

    Attributes:
        given: The names of the options that were passed when it was resumed.
        saved: What the notebook has of those that it was handed in with, or None.
    """

    given: set[str]
    saved: dict[str, Any] | None


def request(options: dict[str, Any], output: Any) -> Request:
    """What all rows have in common; nobody reads their thinking.

    Args:
        options: Fields of ``Request``, as the user passed them.
        output: The JSON schema or pydantic model that the replies are to fit, or None.

    Raises:
        InputError: It cannot be sent.
    """
    system = options.get("system")
    if isinstance(system, System):
        options = options | {"system": System(system.parts, _TTL)}
    made = Request("…", **{"hide_thinking": True, **options})
    return made if output is None else replace(made, output=schema_of(output))


def saved(request: Request, common: dict[str, Any]) -> dict[str, Any]:
    """What is saved of it, as JSON.

    Args:
        request: The request that all rows have in common.
        common: The arguments of ``messages.create`` that they have in common.
    """
    options = {name: getattr(request, name) for name in _OPTIONS}
    return {**options, "model": redact(request.model), "digests": digests(common)}


def digests(common: dict[str, Any]) -> dict[str, str]:
    """A digest for each option that is not saved as it is, by the option's name."""
    said = {name: value for name, value in common.items() if name not in _ELSEWHERE}
    if form := common.get("output_config", {}).get("format"):
        said["output"] = form
    return {name: digest(json.dumps(value).encode()) for name, value in said.items()}


def restored(data: Any) -> dict[str, Any] | None:
    """The options that were saved; None where they cannot be used: anybody may edit a notebook."""
    try:
        options = {name: data[name] for name in _OPTIONS}
        Request("…", **options)
        whole = type(options["max_tokens"]) is int and isinstance(data["digests"], dict)
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return options if whole else None


def missing(data: dict[str, Any], given: Iterable[str]) -> list[str]:
    """The options that a batch was handed in with, that are not saved, and were not given again."""
    return sorted(set(map(str, data["digests"])) - set(given))


def changed(data: dict[str, Any], request: Request, common: dict[str, Any]) -> list[str]:
    """The options that are not what they were."""
    now = saved(request, common)
    before, after = ({**each, **each["digests"]} for each in (data, now))
    names = {*before, *after} - {"digests"}
    return sorted(name for name in names if before.get(name) != after.get(name))
