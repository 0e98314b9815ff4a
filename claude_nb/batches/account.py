"""The account that batches are handed in to: its connection, and what it has."""

from __future__ import annotations

from typing import Any

from claude_nb.asking import asking
from claude_nb.client import batch_service
from claude_nb.client.engine import call
from claude_nb.render import labels
from claude_nb.render.table import Table


def recent(limit: int = 20, *, client: Any = None) -> Table:
    """The newest batches of this key, whoever handed them in.

    Args:
        limit: How many at most.
        client: Your own ``anthropic.AsyncAnthropic``.

    Raises:
        ClaudeError: The service did not say.
    """
    found = call(batch_service.newest(asking.session.connection(client), limit))
    rows: list[tuple[str, ...]] = [
        (
            status.id,
            f"{status.created.astimezone():%Y-%m-%d %H:%M}" if status.created else labels.UNKNOWN,
            status.state.replace("_", " ") + (", results are gone" if status.archived else ""),
            labels.count(status.requests),
            labels.count(status.counts["succeeded"]) if status.ended else "–",
        )
        for status in found
    ]
    note = "claude_nb.Batch.resume(id) goes on with one." if rows else "There are no batches."
    heads = ("batch", "handed in", "state", "requests", "succeeded")
    return Table(heads, rows, note, words=(0, 1, 2))
