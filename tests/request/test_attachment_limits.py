"""What the API would refuse is refused before it is sent, with what to do."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from claude_nb.cost.models import facts
from claude_nb.errors import InputError
from claude_nb.request.attachments.limits import (
    MAX_IMAGE_BASE64,
    MAX_REQUEST_BYTES,
    check,
    check_block,
    pixels,
)

LARGE, SMALL = facts("claude-opus-5-5"), facts("claude-haiku-4-5")


def encoded(size=(1, 1), kind="PNG"):
    """An image file."""
    file = io.BytesIO()
    Image.new("L", size).save(file, kind)
    return file.getvalue()


def block(kind, media_type, data):
    """A content block with data in it."""
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return {"type": kind, "source": source}


def png(size=(1, 1)):
    """An image block."""
    return block("image", "image/png", encoded(size))


def text(characters, of="a"):
    """A text block."""
    return {"type": "text", "text": of * characters}


def document(size, media_type="application/pdf"):
    """A document block that is this large in base64."""
    return block("document", media_type, bytes(size // 4 * 3)) | {"title": "report.pdf"}


@pytest.mark.parametrize(
    ("make", "model"),
    [
        (list, LARGE),
        (lambda: [text(MAX_REQUEST_BYTES - 100)], LARGE),
        (lambda: [png()] * 600, LARGE),
        (lambda: [png()] * 600, None),
        (lambda: [png()] * 100, SMALL),
        (lambda: [png((8000, 1))] * 20, LARGE),
        (lambda: [png((2000, 2000))] * 21, LARGE),
        (lambda: [block("image", "image/webp", encoded((8000, 1), "WEBP"))], LARGE),
        (lambda: [document(MAX_REQUEST_BYTES - 1000)], LARGE),
        (
            lambda: [
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.bmp"}}
            ],
            LARGE,
        ),
    ],
)
def test_what_is_within_the_limits_passes(make, model):
    """Up to the last one, and what only the server can tell is left to it."""
    assert check(make(), model) is None


@pytest.mark.parametrize(
    ("make", "model", "what"),
    [
        (lambda: [png()] * 601, LARGE, "has 601 images; claude-opus-5-5 takes at most 600."),
        (lambda: [png()] * 601, None, "has 601 images; the API takes at most 600."),
        (lambda: [png()] * 101, SMALL, "has 101 images; claude-haiku-4-5 takes at most 100."),
        (lambda: [png(), png((8001, 1))], LARGE, "Image 2 of 2 is 8,001 × 1 pixels"),
        (
            lambda: [block("image", "image/webp", encoded((9000, 1), "WEBP"))],
            LARGE,
            "Image 1 of 1 is 9,000 × 1 pixels",
        ),
        (
            lambda: [*[png()] * 20, png((1, 2001))],
            LARGE,
            "2,000 × 2,000 where there are more than 20",
        ),
        (lambda: [block("image", "image/bmp", b"BM")], LARGE, "takes JPEG, PNG, GIF and WebP"),
        (
            lambda: [block("image", "image/png", encoded((1, 1), "JPEG"))],
            LARGE,
            "is image/jpeg, but",
        ),
        (
            lambda: [block("image", "image/png", b"aha")],
            LARGE,
            "is not an image, but its media type is image/png",
        ),
        (
            lambda: [block("image", "image/png", bytes(MAX_IMAGE_BASE64))],
            LARGE,
            "is 13.3 MB in base64",
        ),
        (
            lambda: [document(9, "text/rtf")],
            LARGE,
            "report.pdf is text/rtf; the API takes documents as",
        ),
        (lambda: [document(MAX_REQUEST_BYTES + 4)], LARGE, "report.pdf is a PDF of 24 MB"),
        (lambda: [document(MAX_REQUEST_BYTES // 2)] * 2, LARGE, "The request is 32 MB"),
        (lambda: [text(MAX_REQUEST_BYTES // 2, "ä")], LARGE, "The request is 32 MB"),
        (lambda: [text(MAX_REQUEST_BYTES // 2, "\n")], LARGE, "The request is 32 MB"),
    ],
)
def test_what_is_beyond_them_is_named_with_what_to_do(make, model, what):
    """The first one beyond; the text of an error never depends on the server."""
    with pytest.raises(InputError) as caught:
        check(make(), model)

    assert what in caught.value.what
    assert caught.value.advice


def test_a_block_has_its_size_in_a_request():
    """In bytes, as JSON in UTF-8."""
    assert check_block({"type": "text", "text": "ä\n"}, "x") == len(
        b'{"type": "text", "text": "  \\n"}'
    )


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG"])
def test_the_size_of_an_image_is_read_from_its_header(kind):
    """Also where a JPEG has other segments first."""
    assert pixels(encoded((300, 2), kind)) == (300, 2)


def test_a_jpeg_with_a_long_preamble_has_a_size_too():
    """A profile of 60 kB stands before the frame; progressive frames have another marker."""
    file = io.BytesIO()
    picture = Image.new("RGB", (30, 20))
    picture.save(file, "JPEG", icc_profile=bytes(60_000), progressive=True)

    assert pixels(file.getvalue()) == (30, 20)


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", encoded(kind="JPEG")[:30], b"text"]
)
def test_what_has_no_header_has_no_known_size(data):
    """Then it is the server's to say."""
    assert pixels(data) is None
