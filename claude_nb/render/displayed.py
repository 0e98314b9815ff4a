"""Any object as it is shown to the reader: parts that can be saved, and their forms.

An object is asked for what it displays once, where it was made (``displayed``); the parts are JSON
and stand in events and in records. Their forms are made of the parts whenever they are shown, and
everything is checked there: the parts of a saved notebook may come from anybody.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape
from typing import Any

from claude_nb.characters import clean, wellformed, wellformed_json
from claude_nb.redaction import redact, redacted
from claude_nb.render import partial_json, previews
from claude_nb.render.labels import counted
from claude_nb.render.markdown.code_box import code_box
from claude_nb.render.markdown.inline import QUIET, fenced, markdown
from claude_nb.render.markdown.markdown import to_blocks
from claude_nb.render.safe_html import safe_html
from claude_nb.request.attachments.attachment import attach, describe_error, is_picture
from claude_nb.request.attachments.html_text import html_text
from claude_nb.request.attachments.limits import pixels
from claude_nb.streaming.block import as_dict, as_string

Part = dict[str, Any]
"""A part of what is shown: ``text``, ``markdown``, ``json`` and ``diff`` have ``text``; ``html``
has ``html`` and ``text``; ``image`` has ``source``, as the API's block; ``widget`` has ``model_id``
and ``text``."""

MAX_TEXT = 20_000
"""Characters of a text that are shown."""

MAX_HTML = 200_000
"""Characters of HTML that are shown."""

MAX_PARTS = 20
MAX_SIZE = 1_000_000
"""The most parts of one object, and characters of all of them, pictures as base64."""

LONG_TEXT = 2_000
LONG_LINES = 30
"""Characters and lines of a text from which on it is folded."""

EDGE = 800
"""The longer edge in pixels of a picture that is shown as it is; a larger one opens by click."""

_EDGES = (1_600, 1_024, 640)
_TYPES = (*("image/png", "image/jpeg", "image/gif", "image/webp"), "image/svg+xml")
WIDGET = "application/vnd.jupyter.widget-view+json"
"""The MIME type of an output that shows a widget."""

_DIFFERENCE = "text/x-diff"
_KINDS = (WIDGET, "text/html", "text/markdown", *_TYPES, "text/latex", "application/json")
_LINE = f"margin:2px 0 6px;font-size:90%;{QUIET}"
_SUMMARY = 80
_SCRIPT = "it uses a script, which runs only when display() shows it in a cell."
_INCOMPLETE = f"Part of it is not shown: {_SCRIPT}"


def displayed(value: Any) -> tuple[Part, ...]:
    """What an object shows, as parts that can be saved; it never raises.

    It is a figure or an image as a picture; an object with a form for notebooks in that form
    (HTML without scripts, Markdown, pictures, a widget); a list or a tuple of such one by one; all
    else as its ``str`` or ``repr``.

    Args:
        value: Any object. Its own code runs, so this belongs on the thread that made it.
    """
    several = list(value) if isinstance(value, (list, tuple)) else [value]
    parts = [part for item in several[:MAX_PARTS] for part in _parts(item)]
    if isinstance(value, (list, tuple)) and all(part["type"] == "text" for part in parts):
        parts = _parts_of_text(_described(value))
    elif len(several) > MAX_PARTS:
        parts.append(_text(f"and {len(several) - MAX_PARTS:,} more, not shown"))
    return within(parts)


def within(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts up to ``MAX_SIZE``, with a note in place of the rest."""
    kept: list[Part] = []
    left = MAX_SIZE
    for part in parts:
        left -= len(json.dumps(part, default=str))
        if left < 0:
            kept.append(_text("The rest is too large to show.", "note"))
            break
        kept.append(wellformed_json(part))
    return tuple(kept)


def to_html(parts: Iterable[Mapping[str, Any]]) -> str:
    """Parts as HTML that is safe in a trusted notebook; unknown ones are left out."""
    return "".join(_html(part) for part in parts)


def to_markdown(parts: Iterable[Mapping[str, Any]]) -> str:
    """Parts as Markdown; pictures, which no front end gets from there, are named."""
    return "\n\n".join(filter(None, map(_markdown, parts)))


def to_plain(parts: Iterable[Mapping[str, Any]]) -> str:
    """Parts as plain text, clean and without credentials."""
    return "\n\n".join(filter(None, map(_plain, parts)))


def checked(value: Any) -> tuple[Part, ...]:
    """The parts of a saved record, as far as they are some."""
    found = value if isinstance(value, (list, tuple)) else ()
    return within(part for part in found if isinstance(part, dict))


def folded(summary: str, inside: str) -> str:
    """A part that opens by click. Both are HTML already."""
    return (
        f'<details style="margin:4px 0 8px"><summary style="cursor:pointer">{summary}</summary>'
        f"{inside}</details>"
    )


