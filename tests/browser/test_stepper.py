"""A page that plays replies, opened as a file and offline: it does what a notebook does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from claude_nb.render import page as pages
from claude_nb.render.timeline import Timeline
from claude_nb.streaming.events import EventLog, RequestSent, ResponseStarted
from tests.browser import axe
from tests.played import block, end, start, text, thinking, tool_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

PIECES = ["## The sky\n\n", "It is **blue**, ", "as $1/\\lambda^4$ says:\n\n", "```python\n"]
PIECES += [f"print({number})  # a line\n" for number in range(30)]
PIECES += ["```\n\n", "| a | b |\n", "| - | - |\n", "| 1 | 2 |\n\n", "The ", "end."]
EVIL = "</script><img src=x onerror=run()><script>run()</script>[a](javascript:run())\u2028"

RULES = """async () => {
    const { violations } = await axe.run(document, {
        preload: false,
        resultTypes: ["violations"],
        rules: {
            "label-content-name-mismatch": { enabled: true }, "target-size": { enabled: true },
        },
    });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}"""

# What a reader sees of the reply, without what the page adds and without the seconds, which are
# drawn ten times a second.
REPLY = """() => {
    const shown = document.querySelector(".claude-nb-screen").cloneNode(true);
    for (const code of shown.querySelectorAll("code > div")) code.replaceWith(...code.childNodes);
    for (const each of shown.querySelectorAll("[tabindex]")) each.removeAttribute("tabindex");
    for (const each of shown.querySelectorAll("details, .claude-nb-inside, .claude-nb-doing"))
        each.replaceWith(...each.childNodes);
    shown.querySelector(".claude-nb").removeAttribute("style");
    const comments = document.createTreeWalker(shown, NodeFilter.SHOW_COMMENT);
    const found = [];
    while (comments.nextNode()) found.push(comments.currentNode);
    for (const comment of found) comment.remove();
    shown.normalize();
    return shown.innerHTML.replace(/[\\d.]+&nbsp;s</, "<");
}"""


def timeline(*wire: Any, prompt: str = "Why is the sky blue?", step: float = 0.1) -> Timeline:
    """The timeline of events that come at even times."""
    log = EventLog()
    params = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    sent = [RequestSent("claude-opus-5-5", simulated=True, params=params), ResponseStarted("r")]
    for number, data in enumerate((*sent, *wire)):
        log.record(number * step, 1, data)
    return Timeline(log, prompt)


WIRE = [start(), *thinking("Hm, ", "waves."), *text(*PIECES, index=1), *end()]
SKY = timeline(*WIRE)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a network."""
    offline = browser.new_context(viewport={"width": 1100, "height": 900})
    offline.set_offline(True)
    yield offline
    offline.close()


