"""``live.js`` alone in a page: it makes of the examples' frames what Python says they show."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.render import protocol
from claude_nb.render.scripts import source, style
from tests.protocol import EXAMPLES, chat, example

LIVE = source("live")

# A page with one model, as a widget manager gives it to a view: state in, messages out.
PAGE = """async source => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const widget = (await import(url)).default();
    window.sent = [];
    window.handlers = {};
    window.state = { snapshot: {}, kernel_id: "", columns: 1, below: "", placeholder: "m" };
    Object.assign(state, window.given);
    const model = {
        get: name => state[name],
        on: (name, handler) => { handlers[name] = handler; },
        send: message => { sent.push(message); },
    };
    widget.initialize({ model });
    window.addView = () => {
        const el = document.createElement("div");
        document.body.append(el);
        window.removeView = widget.render({ model, el });
    };
    window.receive = frame => handlers["msg:custom"](frame);
    addView();
}"""

# The same for a chat.
CHAT = """async source => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const widget = (await import(url)).default();
    window.sent = [];
    window.handlers = {};
    window.state = {
        snapshot: {}, model: "m", models: ["m", "n"], efforts: ["low", "high"], effort: "",
        height: 500, draft: "", turns: 0, cost: 0, starters: [], answerer: "Claude",
    };
    const model = {
        get: name => state[name],
        set: (name, value) => { state[name] = value; },
        save_changes: () => {}, // as while an earlier change is not yet acknowledged
        on: (name, handler) => { handlers[name] = handler; },
        send: message => { sent.push(message); },
    };
    widget.initialize({ model });
    window.addView = () => {
        const el = document.createElement("div");
        document.body.append(el);
        widget.render({ model, el });
    };
    window.receive = message => handlers["msg:custom"](message);
    addView();
}"""

# The panes of a view, without what the page adds: comments, copy buttons, parts of growing code.
SHOWN = """view => {
    const panes = document.querySelectorAll(".claude-nb")[view].cloneNode(true);
    panes.querySelector(".claude-nb-status").remove();
    const comments = document.createTreeWalker(panes, NodeFilter.SHOW_COMMENT);
    const found = [];
    while (comments.nextNode()) found.push(comments.currentNode);
    found.forEach(comment => comment.remove());
    panes.querySelectorAll(".claude-nb-copy").forEach(button => button.remove());
    panes.querySelector(".claude-nb-reserved").remove();
    const parts = panes.querySelectorAll("code > div, .claude-nb-inside");
    parts.forEach(part => part.replaceWith(...part.childNodes));
    panes.normalize();
    return panes.innerHTML;
}"""

NORMAL = """html => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.innerHTML;
}"""


@pytest.fixture
def page(empty_page):
    """An empty page with one model and one view."""
    empty_page.evaluate(PAGE, LIVE)
    empty_page.evaluate("receive({ heard: true })")
    assert empty_page.evaluate("sent.splice(0)") == [{"op": "here"}, {"op": "hears"}]
    return empty_page


@pytest.mark.parametrize("columns", [1, 2])
def test_a_stop_that_is_not_heard_says_what_to_do(page_with_clock, columns):
    """After a second, below each button for it, which can be pressed again; not one that is."""
    page = page_with_clock
    page.goto("about:blank")
    page.evaluate("given => { window.given = given; }", {"columns": columns, "unheard": "press ■"})
    page.evaluate(PAGE, LIVE)
    page.evaluate("sent.splice(0)")
    status = {"op": "status", "model": "m", "doing": "writing", "elapsed": 1, "simulated": False}
    for column in range(columns):
        page.evaluate("receive", {"frame": 1, "ops": [status], "column": column})
    for name in ["Stop", "Stop all"][: 1 if columns == 1 else 2]:
        button = page.get_by_role("button", name=name, exact=True).first
        line = button.locator("..")
        button.click()
        expect(button).to_be_disabled()
        page.clock.run_for(900)
        expect(line).not_to_contain_text("press ■")
        page.clock.run_for(200)
        expect(line).to_contain_text("not stopped: press ■")
        button.click()
        page.evaluate("receive({ ack: sent.findLast(({ op }) => op === 'stop').n })")
        page.clock.run_for(2000)
        expect(button).to_be_disabled()


@pytest.fixture
def chat_page(empty_page):
    """An empty page with a chat."""
    empty_page.evaluate(CHAT, source("chat"))
    return empty_page


def shown(page, view: int = 0) -> str:
    return page.evaluate(SHOWN, view)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(page, name):
    """Frame by frame, the page comes to show the HTML of the example."""
    data = example(name)
    for frame in data["frames"]:
        page.evaluate("receive", frame)
    assert shown(page) == page.evaluate(NORMAL, data["html"])
    assert page.evaluate("sent") == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_second_view_shows_the_same(page, name):
    """A view that is opened in mid-stream, and one that was there before, show the same."""
    frames = example(name)["frames"]
    for frame in frames[:3]:
        page.evaluate("receive", frame)
    page.evaluate("addView()")
    assert shown(page, 0) == shown(page, 1)
    for frame in frames[3:]:
        page.evaluate("receive", frame)
    assert shown(page, 0) == shown(page, 1)


def test_a_gap_is_healed(page):
    """A frame that does not follow the last is not applied: the page asks for all of it."""
    data = example("text")
    first, _, third, *_ = data["frames"]
    page.evaluate("receive", first)
    before = shown(page)
    page.evaluate("receive", third)
    assert (shown(page), page.evaluate("sent")) == (before, [{"op": "resync"}])
    pane = {"op": "pane", "pane": 0, "html": ""}
    patch = {"op": "patch", "pane": 0, "block": 0, "keep": 0, "html": data["html"]}
    page.evaluate("receive", {"frame": 4, "reset": True, "ops": [pane, patch]})
    assert shown(page) == page.evaluate(NORMAL, data["html"])
    page.evaluate("receive", third)  # late: it is part of what is there
    assert shown(page) == page.evaluate(NORMAL, data["html"])


def test_a_page_that_shows_the_text_shows_the_reply_in_its_place(page):
    """And anew where it is shown again; the kernel is told when it is there, and when no longer."""
    page.evaluate("removeView(); sent.length = 0")
    page.evaluate("document.body.innerHTML = '<p class=m>Claude is answering…</p>'")
    for frame in example("text")["frames"]:
        page.evaluate("receive", frame)

    expect(page.locator("p.m .claude-nb-live")).to_have_count(1)
    expect(page.get_by_text("answering…")).to_have_count(0)
    page.evaluate("document.body.innerHTML = '<p class=m>Claude is answering…</p>'")
    expect(page.locator("p.m .claude-nb-live")).to_have_count(1)
    page.evaluate("document.body.replaceChildren()")

    page.wait_for_function("sent.length === 4")
    told = page.evaluate("sent.map(({ op }) => op)")
    assert told == ["shown", "gone", "shown", "gone"]


def test_growing_code_keeps_its_nodes(page):
    """Text appended to an open fence leaves the lines before it alone, in parts of 200 lines."""
    code = '<pre class="highlight"><code>'
    rest = len("</code></pre>\n")
    start = [
        {"op": "pane", "pane": 0, "html": ""},
        {"op": "patch", "pane": 0, "block": 0, "keep": 0, "html": f"{code}first\n</code></pre>\n"},
    ]
    page.evaluate("receive", {"frame": 1, "ops": start})
    page.evaluate("window.node = document.querySelector('code').firstChild")
    keep, text = len(f"{code}first\n"), ""
    for frame in range(2, 502):
        line = f"{frame} &lt;\n" if frame % 2 else f"{frame} &lt; half"
        op = {"op": "patch", "pane": 0, "block": 0, "keep": keep, "html": line, "rest": rest}
        page.evaluate("receive", {"frame": frame, "ops": [op]})
        keep, text = keep + len(line), text + line
    content = page.evaluate("document.querySelector('code').textContent")
    assert content == f"first\n{text}".replace("&lt;", "<")
    assert page.evaluate("document.querySelector('code').contains(node)")
    assert page.evaluate("document.querySelectorAll('code > div').length") == 2


@pytest.mark.parametrize(("wraps", "size"), [("pre", 1000), ("pre-wrap", 50)])
def test_growing_code_out_of_sight_is_not_laid_out(page, wraps, size):
    """It takes the place of its lines, or the one that it had, and a selection in it is kept."""
    page.add_style_tag(content=style("live") + f"pre {{ width: 6em; white-space: {wraps} }}")
    lines = [f"{number} &lt; 1000\n" for number in range(1000)]
    code, end = '<pre class="highlight"><code>', "</code></pre>\n"
    patch = {"op": "patch", "pane": 0, "block": 0}
    ops = [{"op": "pane", "pane": 0, "html": ""}, {**patch, "keep": 0, "html": code + end}]
    frames = [{"frame": 1, "ops": ops}]
    for number, at in enumerate(range(0, 1000, size), 2):
        keep, html = len(code + "".join(lines[:at])), "".join(lines[at : at + size])
        ops = [{**patch, "keep": keep, "html": html, "rest": len(end)}]
        frames.append({"frame": number, "ops": ops})
    page.evaluate(
        """async frames => {
            for (const frame of frames) {
                receive(frame);
                await new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)));
            }
            const [first, second] = document.querySelectorAll("code > div");
            getSelection().selectAllChildren(first);
            window.selected = getSelection().toString();
            window.inside = document.createElement("span");
            second.append(inside);
            scrollTo(0, document.body.scrollHeight);
        }""",
        frames,
    )
    page.wait_for_function("!inside.checkVisibility({ contentVisibilityAuto: true })")
    height = page.evaluate('document.querySelector("code").getBoundingClientRect().height')
    assert page.evaluate("selected").startswith("0 < 1000\n")
    assert page.evaluate("getSelection().toString() === selected")

    whole = {**patch, "keep": 0, "html": f"{code}{''.join(lines)}{end}"}
    page.evaluate("receive", {"frame": len(frames) + 1, "ops": [whole]})
    assert page.evaluate('document.querySelector("code").getBoundingClientRect().height') == height


def test_a_reader_s_fold_is_kept_and_told(page):
    """A pane that the reader folded stays folded, and Python hears of it."""
    frames = example("thinking")["frames"]
    page.evaluate("receive", frames[0])
    page.evaluate("receive", frames[1])
    page.locator("summary").press("Enter")
    assert page.evaluate("sent") == [{"op": "fold", "pane": 0, "open": False}]
    page.locator("summary").press("Enter")
    for frame in frames[2:]:
        page.evaluate("receive", frame)
    assert page.locator("details").get_attribute("open") == ""


def test_a_pane_is_not_folded_over_a_selection(page):
    """What the reader has selected in a pane stays in sight, and in the saved output too."""
    frames = example("thinking")["frames"]
    for frame in frames[:2]:
        page.evaluate("receive", frame)
    page.evaluate("addView()")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('details p'))")
    for frame in frames[2:]:
        page.evaluate("receive", frame)
    panes = page.locator("details").all()
    assert [pane.get_attribute("open") for pane in panes] == ["", ""]
    assert page.evaluate("sent") == [{"op": "fold", "pane": 0, "open": True}]


PANE = [
    {"op": "pane", "pane": 0, "html": "<details open><summary></summary></details>"},
    {"op": "label", "pane": 0, "html": "Thinking"},
]
LINES = "".join(f"<p>Line {number}.</p>" for number in range(40))


def thought(block: int) -> dict[str, object]:
    """More of what is in the pane than it shows at once."""
    return {"op": "patch", "pane": 0, "block": block, "keep": 0, "html": LINES}


FOLD = {"op": "fold", "pane": 0, "open": False}
ANSWERED = [
    {"op": "pane", "pane": 1, "html": ""},
    {"op": "patch", "pane": 1, "block": 0, "keep": 0, "html": "<p>Answer.</p>"},
]

# The end of the pane is in sight; or how many pixels of it are below what is.
AT_END = """() => {
    const pane = document.querySelector(".claude-nb-inside");
    return pane.scrollTop > 0 && pane.scrollHeight - pane.scrollTop - pane.clientHeight < 1;
}"""


def test_a_pane_that_grows_is_low_and_shows_its_end(page):
    """So folding it moves little; the reader who scrolls back in it is left where they are."""
    page.add_style_tag(content=style("live"))
    page.evaluate("receive", {"frame": 1, "ops": [*PANE, thought(0)]})
    page.wait_for_function(AT_END)
    assert page.locator("details").bounding_box()["height"] < 250
    page.locator(".claude-nb-inside").evaluate("pane => { pane.scrollTop = 40; }")
    page.evaluate("receive", {"frame": 2, "ops": [thought(1)]})
    page.evaluate("new Promise(requestAnimationFrame)")
    assert page.locator(".claude-nb-inside").evaluate("pane => pane.scrollTop") == 40
    page.evaluate("receive", {"frame": 3, "ops": [FOLD]})
    assert page.locator("details").get_attribute("open") == ""
    assert page.evaluate("sent") == [{"op": "fold", "pane": 0, "open": True}]


def test_a_pane_that_the_reader_opens_shows_all_of_itself(page):
    """Also while it grows."""
    page.add_style_tag(content=style("live"))
    page.evaluate("receive", {"frame": 1, "ops": [*PANE, thought(0)]})
    page.locator("summary").press("Enter")
    page.locator("summary").press("Enter")
    assert page.locator("details").bounding_box()["height"] > 600


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_folding_a_pane_keeps_the_height_of_the_reply(page, motion):
    """What is below the output stays; what is below the pane glides, unless that is unwanted."""
    page.emulate_media(reduced_motion=motion)
    page.add_style_tag(content=style("live"))
    page.evaluate("receive", {"frame": 1, "ops": [*PANE, thought(0), *ANSWERED]})
    before = page.locator(".claude-nb").bounding_box()["height"]
    page.evaluate(
        """() => {
            window.glided = [];
            Element.prototype.animate = function () { glided.push(this.textContent); };
        }"""
    )
    page.evaluate("receive", {"frame": 2, "ops": [FOLD]})
    assert page.locator(".claude-nb").bounding_box()["height"] == before
    assert page.locator("details").bounding_box()["height"] < 50
    assert ("Answer." in page.evaluate("glided")) == (motion == "no-preference")


def test_the_place_of_the_usage_table_is_kept(page):
    """It is below what grows, as high as the table will be, and neither seen nor read out."""
    page.add_style_tag(content=style("live"))
    table = {"op": "usage", "html": "<table><tr><td>cost</td></tr></table>"}
    page.evaluate("receive", {"frame": 1, "ops": [table, *PANE, thought(0), *ANSWERED]})
    place = page.locator(".claude-nb > :last-child")
    assert place.bounding_box()["height"] > 10
    assert not place.locator("table").is_visible()
    page.evaluate("addView()")
    assert page.locator("table").count() == 2


def test_one_announcement(page):
    """A screen reader is told once, at the end; while it grows the reply is busy."""
    frames = example("text")["frames"]
    for frame in frames[:-1]:
        page.evaluate("receive", frame)
    assert page.get_by_role("status").count() == 0
    assert page.locator(".claude-nb").get_attribute("aria-busy") == "true"
    page.evaluate("receive", frames[-1])
    assert page.get_by_role("status").all_text_contents() == ["Reply complete."]
    assert page.locator(".claude-nb").get_attribute("aria-busy") == "false"


QUESTION = protocol.confirm(
    0,
    "toolu_1",
    "Claude asks to run act().",
    source="act of <b>",
    answers=[("once", "Run"), ("always", "Always allow"), ("no", "Don’t run")],
)
NO_QUESTION = protocol.confirm()
CALL = [
    {"op": "pane", "pane": 0, "html": "<details open><summary></summary></details>"},
    {"op": "label", "pane": 0, "html": "<b>act</b>()"},
]


def test_a_question_is_about_one_call(page):
    """What the page says about a question names its call, in every view; no two are the same."""
    page.evaluate("addView()")
    page.evaluate("receive", {"frame": 1, "ops": [*CALL, QUESTION]})
    assert page.evaluate("sent") == [{"op": "asked", "call": "toolu_1"}]
    question = page.get_by_role("group", name="May this call run?").last
    assert question.inner_text().split("\n")[0] == "act of <b>"
    assert question.get_by_role("button").all_inner_texts() == ["Run", "Always allow", "Don’t run"]
    page.get_by_role("button", name="Run", exact=True).last.click()
    assert page.evaluate("sent")[1:] == [{"op": "confirm", "call": "toolu_1", "answer": "once"}]

    page.evaluate("receive", {"frame": 2, "ops": [NO_QUESTION]})
    assert page.get_by_role("group", name="May this call run?").count() == 0
    page.evaluate("receive", {"frame": 3, "ops": [QUESTION | {"call": "toolu_2"}]})
    page.get_by_role("button", name="Don’t run").first.click()
    assert page.evaluate("sent")[2:] == [
        {"op": "asked", "call": "toolu_2"},
        {"op": "confirm", "call": "toolu_2", "answer": "no"},
    ]


TURN = {"key": "a", "prompt": "Act", "source": "Act", "asked_in": "", "at": [1, 1], "answer": None}
TURNS = {"op": "turns", "keep": 0, "turns": [TURN]}
ANSWER = {"html": "", "below": "", "usage": "", "line": "", "source": "One.", "simulated": False}


def test_a_question_in_a_chat_is_about_one_call(chat_page):
    """As in a cell; and it goes when it is withdrawn."""
    page = chat_page
    frame = {"op": "frame", "turn": "a", "frame": 1, "ops": [*CALL, QUESTION]}
    page.evaluate("receive", {"chat": 1, "ops": [TURNS, frame]})
    page.get_by_role("button", name="Run", exact=True).click()
    assert page.evaluate("sent") == [
        {"op": "asked", "call": "toolu_1"},
        {"op": "confirm", "call": "toolu_1", "answer": "once"},
    ]

    again = {"op": "frame", "turn": "a", "frame": 2, "ops": [NO_QUESTION, QUESTION]}
    page.evaluate("receive", {"chat": 2, "ops": [again]})
    assert page.get_by_role("group", name="May this call run?").count() == 1
    gone = {"op": "frame", "turn": "a", "frame": 3, "ops": [NO_QUESTION]}
    page.evaluate("receive", {"chat": 3, "ops": [gone]})
    assert page.get_by_role("group", name="May this call run?").count() == 0


def chat_shown(page) -> list[list[str]]:
    return page.evaluate(
        """() => [...document.querySelectorAll(".claude-nb-turn")].map(turn => [
            turn.querySelector(".claude-nb-you"),
            turn.querySelector(".claude-nb-answer"),
            turn.querySelector(".claude-nb-branch"),
        ].map(part => part ? part.textContent.replace(/[‹›]/g, "").trim() : ""))"""
    )


@pytest.mark.parametrize("messages", [slice(None), slice(-2, None)], ids=["all", "last"])
def test_a_chat_s_example(chat_page, messages):
    """Message by message; and so does a page that has only the last, which is all of it."""
    data = chat.example()
    for message in data["messages"][messages]:
        chat_page.evaluate("receive", message)
    assert chat_shown(chat_page) == data["shown"]
    assert chat_page.evaluate("sent") == []


def test_a_gap_in_a_chat_is_healed(chat_page):
    """A message that does not follow the last is not applied: the page asks for all of it."""
    counted = [m for m in chat.example()["messages"] if "chat" in m and "reset" not in m]
    chat_page.evaluate("receive", counted[0])
    chat_page.evaluate("receive", counted[2])
    assert chat_page.evaluate("sent") == [{"op": "resync"}]


def write(page, text: str) -> None:
    """Write a message and press Enter."""
    box = page.get_by_label("Message to Claude")
    box.fill(text)
    box.press("Enter")


def acknowledge(page, **answer: str) -> None:
    """Answer the last message of the page."""
    page.evaluate("answer => receive({ ack: sent.at(-1).n, ...answer })", answer)


def test_what_is_written_is_kept_where_the_kernel_tells_of_an_older_draft(chat_page):
    """In this view, in one that takes its place meanwhile, and in what the kernel is told then."""
    chat_page.get_by_label("Message to Claude").fill("new")
    chat_page.evaluate("state.draft = 'old'; handlers['change:draft'](); addView()")
    for box in chat_page.get_by_label("Message to Claude").all():
        expect(box).to_have_value("new")
    chat_page.wait_for_function("state.draft === 'new'")


def test_a_question_says_what_it_is_asked_with(chat_page):
    """What is picked at that moment, though the kernel may not know of it; however it is asked."""
    picked = {"model": "n", "effort": "high"}
    chat_page.get_by_label("Model").select_option(picked["model"])
    chat_page.get_by_label("Effort").select_option(picked["effort"])
    write(chat_page, "Hi")
    acknowledge(chat_page)
    turns = TURNS | {"turns": [TURN | {"answer": ANSWER}]}
    chat_page.evaluate("receive", {"chat": 1, "ops": [turns]})
    chat_page.get_by_role("button", name="Ask this again").click()
    acknowledge(chat_page)
    chat_page.get_by_role("button", name="Edit this question").press("Enter")
    chat_page.get_by_label("Edit the question").press("Enter")

    asked = chat_page.evaluate("sent.map(({ n, ...message }) => message)")
    assert asked == [
        {"op": "send", "text": "Hi", **picked},
        {"op": "retry", "turn": "a", **picked},
        {"op": "edit", "turn": "a", "text": "Act", **picked},
    ]


EDITED = {"html": "<p>Yes.</p>", "source": "Yes.", "edited": True}


def test_an_answer_is_edited_by_key(chat_page):
    """Enter begins a line, Ctrl+Enter saves, Escape leaves it as it was; the focus goes along."""
    turns = TURNS | {"turns": [TURN | {"answer": ANSWER | EDITED}]}
    chat_page.evaluate("receive", {"chat": 1, "ops": [turns]})
    expect(chat_page.get_by_text("edited", exact=True)).to_be_visible()
    edit = chat_page.get_by_role("button", name="Edit this answer")
    box = chat_page.get_by_label("Edit the answer")

    edit.press("Enter")
    expect(box).to_be_focused()
    expect(chat_page.locator(".claude-nb-answer")).to_be_hidden()
    box.press("Escape")
    expect(edit).to_be_focused()
    expect(chat_page.locator(".claude-nb-answer")).to_be_visible()

    edit.press("Enter")
    box.press("End")
    box.press("Enter")
    box.press_sequentially("No.")
    box.press("Control+Enter")
    assert chat_page.evaluate("sent.map(({ n, ...message }) => message)") == [
        {"op": "edit_answer", "turn": "a", "text": "Yes.\nNo."}
    ]
    acknowledge(chat_page)
    expect(box).to_have_count(0)
    expect(chat_page.get_by_text("The edited answer is sent from now on.")).to_be_visible()


def test_a_stop_names_its_answer(chat_page):
    """And the next answer, which may begin before the page hears of the end, can be stopped too."""
    chat_page.evaluate("receive", {"chat": 1, "ops": [TURNS]})
    stop = chat_page.get_by_role("button", name="Stop the answer")
    stop.click()
    expect(stop).to_be_disabled()
    turns = [TURN | {"answer": ANSWER}, TURN | {"key": "b"}]
    chat_page.evaluate("receive", {"chat": 2, "ops": [TURNS | {"turns": turns}]})
    stop.click()

    said = chat_page.evaluate("sent.map(({ op, turn }) => [op, turn])")
    assert said == [["stop", "a"], ["stop", "b"]]


def test_a_question_waits_for_its_files(chat_page):
    """Those that are on their way when it is sent; without one of them it is not sent."""
    file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"}
    ops = "sent.map(message => message.op)"
    chat_page.locator("input[type=file]").set_input_files([file])
    chat_page.wait_for_function("sent.length === 1")
    write(chat_page, "Hi")
    assert chat_page.evaluate(ops) == ["attach"]
    acknowledge(chat_page)
    chat_page.wait_for_function("sent.length === 2")
    acknowledge(chat_page)
    expect(chat_page.get_by_label("Message to Claude")).to_have_value("")

    chat_page.locator("input[type=file]").set_input_files([file])
    chat_page.wait_for_function("sent.length === 3")
    write(chat_page, "And this?")
    acknowledge(chat_page, error="a.txt is empty.")
    expect(chat_page.locator(".claude-nb-notice")).to_have_text("a.txt is empty.")
    write(chat_page, "Then without it")
    chat_page.wait_for_function("sent.length === 4")

    assert chat_page.evaluate(ops) == ["attach", "send", "attach", "send"]
    assert chat_page.evaluate("sent[3].text") == "Then without it"


def test_a_question_that_is_refused_comes_back(chat_page):
    """Also where that overtakes the answer to the question, which empties the box."""
    write(chat_page, "Hi")
    refused = {"op": "refused", "prompt": "Hi", "error": "The budget is spent."}
    chat_page.evaluate("receive", {"chat": 1, "ops": [refused]})
    acknowledge(chat_page)

    expect(chat_page.locator(".claude-nb-notice")).to_have_text("The budget is spent.")
    expect(chat_page.get_by_label("Message to Claude")).to_have_value("Hi")
