"""What can go wrong, as a tree. Every error says what happened, what was kept and what to do.

ClaudeError
├── InputError            the input cannot be sent: nothing was sent
├── CredentialsError      there is no key to send
├── RequestError          the server refused the request (400, 401, 403, 404, 413, …)
├── FileGoneError         a file that was uploaded is not on the server any more
├── RateLimitError        too many requests or tokens for now (429 with ``retry-after``)
├── SpendLimitError       no money: a limit of spending or of the plan, no credit (400, 402, 429)
├── OverloadedError       the service is busy, whoever asks (529, or inside a stream)
├── ServerError           the server failed (5xx, or inside a stream)
├── UnreachableError      no connection, or none that answered in time
├── DroppedError          the stream ended before the message did: the partial is kept
├── MalformedError        what came is not the Messages API: what was readable is kept
└── StoppedError          Stop was pressed or the kernel interrupted: the partial is kept
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from claude_nb.characters import clean
from claude_nb.redaction import redact_error

_ENDS = (".", "!", "?", "…", ":", ";", ",", '."', ".'", ".)")
"""How a sentence ends that another one can follow."""

_NEAR = 0.7
"""How alike two names have to be, from 0 to 1, to take one for a slip of the other."""


def nearest(name: str, known: Iterable[str], most: int = 1) -> str:
    """The names that differ from ``name`` by a slip of the fingers, for "did you mean".

    Args:
        name: What was typed.
        known: What there is.
        most: How many to name at most.

    Returns:
        The nearest, with "or" between them; empty if none is near.
    """
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, most, _NEAR)
    return " or ".join(folded[one] for one in near)


def either(names: Iterable[str]) -> str:
    """Names as a choice: ``a, b or c``."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


CONTEXT_FULL = (
    "To summarise the conversation: %claude_nb compact. Or begin a new one, or send less."
)
"""What to do where the context window is full."""


class ClaudeError(Exception):
    """The base class of every error that this package raises.

    Args:
        what: What happened, one line, for a person.
        advice: What to do about it; may be empty.
        detail: The server's or the network's own message; may be empty.
        request_id: The API's id of the request, for a question to support.
        retry_after: Seconds that the server asked to wait, or None.
        status: The HTTP status of a response that was an error, or None.

    Attributes:
        reply: The reply so far, or None if nothing was sent.
        simulated: Whether the simulator sent it.
        in_brief: What its traceback says where the output above shows all of it; otherwise empty.
        label: A short name of the error, for a line or a row.
    """

    label = "failed"

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        detail: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        self.what = clean(redact_error(what))
        self.advice = clean(redact_error(advice))
        self.detail = clean(redact_error(detail))
        self.request_id = clean(redact_error(request_id)) if request_id else None
        self.retry_after = retry_after
        self.status = status
        self.reply: Any = None
        self.simulated = False
        self.in_brief = ""
        super().__init__(self.what)

    def __str__(self) -> str:
        parts = [part for part in (self.what, self.detail, self.advice) if part]
        if self.request_id:
            parts.append(f"Request id: {self.request_id}.")
        # Not of ours are a server's words, and those of an exception in the user's code.
        ended = [part if part.endswith(_ENDS) else f"{part}." for part in parts[:-1]]
        return " ".join((*ended, *parts[-1:]))

    def _render_traceback_(self) -> list[str]:
        """One line, or a few, instead of a traceback: IPython calls this method."""
        if self.in_brief:
            return [f"{type(self).__name__}: {self.in_brief}"]
        parts = [f"  {part}" for part in (self.detail, self.advice) if part]
        return [f"{type(self).__name__}: {self.what}", *parts]


class InputError(ClaudeError, ValueError):
    """What was typed cannot be sent; nothing was sent."""


class CredentialsError(ClaudeError):
    """There is no key to send."""


class RequestError(ClaudeError):
    """The server refused the request; sending it again unchanged would be refused again."""

    label = "refused"


class FileGoneError(ClaudeError):
    """A file that was uploaded is not on the server any more: it expired, or was deleted."""

    label = "file gone"


class RateLimitError(ClaudeError):
    """Too many requests or tokens for now; ``retry_after`` says how many seconds to wait."""

    label = "rate limited"


class SpendLimitError(ClaudeError):
    """A limit on spending is reached, or there is no credit; asking again does not help."""

    label = "spend limit reached"


class OverloadedError(ClaudeError):
    """The service is busy, whoever asks."""

    label = "overloaded"


class ServerError(ClaudeError):
    """The server failed."""

    label = "server failed"


class UnreachableError(ClaudeError):
    """No connection to the server, or no answer in time.

    Attributes:
        connected: Whether there was a connection, so that the server may have got the request.
    """

    label = "no connection"
    connected = True


class DroppedError(ClaudeError):
    """The stream ended before the message did; ``reply`` holds what came."""

    label = "connection lost"


class MalformedError(ClaudeError):
    """What came is not the Messages API; ``reply`` holds what was readable."""


class StoppedError(ClaudeError):
    """The reply was stopped by hand; ``reply`` holds what came."""
