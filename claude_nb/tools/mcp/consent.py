"""`Consent`: whether a call of a server's tool asks first, and what the answers do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from claude_nb.streaming.block import Block
from claude_nb.tools import approvals
from claude_nb.tools.approvals import Approval
from claude_nb.tools.mcp.listing import shown_name
from claude_nb.tools.permission import Answer, PermissionRequest

Confirm = Literal["always", "session", "never"]
"""When a call asks first: each one, once a session, or none."""

_LONGEST = 1_000
"""Characters of a command line or an address that a question shows."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user allowed of one tool of a server.

    Attributes:
        reason: Why it asks, in a few words, where that is not clear.
        name: The name of the server.
        approval: What is noted if the user allows it for good.
        confirm: When a call asks.
    """

    name: str
    approval: Approval
    confirm: Confirm
    reason: ClassVar = ""

    def asks(self, *, always: bool) -> bool:
        """Whether a call asks first.

        Args:
            always: Whether it does unless the user allowed it, whatever ``confirm`` is.
        """
        if self.confirm == "never" and not always:
            return False
        return not approvals.is_allowed(self.approval)

    def ask(self, call: Block) -> PermissionRequest:
        """The question about a call."""
        server = self.approval.server
        where = server if len(server) <= _LONGEST else f"{server[:_LONGEST]}…"
        place = f", in {self.approval.folder}" if self.approval.folder else ""
        here = " in this folder" if self.approval.folder else ""
        answers: list[tuple[Answer, str]] = [
            ("once", "Run once"),
            ("session", "Allow for this session"),
            ("always", f"Always allow{here}"),
            ("no", "Don’t run"),
        ]
        if self.confirm == "session":
            del answers[0]
        source = f"{shown_name(self.approval.tool)} of the MCP server {self.name}: {where}{place}"
        return PermissionRequest(call, source, tuple(answers))

    def record(self, answer: Answer) -> None:
        """Note an answer that holds for more than one call.

        Raises:
            InputError: It cannot be noted for good.
        """
        if answer == "session":
            approvals.allow_for_session(self.approval)
        elif answer == "always":
            approvals.allow(self.approval)
