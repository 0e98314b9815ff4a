"""The simulator refuses what the API refuses."""

import copy
import random
from collections.abc import Collection, Iterable
from typing import Any, get_args, get_type_hints

import pytest
from anthropic.types import AnthropicBetaParam
from anthropic.types.beta.message_create_params import (
    MessageCreateParamsNonStreaming as BetaParams,
)
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
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
        {"inference_geo": "us", "model": "claude-sonnet-4-6"},
        {"speed": "fast", "model": "claude-fable-5-2"},
        {"system": [MARKED] * 4},
        {"max_tokens": 0},
        {"container": "container_1"},
        {"container": {"id": "container_1", "skills": []}},
    ],
)
def test_good_requests_pass(changes):
    """What the API takes, the simulator takes."""
    assert problem(request(**changes)) is None


BROUGHT = {
    "billing_policy": "user-profiles-billing-2026-10-01",
    "compaction": "compact-2026-09-04",
    "context_management": "context-management-2025-06-27",
    "fallback_credit_token": "fallback-credit-2026-07-01",
    "fallbacks": "server-side-fallback-2026-07-01",
    "mcp_servers": "mcp-client-2025-11-20",
    "thread": "message-threads-2026-08-12",
}
"""Fields of the SDK's beta types, and a beta that brings each."""


@pytest.mark.parametrize(("name", "beta"), BROUGHT.items())
def test_a_field_of_a_beta_needs_its_beta(name, beta):
    """Another beta does not bring it; counting takes some of them."""
    body = request(**{name: None})
    unknown = f"{name}: Extra inputs are not permitted"

    assert problem(body, [beta]) is None
    assert problem(body).message == unknown
    assert problem(body, ["skills-2025-10-02"]).message == unknown
    counted = name in {"billing_policy", "compaction", "context_management", "mcp_servers"}
    assert (problem(body | {"max_tokens": 9}, [beta], counting=True) is None) is False
    assert (
        problem(request(max_tokens=..., **{name: None}), [beta], counting=True) is None
    ) is counted


def permitted(names: Iterable[str], betas: Collection[str] = (), *, counting: bool = False):
    """Those of the fields that the simulator knows, whatever value they need."""
    least = request(max_tokens=...) if counting else request()
    errors = {name: problem({name: None} | least, betas, counting=counting) for name in names}
    unknown = {name: f"{name}: Extra inputs are not permitted" for name in names}
    return {name for name, e in errors.items() if e is None or e.message != unknown[name]}


def test_the_fields_are_those_of_the_sdk_s_types():
    """Of messages and of counting, with betas and without."""
    params = (MessageCreateParamsNonStreaming, BetaParams, MessageCountTokensParams)
    in_headers = {"betas", "user_profile_id", "workspace_id"}
    create, beta, count = ({*get_type_hints(kind)} - in_headers for kind in params)

    assert permitted(beta) == create
    assert permitted(beta, BROUGHT.values()) == beta
    assert permitted(beta, counting=True) == count


