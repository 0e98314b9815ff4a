"""The timeline as it stays in a notebook: figures, lanes, gaps; small, and nothing in it runs."""

from __future__ import annotations

import re
from typing import Any

import claude_nb
from claude_nb.errors import ClaudeError, OverloadedError
from claude_nb.render.timeline import COLUMNS, MOST_LANES, MOST_ROWS, Timeline, gradient, tick
from claude_nb.simulator import Stream
from claude_nb.streaming.events import (
    Failed,
    RequestSent,
    ResponseStarted,
    Resumed,
    Stopped,
    StreamEvent,
    ToolRan,
    ToolStarted,
    Waiting,
)
from tests.played import block, end, start, text, thinking, tool_use


def timed(*happened: tuple[float, Any]):
    """Events at these times: ``(seconds, data)``, data being ours or the wire's JSON."""
    events, attempt = [], 0
    for at, what in happened:
        attempt += isinstance(what, RequestSent)
        events.append(StreamEvent(len(events), 1000.0 + at, attempt, what))
    return events


def stream(*wire: dict[str, Any], each=0.1, began=0.0):
    """A whole request whose events come at an even pace."""
    sent = [RequestSent("claude-opus-5-5", simulated=True), ResponseStarted("req_1")]
    return [(began + each * number, data) for number, data in enumerate([*sent, *wire])]


TALK = [start(), *thinking("Hm, ", "well."), *text("Hello", " world", index=1), *end()]


