"""A content block of a message, growing.

Servers and gateways send more than the documentation knows: what is missing is missing here too,
never an exception.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from claude_nb.characters import clean, wellformed_escapes
from claude_nb.streaming.events import TEXT_FIELDS, ToolAsked, ToolRan, ToolStarted

SERVER_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
"""Calls that the API runs itself: of its own tools, and of those of MCP servers."""

TOOL_CALLS = frozenset({"tool_use", *SERVER_CALLS})
"""The block types whose ``input`` arrives as pieces of JSON."""

TEXTS = ("text", "display")
"""The block types whose ``text`` is part of the answer's. ``display`` is no type of the API: it is
a picture or a widget that a function of the user's has answered with, and ``text`` stands for it
where only text can be."""


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is a dict, or else an empty one: servers send null for objects."""
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Break:
    """Where a text was broken off, and continued by another request.

    Attributes:
        at: Its place in the text, in characters.
        why: What had happened, in two or three words.
        after: Seconds from the request to the failure.
    """

    at: int
    why: str
    after: float


@dataclass(slots=True, eq=False, repr=False)
class Block:
    """One content block, growing.

    Attributes:
        index: Its position in the message's content, from 0.
        type: ``text``, ``thinking``, ``tool_use``, … or whatever the server called it.
        parts: The text, thinking or JSON that came, delta by delta; grown by ``add`` alone.
        started: When it began (``time.monotonic()``, seconds).
        ended: When it was closed, or None while it is open.
        signature: The signature of a thinking block, or an empty string.
        citations: The citations of a text block, as dicts.
        encrypted_content: What a compaction is sent back with; None for other blocks.
        breaks: Where its text was broken off and continued by another request.
        lost: Whether it was half-written when the connection was lost, and is not part of the
            answer.
        declined: Whether it is not sent back: the model that wrote it declined, and another one,
            which went on, has no use for it.
        run: The newest that is known of a call's run, or None.
    """

    index: int
    started: float
    _start: dict[str, Any]
    type: str = field(init=False)
    parts: list[str] = field(default_factory=list)
    ended: float | None = None
    signature: str = field(init=False)
    citations: list[dict[str, Any]] = field(init=False)
    encrypted_content: str | None = None
    breaks: list[Break] = field(default_factory=list)
    lost: bool = False
    declined: bool = False
    run: ToolAsked | ToolStarted | ToolRan | None = None
    _joined: tuple[int, str] = (0, "")

    def __post_init__(self) -> None:
        start = self._start
        self.type = str(start.get("type") or "unknown")
        initial = start.get("text") if self.type in TEXTS else start.get("thinking")
        if isinstance(initial, str):
            self.add(initial)
        self.signature = as_string(start.get("signature"))
        citations = start.get("citations")
        self.citations = list(map(as_dict, citations)) if isinstance(citations, list) else []

    def add(self, text: str) -> None:
        """Take in the text of a delta."""
        if text:
            self.parts.append(text)

    def close(self, time: float) -> None:
        """No more will come."""
        self.ended = time

    @property
    def text(self) -> str:
        """All that came as text, thinking or partial JSON, whichever the block holds."""
        count = len(self.parts)
        done, joined = self._joined
        if done != count:
            joined += "".join(self.parts[done:count])
            self._joined = (count, joined)
        return joined

    @property
    def name(self) -> str:
        """The tool's name, for a block that calls one; each character can be seen.

        One that the API calls on an MCP server has the server's name before it.
        """
        parts = (self._start.get("server_name"), self._start.get("name"))
        return clean(".".join(str(part) for part in parts if part))

    @property
    def id(self) -> str:
        """The id of a call, for its result to name."""
        return as_string(self._start.get("id"))

    @property
    def answers(self) -> str:
        """The id of the call whose result this is; empty for what is no result."""
        return as_string(self._start.get("tool_use_id"))

    @property
    def input(self) -> Any:
        """A tool call's input: a dict, or None while its JSON is incomplete or if it is invalid."""
        raw = self.text
        try:
            read = json.loads(wellformed_escapes(raw)) if raw else None
        except (ValueError, RecursionError):
            return None
        value = read if raw else self._start.get("input") or {}
        return value if isinstance(value, dict) and _can_be_sent(value) else None

    @property
    def content(self) -> Any:
        """What a result block carries, as it came."""
        return self._start.get("content")

    def to_dict(self) -> dict[str, Any]:
        """The block as the API's dict; an invalid tool input as far as it could be read."""
        block = self._start | {"type": self.type}
        if self.type == "text":
            block["text"] = self.text
            if self.citations:
                block["citations"] = self.citations
        elif self.type == "thinking":
            block["thinking"] = self.text
            block["signature"] = self.signature
        elif self.type in TOOL_CALLS:
            complete = self.input
            block["input"] = _readable_part(self.text) if complete is None else complete
        elif self.text and self.type in TEXT_FIELDS:
            block[TEXT_FIELDS[self.type]] = self.text
        if self.encrypted_content is not None:
            block["encrypted_content"] = self.encrypted_content
        return block


def as_string(value: Any) -> str:
    """The value if it is a text, or else an empty one."""
    return value if isinstance(value, str) else ""


def _can_be_sent(value: Any) -> bool:
    """Whether it is JSON for others too: without NaN and infinite numbers."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _readable_part(raw: str) -> dict[str, Any]:
    """What can be read of cut-off JSON, by the parser that the SDK uses for the same."""
    from jiter import from_json

    try:
        value = from_json(wellformed_escapes(raw).encode(), partial_mode=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and _can_be_sent(value) else {}
