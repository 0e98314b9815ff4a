"""Exercises about what a request costs and holds: its tokens, messages, prefix and tool results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from claude_nb.teaching.exercises.exercise import Case, Exercise, as_object


def _cost(about: str, input_tokens: int, output_tokens: int, expected: float) -> Case:
    return Case(about, (input_tokens, output_tokens), expected)


def _messages(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


_ONE = ("Why is the sky blue?", "Air scatters blue.")
_TWO = ("And on Mars?", "Dust makes it butterscotch.")


def _prompt(*parts: str) -> list[str]:
    return list(parts)


_ASKED = _prompt("tools", "handbook", "Hello!")


def _exchange_rate(currency: str) -> float:
    return {"CHF": 0.9}[currency]


def _double(number: int) -> int:
    return 2 * number


@dataclass(frozen=True)
class _Calls(Case):
    """The calls of a message, and the results that are sent back, each described in a few words."""

    def call(self, function: Callable[..., Any]) -> Any:
        """Describe the list that the function returned."""
        results = function(*self.given)
        return "; ".join(map(_described, results)) if isinstance(results, list) else results


def _described(result: Any) -> str:
    if not isinstance(result, dict) or result.get("type") != "tool_result":
        return f"no tool_result: {result!r}"
    content = result.get("content")
    if result.get("is_error"):
        return f"{result.get('tool_use_id')}: is_error"
    shown = content if isinstance(content, str) else f"{content!r}, which is not text"
    return f"{result.get('tool_use_id')}: {shown}"


def _content(*blocks: dict[str, Any]) -> Any:
    return as_object(list(blocks))


def _call(identifier: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identifier, "name": name, "input": arguments}


_FUNCTIONS = {"exchange_rate": _exchange_rate, "double": _double}
_TEXT = {"type": "text", "text": "I will look it up."}


def _calls(about: str, *blocks: dict[str, Any], results: str) -> Case:
    return _Calls(about, (_content(*blocks), _FUNCTIONS), results)


EXERCISES = (
    Exercise(
        "cost",
        hints=(
            "Input and output have different prices: work out each, and add them.",
            "One input token costs 4 / 1_000_000 dollars.",
            "return (input_tokens * 4 + output_tokens * 20) / 1_000_000",
        ),
        cases=(
            _cost("a million tokens of input", 1_000_000, 0, 4.0),
            _cost("a million tokens of output", 0, 1_000_000, 20.0),
            _cost("a short question, a longer answer", 5, 312, 0.00626),
            _cost("nothing", 0, 0, 0.0),
        ),
    ),
    Exercise(
        "messages",
        hints=(
            "The API remembers nothing: the model knows only what is in this list.",
            (
                "Begin with an empty list. For each pair append two dicts: the question with the"
                " role 'user', the answer with the role 'assistant'."
            ),
            "After the loop, append {'role': 'user', 'content': question}, and return the list.",
        ),
        cases=(
            Case("the first question", ([], "Hello!"), _messages("Hello!")),
            Case("the second one", ([_ONE], "Why?"), _messages(*_ONE, "Why?")),
            Case("the third one", ([_ONE, _TWO], "Why?"), _messages(*_ONE, *_TWO, "Why?")),
        ),
    ),
    Exercise(
        "read_from_cache",
        hints=(
            "Compare the parts from the beginning: zip(before, now). When is it over?",
            "Equal parts after the first that differs do not count.",
            (
                "Count up while the parts are equal, break at the first that differs, and"
                " return the count after the loop."
            ),
        ),
        cases=(
            Case("the same again", (_ASKED, _ASKED), 3),
            Case("another question", (_ASKED, _prompt("tools", "handbook", "And you?")), 2),
            Case("the next turn", (_ASKED, [*_ASKED, "Hi!", "And you?"]), 3),
            Case("a changed handbook", (_ASKED, _prompt("tools", "handbook, 9:01", "Hello!")), 1),
            Case("another tool", (_ASKED, _prompt("tools, one more", "handbook", "Hello!")), 0),
            Case("shorter than before", (_ASKED, _prompt("tools", "handbook")), 2),
        ),
    ),
    Exercise(
        "run_calls",
        hints=(
            (
                "Go through the blocks; those whose type is 'tool_use' are calls. Each call needs"
                " one dict in the list that you return."
            ),
            (
                "The function is functions[block.name], and block.input is a dict of its arguments:"
                " functions[block.name](**block.input). The content is text: str(…)."
            ),
            (
                "try the call; except Exception as error: the content is str(error), and the dict"
                " has 'is_error': True as well."
            ),
        ),
        cases=(
            _calls("one call", _call("toolu_1", "double", number=21), results="toolu_1: 42"),
            _calls(
                "text before the call",
                _TEXT,
                _call("toolu_1", "exchange_rate", currency="CHF"),
                results="toolu_1: 0.9",
            ),
            _calls(
                "two calls in one message",
                _call("toolu_1", "double", number=1),
                _call("toolu_2", "double", number=2),
                results="toolu_1: 2; toolu_2: 4",
            ),
            _calls(
                "a function that raises",
                _call("toolu_1", "exchange_rate", currency="JPY"),
                _call("toolu_2", "double", number=2),
                results="toolu_1: is_error; toolu_2: 4",
            ),
            _calls(
                "a tool that does not exist",
                _call("toolu_1", "triple"),
                results="toolu_1: is_error",
            ),
        ),
    ),
)
