"""The inspector in real front ends: it draws while the stream comes, and every step is true."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.lab import FRONT_ENDS
from tests.played import end, start, text, thinking, tool_use

INSPECTOR = ".claude-nb-inspector"
PLAIN = ".claude-nb-timeline"
MESSAGE = [
    start(),
    *thinking("First, ", "count."),
    *tool_use('{"by": ', '"growth"}', index=1),
    *text("The *answer* ", "is \u202e42", " 🙂.", index=2),
    *end("tool_use"),
]
TRUTH = """\
import json
import re
from claude_nb.streaming.progress import Progress
from claude_nb.streaming.steps import view
progress, seen = Progress(), []
for event in reply.events:
    progress.apply(event)
    seen.append(view(progress.last))
print(json.dumps(seen))"""


PLACES = """inspector => {
    const box = selector => inspector.querySelector(selector).getBoundingClientRect();
    const [axis, head, lane] = [".claude-nb-axis", ".claude-nb-playhead:last-child",
        ".claude-nb-lane"].map(box);
    return {
        share: (head.left + head.width / 2 - axis.left) / axis.width,
        beside: [lane.left - axis.left, lane.width - axis.width],
        below: axis.top - head.bottom,
        above: lane.top - head.top > 0,
    };
}"""
"""Where the playhead is on the axis, and the axis below the lanes."""


def test_the_timeline_draws_while_the_stream_comes(open_cells, simulator):
    """Marks are there before the end; what is saved afterwards is the plain timeline alone."""
    simulator.enqueue(Stream(MESSAGE[:14], delay=0.02, end="hang"))
    notebook = open_cells("%%claude --events\nhello")
    notebook.run(1)
    inspector = notebook.output(1).locator(INSPECTOR)
    expect(inspector).to_contain_text("16 events")
    expect(inspector.get_by_role("slider")).to_have_value("15")
    expect(inspector).to_have_attribute("aria-busy", "true")
    assert inspector.locator(".claude-nb-lanes > div > div:first-child").all_text_contents() == [
        "",
        "request",
        "thinking",
        "tool_use look_up",
        "text",
        "characters/s",
        "",
    ]
    for lane in inspector.locator(".claude-nb-lane").all():
        assert "linear-gradient" in lane.evaluate("e => getComputedStyle(e).backgroundImage")
    notebook.output(1).get_by_role("button", name="Stop").click()
    notebook.wait_idle()
    expect(inspector).to_have_attribute("aria-busy", "false")
    expect(inspector).to_contain_text("17 events")
    saved = notebook.saved()
    timeline = saved.cells[1].outputs[1]
    assert set(timeline.data) == {"text/html", "text/plain"}
    assert "linear-gradient" in timeline.data["text/html"]
    assert "widgets" not in saved.metadata
    assert notebook.errors == []


def test_the_message_is_the_real_one_at_every_step(open_cells, simulator):
    """Step by step to the end, and back again: what the kernel's own reducer says."""
    simulator.enqueue(Stream(MESSAGE))
    notebook = open_cells("reply = claude_nb.ask('hello', show=False)\nreply.timeline()", TRUTH)
    for index in (1, 2):
        notebook.run(index)
        notebook.wait_idle()
    expect(notebook.output(2)).to_have_text(re.compile(r"\]\s*$"))
    truth = json.loads(notebook.text(2))
    inspector = notebook.output(1).locator(INSPECTOR)
    wire, message = inspector.locator("pre").all()
    slider = inspector.get_by_role("slider")
    slider.press("Home")
    seen, events = [], []
    for number in range(len(truth)):
        expect(slider).to_have_value(str(number))
        seen.append(json.loads(message.text_content()))
        events.append(json.loads(wire.text_content())["type"])
        slider.press("ArrowRight")
    assert seen == truth
    assert events[:3] == ["request_sent", "response_started", "message_start"]
    assert events[-1] == "message_stop"
    for number in reversed(range(len(truth))):
        expect(slider).to_have_value(str(number))
        assert json.loads(message.text_content()) == truth[number]
        slider.press("ArrowLeft")
    # What hides or turns text around is seen as its number.
    slider.press("End")
    assert "\\u202e42" in message.text_content()
    assert notebook.errors == []


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_keys_step_play_and_pause(open_cells, simulator, front_end):
    """Arrows, Home, End and space; the notebook's own keys do not hear of it."""
    simulator.enqueue(Stream(MESSAGE, delay=0.15))
    cell = "reply = claude_nb.ask('hello', show=False)\nreply.timeline()"
    notebook = open_cells(cell, front_end=front_end)
    notebook.run(1)
    notebook.wait_idle()
    inspector = notebook.output(1).locator(INSPECTOR)
    slider = inspector.get_by_role("slider")
    slider.press("Home")
    expect(slider).to_have_value("0")
    slider.press("Shift+ArrowRight")
    expect(slider).to_have_value("10")
    slider.press("ArrowLeft")
    expect(slider).to_have_value("9")
    expect(notebook.page.locator("#claude-nb-announcer")).to_contain_text("event 10 of")
    inspector.get_by_role("combobox", name="Speed").select_option("1/8 ×")
    slider.press("Space")
    expect(inspector.get_by_role("button", name="Pause")).to_be_visible()
    expect(slider).to_have_value(str(len(MESSAGE) + 1))
    expect(inspector.get_by_role("button", name="Play")).to_be_visible()
    slider.press("Space")
    expect(slider).not_to_have_value(str(len(MESSAGE) + 1))
    inspector.get_by_role("button", name="Pause").press("Space")
    before = slider.input_value()
    for key in ("d", "d", "a", "b", "x"):
        slider.press(key)
    assert slider.input_value() == before
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == 2
    assert notebook.errors == []


