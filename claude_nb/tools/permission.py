"""`PermissionRequest`: a call that the user is asked to allow, and the answers to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from claude_nb.streaming.block import Block

Answer = Literal["once", "session", "always", "no"]


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """A call that the user is asked to allow.

    Attributes:
        call: The call.
        source: The MCP server of its tool, and where that is; empty for a function.
        answers: The answers, each with its label.
    """

    call: Block
    source: str = ""
    answers: tuple[tuple[Answer, str], ...] = (("once", "Run"), ("no", "Don’t run"))

    @property
    def id(self) -> str:
        """The id of the call, by which a page names the question."""
        return self.call.id
