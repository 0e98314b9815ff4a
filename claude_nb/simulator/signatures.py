"""Signatures of thinking blocks, which the API checks when the blocks come back.

They follow from the thought, and on models that bind thinking to its conversation
(:func:`claude_nb.simulator.catalogue.binds_thinking`) also from all that stood before it: tools,
system prompt and messages, without ``cache_control``, citations and other thinking. So thinking can
be left out, and nothing before it can be changed. The API is stricter in three ways:

- It refuses thinking to which tools were added where there were none.
- It refuses thinking with a gap before it, where other thinking was left out.
- It refuses signatures that it did not make. Here they come from streams that somebody else wrote
  (:class:`claude_nb.simulator.Stream`), and pass.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from claude_nb.simulator import catalogue, wire
from claude_nb.simulator.tokens import Part, parts

_MARK = b"claude_nb simulator, signs nothing. "
_SIZE = 16
_UNBOUND = bytes(_SIZE)
_OURS = base64.b64encode(_MARK).decode()
_THINKING = {"thinking", "redacted_thinking"}
_FLEETING = {"cache_control", "citations"}
"""Fields of a block that thinking is not bound to."""


def signature(thought: str, before: bytes = _UNBOUND) -> str:
    """Return a signature: opaque as the real ones, and recognisably simulated.

    Args:
        thought: The text of the thinking block.
        before: What it is bound to.
    """
    return _written(_digest(thought.encode()) + before)


def signed(answer: wire.Answer, request: dict[str, Any]) -> wire.Answer:
    """Sign the thinking in an answer.

    Args:
        answer: As it will be sent: a thought that is cut is another one.
        request: The body of the request that it answers.
    """
    binds = catalogue.binds_thinking(request["model"])
    before = _Before()
    for part in parts(request):
        before.add(part)
    content = []
    for written in answer.content:
        if written.block["type"] == "thinking":
            bound = before.digests()[0] if binds else _UNBOUND
            content.append(replace(written, signature=signature(written.text, bound)))
        else:
            content.append(written)
            before.add(Part("messages", "", "assistant", wire.whole(written, "omitted")))
    return replace(answer, content=content)


def complaints(request: dict[str, Any]) -> Iterator[str]:
    """Yield the flaws in the thinking blocks of a request, in the API's words."""
    binds = catalogue.binds_thinking(request["model"])
    before = _Before()
    for part in parts(request):
        if part.block.get("type") == "thinking":
            valid = {_UNBOUND, *before.digests()} if binds else None
            if (flaw := _flaw(part.block, valid)) is not None:
                yield f"{part.path}: Invalid `signature` in `thinking` block{flaw}"
        before.add(part)


def _flaw(block: dict[str, Any], valid: set[bytes] | None) -> str | None:
    """Return how the complaint about a block goes on; ``None`` where there is none."""
    given = block["signature"]
    if not given.startswith(_OURS):
        return None if given else ""
    try:
        seal = base64.b64decode(given, validate=True).removeprefix(_MARK)[: 2 * _SIZE]
    except ValueError:
        return ""
    thought, bound = seal[:_SIZE], seal[_SIZE:]
    changed = block["thinking"] and _digest(block["thinking"].encode()) != thought
    if changed or given != _written(seal):
        return ""
    if valid is not None and bound not in valid:
        return (
            ". The block is bound to a different conversation. Remove the block, or restore what "
            "stood before it."
        )
    return None


class _Before:
    """Hashes of the prompt before a block: with the tools, and without."""

    def __init__(self) -> None:
        self._hashes = hashlib.sha256(), hashlib.sha256()

    def add(self, part: Part) -> None:
        """Add the next part."""
        if part.block.get("type") in _THINKING:
            return
        kept = {k: v for k, v in part.block.items() if v is not None and k not in _FLEETING}
        read = json.dumps([part.role, kept], sort_keys=True).encode() + b"\0"
        for hashed in self._hashes[: 1 if part.level == "tools" else 2]:
            hashed.update(read)

    def digests(self) -> list[bytes]:
        """Return the hashes so far."""
        return [hashed.digest()[:_SIZE] for hashed in self._hashes]


def _written(seal: bytes) -> str:
    return base64.b64encode(_MARK + seal + _digest(_MARK + seal)).decode()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SIZE]
