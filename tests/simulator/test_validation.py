"""The simulator refuses what the API refuses."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.simulator.cache import Diagnostics, PromptCache
from claude_nb.simulator.scripts import answer_to
from claude_nb.simulator.tokens import usage
from claude_nb.simulator.validation import problem

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


SONNET = {"model": "claude-sonnet-5-5"}


def request(**changes: Any):
    """Return a good request with changes; a change to ``...`` leaves the field out."""
    base = {"model": "claude-opus-5-5", "max_tokens": 2000, "messages": [USER]}
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"messages": [USER, ASSISTANT, USER]},
        {"messages": [USER, CALL, RESULT], "tools": TOOLS},
        {"messages": [USER, {"role": "system", "content": "Be brief."}]},
        {"messages": [USER, ASSISTANT], "model": "claude-haiku-4-5"},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "model": "claude-haiku-4-5"},
        {"thinking": {"type": "disabled"}, "model": "claude-sonnet-5"},
        {"system": [MARKED] * 4},
        {"max_tokens": 0},
        {"container": "container_1"},
        {"container": {"id": "container_1", "skills": []}},
    ],
)
def test_good_requests_pass(changes):
    """What the API takes, the simulator takes."""
    assert problem(request(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ...}, "model: Field required"),
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"max_tokens": "many"}, "max_tokens: Input should be a whole number"),
        ({"max_tokens": 128_001}, "max_tokens: 128001 > 128000, which is the maximum"),
        ({"messages": ...}, "messages: Field required"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages.0.role: Input should be"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: content must be non-empty"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
            "messages.0.content.0: text content blocks must be non-empty",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}
                ]
            },
            "messages.0.content.0.citations: not accepted",
        ),
        (
            {"messages": [USER, {"role": "assistant", "content": [{"type": "document"}]}]},
            "messages.1.content.0: an assistant message cannot hold a document",
        ),
        ({"messages": [USER, ASSISTANT]}, "This model does not support assistant message prefill."),
        (
            {"thinking": {"type": "between_tools", "display": "omitted"}, **SONNET},
            "thinking.between_tools.display: Extra inputs are not permitted",
        ),
        ({"container": 5}, "container: Input should be a valid string"),
        ({"system": 5}, "system: Input should be a string or a list"),
        ({"system": [{"type": "text", "text": ""}]}, "system.0: text content blocks must be"),
        ({"temperature": 0.5}, "temperature: "),
        ({"top_p": 0.5}, "top_p: "),
        ({"top_k": 5}, "top_k: "),
        ({"thinking": {}}, "thinking.type: Field required"),
        ({"thinking": {"type": "disabled"}}, "thinking.type: claude-opus-5-5 does not accept"),
        (
            {"thinking": {"type": "adaptive"}, "model": "claude-haiku-4-5"},
            "thinking.type: claude-haiku-4-5 does not accept 'adaptive'; it accepts enabled",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5}, "model": "claude-haiku-4-5"},
            "thinking.budget_tokens: Input should be at least 1024",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "model": "claude-haiku-4-5"},
            "max_tokens: must be greater than thinking.budget_tokens",
        ),
    ],
)
def test_bad_requests_are_refused_with_a_reason(changes, message):
    """Each is a 400 whose message begins with what is wrong."""
    error = problem(request(**changes))

    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.message[: len(message)] == message


def test_an_unknown_model_is_not_found():
    """A model that nobody knows is a 404."""
    error = problem(request(model="claude-nonsense"))

    assert (error.status, error.type) == (404, "not_found_error")


def test_counting_needs_no_max_tokens():
    """Everything else is validated when tokens are only counted, too."""
    assert problem(request(max_tokens=...), counting=True) is None
    assert problem(request(max_tokens=..., messages=[]), counting=True).status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
BLOCK = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "text",
                "image",
                "thinking",
                "tool_use",
                "tool_result",
                "server_tool_use",
                "web_search_tool_result",
                "document",
            ]
        )
        | JSON
    },
    optional={
        **dict.fromkeys(
            ("text", "content", "source", "cache_control", "citations", "input", "is_error"), JSON
        ),
        **dict.fromkeys(
            ("id", "tool_use_id", "name", "thinking", "signature"), st.sampled_from("ab") | JSON
        ),
    },
)
FIELDS = [
    "system",
    "thinking",
    "tools",
    "tool_choice",
    "cache_control",
    "diagnostics",
    "output_config",
    "stop_sequences",
    "container",
]
TOOL = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "web_search"]) | JSON,
        "type": st.sampled_from(["custom", "web_search_20250305", "bash_20250124"]) | JSON,
        "input_schema": st.fixed_dictionaries(
            {"type": st.just("object")},
            optional=dict.fromkeys(
                (
                    "properties",
                    "required",
                    "additionalProperties",
                    "$ref",
                    "propertyNames",
                    "enum",
                    "default",
                    "minProperties",
                ),
                JSON | st.dictionaries(st.sampled_from("ab"), JSON),
            ),
        )
        | JSON,
        "strict": JSON,
    },
)


def answered(body):
    """Do all that a request goes through, and return its usage."""
    cache, diagnostics = PromptCache(), Diagnostics()
    found = cache.find(body, 0)
    cache.keep(found)
    diagnostics.compare(body, 0)
    diagnostics.remember("msg_sim_0", body, 0)
    return usage(body, answer_to(body, random.Random(0)), found.read, found.written)


@settings(max_examples=40)
@given(st.sampled_from([*FIELDS, "max_tokens", "messages"]), JSON)
def test_no_junk_breaks_the_simulator(name, junk):
    """Whatever JSON a field holds, it is refused, or it can be answered and counted."""
    body = request(**{name: junk})

    if problem(body) is None:
        assert answered(body)["input_tokens"] >= 0


@settings(max_examples=100)
@given(
    st.lists(TOOL, min_size=1, max_size=2), st.dictionaries(st.sampled_from(["type", "name"]), JSON)
)
def test_no_junk_as_tools_breaks_the_simulator(tools, choice):
    """The same holds for tools, their schemas, and the choice among them."""
    body = request(tools=tools, tool_choice=choice)

    if problem(body) is None:
        assert answered(body)["input_tokens"] >= 0


@settings(max_examples=100)
@given(st.sampled_from(["user", "assistant", "system"]), JSON | st.lists(BLOCK))
def test_no_junk_as_content_breaks_the_simulator(role, junk):
    """The same holds for what a message's content may be."""
    body = request(messages=[USER, {"role": role, "content": junk}, USER], tools=TOOLS)

    if problem(body) is None:
        assert answered(body)["input_tokens"] >= 0
