"""`Exercise` and `Case`, and the objects that cases pass to a student's function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Case:
    """One call of the student's function.

    Attributes:
        about: What is special about it, in a few words: a student sees it.
        given: The arguments.
        expected: What the function has to return: the same type, and an equal value. Floats may
            differ in the last digits.
    """

    about: str
    given: tuple[Any, ...]
    expected: Any

    def prepare(self) -> None:
        """Get ready what takes time, before the student's time begins."""

    def call(self, function: Callable[..., Any]) -> Any:
        """Call the function, and return what is compared."""
        return function(*self.given)


@dataclass(frozen=True)
class Exercise:
    """A function that a student writes.

    Attributes:
        name: Its name.
        hints: Each says a little more than the one before.
        cases: The calls that it has to get right.
    """

    name: str
    hints: Sequence[str]
    cases: Sequence[Case]


def as_object(value: Any) -> Any:
    """Make JSON data into objects like the SDK's: ``event.delta.text`` for a dict of dicts.

    An attribute that is not there raises, as with the SDK. It takes no import of the SDK.
    """
    if isinstance(value, list):
        return [as_object(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = type(str(value.get("type", "object")), (SimpleNamespace,), {})
    # The input of a tool is data of the user's, a dict in the SDK too.
    return kind(**{k: v if k == "input" else as_object(v) for k, v in value.items()})


def text_deltas(index: int, *pieces: str) -> list[dict[str, Any]]:
    """Make the events of a block of text."""
    return [
        {"type": "content_block_start", "index": index, "content_block": _block("text")},
        *(_delta(index, {"type": "text_delta", "text": piece}) for piece in pieces),
        {"type": "content_block_stop", "index": index},
    ]


def thinking_deltas(index: int, *pieces: str) -> list[dict[str, Any]]:
    """Make the events of a block of thinking, which ends with its signature."""
    return [
        {"type": "content_block_start", "index": index, "content_block": _block("thinking")},
        *(_delta(index, {"type": "thinking_delta", "thinking": piece}) for piece in pieces),
        _delta(index, {"type": "signature_delta", "signature": "EqQBCkYIBxgC"}),
        {"type": "content_block_stop", "index": index},
    ]


def input_deltas(index: int, *pieces: str) -> list[dict[str, Any]]:
    """Make the events of a call of a tool, whose input comes as pieces of JSON."""
    call = {"type": "tool_use", "id": f"toolu_{index}", "name": "weather", "input": {}}
    return [
        {"type": "content_block_start", "index": index, "content_block": call},
        *(
            _delta(index, {"type": "input_json_delta", "partial_json": piece})
            for piece in ("", *pieces)
        ),
        {"type": "content_block_stop", "index": index},
    ]


def stream(*blocks: list[dict[str, Any]], stop_reason: str | None = "end_turn") -> Any:
    """Make the events of a stream: a list of objects.

    Args:
        *blocks: The events of each block.
        stop_reason: How it ends; None: it breaks off behind the last delta.
    """
    usage = {"input_tokens": 12, "output_tokens": 1}
    start = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": usage}
    inside = [event for block in blocks for event in block]
    if stop_reason is None:
        return as_object([{"type": "message_start", "message": start}, *inside[:-1]])
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    ending = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 25}}
    return as_object(
        [{"type": "message_start", "message": start}, *inside, ending, {"type": "message_stop"}]
    )


def _block(kind: str) -> dict[str, str]:
    return {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})


def _delta(index: int, delta: dict[str, str]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}
