"""What ``--dry-run`` shows of a request: its parts as a tree, each with its tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from claude_nb.redaction import redact
from claude_nb.render import labels
from claude_nb.render.table import Table
from claude_nb.request import system
from claude_nb.request.attachments import limits
from claude_nb.request.cells import count_cells, each, label, without
from claude_nb.request.request import Request
from claude_nb.tools.tools import tool_name

_PER_TOKEN = 4
"""Characters of a token, about."""

_PIXELS = 750
"""Pixels of a token, about: platform documentation, "Vision"."""

_WORDS = 60

Row = tuple[str, float]


def tree(request: Request, tokens: int) -> list[Table]:
    """The parts of a request as a table, whose first column is a tree; none for a prompt alone.

    Args:
        request: What would be sent.
        tokens: Its input, counted: it is divided among the parts by their length.
    """
    parts = [*_before(request), *_asked(request)]
    if len(parts) == 1:
        return []
    factor = tokens / max(1.0, sum(own or sum(size for _, size in rows) for _, own, rows in parts))
    shown: list[tuple[str, ...]] = []
    for name, own, rows in parts:
        size = own or sum(size for _, size in rows)
        shown.append((name, labels.count(round(size * factor))))
        for number, (child, child_size) in enumerate(rows, 1):
            branch = "└─" if number == len(rows) else "├─"
            shown.append((f"{branch} {child}", labels.count(round(child_size * factor))))
    return [Table(("what would be sent", "tokens, about"), shown)]


Part = tuple[str, float, list[Row]]
"""A name, a size, and the parts of which it consists; then the size is theirs."""


def _before(request: Request) -> Iterator[Part]:
    if request.tools:
        names = ", ".join(map(_tool, request.tools))
        yield f"tools: {names}", len(json.dumps(request.tools)) / _PER_TOKEN, []
    if texts := system.texts(request.system):
        yield "system prompt", sum(map(len, texts)) / _PER_TOKEN, []
    turns = [(turn["role"], system.as_blocks(turn["content"])) for turn in request.before]
    rows = [
        (f"{role}: {_first(without(blocks))}{_with_cells(blocks)}", _size(blocks))
        for role, blocks in turns
    ]
    if rows:
        yield "earlier turns", 0, rows


def _tool(definition: dict[str, Any]) -> str:
    """What a tool is called, and the address of the MCP server that the API calls for it."""
    server = definition.get("server")
    return tool_name(definition) + (f" ({redact(server['url'])})" if server else "")


def _asked(request: Request) -> Iterator[Part]:
    cells = [(_cell(blocks), _size(blocks)) for blocks in each(request.content)]
    if cells:
        yield "cells of the notebook", 0, cells
    blocks = without(request.content) or ({"type": "text", "text": request.prompt},)
    rest = [(_first([block]), _size([block])) for block in blocks] if len(blocks) > 1 else []
    yield (
        f"prompt: {labels.first_words(request.prompt, _WORDS)}",
        0 if rest else _size(blocks),
        rest,
    )
    if request.instruct:
        yield "instruction", len(request.instruct) / _PER_TOKEN, []


def _cell(blocks: list[dict[str, Any]]) -> str:
    images = len(blocks) - 1
    more = f" · {images} image{'s' * (images > 1)}" if images else ""
    return f"{labels.first_words(label(blocks[0]['text']), _WORDS)}{more}"


def _with_cells(blocks: list[dict[str, Any]]) -> str:
    cells = len(each(blocks)) if count_cells(blocks) else 0
    return f" · {cells} cell{'s' * (cells > 1)}" if cells else ""


def _first(blocks: Iterable[dict[str, Any]]) -> str:
    found = next(iter(blocks), {"type": "nothing"})
    if found["type"] == "text":
        return labels.first_words(found["text"], _WORDS)
    return str(found.get("title") or found["type"])


def _size(blocks: Iterable[dict[str, Any]]) -> float:
    """About how many tokens blocks take."""
    return sum(map(_tokens, blocks))


def _tokens(block: dict[str, Any]) -> float:
    source = block.get("source", {})
    if block["type"] == "text":
        return len(block["text"]) / _PER_TOKEN
    if block["type"] == "image" and source.get("type") == "base64":
        found = limits.pixels(base64.b64decode(source["data"]))
        width, height = found or (1_000, 1_000)
        return min(width * height / _PIXELS, 1_600.0)
    return len(json.dumps(block, default=str)) / _PER_TOKEN
