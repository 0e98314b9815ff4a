"""The faults that can be asked for by name: ``%claude_nb simulate next NAME``."""

from dataclasses import dataclass
from typing import Any

from claude_nb.errors import InputError, nearest
from claude_nb.simulator.replies import Error, Reply, Scripted

_SOME = 40
"""Events after which a scripted reply fails, in the middle of its text."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to fail.

    Attributes:
        does: What the server does, in short.
        reply: The reply that is enqueued.
    """

    does: str
    reply: Reply


def _ends(reason: str, *before: dict[str, Any]) -> Scripted:
    """A reply that ends as HTTP expects, with a stop reason that is bad news."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    counted = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": _SOME}}
    return Scripted(_SOME, [*before, counted, {"type": "message_stop"}], "close")


_OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
_CALL = {"type": "tool_use", "id": "toolu_sim_broken", "name": "look_up", "input": {}}
_HALF = {"type": "input_json_delta", "partial_json": '{"city": "Lisb'}

FAULTS = {
    "drop": Fault("the connection is closed in the middle of a text", Scripted(_SOME)),
    "reset": Fault("the connection is reset in the middle of a text", Scripted(_SOME, end="reset")),
    "stall": Fault("the stream falls silent in the middle of a text", Scripted(_SOME, end="hang")),
    "silent-end": Fault(
        "the stream ends in the middle of a text, as if it were whole", Scripted(_SOME, end="close")
    ),
    "overloaded": Fault(
        "the service is overloaded (529)", Error(529, "overloaded_error", "Overloaded")
    ),
    "overloaded-inside": Fault(
        "the service is overloaded in the middle of a text",
        Scripted(_SOME, [_OVERLOADED], "close"),
    ),
    "rate-limit": Fault(
        "there were too many requests: wait 5 seconds (429)",
        Error(429, "rate_limit_error", "Number of requests has exceeded", {"retry-after": "5"}),
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
    "refusal": Fault("the model declines in the middle of a text", _ends("refusal")),
    "truncated": Fault("the reply reaches max_tokens", _ends("max_tokens")),
    "bad-tool-json": Fault(
        "the input of a tool call is not complete JSON",
        _ends(
            "tool_use",
            {"type": "content_block_start", "index": 9, "content_block": _CALL},
            {"type": "content_block_delta", "index": 9, "delta": _HALF},
            {"type": "content_block_stop", "index": 9},
        ),
    ),
    "slow": Fault("the reply comes at a tenth of its pace", Scripted(None, end="close", pace=0.1)),
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
