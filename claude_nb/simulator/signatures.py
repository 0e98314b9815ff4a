"""Signatures of thinking blocks, which the API checks when the blocks come back.

They follow from the thought, and on models that bind thinking to its conversation
(:func:`claude_nb.simulator.catalogue.binds_thinking`) also from all that stood before it: tools,
system prompt and messages, without ``cache_control`` and citations, and from the thinking before
it. So nothing before it can be changed, and thinking can be left out from the start and from the
end, but not in between (platform.claude.com/docs, "Thinking", read 2026-10-08). The API is stricter
in one way: it refuses signatures that it did not make. Here they come from streams that somebody
else wrote (:class:`claude_nb.simulator.Stream`), and pass.
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
_HALF = _SIZE // 2
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


def is_ours(given: str) -> bool:
    """Say whether a signature was made here, and not by whoever wrote a stream."""
    return given.startswith(_OURS)


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
        done = written
        if written.block["type"] == "fallback":
            binds = catalogue.binds_thinking(written.block["to"]["model"])
        elif written.block["type"] == "thinking":
            bound = before.bound if binds else _UNBOUND
            done = replace(written, signature=signature(written.text, bound))
        content.append(done)
        before.add(Part("messages", "", "assistant", wire.whole(done, "omitted")))
    return replace(answer, content=content)


def complaints(request: dict[str, Any], *, bound: bool) -> Iterator[str]:
    """Yield the flaws in the thinking blocks of a request, in the API's words.

    Args:
        request: Its body.
        bound: Whether thinking is refused behind another prompt than its own.
    """
    binds = bound and catalogue.binds_thinking(request["model"])
    before = _Before()
    for part in parts(request):
        thinking = part.block.get("type") == "thinking"
        flaw = _flaw(part.block, before if binds else None) if thinking else None
        if flaw is not None:
            yield f"{part.path}: Invalid `signature` in `thinking` block{flaw}"
        before.add(part)


def _flaw(block: dict[str, Any], before: "_Before | None") -> str | None:
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
    if before is None or bound in {_UNBOUND, before.bound}:
        return None
    if before.thought or bound[:_HALF] != before.bound[:_HALF]:  # it is not the first that is left
        return ". The block is bound to a different conversation. Remove it, or restore that."
    return None


class _Before:
    """Hashes of what stands before a block.

    Attributes:
        thought: Of the last thinking; empty where there is none.
    """

    def __init__(self) -> None:
        self._hashed = hashlib.sha256()
        self.thought = b""

    @property
    def bound(self) -> bytes:
        """Of all the rest; where there is thinking, its hash is the second half."""
        digest = self._hashed.digest()
        return digest[:_HALF] + self.thought if self.thought else digest[:_SIZE]

    def add(self, part: Part) -> None:
        """Add the next part."""
        kept = {k: v for k, v in part.block.items() if v is not None and k not in _FLEETING}
        if part.block.get("type") == "fallback":
            return  # no model reads it
        if part.block.get("type") in _THINKING:
            sealed = {k: v for k, v in kept.items() if k != "thinking"}  # it may not be shown
            self.thought = _digest(json.dumps(sealed, sort_keys=True).encode())[:_HALF]
        else:
            self._hashed.update(json.dumps([part.role, kept], sort_keys=True).encode() + b"\0")


def _written(seal: bytes) -> str:
    return base64.b64encode(_MARK + seal + _digest(_MARK + seal)).decode()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SIZE]