def test_every_beta_about_messages_is_known():
    """Those of the SDK's list that are about other endpoints, or about none any more, are not."""
    names = get_args(get_args(AnthropicBetaParam)[1])
    refused = {name for name in names if problem(request(), [name]) is not None}

    assert {name.rpartition("-20")[0] for name in refused} == {
        *("managed-agents", "dreaming", "agent-memory", "spend-limit-reads", "webhooks", "efs"),
        *("telemetry-destinations", "admin-user-sign-out", "analytics-usage-cost"),
        *("ce-plugins", "ce-user-management", "ce-claude-code-managed-settings"),
        *("experimental-claude-tag", "google-managed-data-controls", "dev-full-thinking"),
    }
    error = problem(request(), ["mcp-client-2025-11-20", "no-such-beta", "other"])
    assert error.message == (
        "Unexpected value(s) `no-such-beta`, `other` for the `anthropic-beta` header."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"metadata": "me"}, "metadata: Input should be an object"),
        ({"metadata": {"user": "me"}}, "metadata.user: Extra inputs are not permitted"),
        ({"metadata": {"user_id": 1}}, "metadata.user_id: Input should be a valid string"),
        ({"service_tier": "best"}, "service_tier: Input should be 'auto' or 'standard_only'"),
        ({"speed": "slow"}, "speed: Input should be 'standard' or 'fast'"),
        ({"speed": "fast", **SONNET}, "speed: claude-sonnet-5-5 has no fast mode"),
        ({"speed": "fast", "model": "claude-opus-4-8"}, "speed: claude-opus-4-8 has no fast mode"),
        ({"inference_geo": 1}, "inference_geo: Input should be a valid string"),
        (
            {"inference_geo": "us", "model": "claude-haiku-4-5"},
            "inference_geo: claude-haiku-4-5 does not support it",
        ),
        (
            {"inference_geo": "global", "model": "claude-opus-4-5"},
            "inference_geo: claude-opus-4-5 does not support it",
        ),
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
            "thinking.type: claude-haiku-4-5 does not accept 'adaptive', only enabled",
        ),
        (
            {"thinking": {"type": "adaptive", "budget_tokens": 2000}},
            "thinking.adaptive.budget_tokens: Extra inputs are not permitted",
        ),
        (
            {"thinking": {"type": "disabled", "display": "omitted"}, "model": "claude-sonnet-5"},
            "thinking.disabled.display: Extra inputs are not permitted",
        ),
        (
            {"thinking": {"type": "adaptive", "display": "all"}},
            "thinking.adaptive.display: Input should be 'summarized' or 'omitted'",
        ),
        (
            {"stop_sequences": [" "]},
            "stop_sequences: each stop sequence must contain non-whitespace",
        ),
        ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
        ({"messages": [{"role": [], "content": "x"}]}, "messages.0.role: Input should be"),
        (
            {"tool_choice": {"type": []}, "max_tokens": 0},
            "tool_choice.type: Input should be a valid",
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


THINKING = {
    "fable-5-2 mythos-5-2 fable-5-1 mythos-5-1 fable-5 mythos-5 opus-5-5": ["adaptive"],
    "sonnet-5-5": ["adaptive", "between_tools"],
    "haiku-5-5 opus-5 sonnet-5 opus-4-8 opus-4-7": ["adaptive", "disabled"],
    "opus-4-6 sonnet-4-6": ["adaptive", "enabled", "disabled"],
    "opus-4-5 haiku-4-5": ["enabled", "disabled"],
}


@pytest.mark.parametrize(("models", "taken"), THINKING.items())
def test_a_model_takes_its_types_of_thinking_alone(models, taken):
    """Every other type is refused.

    platform.claude.com/docs, "Thinking" (read 2026-10-08); "What's new in Claude Fable 5.2" (read
    2026-11-30) for 5.2.
    """
    forms = {
        "adaptive": {"type": "adaptive"},
        "enabled": {"type": "enabled", "budget_tokens": 1024},
        "disabled": {"type": "disabled"},
        "between_tools": {"type": "between_tools"},
    }
    for model in models.split():
        asked = [request(model=f"claude-{model}", thinking=form) for form in forms.values()]
        refused = dict(zip(forms, map(problem, asked), strict=True))
        assert [kind for kind, error in refused.items() if error is None] == taken


def test_a_retired_model_is_not_found():
    """As one that never was."""
    for model in ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-mythos-preview"):
        error = problem(request(model=model))
        assert (error.status, error.type) == (404, "not_found_error")


EFFORTS = ["low", "medium", "high", "xhigh", "max"]
DISABLED = {"type": "disabled"}


@pytest.mark.parametrize(
    ("model", "thinking", "taken"),
    [
        ("haiku-4-5", None, []),
        ("opus-4-5", None, ["low", "medium", "high"]),
        ("opus-4-6", None, ["low", "medium", "high", "max"]),
        ("sonnet-4-6", None, ["low", "medium", "high", "max"]),
        ("opus-5-5", None, EFFORTS),
        ("opus-5", None, EFFORTS),
        ("opus-5", DISABLED, ["low", "medium", "high"]),
        ("haiku-5-5", DISABLED, ["low", "medium", "high"]),
        ("sonnet-5", DISABLED, EFFORTS),
        ("sonnet-5-5", {"type": "between_tools"}, ["low", "medium", "high"]),
        ("sonnet-5-5", {"type": "adaptive"}, EFFORTS),
    ],
)
def test_a_model_takes_its_efforts_alone(model, thinking, taken):
    """Every other effort is refused, one that there is not among them.

    platform.claude.com/docs, "Effort" (read 2026-08-13); "What's new in Claude Sonnet 5.5" (read
    2026-09-29) for thinking between tools.
    """
    asked = request(model=f"claude-{model}", **({"thinking": thinking} if thinking else {}))
    refused = {e: problem({**asked, "output_config": {"effort": e}}) for e in [*EFFORTS, "huge"]}

    assert [effort for effort, error in refused.items() if error is None] == taken
    assert refused["huge"].message.startswith("output_config.effort: claude-")


def test_effort_is_refused_where_tokens_are_counted():
    """Counting validates as sending does (platform.claude.com/docs, "Token counting")."""
    asked = request(max_tokens=..., model="claude-haiku-4-5", output_config={"effort": "low"})

    assert problem(asked, counting=True).message == (
        "output_config.effort: claude-haiku-4-5 (thinking: not set) accepts none, not 'low'"
    )


SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("messages", "model", "message"),
    [
        ([USER, SYSTEM], "claude-opus-5-5", None),
        ([USER, SYSTEM, ASSISTANT, USER], "claude-opus-4-8", None),
        ([USER, SYSTEM], "claude-sonnet-5", "messages.1.role: claude-sonnet-5 takes no system"),
        ([USER, SYSTEM], "claude-opus-4-7", "messages.1.role: claude-opus-4-7 takes no system"),
        ([SYSTEM, USER], "claude-opus-5-5", "messages.0.role: a system message must follow a user"),
        (
            [USER, ASSISTANT, SYSTEM, USER],
            "claude-opus-5-5",
            "messages.2.role: a system message must follow a user message",
        ),
        (
            [USER, SYSTEM, USER],
            "claude-opus-5-5",
            "messages.1.role: a system message must follow a user message",
        ),
        (
            [USER, {"role": "system", "content": [{"type": "image"}]}],
            "claude-opus-5-5",
            "messages.1.content.0.type: Input should be 'text'",
        ),
    ],
)
def test_system_messages_have_their_place(messages, model, message):
    """Behind the user, last or before the assistant, and not on every model.

    platform.claude.com/docs, "Thinking" (read 2026-10-08); the SDK's ``SystemMessageParam``.
    """
    error = problem(request(messages=messages, model=model))

    assert (error and error.message[: len(message)]) == message