def text_to_html(text: str, *, shown: str = "", rest: int = 0) -> str:
    """A text in a box, folded behind its first line if it is long.

    Args:
        text: The text, of which ``MAX_TEXT`` characters are shown.
        shown: Its HTML if it is something else than the text itself.
        rest: How many characters of it are missing already.
    """
    safe = clean(redact(text[:MAX_TEXT]))
    shown = shown or f"<pre>{escape(safe)}</pre>"
    whole = len(text) + rest
    if whole > MAX_TEXT:
        shown += line(f"{whole - MAX_TEXT:,} more characters.")
    lines = text.count("\n") + 1
    if len(text) <= LONG_TEXT and lines <= LONG_LINES:
        return shown
    first = next((each.strip() for each in safe.splitlines() if each.strip()), "")
    first = first if len(first) <= _SUMMARY else f"{first[: _SUMMARY - 1]}…"
    size = f"{counted(lines, 'line')}, {counted(whole, 'character')}"
    return folded(f'{escape(first)}<span style="{QUIET}"> · {size}</span>', shown)


def picture(media_type: str, data: str, alt: str, edge: int = EDGE) -> str:
    """A picture as HTML; of a larger one a small picture, which opens the large one by click.

    Args:
        media_type: Its media type.
        data: Its bytes as base64.
        alt: Its description.
        edge: The longer edge in pixels up to which it is shown as it is.

    Returns:
        The HTML; empty if it is too large, or none that a browser may be given.
    """
    media_type, data = _reduced(media_type, data)
    full = previews.image(media_type, data, alt, "max-width:100%")
    size = _size(media_type, data) if full else None
    if size is None or max(size) <= edge:
        return full
    small = _thumbnail(media_type, data, edge) or (media_type, data)
    style = f"max-width:min(85%,{edge // 2}px);border-radius:4px"
    shown = previews.image(*small, alt, style, previews.MAX_THUMBNAIL) or escape(alt)
    about = f"{size[0]:,} × {size[1]:,} px"
    return folded(f'{shown} <span style="font-size:90%;{QUIET}">{about}</span>', full)


def line(text: str) -> str:
    """A quiet line."""
    return f'<p style="{_LINE}">{escape(clean(redact(text)))}</p>'


def _text(text: str, kind: str = "text") -> Part:
    return {"type": kind, "text": redact(wellformed(text[:MAX_TEXT]))}


def _parts_of_text(text: str) -> list[Part]:
    rest = len(text) - MAX_TEXT
    return [_text(text) | ({"rest": rest} if rest > 0 else {})]


def _described(value: Any) -> str:
    """An object without a form for notebooks."""
    return value if isinstance(value, str) else repr(value)


def _parts(value: Any) -> list[Part]:
    try:
        if isinstance(value, str):
            return _parts_of_text(value)
        if is_picture(value):
            return [_image(block) for block in attach(value, "The picture").blocks]
        return _of_bundle(_bundle(value), value)
    except Exception as error:  # noqa: BLE001 - the object's own code runs
        name = type(value).__name__
        return [_text(f"{name} cannot be displayed: {describe_error(error)}")]


def _bundle(value: Any) -> dict[str, Any]:
    """The forms of an object for notebooks, by MIME type; its plain text is not among them.

    ``_ipython_display_`` is not called: it would display the object in the cell.
    """
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    formatter: Any = (shell and shell.display_formatter) or DisplayFormatter()
    found: dict[str, Any] = dict((formatter.mimebundle_formatter(value) or ({},))[0])
    view = getattr(type(value), "get_view_spec", None)
    if view and getattr(value, "_view_name", None):  # ipywidgets 7 gives no bundle
        found[WIDGET] = view(value)
    for kind in _KINDS:
        if kind not in found and kind in formatter.formatters:
            made = formatter.formatters[kind](value)
            made = made[0] if isinstance(made, tuple) and made else made
            if made is not None:
                found[kind] = made
    return found


def _of_bundle(bundle: Mapping[str, Any], value: Any) -> list[Part]:
    plain = as_string(bundle.get("text/plain")) or _described(value)
    if model := as_dict(bundle.get(WIDGET)).get("model_id"):
        return [_text(plain, "widget") | {"model_id": str(model)}]
    if text := as_string(bundle.get(_DIFFERENCE)):
        return [part | {"type": "diff"} for part in _parts_of_text(text)]
    html = as_string(bundle.get("text/html"))
    kept = safe_html(html, MAX_HTML) if html else None
    if kept and kept.is_whole and kept.has_content:
        return [_html_part(html, kept.html)]
    if text := as_string(bundle.get("text/markdown")):
        return [_text(text, "markdown")]
    for kind in _TYPES:
        if data := bundle.get(kind):
            return [_image({"source": {"media_type": kind, "data": _base64(kind, data)}})]
    if kept and kept.has_content:
        return [_html_part(html, kept.html), _text(_INCOMPLETE, "note")]
    if text := as_string(bundle.get("text/latex")):
        return [_text(text, "markdown")]
    if "application/json" in bundle:
        return [_text(json.dumps(bundle["application/json"], ensure_ascii=False), "json")]
    return [_text(f"{type(value).__name__}: {_SCRIPT}", "note")] if html else _parts_of_text(plain)


