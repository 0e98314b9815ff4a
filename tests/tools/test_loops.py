"""The loop of tools: which requests are sent, and which history follows, over real HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

import claude_nb
from claude_nb import ClaudeError, Conversation, Tools
from claude_nb.client.retry import Policy
from claude_nb.errors import StoppedError
from claude_nb.render import labels
from claude_nb.simulator import Error, Stream
from claude_nb.simulator.validation import problem
from tests.played import block, end, said, start, text, thinking, tool_use

Turn = dict[str, Any]


def look_up(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 21 degrees"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail(city: str) -> str:
    """Always fails."""
    raise LookupError(f"no {city} here")


def stop(city: str) -> str:
    """Is interrupted."""
    raise StoppedError("Stopped.")


FUNCTIONS = [look_up, add, fail, stop, "web_search"]

LISBON = tool_use('{"city": ', '"Lisbon"}')
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "signed"}


def user(*content: Any) -> Turn:
    """A user's turn: a text, or content blocks."""
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else [*content]}


def assistant(*content: Any) -> Turn:
    """An assistant's turn; a text stands for its block."""
    blocks = [{"type": "text", "text": c} if isinstance(c, str) else c for c in content]
    return {"role": "assistant", "content": blocks}


def called(city: str = "Lisbon", number: object = 1, name: str = "look_up", **given: Any) -> Turn:
    """A call, as it goes back."""
    found = given or {"city": city}
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": found}


def result(said_: str, number: object = 1, **flags: Any) -> Turn:
    """A result."""
    content = [{"type": "text", "text": said_}]
    return {
        "type": "tool_result",
        "tool_use_id": f"toolu_{number}",
        "content": content,
        **flags,
    }


def error(said_: str, number: object = 1) -> Turn:
    """A result that is an error."""
    return result(said_, number, is_error=True)


WEATHER = result("Lisbon: 21 degrees")
ASKED = user("Q")
CONTINUE = user(
    {
        "type": "text",
        "text": "Your reply was interrupted there. Continue exactly from where it stopped: do not"
        " repeat anything, do not comment on the interruption, and keep the formatting that is"
        " open.",
    }
)


@dataclass
class Loop:
    """A row of the table: what the server sends, what is sent to it, what is remembered."""

    replies: list[Any]
    sent: list[list[Turn]]
    history: list[Turn]
    outcome: str = "complete"
    text: str = "It is warm."
    options: dict[str, Any] = field(default_factory=dict)


ANSWER = Stream(said("It is warm."))
CALL = Stream([start(), *LISBON, *end("tool_use")])
FIRST = [ASKED]
SECOND = [ASKED, assistant(called()), user(WEATHER)]

TWINS = [
    ASKED,
    assistant(called(), called("Porto", number="1_2")),
    user(WEATHER, result("Porto: 21 degrees", "1_2")),
]
THIRD = [assistant(called(number="1_3", name="add", a=1, b=2)), user(result("3", "1_3"))]

