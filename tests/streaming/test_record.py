"""Records of replies: what is written can be read, and what is read is checked."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import pytest

from claude_nb.cost.usage import Usage
from claude_nb.errors import InputError
from claude_nb.streaming.record import RecordedUsage, TurnRecord, of_several, spendings

TURN = TurnRecord(
    conversation="notebook",
    id="2",
    parent="1",
    cell="abc",
    asked="2026-11-23T10:00:00.000+00:00",
    prompt="Why?",
    content=[{"type": "text", "text": "Why?"}],
    text="Because.",
)


def through_json(value):
    """As it comes out of a notebook."""
    return json.loads(json.dumps(value))


def test_a_turn_that_was_written_is_read_back():
    """All of its fields."""
    assert TurnRecord.from_dict(through_json({"turn": TURN.to_dict()})) == TURN


def test_attachments_beyond_the_limit_are_named_instead():
    """Those that fit are saved, in their order."""
    images = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * n}}
        for n in (600_000, 600_000, 400_000)
    ]

    content = dataclasses.replace(TURN, content=images).to_dict()["content"]

    note = {"type": "text", "text": "[image of 0.6 MB: not saved]"}
    assert content == [images[0], note, images[2]]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("conversation", None, "the conversation's name is not text"),
        ("id", " ", "its id is empty"),
        ("id", "x" * 101, "its id or its parent's is not an id"),
        ("parent", 1, "its id or its parent's is not an id"),
        ("prompt", 7, "its prompt is not text"),
        ("text", None, "its answer is not text"),
    ],
)
def test_a_turn_that_was_edited_names_the_field(field, value, what):
    """The rest of the notebook is read all the same."""
    with pytest.raises(InputError) as raised:
        TurnRecord.from_dict({"turn": TURN.to_dict() | {field: value}})

    assert raised.value.what == what


def test_a_record_of_several_is_simulated_if_one_of_them_is():
    """A reader sees at the top that not all of it is Claude's."""
    records = [{"simulated": False}, {"simulated": True}]

    assert of_several(records, comparison=["a", "b"]) == {
        "version": 1,
        "simulated": True,
        "comparison": ["a", "b"],
        "replies": records,
    }


NO_COUNTS = replace(Usage.unknown(), web_searches=0)


def test_a_batch_is_paid_for_once_by_its_id():
    """In whatever number of records it stands; a part without its usage is unknown."""
    used = {"requests": 3, "usage": {"input_tokens": 5}, "cost_usd": 0.5}
    record = {"simulated": True, "batch": {"spent": {"b1": used, "b2": {"requests": 1}}}}

    found = spendings(record, "digest")

    assert list(found) == ["b1", "b2"]
    assert (found["b1"].requests, found["b1"].cost, found["b1"].usage.input_tokens) == (3, 0.5, 5)
    assert found["b2"] == RecordedUsage(1, simulated=True, usage=NO_COUNTS, cost=None)