def texts(*written: str):
    return [{"type": "text", "text": text} for text in written]


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (" ", True),
        ("\n\t", True),
        (texts(" "), True),
        (texts(" ", "\n"), True),
        ([{"type": "image"}, *texts("\n")], True),
        (texts(" ", "real"), False),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_blank_text_is_refused(role, content, refused):
    """Where a message has no other text: measured in LibreChat-AI/agents#124."""
    error = problem(request(messages=[USER, {"role": role, "content": content}, USER]))

    assert (error is not None) == refused
    assert not refused or error.message == (
        "messages.1.content: text content blocks must contain non-whitespace text"
    )


def test_a_prefill_ends_in_no_blank():
    """On a model that takes one: anomalyco/opencode#1295, tailcallhq/forgecode#1872."""
    turns = [USER, {"role": "assistant", "content": "Hi "}]

    assert problem(request(messages=turns, model="claude-haiku-4-5")).message == (
        "messages: final assistant content cannot end with trailing whitespace"
    )
    assert problem(request(messages=[*turns, USER], model="claude-haiku-4-5")) is None


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


SCHEMA = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "number"]) | JSON,
            **dict.fromkeys(("enum", "const", "$ref", "default", "required", "format"), JSON),
            "additionalProperties": st.just(False) | JSON,
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array"]),
            "additionalProperties": st.just(False),
            **dict.fromkeys(
                ("properties", "$defs"), st.dictionaries(st.sampled_from("ab"), inner) | JSON
            ),
            "items": inner,
            "anyOf": st.lists(inner) | JSON,
            "allOf": st.lists(inner, min_size=1),
            "$ref": st.sampled_from(["#", "#/$defs/a", "#/properties/b"]),
        },
    ),
    max_leaves=4,
)


@settings(max_examples=150)
@given(SCHEMA | JSON)
def test_no_junk_as_a_schema_breaks_the_simulator(schema):
    """A form is refused, or it is answered with a value."""
    body = request(output_config={"format": {"type": "json_schema", "schema": schema}})

    if problem(body) is None:
        assert answered(body)["input_tokens"] >= 0


WHOLE: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 2000,
    "system": [MARKED],
    "tools": [*TOOLS, {"type": "web_search_20260318", "name": "web_search"}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
    "cache_control": {"type": "ephemeral", "ttl": "5m"},
    "diagnostics": {"previous_message_id": None},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "string"}}},
    "stop_sequences": ["x"],
    "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "x"}}]},
        CALL,
        RESULT,
    ],
}


def places(value, path=()):
    """Return the path of every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


@settings(max_examples=300)
@given(st.sampled_from(list(places(WHOLE))), JSON, st.booleans())
def test_no_junk_anywhere_breaks_the_simulator(path, junk, counting):
    """Each field of a request with all of them, at any depth: refused, or answered."""
    body = copy.deepcopy(WHOLE)
    *outer, last = path
    inside: Any = body
    for key in outer:
        inside = inside[key]
    inside[last] = junk

    if problem(body, counting=counting) is None and not counting:
        assert answered(body)["input_tokens"] >= 0


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