LOOPS = {
    "none": Loop([ANSWER], [FIRST], [ASKED, assistant("It is warm.")]),
    "one": Loop([CALL, ANSWER], [FIRST, SECOND], [*SECOND, assistant("It is warm.")]),
    "thinking and text before the call": Loop(
        [
            Stream(
                [
                    start(),
                    *thinking("Hm."),
                    *text("Let me look.", index=1),
                    *tool_use('{"city": "Lisbon"}', index=2),
                    *end("tool_use"),
                ]
            ),
            ANSWER,
        ],
        [FIRST, [ASKED, assistant(THOUGHT, "Let me look.", called()), user(WEATHER)]],
        [
            ASKED,
            assistant(THOUGHT, "Let me look.", called()),
            user(WEATHER),
            assistant("It is warm."),
        ],
        text="Let me look.\n\nIt is warm.",
    ),
    "parallel, results in order": Loop(
        [
            Stream(
                [
                    start(),
                    *LISBON,
                    *tool_use('{"a": 1, "b": 2}', index=1, call="toolu_2", name="add"),
                    *end("tool_use"),
                ]
            ),
            ANSWER,
        ],
        [
            FIRST,
            [
                ASKED,
                assistant(called(), called(number=2, name="add", a=1, b=2)),
                user(WEATHER, result("3", 2)),
            ],
        ],
        [
            ASKED,
            assistant(called(), called(number=2, name="add", a=1, b=2)),
            user(WEATHER, result("3", 2)),
            assistant("It is warm."),
        ],
    ),
    "calls with one id, as of gateways": Loop(
        [
            Stream(
                [
                    start(),
                    *LISBON,
                    *tool_use('{"city": ', '"Porto"}', index=1),
                    *end("tool_use"),
                ]
            ),
            Stream([start(), *tool_use('{"a": 1, "b": 2}', name="add"), *end("tool_use")]),
            ANSWER,
        ],
        [FIRST, TWINS, [*TWINS, *THIRD]],
        [*TWINS, *THIRD, assistant("It is warm.")],
    ),
    "chained": Loop(
        [
            CALL,
            Stream(
                [
                    start(),
                    *tool_use('{"a": 1, "b": 2}', call="toolu_2", name="add"),
                    *end("tool_use"),
                ]
            ),
            ANSWER,
        ],
        [
            FIRST,
            SECOND,
            [*SECOND, assistant(called(number=2, name="add", a=1, b=2)), user(result("3", 2))],
        ],
        [
            *SECOND,
            assistant(called(number=2, name="add", a=1, b=2)),
            user(result("3", 2)),
            assistant("It is warm."),
        ],
    ),
    "failing": Loop(
        [Stream([start(), *tool_use('{"city": "X"}', name="fail"), *end("tool_use")]), ANSWER],
        [
            FIRST,
            [ASKED, assistant(called("X", name="fail")), user(error("LookupError: no X here"))],
        ],
        [
            ASKED,
            assistant(called("X", name="fail")),
            user(error("LookupError: no X here")),
            assistant("It is warm."),
        ],
    ),
    "arguments that do not fit": Loop(
        [Stream([start(), *tool_use('{"a": "x"}', name="add"), *end("tool_use")]), ANSWER],
        [
            FIRST,
            [
                ASKED,
                assistant(called(name="add", a="x")),
                user(
                    error(
                        "Invalid arguments: a: Input should be a valid integer, unable to parse"
                        " string as an integer; b: Missing required argument"
                    )
                ),
            ],
        ],
        [
            ASKED,
            assistant(called(name="add", a="x")),
            user(
                error(
                    "Invalid arguments: a: Input should be a valid integer, unable to parse"
                    " string as an integer; b: Missing required argument"
                )
            ),
            assistant("It is warm."),
        ],
    ),
    "input that is no JSON": Loop(
        [Stream([start(), *tool_use('{"city": "Lis'), *end("tool_use")]), ANSWER],
        [
            FIRST,
            [
                ASKED,
                assistant({**called(), "input": {}}),
                user(error('{"INVALID_JSON": "{\\"city\\": \\"Lis"}')),
            ],
        ],
        [
            ASKED,
            assistant({**called(), "input": {}}),
            user(error('{"INVALID_JSON": "{\\"city\\": \\"Lis"}')),
            assistant("It is warm."),
        ],
    ),
    "a tool that was not offered": Loop(
        [Stream([start(), *tool_use("{}", name="other"), *end("tool_use")]), ANSWER],
        [
            FIRST,
            [
                ASKED,
                assistant({**called(name="other"), "input": {}}),
                user(error("There is no tool other. There are: look_up, add, fail, stop.")),
            ],
        ],
        [
            ASKED,
            assistant({**called(name="other"), "input": {}}),
            user(error("There is no tool other. There are: look_up, add, fail, stop.")),
            assistant("It is warm."),
        ],
    ),
    "truncated in the call: not run": Loop(
        [Stream([start(), *text("Look:"), *tool_use('{"ci', index=1), *end("max_tokens")])],
        [FIRST],
        [ASKED, assistant("Look:")],
        "truncated",
        "Look:",
    ),
    "a call without the reason to run it": Loop(
        [Stream([start(), *text("Look:"), *tool_use("{}", index=1), *end()])],
        [FIRST],
        [ASKED, assistant("Look:")],
        "complete",
        "Look:",
    ),
    "paused, then a call": Loop(
        [
            Stream(
                [
                    start(),
                    *block(0, type="server_tool_use", id="srv_1", name="web_search", input={}),
                    *block(1, type="web_search_tool_result", tool_use_id="srv_1", content=[]),
                    *end("pause_turn"),
                ]
            ),
            CALL,
            ANSWER,
        ],
        [
            FIRST,
            [
                ASKED,
                assistant(SEARCH, FOUND),
            ],
            [ASKED, assistant(SEARCH, FOUND, called()), user(WEATHER)],
        ],
        [
            ASKED,
            assistant(SEARCH, FOUND, called()),
            user(WEATHER),
            assistant("It is warm."),
        ],
    ),
    "a search whose result comes behind ours": Loop(
        [
            Stream(
                [
                    start(),
                    *block(0, type="server_tool_use", id="srv_1", name="web_search", input={}),
                    *tool_use('{"city": "Lisbon"}', index=1),
                    *end("tool_use"),
                ]
            ),
            Stream(
                [
                    start(),
                    *block(0, type="web_search_tool_result", tool_use_id="srv_1", content=[]),
                    *thinking("Hm.", index=1),
                    *text("It is warm.", index=2),
                    *end(),
                ]
            ),
        ],
        [FIRST, [ASKED, assistant(SEARCH, called()), user(WEATHER)]],
        [
            ASKED,
            assistant(SEARCH, called()),
            user(WEATHER),
            assistant(FOUND, THOUGHT, "It is warm."),
        ],
    ),
    "a search that never brings a result": Loop(
        [
            Stream(
                [
                    start(),
                    *thinking("Hm."),
                    *block(1, type="server_tool_use", id="srv_1", name="web_search", input={}),
                    *tool_use('{"city": "Lisbon"}', index=2),
                    *end("tool_use"),
                ]
            ),
            Stream([start(), *thinking("Hm."), *text("It is warm.", index=1), *end()]),
        ],
        [FIRST, [ASKED, assistant(THOUGHT, SEARCH, called()), user(WEATHER)]],
        [ASKED, assistant(THOUGHT, called()), user(WEATHER), assistant("It is warm.")],
    ),
    "input that could not go back": Loop(
        [Stream([start(), *tool_use('{"city": "x", "n": NaN}'), *end("tool_use")]), ANSWER],
        [
            FIRST,
            [
                ASKED,
                {"role": "assistant", "content": [called() | {"input": {}}]},
                user(error('{"INVALID_JSON": "{\\"city\\": \\"x\\", \\"n\\": NaN}"}')),
            ],
        ],
        [
            ASKED,
            {"role": "assistant", "content": [called() | {"input": {}}]},
            user(error('{"INVALID_JSON": "{\\"city\\": \\"x\\", \\"n\\": NaN}"}')),
            assistant("It is warm."),
        ],
    ),
    "a result that the server refuses": Loop(
        [CALL, Error(400, "invalid_request_error", "no")],
        [FIRST, SECOND],
        [],
        "failed",
        "",
    ),
    "refused in the middle of the loop": Loop(
        [CALL, Stream([start(), *text("No"), *end("refusal")])],
        [FIRST, SECOND],
        [],
        "refused",
        "No",
    ),
    "dropped in the input: asked again": Loop(
        [Stream([start(), *LISBON[:-2]], end="drop"), CALL, ANSWER],
        [FIRST, FIRST, SECOND],
        [*SECOND, assistant("It is warm.")],
    ),
    "dropped in the input, behind a text": Loop(
        [
            Stream([start(), *thinking("Hm."), *text("Let me", index=1)[:-1]], end="drop"),
            Stream([start(), *text(" look."), *tool_use('{"city": "Lisbon"}', index=1)[:-2]]),
            Stream(
                [
                    start(),
                    *text(" Now."),
                    *tool_use('{"city": "Lisbon"}', index=1),
                    *end("tool_use"),
                ]
            ),
            ANSWER,
        ],
        [
            FIRST,
            [ASKED, assistant("Let me"), CONTINUE],
            [ASKED, assistant("Let me look."), CONTINUE],
            [
                ASKED,
                assistant("Let me look."),
                CONTINUE,
                assistant(" Now.", called()),
                user(WEATHER),
            ],
        ],
        [
            ASKED,
            assistant("Let me look.", " Now.", called()),
            user(WEATHER),
            assistant("It is warm."),
        ],
        text="Let me look. Now.\n\nIt is warm.",
    ),
    "dropped in the answer": Loop(
        [CALL, Stream([start(), *text("It is")[:-1]], end="drop"), Stream(said(" warm."))],
        [FIRST, SECOND, [*SECOND, assistant("It is"), CONTINUE]],
        [*SECOND, assistant("It is warm.")],
    ),
    "overloaded for good after the call": Loop(
        [CALL, *[Error(529, "overloaded_error", "Busy")] * 5],
        [FIRST, *[SECOND] * 5],
        SECOND,
        "failed",
        "",
    ),
    "stopped in a tool": Loop(
        [Stream([start(), *tool_use('{"city": "X"}', name="stop"), *end("tool_use")])],
        [FIRST],
        [ASKED, assistant(called("X", name="stop")), user(error("The user stopped this."))],
        "stopped",
        "",
    ),
    "too many turns": Loop(
        [CALL, Stream([start(), *tool_use('{"city": "Rome"}', call="toolu_2"), *end("tool_use")])],
        [FIRST, SECOND],
        [
            *SECOND,
            assistant(called("Rome", 2)),
            user(error("Not run: the limit of 1 is reached.", 2)),
        ],
        "failed",
        "",
        {"max_turns": 1},
    ),
}


