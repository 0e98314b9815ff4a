"""Compaction on demand in the simulator: as strict as its documentation, and labelled."""

from __future__ import annotations

import anthropic
import pytest

from claude_nb.simulator.signatures import signature

BETA = {"anthropic-beta": "compact-2026-09-04"}
TALK = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "What is a train?"},
    {"role": "assistant", "content": "A row of carriages."},
]
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
SUMMARIZE = {"compaction": {"type": "summarize"}}
SIGNED = {"type": "compaction", "content": "Trains.", "signature": signature("Trains.")}


def request(messages=TALK, body=SUMMARIZE, headers=BETA, **fields: object):
    """The arguments of a request for a summary, or of one that brings one back."""
    base = {"model": "claude-opus-5-5", "max_tokens": 4000, "messages": messages}
    return {**base, **fields, "extra_body": body, "extra_headers": headers}


def brought(*blocks: object):
    """A request that brings blocks back, and asks something."""
    messages = [{"role": "assistant", "content": list(blocks)}, TALK[0]]
    return request(messages, None)


def test_a_summary_comes_alone_and_is_counted_by_itself(message_of):
    """It is signed, says that it is simulated, and the counts at the top are zero."""
    message = message_of(**request())

    (block,) = message.content
    assert (message.stop_reason, block.type) == ("compaction", "compaction")
    assert block.content.startswith("A simulated summary, which says nothing of what")
    assert "2 questions of the user. The last one: “What is a train?”" in block.content
    assert block.signature == signature(block.content)
    used = message.usage.to_dict()
    assert (used["input_tokens"], used["output_tokens"]) == (0, 0)
    (step,) = used["iterations"]
    assert (step["type"], step["input_tokens"] > 10, step["output_tokens"] > 10) == (
        "compaction",
        True,
        True,
    )


def test_it_comes_whole_in_a_stream(events_of):
    """One start with all of it, one stop, and no delta between them."""
    events = events_of(**request())

    kinds = [event.type for event in events]
    assert "content_block_delta" not in kinds
    assert events[kinds.index("content_block_start")].content_block.type == "compaction"
    assert events[kinds.index("message_delta")].delta.stop_reason == "compaction"


def test_too_few_tokens_bring_nothing(message_of):
    """It is billed all the same."""
    message = message_of(**request(max_tokens=5))

    assert (message.content, message.stop_reason) == ([], "max_tokens")
    assert message.usage.to_dict()["iterations"][0]["input_tokens"] > 10


def test_a_summary_is_taken_back(message_of):
    """First, alone or before the rest of its message; then it can be summarised again."""
    assert message_of(**brought(SIGNED)).stop_reason == "end_turn"
    again = message_of(**request([{"role": "assistant", "content": [SIGNED]}, *TALK]))
    assert "after what an earlier summary stands for" in again.content[0].content


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (request(headers={}), "requires anthropic-beta: compact-2026-09-04"),
        (brought(SIGNED) | {"extra_headers": {}}, "'compaction' is not one of the types"),
        (request(body={"compaction": {"type": "delete"}}), "Input should be 'summarize'"),
        (
            request(body={"compaction": {"type": "summarize", "trigger": 1}}),
            "compaction.trigger: Extra inputs are not permitted",
        ),
        (
            request(
                body=SUMMARIZE | {"context_management": {"edits": []}},
                headers={"anthropic-beta": "compact-2026-09-04,context-management-2025-06-27"},
            ),
            "context_management: cannot be combined",
        ),
        (request(stop_sequences=["x"]), "stop_sequences: cannot be combined"),
        (
            request(tools=TOOLS, tool_choice={"type": "any"}, model="claude-opus-5"),
            "tool_choice: cannot be combined",
        ),
        (request([TALK[0], CALL], tools=TOOLS), "compaction_incomplete_turn"),
        (request(model="claude-haiku-4-5"), "does not support it"),
        (brought(SIGNED, SIGNED), "compaction_block_ambiguous"),
        (
            request([*TALK, {"role": "assistant", "content": [SIGNED]}, TALK[0]], None),
            "compaction_block_misplaced",
        ),
        (brought(SIGNED | {"content": "Cars."}), "compaction_content_mismatch"),
        (brought(SIGNED | {"signature": ""}), "compaction_signature_invalid"),
        (brought(SIGNED | {"citations": []}), "Extra inputs are not permitted"),
    ],
)
def test_what_the_documentation_forbids_is_refused(message_of, asked, error):
    """With the API's codes in the message, where it has them."""
    with pytest.raises(anthropic.BadRequestError, match=error):
        message_of(**asked)


def test_a_prompt_beyond_the_window_is_refused(message_of):
    """Before anything is generated."""
    asked = request([{"role": "user", "content": "word " * 170_000}], None)

    with pytest.raises(anthropic.BadRequestError, match="too long: 212500 tokens > 200000 maximum"):
        message_of(**asked | {"model": "claude-haiku-4-5"})
