"""What stays in the notebook."""

from __future__ import annotations

import json

import pytest

from claude_nb.cost.models import as_of
from claude_nb.render.saved_output import metadata, mimebundle
from claude_nb.streaming.events import RequestSent, ResponseStarted
from tests.played import said
from tests.streaming.test_progress import ACCEPTED, SENT, progress


def test_three_forms():
    """HTML for notebooks, Markdown for what prefers it, text for the rest."""
    forms = mimebundle(progress(SENT, ACCEPTED, *said("**Hello**")))

    assert list(forms) == ["text/html", "text/markdown", "text/plain"]
    assert "<strong>Hello</strong>" in forms["text/html"]
    assert all("Hello" in form for form in forms.values())


def test_the_record():
    """What a program needs to know later, in plain JSON: seconds, USD, None for unknown."""
    record = metadata(progress(SENT, ACCEPTED, *said("Hello")))["claude_nb"]

    assert json.loads(json.dumps(record)) == record
    assert record.pop("cost_usd") == pytest.approx(0.0004)
    assert record == {
        "version": 1,
        "model": "claude-opus-5-5",
        "simulated": False,
        "outcome": "complete",
        "stop_reason": "end_turn",
        "request_ids": ["req_1"],
        "usage": {
            "input_tokens": 25,
            "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0,
            "cache_read_tokens": 0,
            "output_tokens": 15,
            "thinking_tokens": None,
        },
        "price_list_date": as_of(),
        "timing": {"first_event": 2.0, "first_text": 4.0, "total": 7.0, "tokens_per_second": 3.0},
    }


def test_no_key_in_the_record():
    """Not even one that was typed where the model's id belongs."""
    key = "sk-" + "ant-0123"

    assert key not in str(metadata(progress(RequestSent(key), ResponseStarted(key))))
    assert key not in str(mimebundle(progress(RequestSent(key), ResponseStarted(key))))
