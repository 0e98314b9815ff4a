"""The chat in real front ends: writing, reading, keeping, and what can go wrong."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME
from claude_nb.views.synced_output import MARK
from tests.browser.lab import DEAF, FRONT_ENDS, PANEL, SET_UP, NotebookPage
from tests.conversation.test_restore import PNG
from tests.played import end, said, start, text, thinking, tool_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator

    from claude_nb.simulator.replies import Received

WORDS = [f"word{number} " for number in range(60)]
OPEN = [start(), *text("The **first** words")[:-1]]

front_ends = pytest.mark.parametrize("front_end", FRONT_ENDS)


class ChatPage:
    """A chat in a notebook, as a reader sees it."""

    def __init__(self, notebook: NotebookPage, cell: int = 1) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.cell = cell

    @property
    def el(self) -> Locator:
        return self.notebook.output(self.cell).locator(".claude-nb-chat")

    @property
    def box(self) -> Locator:
        return self.el.get_by_label("Message to")

    @property
    def notice(self) -> Locator:
        return self.el.get_by_role("status")

    @property
    def turns(self) -> Locator:
        return self.el.locator(".claude-nb-turn")

    def button(self, name: str) -> Locator:
        return self.el.get_by_role("button", name=name)

    def send(self, words: str) -> None:
        self.box.fill(words)
        self.box.press("Enter")

    def ask(self, words: str, answer: str) -> None:
        """Ask, and wait for the end of the answer."""
        self.send(words)
        self.answered(answer)

    def answered(self, words: str) -> None:
        """Wait for the end of an answer: the kernel has it a moment after its last words."""
        expect(self.turns.last).to_contain_text(words)
        expect(self.button("Send (Enter)")).to_be_visible()

    def covered(self) -> None:
        """Wait until the widget is replaced by the saved form, which a new view covers.

        Until then the page may take away the view, and with it the focus and an open menu.
        """
        expect(self.notebook.output(self.cell).locator(".claude-nb-covered")).to_have_count(1)

    def stop(self) -> None:
        """Stop the answer by keyboard, and wait for its end."""
        self.button("Stop the answer").press("Enter")
        self.answered("Stopped")

    def saved_output(self) -> dict[str, Any]:
        """The one output of the chat's cell, as it is in the file."""
        (output,) = self.notebook.saved().cells[self.cell].outputs
        return output

    def wait_saved(self, words: str) -> None:
        """Wait until the notebook's own model of the output has these words."""
        self.page.wait_for_function(
            f"""([cell, words]) => {{
                const outputs = {PANEL}.content.widgets[cell].model.outputs;
                return outputs.length && outputs.get(0).data["text/html"]?.includes(words);
            }}""",
            arg=[self.cell, words],
        )


@pytest.fixture
def open_chat(open_notebook):
    """Opens a notebook with a chat in its second cell, which has been run."""

    def open_(
        chat: str = "chat = claude_nb.Chat()\nchat",
        *cells: str,
        covers: bool = True,
        **options: Any,
    ) -> ChatPage:
        notebook = open_notebook([SET_UP, chat, *cells], trusted=True, **options)
        for index in (0, 1):
            notebook.run(index)
            notebook.wait_idle()
        shown = ChatPage(notebook)
        expect(shown.el).to_have_count(1)
        expect(shown.box).to_be_visible()
        if covers:
            shown.covered()
        return shown

    return open_


def left(requests: Sequence[Received]) -> list[float | None]:
    """When the client left each message request, as the server saw it; one at least."""
    return [r.client_left for r in requests if r.path == "/v1/messages"] or [None]


# Writing.


