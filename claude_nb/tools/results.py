"""The result of a call: content blocks for the model, a note and details for the user."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from types import TracebackType
from typing import Any

from claude_nb.characters import wellformed, wellformed_json
from claude_nb.redaction import redact, redact_error, redacted
from claude_nb.render.displayed import Part, displayed
from claude_nb.request.attachments.attachment import attach, describe_error
from claude_nb.request.attachments.limits import check_block
from claude_nb.request.executed import with_cells
from claude_nb.request.place import shell
from claude_nb.streaming.events import ToolRan

MAX_RESULT = 100_000
"""Characters of a result at most, some 25,000 tokens: the rest is left out, with a note."""

MAX_DETAILS = 20_000
"""Characters of a traceback at most: of a longer one the beginning and the end are kept."""

_SHORT = 40
"""Characters of a result that is shown in the call's label."""

_CONTENT: dict[str, tuple[str, type]] = {
    "text": ("text", str),
    "image": ("source", dict),
    "document": ("source", dict),
    "search_result": ("content", list),
}
"""What a ``tool_result`` may hold (the SDK's ``ToolResultBlockParam``), and the field that each of
them has."""

_OURS = ("claude_nb", "anthropic", "pydantic", "asyncio")
"""Packages whose lines in a traceback say nothing about the user's function."""


Content = tuple[dict[str, Any], ...]


class CallFailedError(Exception):
    """A call that an MCP server did not run, or that failed there.

    Args:
        message: Why, for the model.
        note: Why, in two or three words, for the user.
        details: More of it for the user.
    """

    def __init__(self, message: str, note: str, details: str = "") -> None:
        super().__init__(message)
        self.note = note
        self.details = details


@dataclass(frozen=True, slots=True)
class Result:
    """A tool result that shows the reader something else than it sends to the model.

    Args:
        for_model: What the model receives: anything that a tool can return.
        display: What the reader sees in the pane of the call, and in the saved reply: a figure, a
            table, an object with a form for notebooks, several in a list. It is never sent. HTML
            is shown without scripts.
        note: The result in a few words, for the label of the call; by default made of
            ``for_model``.

    Example:
        >>> def plot(column: str) -> claude_nb.Result:
        ...     '''Plot a column.'''
        ...     fig, ax = plt.subplots()
        ...     ax.hist(df[column])
        ...     return claude_nb.Result(df[column].describe(), display=fig)
    """

    for_model: Any
    _: KW_ONLY
    display: Any = None
    note: str = ""


def returned(value: Any) -> tuple[Content, str, tuple[Part, ...]]:
    """A function's value as content blocks, as a short note, and as what the reader sees besides.

    Args:
        value: What it returned: a ``Result``, or what ``content`` takes.

    Raises:
        InputError: It cannot be sent.
    """
    if not isinstance(value, Result):
        return *content(value), ()
    blocks, note = content(value.for_model)
    shown = () if value.display is None else displayed(value.display)
    return blocks, redact(wellformed(value.note)) or note, shown


def content(value: Any) -> tuple[Content, str]:
    """A function's value as content blocks, and as a short note.

    Args:
        value: What it returned: anything that can be put into a prompt; or content blocks, as
            functions for the SDK return them.

    Raises:
        InputError: It cannot be sent.
    """
    if isinstance(value, list) and value and all(map(_is_block, value)):
        whole = value
        blocks = tuple(_attached_block(_cut(block)) for block in value)
        kinds = [block["type"] for block in blocks]
        note = _in_short(None, whole) if set(kinds) == {"text"} else ", ".join(kinds)
    else:
        attached = attach(value, "result")
        whole, note = list(attached.blocks), attached.note.removeprefix("result: ")
        blocks = tuple(map(_cut, whole))
        note = note or _in_short(value, whole)
    pairs = zip(blocks, whole, strict=True)
    # A result may be empty, but a text in it may not be blank.
    return tuple(_noted(*pair) for pair in pairs if pair[0].get("text", "…").strip()), note


