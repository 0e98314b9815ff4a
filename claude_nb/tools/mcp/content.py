"""What a call of a server's tool returns, as content blocks of the API."""

from __future__ import annotations

import json
from typing import Any

from anthropic.lib.tools.mcp import UnsupportedMCPValueError, mcp_content

from claude_nb.errors import ClaudeError


def content(result: Any) -> list[dict[str, Any]]:
    """The blocks of a result.

    Raises:
        ClaudeError: The tool failed; the error has its text.
    """
    blocks = [_block(item) for item in result.content]
    if not blocks and result.structured_content is not None:
        blocks = [
            {"type": "text", "text": json.dumps(result.structured_content, ensure_ascii=False)}
        ]
    if result.is_error:
        text = "\n".join(block.get("text", "") for block in blocks)
        raise ClaudeError(text or "The tool failed.")
    return blocks or [{"type": "text", "text": ""}]


def _block(item: Any) -> dict[str, Any]:
    try:
        return dict(mcp_content(item))
    except UnsupportedMCPValueError as error:
        return {"type": "text", "text": f"[left out: {error}]"}
