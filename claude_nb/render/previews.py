"""What goes along with a question, as small pictures and beginnings of texts and tables."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from html import escape
from typing import Any

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render.markdown.markdown import to_html
from claude_nb.streaming.block import as_dict, as_string

EDGE = 320
"""The longer edge of a thumbnail in pixels: it is shown at half of that, also on dense screens."""

MAX_IMAGE = 400_000
"""The largest picture that is shown as it is, in characters of base64: it is saved as well."""

MAX_THUMBNAIL = 60_000
"""The same for a picture that cannot be made smaller, because Pillow is not installed."""

_MAX_PIXELS = 50_000_000
_MAX_PICTURES = 20
"""The most pixels of a picture that is made smaller, and the most pictures of one question."""

_LINES = 6
_CHARACTERS = 400
_CELLS = 6
"""The most lines, characters and columns of a preview."""

_TYPE = re.compile(r"image/(?:png|jpeg|gif|webp)")
_SHOWN_TYPE = re.compile(rf"{_TYPE.pattern}|image/svg\+xml")  # in <img> it runs and fetches nothing
_BASE64 = re.compile(r"[A-Za-z0-9+/=]+")
_TABLE = re.compile(r"\| [^\n]*\n\| ?---")
_CELL = re.compile(r"(?<!\\)\|")


def image(media_type: str, data: str, alt: str, style: str, most: int = MAX_IMAGE) -> str:
    """A picture as HTML; empty if it is too large, or none that a browser may be given.

    Args:
        media_type: Its media type.
        data: Its bytes as base64.
        alt: Its description.
        style: CSS declarations.
        most: The most characters of base64.
    """
    if len(data) > most or not _SHOWN_TYPE.fullmatch(media_type) or not _BASE64.fullmatch(data):
        return ""
    return f'<img alt="{escape(alt)}" src="data:{media_type};base64,{data}" style="{style}">'


def thumbnails(content: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The pictures among content blocks as small ones, each as HTML.

    Blocks of a saved notebook may come from anybody; what is no picture is left out.
    """
    found = (as_dict(block.get("source")) for block in content if block.get("type") == "image")
    shown = []
    for number, source in enumerate(found, 1):
        media_type, data = as_string(source.get("media_type")), as_string(source.get("data"))
        if number > _MAX_PICTURES or not _TYPE.fullmatch(media_type):
            continue
        media_type, data = smaller(media_type, data)
        style = "max-width:160px;max-height:120px;border-radius:6px;vertical-align:top"
        shown.append(image(media_type, data, f"Image {number}", style, MAX_THUMBNAIL))
    return tuple(filter(None, shown))


def preview(content: Iterable[Mapping[str, Any]]) -> str:
    """What content blocks begin with, as HTML: a thumbnail, the first rows or the first lines."""
    content = list(content)
    if pictures := thumbnails(content[:1]):
        return pictures[0]
    text = next((str(block["text"]) for block in content if block.get("type") == "text"), "")
    text = clean(redact(text[: 20 * _CHARACTERS]), prose=True).strip("\n")
    if not text.strip():
        return ""
    if _TABLE.match(text):
        lines = text.split("\n\n")[0].splitlines()[: _LINES + 1]
        return to_html("\n".join(map(_first_cells, lines)))
    lines = [line[:_CHARACTERS] for line in text.splitlines()[:_LINES]]
    return f"<pre>{escape(chr(10).join(lines)[:_CHARACTERS])}</pre>"


def _first_cells(line: str) -> str:
    cells = _CELL.split(line)[1:-1]
    more = ["…" if "---" not in line else "---"] if len(cells) > _CELLS else []
    return f"|{'|'.join([*cells[:_CELLS], *more])}|"


def smaller(media_type: str, data: str, edge: int = EDGE) -> tuple[str, str]:
    """A picture made smaller, where it is larger than a thumbnail and Pillow is installed.

    Args:
        media_type: Its media type.
        data: Its bytes as base64.
        edge: The longer edge that it gets, in pixels.
    """
    if len(data) < MAX_THUMBNAIL // 10:
        return media_type, data
    with suppress(Exception):  # no Pillow, or no picture that it knows: it stays as it is
        from PIL import Image

        with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                return media_type, data
            opened.draft(None, (edge, edge))  # a JPEG is read at a fraction of its size
            made = opened.convert("RGBA" if "A" in opened.mode or opened.mode == "P" else "RGB")
            made.thumbnail((edge, edge))
            file = io.BytesIO()
            made.save(file, "WEBP", quality=80)
        return "image/webp", base64.b64encode(file.getvalue()).decode("ascii")
    return media_type, data