@pytest.mark.parametrize(
    ("name", "tried"), [("too many turns", []), ("overloaded for good after the call", ["5 times"])]
)
def test_requests_with_results_are_no_tries(api, name, tried):
    """The card counts how often the same was sent."""
    loop = LOOPS[name]
    api.enqueue(*loop.replies)

    with pytest.raises(ClaudeError) as raised:
        claude_nb.ask(
            "Q", tools=Tools(*FUNCTIONS, **loop.options), show=False, policy=Policy(base=0.0)
        )

    assert re.findall(r"Tried (.*)\.", labels.card(raised.value.reply).text) == tried


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop(api, name):
    """The requests, byte by byte and valid for the API; what came of it; the history."""
    loop = LOOPS[name]
    seen = len(api.requests)
    api.enqueue(*loop.replies)
    talk = Conversation("talk")

    try:
        reply = talk.ask(
            "Q", tools=Tools(*FUNCTIONS, **loop.options), show=False, policy=Policy(base=0.0)
        )
    except ClaudeError as error_:
        reply = error_.reply

    bodies = [request.body for request in api.requests[seen:]]
    assert [body["messages"] for body in bodies] == loop.sent
    assert [problem(body) for body in bodies] == [None] * len(bodies)
    *functions, search = Tools(*FUNCTIONS).definitions
    sent = [*functions, {"type": "web_search_20260318", **search}]
    assert {str(body["tools"]) for body in bodies} == {str(sent)}
    assert (str(reply.outcome), reply.text) == (loop.outcome, loop.text)
    assert talk.messages() == loop.history

    api.enqueue(ANSWER)
    talk.ask("And now?", show=False)

    body = api.requests[-1].body
    assert body["messages"] == [*loop.history, user("And now?")]
    assert problem(body) is None
    assert ("tools" in body) == bool(loop.history)
