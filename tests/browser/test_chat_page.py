"""``chat.js`` alone in a page: what is written, what goes along and what waits, as it is shown."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.render.protocol import Op, about
from claude_nb.render.scripts import source, style
from tests.browser.test_protocol import ANSWER, CHAT, TURN, TURNS, acknowledge

ABOUT = about(
    *("", "chat", "", "$0.02"),
    cleared=False,
    saved="",
    left_out=[],
    choices=[],
    files=[],
    queue=[],
    tools=[],
)
QUEUE = [
    {"message": "a", "text": "Two", "notes": ["df: 3 rows"], "held": False},
    {"message": "b", "text": "Three", "notes": [], "held": False},
]
TOOLS = [
    {"name": "look_up", "about": "The weather of a city.", "on": True},
    {"name": "web_search", "about": "runs on the server", "on": False},
]
PREVIEW = {
    "name": "df",
    "about": "DataFrame 1,204 × 9",
    "note": "df: first 30 of 1,204 rows",
    "preview": "<table><tr><td>Lisbon</td></tr></table>",
    "error": "",
}
WRONG = {"name": "nope", "about": "", "note": "", "preview": "", "error": "No variable nope."}
USAGE = "<table><tr><th>input</th></tr><tr><td>9</td></tr></table>"
CODE = "<p>" + "word " * 80 + "</p><pre><code>x = 1</code></pre>"


@pytest.fixture
def page(empty_page):
    """A page with a chat, as wide as a notebook's."""
    empty_page.set_viewport_size({"width": 1200, "height": 700})
    empty_page.add_style_tag(content=style("chat"))
    empty_page.evaluate(CHAT, source("chat"))
    return empty_page


@pytest.fixture
def receive(page):
    """Sends the page operations of ``render.protocol``."""
    count = 0

    def receive_(*ops: Op) -> None:
        nonlocal count
        count += 1
        page.evaluate("receive", {"chat": count, "ops": list(ops)})

    return receive_


def ops(page):
    return page.evaluate("sent.map(({ n, ...message }) => message)")


def test_what_waits_is_shown_and_taken_back(page, receive):
    """Each can be taken back or discarded; one that waits for the reader can be sent."""
    receive(ABOUT | {"queue": QUEUE})
    queue = page.get_by_role("group", name="Queued messages")
    expect(queue).to_contain_text("Queued: sent when this answer is complete")
    expect(queue.get_by_role("listitem")).to_have_text(["Twodf: 3 rows", "Three"])
    expect(queue.get_by_role("button", name="Send now")).to_have_count(0)
    box = page.get_by_label("Message to Claude")
    box.fill("my draft")
    queue.get_by_role("button", name="Edit: Three").click()
    acknowledge(page, text="Three")
    expect(box).to_have_value("Three\n\nmy draft")
    expect(box).to_be_focused()
    queue.get_by_role("button", name="Do not send: Two").click()
    receive(ABOUT | {"queue": [QUEUE[0] | {"held": True}]})
    expect(queue).to_contain_text("Not sent: the previous answer is incomplete")
    queue.get_by_role("button", name="Send now: Two").click()
    receive(ABOUT)
    expect(queue).to_be_hidden()
    assert ops(page) == [
        {"op": "take_back", "message": "b"},
        {"op": "discard", "message": "a"},
        {"op": "send_queued", "message": "a"},
    ]


def test_a_complete_answer_can_be_retried(page, receive):
    """At once: also before the model's state says that the kernel is done."""
    page.evaluate("state.busy = true")
    receive(TURNS)
    receive(TURNS | {"turns": [TURN | {"answer": ANSWER}]})
    page.get_by_role("button", name="Retry").click()
    assert [message["op"] for message in ops(page)] == ["retry"]


def test_while_it_answers_enter_queues(page, receive):
    """Stop is always there, and beside it what queues, as soon as something is written."""
    receive(TURNS)
    stop, queue = (page.get_by_role("button", name=name) for name in ("Stop the answer", "Queue"))
    expect(stop).to_be_visible()
    expect(queue).to_be_hidden()
    page.get_by_label("Message to Claude").fill("And then?")
    expect(queue).to_be_visible()
    expect(stop).to_be_visible()
    queue.click()
    acknowledge(page)
    expect(queue).to_be_hidden()
    assert [message["op"] for message in ops(page)] == ["send"]


def test_variables_are_previewed_while_they_are_written(page):
    """Once their names are complete; with what is wrong with one, before it is sent."""
    box = page.get_by_label("Message to Claude")
    box.fill(r"Why \{{so}} does {{df}} fall? {{nope}} {{d")
    page.wait_for_function("sent.some(({ op }) => op === 'preview')")
    asked = page.evaluate("sent.find(({ op }) => op === 'preview')")
    assert asked["places"] == ["{{df}}", "{{nope}}"]
    page.evaluate("receive", {"ack": asked["n"], "previews": [PREVIEW, WRONG]})
    card = page.get_by_role("group", name="df: DataFrame 1,204 × 9, first 30 of 1,204 rows")
    expect(card).to_contain_text("Lisbon")
    expect(page.get_by_text("No variable nope.")).to_be_visible()
    box.fill("")
    expect(card).to_have_count(0)
    expect(page.get_by_text("No variable nope.")).to_have_count(0)


