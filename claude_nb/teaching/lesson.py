"""What cells of the lesson call: the simulator's address, and when a text is first seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal
from urllib.request import getproxies, proxy_bypass

from claude_nb.errors import InputError

if TYPE_CHECKING:
    from claude_nb.reply import Reply

_LOCAL = "127.0.0.1"
_BATCHES = ("piece", "line", "end")


def simulator_address() -> str:
    """Return the address of the simulator, for clients other than ``%%claude``.

    With it a client reaches the simulator whatever keys, addresses and proxies the environment
    names, and also while recordings answer ``%%claude``.

    Example::

        client = anthropic.Anthropic(base_url=simulator_address(), api_key="not-a-key")

    Raises:
        ClaudeError: The simulator is off, or did not start.
    """
    from claude_nb.client.connection import Connection
    from claude_nb.session.session import session  # not in the process that checks

    connection = Connection(simulated=True, simulator=session.simulator())
    if getproxies() and not proxy_bypass(_LOCAL):
        others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        os.environ["no_proxy"] = f"{others},{_LOCAL}" if others else _LOCAL
    return str(connection.prepare().base_url)


def first_seen(reply: Reply, batch: int | Literal["piece", "line", "end"]) -> float:
    """When a reader would have seen the first text of a reply, had it been shown in batches.

    Args:
        reply: A reply that was streamed.
        batch: What is waited for before anything is shown: so many characters, any piece, a whole
            line, or the end.

    Returns:
        Seconds from the moment the request was sent.

    Raises:
        InputError: There is no such batch.
    """
    if batch not in _BATCHES and not (isinstance(batch, int) and batch > 0):
        raise InputError(
            f"There is no batch {batch!r}.",
            "A batch is 'piece', 'line', 'end' or so many characters: first_seen(reply, 1000)",
        )
    text = ""
    for event in reply.events:
        delta = event.data["delta"] if event.type == "content_block_delta" else {}
        text += delta.get("text", "")
        full = {"piece": bool(text), "line": "\n" in text, "end": False}
        if full[batch] if isinstance(batch, str) else len(text) >= batch:
            return event.time - reply.events[0].time
    return reply.timing.total or 0.0
