"""What a cell displays, as the page tells it, as text and images for a prompt."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from claude_nb.errors import InputError
from claude_nb.render.displayed import WIDGET
from claude_nb.request.attachments.attachment import attach
from claude_nb.request.attachments.html_text import html_text
from claude_nb.request.attachments.limits import (
    IMAGE_TYPES,
    MAX_PIXELS,
    MAX_PIXELS_OF_MANY,
    check_block,
)
from claude_nb.views.page_outputs import DisplayedCell, Output

# What `repr` writes of an object that has nothing better: <Figure size 640x480 with 1 Axes>
_REPR = re.compile(r"<[A-Za-z].*>\s*", re.DOTALL)


@dataclass(slots=True)
class Shown:
    """The outputs of a cell for a prompt.

    Attributes:
        text: Their text, in which images are named; keys are not redacted yet.
        dropped: How many characters are missing in the middle of it.
        images: The images as content blocks of the API, by name.
        missing: What is not there, for a note.
    """

    text: str = ""
    dropped: int = 0
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def shown(cell: DisplayedCell, most_images: int, *, among_many: bool = False) -> Shown:
    """The outputs of a cell as far as a prompt can have them.

    Args:
        cell: The cell.
        most_images: The most images.
        among_many: Whether there may be many images in the request, which have to be smaller then;
            they stand behind their cell, and so need not be called by its number.
    """
    found = Shown()
    texts: list[str] = []
    where = "" if among_many else f" of cell [{cell.execution}]"
    most_pixels = MAX_PIXELS_OF_MANY if among_many else MAX_PIXELS
    for output in cell.outputs:
        text, image, missing = _read(output, most_pixels)
        if image and len(found.images) == most_images:
            missing = "an image"
        elif image:
            name = f"Image {len(found.images) + 1}{where}"
            found.images[name], text = image, f"({name}: below)"
        texts += [text.removesuffix("\n")] if text.strip() else []
        found.missing += [missing] if missing else []
        found.dropped += output.dropped
    found.text = "\n".join(texts)
    return found


def _read(output: Output, most_pixels: int) -> tuple[str, dict[str, Any] | None, str]:
    """An output as text or as an image block, and what of it is missing."""
    if output.large:
        return "", None, "an output of more than 2 MB"
    for kind in IMAGE_TYPES:
        if kind in output.data:
            image = _image(output.data[kind], most_pixels)
            return "", image, "" if image else "an image that the API does not take"
    for kind in ("text/markdown", "text/latex"):
        if kind in output.data:
            return output.data[kind], None, ""
    html, plain = (output.data.get(f"text/{kind}", "") for kind in ("html", "plain"))
    is_repr = len(output.kinds) > 1 and (not plain.strip() or bool(_REPR.fullmatch(plain)))
    if html and (is_repr or "<table" in html):
        plain = html_text(html)
    elif is_repr:
        plain = ""
    if WIDGET in output.kinds:
        return plain, None, "a widget"
    if plain.strip() or not is_repr:
        return plain, None, ""
    richest = next(kind for kind in output.kinds if kind != "text/plain")
    return "", None, f"an output of type {richest}"


def _image(data: str, most_pixels: int) -> dict[str, Any] | None:
    try:
        (block,) = attach(base64.b64decode(data), "The image").blocks
        check_block(block, "The image", most_pixels)
    except (ValueError, InputError):
        return None
    return block if block["type"] == "image" else None
