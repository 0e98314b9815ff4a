"""The results of the notebook's own tools as HTML: tables, JSON, pictures, text."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render import displayed, partial_json, previews
from claude_nb.render.markdown.markdown import to_blocks
from claude_nb.streaming.events import ToolRan

_TABLE = re.compile(r"\| [^\n]*\n\| ?---")
_QUIET = "opacity:0.7;font-size:90%"


def to_pane(run: ToolRan) -> str:
    """The result of a call, for the pane of the call; first of all what its function displays."""
    parts = [_block_html(block, is_error=run.is_error) for block in run.content]
    if run.details:
        kind = "Traceback" if run.details.startswith("Traceback") else "Details"
        summary = f'<span style="{_QUIET}">{kind}, which only you see</span>'
        parts.append(displayed.folded(summary, _code(run.details)))
    inside = "".join(parts)
    if run.display:
        summary = f'<span style="{_QUIET}">result that the model gets</span>'
        return f"{displayed.to_html(run.display)}{displayed.folded(summary, inside)}"
    head = "error" if run.is_error else "result"
    return f'<p style="margin:6px 0 2px;{_QUIET}">{head}</p>{inside}'


def display_markdown(run: object) -> str:
    """What the function of a call displays as Markdown; empty if that is nothing."""
    return displayed.to_markdown(run.display) if isinstance(run, ToolRan) else ""


def display_plain(run: object) -> str:
    """What the function of a call displays as plain text; empty if that is nothing."""
    return displayed.to_plain(run.display) if isinstance(run, ToolRan) else ""


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
    return displayed.line(f"{kind}: {block.get('title') or 'sent to the model'}")


def _text_html(text: str, *, plain: bool) -> str:
    shown, beginning = "", text[: displayed.MAX_TEXT]
    if not plain and _TABLE.match(beginning):
        shown = "".join(to_blocks(redact(beginning)))
    elif not plain and _is_json(beginning):
        shown = partial_json.to_html(beginning)
    return displayed.text_to_html(text, shown=shown)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _code(text: str) -> str:
    return f"<pre>{escape(clean(redact(text)))}</pre>"


def _image(media_type: str, data: str) -> str:
    shown = displayed.picture(media_type, data, "The picture that was sent", previews.EDGE)
    return shown or displayed.line(f"A picture of {len(data) * 3 / 4 / 1e6:.1f} MB was sent.")