def _html_part(html: str, kept: str) -> Part:
    """HTML, and beside it its text for the forms that have none."""
    return _text(html_text(html)) | {"type": "html", "html": redact(wellformed(kept))}


def _base64(kind: str, data: Any) -> str:
    if kind == "image/svg+xml" and isinstance(data, str):
        data = data.encode("utf-8", "replace")
    return base64.b64encode(data).decode("ascii") if isinstance(data, bytes) else str(data).strip()


def _image(block: Mapping[str, Any]) -> Part:
    """An image block, made smaller if it is too large to be saved."""
    if block.get("type", "image") != "image":
        return redacted(dict(block))  # type: ignore[no-any-return]
    source = block["source"]
    kind, data = _reduced(source["media_type"], "".join(str(source["data"]).split()))
    if len(data) > previews.MAX_IMAGE:
        return _text(f"A picture of {len(data) * 3 / 4e6:.1f} MB, which is too large.", "note")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _html(part: Mapping[str, Any]) -> str:
    kind, text = part.get("type"), as_string(part.get("text"))
    if kind == "html":
        safe = safe_html(as_string(part.get("html")), MAX_HTML)
        return f'<div style="overflow-x:auto">{safe.html}</div>'
    if kind == "markdown":
        return "".join(to_blocks(redact(text[:MAX_TEXT])))
    if kind == "json":
        return text_to_html(text, shown=partial_json.to_html(text[:MAX_TEXT]))
    if kind == "image":
        source = as_dict(part.get("source"))
        media, data = as_string(source.get("media_type")), as_string(source.get("data"))
        return f'<p style="margin:4px 0">{picture(media, data, "Picture")}</p>'
    if kind == "widget":
        return line(f"{_first_line(text)}: a widget, which is not saved; display() shows it.")
    if kind == "note":
        return line(text)
    if kind not in ("text", "diff"):
        return ""
    rest = part.get("rest")
    shown = code_box(clean(redact(text[:MAX_TEXT])), "diff") if kind == "diff" else ""
    return text_to_html(text, shown=shown, rest=rest if type(rest) is int else 0)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:_SUMMARY]


def _markdown(part: Mapping[str, Any]) -> str:
    kind, text = part.get("type"), as_string(part.get("text"))
    if kind in ("markdown", "html"):
        return clean(redact(text[:MAX_TEXT]), prose=True)
    if kind in ("text", "json", "diff"):
        return fenced(text[:MAX_TEXT], "" if kind == "text" else str(kind))
    plain = _plain(part)
    return markdown(plain) if plain else ""


def _plain(part: Mapping[str, Any]) -> str:
    kind, text = part.get("type"), as_string(part.get("text"))
    if kind == "image":
        source = as_dict(part.get("source"))
        size = _size(as_string(source.get("media_type")), as_string(source.get("data")))
        return f"[picture, {size[0]:,} × {size[1]:,} px]" if size else "[picture]"
    if kind == "widget":
        return f"[{clean(redact(_first_line(text)))}: a widget]"
    if kind == "note":
        return f"[{clean(redact(text))}]"
    return clean(redact(text[:MAX_TEXT]), prose=kind in ("markdown", "html"))


def _size(media_type: str, data: str) -> tuple[int, int] | None:
    """Width and height in pixels, where the header of the picture says so."""
    try:
        return pixels(base64.b64decode(data)) if media_type in _TYPES else None
    except (ValueError, binascii.Error):
        return None


@lru_cache(4)  # of data that may be large
def _reduced(media_type: str, data: str) -> tuple[str, str]:
    """A picture made so small that it can be shown and saved, if Pillow is installed."""
    found = media_type, data
    for edge in _EDGES:
        if len(found[1]) > previews.MAX_IMAGE:
            found = previews.smaller(media_type, data, edge)
    return found


@lru_cache(16)
def _thumbnail(media_type: str, data: str, edge: int) -> tuple[str, str] | None:
    """A picture made smaller; None if that needs Pillow, which is not installed, or fails."""
    small = previews.smaller(media_type, data, edge)
    return small if small[1] is not data and len(small[1]) < len(data) else None
