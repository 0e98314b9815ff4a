"""What is printed, on a terminal of any encoding: ``say``, ``TerminalView`` and a question."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest

import claude_nb
from claude_nb.simulator import Stream
from claude_nb.streaming.block import Block
from claude_nb.tools.permission import PermissionRequest
from claude_nb.views.confirmation import by_input
from claude_nb.views.terminal import say
from tests.played import said

KEY = "sk-" + "ant-api03-0123456789"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "aé\ufffd␛[2J‹U+202E› sk-ant-…\n"), ("latin-1", "aé??[2J?U+202E? sk-ant-?\n")],
)
def test_whatever_is_quoted_can_be_printed(encoding, shown):
    """Visible, without keys, and with a question mark for what the encoding does not have."""
    written = io.BytesIO()
    file = io.TextIOWrapper(written, encoding, newline="", write_through=True)

    say(f"aé\ud83d\x1b[2J\u202e {KEY}", file=file)

    assert written.getvalue().decode(encoding) == shown


def test_a_terminal_that_cannot_show_a_character_loses_no_reply(api):
    """Of an old encoding, such as a console's of Windows."""
    api.enqueue(Stream(said("Hello 😀 wörld.")))
    written = io.BytesIO()

    file = io.TextIOWrapper(written, "latin-1", write_through=True)
    with redirect_stdout(file):
        reply = claude_nb.ask("Hi", view="terminal")

    assert reply.text == "Hello 😀 wörld."
    assert "Hello ? wörld." in written.getvalue().decode("latin-1")


def test_a_question_about_a_call_moves_no_cursor(monkeypatch):
    """The call's name and input are the model's words."""
    asked = []
    monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or "y")
    call = Block(0, 0.0, {"type": "tool_use", "name": "to\x1b[2Jol", "input": {"a\u202e": KEY}})

    assert by_input(PermissionRequest(call)) == "once"
    assert asked == ['Run to␛[2Jol(a‹U+202E›="sk-ant-…")? [y/N] ']