def test_tools_are_switched_with_the_keys(page, receive):
    """Their menu stays open meanwhile, says which are on, and Esc goes back to its button."""
    receive(ABOUT | {"tools": TOOLS})
    opener = page.get_by_role("button", name="1 of 2 tools: which of them")
    opener.press("Enter")
    first, second = page.get_by_role("menuitemcheckbox").all()
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-checked", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-checked", "true")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    expect(page.get_by_role("menu")).to_have_count(0)
    assert ops(page) == [{"op": "switch", "tool": "web_search", "on": True}]


def test_the_first_words_promise_what_is_seen(page, receive):
    """What Claude sees, and which tools it may call."""
    empty = page.locator(".claude-nb-empty")
    expect(empty).to_contain_text("not the rest of the notebook.")
    receive(ABOUT | {"tools": TOOLS})
    expect(empty).to_contain_text("It may call look_up.")


@pytest.mark.parametrize("width", [250, 400, 1200])
def test_targets_are_in_sight_and_large_enough(page, receive, width):
    """Each button and each list is 24 px wide and high at least, without a pointer over it."""
    page.set_viewport_size({"width": width, "height": 700})
    files = [{"file": "f", "note": "a.txt: 1 character of text", "preview": "<pre>a</pre>"}]
    receive(
        TURNS
        | {"turns": [TURN | {"at": [2, 3], "answer": ANSWER | {"usage": USAGE, "line": "9 in"}}]},
        ABOUT | {"queue": [QUEUE[0] | {"held": True}], "tools": TOOLS, "files": files},
    )
    chat = page.locator(".claude-nb-chat")
    names = []
    for control in chat.locator("button, select").all():
        if not control.is_visible():
            continue
        box, name = control.bounding_box(), control.get_attribute("aria-label")
        names.append(name)
        assert min(box["width"], box["height"]) >= 24, (name, box)
        assert float(control.evaluate("e => getComputedStyle(e).opacity")) >= 0.4, name
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width, (name, box)
    assert "Edit this question and ask it again" in names
    assert len(names) == 18


def test_the_usage_table_opens_in_view(page, receive):
    """Also that of the last answer, which would open below the edge."""
    answer = ANSWER | {"html": CODE * 9, "usage": USAGE, "line": "9 in · $0.02"}
    receive(TURNS | {"turns": [TURN | {"answer": answer}]})
    page.get_by_role("button", name="9 in · $0.02: tokens, cost and times").click()
    table = page.locator(".claude-nb-usage table").bounding_box()
    log = page.get_by_role("log").bounding_box()
    assert table["y"] + table["height"] <= log["y"] + log["height"]


def test_prose_and_code_share_one_measure(page, receive):
    """And the box below them has the same."""
    receive(TURNS | {"turns": [TURN | {"answer": ANSWER | {"html": CODE}}]})
    parts = (".claude-nb-answer p", ".claude-nb-answer pre", ".claude-nb-composer")
    found = {page.locator(part).bounding_box()["width"] for part in parts}
    assert found == {720}


def test_questions_to_begin_with(page, receive):
    """They are offered in an empty chat: one click asks one, and the draft stays."""
    receive(ABOUT)
    page.evaluate("state.starters = ['When?', '<b>Where?</b>']; handlers['change:starters']()")
    starters = page.get_by_role("group", name="Suggested questions")
    expect(starters.get_by_role("button")).to_have_text(["When?", "<b>Where?</b>"])
    page.get_by_label("Message to Claude").fill("my draft")
    starters.get_by_role("button", name="When?").click()
    acknowledge(page)
    expect(page.get_by_label("Message to Claude")).to_have_value("my draft")
    assert [(op["op"], op["text"]) for op in ops(page)] == [("send", "When?")]
    receive(TURNS)
    expect(starters).to_be_hidden()
    receive({"op": "turns", "keep": 0, "turns": []}, ABOUT | {"cleared": True})
    expect(starters).to_be_visible()


def test_a_function_has_no_model_to_choose(page):
    """What does not apply is not there, and who answers is named."""
    page.evaluate(
        "Object.assign(state, { models: [], efforts: [], answerer: 'teacher' }); addView()"
    )
    view = page.locator(".claude-nb-chat").last
    expect(view.get_by_label("Message to teacher")).to_be_visible()
    expect(view.get_by_role("combobox")).to_have_count(0)
    expect(view).to_contain_text("A function of this notebook answers.")


def test_the_saved_form_beside_a_chat_is_shown_until_the_kernel_answers(page, receive):
    """There may be no kernel, so one of the two can be read at any time, and never both."""
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p class=\"m-beside\">Saved</p>')"
    )
    box = page.get_by_label("Message to Claude")

    receive(ABOUT | {"mark": "m"})
    expect(page.locator("p.m-beside")).to_be_visible()
    expect(box).to_be_hidden()
    acknowledge(page)

    expect(page.locator("p.m-beside")).to_be_hidden()
    expect(box).to_be_visible()
    assert ops(page) == [{"op": "hello"}]
