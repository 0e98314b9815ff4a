"""The faults that can be asked for by name: ``%claude_nb simulate next NAME``."""

from dataclasses import dataclass

from claude_nb.errors import InputError, nearest
from claude_nb.simulator.replies import Ended, Error, Reply, Scripted


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to fail.

    Attributes:
        does: What the server does, in short.
        reply: The reply that is enqueued.
        waits: Seconds until a client goes on, where they are many and no pace changes them.
        writes: Seconds that a page takes at speed 1, where they are many.
    """

    does: str
    reply: Reply
    waits: float = 0.0
    writes: float = 0.0

    def describe(self, speed: float) -> str:
        """Return what it does, and how long that takes at a pace, if it is long."""
        seconds = self.waits + self.writes / speed
        return f"{self.does}; this takes some {seconds:.0f} s" if seconds >= 1 else self.does


NOTHING = "nothing"
"""In place of a fault's name: no fault is queued."""

_OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

FAULTS = {
    "drop": Fault("the connection is closed in the middle of a text", Scripted("middle")),
    "reset": Fault(
        "the connection is reset in the middle of a text", Scripted("middle", end="reset")
    ),
    "stall": Fault(
        "the stream falls silent in the middle of a text",
        Scripted("middle", end="hang"),
        waits=90.0,  # claude_nb's own time-out
        writes=2.0,
    ),
    "silent-end": Fault(
        "the stream ends in the middle of a text, as if it were whole",
        Scripted("middle", end="close"),
    ),
    "overloaded": Fault(
        "the service is overloaded (529)", Error(529, "overloaded_error", "Overloaded")
    ),
    "overloaded-inside": Fault(
        "the service is overloaded in the middle of a text",
        Scripted("middle", [_OVERLOADED], "close"),
    ),
    "rate-limit": Fault(
        "there were too many requests (429, with a time to wait)",
        Error(429, "rate_limit_error", "Number of requests has exceeded", {"retry-after": "5"}),
        waits=5.0,
    ),
    "spend-limit": Fault(
        "a limit on spending is reached (429, with no time to wait)",
        Error(429, "rate_limit_error", "Your organization has reached its spend limit"),
    ),
    "own-limit": Fault(
        "your own limit on spending is reached (400)",
        Error(
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2026-12-01"
            " at 00:00 UTC.",
        ),
    ),
    "no-credit": Fault(
        "the credit is used up (400)",
        Error(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans &"
            " Billing to upgrade or purchase credits.",
        ),
    ),
    "billing": Fault(
        "the account cannot be billed (402)",
        Error(402, "billing_error", "There is an issue with your billing or payment information"),
    ),
    "bound-thinking": Fault(
        "the thinking of earlier turns is refused (400)",
        Error(
            400,
            "invalid_request_error",
            "messages.1.content.0: Invalid signature in thinking block. The block is bound to a"
            " different conversation.",
        ),
    ),
    "server-error": Fault("the server fails (500)", Error(500, "api_error", "Internal error")),
    "bad-request": Fault(
        "the request is refused (400)", Error(400, "invalid_request_error", "Invalid request")
    ),
    "bad-key": Fault(
        "the key is refused (401)", Error(401, "authentication_error", "invalid x-api-key")
    ),
    "refusal": Fault("the model declines in the middle of a text", Ended("refusal")),
    "truncated": Fault("the reply reaches max_tokens", Ended("max_tokens")),
    "bad-tool-json": Fault(
        "the input of a tool call is not complete JSON", Ended("tool_use", '{"city": "Lisb')
    ),
    "slow": Fault(
        "the reply comes at a tenth of its pace",
        Scripted(None, end="close", pace=0.1),
        writes=30.0,
    ),
}
"""By name."""


def fault(name: str) -> Fault:
    """Find a fault.

    Raises:
        InputError: There is none of that name; the error names the nearest.
    """
    if name not in FAULTS:
        near = nearest(name, FAULTS)
        hint = f"Did you mean {near}? " if near else ""
        raise InputError(f"There is no fault {name!r}.", f"{hint}There are {', '.join(FAULTS)}.")
    return FAULTS[name]


def describe_unused(reply: Reply, why: str) -> str:
    """Return in a sentence that a fault did not apply to the request that got it."""
    return f"{name_of(reply)} made nothing fail: {why}."


def name_of(reply: Reply) -> str:
    """Return the name of a fault's reply; of another reply, that of its kind."""
    names = (name for name, found in FAULTS.items() if found.reply == reply)
    return next(names, type(reply).__name__)
