"""The inspector's side in the kernel: what a page is sent, and how much of it."""

from __future__ import annotations

import json

import pytest

import claude_nb
from claude_nb.magics.options import parse
from claude_nb.render.stepping import encode
from claude_nb.render.timeline import Timeline
from claude_nb.simulator import Stream
from claude_nb.streaming.steps import Steps
from claude_nb.views import inspector
from claude_nb.views.inspector import Inspector, WithTimeline
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
    assert all(one.comm is None for one in closed)


def sent(shown):
    """What this inspector sends from now on: the messages, each with its data read."""
    messages = []
    shown.send = lambda message: messages.append(message | {"data": json.loads(message["data"])})
    return messages


def test_a_page_that_lost_a_message_gets_all(api):
    """From the beginning, whole."""
    api.enqueue(Stream([start(), *thinking("Hm"), *text("Hello", index=1), *end()]))
    reply = claude_nb.ask("Hello", show=False)
    shown = Inspector(Timeline())
    messages = sent(shown)
    shown.advance(reply.events[:5])
    shown.advance(reply.events[:5])
    shown.settle(reply.events)
    shown._receive(None, {"op": "resync"}, None)
    shown._receive(None, "odd", None)

    first, second, whole = messages
    assert (first["from"], second["from"], whole["from"], whole["reset"]) == (0, 5, 0, True)
    rows = [message["data"] for message in messages]
    assert rows[0]["steps"] + rows[1]["steps"] == rows[2]["steps"]
    assert [row["done"] for row in rows] == [False, True, True]
    snapshot = shown.get_state()["snapshot"]
    assert snapshot | {"data": json.loads(snapshot["data"])} == whole
    shown.close()


def test_the_page_gets_the_picture_that_is_saved(api):
    """Drawn once, by Python: of the events so far, with the steps that it shows."""
    api.enqueue(Stream(said("Hello")))
    reply = claude_nb.ask("Hello", show=False)
    shown = Inspector(Timeline())
    messages = sent(shown)
    shown.advance(reply.events[:5])
    shown.settle(reply.events)

    half, whole = (message["data"] for message in messages)
    timeline = reply.timeline()
    assert half["picture"] == Timeline(reply.events[:5]).picture()
    assert whole["picture"] == timeline.picture()
    assert timeline.output().count(timeline.picture()) == 1
    assert (whole["count"], whole["duration"]) == (len(reply.events), timeline.duration)
    shown.close()


def test_a_page_is_sent_so_many_events(api, monkeypatch):
    """Of more there is the picture, and how many there were."""
    monkeypatch.setattr(inspector, "MOST", 5)
    api.enqueue(Stream(said("Hello")))
    reply = claude_nb.ask("Hello", show=False)
    shown = Inspector(Timeline())
    messages = sent(shown)
    for count in (3, 6, 8):
        shown.advance(reply.events[:count])
    assert [(m["from"], len(m["data"]["steps"]), m["data"]["count"]) for m in messages] == [
        (0, 3, 3),
        (3, 2, 6),
        (5, 0, 8),
    ]
    shown.close()


@pytest.mark.kernel
def test_a_page_is_answered_while_the_cell_runs(kernel, simulator):
    """On a thread beside it: a page that missed a message need not wait for the reply's end."""
    client = kernel.client
    subshell = kernel.new_subshell()
    simulator.enqueue(Stream([start(), *text("Hello")[:-1]], end="hang"))
    kernel.start("%%claude --events\nHi", cell="a")

    def wait_for(is_it):
        """The first message to or from a widget that is it."""
        while True:
            message = client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["msg_type"].startswith("comm_") and is_it(content["data"]):
                return content

    opened = wait_for(lambda data: "mark" in data.get("state", {}))
    wait_for(lambda data: "Hello" in data.get("content", {}).get("data", ""))
    data = {"method": "custom", "content": {"op": "resync"}}
    asked = client.session.msg("comm_msg", {"comm_id": opened["comm_id"], "data": data})
    asked["header"]["subshell_id"] = subshell
    client.shell_channel.send(asked)
    answer = wait_for(lambda data: data.get("content", {}).get("reset"))
    assert (answer["comm_id"], answer["data"]["content"]["from"]) == (opened["comm_id"], 0)
    assert "Hello" in answer["data"]["content"]["data"]
    kernel.manager.interrupt_kernel()
    assert kernel.finish()["ename"] == "StoppedError"


class Nothing:
    """A view that shows nothing."""

    def frame(self, reply, now):
        """Nothing."""
        return 0.5

    def settle(self, reply):
        """Nothing."""


def test_a_timeline_that_grows_is_drawn_a_few_times_a_second(api):
    """Four at most, however often the reply itself is."""
    api.enqueue(Stream(said("Hello")))
    reply = claude_nb.ask("Hello", show=False)
    events = reply.events
    view = WithTimeline(Nothing(), live=True)
    messages = sent(view._inspector)
    for number, now in enumerate((100.0, 100.1, 100.2, 9000.0, 9000.1)):
        reply.events = events[: number + 1]
        view.frame(reply, now)
    assert [message["data"]["count"] for message in messages] == [1, 4]
    view._inspector.close()


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

    monkeypatch.setattr("claude_nb.magics.magics._warm_up", lambda _: ())
    shell = InteractiveShell()
    shown = []
    monkeypatch.setattr("claude_nb.views.choice.show_timeline", shown.append)
    timeline = Timeline(())
    load(shell)
    assert shell.display_formatter.format(timeline) == ({}, {})
    unload(shell)
    assert "text/html" in shell.display_formatter.format(timeline)[0]
    assert shown == [timeline]
