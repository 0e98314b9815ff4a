"""What is sent beside the package's options: checked, and shown without secrets."""

from __future__ import annotations

import math

import pytest

from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request

CIRCLE: dict[str, object] = {}
CIRCLE["itself"] = CIRCLE
SERVER = {
    "type": "url",
    "url": "https://mcp.example/sse",
    "name": "docs",
    "authorization_token": "a-token-of-mine",
}
TOOL = {"name": "look_up", "input_schema": {"type": "object"}}
FORCIBLE = {"model": "claude-haiku-5-5", "tools": (TOOL,)}


def refusal(**fields: object):
    """What is said about a request that cannot be sent."""
    with pytest.raises(InputError) as raised:
        Request("Hello", **fields)  # type: ignore[arg-type]
    return str(raised.value)


def test_half_a_character_becomes_a_replacement_character():
    """As in prompts: it has no form in UTF-8."""
    given = Request("Hi", extra={"\ud83d": "\ud83d"}, stop_sequences=["a\ud83d"]).params()

    assert given["extra_body"] == {"\ufffd": "\ufffd"}
    assert given["stop_sequences"] == ["a\ufffd"]


def test_each_has_its_place_in_what_is_sent():
    """Fields of the body, and a header; what is not given is not sent."""
    given = Request(
        "Hello",
        stop_sequences=["END", "\n\nHuman:"],
        metadata={"user_id": "a1"},
        extra={"service_tier": "auto"},
        betas=["files-api-2025-04-14", "skills-2025-10-02", "files-api-2025-04-14"],
        tool_choice="look_up",
        **FORCIBLE,
    ).params()
    absent = Request("Hello", stop_sequences=[], metadata={}, extra={}, betas=[]).params()

    assert given["stop_sequences"] == ["END", "\n\nHuman:"]
    assert given["metadata"] == {"user_id": "a1"}
    assert given["extra_body"] == {"service_tier": "auto"}
    assert given["extra_headers"] == {"anthropic-beta": "files-api-2025-04-14,skills-2025-10-02"}
    assert given["tool_choice"] == {"type": "tool", "name": "look_up"}
    assert absent.keys() == {"model", "max_tokens", "messages", "thinking"}


def test_what_is_passed_may_be_changed_afterwards():
    """The request has a copy."""
    extra = {"mcp_servers": [dict(SERVER)]}
    request = Request("Hello", extra=extra)

    extra["mcp_servers"].clear()

    assert request.params()["extra_body"] == {"mcp_servers": [SERVER]}


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        *((name, f"Use {name}=.") for name in ("model", "max_tokens", "system", "thinking")),
        *((name, f"Use {name}=.") for name in ("tools", "stream", "stop_sequences")),
        *((name, f"Use {name}=.") for name in ("tool_choice", "metadata", "betas")),
        ("anthropic-beta", "Use betas=."),
        ("output_config", "Use effort= or output=."),
        ("messages", "The prompt and the conversation make them."),
        ("cache_control", "A CachedSystem as the system prompt marks what is to be cached."),
        ("container", "It is sent where code of a paused turn has run."),
    ],
)
def test_fields_that_are_set_elsewhere_are_refused(name, advice):
    """By name, and with what to use instead."""
    said = refusal(extra={name: 1})

    assert said.startswith(f"extra cannot hold {name}")
    assert said.endswith(advice)