def test_a_place_on_the_picture_is_an_event(open_cells, simulator):
    """The pointer shows the event below it, and a click goes there."""
    simulator.enqueue(Stream(MESSAGE, delay=0.02))
    notebook = open_cells("reply = claude_nb.ask('hello', show=False)\nreply.timeline()")
    notebook.run(1)
    notebook.wait_idle()
    inspector = notebook.output(1).locator(INSPECTOR)
    lanes = inspector.locator(".claude-nb-lane")
    request, thinking = lanes.nth(0), lanes.nth(1)
    width = request.bounding_box()["width"]
    request.hover(position={"x": width - 3, "y": 10})
    expect(inspector.locator(".claude-nb-pane-head").first).to_contain_text("under the pointer")
    expect(inspector.locator(".claude-nb-pointer")).to_be_visible()
    thinking.click(position={"x": width - 3, "y": 10})
    expect(inspector.locator(".claude-nb-event-line")).to_contain_text("· thinking · ")
    request.click(position={"x": 2, "y": 10})
    expect(inspector.get_by_role("slider")).to_have_value("0")
    expect(inspector.get_by_role("slider")).to_be_focused()
    notebook.page.mouse.move(0, 0)
    expect(inspector.locator(".claude-nb-pointer")).to_be_hidden()


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_playhead_is_on_the_axis_of_the_picture(open_cells, simulator, front_end):
    """At the time of its event, however wide the page is, and as high as the lanes."""
    simulator.enqueue(Stream(MESSAGE, delay=0.02))
    notebook = open_cells(
        "timeline = claude_nb.ask('hello', show=False).timeline()\ntimeline",
        "print([step.time / timeline.duration for step in timeline.steps])",
        front_end=front_end,
    )
    for index in (1, 2):
        notebook.run(index)
        notebook.wait_idle()
    expect(notebook.output(2)).to_have_text(re.compile(r"\]\s*$"))
    shares = json.loads(notebook.text(2))
    inspector = notebook.output(1).locator(INSPECTOR)
    slider = inspector.get_by_role("slider")
    for width in (1200, 600, 420):
        notebook.page.set_viewport_size({"width": width, "height": 900})
        for key, number in (("Home", 0), ("Shift+ArrowRight", 10), ("End", len(shares) - 1)):
            slider.press(key)
            expect(slider).to_have_value(str(number))
            places = inspector.evaluate(PLACES)
            assert places["share"] == pytest.approx(shares[number], abs=0.002), (width, number)
            assert places["beside"] == pytest.approx([0, 0], abs=0.1)
            assert places["below"] == pytest.approx(0, abs=0.1)
            assert places["above"]
    assert notebook.errors == []


