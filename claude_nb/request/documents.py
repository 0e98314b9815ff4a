"""Documents whose text an answer can cite: what is sent along as such, and citations switched on.

The API cites documents, and refuses a request in which some can be cited and others cannot
(platform.claude.com/docs, page "Citations", read 2026-11-30).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Blocks = Sequence[dict[str, Any]]


def document(blocks: Blocks, title: str) -> tuple[dict[str, Any], ...]:
    """A value that is all text as one document; others, and blank ones, as they are.

    Args:
        blocks: The value's content blocks.
        title: What the document is called where it is cited.
    """
    text = "".join(block.get("text", "\0") for block in blocks)
    if "\0" in text or not text.strip():
        return tuple(blocks)
    source = {"type": "text", "media_type": "text/plain", "data": text}
    return ({"type": "document", "source": source, "title": title},)


def citable(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in which the text of every document can be cited; they are not changed."""
    return [
        message
        if isinstance(message["content"], str) or not are_in(message["content"])
        else message | {"content": list(map(_citable, message["content"]))}
        for message in messages
    ]


def are_in(blocks: Iterable[dict[str, Any]]) -> bool:
    """Whether there is a document among content blocks, or in a tool's result."""
    return any(
        block["type"] == "document" or (block["type"] == "tool_result" and are_in(_content(block)))
        for block in blocks
    )


def _citable(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "document":
        return block | {"citations": {"enabled": True}}
    if block["type"] == "tool_result" and are_in(_content(block)):
        return block | {"content": list(map(_citable, _content(block)))}
    return block


def _content(result: dict[str, Any]) -> Blocks:
    content = result.get("content")
    return content if isinstance(content, list) else []
