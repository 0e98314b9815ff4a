"""What a function has answered with beside text, as HTML: a block of the type ``display``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from claude_nb.characters import MAX_BLOCK_CHARACTERS
from claude_nb.redaction import redact
from claude_nb.render import displayed
from claude_nb.render.markdown.markdown import to_blocks
from claude_nb.streaming.block import as_string

_MODEL = re.compile(r"[\w-]{1,64}")


def to_block(value: Any) -> dict[str, Any]:
    """An object as a content block, with a text that stands for it where only text can be."""
    parts = displayed.displayed(value)
    text = "\n\n".join(filter(None, map(_text, parts)))
    return {"type": "display", "text": f"\n\n{text}\n\n", "parts": list(parts)}


def _text(part: Mapping[str, Any]) -> str:
    is_named = part["type"] in ("image", "widget", "note")  # by its plain text, in brackets
    return (displayed.to_plain if is_named else displayed.to_markdown)([part])


def to_html(block: Mapping[str, Any]) -> str:
    """A block of the type ``display``; the page puts a widget in the place of its line."""
    parts = displayed.checked(block.get("parts"))
    shown = displayed.to_html(parts)
    for part in parts:
        model = as_string(part.get("model_id"))
        if part.get("type") == "widget" and _MODEL.fullmatch(model):
            return f'<div class="claude-nb-shown" data-widget="{escape(model)}">{shown}</div>'
    return shown


def of_content(content: Iterable[Mapping[str, Any]]) -> str:
    """The texts and displays of an answer in their order."""
    return "".join(
        to_html(block)
        if block["type"] == "display"
        else "".join(to_blocks(redact(block["text"][:MAX_BLOCK_CHARACTERS])))
        for block in content
    )