@pytest.fixture
def open_file(context: BrowserContext, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a file; at the end nothing else was asked for, and nothing went wrong on the page."""
    opened, asked, wrong = [], [], []

    def open_(html: str) -> Page:
        path = tmp_path / f"{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        page = context.new_page()
        opened.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_
    for page in opened:
        page.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith("file:")] == []


def page_of(*timelines: Timeline, title: str = "") -> str:
    return pages.to_html([each.part() for each in timelines], title)


def test_every_event_by_keyboard(open_file):
    """The reply grows and shrinks with the steps; any way to an event ends in the same picture."""
    page = open_file(page_of(SKY))
    slider = page.get_by_role("slider", name="Event")
    last = len(SKY.steps) - 1
    expect(slider).to_have_value(str(last))
    final = page.locator(".claude-nb-final")
    expect(final).to_contain_text("complete · 5.1 s")
    expect(final).to_contain_text("stop reason")

    page.keyboard.press("ArrowLeft")  # nothing has the focus: the page itself listens
    expect(slider).to_have_value(str(last - 1))
    expect(final).to_be_hidden()
    slider.press("Home")
    expect(page.locator(".claude-nb-inspector")).to_contain_text("request_sent")
    seen = []
    for number in range(last):
        assert slider.input_value() == str(number)
        seen.append(page.evaluate(REPLY))
        slider.press("ArrowRight")
    assert "<em>" not in seen[-1]
    assert all(
        word in seen[-1] for word in ("<strong>blue</strong>", "<math", "<td>2</td>", "end.")
    )
    assert len(set(seen)) > len(PIECES)
    for number in (20, 3, 45, 44, 12, 0, last - 1):
        slider.fill(str(number))
        assert page.evaluate(REPLY) == seen[number]
    for _ in range(12):
        slider.press("ArrowLeft")
    assert page.evaluate(REPLY) == seen[last - 13]
    expect(page.locator("#claude-nb-announcer")).to_contain_text(f"event {last - 12} of {last + 1}")


def test_it_plays_at_its_pace(context, open_file):
    """As fast as it came, or by a factor; paused, the clock of the reply stands still."""
    page = open_file("<!doctype html>")
    page.clock.install()
    page.clock.pause_at(1_800_000_000)
    path = page.url.removeprefix("file://")
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is there
        file.write(page_of(SKY))
    page.reload()
    slider = page.get_by_role("slider", name="Event")
    expect(slider).to_have_value(str(len(SKY.steps) - 1))

    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause (space)")).to_be_visible()
    page.clock.run_for(1_050)
    assert slider.input_value() == "10"
    page.get_by_label("Speed").select_option("4")
    page.clock.run_for(500)
    assert slider.input_value() == "30"
    page.get_by_role("button", name="Pause (space)").press("Enter")
    page.clock.run_for(5_000)
    assert slider.input_value() == "30"
    expect(page.locator(".claude-nb-doing")).to_have_text("· writing · 3.0\u00a0s")

    page.emulate_media(reduced_motion="reduce")
    head = "() => document.querySelector('.claude-nb-playhead:not(.claude-nb-pointer)').style.left"
    page.get_by_label("Speed").select_option("0.25")
    page.get_by_role("button", name="Play (space)").press("Enter")
    before = page.evaluate(head)
    page.clock.run_for(200)  # half of the way to the next event
    assert page.evaluate(head) == before
    page.emulate_media(reduced_motion="no-preference")
    page.clock.run_for(50)
    assert page.evaluate(head) != before
    page.get_by_label("Speed").select_option("16")
    page.clock.run_for(1_000)
    assert slider.input_value() == str(len(SKY.steps) - 1)
    expect(page.get_by_role("button", name="Play (space)")).to_be_visible()
    expect(page.locator(".claude-nb-final")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_use_it(open_file, scheme):
    """At its end and within, on a wide page and a narrow one: axe finds nothing."""
    call = timeline(start(), *tool_use('{"a"', ": 1}"), *end("tool_use"), prompt="Line.\n" * 30)
    page = open_file(page_of(SKY, call, title="Two replies"))
    page.emulate_media(color_scheme=scheme)
    sliders = page.get_by_role("slider")
    expect(sliders).to_have_count(2)
    page.evaluate(AXE_SCRIPT)
    for width, number in ((1100, None), (390, 20)):
        page.set_viewport_size({"width": width, "height": 900})
        if number is not None:
            sliders.first.fill(str(number))
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(RULES) == []
        measured = page.evaluate(axe.MEASURE, [".claude-nb-page", ":not(*)"])
        assert [each for each in measured if each[0] < axe.LEAST] == []
        assert len(measured) > 60


def test_three_of_them_on_a_course_page(open_file, tmp_path):
    """In frames, each steps by itself, and its keys are its own."""
    for name in "abc":
        part = timeline(start(), *text(f"Reply {name}."), *end(), prompt=f"Question {name}?").part()
        pages.save(tmp_path / f"{name}.html", [part])
    frames = "".join(
        f'<iframe src="{name}.html" title="{name}" height="600"></iframe>' for name in "abc"
    )
    page = open_file(f"<!doctype html><title>Course</title><h1>Course</h1>{frames}")
    inside = [page.frame_locator(f'iframe[title="{name}"]') for name in "abc"]
    sliders = [frame.get_by_role("slider") for frame in inside]
    for slider in sliders:
        expect(slider).to_have_value("7")

    sliders[1].press("Home")
    sliders[2].press("ArrowLeft")

    assert [slider.input_value() for slider in sliders] == ["7", "0", "6"]
    expect(inside[0].locator(".claude-nb-final")).to_contain_text("Reply a.")
    expect(inside[2].locator(".claude-nb-screen")).to_contain_text("Reply c.")


def test_without_scripts_and_on_paper(browser, open_file, tmp_path):
    """The reply as it ended, the plain timeline and its table."""
    page = open_file(page_of(SKY))
    expect(page.get_by_role("slider")).to_be_visible()
    page.get_by_role("slider").press("Home")
    plain = browser.new_context(java_script_enabled=False)
    page.emulate_media(media="print")
    for each in (page, plain.new_page()):
        if each is not page:
            each.goto(page.url)
            expect(each.locator("noscript p")).to_be_visible()
        expect(each.locator(".claude-nb-final")).to_be_visible()
        expect(each.locator(".claude-nb-final")).to_contain_text("The end.")
        expect(each.locator(".claude-nb-plain .claude-nb-lanes")).to_be_visible()
        expect(each.get_by_role("cell", name="message_stop")).to_be_visible()
        expect(each.locator(".claude-nb-inspector")).not_to_be_visible()
        expect(each.locator(".claude-nb-screen")).not_to_be_visible()
    plain.close()


def test_a_browser_that_cannot_read_the_data_shows_the_plain_timeline(browser, tmp_path):
    """One of before 2023."""
    pages.save(tmp_path / "page.html", [SKY.part()])
    page = browser.new_page()
    page.add_init_script("delete window.DecompressionStream")
    with page.expect_event("pageerror"):
        page.goto((tmp_path / "page.html").as_uri())
    expect(page.get_by_role("cell", name="message_stop")).to_be_visible()
    assert page.get_by_role("slider").count() == 0
    page.close()


def test_nothing_runs_in_it(context, open_file):
    """Hostile text in every field stays text; the policy would stop a script that got in."""
    hostile = timeline(
        start(model=EVIL, id=EVIL),
        *thinking(EVIL),
        *text(EVIL, f"\n\n```html\n{EVIL}\n```\n", index=1),
        *tool_use(json.dumps({EVIL: EVIL}), name=EVIL, call=EVIL, index=2),
        *block(3, type=EVIL, field=EVIL),
        *end(EVIL),
        prompt=f"{EVIL}\n{EVIL}",
    )
    page = open_file(page_of(hostile, title=EVIL))
    slider = page.get_by_role("slider")
    expect(slider).to_have_value(str(len(hostile.steps) - 1))
    slider.press("Home")
    for _ in hostile.steps:
        slider.press("ArrowRight")
    assert page.evaluate("typeof run") == "undefined"
    assert page.evaluate("document.querySelectorAll('img, a[href^=javascript]').length") == 0
    assert page.evaluate("document.scripts.length") == 2
    other = context.new_page()
    other.goto(page.url)
    refused = other.evaluate(
        """() => new Promise((refused) => {
            document.addEventListener("securitypolicyviolation", (event) => {
                refused(event.violatedDirective);
            });
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
        })"""
    )
    assert refused == "script-src-elem"
    assert other.evaluate("window.ran") is None
    other.close()


def test_of_a_page_that_is_cut_the_first_events_can_be_stepped_through(open_file, monkeypatch):
    """It says so at each event, and shows the reply as it was then."""
    monkeypatch.setattr(pages, "MOST", 20)
    page = open_file(page_of(SKY))
    expect(page.get_by_role("slider")).to_have_value("19")
    expect(page.locator(".claude-nb-inspector")).to_contain_text(
        f"event 20 of {len(SKY.steps)}, the first 20 here"
    )
    expect(page.locator(".claude-nb-note")).to_contain_text("The first 20 of")
    expect(page.locator(".claude-nb-screen")).to_contain_text("print(5)")
    expect(page.locator(".claude-nb-final")).to_be_hidden()
