"""What stays in the notebook: three forms of a reply, and a record that machines can read."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from claude_nb.errors import redact
from claude_nb.models import as_of
from claude_nb.render import html, text

if TYPE_CHECKING:
    from collections.abc import Container

    from claude_nb.blocks import Block
    from claude_nb.progress import Progress

RECORD_VERSION = 1


def mimebundle(progress: Progress, opened: Container[Block] = frozenset()) -> dict[str, str]:
    """The reply as HTML, Markdown and plain text, for a notebook's output.

    Args:
        progress: The reply.
        opened: The blocks whose panes the reader has opened.
    """
    return {
        "text/html": html.reply(progress, opened=opened),
        "text/markdown": text.markdown(progress),
        "text/plain": text.plain(progress),
    }


def metadata(progress: Progress) -> dict[str, Any]:
    """The output's metadata: ``{"claude_nb": record}``. Never a key; None means unknown.

    The record's times are seconds, its cost is USD by the price list of ``price_list_date``.
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
    return {"claude_nb": record}
