"""What the Messages API takes of images, documents and text, checked before anything is sent.

The figures are those of platform.claude.com/docs, pages "Vision", "PDF support" and "Errors", as
they were on 2026-08-22. What cannot be told from the blocks alone, such as the number of pages of a
PDF, is the server's to say.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable
from typing import Any

from claude_nb.cost.models import ModelFacts
from claude_nb.errors import InputError
from claude_nb.request import uploads

MAX_REQUEST_BYTES = 32_000_000
"""A larger request is refused (413)."""

MAX_PDF_BYTES = MAX_REQUEST_BYTES // 4 * 3
"""The largest PDF that a request can hold: base64 makes four bytes out of three."""

MAX_IMAGE_BASE64 = 10_000_000
"""The most characters of base64 that an image may have."""

MAX_PIXELS = 8_000
"""The longest edge of an image."""

MANY_IMAGES = 20
MAX_PIXELS_OF_MANY = 2_000
"""The longest edge of each image where a request has more than ``MANY_IMAGES``."""

MAX_IMAGES = 600
MAX_IMAGES_OF_SMALL = 100
SMALL_CONTEXT = 200_000
"""A model with a context window of at most ``SMALL_CONTEXT`` tokens takes fewer images."""

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def check(blocks: Iterable[dict[str, Any]], model: ModelFacts | None) -> None:
    """Check all content blocks of a request together.

    Args:
        blocks: The content blocks of all its messages, as the API's dicts.
        model: What is known about the model, or None: then the widest limits hold.

    Raises:
        InputError: The API would refuse them; the error says which limit and what to do.
    """
    blocks = list(blocks)
    images = [block for block in blocks if block["type"] == "image"]
    context = model.context_window if model else None
    most = MAX_IMAGES_OF_SMALL if context and context <= SMALL_CONTEXT else MAX_IMAGES
    if len(images) > most:
        raise InputError(
            f"The request has {len(images):,} images; {model.id if model else 'the API'} takes"
            f" at most {most}.",
            "Send fewer, or combine several into one image.",
        )
    edge = MAX_PIXELS_OF_MANY if len(images) > MANY_IMAGES else MAX_PIXELS
    size = number = 0
    for block in blocks:
        what = block.get("title") or f"The {block['type']}"
        if block["type"] == "image":
            number += 1
            what = f"Image {number} of {len(images)}"
        size += check_block(block, what, edge)
    if size > MAX_REQUEST_BYTES:
        raise InputError(
            f"The request is {_megabytes(size)}; the API takes at most"
            f" {_megabytes(MAX_REQUEST_BYTES)}, images and documents in base64 included.",
            "Send less of it: fewer pages, smaller images, or the lines that matter.",
        )


def check_block(block: dict[str, Any], what: str, max_pixels: int = MAX_PIXELS) -> int:
    """Check one content block by itself.

    Args:
        block: The content block, as the API's dict.
        what: What to call it in an error, to begin a sentence with.
        max_pixels: The longest edge that an image may have.

    Returns:
        Its size in a request, in bytes.

    Raises:
        InputError: The API would refuse it.
    """
    source = block.get("source", {})
    uploaded = uploads.is_upload(block)
    sent = block | {"source": None} if uploaded else block
    size = len(json.dumps(sent, ensure_ascii=False).encode())
    if source.get("type") != "base64" and not uploaded:
        return size
    if block["type"] == "image":
        _check_image(source, what, max_pixels)
    elif uploaded:
        return size
    elif source["media_type"] != "application/pdf":
        raise InputError(
            f"{what} is {source['media_type']}; the API takes documents as PDF.",
            "Save it as PDF, or send its text.",
        )
    elif len(source["data"]) > MAX_REQUEST_BYTES:
        raise InputError(
            f"{what} is a PDF of {_megabytes(len(source['data']) // 4 * 3)}; the API takes at most"
            f" {_megabytes(MAX_PDF_BYTES)} in a request.",
            "Send a part of its pages, or its text.",
        )
    return size


_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
}


def media_type(data: bytes) -> str:
    """What the first bytes say; a file's name may say anything."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _BEGINNINGS.items() if data.startswith(start)), "")


def pixels(image: bytes) -> tuple[int, int] | None:
    """Width and height as the header of a picture says; None where it does not."""
    try:
        if image[8:16] == b"WEBPVP8X":
            width, height = (
                image[at] | image[at + 1] << 8 | image[at + 2] << 16 for at in (24, 27)
            )
            return width + 1, height + 1
        if image[8:16] == b"WEBPVP8L":
            (packed,) = struct.unpack_from("<I", image, 21)
            return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        if image[8:16] == b"WEBPVP8 ":
            width, height = struct.unpack_from("<HH", image, 26)
            return width & 0x3FFF, height & 0x3FFF
        if image.startswith(b"\x89PNG"):
            return struct.unpack_from(">II", image, 16)
        if image.startswith(b"GIF8"):
            return struct.unpack_from("<HH", image, 6)
        at = 2 if image.startswith(b"\xff\xd8") else len(image)
        while True:  # a JPEG is segments: a marker, a length, the rest (ITU T.81, annex B)
            marker, length, height, width = struct.unpack_from(">HHxHH", image, at)
            if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
                return width, height
            at += 2 + length
    except struct.error:
        return None


def _check_image(source: dict[str, Any], what: str, max_pixels: int) -> None:
    smaller = "PIL.Image.open(path) in a variable is scaled down as far as needed."
    if source["media_type"] not in IMAGE_TYPES:
        raise InputError(
            f"{what} is {source['media_type']}; the API takes JPEG, PNG, GIF and WebP.",
            "PIL.Image.open(path) in a variable is sent as PNG.",
        )
    if len(source["data"]) > MAX_IMAGE_BASE64:
        raise InputError(
            f"{what} is {_megabytes(len(source['data']))} in base64; the API takes at most"
            f" {_megabytes(MAX_IMAGE_BASE64)}.",
            smaller,
        )
    try:
        image = base64.b64decode(source["data"], validate=True)
    except ValueError:
        raise InputError(f"{what} is not valid base64.", smaller) from None
    found = media_type(image)
    if found != source["media_type"]:
        raise InputError(
            f"{what} is {found or 'not an image'}, but its media type is {source['media_type']}.",
            smaller,
        )
    size = pixels(image)
    if size and max(size) > max_pixels:
        many = f" where there are more than {MANY_IMAGES}" if max_pixels < MAX_PIXELS else ""
        raise InputError(
            f"{what} is {size[0]:,} × {size[1]:,} pixels; the API takes at most"
            f" {max_pixels:,} × {max_pixels:,}{many}.",
            f"Send {MANY_IMAGES} images or fewer, or scale it down: image.thumbnail((2000, 2000))."
            if many
            else smaller,
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB"