def words(html):
    """What is read of it."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_figures_are_those_of_the_events():
    """Time to the first event and text, how long, how many, how fast; and whose they are."""
    timeline = Timeline(timed(*stream(*TALK)))

    shown = words(timeline._repr_html_())

    assert "The stream · 14 events · first event 0.2 s · first text 0.9 s · total 1.3 s" in shown
    assert "simulated" in shown
    assert "replayed" not in shown
    rate = timeline.rate
    assert (rate.unit, len(rate.bars)) == ("tokens/s", 60)
    assert round(sum(rate.bars) * 1.3 / 60, 6) == 15.0  # as the server counted
    assert "Tokens are counted at the end" in shown


def test_without_a_count_characters_are_shown():
    """And it is said that it is so."""
    timeline = Timeline(timed(*stream(*TALK[:-2])))

    assert timeline.rate.unit == "characters/s"
    assert "so characters are shown." in words(timeline._repr_html_())


def test_each_block_has_its_lane_with_its_marks():
    """In the order in which they began, each with its number of events."""
    calls = tool_use('{"a"', ": 1}", index=2)
    timeline = Timeline(timed(*stream(*TALK[:-2], *calls, *end("tool_use"))))

    shown = words(timeline._repr_html_())

    order = ["request 5 events", "thinking 5 events", "text 4 events", "tool_use look_up 4 events"]
    assert [lane for lane in order if lane in shown] == order
    assert sorted(order, key=shown.index) == order


def test_a_timeline_that_grows_is_as_if_made_at_once():
    """Event by event, the same drawing."""
    events = timed(*stream(*TALK))
    growing = Timeline()
    for event in events:
        (step,) = growing.take([event])
        assert step == growing.steps[-1]
    whole = Timeline(events)
    assert (growing.output(), repr(growing)) == (whole.output(), repr(whole))


def test_an_even_pace_is_drawn_without_gaps():
    """Marks nearly as close as columns leave columns out, which are no pauses; others are."""
    each, pause = 0.0125, 0.1  # columns are 0.01 s
    times = [each * number for number in range(96)] + [1.2 + pause, 2.4]
    pieces = [{"type": "text_delta", "text": "x"} for _ in times]
    first, *deltas, last = block(0, *pieces, type="text", text="")
    happened = [(0.0, first), *zip(times, deltas, strict=True), (2.4, last)]
    html = Timeline(timed((0.0, RequestSent("claude-opus-5-5")), *happened)).output()
    marks = re.search(r'title="text: .*?(linear-gradient\(.*?\))', html)[1]
    between = re.findall(r"#d07a5533 ([\d.]+)% ([\d.]+)%", marks)
    assert [round(float(start)) for start, _ in between] == [50, 54]


def test_waits_seams_and_tool_runs_are_there():
    """A wait is as long as it was; what ended it and what went on have marks of their own."""
    error = OverloadedError("Claude is overloaded.")
    first = stream(start(), *text("Hel")[:-1])
    again = stream(*TALK, began=3.0)
    waits = [(0.5, Waiting(error, 2.5, 0.0, 2, 5)), (2.9, Resumed(error))]
    timeline = Timeline(timed(*first, *waits, *again))

    html = timeline._repr_html_()

    assert "#c08a1e88 " in html  # the wait
    assert html.count("#c08a1e ") >= 2
    assert "thinking · 2" in words(html)
    assert "Claude is overloaded." in words(html)


def test_a_tool_run_is_in_the_lane_of_its_call():
    """As long as it ran, and said in words."""
    first = stream(start(), *tool_use("{}"), *end("tool_use"))
    ran = [(1.0, ToolStarted("toolu_1")), (1.8, ToolRan("toolu_1", ()))]
    timeline = Timeline(timed(*first, *ran, *stream(*TALK, began=2.0)))

    html = timeline._repr_html_()

    assert timeline.steps[8].lane == timeline.steps[9].lane == 1
    assert "#4c9a7088 " in html
    assert "look_up ran for 0.8 s." in words(html)
    assert "tool_ran" in words(html)


def test_how_it_ended_is_marked():
    """In the colour of what went wrong."""
    for data, colour in [(Stopped(), "#c08a1e"), (Failed(ClaudeError("No.")), "#d0453a")]:
        assert colour in Timeline(timed(*stream(*TALK[:3]), (2.0, data)))._repr_html_()


def test_no_events_one_event_and_no_time():
    """There is something to say about each."""
    assert words(Timeline([])._repr_html_()).strip() == "The stream · no events"
    assert repr(Timeline([])) == "The stream · no events"
    one = Timeline(timed((0.0, RequestSent("claude-opus-5-5"))))
    assert "The stream · 1 event" in words(one._repr_html_())
    assert "1 event" in repr(one)
    at_once = Timeline(timed(*stream(*TALK, each=0.0)))
    assert (at_once.rate, at_once.duration) == (None, 0.0)
    assert "14 events" in words(at_once._repr_html_())
    assert "text" in repr(at_once)


def test_a_clock_that_jumps_is_said_to():
    """What came before stays visible."""
    events = timed(*stream(*TALK))
    late = [e._replace(time=e.time + 9000 * (e.seq > 8)) for e in events]
    shown = words(Timeline(late)._repr_html_())
    assert "A silence of 150 min 00 s is drawn as 1 min 30 s: the clock jumped." in shown
    back = [e._replace(time=e.time - 5 * (e.seq > 8)) for e in events]
    assert "The clock went back" in words(Timeline(back)._repr_html_())


def test_ten_thousand_events_stay_small():
    """In the notebook: marks share places, rows of the table are runs."""
    pieces = [{"type": "text_delta", "text": f"word{number} "} for number in range(10_000)]
    wire = [start(), *block(0, *pieces, type="text", text=""), *end()]
    timeline = Timeline(timed(*stream(*wire, each=0.01)))

    assert len(timeline._repr_html_()) < 25_000
    assert "10,000 × text_delta" in words(timeline._repr_html_())


def test_a_reply_of_hundreds_of_blocks_stays_small():
    """The last lane is that of many, and the middle of the table is left out."""
    wire = [event for index in range(300) for event in text("Hello", index=index)]
    timeline = Timeline(timed(*stream(start(), *wire, *end())))

    html = timeline._repr_html_()

    assert len(html) < 80_000
    assert f"{300 - MOST_LANES + 2} more blocks" in words(html)
    assert html.count("<tr>") == 2 * MOST_ROWS + 2
    assert "more rows" in words(html)


def test_what_a_server_sends_is_text_in_it():
    """Escaped, and without keys; nothing of it is a style or a script."""
    key = "sk-" + "ant-0123456789"
    wire = tool_use("{}")
    wire[0]["content_block"]["name"] = "<script>x()</script>"
    odd = {"type": "<b>odd</b>", "text": key}
    said = text(f'<img src=x onerror=x()>" {key}', index=1)
    html = Timeline(timed(*stream(start(), *wire, *said, odd)))._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>odd" not in html
    assert "0123456789" not in html
    assert "var(" not in html
    assert "<style" not in html


def test_in_a_terminal_it_is_drawn_with_characters(api):
    """The same lanes."""
    api.enqueue(Stream(TALK))
    shown = repr(claude_nb.ask("Hello", show=False).timeline()).splitlines()
    assert re.match(r"The stream · 14 events · first event .* · simulated", shown[0])
    assert [line.split()[0] for line in shown[1:4]] == ["request", "thinking", "text"]
    assert shown[4].strip().startswith("0 s")


def test_a_row_of_colours_is_a_gradient():
    """A stop for each run; what is empty is see-through."""
    assert gradient(["", "", "#fff", ""]) == (
        "linear-gradient(90deg,#0000 0% 50%,#fff 50% 75%,#0000 75% 100%)"
    )
    assert len(gradient(["#fff", ""] * (COLUMNS // 2))) < 6000


def test_the_axis_has_round_figures():
    """At most five."""
    assert [tick(span) for span in (0.9, 4.7, 10, 30, 61)] == [0.2, 1, 2, 10, 20]
