"""A notebook without what replies and chats have left in it: for ``claude-nb strip``.

All else stays as it is: the order of its fields, its indentation and its ends of lines too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_nb.conversation.saved_notebook import as_notebook, joined
from claude_nb.errors import InputError
from claude_nb.render.displayed import WIDGET
from claude_nb.render.labels import counted
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.record import recorded

_OURS = "application/vnd.claude-nb"
"""How the MIME types begin of what outputs hold for this package: records, and marks of outputs
that are still replaced."""

_METADATA = ("claude_nb", "claude_nb_output")
"""Where the metadata of outputs had the same in earlier versions; the first one in a cell is the
record of a turn that was exported as text."""

_WIDGETS = "application/vnd.jupyter.widget-state+json"
_CHAT = re.compile(r'<div class="claude-nb [^"]*\bclaude-nb-chat-')
_ANSWER = re.compile(r'<div class="claude-nb[ "]')
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Removed:
    """What was removed from a notebook, and what stays.

    Attributes:
        records: How many outputs and cells held a record.
        chats: How many outputs showed a chat.
        answers: How many outputs showed answers otherwise.
        widgets: How many widgets were ours.
        other: Whether there was something else: a mark of an export, or of an output.
        left: How many outputs that show answers stay.
    """

    records: int = 0
    chats: int = 0
    answers: int = 0
    widgets: int = 0
    other: bool = False
    left: int = 0

    def __bool__(self) -> bool:
        return bool(self.records or self.chats or self.answers or self.widgets or self.other)

    def __str__(self) -> str:
        kinds = (
            (self.records, "record"),
            (self.chats, "chat"),
            (self.answers, "visible answer"),
            (self.widgets, "widget"),
        )
        found = [counted(number, kind) for number, kind in kinds if number]
        if not self:
            return "nothing to remove"
        return f"removed {', '.join(found) or 'marks of outputs'}"


def strip(data: bytes, path: Path, *, answers: bool = False) -> tuple[bytes, Removed]:
    """Remove the records of replies, and the chats.

    Args:
        data: The content of a notebook's file.
        path: The file, for errors.
        answers: Whether the outputs that show answers are removed too. Answers that were exported
            as text are cells like any other.

    Returns:
        The content without them, and what was removed. If it is nothing, not a byte has changed.

    Raises:
        InputError: It is not a notebook.
    """
    notebook = as_notebook(data, path)
    try:
        data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a notebook: it is not in UTF-8.") from None
    removed = Removed()
    widgets = _remove_widgets(notebook, removed)
    for cell in notebook["cells"]:
        metadata = as_dict(as_dict(cell).get("metadata"))
        # Without a version it says which cell's error is asked about.
        if "version" in as_dict(metadata.get(_METADATA[0])):
            del metadata[_METADATA[0]]
            removed.records += 1
        outputs = as_dict(cell).get("outputs")
        if isinstance(outputs, list):
            cell["outputs"] = [
                one for one in outputs if _is_kept(one, widgets, removed, answers=answers)
            ]
    if "export" in as_dict(as_dict(notebook.get("metadata")).get(_METADATA[0])):
        del notebook["metadata"][_METADATA[0]]
        removed.other = True
    return (_written(notebook, data) if removed else data), removed


def _is_kept(output: Any, widgets: set[str], removed: Removed, *, answers: bool) -> bool:
    """Take what is ours out of an output; whether the output itself stays."""
    record, bundle = recorded(output), as_dict(as_dict(output).get("data"))
    metadata = as_dict(as_dict(output).get("metadata"))
    html = joined(bundle.get("text/html"))
    removed.records += record is not None
    if "chat" in as_dict(record) or _CHAT.search(html):
        removed.chats += 1
        return False
    if record is not None or _ANSWER.search(html):
        if answers:
            removed.answers += 1
            return False
        removed.left += 1
    for kind in [kind for kind in bundle if kind.startswith(_OURS)]:
        del bundle[kind]
        removed.other = True
    for name in [name for name in _METADATA if name in metadata]:
        del metadata[name]
        removed.other = True
    if as_string(as_dict(bundle.get(WIDGET)).get("model_id")) in widgets:
        del bundle[WIDGET]  # the text beside it stays
    return True


def _remove_widgets(notebook: dict[str, Any], removed: Removed) -> set[str]:
    """Remove the state of our widgets, also from boxes; their ids."""
    saved = as_dict(as_dict(as_dict(notebook.get("metadata")).get("widgets")).get(_WIDGETS))
    states = as_dict(saved.get("state"))
    found = {
        key
        for key, model in states.items()
        if as_string(_state(model).get("_anywidget_id")).startswith("claude_nb.")
    }
    for key in found:
        del states[key]
    for model in states.values():
        children = _state(model).get("children")
        if isinstance(children, list):
            gone = {f"IPY_MODEL_{key}" for key in found}
            model["state"]["children"] = [
                one for one in children if not (isinstance(one, str) and one in gone)
            ]
    removed.widgets = len(found)
    return found


def _state(model: Any) -> dict[str, Any]:
    return as_dict(as_dict(model).get("state"))


def _written(notebook: dict[str, Any], data: bytes) -> bytes:
    """A notebook as JSON, in the form in which it was."""
    bom = _BOM if data.startswith(_BOM) else b""
    data = data[len(bom) :]
    begins = re.match(rb"\s*\{(?:\r?\n([ \t]*))?", data)
    indent = begins[1].decode() if begins and begins[1] is not None else None
    is_compact = indent is None and b'": ' not in data
    separators = ("," if is_compact or indent is not None else ", ", ":" if is_compact else ": ")
    text = json.dumps(notebook, ensure_ascii=data.isascii(), indent=indent, separators=separators)
    # Half a character, which UTF-8 has no bytes for, stays the escape that it was.
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    if b"\r\n" in data:
        text = text.replace("\n", "\r\n")
    return bom + text.encode() + data[len(data.rstrip()) :]
