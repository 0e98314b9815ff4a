"""What a call of a server's tool returns, as content blocks of the API."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anthropic  # noqa: F401 - all of it first: another thread may be importing it (preload)
from anthropic.lib.tools.mcp import UnsupportedMCPValueError, mcp_content

from claude_nb.errors import InputError
from claude_nb.request.attachments.limits import check_block, media_type
from claude_nb.tools.results import MAX_RESULT, CallFailedError

_MOST_BLOCKS = 100
_MOST_BASE64 = 20_000_000
"""Content blocks of a result at most, and characters of their images and documents in base64."""


def content(result: Any) -> list[dict[str, Any]]:
    """The blocks of a result; what the API does not take is named in its place.

    Args:
        result: A ``CallToolResult`` of the ``mcp`` package.

    Raises:
        CallFailedError: The tool failed; the message is what it says.
    """
    blocks = list(_within_limits(map(_block, result.content[: _MOST_BLOCKS + 1])))
    has_text = any(block["type"] == "text" for block in blocks)
    if result.structured_content is not None and not has_text:  # which would say the same
        blocks.append(_text(json.dumps(result.structured_content, ensure_ascii=False)))
    if result.is_error:
        said = "\n".join(block.get("text", "") for block in blocks)
        said = said[:MAX_RESULT] or "The tool failed without a message."
        raise CallFailedError(said, "failed")
    return blocks or [_text("")]


def _within_limits(blocks: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    texts, base64 = MAX_RESULT, _MOST_BASE64
    for number, block in enumerate(blocks):
        data = len(block.get("source", {}).get("data", ""))
        if number == _MOST_BLOCKS or texts <= 0 or data > base64:
            yield _text("(The rest of the result was left out.)")
            return
        texts, base64 = texts - len(block.get("text", "")), base64 - data
        yield block


def _block(item: Any) -> dict[str, Any]:
    """An item of a result as a block; as a text that names it, if the API takes no such."""
    if item.type == "resource_link":
        about = (item.title or item.name, item.uri, item.mime_type, item.description)
        return _text("Resource: " + " · ".join(str(each) for each in about if each))
    resource = getattr(item, "resource", None)
    if resource is not None and isinstance(getattr(resource, "text", None), str):
        return _text(f"{resource.uri}\n{resource.text}")
    if item.type == "image":
        item = item.model_copy(update={"mime_type": _image_type(item)})
    try:
        block: dict[str, Any] = dict(mcp_content(item))
        check_block(block, f"The {block['type']}")
    except (UnsupportedMCPValueError, InputError, ValueError) as error:
        return _text(f"(Left out: {_what(item)}. {error})")
    return block


def _image_type(item: Any) -> str:
    """What the first bytes of an image say; servers call a JPEG ``image/jpg``, or a PNG."""
    with suppress(ValueError):
        return media_type(base64.b64decode(item.data[:24])) or str(item.mime_type)
    return str(item.mime_type)


def _what(item: Any) -> str:
    of = getattr(item, "resource", item)
    data = getattr(of, "data", None) or getattr(of, "blob", None) or ""
    kind = f" of type {of.mime_type}" if getattr(of, "mime_type", None) else ""
    return f"{item.type}{kind}, {len(data) * 3 // 4:,} bytes"


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
