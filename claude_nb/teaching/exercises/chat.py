"""The exercise of the second hour: a chat that streams, and survives what goes wrong."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any, TextIO

from claude_nb.redaction import DUMMY_KEY
from claude_nb.simulator import Simulator
from claude_nb.simulator.faults import fault
from claude_nb.teaching.exercises.exercise import Case, Exercise


@cache
def _simulator() -> Simulator:
    """The server that the cases ask, which ends with this process."""
    return Simulator(speed=float("inf")).start()


@cache
def _client() -> Any:
    import anthropic

    return anthropic.Anthropic(base_url=_simulator().base_url, api_key=DUMMY_KEY, max_retries=0)


@cache
def _reply() -> str:
    """The text of the answer that every question gets."""
    turns = [{"role": "user", "content": _QUESTION}]
    reply = _client().messages.create(model="claude-opus-5-5", max_tokens=1000, messages=turns)
    _simulator().forget()
    return "".join(block.text for block in reply.content if block.type == "text")


class _Printed(io.TextIOBase):
    """Passes on what is printed, and tells how it was printed."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._text = ""
        self._pieces = 0

    def write(self, text: str) -> int:
        self._pieces += bool(text.strip())
        self._text = (self._text + text)[:_MOST]
        return self._to.write(text)

    def describe(self, *, is_whole: bool) -> str:
        """How the answer was printed if it is whole; if not, whether a line says so."""
        if is_whole:
            found = {0: "nothing", 1: "the answer at once"}
            return "piece by piece" if self._pieces > _FEW else found[min(self._pieces, 1)]
        is_answer = _reply().startswith(self._text.strip())
        return "not that it failed" if is_answer else "that it failed"


_QUESTION = "Hello!"
_FEW = 10
"""Pieces in which a program that does not stream might print an answer; the stream has some 60."""
_MOST = 10_000
"""Characters that are looked at; an endless loop prints more."""


@dataclass(frozen=True)
class _Talk(Case):
    """Questions to the student's chat, one after the other.

    Attributes:
        faults: What the server does to each; an empty name for an answer that is whole.
    """

    faults: tuple[str, ...] = ()

    def prepare(self) -> None:
        _reply()

    def call(self, function: Callable[..., Any]) -> _Described | None:
        """Describe what the function returned, sent and printed, and what it remembers."""
        simulator, history = _simulator(), list[dict[str, Any]]()
        returned, shown = [], []
        for name in self.faults:
            simulator.drain()
            if name:
                simulator.enqueue(fault(name).reply)
            printed = _Printed(sys.stdout)
            with redirect_stdout(printed):
                returned.append(str(function(_client(), history, _QUESTION)))
            shown.append(printed.describe(is_whole=not name))
        bodies = [request.body for request in simulator.requests]
        if not bodies and set(returned) == {"None"}:
            return None  # not written yet
        sent = [len(body["messages"]) for body in bodies if body.get("stream")]
        roles = [str(turn["role"]) for turn in history]
        return _described(", ".join(returned), sent[-1:], roles, shown)


class _Described(str):
    """A text that a report shows without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _described(returned: str, sent: list[int], roles: list[str], shown: list[str]) -> _Described:
    turns = sent[0] if sent else "none as a stream"
    history = ", ".join(roles) or "empty"
    printed = ", ".join(dict.fromkeys(shown))
    return _Described(
        f"returned {returned} · turns sent: {turns} · history: {history} · printed: {printed}"
    )


def _talk(about: str, *faults: str, returns: str, sent: int, turns: int) -> _Talk:
    shown = ["that it failed" if name else "piece by piece" for name in faults]
    expected = _described(returns, [sent], ["user", "assistant"] * turns, shown)
    return _Talk(about, (), expected, faults)


EXERCISES = (
    Exercise(
        "say",
        hints=(
            (
                "Begin with the six lines of the lesson. Send the history and the new question;"
                " do not change the history until you know that the answer is complete."
            ),
            (
                "Which errors? An error from the server is an anthropic.APIError; a lost"
                " connection is an httpx2.TransportError. A silent end is not an error at all:"
                " look at"
                " message.stop_reason."
            ),
            (
                "Only where message.stop_reason is 'end_turn': append the question to the history,"
                " and {'role': 'assistant', 'content': message.content}, and return True. In all"
                " other cases return False."
            ),
        ),
        cases=(
            _talk("a whole answer", "", returns="True", sent=1, turns=1),
            _talk("a second question", "", "", returns="True, True", sent=3, turns=2),
            _talk("a silent end", "silent-end", returns="False", sent=1, turns=0),
            _talk("asked again after it", "silent-end", "", returns="False, True", sent=1, turns=1),
            _talk("a lost connection", "drop", returns="False", sent=1, turns=0),
            _talk("an overload (529)", "overloaded", returns="False", sent=1, turns=0),
            _talk("an overload later", "overloaded-inside", returns="False", sent=1, turns=0),
            _talk("the model declines", "refusal", returns="False", sent=1, turns=0),
        ),
    ),
)