def test_a_reader_who_steps_back_stays_there(open_cells, simulator):
    """The picture grows, and the playhead stays at its event; at the last one it follows."""
    words = [f"word{number} " for number in range(60)]
    growing = [start(), *text(*words)[:-1]]
    simulator.enqueue(Stream(growing, delay=0.05, end="hang"))
    notebook = open_cells("%%claude --events\nhello")
    notebook.run(1)
    inspector = notebook.output(1).locator(INSPECTOR)
    slider = inspector.get_by_role("slider")
    expect(inspector).to_contain_text("first text")
    slider.press("Home")
    expect(inspector).to_contain_text(f"{len(growing) + 2} events")
    assert slider.input_value() == "0"
    assert inspector.evaluate(PLACES)["share"] == pytest.approx(0, abs=0.002)
    slider.press("End")
    notebook.output(1).get_by_role("button", name="Stop").click()
    notebook.wait_idle()
    expect(slider).to_have_value(str(len(growing) + 2))
    assert inspector.evaluate(PLACES)["share"] == pytest.approx(1, abs=0.002)
    assert notebook.errors == []


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_a_saved_timeline_needs_no_kernel(open_cells, simulator, trusted):
    """Figures, lanes and the table of events, whoever opens the file."""
    simulator.enqueue(Stream(MESSAGE, delay=0.01))
    notebook = open_cells("%%claude --events\nhello")
    notebook.run(1)
    notebook.wait_idle()
    expect(notebook.output(1).locator(INSPECTOR)).to_contain_text("total")
    notebook.reopen_without_kernel(trusted=trusted)
    timeline = notebook.output(1).locator(PLAIN)
    expect(timeline).to_contain_text(f"The stream · {len(MESSAGE) + 2} events")
    assert notebook.output(1).locator(INSPECTOR).count() == 0
    lane = timeline.locator("[title^='thinking: ']")
    assert "linear-gradient" in lane.evaluate("e => getComputedStyle(e).backgroundImage")
    assert lane.bounding_box()["width"] > 300
    timeline.locator("summary").click()
    expect(timeline.locator("table")).to_contain_text("stop_reason tool_use, output_tokens 15")


def test_after_a_reload_the_inspector_is_there_again(open_cells, simulator):
    """As long as the kernel is."""
    simulator.enqueue(Stream(MESSAGE))
    notebook = open_cells("reply = claude_nb.ask('hello', show=False)\nreply.timeline()")
    notebook.run(1)
    notebook.wait_idle()
    inspector = notebook.output(1).locator(INSPECTOR)
    expect(inspector.get_by_role("slider")).to_have_value(str(len(MESSAGE) + 1))
    notebook.saved()
    notebook.reload()
    expect(inspector.get_by_role("slider")).to_have_value(str(len(MESSAGE) + 1))
    inspector.get_by_role("slider").press("Home")
    expect(inspector).to_contain_text("request_sent")


def test_ten_thousand_events_can_be_stepped_through(open_cells, simulator):
    """From one end to the other, a step writes the event and the message anew and no more."""
    pieces = [f"word{number} " for number in range(10_000)]
    simulator.enqueue(Stream([start(), *text(*pieces), *end()]))
    notebook = open_cells("reply = claude_nb.ask('hello', show=False)\nreply.timeline()")
    notebook.run(1)
    notebook.wait_idle()
    inspector = notebook.output(1).locator(INSPECTOR)
    slider = inspector.get_by_role("slider")
    expect(slider).to_have_value("10006")
    added = slider.evaluate(
        """slider => {
            const watch = new MutationObserver(() => {});
            watch.observe(slider.getRootNode(), { subtree: true, childList: true });
            for (const key of ["Home", "End", "ArrowLeft"])
                slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            const added = watch.takeRecords().flatMap(record => [...record.addedNodes]);
            watch.disconnect();
            return added.length;
        }"""
    )
    assert added < 1000
    expect(inspector.locator("pre").last).to_contain_text("word9999")
