"""The result of a call: content blocks for the model, a note and details for the user."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from claude_nb.characters import wellformed, wellformed_json
from claude_nb.errors import redact
from claude_nb.request.attachments.attachment import attach, describe_error
from claude_nb.request.attachments.limits import check_block
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

_FILE = re.compile(r'^( *)File "([^"\n]+)"', re.MULTILINE)

Content = tuple[dict[str, Any], ...]


def content(value: Any) -> tuple[Content, str]:
    """A function's value as content blocks, and as a short note.

    Args:
        value: What it returned: anything that can be put into a prompt; or content blocks, as
            functions for the SDK return them.

    Raises:
        InputError: It cannot be sent.
    """
    if isinstance(value, list) and value and all(map(_is_block, value)):
        blocks = tuple(_attached_block(block) for block in value)
        kinds = [block["type"] for block in blocks]
        note = _in_short(None, blocks) if set(kinds) == {"text"} else ", ".join(kinds)
    else:
        attached = attach(value, "result")
        blocks, note = attached.blocks, attached.note.removeprefix("result: ")
        note = note or _in_short(value, blocks)
    # A result may be empty, but a text in it may not be blank.
    return tuple(_cut(block) for block in blocks if block.get("text", "…").strip()), note


def _attached_block(block: dict[str, Any]) -> dict[str, Any]:
    block = wellformed_json(block)
    check_block(block, "The result")
    return block | {"text": redact(block["text"])} if block["type"] == "text" else block


def _in_short(value: Any, blocks: Iterable[dict[str, Any]]) -> str:
    """A short value itself; of a long one, its size."""
    text = "".join(block.get("text", "") for block in blocks)
    if len(text) <= _SHORT and "\n" not in text:
        return text or "an empty text"
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
    text = block.get("text", "")
    if len(text) <= MAX_RESULT:
        return block
    shown = f"(first {MAX_RESULT:,} of {len(text):,} characters)"
    return block | {"text": f"{text[:MAX_RESULT]}\n{shown}"}


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
    blocks = ({"type": "text", "text": wellformed(message)},)
    return ToolRan(
        *(call, blocks),
        is_error=True,
        note=wellformed(note),
        details=wellformed(details),
        seconds=seconds,
    )


def raised(call: str, error: BaseException, seconds: float) -> ToolRan:
    """A call that raised: the model gets the error, the user the traceback too."""
    cause = error.__cause__
    invalid = type(cause).__name__ == "ValidationError" and type(error) is ValueError
    if cause is not None and invalid and _theirs(cause.__traceback__) is not None:
        error, invalid = cause, False  # of the function's own: the SDK takes it for its arguments'
    kind = type(error).__name__
    try:
        message = _invalid(cause) if invalid else describe_error(error)
        lines = traceback.format_exception(type(error), error, _theirs(error.__traceback__))
    except Exception:  # noqa: BLE001 - the error's own code fails too
        message, lines = f"{kind}: <its text cannot be read>", []
    report = _FILE.sub(_cell, "".join(lines))
    if len(report) > MAX_DETAILS:
        report = f"{report[: MAX_DETAILS // 2]}\n…\n{report[-MAX_DETAILS // 2 :]}"
    return failed(call, message, f"failed: {kind}", seconds=seconds, details=report)


def _cell(found: re.Match[str]) -> str:
    """A line of a traceback with the number of the cell, instead of the file that it was put in."""
    here = shell()
    label = here.compile.format_code_name(found[2]) if here else None  # ("Cell", "In[3]")
    return f"{found[1]}{' '.join(label)}" if label else found[0]


def _invalid(cause: Any) -> str:
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
