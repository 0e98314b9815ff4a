"""What a request may hold beside the options of this package: checked, and shown without secrets.

``extra`` is merged into the body of the request, and ``betas`` name features of the API that are
switched on by a header.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from claude_nb.characters import wellformed
from claude_nb.errors import InputError, either, nearest
from claude_nb.redaction import REDACTED, redact, remember

BETA_HEADER = "anthropic-beta"

FREE = ("diagnostics", "context_management")
"""Fields that add nothing to the price of the tokens that are counted: the cache's diagnosis, and
clearing earlier results of tools (platform.claude.com/docs, pages "Cache diagnostics" and "Context
editing", read 2026-11-30). Compaction, which ``context_management`` can ask for too, is paid."""

COUNTED = ("compaction", "context_management", "mcp_servers", "speed")
"""Fields that ``messages.count_tokens`` takes too: the SDK's ``MessageCountTokensParams``."""

NOT_IN_BATCHES = ("speed", "fallbacks")
"""Fields that the service refuses in a batch (page "Batch processing", read 2026-08-22)."""

_OWN: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("model", "max_tokens", "system", "thinking", "tools", "stream")},
    **{name: (name,) for name in ("stop_sequences", "tool_choice", "metadata", "betas")},
    "anthropic-beta": ("betas",),
    "anthropic_beta": ("betas",),
    "output_config": ("effort", "output"),
}
"""Fields that options of this package set, and these options."""

_SET_HERE = {
    "messages": "The prompt and the conversation make them.",
    "cache_control": "A CachedSystem as the system prompt marks what is to be cached.",
    "container": "It is sent where code of a paused turn has run.",
}
"""Fields that this package sets by itself, and when."""

REFUSED = (*_OWN, *_SET_HERE)
"""Fields that ``extra`` cannot hold."""

_CELL_OPTIONS = {"output": "--json", "stream": "--no-stream"}

_SECRET = re.compile(
    r"(token|secret|passwords?|passwd|passphrase|authorization|auth|bearer|credentials?|cookie"
    r"|(api|access|auth|private|secret|signing)key)$"
)
"""How the names of fields end, in small letters and without ``-`` and ``_``, that hold secrets."""

_LEAST = 8
"""Characters of a secret from which on it is redacted wherever it stands. A shorter one, or a word
such as ``required``, stands in other texts too: it is hidden in its own field only."""

_BETA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CHOICES = ("auto", "any", "tool", "none")
FORCING = ("any", "tool")
"""The types of ``tool_choice`` that make the model call a tool."""


def checked_extra(extra: dict[str, Any], *, in_cell: bool) -> dict[str, Any]:
    """The fields to merge into the body, in a copy; secrets in it are redacted from now on.

    Args:
        extra: What the user passed.
        in_cell: Whether a cell asks, whose options errors name.

    Raises:
        InputError: A field is set by an option or by this package, or cannot be sent as JSON.
    """
    try:
        made: dict[str, Any] = _as_json(extra, "extra")
    except RecursionError:
        raise InputError("extra is nested too deeply, or contains itself.") from None
    for name in made:
        if options := _OWN.get(name):
            cell = (_CELL_OPTIONS.get(o, f"--{o.replace('_', '-')}") for o in options)
            named = " or ".join(cell if in_cell else (f"{option}=" for option in options))
            raise InputError(f"extra cannot hold {name}, which has an option.", f"Use {named}.")
        if name in _SET_HERE:
            raise InputError(f"extra cannot hold {name}.", _SET_HERE[name])
    for secret in _secrets(made):
        for part in (secret, *secret.split()):  # the token after "Bearer" too
            if len(part) >= _LEAST and not part.isalpha():
                remember(part)
    return made


def checked_betas(betas: Sequence[Any]) -> tuple[str, ...]:
    """The names of betas, each once.

    Raises:
        InputError: One of them cannot be a name.
    """
    for name in betas:
        if not isinstance(name, str) or not _BETA.fullmatch(name):
            raise InputError(
                f"{name!r:.60} is not a valid beta name.", "For example: mcp-client-2025-11-20"
            )
    return tuple(dict.fromkeys(betas))


def checked_stop_sequences(sequences: Sequence[Any]) -> tuple[str, ...]:
    """The texts at which the reply ends.

    Raises:
        InputError: One of them is no text, or blank, which the API refuses.
    """
    for sequence in sequences:
        if not isinstance(sequence, str):
            raise InputError(f"A stop sequence must be a string, not {sequence!r:.60}.")
        if not sequence.strip():
            raise InputError(
                f"The stop sequence {sequence!r:.60} is blank.",
                "The API needs a visible character in each.",
            )
    return tuple(map(wellformed, sequences))


def checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata, of which the API takes ``user_id`` alone.

    Raises:
        InputError: It is something else.
    """
    other = [name for name in metadata if name != "user_id"]
    if other or not isinstance(metadata.get("user_id"), str | None):
        what = f"not {other[0]!r:.60}" if other else f"a string, not {metadata['user_id']!r:.60}"
        raise InputError(f"metadata takes user_id, {what}.", 'For example: {"user_id": "a1b2c3"}')
    return {name: value and wellformed(value) for name, value in metadata.items()}


def checked_tool_choice(choice: str | dict[str, Any]) -> dict[str, Any]:
    """The choice of a tool in the API's form.

    Args:
        choice: ``auto``, ``any``, ``none``, the name of a tool, or the API's dict.

    Raises:
        InputError: It is no such choice.
    """
    if isinstance(choice, str):
        if not choice.strip():
            raise InputError("tool_choice is empty.", "Use auto, any, none or a tool's name.")
        by_type = choice in _CHOICES and choice != "tool"
        return {"type": choice} if by_type else {"type": "tool", "name": choice}
    kind = choice.get("type")
    fields: dict[str, type] = {} if kind == "none" else {"disable_parallel_tool_use": bool}
    fields |= {"name": str} if kind == "tool" else {}
    if kind not in _CHOICES:
        raise InputError(f"tool_choice has no type {kind!r:.60}.", f"Use {either(_CHOICES)}.")
    if kind == "tool" and "name" not in choice:
        raise InputError(
            "tool_choice does not name a tool.", 'For example: {"type": "tool", "name": "look_up"}'
        )
    for name, value in choice.items():
        if name != "type" and name not in fields:
            raise InputError(f"tool_choice of the type {kind} takes no {name!r:.60}.")
        if name != "type" and not isinstance(value, fields[name]):
            raise InputError(f"tool_choice: {name} cannot be {value!r:.60}.")
    return dict(choice)


def check_tool_named(choice: dict[str, Any], tools: Sequence[dict[str, Any]]) -> None:
    """Check that there is a tool to force.

    Args:
        choice: The choice, of one of the types ``FORCING``.
        tools: The definitions of the tools that may be called.

    Raises:
        InputError: There is none, or none of that name.
    """
    if not tools:
        raise InputError("tool_choice needs a tool, and there is none.", "Name the tools.")
    names = [str(tool["name"]) for tool in tools if tool.get("name")]
    if choice["type"] == "tool" and choice["name"] not in names:
        near = nearest(choice["name"], names)
        hint = f"Did you mean {near}?" if near else f"There are {', '.join(names)}."
        raise InputError(f"There is no tool {choice['name']!r:.80} to choose.", hint)


def priced_field(extra: dict[str, Any]) -> str | None:
    """A field that may cost more than the tokens that are counted, or None if there is none."""
    for name, value in extra.items():
        edits = value.get("edits") if isinstance(value, dict) else None
        kinds = [str(e.get("type")) if isinstance(e, dict) else "" for e in edits or ()]
        clears = all(kind.startswith("clear_") for kind in kinds)
        if name not in FREE or (name == "context_management" and not clears):
            return name
    return None


def without_secrets(params: dict[str, Any]) -> dict[str, Any]:
    """Arguments of ``messages.create`` without what ``extra`` holds in fields for secrets.

    Args:
        params: The arguments; they stay as they are.
    """
    if "extra_body" not in params:
        return params
    return params | {"extra_body": shown(params["extra_body"])}


def body(params: dict[str, Any]) -> dict[str, Any]:
    """The body that the SDK makes of the arguments of ``messages.create``.

    Args:
        params: The arguments; they stay as they are.
    """
    made = {name: value for name, value in params.items() if not name.startswith("extra_")}
    made |= params.get("extra_body", {})
    return made


def shown(extra: Any) -> Any:
    """``extra`` without its secrets."""
    return _shown(extra, secret=False)


def _secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    """The texts in ``extra`` that stand in fields for secrets, and in addresses likewise."""
    if isinstance(value, str) and secret:
        yield value
    elif isinstance(value, str) and "://" in value:
        with suppress(ValueError):
            address = urlsplit(value)
            yield unquote(address.password or "")
            yield from (text for name, text in parse_qsl(address.query) if is_secret(name))
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, secret=secret)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, secret=secret or is_secret(name))


def _shown(value: Any, *, secret: bool) -> Any:
    if isinstance(value, str):
        return REDACTED if secret else redact(value)
    if isinstance(value, list):
        return [_shown(item, secret=secret) for item in value]
    if isinstance(value, dict):
        return {n: _shown(item, secret=secret or is_secret(n)) for n, item in value.items()}
    return value


def is_secret(name: str) -> bool:
    """Whether a field or a variable of that name holds a secret."""
    return _SECRET.search(re.sub("[-_ ]", "", name).lower()) is not None


def _as_json(value: Any, where: str) -> Any:
    """A copy of a value, made of what JSON has.

    Args:
        value: The value.
        where: What it is called in an error.

    Raises:
        InputError: It holds something that JSON does not have.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{where} is {value}, which JSON does not support.")
        return value
    if isinstance(value, str):
        return wellformed(value)
    if isinstance(value, (list, tuple)):
        return [_as_json(item, f"{where}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise InputError(f"{where} has the key {name!r:.60}; JSON keys must be strings.")
        named = ((name, f"{where}[{json.dumps(name[:60])}]") for name in value)
        return {wellformed(name): _as_json(value[name], path) for name, path in named}
    raise InputError(f"{where} is of type {type(value).__name__}, which JSON does not support.")