def test_options_are_named_as_in_cells_there():
    """With dashes, and as cells call them."""
    assert refusal(extra={"max_tokens": 1}, in_cell=True).endswith("Use --max-tokens.")
    assert refusal(extra={"stream": 1}, in_cell=True).endswith("Use --no-stream.")
    assert refusal(extra={"output_config": 1}, in_cell=True).endswith("Use --effort or --json.")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"a": {"b": [1, math.nan]}}, 'extra["a"]["b"][1] is nan, which JSON does not support.'),
        ({"a": math.inf}, 'extra["a"] is inf, which JSON does not support.'),
        ({"a": {1, 2}}, 'extra["a"] is of type set, which JSON does not support.'),
        ({"a": b"x"}, 'extra["a"] is of type bytes, which JSON does not support.'),
        ({1: 2}, "extra has the key 1; JSON keys must be strings."),
        ({"a": {None: 2}}, 'extra["a"] has the key None; JSON keys must be strings.'),
        (CIRCLE, "extra is nested too deeply, or contains itself."),
    ],
)
def test_what_json_does_not_have_is_refused(extra, said):
    """With the place where it stands."""
    assert refusal(extra=extra).startswith(said)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"betas": ["a,b"]}, "'a,b' is not a valid beta name."),
        ({"betas": ["a\r\nx-evil: 1"]}, "'a\\r\\nx-evil: 1' is not a valid beta name."),
        ({"betas": [""]}, "'' is not a valid beta name."),
        ({"betas": [1]}, "1 is not a valid beta name."),
        ({"stop_sequences": ["END", " \n"]}, "The stop sequence ' \\n' is blank."),
        ({"stop_sequences": [1]}, "A stop sequence must be a string, not 1."),
        ({"metadata": {"user": "x"}}, "metadata takes user_id, not 'user'."),
        ({"metadata": {"user_id": 7}}, "metadata takes user_id, a string, not 7."),
    ],
)
def test_what_the_api_would_not_take_is_refused(fields, said):
    """Before it is sent."""
    assert refusal(**fields).startswith(said)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("lookup", "There is no tool 'lookup' to choose. Did you mean look_up?"),
        (" ", "tool_choice is empty."),
        ({"type": "some"}, "tool_choice has no type 'some'. Use auto, any, tool or none."),
        ({}, "tool_choice has no type None."),
        ({"type": "tool"}, "tool_choice does not name a tool."),
        ({"type": "auto", "name": "look_up"}, "tool_choice of the type auto takes no 'name'."),
        (
            {"type": "none", "disable_parallel_tool_use": True},
            "tool_choice of the type none takes no 'disable_parallel_tool_use'.",
        ),
        (
            {"type": "any", "disable_parallel_tool_use": "yes"},
            "tool_choice: disable_parallel_tool_use cannot be 'yes'.",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_refused(choice, said):
    """With what there is."""
    assert refusal(tool_choice=choice, **FORCIBLE).startswith(said)


@pytest.mark.parametrize("choice", ["any", "look_up", {"type": "tool", "name": "look_up"}])
def test_a_model_that_cannot_be_forced_is_not(choice):
    """It would answer 400; a choice that forces nothing is sent."""
    asked = {"model": "claude-opus-5-5", "tools": (TOOL,)}

    said = refusal(tool_choice=choice, **asked)
    sent = Request("Hello", tool_choice="auto", **asked).params()

    assert said.startswith("claude-opus-5-5 cannot be forced to call a tool.")
    assert sent["tool_choice"] == {"type": "auto"}


def test_a_tool_is_not_forced_while_the_model_thinks_or_where_there_is_none():
    """Both are errors of the API."""
    thinking = {"thinking": 2000, "model": "claude-haiku-4-5", "tools": (TOOL,)}

    assert refusal(tool_choice="any", **thinking).startswith("A tool cannot be forced while")
    assert refusal(tool_choice="any", **{**FORCIBLE, "tools": ()}).startswith(
        "tool_choice needs a tool, and there is none."
    )


def test_secrets_are_hidden_by_the_names_of_their_fields():
    """Everything below such a field; numbers and counts of tokens are none."""
    params = {
        "max_tokens": 5,
        "extra_body": {
            "mcp_servers": [SERVER],
            "headers": {"X-Api-Key": "k", "Authorization": ["Bearer x"]},
            "credentials": {"user": "me", "password": "p"},
            "accessToken": "t",
            "budget_tokens": 1000,
            "tokens": "many",
            "clientSecret": "s",
        },
    }

    assert without_secrets(params) == {
        "max_tokens": 5,
        "extra_body": {
            "mcp_servers": [{**SERVER, "authorization_token": "[redacted]"}],
            "headers": {"X-Api-Key": "[redacted]", "Authorization": ["[redacted]"]},
            "credentials": {"user": "[redacted]", "password": "[redacted]"},
            "accessToken": "[redacted]",
            "budget_tokens": 1000,
            "tokens": "many",
            "clientSecret": "[redacted]",
        },
    }
    assert SERVER["authorization_token"] == "a-token-of-mine"
    assert "a-token" not in repr(Request("Hello", extra={"mcp_servers": [SERVER]}))


def test_secrets_are_redacted_everywhere_and_words_are_not():
    """A value of eight characters or more that is no word; the scheme before it is none either."""
    Request("Hello", extra={"headers": {"authorization": "Bearer abc-123-xyz", "auth": "required"}})

    assert redact("Bearer abc-123-xyz is required") == "[redacted] is required"
    assert redact("abc-123-xyz") == "[redacted]"
