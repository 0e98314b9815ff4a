"""Thinking comes back as it was sent, or it is refused."""

import random
from typing import Any

import pytest

from claude_nb.simulator import wire
from claude_nb.simulator.scripts import answer_to
from claude_nb.simulator.signatures import signature, signed
from claude_nb.simulator.validation import problem

TOOL = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
BOUND = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1"]
BOUND += ["claude-fable-5-2", "claude-mythos-5-2"]
UNBOUND = ["claude-opus-5", "claude-sonnet-5"]
INVALID = "messages.1.content.0: Invalid `signature` in `thinking` block"


def user(content):
    return {"role": "user", "content": content}


def talk(model, *more: Any, display="summarized", **options: Any):
    """Return a request that goes on after an answer with thinking and a call of a tool."""
    asked = {
        "model": model,
        "max_tokens": 1000,
        "system": "Be brief.",
        "tools": [TOOL],
        "messages": [user("now")],
        "thinking": {"type": "adaptive", "display": display},
    }
    given = signed(answer_to(asked, random.Random(0)), asked)
    content = [wire.whole(written, display) for written in given.content]
    result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": "twelve"}
    said = [*asked["messages"], {"role": "assistant", "content": content}, user([result]), *more]
    return {**asked, "messages": said, **options}


def message(error):
    return error.message if error else None


@pytest.mark.parametrize("display", ["summarized", "omitted"])
@pytest.mark.parametrize("model", [*BOUND, *UNBOUND])
def test_thinking_is_taken_back_as_it_was_sent(model, display):
    """Shown or not, with a mark for the cache elsewhere, and with other output settings."""
    body = talk(model, user("And now?"), display=display, output_config={"effort": "low"})
    body["messages"][0]["content"] = [
        {"type": "text", "text": "now", "cache_control": {"type": "ephemeral"}}
    ]

    assert problem(body) is None


@pytest.mark.parametrize(
    "change",
    [
        {"thinking": "Something else."},
        {"signature": ""},
        {"signature": signature("x")[:-12]},
        {"signature": signature("x")[:-1] + "!"},
        {"signature": signature("Something else.")},
    ],
)
@pytest.mark.parametrize("model", [BOUND[0], UNBOUND[0]])
def test_thinking_that_was_changed_is_refused(model, change):
    """The signature belongs to the text, on every model."""
    body = talk(model)
    body["messages"][1]["content"][0] |= change

    assert message(problem(body)) == INVALID


def test_a_signature_is_checked_where_the_thinking_is_not_shown():
    """An empty text has one that is the simulator's own, whole."""
    body = talk(UNBOUND[0], display="omitted")
    thought = body["messages"][1]["content"][0]
    thought["signature"] = thought["signature"][:-8] + "AAAAAAA="

    assert thought["thinking"] == ""
    assert message(problem(body)) == INVALID


@pytest.mark.parametrize("field", ["thinking", "signature"])
def test_thinking_has_a_text_and_a_signature(field):
    """Both fields must be there, even where the text is empty."""
    body = talk(UNBOUND[0])
    del body["messages"][1]["content"][0][field]

    assert message(problem(body)) == f"messages.1.content.0.thinking.{field}: Field required"


def test_signatures_of_others_pass():
    """They belong to streams that a test has made up."""
    body = talk(BOUND[0])
    body["messages"][1]["content"][0] |= {"thinking": "Hm.", "signature": "signed"}

    assert problem(body) is None


CHANGES = {
    "other tools": {"tools": [TOOL | {"description": "x"}]},
    "system prompt": {"system": "Be long."},
    "no system prompt": {"system": None},
    "tools": {"tools": [TOOL, TOOL | {"name": "later"}]},
    "an earlier message": {"first": "now, please"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_thinking_is_bound_to_what_stood_before_it(change):
    """On the models that bind it; on others, it goes with any conversation."""
    for model in [BOUND[0], UNBOUND[0]]:
        body = talk(model)
        if "first" in change:
            body["messages"][0] = user(change["first"])
        else:
            body |= change
        refused = message(problem(body)) or ""

        assert refused.startswith(f"{INVALID}. The block is bound to a different") == (
            model in BOUND
        )


def test_thinking_of_models_that_do_not_bind_it_goes_with_any_conversation():
    """Also on a model that binds its own."""
    body = talk(UNBOUND[0], system="Be long.")

    assert problem({**body, "model": BOUND[0]}) is None


def longer(model, *numbers: int):
    """Return a request with three turns that begin with thinking, of which some are left out."""
    body = {"model": model, "max_tokens": 1000, "messages": [user("think")]}
    for _ in range(3):
        given = signed(answer_to(body, random.Random(1)), body)
        content = [wire.whole(w, "omitted") for w in given.content]
        turns = [{"role": "assistant", "content": content}, user("And think again")]
        body = {**body, "messages": [*body["messages"], *turns]}
    for number in numbers:
        assert body["messages"][2 * number - 1]["content"].pop(0)["type"] == "thinking"
    return body


@pytest.mark.parametrize(
    ("left_out", "refused"),
    [((), False), ((1,), False), ((1, 2), False), ((3,), False), ((1, 2, 3), False), ((2,), True)],
)
def test_thinking_can_be_left_out_but_for_a_gap(left_out, refused):
    """From the start, from the end, or all ("Thinking", read 2026-10-08), where it is bound."""
    error = message(problem(longer(BOUND[0], *left_out)))

    assert (error is not None) == refused
    assert not refused or "messages.5.content.0: Invalid `signature`" in error
    assert problem(longer("claude-sonnet-5", *left_out)) is None


def test_thinking_cannot_be_put_back():
    """What was left out when a later thought came stays out ("Thinking", read 2026-10-08)."""
    body = longer(BOUND[0])
    without = {**body, "messages": [*longer(BOUND[0], 1, 2, 3)["messages"]]}
    given = signed(answer_to(without, random.Random(1)), without)
    last = {"role": "assistant", "content": [wire.whole(w, "omitted") for w in given.content]}

    assert problem({**without, "messages": [*without["messages"], last, user("x")]}) is None
    assert "messages.7" in message(
        problem({**body, "messages": [*body["messages"], last, user("x")]})
    )


def test_thinking_is_bound_to_there_being_no_tools():
    """Tools that are added change what stood before it ("Thinking", read 2026-10-08)."""
    assert "messages.1" in message(problem({**longer(BOUND[0]), "tools": [TOOL]}))


def test_thinking_is_bound_across_messages_that_the_api_combines():
    """How a turn is cut into messages makes no difference."""
    body = talk(BOUND[0], user("Hello"))
    given = signed(answer_to(body, random.Random(1)), body)
    last = {"role": "assistant", "content": [wire.whole(w, "omitted") for w in given.content]}
    first, called, *results = body["messages"]
    together = user([*results[0]["content"], {"type": "text", "text": "Hello"}])

    assert problem({**body, "messages": [first, called, together, last, user("x")]}) is None