def _attached_block(block: dict[str, Any]) -> dict[str, Any]:
    block = wellformed_json(block)
    check_block(block, "The result")
    made: dict[str, Any] = redacted(block)
    return made


def _in_short(value: Any, blocks: Iterable[dict[str, Any]]) -> str:
    """A short value itself; of a long one, its size."""
    text = "".join(block.get("text", "") for block in blocks)
    if len(text) <= _SHORT and "\n" not in text:
        return text or "an empty string"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{len(value):,} item{'' if len(value) == 1 else 's'}"
    if isinstance(value, dict):
        keys = ", ".join(map(str, value))
        return keys if len(keys) <= _SHORT else f"{len(value):,} entries"
    return f"{len(text):,} characters"


def _is_block(value: Any) -> bool:
    """Whether it is a content block, and not a record that has a type too."""
    kind = value.get("type") if isinstance(value, dict) else None
    field, form = _CONTENT.get(kind, ("", str)) if isinstance(kind, str) else ("", str)
    return bool(field) and isinstance(value.get(field), form)


def _cut(block: dict[str, Any]) -> dict[str, Any]:
    """The beginning of a text that is too long, before anything else is made of it."""
    text = block.get("text", "")
    return block if len(text) <= MAX_RESULT else block | {"text": text[:MAX_RESULT]}


def _noted(block: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """A text that was cut, with a note of how long it was."""
    size = len(whole.get("text", ""))
    if size <= MAX_RESULT:
        return block
    shown = f"(first {MAX_RESULT:,} of {size:,} characters)"
    return block | {"text": f"{block['text']}\n{shown}"}


def failed(
    call: str, message: str, note: str, *, seconds: float = 0.0, details: str = ""
) -> ToolRan:
    """A call that has no value.

    Args:
        call: Its id.
        message: Why, for the model.
        note: Why, in two or three words, for the user.
        seconds: How long it ran.
        details: More of it for the user.
    """
    blocks = ({"type": "text", "text": redact_error(wellformed(message))},)
    return ToolRan(
        *(call, blocks),
        is_error=True,
        note=redact_error(wellformed(note)),
        details=redact_error(wellformed(details)),
        seconds=seconds,
    )


def raised(call: str, error: BaseException, seconds: float) -> ToolRan:
    """A call that raised: the model gets the error, the user the traceback too."""
    if isinstance(error, CallFailedError):
        return failed(call, str(error), error.note, seconds=seconds, details=error.details)
    cause = error.__cause__
    invalid = type(cause).__name__ == "ValidationError" and type(error) is ValueError
    if cause is not None and invalid and _theirs(cause.__traceback__) is not None:
        error, invalid = cause, False  # of the function's own: the SDK takes it for its arguments'
    kind = type(error).__name__
    try:
        message = invalid_arguments(cause) if invalid else describe_error(error)
        lines = traceback.format_exception(type(error), error, _theirs(error.__traceback__))
    except Exception:  # noqa: BLE001 - the error's own code fails too
        message, lines = f"{kind}: <its text cannot be read>", []
    report = with_cells(shell(), "".join(lines))
    if len(report) > MAX_DETAILS:
        report = f"{report[: MAX_DETAILS // 2]}\n…\n{report[-MAX_DETAILS // 2 :]}"
    return failed(call, message, f"failed: {kind}", seconds=seconds, details=report)


def invalid_arguments(cause: Any) -> str:
    """What pydantic found wrong with the arguments: the SDK's own message does not tell."""
    found: list[dict[str, Any]] = cause.errors()
    lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
    return "Invalid arguments: " + "; ".join(lines)


def _theirs(begin: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that is the user's: from their function on."""
    step = begin
    while step is not None:
        package = str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _OURS:
            return step
        step = step.tb_next
    return None
