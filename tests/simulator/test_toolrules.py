"""The simulator refuses what the API refuses about tools."""

from typing import Any

import pytest

from claude_nb.simulator.validation import problem

F = {"name": "f", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
USER = {"role": "user", "content": "Hello"}
TEXT = {"type": "text", "text": "x"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


SETTINGS = [
    ({"max_uses": 0}, ".max_uses: Input should be greater than 0"),
    ({"max_uses": "3"}, ".max_uses: Input should be a valid integer"),
    ({"uses": 3}, ".uses: Extra inputs are not permitted"),
    ({"citations": {"enabled": True}}, ".citations: Extra inputs are not permitted"),
    (
        {"allowed_domains": ["a.org"], "blocked_domains": ["b.org"]},
        ": Cannot specify both allowed_domains and blocked_domains",
    ),
    (
        {"allowed_domains": ["https://a.org"]},
        ".allowed_domains: 'https://a.org' is not a valid domain",
    ),
    ({"user_location": {"city": "Lisbon"}}, ".user_location.type: Input should be 'approximate'"),
    (
        {"user_location": {"type": "approximate", "planet": "Earth"}},
        ".user_location.planet: Extra inputs are not permitted",
    ),
    (
        {"user_location": {"type": "approximate", "country": "Portugal"}},
        ".user_location.country: Input should be a country code of two letters",
    ),
]


def call(identifier="a", **changes: Any):
    return {"type": "tool_use", "id": identifier, "name": "f", "input": {}, **changes}


def result(identifier="a", **changes: Any):
    return {"type": "tool_result", "tool_use_id": identifier, "content": "1", **changes}


def searched(identifier="s"):
    return {"type": "server_tool_use", "id": identifier, "name": "web_search", "input": {}}


def found(identifier="s"):
    return {"type": "web_search_tool_result", "tool_use_id": identifier, "content": []}


def user(*content: Any):
    return {"role": "user", "content": list(content)}


def assistant(*content: Any):
    return {"role": "assistant", "content": list(content)}


def refused(*messages: Any, **changes: Any):
    """Return why a request with these messages is refused, or nothing."""
    base = {"model": "claude-haiku-5-5", "max_tokens": 2000, "tools": [F, SEARCH]}
    error = problem({**base, "messages": list(messages) or [USER], **changes})
    if error is None:
        return None
    assert (error.status, error.type) == (400, "invalid_request_error")
    return error.message


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": []},
        {"tools": [F | {"type": "custom", "eager_input_streaming": None}]},
        {"tools": [F | {"input_schema": {"type": "object", "properties": {"a.b-C_9" * 9: {}}}}]},
        {"tools": [F | {"name": "a-B_9" * 25}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tools": [{"type": "computer_toolset_20260801"}]},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "none"}},
        {"tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "tool", "name": "f"}},
        {"tool_choice": {"type": "tool", "name": "web_search"}},
        {"tools": [], "tool_choice": {"type": "auto"}},
    ],
)
def test_good_tools_pass(changes):
    """What the API takes, the simulator takes."""
    assert refused(**changes) is None


NAME = "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ({"input_schema": F["input_schema"]}, "tools.0.custom.name: Field required"),
        (F | {"name": "my tool"}, NAME),
        (F | {"name": ""}, NAME),
        (F | {"name": "x" * 129}, NAME),
        (F | {"name": 5}, "tools.0.custom.name: Input should be a valid string"),
        ({"name": "f"}, "tools.0.custom.input_schema: Field required"),
        (F | {"input_schema": {}}, "tools.0.custom.input_schema.type: Field required"),
        (
            F | {"input_schema": {"type": "array"}},
            "tools.0.custom.input_schema.type: Input should be",
        ),
        (
            F | {"input_schema": {"type": "object", "anyOf": []}},
            "tools.0.custom.input_schema: input",
        ),
        (
            F | {"input_schema": {"type": "object", "properties": 5}},
            "tools.0.custom.input_schema: JSON schema is invalid.",
        ),
        (
            F | {"input_schema": {"type": "object", "properties": {"größe": {}}}},
            "tools.0.custom.input_schema.properties: Property keys should match pattern",
        ),
        (
            F | {"input_schema": {"type": "object", "properties": {"a" * 65: {}}}},
            "tools.0.custom.input_schema.properties: Property keys should match pattern",
        ),
        (F | {"strict": "yes"}, "tools.0.custom.strict: Input should be a valid boolean"),
        (F | {"eager_input_streaming": 1}, "tools.0.custom.eager_input_streaming: Input should be"),
        (F | {"description": ["x"]}, "tools.0.custom.description: Input should be a valid string"),
        (
            {"type": "web_serch_1", "name": "x"},
            "tools.0: Input tag 'web_serch_1' found using 'type'",
        ),
        ({"type": "bash_20250124"}, "tools.0.bash_20250124.name: Field required"),
        (
            SEARCH | {"name": "search"},
            "tools.0.web_search_20260318.name: Input should be 'web_search'",
        ),
        ("f", "tools.0: Input should be an object"),
        *((SEARCH | wrong, f"tools.0.web_search_20260318{what}") for wrong, what in SETTINGS),
        (SEARCH | {"type": "web_search_20990101"}, "tools.0: Input tag 'web_search_20990101'"),
    ],
)
def test_bad_tools_are_refused_with_a_reason(tool, message):
    """Each is a 400 whose message begins with what is wrong.

    The pattern of property keys: beautyfree/appstore-connect-mcp#2, twilio-labs/mcp#58.
    """
    assert refused(tools=[tool])[: len(message)] == message


def test_versions_that_filter_by_code_need_a_model_that_writes_it():
    """Claude 4.6 and later do; others take them for direct calls alone ("Web search tool")."""
    what = "'claude-haiku-4-5' does not support programmatic tool calling: web_search_20260318"
    direct = SEARCH | {"allowed_callers": ["direct"]}

    assert refused(tools=[SEARCH], model="claude-haiku-4-5") == what
    assert refused(tools=[direct], model="claude-haiku-4-5") is None
    assert refused(tools=[SEARCH], model="claude-opus-4-6") is None


def test_names_are_unique():
    """Also across the client's tools and the API's own."""
    own = {"name": "web_search", "input_schema": {"type": "object"}}

    assert refused(tools=[SEARCH, own]) == "tools: Tool names must be unique."


FORCED = 'tool_choice: type "tool" and "any" are not supported for this model.'


@pytest.mark.parametrize(
    ("choice", "changes", "message"),
    [
        ({}, {}, "tool_choice.type: Input should be 'auto', 'any', 'tool', 'none'"),
        ({"type": "all"}, {}, "tool_choice.type: Input should be 'auto', 'any', 'tool', 'none'"),
        ({"type": "tool"}, {}, "tool_choice.tool.name: Field required"),
        ({"type": "tool", "name": "g"}, {}, "Tool 'g' not found in provided tools"),
        (
            {"type": "any"},
            {"tools": []},
            "tool_choice.any may only be specified while providing tools",
        ),
        (
            {"type": "auto", "disable_parallel_tool_use": "yes"},
            {},
            "tool_choice.auto.disable_parallel_tool_use: Input should be a boolean",
        ),
        (
            {"type": "none", "disable_parallel_tool_use": True},
            {},
            "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted",
        ),
        ({"type": "any"}, {"model": "claude-opus-5-5"}, FORCED),
        ({"type": "tool", "name": "f"}, {"model": "claude-sonnet-5-5"}, FORCED),
        ({"type": "any"}, {"model": "claude-fable-5-1"}, FORCED),
        (
            {"type": "any"},
            {
                "model": "claude-haiku-4-5",
                "tools": [F],
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
    ],
)
def test_bad_choices_are_refused_with_a_reason(choice, changes, message):
    """Their shape, what they name, and where a model or a setting does not go with them."""
    assert refused(tool_choice=choice, **changes) == message


def test_a_forced_choice_is_refused_where_tokens_are_counted():
    """Counting validates as sending does."""
    body = {
        "model": "claude-opus-5-5",
        "messages": [USER],
        "tools": [F],
        "tool_choice": {"type": "any"},
    }

    assert problem(body, counting=True).message == FORCED


@pytest.mark.parametrize(
    "messages",
    [
        [USER, assistant(TEXT, call()), user(result())],
        [USER, assistant(call("a"), call("b")), user(result("b"), result("a"), TEXT)],
        [USER, assistant(call("a"), call("b")), user(result("a")), user(result("b")), USER],
        [USER, assistant(call("a")), assistant(call("b")), user(result("a"), result("b"))],
        [USER, assistant(call()), user(result(content=[TEXT, PNG]))],
        [USER, assistant(call()), user(result(content=[]))],
        [USER, assistant(call()), user(result(is_error=True, content=[TEXT]))],
        [USER, assistant(call("a")), user(result("a")), assistant(call("b")), user(result("b"))],
        [USER, assistant(searched(), found(), TEXT), USER],
        [USER, assistant(searched())],
        [USER, assistant(searched()), assistant(found(), TEXT), USER],
        [USER, assistant(searched(), call()), user(result())],
        [USER, assistant(searched(), call()), user(result()), assistant(found(), TEXT), USER],
    ],
)
def test_calls_with_their_results_pass(messages):
    """In any order, in messages that the API combines, with a text behind them."""
    assert refused(*messages) is None


WITHOUT = "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: "
PAUSED = "`web_search` tool use with id `s`"


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([USER, assistant(call()), USER], f"{WITHOUT}a. Each `tool_use` block must have"),
        ([USER, assistant(call("a"), call("b")), user(result("b"))], f"{WITHOUT}a. "),
        ([USER, assistant(call())], f"{WITHOUT}a. "),
        ([USER, assistant(call()), user(TEXT, result())], f"{WITHOUT}a. "),
        ([USER, assistant(call()), USER, user(result())], f"{WITHOUT}a. "),
        (
            [USER, assistant(call("a"), call("b")), user(result("a"), TEXT, result("b"))],
            f"{WITHOUT}b. ",
        ),
        (
            [user(result())],
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a. Each",
        ),
        (
            [USER, assistant(call()), user(result(), result("b"))],
            "messages.2.content.1: unexpected `tool_use_id` found in `tool_result` blocks: b. Each",
        ),
        (
            [USER, assistant(call()), user(result(), result())],
            "messages.2.content.1: each tool_use must have a single result. Found multiple",
        ),
        (
            [USER, assistant(call(), call()), user(result())],
            "messages.1.content.1: `tool_use` ids must be unique",
        ),
        (
            [USER, assistant(call()), user(result()), assistant(call()), user(result())],
            "messages.3.content.0: `tool_use` ids must be unique",
        ),
        ([user(call())], "messages.0: `tool_use` blocks can only be in `assistant` messages"),
        (
            [USER, assistant(result()), USER],
            "messages.1: `tool_result` blocks can only be in `user` messages",
        ),
        (
            [USER, assistant(call(input="{}")), user(result())],
            "messages.1.content.0.tool_use.input: Input should be an object",
        ),
        (
            [USER, assistant(call(name="my tool")), user(result())],
            "messages.1.content.0.tool_use.name: String should match pattern",
        ),
        (
            [USER, assistant({"type": "tool_use", "id": "a", "name": "f"}), user(result())],
            "messages.1.content.0.tool_use.input: Field required",
        ),
        (
            [USER, assistant(call()), user({"type": "tool_result"})],
            "messages.2.content.0.tool_result.tool_use_id: Field required",
        ),
        (
            [USER, assistant(call()), user(result(is_error="yes"))],
            "messages.2.content.0.tool_result.is_error: Input should be a valid boolean",
        ),
        (
            [USER, assistant(call()), user(result(is_error=True, content=""))],
            "messages.2.content.0.tool_result: content cannot be empty if `is_error` is true",
        ),
        (
            [USER, assistant(call()), user(result(is_error=True, content=[TEXT, PNG]))],
            "messages.2.content.0.tool_result: all content must be type `text` if `is_error`",
        ),
        (
            [USER, assistant(call()), user(result(content=[{"type": "text", "text": ""}]))],
            "messages.2.content.0.content.0: text content blocks must be non-empty",
        ),
        (
            [USER, assistant(searched()), USER],
            f"{PAUSED} was found without a corresponding `web_search_tool_result` block",
        ),
        (
            [USER, assistant(searched(), call()), user(result(), TEXT)],
            f"{PAUSED} was found without a corresponding `web_search_tool_result` block",
        ),
        (
            [USER, assistant(found(), TEXT), USER],
            "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result`",
        ),
    ],
)
def test_calls_without_their_results_are_refused(messages, message):
    """And results without their calls, and either in the wrong place or the wrong form."""
    assert refused(*messages)[: len(message)] == message


def test_calls_need_tools():
    """A request whose messages hold calls or results has to define tools."""
    messages = [USER, assistant(call()), user(result())]

    assert refused(*messages, tools=[]) == (
        "Requests which include `tool_use` or `tool_result` blocks must define tools."
    )


def test_what_waits_needs_its_tool():
    """A turn that was paused goes on with the same tools."""
    assert refused(USER, assistant(searched()), tools=[F]) == (
        f"{PAUSED} is waiting for its result, but no `web_search` tool was provided"
    )
