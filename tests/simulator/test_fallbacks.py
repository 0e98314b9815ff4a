"""The simulator's fallback: its rules, and what an answer by another model looks like."""

from __future__ import annotations

from typing import Any

import pytest

from claude_nb.simulator import fallbacks

ASKED, OTHER = "claude-opus-5-5", "claude-opus-4-8"
HANDOVER = {"type": "fallback", "from": {"model": ASKED}, "to": {"model": OTHER}, "trigger": None}
HI = {"type": "text", "text": "Hi."}
THOUGHT = {"type": "thinking", "thinking": "", "signature": "s"}
HEADERS = {"anthropic-beta": fallbacks.BETA}


def asking(prompt="Please refuse.", model=ASKED, **fields: Any):
    """A request for an answer to this prompt."""
    messages = [{"role": "user", "content": prompt}]
    return {"model": model, "max_tokens": 1000, "messages": messages, **fields}


def after(*content: Any):
    """A request behind a turn with this content."""
    turns = [("user", "Hi"), ("assistant", list(content)), ("user", "And?")]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.mark.parametrize(
    ("request_", "betas", "complaint"),
    [
        (asking(fallbacks="default"), [], "fallbacks: Extra inputs are not permitted"),
        (asking(fallbacks="default"), ["server-side-fallback-2026-06-01"], "Extra inputs"),
        (asking(fallbacks="always"), [fallbacks.BETA], "fallbacks: "),
        (after(HI, HANDOVER, HI), [], "messages.1.content.1: Input tag 'fallback'"),
        (after(THOUGHT, HANDOVER, HI), [fallbacks.BETA], "messages.1.content.0: thinking before"),
        (asking(fallbacks="default"), ["other", fallbacks.BETA], None),
        (after(HI, HANDOVER, THOUGHT, HI), [fallbacks.BETA], None),
    ],
)
def test_what_the_beta_allows(request_, betas, complaint):
    """Its header, its value, and what of a declined turn may come back."""
    error = fallbacks.problem(request_, betas)

    assert (error is None) == (complaint is None)
    assert complaint is None or complaint in error.message


def test_in_a_stream_the_other_model_goes_on(events_of):
    """Behind the text so far; only the end counts both."""
    extra = {"extra_body": {"fallbacks": "default"}, "extra_headers": HEADERS}
    events = events_of(**asking(), **extra)

    begun = [e.content_block.type for e in events if e.type == "content_block_start"]
    assert begun == ["thinking", "text", "fallback", "text"]
    assert events[0].message.model == ASKED
    usage = events[-2].usage.to_dict()
    assert [(i["type"], i["model"]) for i in usage["iterations"]] == [
        ("message", ASKED),
        ("fallback_message", OTHER),
    ]
    assert usage["output_tokens"] == usage["iterations"][1]["output_tokens"]


@pytest.mark.parametrize("prompt", ["Please refuse.", "Refuse at once."])
def test_a_whole_message_holds_the_answer_of_the_other_model_alone(message_of, prompt):
    """Its own name stands on it; what was declined is counted."""
    extra = {"extra_body": {"fallbacks": "default"}, "extra_headers": HEADERS}
    message = message_of(**asking(prompt), **extra)

    declined, _ = message.usage.to_dict()["iterations"]
    assert (message.model, message.content[0].type) == (OTHER, "fallback")
    assert (declined["output_tokens"] > 0) == (prompt == "Please refuse.")


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-haiku-5-5"])
def test_a_model_without_a_fallback_declines(message_of, model):
    """The request runs on it alone."""
    extra = {"extra_body": {"fallbacks": "default"}, "extra_headers": HEADERS}

    assert message_of(**asking(model=model), **extra).stop_reason == "refusal"