@front_ends
def test_writing(open_chat, simulator, front_end):
    """Enter sends, Shift+Enter is a new line, the box grows, ↑ recalls; an IME keeps its Enter."""
    simulator.enqueue(Stream(said("Hello.")), Stream(said("Again.")))
    chat = open_chat(front_end=front_end)
    low = chat.box.bounding_box()["height"]
    chat.box.press_sequentially("one")
    chat.box.press("Shift+Enter")
    chat.box.press_sequentially("two")
    assert chat.box.input_value() == "one\ntwo"
    assert chat.box.bounding_box()["height"] > low
    chat.box.evaluate(
        "e => e.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )
    expect(chat.turns).to_have_count(0)
    chat.box.press("Enter")
    expect(chat.turns.last).to_contain_text("Hello.")
    expect(chat.box).to_have_value("")
    expect(chat.box).to_be_focused()
    chat.box.press("ArrowUp")
    expect(chat.box).to_have_value("one\ntwo")
    chat.box.press("ArrowDown")
    expect(chat.box).to_have_value("")
    count = chat.page.evaluate(f"{PANEL}.content.widgets[1].model.executionCount")
    assert count == 2, "Shift+Enter did not run the cell"
    assert chat.notebook.errors == []


@front_ends
def test_no_shortcut_of_the_notebook_fires_from_inside(open_chat, simulator, front_end):
    """Not from the box and not from a button: the cells stay, and Esc does not leave."""
    chat = open_chat(front_end=front_end)
    chat.box.focus()
    for key in ("Escape", "d", "d", "a", "b", "x", "Escape", "0", "0"):
        chat.box.press(key)
    expect(chat.box).to_be_focused()
    expect(chat.box).to_have_value("ddabx00")
    chat.button("Attach files").focus()
    for key in ("d", "d", "a", "x"):
        chat.page.keyboard.press(key)
    assert chat.page.evaluate(f"{PANEL}.content.widgets.length") == 2
    chat.box.press("Control+s")
    chat.page.wait_for_function(f"!{PANEL}.context.model.dirty")


@front_ends
def test_draft_focus_and_selection_survive_streaming(open_chat, simulator, front_end):
    """While words come one may write the next question, and select what is there."""
    simulator.enqueue(Stream([start(), *text("A first line.\n\n", *WORDS), *end()], delay=0.03))
    chat = open_chat(front_end=front_end)
    chat.send("Go")
    expect(chat.turns.last).to_contain_text("word2 ")
    chat.box.press_sequentially("my draft", delay=20)
    chat.turns.last.locator("p", has_text="A first line.").select_text()
    expect(chat.turns.last).to_contain_text("word20")
    assert chat.page.evaluate("getSelection().toString()").strip() == "A first line."
    chat.box.focus()
    expect(chat.turns.last).to_contain_text("word59")
    expect(chat.button("Send (Enter)")).to_be_visible()
    expect(chat.box).to_be_focused()
    expect(chat.box).to_have_value("my draft")


@front_ends
def test_writing_goes_on_when_the_output_takes_its_saved_form(open_chat, simulator, front_end):
    """One who writes before the page has told the kernel that it shows the chat loses nothing."""
    simulator.enqueue(Stream(said("Hello.")))
    slow = """import threading
from claude_nb.chat.messages import Messages
goes_on, at_once = threading.Event(), Messages.on_covered
def slow(*message):
    def later():
        goes_on.wait(60)
        at_once(*message)
    threading.Thread(target=later).start()
Messages.on_covered = slow
chat = claude_nb.Chat()
chat"""
    chat = open_chat(slow, covers=False, front_end=front_end)
    chat.box.fill("my draft")
    chat.box.press("ArrowLeft")
    chat.notebook.execute("goes_on.set()")
    expect(chat.notebook.output(1).locator(".claude-nb-covered")).to_have_count(1)
    expect(chat.box).to_be_focused()
    chat.page.keyboard.insert_text("!")
    expect(chat.box).to_have_value("my draf!t")
    chat.page.keyboard.press("Enter")
    expect(chat.turns.last).to_contain_text("Hello.")
    expect(chat.box).to_have_value("")


def test_variables_are_completed(open_chat, simulator):
    """``{{`` opens a list that keys walk; a screen reader hears which is chosen."""
    simulator.enqueue(Stream(said("Done.")))
    chat = open_chat("chat = claude_nb.Chat()\nalpha, alps = 1, [1, 2]\nchat")
    chat.box.press_sequentially("What is {{al")
    options = chat.el.get_by_role("listbox", name="Variables").get_by_role("option")
    expect(options).to_have_count(2)
    assert options.all_text_contents() == ["alphaint", "alpslist 2"]
    chat.box.press("ArrowDown")
    chosen = chat.box.get_attribute("aria-activedescendant")
    expect(chat.el.locator(f"#{chosen}")).to_have_attribute("aria-selected", "true")
    expect(chat.el.locator(f"#{chosen}")).to_contain_text("alps")
    chat.box.press("Escape")
    expect(options).to_have_count(0)
    chat.box.press_sequentially("p")
    expect(options).to_have_count(2)
    chat.box.press("ArrowDown")
    chat.box.press("Enter")
    expect(chat.box).to_have_value("What is {{alps}}")
    chat.box.press("Enter")
    expect(chat.turns.last).to_contain_text("Done.")
    assert simulator.requests[-1].body["messages"][-1]["content"][0]["text"] == "What is [1, 2]"


PASTE = """([selector, name, type, data, event]) => {
    const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
    const transfer = new DataTransfer();
    if (name) transfer.items.add(new File([bytes], name, { type }));
    else transfer.setData("text/plain", new TextDecoder().decode(bytes));
    const target = document.querySelector(selector);
    const init = { bubbles: true, cancelable: true };
    const made = event === "paste"
        ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
        : new DragEvent(event, { ...init, dataTransfer: transfer });
    target.dispatchEvent(made);
}"""


def test_files_are_pasted_and_dropped(open_chat, simulator):
    """Each is shown above the box; one of a wrong type is refused, a long text becomes a file."""
    simulator.enqueue(Stream(said("A picture.")))
    chat = open_chat()
    selector = ".claude-nb-chat textarea"

    def give(name: str, kind: str, data: bytes, event: str) -> None:
        encoded = base64.b64encode(data).decode()
        chat.page.evaluate(PASTE, [selector, name, kind, encoded, event])

    files = chat.el.locator(".claude-nb-file")
    chat.box.focus()
    give("a.png", "image/png", base64.b64decode(PNG), "paste")
    expect(files).to_contain_text(["a.png: image"])
    expect(files.get_by_role("img", name="Image 1")).to_be_visible()
    give("notes.txt", "text/plain", b"Buy milk.", "drop")
    expect(files).to_have_count(2)
    give("a.xlsx", "application/zip", b"PK\x03\x04\x00\xff", "drop")
    expect(chat.notice).to_contain_text("a.xlsx is neither UTF-8 text nor a PDF")
    give("", "", b"long " * 200_000, "paste")
    expect(files).to_have_count(3)
    expect(chat.box).to_have_value("")
    chat.button("Remove pasted text").click()
    expect(files).to_have_count(2)
    chat.ask("What is this?", "A picture.")
    expect(files).to_have_count(0)
    expect(chat.turns.last.get_by_role("img", name="Image 1")).to_be_visible()
    content = simulator.requests[-1].body["messages"][0]["content"]
    assert [block["type"] for block in content] == ["text", "image", "text"]


@pytest.mark.parametrize(
    "holder", ["HBox([chat])", "Tab([chat])", "Accordion([chat], selected_index=0)"]
)
def test_it_is_an_ordinary_widget(open_chat, simulator, holder):
    """In other widgets it works as by itself, and its traits are observed and linked."""
    simulator.enqueue(Stream(said("Hello.")))
    chat = open_chat(
        f"""import ipywidgets as w
chat, text, seen = claude_nb.Chat(height=300), w.Text(), []
chat.observe(lambda change: seen.append(change.new), "turns")
w.link((chat, "model"), (text, "value"))
w.VBox([w.{holder}, text])""",
        covers=False,
    )
    text = chat.notebook.output(1).locator(".widget-text input")
    expect(chat.el).to_have_css("height", "300px")
    assert chat.el.bounding_box()["width"] > 600
    chat.ask("Hi", "Hello.")
    chat.el.get_by_label("Model").select_option("claude-sonnet-5-5")
    expect(text).to_have_value("claude-sonnet-5-5")
    assert chat.notebook.execute("print(seen)") == "[1]\n"
    chat.notebook.execute("text.value = 'claude-haiku-5-5'")
    expect(chat.el.get_by_label("Model")).to_have_value("claude-haiku-5-5")


# Reading.


def test_markdown_panes_and_copying(open_chat, simulator):
    """Markdown as it comes, thinking and tool input in panes; code and answers can be copied."""
    answer = "Some **bold** words, and $x^2$.\n\n```python\nx = 1\n```\n"
    events = [start(), *thinking("Count."), *text(answer, index=1), *tool_use('{"a": 1}', index=2)]
    simulator.enqueue(Stream([*events, *end()]))
    chat = open_chat()
    chat.send("Go")
    turn = chat.turns.last
    expect(turn.locator("strong")).to_have_text("bold")
    expect(turn.locator("math msup")).to_have_count(1)
    expect(turn.locator("details > summary")).to_contain_text(["Thought for", "look_up"])
    expect(chat.button("Send (Enter)")).to_be_visible()
    turn.get_by_label("Copy this code").first.click()
    expect(chat.page.locator("#claude-nb-announcer")).to_have_text("Copied.")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "x = 1"
    turn.get_by_label("Copy this answer").click()
    expect(chat.notice).to_have_text("Copied.")
    assert chat.page.evaluate("navigator.clipboard.readText()") == answer
    turn.locator("summary").first.click()
    expect(turn.locator("details").first).to_contain_text("Count.")


def test_jump_to_latest(open_chat, simulator):
    """One who has scrolled up is left there, and can go back to the end."""
    simulator.enqueue(Stream([start(), *text("line\n\n" * 60, *WORDS), *end()], delay=0.03))
    chat = open_chat()
    chat.send("Go")
    expect(chat.turns.last).to_contain_text("word2 ")
    log = chat.el.get_by_role("log")
    log.evaluate("e => { e.scrollTop = 0; }")
    latest = chat.button("Go to the latest message")
    expect(latest).to_be_visible()
    expect(chat.turns.last).to_contain_text("word20")
    assert log.evaluate("e => e.scrollTop") == 0
    latest.click()
    expect(latest).to_be_hidden()
    chat.answered("word59")
    chat.page.wait_for_function(
        "e => e.scrollHeight - e.clientHeight - e.scrollTop < 30", arg=log.element_handle()
    )


def test_pickers_usage_and_total(open_chat, simulator):
    """Model and effort are what is asked with next; tokens are there on demand, and a total."""
    simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat = open_chat()
    chat.el.get_by_label("Model").select_option("claude-sonnet-5-5")
    chat.el.get_by_label("Effort").select_option("high")
    chat.ask("First", "One.")
    body = simulator.requests[-1].body
    assert (body["model"], body["output_config"]) == ("claude-sonnet-5-5", {"effort": "high"})
    usage = chat.button("Tokens, cost and times")
    expect(usage).to_contain_text("$0.0004 · 15 out · 25 in")
    expect(usage).to_have_attribute("aria-expanded", "false")
    usage.press("Enter")
    expect(chat.turns.last.get_by_role("rowheader", name="cost")).to_be_visible()
    chat.ask("Second", "Two.")
    expect(chat.el.locator(".claude-nb-total")).to_have_text("2 turns$0.0008")


@front_ends
def test_stop_from_the_first_moment(open_chat, simulator, front_end):
    """Before a word has come; the request ends at the server, and what came is kept."""
    chat = open_chat(front_end=front_end)
    for reply, words in (([], "Nothing had arrived yet."), (OPEN, "The first words")):
        simulator.drain()
        simulator.enqueue(Stream(reply, end="hang"))
        chat.send("Go")
        if reply:
            expect(chat.turns.last).to_contain_text(words)
        chat.stop()
        expect(chat.turns.last).to_contain_text(words)
        expect(chat.box).to_be_focused()
    simulator.wait_for(lambda requests: all(left(requests)), 20)


def test_retry_edit_and_versions(open_chat, simulator):
    """Any earlier question can be asked again or changed, and every version can be gone back to."""
    simulator.enqueue(*(Stream(said(a)) for a in ("One.", "Two.", "Other.", "Changed answer.")))
    chat = open_chat()
    chat.ask("First", "One.")
    chat.ask("Second", "Two.")
    chat.turns.first.get_by_role("button", name="Ask this again").click()
    expect(chat.turns).to_have_count(1)
    expect(chat.turns.last).to_contain_text("2/2")
    chat.answered("Other.")
    chat.button("Previous version").click()
    expect(chat.turns).to_have_count(2)
    expect(chat.turns.last).to_contain_text("Two.")
    chat.turns.first.get_by_role("button", name="Edit this question").press("Enter")
    edit = chat.el.get_by_label("Edit the question")
    expect(edit).to_be_focused()
    edit.fill("Changed")
    edit.press("Enter")
    expect(chat.turns).to_have_count(1)
    expect(chat.turns.last).to_contain_text("Changed answer.")
    expect(chat.turns.last).to_contain_text("3/3")
    assert [m["content"] for m in simulator.requests[-1].body["messages"]] == ["Changed"]


def test_clear_and_export_by_keyboard(open_chat, simulator):
    """The menu is walked with the keys; what was cleared can be brought back."""
    simulator.enqueue(Stream(said("Hello.")))
    chat = open_chat()
    chat.ask("Hi", "Hello.")
    more = chat.button("More: copy, save, clear")
    more.press("Enter")
    expect(chat.el.get_by_role("menuitem", name="Copy as Markdown")).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(chat.notice).to_have_text("Copied as Markdown.")
    assert "**You**\n\nHi" in chat.page.evaluate("navigator.clipboard.readText()")
    more.press("Enter")
    chat.page.keyboard.press("ArrowDown")
    chat.page.keyboard.press("Enter")
    expect(chat.notice).to_have_text(re.compile(r"Saved as chat.*\.md, in "))
    more.press("Enter")
    chat.page.keyboard.press("End")
    chat.page.keyboard.press("Enter")
    expect(chat.turns).to_have_count(0)
    chat.button("Restore").click()
    expect(chat.turns).to_have_count(1)


def test_a_screen_reader_hears_each_reply_once(open_chat, simulator):
    """The log is busy while it grows, and silent; one announcement says that it is complete."""
    simulator.enqueue(Stream([start(), *text(*WORDS), *end()], delay=0.03))
    chat = open_chat()
    chat.page.evaluate(
        """() => {
            window.heard = [];
            window.watch = new MutationObserver(() => heard.push(
                document.getElementById("claude-nb-announcer")?.textContent ?? ""
            ));
            watch.observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )
    log = chat.el.get_by_role("log")
    log.evaluate(
        """log => {
            window.states = [];
            const note = () => states.push([log.ariaBusy, log.ariaLive]);
            new MutationObserver(note).observe(log, { attributes: true });
        }"""
    )
    chat.send("Go")
    expect(chat.turns.last).to_contain_text("word59")
    expect(log).to_have_attribute("aria-busy", "false")
    assert ["true", "off"] in chat.page.evaluate("states")
    chat.page.wait_for_function("heard.includes('Reply complete.')")
    heard = [words for words in chat.page.evaluate("watch.disconnect(), heard") if words]
    assert list(dict.fromkeys(heard)) == ["Reply complete."]


# Failing.


def test_waits_seams_and_cards(open_chat, simulator):
    """As in a cell: a countdown, a seam where it was continued, a card where it failed."""
    overloaded = Error(529, "overloaded_error", "Busy")
    dropped = Stream([start(), *text("The first half")[:-1]], end="drop")
    limited = Error(429, "rate_limit_error", "Slow", headers={"retry-after": "5"})
    missing = Error(404, "not_found_error", "model: claude-x")
    simulator.enqueue(limited, dropped, Stream(said(" and the second.")), missing)
    simulator.enqueue(Error(400, "invalid_request_error", "No."), overloaded)
    chat = open_chat()
    chat.send("Go")
    expect(chat.turns.last).to_contain_text("rate limited, trying again at")
    expect(chat.turns.last).to_contain_text("and the second.")
    expect(chat.turns.last).to_contain_text("connection lost after")
    expect(chat.button("Send (Enter)")).to_be_visible()
    chat.ask("And a model that there is not?", "model: claude-x")
    expect(chat.button("Ask this again").last).to_be_visible()


def test_what_is_refused_is_said_and_kept(open_chat, simulator):
    """An empty message, an unknown name."""
    chat = open_chat()
    chat.box.press("Enter")
    expect(chat.notice).to_have_text("There is nothing to send yet.")
    chat.send("What is {{nope}}?")
    expect(chat.notice).to_contain_text("There is no variable nope.")
    expect(chat.box).to_have_value("What is {{nope}}?")


WAITING = """\
import threading
goes_on = threading.Event()
def wait() -> str:
    '''Waits.'''
    goes_on.wait(600)
    return "done"
chat = claude_nb.Chat(tools=claude_nb.Tools(wait, confirm=False))
chat"""


def test_messages_are_queued_while_it_answers(open_chat, simulator):
    """They are sent after a complete answer; after Stop they wait, and can be changed."""
    call = Stream([start(), *tool_use("{}", name="wait"), *end("tool_use")])
    answers = (Stream(said(words)) for words in ("One.", "Two."))
    simulator.enqueue(call, *answers, Stream(OPEN, end="hang"))
    chat = open_chat(WAITING)
    queue = chat.el.get_by_role("group", name="Queued messages")
    chat.send("One")
    expect(chat.turns.last).to_contain_text("wait()")
    chat.send("Two")
    expect(queue.get_by_role("listitem")).to_have_count(1)
    expect(chat.box).to_have_value("")
    chat.notebook.execute("goes_on.set()")
    chat.answered("Two.")
    expect(queue).to_be_hidden()
    expect(chat.turns).to_have_count(2)

    chat.send("Three")
    expect(chat.turns.last).to_contain_text("The first words")
    chat.send("Four")
    expect(chat.box).to_have_value("")
    chat.send("Five")
    expect(queue.get_by_role("listitem")).to_have_count(2)
    expect(chat.box).to_have_value("")
    chat.box.press("ArrowUp")
    expect(chat.box).to_have_value("Five")
    chat.stop()
    expect(queue).to_contain_text("Not sent: the previous answer is incomplete")
    simulator.enqueue(Stream(said("At last.")))
    queue.get_by_role("button", name="Send now: Four").press("Enter")
    expect(chat.turns.last).to_contain_text("At last.")
    expect(chat.box).to_have_value("Five")


def test_the_notebook_s_chats(open_chat, simulator):
    """The name opens a list of them, by keyboard; each is shown as it was, a new one empty."""
    simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat = open_chat("claude_nb.Chat('one')")
    name = chat.button("chats of this notebook")
    expect(name).to_have_text("one")
    chat.ask("First", "One.")
    name.press("Enter")
    expect(chat.el.get_by_role("menuitemradio", name="1 turn · First")).to_be_focused()
    chat.page.keyboard.press("End")
    chat.page.keyboard.press("Enter")
    expect(name).to_have_text(re.compile(r"chat( \d+)?"))
    expect(chat.box).to_be_focused()
    chat.ask("Second", "Two.")
    chat.wait_saved("Two.")
    name.press("Enter")
    expect(chat.el.get_by_role("menuitemradio", checked=True)).to_contain_text("Second")
    chat.page.keyboard.press("Home")
    chat.page.keyboard.press("Enter")
    expect(name).to_have_text("one")
    expect(chat.turns.last).to_contain_text("One.")
    chat.wait_saved("One.")
    kept = [r["turn"]["text"] for r in chat.saved_output()["data"][MIME]["replies"]]
    assert kept == ["One.", "Two."]


def test_the_kernel_stays_free(open_chat, simulator):
    """A cell runs while the chat streams, and the chat is asked and stopped while a cell runs."""
    simulator.enqueue(Stream(OPEN, end="hang"), Stream(OPEN, end="hang"))
    chat = open_chat(
        "chat = claude_nb.Chat()\nchat",
        "6 * 7",
        "import threading\ngate = threading.Event()\ngate.wait(600)",
    )
    chat.send("Go")
    expect(chat.turns.last).to_contain_text("The first words")
    chat.notebook.run(2)
    expect(chat.notebook.output(2)).to_contain_text("42")
    chat.stop()
    chat.notebook.run(3)
    expect(chat.notebook.cell(3)).to_contain_text("[*]")
    chat.send("And now")
    expect(chat.turns.last).to_contain_text("The first words")
    chat.stop()
    expect(chat.notebook.cell(3)).to_contain_text("[*]")
    chat.notebook.interrupt()


def test_a_busy_kernel_is_said(open_chat, simulator):
    """Where messages wait for the cell to end, the reader is told, and nothing is lost."""
    simulator.enqueue(Stream(said("Hello.")))
    chat = open_chat(
        f"{DEAF}chat = claude_nb.Chat()\nchat",
        "import time\nprint('waits')\ntime.sleep(600)",
        subshells=False,
    )
    chat.notebook.run(2)
    expect(chat.notebook.output(2)).to_contain_text("waits")
    chat.send("Hi")
    expect(chat.notice).to_contain_text("The kernel is busy.")
    expect(chat.box).to_have_value("Hi")
    chat.notebook.interrupt()
    expect(chat.turns.last).to_contain_text("Hello.")
    expect(chat.box).to_have_value("")


# Keeping.


def test_a_restarted_kernel_is_said_and_the_chat_comes_back(open_chat, simulator):
    """What was written and not answered is kept; run again, the cell goes on where it was."""
    simulator.enqueue(Stream(said("One.")), Stream(OPEN, end="hang"), Stream(said("Two.")))
    chat = open_chat("claude_nb.Chat()")
    chat.ask("First", "One.")
    chat.wait_saved("One.")
    chat.notebook.saved()
    chat.send("Under way")
    expect(chat.turns.last).to_contain_text("The first words")
    chat.send("Queued")
    expect(chat.box).to_have_value("")
    chat.box.fill("my draft")
    chat.notebook.restart_kernel()
    expect(chat.notice).to_contain_text("The kernel of this chat has ended.")
    written = "Under way\n\nQueued\n\nmy draft"
    expect(chat.box).to_have_value(written)
    expect(chat.turns.first).to_contain_text("One.")
    chat.notebook.run_all()
    chat.notebook.wait_idle()
    chat.covered()
    expect(chat.box).to_have_value(written)
    strip = chat.el.get_by_role("region", name="Saved chat", include_hidden=True)
    expect(strip).to_contain_text("Restored 1 turn from shared-")
    expect(chat.turns.last).to_contain_text("One.")
    chat.ask("Second", "Two.")
    expect(strip).to_be_hidden()
    sent = [m["content"] for m in simulator.requests[-1].body["messages"]]
    assert [sent[0], sent[2]] == ["First", "Second"]


# A cell that waits until the test has saved the notebook.
WAIT = """\
import pathlib, time
while not pathlib.Path("saved").exists():
    time.sleep(0.01)
pathlib.Path("saved").unlink()
"""


def restart_and_run_all(chat: ChatPage) -> None:
    """Restart and Run All, with a save as soon as the first cell has run, before the chat's."""
    notebook = chat.notebook
    notebook.restart_kernel()
    notebook.run_all()
    expect(notebook.cell(0).locator(".jp-InputPrompt").first).to_have_text("[1]:")
    notebook.page.evaluate(f"{PANEL}.context.save()")  # not saved(), which waits for Run All
    assert nbformat.read(notebook.path, 4).cells[chat.cell].outputs == []

    (notebook.path.parent / "saved").touch()
    notebook.wait_idle()


@front_ends
def test_restart_and_run_all_keeps_what_was_said(open_notebook, simulator, front_end):
    """Twice in a row, with a save in between; on the page and in the file. Each asks once more."""
    notebook = open_notebook(
        [SET_UP, WAIT, "chat = claude_nb.Chat('second')\nchat", "chat.ask('From a cell')"],
        front_end,
    )
    chat = ChatPage(notebook, 2)
    simulator.enqueue(*(Stream(said(words)) for words in ("One.", "Two.", "Again.", "And again.")))
    (notebook.path.parent / "saved").touch()
    notebook.run_all()
    notebook.wait_idle()
    chat.covered()
    chat.ask("Typed", "Two.")
    chat.wait_saved("Two.")
    notebook.saved()

    for answer, version in (("Again.", "2/2"), ("And again.", "3/3")):
        restart_and_run_all(chat)
        expect(chat.turns.last).to_contain_text(answer)
        expect(chat.turns).to_have_count(1)
        expect(chat.turns.last).to_contain_text(version)
        chat.wait_saved(answer)
        notebook.saved()

    texts = [r["turn"]["text"] for r in chat.saved_output()["data"][MIME]["replies"]]
    assert texts == ["One.", "Two.", "Again.", "And again."]
    sent = [r.body["messages"] for r in simulator.requests if r.path == "/v1/messages"]
    assert [len(messages) for messages in sent] == [1, 3, 1, 1]
    for version in ("2/3", "1/3"):
        chat.el.get_by_role("button", name="Previous version").press("Enter")
        expect(chat.turns.first).to_contain_text(version)
    expect(chat.turns.last).to_contain_text("Two.")


def test_a_kernel_that_is_killed_loses_no_answer(open_chat, simulator):
    """It was not saved; *Start empty* then begins anew, and the old turns can be brought back."""
    simulator.enqueue(Stream(said("One.")))
    chat = open_chat("claude_nb.Chat('second')")
    chat.notebook.saved()
    chat.ask("First", "One.")
    chat.notebook.page.evaluate(f"{PANEL}.context.revert()")
    chat.notebook.page.wait_for_function(f"!{PANEL}.context.model.dirty")

    chat.notebook.restart_kernel()
    chat.notebook.run_all()
    chat.notebook.wait_idle()

    chat.covered()
    strip = chat.el.get_by_role("region", name="Saved chat", include_hidden=True)
    expect(strip).to_contain_text("Restored 1 turn from the backup on this computer.")
    expect(chat.turns.last).to_contain_text("One.")
    strip.get_by_role("button", name="Start empty").press("Enter")
    expect(chat.turns).to_have_count(0)
    expect(strip).to_be_hidden()
    chat.button("Restore the earlier turns").click()
    expect(chat.turns.last).to_contain_text("One.")


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_a_saved_notebook_shows_it_without_a_kernel(open_chat, simulator, trusted):
    """As plain HTML, trusted or not: questions, answers, folded panes, usage; no widget."""
    simulator.enqueue(Stream([start(), *thinking("Hm."), *text("An **answer**.", index=1), *end()]))
    chat = open_chat()
    chat.ask("A question", "An answer.")
    chat.wait_saved("answer")
    output = chat.saved_output()
    assert set(output["data"]) == {MARK, MIME, "text/html", "text/markdown", "text/plain"}
    (record,) = output["data"][MIME]["replies"]
    assert record["turn"]["text"] == "An **answer**."
    chat.notebook.reopen_without_kernel(trusted=trusted)
    shown = chat.notebook.output(1)
    expect(shown.locator("strong")).to_have_text("answer")
    expect(shown).to_contain_text("A question")
    expect(shown).to_contain_text("$0.0004 · 15 out · 25 in")
    expect(shown).not_to_contain_text("Loading widget")
    expect(shown.locator(".claude-nb-chat")).to_have_count(0)


@front_ends
def test_a_page_that_is_reloaded_in_mid_stream_resumes(open_chat, simulator, front_end):
    """The new page shows all of it, goes on to its end, and the notebook saves that end."""
    words = WORDS + WORDS[:30]
    simulator.enqueue(Stream([start(), *text(*words), *end()], delay=0.1))
    chat = open_chat(front_end=front_end)
    chat.send("Go")
    expect(chat.turns.last).to_contain_text("word3 ")
    chat.box.fill("my draft")
    expect(chat.turns.last).to_contain_text("word12 ")
    chat.notebook.command("docmanager:save")
    chat.page.wait_for_function(f"!{PANEL}.context.model.dirty")
    chat.notebook.reload()
    expect(chat.turns.last).to_contain_text("simulated")
    assert "".join(words).strip() in chat.turns.last.text_content()
    expect(chat.box).to_have_value("my draft")
    chat.wait_saved("word59 word0 word1")


def test_two_views_of_one_chat(open_chat, simulator):
    """Displayed twice, both show the same, and either can ask."""
    simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat = open_chat("chat = claude_nb.Chat()\nchat", "chat")
    chat.notebook.run(2)
    other = ChatPage(chat.notebook, 2)
    other.covered()
    chat.ask("First", "One.")
    expect(other.turns.last).to_contain_text("One.")
    other.ask("Second", "Two.")
    expect(chat.turns.last).to_contain_text("Two.")
    other.wait_saved("Two.")
    chat.wait_saved("Two.")


@front_ends
def test_a_chat_is_forgotten_after_a_question(open_chat, simulator, front_end):
    """By keyboard; Escape keeps it. Then it is neither on the page nor in the notebook."""
    simulator.enqueue(Stream(said("One.")))
    chat = open_chat(front_end=front_end)
    forget = chat.button("Forget this chat")
    expect(forget).to_be_hidden()
    chat.ask("First", "One.")
    chat.wait_saved("One.")
    expect(chat.el).to_contain_text("saved in this notebook · Forget")
    question = chat.el.get_by_role("group", name="Forget this chat?")
    forget.press("Enter")
    expect(chat.button("Keep this chat")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(forget).to_be_focused()
    forget.press("Enter")
    question.get_by_role("button", name="Forget it now").press("Enter")
    expect(chat.notice.first).to_contain_text("Forgotten. Save the notebook")
    expect(chat.turns).to_have_count(0)
    expect(chat.box).to_be_focused()
    expect(forget).to_be_hidden()
    chat.wait_saved("No messages yet.")
    assert "One." not in str(chat.saved_output())


def test_cells_and_chats_share_a_conversation(open_chat, simulator):
    """What a cell asks appears in the chat."""
    simulator.enqueue(Stream(said("From a cell.")), Stream(said("From the chat.")))
    chat = open_chat("claude_nb.Chat('trains')", "%%claude -c trains\nFirst")
    chat.notebook.run(2)
    expect(chat.turns.last).to_contain_text("From a cell.")
    chat.notebook.wait_idle()
    chat.ask("Second", "From the chat.")
    assert len(simulator.requests[-1].body["messages"]) == 3


# Looking.


@pytest.mark.parametrize("width", [400, 1200])
def test_long_things_scroll_in_their_own_box(open_chat, simulator, width):
    """Neither a long word nor code nor a table widens the chat, and the bar is not cut off."""
    long = "x" * 300
    table = "| a | b |\n|--|--|\n| " + " | ".join(["cell" * 40] * 2) + " |"
    simulator.enqueue(Stream(said(f"{long}\n\n```python\n{long}\n```\n\n{table}\n")))
    chat = open_chat(front_end="notebook", viewport=(width, 900))
    chat.ask(long, "xxx")
    sizes = chat.el.get_by_role("log").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert sizes[0] == sizes[1]
    code = chat.turns.last.locator("pre code")
    assert code.evaluate("e => e.scrollWidth > e.clientWidth")
    inside = chat.el.bounding_box()
    for part in (chat.el.locator(".claude-nb-total"), chat.button("More: copy, save, clear")):
        box = part.bounding_box()
        assert inside["x"] <= box["x"]
        assert box["x"] + box["width"] <= inside["x"] + inside["width"]


def test_reduced_motion(open_chat, simulator):
    """Who asks for less motion sees none."""
    simulator.enqueue(Stream(OPEN, end="hang"))
    chat = open_chat()
    chat.page.emulate_media(reduced_motion="reduce")
    chat.send("Go")
    expect(chat.turns.last.locator(".claude-nb-dot")).to_have_css("animation-name", "none")
    chat.stop()


def test_a_chat_calls_functions_and_asks_before(open_chat, simulator):
    """The call waits for its buttons while the kernel is free; its result is in the pane."""
    calls = [start(), *tool_use('{"city": "Lisbon"}'), *end("tool_use")]
    simulator.enqueue(Stream(calls), Stream(said("It is warm.")))
    chat = open_chat(
        "def look_up(city: str) -> str:\n    return f'{city}: 21 degrees'\n"
        "chat = claude_nb.Chat(tools=claude_nb.Tools(look_up, confirm=True))\nchat",
    )
    chat.send("How warm is it?")
    question = chat.el.get_by_role("group", name="May this call run?")
    expect(question).to_be_visible()
    assert chat.notebook.execute("print(chat.busy)").strip() == "True"
    question.get_by_role("button", name="Run", exact=True).press("Enter")
    expect(chat.turns.last).to_contain_text("It is warm.")
    expect(chat.turns.last.locator("summary").first).to_contain_text("→ Lisbon: 21 degrees")
    (result,) = simulator.requests[-1].body["messages"][-1]["content"]
    assert result["content"] == [{"type": "text", "text": "Lisbon: 21 degrees"}]


# A thread of a tool ends a moment after the answer: one that waits for the page does not.
TOOLS_END = """\
import threading
tools = [thread for thread in threading.enumerate() if thread.name == "claude_nb tool"]
[thread.join(30) for thread in tools]
assert not any(thread.is_alive() for thread in tools)"""


def test_stop_takes_a_question_away(open_chat, simulator):
    """Its buttons go, in each view, and the next question has its own."""
    calls = [
        Stream([start(), *tool_use("{}", name="act", call=f"toolu_{n}"), *end("tool_use")])
        for n in (1, 2)
    ]
    simulator.enqueue(*calls, Stream(said("It has acted.")))
    chat = open_chat(
        "def act() -> str:\n    return 'acted'\n"
        "chat = claude_nb.Chat(tools=claude_nb.Tools(act, confirm=True))\nchat",
        "chat",
    )
    chat.notebook.run(2)
    other = ChatPage(chat.notebook, 2)
    other.covered()
    chat.send("Act")
    questions = [one.el.get_by_role("group", name="May this call run?") for one in (chat, other)]
    for question in questions:
        expect(question).to_be_visible()
    chat.stop()
    for question in questions:
        expect(question).to_have_count(0)

    chat.send("Act then")
    questions[1].get_by_role("button", name="Run", exact=True).click()
    chat.answered("It has acted.")
    chat.notebook.execute(TOOLS_END)
    assert chat.notebook.errors == []
