"""The saved output of a reply: three forms for people, and a record for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from claude_nb.cost.models import as_of
from claude_nb.errors import redact
from claude_nb.render import caching, html, labels, text
from claude_nb.render.citations import Sources
from claude_nb.streaming.progress import Outcome

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from claude_nb.request.request import Request
    from claude_nb.streaming.block import Block
    from claude_nb.streaming.progress import Progress

RECORD_VERSION = 1

MAX_CONTENT = 1_000_000
"""Bytes of base64 in one turn that are saved with it; an image or document beyond is left out."""


def mimebundle(
    progress: Progress,
    opened: Container[Block] = frozenset(),
    done: Mapping[Block, html.Rendered] = html.NOTHING,
) -> dict[str, str]:
    """The reply as HTML, Markdown and plain text, for a notebook's output.

    Args:
        progress: The reply.
        opened: As for ``html.reply``.
        done: As for ``html.reply``.
    """
    return {
        "text/html": html.reply(progress, opened=opened, done=done),
        "text/markdown": text.markdown(progress),
        "text/plain": text.plain(progress),
    }


def metadata(progress: Progress, request: Request | None = None) -> dict[str, Any]:
    """The output's metadata: ``{"claude_nb": record}``. Never a key; None means unknown.

    The record's times are seconds, its cost is USD by the price list of ``price_list_date``.

    Args:
        progress: The reply.
        request: What was asked; a turn of a conversation is saved with what restoring it needs.
    """
    timing = asdict(progress.timing)
    record = {
        "version": RECORD_VERSION,
        "model": redact(progress.model),
        "simulated": progress.simulated,
        "outcome": str(progress.outcome),
        "stop_reason": progress.stop_reason and redact(progress.stop_reason),
        "request_ids": list(map(redact, progress.request_ids)),
        "usage": asdict(progress.usage),
        "cost_usd": progress.cost,
        "price_list_date": as_of(),
        "timing": {
            name: None if value is None else round(value, 3) for name, value in timing.items()
        },
    }
    if progress.replayed:  # nothing was sent and nothing spent: it comes from a recording
        record["replayed"] = True
    if cache := caching.lines(progress):
        miss = progress.cache_miss
        record["cache"] = {
            "saved_usd": progress.savings.saved,
            "miss": miss.reason if miss else None,
            "said": list(map(redact, cache)),
        }
    if sources := Sources.of(progress).record():
        record["sources"] = sources
    if request is not None and request.turn is not None and progress.outcome is not Outcome.REFUSED:
        # Words and attachments alone: thinking and calls of tools would not be valid elsewhere.
        record["turn"] = {
            **asdict(request.turn),
            "prompt": redact(request.prompt),
            "content": list(_saved(request.content)),
            "text": redact(progress.text),
        }
    return {"claude_nb": record}


def _saved(content: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    left = MAX_CONTENT
    for block in content:
        data = block.get("source", {}).get("data", "")
        if block["type"] == "text":
            yield {"type": "text", "text": redact(block["text"])}
        elif len(data) <= left:
            left -= len(data)
            yield block
        else:
            size = labels.megabytes(len(data))
            yield {"type": "text", "text": f"[{block['type']} of {size}: not saved]"}
