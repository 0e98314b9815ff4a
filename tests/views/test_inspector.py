"""The inspector's side in the kernel: what a page is sent, and how much of it."""

from __future__ import annotations

import json

import pytest

import claude_nb
from claude_nb.magics.options import parse
from claude_nb.simulator import Stream
from claude_nb.streaming.steps import Steps
from claude_nb.views import inspector
from claude_nb.views.inspector import Inspector, WithTimeline, encode
from tests.played import GOOD, block, end, recorded, said, start, text, thinking, tool_use


def decoded(row, lanes):
    """The step that the page makes of what it is sent: its event, and its changes."""
    *_, number, kind, added, event, changes = row
    field = {"text_delta": "text", "thinking_delta": "thinking"}.get(kind, "partial_json")
    if event == 0:
        delta = {"type": kind, field: added}
        event = {"type": "content_block_delta", "index": lanes[number].block, "delta": delta}
    return event, [["grow", changes, field, added]] if isinstance(changes, int) else changes


@pytest.mark.parametrize("name", [name for name in GOOD if name != "pause_turn"])
def test_what_is_sent_is_what_came(api, name):
    """A shorter form of a step says all that the step does."""
    api.enqueue(Stream(recorded(name)))
    steps = Steps()
    for step in steps.take(claude_nb.ask("Hello", show=False).events):
        assert decoded(encode(step), steps.lanes) == (step.event, step.changes)


def test_ten_thousand_events_are_a_small_message(api):
    """About forty bytes each, beside the text itself."""
    pieces = [{"type": "text_delta", "text": f"word{number} "} for number in range(10_000)]
    api.enqueue(Stream([start(), *block(0, *pieces, type="text", text=""), *end()]))
    reply = claude_nb.ask("Hello", show=False)
    rows = json.dumps([encode(step) for step in Steps().take(reply.events)])
    assert len(rows) < len(reply.text) + 60 * len(reply.events)


def test_an_event_of_any_size_is_cut(api):
    """What a search found may be megabytes."""
    found = {"type": "web_search_tool_result", "content": "x" * 100_000}
    api.enqueue(Stream([start(), *block(0, **found), *end()]))
    (row,) = (
        encode(step)
        for step in Steps().take(claude_nb.ask("Hello", show=False).events)
        if step.kind == "content_block_start"
    )
    assert len(row[5]) < 20_100
    assert row[5].endswith(" more characters")


def test_only_a_few_are_kept_alive(api):
    """The oldest becomes the plain timeline again: a kernel does not fill with widgets."""
    api.enqueue(Stream(said("Hello")))
    timeline = claude_nb.ask("Hello", show=False).timeline()
    kept = Inspector._kept
    for _ in range(12):
        inspector.inspect(timeline)
    assert len(kept) == 8
    closed = list(kept)
    while kept:
        kept.pop().close()
    assert all(one._widget.comm is None for one in closed)


def test_a_page_that_lost_a_message_gets_all(api):
    """From the beginning, whole."""
    api.enqueue(Stream([start(), *thinking("Hm"), *text("Hello", index=1), *end()]))
    reply = claude_nb.ask("Hello", show=False)
    shown = Inspector()
    sent = []
    shown._widget.send = sent.append
    shown.advance(reply.events[:5])
    shown.advance(reply.events, done=True)
    shown._receive(None, {"op": "resync"}, None)
    shown._receive(None, "odd", None)

    first, second, whole = sent
    assert (first["from"], second["from"], whole["from"], whole["reset"]) == (0, 5, 0, True)
    rows = [json.loads(message["data"]) for message in sent]
    assert rows[0]["steps"] + rows[1]["steps"] == rows[2]["steps"]
    assert [row["done"] for row in rows] == [False, True, True]
    assert json.loads(shown._widget.get_state()["snapshot"]) == rows[2]
    shown.close()


class Nothing:
    """A view that shows nothing."""

    def frame(self, reply, now):
        """Nothing."""
        return 0.5

    def settle(self, reply):
        """Nothing."""


def test_without_a_page_the_timeline_is_shown_at_the_end(api, capsys):
    """On a terminal with characters."""
    api.enqueue(Stream([start(), *tool_use("{}"), *end("tool_use")]))
    reply = claude_nb.ask("Hello", show=False)
    view = WithTimeline(Nothing(), live=False)
    assert view.frame(reply, 0.0) == 0.5
    view.settle(reply)
    assert capsys.readouterr().out.startswith("The stream · ")


def test_the_cell_has_an_option_for_it(api, capsys):
    """``--events``, as an argument ``events`` of ``ask``."""
    assert parse("--events Why?", {}) == ({"events": True}, "Why?")
    api.enqueue(Stream(said("Hello")))
    claude_nb.ask("Hello", view="terminal", events=True)
    assert "\nThe stream · 8 events" in capsys.readouterr().out


def test_loading_the_extension_makes_timelines_live(monkeypatch):
    """IPython asks for each timeline that it shows; unloading ends that."""
    from IPython.core.interactiveshell import InteractiveShell

    from claude_nb.magics.magics import load, unload
    from claude_nb.render.timeline import Timeline

    monkeypatch.setattr("claude_nb.magics.magics._warm_up", lambda _: ())
    shell = InteractiveShell()
    shown = []
    monkeypatch.setattr("claude_nb.asking.asking.show_timeline", shown.append)
    timeline = Timeline(())
    load(shell)
    assert shell.display_formatter.format(timeline) == ({}, {})
    unload(shell)
    assert "text/html" in shell.display_formatter.format(timeline)[0]
    assert shown == [timeline]
