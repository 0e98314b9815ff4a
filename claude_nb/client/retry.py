"""What to do after a failure: wait so long and ask again, go on from the partial, or give up.

Pure: nothing here sleeps or sends. Where the server says how long to wait, it is waited that long
and a little longer; otherwise a random time, which grows with each failure.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from claude_nb import errors
from claude_nb.cost.models import facts
from claude_nb.errors import ClaudeError, InputError, RequestError
from claude_nb.request.request import Request
from claude_nb.streaming import turns
from claude_nb.streaming.progress import Progress

_PASSING = (
    *(errors.OverloadedError, errors.RateLimitError, errors.ServerError),
    *(errors.UnreachableError, errors.DroppedError, errors.FileGoneError),
)

_CONTINUE = (
    "Your reply was interrupted there. Continue exactly from where it stopped: do not repeat"
    " anything, do not comment on the interruption, and keep the formatting that is open."
)
_QUOTED = (
    "Your previous reply to this was interrupted. It ended with:\n\n{partial}\n\n"
    "Continue exactly from where it stopped, without repeating anything."
)
_BAD_SIGNATURE = re.compile(r"invalid\W+signature\W+in\W+thinking", re.IGNORECASE)

_SPREAD = 0.2
"""The most that is added to a wait that the server asked for, as a share of it: it told everybody
the same, and all of them would come back in the same second."""

_QUOTE = 4000
"""Characters of the partial that are quoted where it cannot be sent as the assistant's own turn."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How failures are retried.

    Attributes:
        tries: The most requests for one reply, including the first.
        max_wait: The longest wait that a server may ask for (``retry-after``), in seconds: what it
            asks for is waited, and up to a fifth more; beyond it the error is raised at once.
        base: The upper end of the first backoff, in seconds; it doubles with each failure.
        cap: The upper end of any backoff, in seconds.
        pays_again: Whether to continue after a request that the server had accepted: the next one
            costs money too.
        speed: The factor that divides all waits, as in a replay at another speed.

    Raises:
        InputError: A value is not a valid number.
    """

    tries: int = 5
    max_wait: float = 60.0
    base: float = 1.0
    cap: float = 30.0
    pays_again: bool = True
    speed: float = 1.0

    def __post_init__(self) -> None:
        if type(self.tries) is not int or self.tries < 1:
            raise InputError(f"tries must be a whole number of at least 1, not {self.tries!r}.")
        for name in ("max_wait", "base", "cap", "speed"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not value >= 0:
                raise InputError(f"{name} must be a number of at least 0, not {value!r}.")
        if not self.speed:
            raise InputError("speed must be a number above 0, not 0.")

    def wait(self, error: ClaudeError, failures: int) -> float | None:
        """Seconds to wait before the next request, or None to give up.

        Args:
            error: What happened.
            failures: How often something failed for this reply, this time included.
        """
        if failures >= self.tries or not isinstance(error, _PASSING):
            return None
        if told := error.retry_after:  # 0 is no guidance, to the SDK neither
            longer = random.uniform(1.0, 1.0 + _SPREAD)  # noqa: S311
            return told * longer / self.speed if told <= self.max_wait else None
        if isinstance(error, errors.FileGoneError):
            return 0.0
        # Full jitter: a crowd that failed together does not come back together.
        doublings = min(failures - 1, 60)  # more would be more than a float holds
        return random.uniform(0.0, min(self.cap, self.base * 2**doublings)) / self.speed  # noqa: S311


def partial_text(progress: Progress) -> str:
    """The text that a continuation goes on from; empty if there is nothing to go on from."""
    return progress.answer.rstrip()


def continued(request: Request, progress: Progress, *, quoted: bool) -> Request:
    """The request that continues a broken-off reply.

    The text so far is sent as the assistant's turn, followed by the instruction to continue; where
    a model still continues its own last turn (prefill), without that instruction. Thinking and
    tool calls are left out: they cannot be continued, and a thinking block without the rest of its
    message would be refused.

    Args:
        request: The request.
        progress: The reply so far.
        quoted: Whether to put the text into the user's turn instead, for a server that refuses
            the other form.
    """
    partial = partial_text(progress)
    if quoted:
        ending = ("…" if len(partial) > _QUOTE else "") + partial[-_QUOTE:]
        added = [turns.user(_QUOTED.format(partial=ending))]
    else:
        added = [turns.assistant(partial), turns.user(_CONTINUE)]
        model = facts(request.model)
        thinks = (request.params().get("thinking") or {}).get("type", "disabled") != "disabled"
        if model is not None and model.accepts_prefill and not thinks:
            added.pop()
    return replace(request, after=(*request.after, *added))


def unpaused(request: Request, progress: Progress) -> Request:
    """The request that goes on with a turn that the server paused: its content, as it came.

    Args:
        request: The request.
        progress: The reply so far. If it was broken off before the pause, its thinking is left out.
    """
    blocks = dict.fromkeys(block for message in progress.round for block in message.content)
    content = [turns.sendable(block) for block in blocks if not turns.is_blank(block)]
    if any(message.failure for message in progress.round):
        content = turns.unthought(content)
    if not content:
        return request
    last = progress.last
    container = (last.container if last else None) or request.container
    return replace(request, after=(*request.after, turns.assistant(content)), container=container)


def unthought(request: Request, error: ClaudeError) -> Request | None:
    """The request without thinking, if a server refused what earlier turns hold of it.

    It refuses thinking behind another prompt than its own, as does one of whose account nothing
    else is known here (documentation, "Thinking troubleshooting").

    Returns:
        The request; None if there is nothing to leave out, or something else was refused.
    """
    refused = refuses_form(error) and _BAD_SIGNATURE.search(error.detail) is not None
    if not refused or not turns.holds_thinking((*request.before, *request.after)):
        return None
    before, after = (tuple(map(turns.without_thinking, t)) for t in (request.before, request.after))
    return replace(request, before=before, after=after)


def refuses_form(error: ClaudeError) -> bool:
    """Whether a server refused a continuation because of its form."""
    return isinstance(error, RequestError) and error.status == 400
