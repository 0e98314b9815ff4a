"""What stays in the notebook."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

from claude_nb.cost.models import as_of
from claude_nb.render import saved_output
from claude_nb.render.saved_output import mimebundle
from claude_nb.streaming.events import RequestSent, ResponseStarted
from claude_nb.streaming.record import MIME
from tests.played import said
from tests.streaming.test_progress import ACCEPTED, SENT, progress


def test_three_forms():
    """HTML for notebooks, Markdown for what prefers it, text for the rest; and the record."""
    reply = progress(SENT, ACCEPTED, *said("**Hello**"))

    forms = mimebundle(reply)

    assert forms.pop(MIME) == saved_output.record(reply)
    assert list(forms) == ["text/html", "text/markdown", "text/plain"]
    assert "<strong>Hello</strong>" in forms["text/html"]
    assert all("Hello" in form for form in forms.values())


def test_the_record():
    """What a program needs to know later, in plain JSON: seconds, USD, None for unknown."""
    record = saved_output.record(progress(SENT, ACCEPTED, *said("Hello")))

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

    assert key not in str(saved_output.record(progress(RequestSent(key), ResponseStarted(key))))
    assert key not in str(mimebundle(progress(RequestSent(key), ResponseStarted(key))))


def test_readers_of_notebooks_pass_the_record_over(caplog):
    """The file is a valid notebook, and what nbconvert makes of it is the reply alone."""
    data = mimebundle(progress(SENT, ACCEPTED, *said("**Hello**")))
    cell = new_code_cell("%%claude\nHi", outputs=[new_output("display_data", data)])
    notebook = nbformat.reads(nbformat.writes(new_notebook(cells=[cell])), 4)
    nbformat.validate(notebook)
    assert notebook.cells[0].outputs[0].data == data

    pages = [make().from_notebook_node(notebook)[0] for make in (HTMLExporter, MarkdownExporter)]

    for page in pages:
        assert "<strong>Hello</strong>" in page
        assert "request_ids" not in page
    assert not caplog.messages
