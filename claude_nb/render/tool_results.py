"""The results of the notebook's own tools as HTML: tables, JSON, pictures, text."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render import partial_json, previews
from claude_nb.render.markdown.markdown import to_blocks
from claude_nb.streaming.events import ToolRan

SHOWN = 20_000
"""Characters of a result that are shown."""

_TABLE = re.compile(r"\| [^\n]*\n\| ?---")
_QUIET = "opacity:0.7;font-size:90%"


def to_pane(run: ToolRan) -> str:
    """The result of a call, for the pane of the call."""
    parts = [_block_html(block, is_error=run.is_error) for block in run.content]
    if run.details:
        shown = _code(run.details)
        parts.append(
            '<details style="margin:4px 0 8px"><summary style="cursor:pointer">'
            f'<span style="{_QUIET}">Traceback, which only you see</span></summary>'
            f"{shown}</details>"
        )
    head = "error" if run.is_error else "result"
    return f'<p style="margin:6px 0 2px;{_QUIET}">{head}</p>{"".join(parts)}'


def texts(run: object) -> list[str]:
    """The texts of a call's result; empty while there is no result."""
    if not isinstance(run, ToolRan):
        return []
    return [str(block.get("text") or "") for block in run.content if block.get("type") == "text"]


def _block_html(block: dict[str, Any], *, is_error: bool) -> str:
    kind = block.get("type")
    if kind == "text":
        return _text_html(str(block.get("text") or ""), plain=is_error)
    source = block.get("source")
    if kind == "image" and isinstance(source, dict):
        return _image(str(source.get("media_type")), str(source.get("data") or ""))
    return _line(f"{kind}: {block.get('title') or 'sent to the model'}")


def _text_html(text: str, *, plain: bool) -> str:
    rest = len(text) - SHOWN
    below = _line(f"{rest:,} more characters were sent.") if rest > 0 else ""
    text = text[:SHOWN]
    if not plain and _TABLE.match(text):
        return "".join(to_blocks(redact(text))) + below
    if not plain and _is_json(text):
        return partial_json.to_html(text) + below
    return _code(text) + below


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _code(text: str) -> str:
    return f"<pre>{escape(clean(redact(text)))}</pre>"


def _line(text: str) -> str:
    return f'<p style="margin:2px 0 6px;{_QUIET}">{escape(clean(redact(text)))}</p>'


def _image(media_type: str, data: str) -> str:
    shown = previews.image(media_type, data, "The picture that was sent", "max-width:100%")
    return shown or _line(f"A picture of {len(data) * 3 / 4 / 1e6:.1f} MB was sent.")
