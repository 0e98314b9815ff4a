"""``Chat`` without a browser: what is asked, shown, saved, and what comes back."""

from __future__ import annotations

import base64
import io
import json
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

import claude_nb
from claude_nb import Chat, Conversation, Tools
from claude_nb.chat import messages, questions
from claude_nb.conversation.saved_notebook import load
from claude_nb.errors import DroppedError, InputError, RequestError, StoppedError
from claude_nb.render import chat as render
from claude_nb.render import saved_output
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME, RecordedUsage
from claude_nb.views.frames_view import FramesView
from tests.asking.test_conversation import sent
from tests.conversation.test_restore import PNG
from tests.page import Page
from tests.played import end, said, start, text, thinking, tool_use
from tests.protocol import chat as protocol

OPEN = Stream([start(), *text("The first words")[:-1]], end="hang")


@pytest.fixture
def page(monkeypatch):
    """A page that writes down what it is sent; conversations and variables of the test's own."""
    monkeypatch.setattr(Conversation, "_named", {})
    here = SimpleNamespace(
        user_ns={"df": [1, 2], "draft": "x", "blank": " ", "In": []},
        user_ns_hidden={"In"},
        history_manager=SimpleNamespace(output_hist={}),
    )
    for module in (questions, messages):
        monkeypatch.setattr(module, "shell", lambda: here)
    return Page(monkeypatch)


@pytest.fixture
def chat(api, page):
    """A chat whose questions go to the simulator."""
    chat = Chat()
    yield chat
    chat.close()


def idle(chat):
    """Wait until the answer that is under way has ended, if there is one."""
    ended = threading.Event()
    chat.observe(lambda change: change.new or ended.set(), "busy")
    assert not chat.busy or ended.wait(60)


def send(page, chat, prompt):
    """Send a question from the page, wait for its answer, and return what it was refused with."""
    error = page.say(chat, "send", text=prompt).get("error", "")
    idle(chat)
    return error


def arrived(api, number):
    """Wait until the server has this many requests."""
    assert api.wait_for(lambda requests: len(requests) >= number, 20)


def prompts(chat):
    return [exchange.prompt for exchange in chat.conversation.branch]


# Asking.


def test_questions_build_on_each_other(api, page, chat):
    """Each is sent with those before it, in the background: the page is answered at once."""
    api.enqueue(Stream(said("At six.")), Stream(said("At seven.")))

    send(page, chat, "When does the first one leave?")
    send(page, chat, "And the one after that?")

    assert sent(api) == ["When does the first one leave?", "At six.", "And the one after that?"]
    assert [turn["answer"]["source"] for turn in page.turns()] == ["At six.", "At seven."]
    assert (chat.turns, chat.busy, repr(chat)) == (2, False, "<Chat 'chat' · 2 turns>")
    assert chat.reply.text == "At seven."


def test_in_colab_a_message_is_handled_until_its_answer_is_shown(api, page, chat, colab):
    """What is sent later would not arrive there; what was queued meanwhile is answered too."""
    api.enqueue(Stream(said("At six.")), Stream(said("At seven.")))

    def queue(change):
        if change.new:
            other = threading.Thread(target=page.say, args=(chat, "send"), kwargs={"text": "Then?"})
            other.start()
            other.join()

    chat.observe(queue, "busy")

    page.say(chat, "send", text="When?")

    assert not chat.busy
    assert [turn["answer"]["source"] for turn in page.turns()] == ["At six.", "At seven."]


@pytest.mark.parametrize("how", ["the button", "an interrupt"])
def test_in_colab_what_is_waited_for_can_be_stopped(api, page, chat, colab, how):
    """By the page's button, and by an interrupt of the kernel."""
    number, main = len(api.requests) + 1, threading.main_thread().ident
    api.enqueue(OPEN)

    def stop():
        arrived(api, number)
        chat.stop() if how == "the button" else signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=stop).start()

    page.say(chat, "send", text="Hi")

    assert chat.reply.outcome == "stopped"


def test_python_asks_too(api, page, chat):
    """``ask`` waits and returns the reply; what fails is raised as everywhere."""
    api.enqueue(Stream(said("Six.")), Error(404, "not_found_error", "No such model."))

    assert chat.ask("When?").text == "Six."
    with pytest.raises(RequestError) as raised:
        chat.ask("And now?")

    assert raised.value.reply is chat.reply
    assert prompts(chat) == ["When?"]


def test_options_are_sent(api, page):
    """Model and effort as they are picked, the others as the chat was made."""
    api.enqueue(Stream(said("Yes.")))
    chat = Chat(system="Be brief.", max_tokens=99, effort="low")
    chat.model, chat.effort = "claude-sonnet-5-5", "high"

    chat.ask("Hi")

    body = api.requests[-1].body
    assert (body["model"], body["system"], body["max_tokens"]) == (
        "claude-sonnet-5-5",
        "Be brief.",
        99,
    )
    assert body["output_config"] == {"effort": "high"}


def test_other_fields_hold_for_all_of_a_chat(api, page):
    """As the chat was made; a tool is chosen among those of its conversation."""

    def words(text: str) -> int:
        """Count the words of a text."""
        return len(text.split())

    talk = Conversation("tooled", tools=[words])
    fields = {"extra": {"service_tier": "auto"}, "stop_sequences": ["END"]}
    options = {"betas": ["skills-2025-10-02"], "tool_choice": "words", **fields}
    chat = Chat(talk, model="claude-haiku-5-5", **options)
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))

    for prompt in ("First", "Second"):
        chat.ask(prompt)
        sent = api.requests[-1]
        assert sent.body["service_tier"] == "auto"
        assert sent.body["stop_sequences"] == ["END"]
        assert sent.body["tool_choice"] == {"type": "tool", "name": "words"}
        assert sent.headers["anthropic-beta"] == "skills-2025-10-02"
    with pytest.raises(InputError, match="extra cannot hold model"):
        Chat(extra={"model": "x"})


@pytest.mark.parametrize("op", ["send", "retry", "edit"])
def test_a_question_is_asked_with_what_it_names(api, page, chat, op):
    """The model and effort of its own message: the change of the state may come after it."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    send(page, chat, "First")
    about = {} if op == "send" else {"turn": page.turns()[0]["key"]}

    page.say(chat, op, text="Second", model="claude-sonnet-5-5", effort="high", **about)
    change = {"method": "update", "state": {"model": "claude-sonnet-5-5", "effort": "max"}}
    chat.comm.handle_msg({"content": {"data": change}, "buffers": []})
    idle(chat)

    body = api.requests[-1].body
    assert (body["model"], body["output_config"]) == ("claude-sonnet-5-5", {"effort": "high"})
    assert (chat.model, chat.effort) == ("claude-sonnet-5-5", "max")


@pytest.mark.parametrize(
    ("picked", "says"),
    [
        ({"effort": "huge"}, "There is no effort 'huge'."),
        ({"effort": ["low"]}, "There is no effort"),
        ({"model": ""}, "The model id is empty."),
    ],
)
def test_what_cannot_be_picked_is_refused(api, page, chat, picked, says):
    """In words, and nothing is sent."""
    error = page.say(chat, "send", text="Hi", **picked).get("error", "")

    assert says in error
    assert (page.turns(), chat.busy) == ([], False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"modle": "x"}, "A chat has no option modle. Did you mean model?"),
        ({"effort": "huge"}, "There is no effort 'huge'."),
        ({"max_tokens": 0}, "max_tokens must be at least 1, not 0."),
        ({"conversation": " \n"}, "cannot be the name of a conversation"),
    ],
)
def test_arguments_that_are_not_possible(page, arguments, says):
    """Are refused when the chat is made, with the nearest right one."""
    with pytest.raises(InputError) as raised:
        Chat(**arguments)
    assert says in str(raised.value)


def test_an_effort_that_there_is_not(page, chat):
    """Is refused when it is set, and the old one stays."""
    with pytest.raises(InputError, match="There is no effort"):
        chat.effort = "huge"
    assert chat.effort == ""


def test_each_chat_is_a_new_conversation(page):
    """Unless one is named; a name is shared with ``%%claude -c NAME``."""
    names = [Chat().conversation.name, Chat().conversation.name]
    shared = Chat("trains")

    assert names == ["chat", "chat 2"]
    assert shared.conversation is Conversation.named("trains")


def test_a_conversation_is_shared(api, page):
    """What a cell asks appears in the chat, and is sent with its next question."""
    api.enqueue(Stream(said("Six.")), Stream(said("Seven.")))
    chat = Chat("trains")

    Conversation.named("trains").ask("When?", show=False)
    send(page, chat, "And then?")

    assert [turn["source"] for turn in page.turns()] == ["When?", "And then?"]
    assert sent(api) == ["When?", "Six.", "And then?"]


def test_variables_are_put_in(api, page, chat):
    """As in a ``%%claude`` cell; the question says what was put in."""
    api.enqueue(Stream(said("Two.")))

    send(page, chat, "How long is {{df}}?")

    assert sent(api) == ["How long is [1, 2]?"]
    assert "<code>{{df}}</code>" in page.turns()[0]["prompt"]


def test_variables_are_offered(page, chat):
    """Those of the user that begin so, with what they are."""
    matches = page.say(chat, "complete", text="What is {{d")["matches"]

    assert matches == [{"name": "df", "about": "list 2"}, {"name": "draft", "about": "str 1"}]
    assert page.say(chat, "complete", text="no braces") == {"matches": []}


def test_several_chats_at_once(api, page):
    """One that hangs does not keep another from its answer."""
    api.enqueue(OPEN)
    waiting, other = Chat(), Chat()
    number = len(api.requests)
    page.say(waiting, "send", text="Hang")
    arrived(api, number + 1)
    api.enqueue(Stream(said("Hello.")))

    assert other.ask("Hi").text == "Hello."
    assert waiting.busy
    waiting.close()
    idle(waiting)


# What cannot be sent.


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (" \n", "There is nothing to send"),
        ("{{nope}}", "There is no variable nope."),
        ("{{blank}}", "There is nothing to send: {{blank}} is blank."),
    ],
)
def test_what_cannot_be_sent_is_refused(api, page, chat, prompt, says):
    """At once and in words; nothing is sent, and the page keeps what was written."""
    before = len(api.requests)

    error = send(page, chat, prompt)

    assert says in error
    assert "--" not in error  # a chat has no options
    assert (len(api.requests), page.turns(), chat.busy) == (before, [], False)


def test_asking_anew_while_it_streams_is_refused(api, page, chat):
    """In words, and the answer goes on: what changes the turns before it would take it away."""
    api.enqueue(OPEN)
    page.say(chat, "send", text="Hang")

    for op in ("retry", "edit"):
        answer = page.say(chat, op, turn=page.turns()[0]["key"], text="Other")
        assert "still answering" in answer["error"]
    for op in ("clear", "new_chat"):
        assert "still answering" in page.say(chat, op)["error"]

    assert chat.busy
    page.say(chat, "stop")
    idle(chat)


def test_a_cell_that_is_being_answered_is_waited_for(api, page):
    """Two questions at once in one conversation would each miss the other."""
    chat = Chat("trains")
    with Conversation.named("trains").asking():
        page.say(chat, "send", text="Me too")
        idle(chat)

    (refused,) = page.ops("refused")
    assert refused["prompt"] == "Me too"
    assert "is still being answered" in refused["error"]
    assert (page.turns(), chat.busy) == ([], False)


def test_a_budget_that_is_spent(api, page):
    """Is said, and the question comes back."""
    chat = Chat(max_cost=1e-9)

    send(page, chat, "Hi")

    (refused,) = page.ops("refused")
    assert "max_cost" in refused["error"]
    assert page.turns() == []


def test_a_model_that_there_is_not(api, page, chat):
    """Is the server's to know: its answer is a card, the question stays, and can be tried again."""
    api.enqueue(Error(404, "not_found_error", "model: claude-x"), Stream(said("Hello.")))
    chat.model = "claude-x"

    send(page, chat, "Hi")

    (turn,) = page.turns()
    assert "claude-x" in turn["answer"]["below"]
    assert prompts(chat) == []
    page.say(chat, "retry", turn=turn["key"])
    idle(chat)
    assert prompts(chat) == ["Hi"]
    assert [t["answer"]["source"] for t in page.turns()] == ["Hello."]


def test_a_megabyte_goes_along(api, page, chat):
    """It is sent whole, and shown in part."""
    api.enqueue(Stream(said("Long.")))
    prompt = "word " * 200_000

    send(page, chat, prompt)

    assert sent(api) == [prompt]
    shown = page.turns()[0]["prompt"]
    assert len(shown) < 30_000
    assert "and 980,000 more characters" in shown


def test_files_go_along(api, page, chat):
    """An image as an image, text as text; they go with one question, and with its retry."""
    api.enqueue(Stream(said("A picture.")), Stream(said("Still.")), Stream(said("None.")))
    page.say(chat, "attach", name="a.png", buffers=(base64.b64decode(PNG),))
    page.say(chat, "attach", name="notes.txt", buffers=(b"Buy milk.",))

    send(page, chat, "What is this?")
    content = api.requests[-1].body["messages"][0]["content"]
    page.say(chat, "retry", turn=page.turns()[0]["key"])
    idle(chat)
    again = api.requests[-1].body["messages"][0]["content"]
    send(page, chat, "And now?")

    assert [block["type"] for block in content] == ["text", "image", "text"]
    assert "Buy milk." in content[2]["text"]
    assert again == content
    assert api.requests[-1].body["messages"][-1]["content"] == "And now?"
    assert "a.png: image" in page.turns()[0]["prompt"]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xlsx", b"PK\x03\x04\x00\xff", "a.xlsx is neither UTF-8 text nor a PDF"),
        ("empty", b"", "empty is empty."),
    ],
)
def test_files_of_a_wrong_type(page, chat, name, data, says):
    """Are refused when they are attached, and say what is taken."""
    assert says in page.say(chat, "attach", name=name, buffers=(data,))["error"]
    assert chat._page.files == {}


def test_a_file_can_be_left_out(page, chat):
    """By its name on the page."""
    page.say(chat, "attach", name="a.txt", buffers=(b"a",))
    (file,) = page.ops("about")[-1]["files"]

    page.say(chat, "detach", file=file["file"])

    assert (file["note"], page.ops("about")[-1]["files"]) == ("a.txt: 1 character of text", [])


@pytest.mark.parametrize("content", [None, 3, {}, {"op": "nonsense"}, {"op": ["send"]}])
def test_what_a_page_may_not_say_is_passed_over(page, chat, content):
    """No message of a page fails in the kernel."""
    chat._handle_custom_msg(content, [])
    assert page.received[-1:] == [] or "ack" not in page.received[-1]


def test_a_turn_that_is_not_there(page, chat):
    """Is said."""
    assert "no longer exists" in page.say(chat, "retry", turn="x")["error"]


# What is written while an answer comes.


def waiting(page):
    """What waits, as the page shows it, and whether it waits for the user."""
    return [(one["text"], one["held"]) for one in page.ops("about")[-1]["queue"]]


def test_what_is_written_meanwhile_is_sent_after_a_complete_answer(api, page, chat, monkeypatch):
    """One after another, with the data that it had when it was written."""
    asked = threading.Event()
    begin = questions.begin
    monkeypatch.setattr(questions, "begin", lambda *args: asked.wait(20) and begin(*args))
    api.enqueue(Stream(said("One.")), Stream(said("Two.")), Stream(said("Three.")))
    page.say(chat, "send", text="First")
    page.say(chat, "send", text="Second of {{df}}", model="claude-sonnet-5-5")
    page.say(chat, "attach", name="a.txt", buffers=(b"a",))
    page.say(chat, "send", text="Third")
    refused = page.say(chat, "send", text="{{nope}}")["error"]
    questions.shell().user_ns["df"] = []
    assert waiting(page) == [("Second of {{df}}", False), ("Third", False)]
    assert page.ops("about")[-1]["files"] == []

    asked.set()
    idle(chat)

    assert "There is no variable nope." in refused
    assert [turn["source"] for turn in page.turns()] == ["First", "Second of {{df}}", "Third"]
    assert waiting(page) == []
    body = api.requests[-2].body
    assert (body["model"], body["messages"][-1]["content"][0]["text"]) == (
        "claude-sonnet-5-5",
        "Second of [1, 2]",
    )
    assert "a.txt" in api.requests[-1].body["messages"][-1]["content"][0]["text"]


@pytest.mark.parametrize("end_", ["stop", "fail"])
def test_what_waits_is_not_sent_after_an_answer_that_is_not_complete(api, page, chat, end_):
    """It waits for the user, who sends it, takes it back or discards it."""
    number = len(api.requests)
    failing = {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}
    # It fails a while after it has begun: what is written in between waits.
    api.enqueue(OPEN if end_ == "stop" else Stream([*OPEN.events, failing], delay=0.5))
    page.say(chat, "send", text="Hang")
    arrived(api, number + 1)
    for text_ in ("Two", "Three", "Four"):
        page.say(chat, "send", text=text_)
    page.say(chat, "stop")
    idle(chat)

    assert waiting(page) == [("Two", True), ("Three", True), ("Four", True)]
    assert len(api.requests) == number + 1
    two, three, four = (one["message"] for one in page.ops("about")[-1]["queue"])

    assert page.say(chat, "take_back", message=three) == {"text": "Three"}
    assert page.say(chat, "discard", message=four) == {}
    api.enqueue(Stream(said("Other.")), Stream(said("Two it is.")))
    assert send(page, chat, "Another") == ""
    assert waiting(page) == [("Two", True)]
    page.say(chat, "send_queued", message=two)
    idle(chat)

    assert [turn["source"] for turn in page.turns()][-2:] == ["Another", "Two"]
    assert waiting(page) == []
    assert "no longer queued" in page.say(chat, "discard", message=two)["error"]


def test_what_is_written_as_an_answer_ends_comes_after_what_waits(api, page, chat, monkeypatch):
    """Messages are sent in the order in which they were written, whatever ends meanwhile."""
    asked = threading.Event()
    begin, settle = questions.begin, chat._page.settle
    monkeypatch.setattr(questions, "begin", lambda *args: asked.wait(20) and begin(*args))

    def settling():
        if not late:
            late.append(page.say(chat, "send", text="Late"))
        settle()

    late = []
    api.enqueue(Stream(said("One.")), Stream(said("Two.")), Stream(said("Three.")))
    page.say(chat, "send", text="First")
    page.say(chat, "send", text="Second")
    monkeypatch.setattr(chat._page, "settle", settling)
    asked.set()
    idle(chat)

    assert late == [{}]
    assert [turn["source"] for turn in page.turns()] == ["First", "Second", "Late"]


def test_a_late_stop_stops_what_was_sent_by_itself(api, page, chat):
    """When the answer ends as Stop is pressed, the next one must not go on unseen."""
    number = len(api.requests)
    gate = threading.Event()
    begin = questions.begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "begin", lambda *args: gate.wait(20) and begin(*args))
        api.enqueue(Stream(said("One.")), OPEN)
        page.say(chat, "send", text="First")
        (first,) = page.turns()
        page.say(chat, "send", text="Second")
        page.say(chat, "send", text="Third")
        gate.set()
        arrived(api, number + 2)

        page.say(chat, "stop", turn=first["key"])
        idle(chat)

    assert str(chat.reply.outcome) == "stopped"
    assert waiting(page) == [("Third", True)]


def test_what_waited_and_cannot_be_sent_waits_for_the_user(api, page, chat, monkeypatch):
    """Its error is told, and what stands behind it waits with it; no text is lost."""
    number = len(api.requests)
    asked = threading.Event()
    begin = questions.begin

    def limited(question, view, ended):
        asked.wait(20)
        if question.request.prompt == "Two":
            raise InputError("The budget is spent.")
        return begin(question, view, ended)

    monkeypatch.setattr(questions, "begin", limited)
    api.enqueue(Stream(said("One.")))
    for text_ in ("One", "Two", "Three"):
        page.say(chat, "send", text=text_)
    asked.set()
    idle(chat)
    page.wait_for("refused")

    assert waiting(page) == [("Two", True), ("Three", True)]
    assert page.ops("refused")[-1] == {
        "op": "refused",
        "prompt": "",
        "error": "The budget is spent.",
    }
    assert len(api.requests) == number + 1


def test_a_chat_that_is_made_again_has_what_waits(api, page):
    """Its cell may be run again: the messages belong to the conversation."""
    api.enqueue(OPEN)
    chat = Chat("trains")
    page.say(chat, "send", text="Hang")
    page.say(chat, "attach", name="a.txt", buffers=(b"a",))
    page.say(chat, "send", text="Two")
    chat.close()
    idle(chat)

    again = Chat("trains")
    (message,) = again.whole()["ops"][1]["queue"]
    page.say(again, "take_back", message=message["message"])

    assert (message["text"], message["held"]) == ("Two", True)
    assert [file["note"] for file in page.ops("about")[-1]["files"]] == [
        "a.txt: 1 character of text"
    ]
    again.close()


def test_what_waits_is_sent_where_it_can_be_seen_and_stopped(api, page):
    """A cell that is run again while its chat answers: the new chat sends what waits."""
    gate = threading.Event()
    begin = questions.begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "begin", lambda *args: gate.wait(20) and begin(*args))
        number = len(api.requests)
        api.enqueue(Stream(said("One.")), OPEN)
        old = Chat("trains")
        page.say(old, "send", text="First")
        page.say(old, "send", text="Second")
        page.say(old, "send", text="Third")
        again = Chat("trains")
        gate.set()
        arrived(api, number + 2)

        page.say(again, "stop")
        idle(again)

    assert str(again.reply.outcome) == "stopped"
    assert waiting(page) == [("Third", True)]
    old.close()
    again.close()


# What goes along, before and after it is sent.


def test_previews_show_what_variables_put_in(page, chat):
    """As far as it is written: what it is, what is cut, how it begins; or what is wrong with it."""
    pd = pytest.importorskip("pandas")
    here = questions.shell().user_ns
    here["df"] = pd.DataFrame({"city": ["Lisbon", "<b>"] * 50, "month": range(100)})
    here["words"] = "one\ntwo <i>"
    places = ["{{df}}", "{{ words }}", "{{nope}}", "{{df.nope}}", 3]

    shown = page.say(chat, "preview", places=places)["previews"]

    assert [(one["name"], one["about"]) for one in shown[:2]] == [
        ("df", "DataFrame 100 × 2"),
        ("words", "str 11"),
    ]
    assert shown[0]["note"] == "df: first 30 of 100 rows"
    assert "<td>Lisbon</td>" in shown[0]["preview"]
    assert "&lt;b&gt;" in shown[0]["preview"]
    assert shown[0]["preview"].count("<tr>") == 6
    assert shown[1]["preview"] == "<pre>one\ntwo &lt;i&gt;</pre>"
    assert "There is no variable nope." in shown[2]["error"]
    assert "df.nope" in shown[3]["error"]
    assert page.say(chat, "preview", places="{{df}}") == {"previews": []}


def test_a_slow_preview_keeps_nothing_waiting(page, chat):
    """A variable's own code may take long: meanwhile the chat goes on answering the page."""
    done = threading.Event()
    shown = []

    class Slow:
        def __repr__(self) -> str:
            shown.append(done.wait(20))
            return "slow"

    questions.shell().user_ns["slow"] = Slow()
    first, outdated, last = (
        page.begin_to_say(chat, "preview", places=[place])
        for place in ("{{slow}}", "{{blank}}", "{{df}}")
    )
    names = page.say(chat, "complete", text="{{d")["matches"]
    done.set()

    assert [match["name"] for match in names] == ["df", "draft"]
    assert page.answer(last)["previews"][0]["name"] == "df"
    assert page.answer(outdated) == {"previews": []}
    page.answer(first)
    assert all(shown)


def test_what_fails_unexpectedly_is_answered_too(api, page, chat, monkeypatch, tmp_path):
    """The page would wait for an answer for ever, and could not send anything any more."""
    api.enqueue(Stream(said("Yes.")))
    send(page, chat, "Is it?")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "FileNotFoundError" in page.say(chat, "export", form="markdown")["error"]


def test_images_are_shown_before_and_after_they_are_sent(api, page, chat):
    """As small pictures: with the file, with the question, in the saved form and restored."""
    api.enqueue(Stream(said("A picture.")))
    page.say(chat, "attach", name="a.png", buffers=(base64.b64decode(PNG),))
    (file,) = page.ops("about")[-1]["files"]

    send(page, chat, "What is this?")

    picture = '<img alt="Image 1" src="data:image/png;base64,'
    assert file["preview"].startswith(picture)
    assert picture in page.turns()[0]["prompt"]
    assert picture in chat._page.saved()["text/html"]
    other = Chat(chat.conversation)
    assert picture in other.whole()["ops"][0]["turns"][0]["prompt"]
    other.close()


# Tools, each of which can be switched.


def test_tools_are_shown_and_switched(api, page):
    """From the next question on only those that are on are sent; all of them can be off."""

    def look_up(city: str) -> str:
        """The weather of a city."""
        return city

    api.enqueue(*(Stream(said("Yes.")) for _ in range(4)))
    chat = Chat(tools=Tools(look_up, "web_search", confirm=True))
    assert chat.whole()["ops"][1]["tools"] == [
        {"name": "look_up", "about": "asks first · The weather of a city.", "on": True},
        {"name": "web_search", "about": "runs on the server", "on": True},
    ]

    send(page, chat, "With both")
    page.say(chat, "switch", tool="look_up", on=False)
    send(page, chat, "With one")
    page.say(chat, "switch", tool="web_search", on=False)
    send(page, chat, "With none")
    page.say(chat, "switch", tool="look_up", on=True)
    send(page, chat, "With the other")

    bodies = [request.body for request in api.requests[-4:]]
    names = [[tool["name"] for tool in body["tools"]] for body in bodies]
    assert names[:2] == [["look_up", "web_search"], ["web_search"]]
    assert bodies[2]["tool_choice"] == {"type": "none"}
    assert names[3] == ["look_up"]
    assert [tool["on"] for tool in page.ops("about")[-1]["tools"]] == [True, False]
    assert "no tool nope" in page.say(chat, "switch", tool="nope", on=False)["error"]
    assert "tools:" not in page.turns()[0]["answer"]["html"]
    chat.close()


# Other chats.


def test_the_notebooks_chats_are_listed_and_gone_back_to(api, page):
    """One is shown in the place of the other, as it is; the page gets all of it."""
    api.enqueue(*(Stream(said(answer)) for answer in ("One.", "Two.", "Three.", "Four.")))
    chat, trains = Chat(), Chat("trains")
    send(page, chat, "First\nof all")
    send(page, trains, "When?")
    one = {"name": "chat", "turns": 1, "begins": "First of all", "shown": True}
    two = {"name": "trains", "turns": 1, "begins": "When?", "shown": False}
    assert page.say(chat, "chats")["chats"] == [one, two]

    assert page.say(chat, "open", name="trains") == {}
    assert [turn["source"] for turn in page.turns()] == ["When?"]
    assert (page.ops("about")[-1]["name"], chat.conversation.name, chat.turns) == (
        "trains",
    ) * 2 + (1,)
    send(page, chat, "And then?")
    assert sent(api) == ["When?", "Two.", "And then?"]
    assert len(trains.whole()["ops"][0]["turns"]) == 2

    page.say(chat, "new_chat")
    send(page, chat, "New")
    assert (chat.conversation.name, sent(api)) == ("chat 2", ["New"])
    assert [known["name"] for known in page.say(chat, "chats")["chats"]] == [
        "chat",
        "trains",
        "chat 2",
    ]
    assert "The chat nope no longer exists" in page.say(chat, "open", name="nope")["error"]
    for one in (chat, trains):
        one.close()


def test_a_chat_gone_back_to_shows_all_that_it_showed(api, page, chat):
    """Thinking and usage too; it is listed by the words of the version that is shown."""
    answer = [start(), *thinking("Hm."), *text("Two.", index=1), *end()]
    api.enqueue(Stream(said("One.")), Stream(answer))
    send(page, chat, "First")
    (first,) = page.turns()
    page.say(chat, "edit", turn=first["key"], text="In other words")
    idle(chat)
    shown = page.turns()

    page.say(chat, "new_chat")
    (listed, _) = page.say(chat, "chats")["chats"]
    page.say(chat, "open", name="chat")

    assert page.turns() == shown
    assert "Hm." in shown[0]["answer"]["html"]
    assert (listed["turns"], listed["begins"]) == (1, "In other words")
    again = Chat(chat.conversation)
    assert again.whole()["ops"][0]["turns"] == shown
    again.close()


def test_a_chat_that_shows_another_saves_both(api, page):
    """The saved form is what is shown; the record is of its own, which its cell shows again."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat = Chat()
    send(page, chat, "First")
    page.say(chat, "new_chat")
    send(page, chat, "Second")

    data = chat._page.saved()

    assert data["text/markdown"].startswith("Chat 2 · 1 turn")
    assert "Two." in data["text/html"]
    assert "One." not in data["text/html"]
    assert data[MIME]["chat"]["conversation"] == "chat"
    turns = [record["turn"] for record in data[MIME]["replies"]]
    assert [(turn["conversation"], turn["text"]) for turn in turns] == [
        ("chat", "One."),
        ("chat 2", "Two."),
    ]
    chat.close()


# Stopping and failing.


def test_stop_keeps_what_came(api, page, chat):
    """From the first moment on; the words stay in the conversation, marked."""
    api.enqueue(OPEN)
    number = len(api.requests)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(chat.ask, "Hang")
        arrived(api, number + 1)
        page.say(chat, "stop")
        with pytest.raises(StoppedError):
            asked.result(20)

    assert "Stopped" in page.turns()[0]["answer"]["below"]
    assert not chat.busy


def test_what_was_dropped_is_kept_and_marked(api, page, chat):
    """The words that came are in the conversation, and the card below them says the rest."""
    api.enqueue(Stream([start(), *text("At si")[:-1]], end="drop"))

    with pytest.raises(DroppedError):
        chat.ask("When?")

    assert prompts(chat) == ["When?"]
    answer = page.turns()[0]["answer"]
    assert (answer["source"], "The text so far is kept." in answer["below"]) == ("At si", True)


def test_a_refusal_is_shown_and_forgotten(api, page, chat):
    """It is sent with no later question."""
    refusal = {"stop_reason": "refusal", "stop_details": {"category": "cyber"}}
    end = {"type": "message_delta", "delta": refusal, "usage": {"output_tokens": 1}}
    api.enqueue(Stream([*said("No")[:-2], end, {"type": "message_stop"}]), Stream(said("Yes.")))

    send(page, chat, "Break in")
    below = page.turns()[0]["answer"]["below"]
    send(page, chat, "Hi")

    assert "declined to answer" in below
    assert sent(api) == ["Hi"]
    assert [turn["source"] for turn in page.turns()] == ["Hi"]


def test_what_failed_gives_way_to_what_a_cell_asks(api, page):
    """A cell goes on from the last answer: so does the page, and the chat's next question."""
    answers = [Stream(said(answer)) for answer in ("1", "3", "4", "5")]
    api.enqueue(answers[0], Error(404, "not_found_error", "No such model."), *answers[1:])
    chat, cells = Chat("shared"), Conversation.named("shared")
    send(page, chat, "q1")
    send(page, chat, "q2")
    assert [turn["source"] for turn in page.turns()] == ["q1", "q2"]

    cells.ask("q3", show=False)
    cells.ask("q4", show=False)
    shown = [turn["source"] for turn in page.turns()]
    send(page, chat, "q5")

    assert shown == ["q1", "q3", "q4"]
    assert sent(api) == ["q1", "1", "q3", "3", "q4", "4", "q5"]
    assert prompts(chat) == ["q1", "q3", "q4", "q5"]


def test_a_chat_that_is_closed_by_an_observer(api, page):
    """Another one on the same conversation hears of the change all the same."""
    api.enqueue(Stream(said("Six.")))
    chats = [Chat("shared"), Chat("shared")]
    chats[0].observe(lambda _: chats[0].close(), "turns")

    Conversation.named("shared").ask("When?", show=False)

    assert [chat.turns for chat in chats] == [1, 1]


def test_what_failed_stays_while_nothing_is_said(api, page):
    """What is added to a branch that is not the current one changes nothing on the page."""
    api.enqueue(Stream(said("1")), Error(400, "invalid_request_error", "No."))
    chat = Chat("shared")
    send(page, chat, "q1")
    page.say(chat, "retry", turn=page.turns()[0]["key"])
    idle(chat)

    shared = chat.conversation
    shared.add(shared.exchanges, shared.head)
    (failed,) = page.turns()
    shared.new()

    assert "No." in failed["answer"]["below"]
    assert page.turns() == []


def calling(name):
    """A message that calls ``act``; the call has that id."""
    return Stream([start(), *tool_use("{}", name="act", call=name), *end("tool_use")])


@pytest.fixture
def acting(api, page):
    """A chat whose calls of a function have to be allowed, and what the function has done."""
    acts = []

    def act() -> str:
        acts.append(1)
        return "acted"

    chat = Chat(tools=Tools(act, confirm=True))
    yield chat, acts
    chat.close()


def tool_threads():
    return {thread for thread in threading.enumerate() if thread.name == "claude_nb tool"}


def allow(chat, page):
    """Let the page answer the question about the first call, and wait for the end."""
    page.asks("toolu_1")
    page.say(chat, "asked", call="toolu_1")
    page.say(chat, "confirm", call="toolu_1", answer="once")
    idle(chat)


def test_a_call_is_allowed_on_the_page(api, page, acting):
    """By the answer to the question about it."""
    chat, acts = acting
    api.enqueue(calling("toolu_1"), Stream(said("Done.")))
    page.say(chat, "send", text="Act")
    allow(chat, page)

    assert (acts, chat.reply.text) == ([1], "Done.")


def test_a_call_is_asked_about_though_calls_are_hidden(api, page):
    """It is shown for that long."""

    def act() -> str:
        return "acted"

    chat = Chat(tools=Tools(act, confirm=True), hide_tools=True)
    api.enqueue(calling("toolu_1"), Stream(said("Done.")))
    page.say(chat, "send", text="Act")
    allow(chat, page)

    assert chat.reply.tool_calls[0].run.note == "acted"
    assert chat.reply.text == "Done."
    assert page.turns()[0]["answer"]["html"].count("act") == 0


@pytest.mark.parametrize("is_seen", [True, False])
def test_stop_takes_the_question_away(api, page, acting, is_seen):
    """Also one that no page has shown yet; and nothing waits for its answer any more."""
    chat, acts = acting
    before = tool_threads()
    api.enqueue(calling("toolu_1"))
    page.say(chat, "send", text="Act")
    page.asks("toolu_1")
    if is_seen:
        page.say(chat, "asked", call="toolu_1")

    page.say(chat, "stop")
    idle(chat)
    for thread in tool_threads() - before:
        thread.join(5)

    assert page.questions()[-1]["pane"] is None
    assert tool_threads() <= before
    assert (acts, str(chat.reply.outcome)) == ([], "stopped")


def test_an_answer_is_about_one_call(api, page, acting):
    """A button that is still there, or the one of another view, allows no later call."""
    chat, acts = acting
    api.enqueue(calling("toolu_1"), calling("toolu_2"), Stream(said("Done.")))
    page.say(chat, "send", text="Act")
    page.asks("toolu_1")
    page.say(chat, "asked", call="toolu_1")
    page.say(chat, "stop")
    idle(chat)
    page.say(chat, "send", text="Act")
    page.asks("toolu_2")
    page.say(chat, "asked", call="toolu_2")

    page.say(chat, "confirm", call="toolu_1", answer="once")
    page.say(chat, "confirm", answer="once")
    page.say(chat, "confirm", call="toolu_2", answer="no")
    page.say(chat, "confirm", call="toolu_2", answer="once")
    idle(chat)

    assert (acts, chat.reply.tool_calls[0].run.note) == ([], "not allowed")


def test_what_begins_anew_meanwhile_stays_so(api, page, acting):
    """The answer is shown until it has ended, and is in the conversation, not on its branch."""
    chat, _ = acting
    api.enqueue(Stream(said("One.")), calling("toolu_1"), Stream(said("Two.")))
    send(page, chat, "First")
    page.say(chat, "send", text="Second")
    page.asks("toolu_1")

    Conversation.named(chat.conversation.name).new()
    meanwhile = [turn["source"] for turn in page.turns()]
    allow(chat, page)

    assert meanwhile == ["First", "Second"]
    assert (page.turns(), prompts(chat), page.ops("about")[-1]["cleared"]) == ([], [], True)
    page.say(chat, "bring_back")
    assert [turn["source"] for turn in page.turns()] == ["First", "Second"]


def test_a_late_stop_is_about_its_own_answer(api, page, acting):
    """Pressed when one answer had just ended, it does not stop the next."""
    chat, acts = acting
    api.enqueue(Stream(said("One.")), calling("toolu_1"), Stream(said("Done.")))
    send(page, chat, "First")
    (first,) = page.turns()
    page.say(chat, "send", text="Act")
    page.asks("toolu_1")

    page.say(chat, "stop", turn=first["key"])
    allow(chat, page)

    assert (acts, chat.reply.text) == ([1], "Done.")


# Branches.


def test_retry_and_edit_fork(api, page, chat):
    """Each version is there to go back to, with what followed it."""
    answers = ("One.", "Two.", "Again.", "Other.")
    api.enqueue(*(Stream(said(answer)) for answer in answers))
    send(page, chat, "First")
    send(page, chat, "Second")

    page.say(chat, "retry", turn=page.turns()[0]["key"])
    idle(chat)
    assert sent(api) == ["First"]
    page.say(chat, "edit", turn=page.turns()[0]["key"], text="Changed")
    idle(chat)

    (turn,) = page.turns()
    assert (turn["source"], turn["at"], turn["answer"]["source"]) == ("Changed", [3, 3], "Other.")
    page.say(chat, "pick", turn=turn["key"], by=-1)
    assert page.turns()[0]["answer"]["source"] == "Again."
    page.say(chat, "pick", turn=page.turns()[0]["key"], by=-1)
    assert [t["answer"]["source"] for t in page.turns()] == ["One.", "Two."]
    assert [t["at"] for t in page.turns()] == [[1, 3], [1, 1]]


def test_an_instruction_stays_with_its_question_when_that_is_asked_again(api, page, chat):
    """In its words or in others, also where another version is shown from the conversation."""
    chat.instruct("From now on, answer in one sentence.")
    send(page, chat, "First")

    page.say(chat, "retry", turn=page.turns()[0]["key"])
    idle(chat)
    page.say(chat, "edit", turn=page.turns()[0]["key"], text="Changed")
    idle(chat)
    send(page, chat, "Second")

    roles = [[m["role"] for m in found.body["messages"]] for found in api.requests]
    assert roles == [["user", "system"]] * 3 + [["user", "system", "assistant", "user"]]


def test_a_version_that_failed_leaves_the_others(api, page, chat):
    """It is shown with its card, and ‹ goes back to what was there."""
    api.enqueue(Stream(said("One.")), Error(400, "invalid_request_error", "No."))
    send(page, chat, "First")

    page.say(chat, "retry", turn=page.turns()[0]["key"])
    idle(chat)
    (failed,) = page.turns()
    page.say(chat, "pick", turn=failed["key"], by=-1)

    assert (failed["at"], "No." in failed["answer"]["below"]) == ([2, 2], True)
    assert [t["answer"]["source"] for t in page.turns()] == ["One."]


def test_a_question_that_fails_after_clear_leaves_it_cleared(api, page, chat):
    """In the chat, and for a cell that goes on with its conversation."""
    for word in ("One", "Two", "Three"):
        api.enqueue(Stream(said("Yes.")) if word != "Two" else Error(529, "overloaded_error", "-"))
        send(page, chat, word)
        if word == "One":
            page.say(chat, "clear")
    chat.conversation.ask("Four", show=False)

    assert sent(api) == ["Three", "Yes.", "Four"]


def test_clear_can_be_taken_back(api, page, chat):
    """The next question begins anew; what was said is still there."""
    api.enqueue(Stream(said("One.")))
    send(page, chat, "First")

    page.say(chat, "clear")
    cleared = page.turns(), page.ops("about")[-1]["cleared"]
    page.say(chat, "bring_back")

    assert cleared == ([], True)
    assert [t["source"] for t in page.turns()] == ["First"]


def test_what_it_costs(api, page, chat):
    """A running total, and each answer's own line and table."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    seen = []
    chat.observe(lambda change: seen.append(round(change.new, 6)), "cost")

    send(page, chat, "First")
    send(page, chat, "Second")

    assert seen == [0.0004, 0.0008]
    assert page.ops("about")[-1]["cost"] == "$0.0008"
    answer = page.turns()[0]["answer"]
    assert answer["line"] == "$0.0004 · 15 out · 25 in"
    assert "<table" in answer["usage"]


@pytest.mark.parametrize("broken", ["answer", "frame"])
def test_what_cannot_be_rendered_ends_the_turn(api, page, monkeypatch, broken):
    """The text is shown and kept, the page is told once, and the next turn is as ever."""
    api.enqueue(Stream(said("One <b>.")), Stream(said("Two.")))
    chat = Chat()
    with monkeypatch.context() as patched:
        if broken == "answer":
            patched.setattr(render, "answer", lambda *_: 1 / 0)
        else:
            patched.setattr(FramesView, "frame", lambda *_: 1 / 0)
        assert asked(chat, "First") == "One <b>."

    assert asked(chat, "Second") == "Two."
    (told,) = page.ops("refused")
    assert told["error"] == "Part of it could not be shown: division by zero"
    assert [turn["answer"]["source"] for turn in page.turns()] == ["One <b>.", "Two."]
    assert "One &lt;b&gt;." in page.turns()[0]["answer"]["html"]
    assert (chat.turns, chat.busy) == (2, False)
    assert "Two." in chat._page.saved()["text/plain"]


def test_a_page_that_cannot_be_reached_ends_the_turn(api, page, monkeypatch, caplog):
    """What fails is logged, once; the answer is in the conversation."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat = Chat()
    with monkeypatch.context() as patched:
        patched.setattr(chat._page, "settle", lambda: 1 / 0)
        assert asked(chat, "First") == "One."

    assert asked(chat, "Second") == "Two."
    assert chat.turns == 2
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


def test_half_a_character_in_the_state_of_a_chat_is_replaced(api, page):
    """A page may send it as what is being written."""
    chat = Chat(model="m\ud83d")
    chat.draft = "a\ud83d"

    assert (chat.model, chat.draft) == ("m\ufffd", "a\ufffd")


# Who observes it.


def asked(chat, prompt):
    """Ask on a thread of its own, so that an answer that never comes ends this test alone."""
    replies: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=lambda: replies.put(chat.ask(prompt).text), daemon=True).start()
    return replies.get(timeout=20)


@pytest.mark.parametrize("trait", ["busy", "turns", "cost"])
def test_an_observer_that_fails_breaks_nothing(api, page, capsys, trait):
    """Its error is printed; the answer is there, and so are the next one and another chat's."""
    api.enqueue(*(Stream(said(answer)) for answer in ("One.", "Two.", "Three.")))
    chat = Chat()
    chat.observe(lambda _: 1 / 0, trait)

    answers = [asked(chat, "First"), asked(chat, "Second"), asked(Chat(), "Third")]

    assert answers == ["One.", "Two.", "Three."]
    assert (chat.busy, chat.turns, round(chat.cost, 6)) == (False, 2, 0.0008)
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("trait", ["turns", "cost"])
def test_an_observer_sees_the_end(api, page, trait):
    """What is observed is told when the answer has ended: a chat can be cleared then."""
    api.enqueue(Stream(said("One.")))
    chat = Chat()
    chat.observe(lambda change: change.new and chat.clear(), trait)

    asked(chat, "First")

    assert chat.turns == 0
    assert page.turns() == []
    assert len(chat.conversation.exchanges) == 1


def test_an_observer_that_fails_does_not_fail_a_cell(api, page, capsys):
    """In the conversation that it shares with a chat."""
    api.enqueue(Stream(said("One.")))
    chat = Chat("shared")
    chat.observe(lambda _: 1 / 0, "turns")

    assert Conversation.named("shared").ask("First", show=False).text == "One."
    assert chat.turns == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_observer_cannot_wait_for_an_answer(api, page, capsys):
    """It would be itself what the answer waits for: it is told, and asks on another thread."""
    api.enqueue(*(Stream(said(answer)) for answer in ("One.", "Two.", "Three.")))
    chat, more, told = Chat(), [], threading.Event()

    def follow_up(change):
        if not change.new and not more:
            more.append(threading.Thread(target=chat.ask, args=("Follow-up",)))
            told.set()
            chat.ask("At once")

    chat.observe(follow_up, "busy")

    page.say(chat, "send", text="First")
    assert told.wait(20)
    more[0].start()
    more[0].join(20)

    assert prompts(chat) == ["First", "Follow-up"]
    assert asked(Chat(), "Third") == "Three."
    assert "threading.Thread(target=chat.ask" in capsys.readouterr().err


def test_observers_of_an_answer_that_a_cell_waits_for_run_there(api, page):
    """What they print is in its output, and they can ask on."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat, threads = Chat(), []

    def follow_up(change):
        threads.append(threading.current_thread())
        if change.new == 1:
            chat.ask("Second")

    chat.observe(follow_up, "turns")

    assert chat.ask("First").text == "One."
    assert prompts(chat) == ["First", "Second"]
    assert threads == [threading.current_thread()] * 2


def test_an_observer_s_thread_asks_on(api, page, chat):
    """And the chat is busy with that, though it has just been told of the end."""
    api.enqueue(Stream(said("One.")), OPEN)
    number = len(api.requests)

    def go_on(_):
        chat.unobserve_all("turns")
        threading.Thread(target=page.say, args=(chat, "send"), kwargs={"text": "On"}).start()
        arrived(api, number + 2)

    chat.observe(go_on, "turns")

    assert asked(chat, "First") == "One."
    assert chat.busy
    chat.stop()
    idle(chat)


# What the page has, and what is saved.


def test_a_page_that_comes_later_gets_all(api, page, chat):
    """In the state, and in answer to a resync: the turns, and the answer that streams."""
    api.enqueue(Stream(said("One.")), OPEN)
    send(page, chat, "First")
    number = len(api.requests)
    page.say(chat, "send", text="Second")
    arrived(api, number + 1)

    whole = chat.get_state("snapshot")["snapshot"]

    turns, *_ = whole["ops"]
    assert [t["source"] for t in turns["turns"]] == ["First", "Second"]
    assert turns["turns"][1]["answer"] is None
    assert whole["reset"]
    page.say(chat, "stop")
    idle(chat)


def test_messages_are_counted(api, page, chat):
    """From 1, without a gap, whoever sends them: a page sees what it has missed."""
    api.enqueue(Stream(said("One.")))
    send(page, chat, "First")

    numbers = [message["chat"] for message in page.received if "chat" in message]

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_what_the_model_writes_is_escaped(api, page, chat):
    """On the page and in what is saved: questions, answers, names of files."""
    hostile = "<img src=x onerror=alert(1)>"
    api.enqueue(Stream(said(hostile)))
    page.say(chat, "attach", name=hostile, buffers=(b"x",))

    send(page, chat, f"{hostile} {{{{df}}}}")

    data = chat._page.saved()
    (turn,) = page.turns()
    for shown in (turn["prompt"], turn["answer"]["html"], data["text/html"]):
        assert "<img" not in shown
        assert "&lt;img" in shown
    assert "<style" not in data["text/html"]
    assert "var(" not in data["text/html"]


def notebook(tmp_path, chat, name="chat"):
    """A saved notebook whose one cell shows the chat."""
    data = chat._page.saved()
    output = new_output("display_data", data)
    cell = new_code_cell("claude_nb.Chat()", outputs=[output])
    path = tmp_path / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_it_is_saved_and_comes_back(api, page, chat, tmp_path, monkeypatch):
    """Every branch, what it cost, and the branch that was asked last; and it goes on from there."""
    api.enqueue(*(Stream(said(answer)) for answer in ("One.", "Two.", "Other.", "On.")))
    for prompt in ("First", "Second"):
        send(page, chat, prompt)
    page.say(chat, "edit", turn=page.turns()[1]["key"], text="Changed")
    idle(chat)
    path = notebook(tmp_path, chat)
    monkeypatch.setattr(Conversation, "_named", {})

    back = Chat.restore(path)

    assert [e.prompt for e in back.conversation.exchanges] == ["First", "Second", "Changed"]
    assert prompts(back) == ["First", "Changed"]
    assert back.cost == pytest.approx(chat.cost)
    assert back.ask("On").text == "On."
    assert sent(api) == ["First", "One.", "Changed", "Other.", "On"]


def test_what_comes_back_is_saved_again(api, page, chat, tmp_path, monkeypatch):
    """With the tokens and the cost that it had: nothing is lost by saving twice."""
    api.enqueue(Stream(said("One.")))
    send(page, chat, "First")
    first = load(notebook(tmp_path, chat))
    monkeypatch.setattr(Conversation, "_named", {})

    again = load(notebook(tmp_path, Chat.restore(tmp_path / "chat.ipynb"), "again"))

    assert [record.data for record in again.records] == [record.data for record in first.records]
    assert [RecordedUsage.of(record.data).usage.output_tokens for record in again.records] == [15]


def noise(width, height):
    """A PNG that cannot be compressed, and the number of its bytes in base64."""
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), random.Random(1).randbytes(3 * width * height)).save(
        file, "PNG"
    )
    return file.getvalue(), len(base64.b64encode(file.getvalue()))


def test_a_chat_goes_on_from_a_reply_of_a_cell(api, page, chat):
    """In a conversation of its own: cells ask on as before. The second time it is the same one."""
    api.enqueue(*(Stream(said(f"{name}.")) for name in ("One", "Two", "Three", "On")))
    cells = Conversation.named("trains")
    replies = [cells.ask(prompt) for prompt in ("First", "Second", "Third")]
    records = [saved_output.record(reply, reply.request) for reply in replies[:2]]

    answer = page.say(chat, "continue", records=records, execution=5)

    assert answer == {"model": "claude-opus-5-5"}
    assert chat.conversation.name == "from [5]"
    assert [turn["source"] for turn in page.turns()] == ["First", "Second"]
    assert len(api.requests) == 3
    send(page, chat, "On")
    assert sent(api) == ["First", "One.", "Second", "Two.", "On"]
    assert [exchange.prompt for exchange in cells.branch] == ["First", "Second", "Third"]
    assert page.say(chat, "open", name="chat") == {}
    page.say(chat, "continue", records=records, execution=5)
    assert prompts(chat) == ["First", "Second", "On"]
    page.say(chat, "continue", records=records[:1], execution=5)
    assert (chat.conversation.name, prompts(chat)) == ("from [5] 2", ["First"])


def test_a_chat_goes_on_from_what_is_saved_of_a_reply(api, page, chat, monkeypatch):
    """In another kernel, and of a reply that is in no conversation: with what was sent for it."""
    api.enqueue(*(Stream(said(f"{name}.")) for name in ("One", "Two", "Alone", "On")))
    cells = Conversation.named("trains")
    replies = [cells.ask("First"), cells.ask("Second"), claude_nb.ask("Third", attach=[[1, 2]])]
    records = [saved_output.record(reply, reply.request) for reply in replies]
    records = json.loads(json.dumps(records))
    monkeypatch.setattr(Conversation, "_named", {"chat": chat.conversation})

    page.say(chat, "continue", records=records[:2], execution=2)
    assert [turn["source"] for turn in page.turns()] == ["First", "Second"]
    page.say(chat, "continue", records=records[2:], execution=3)
    assert [turn["source"] for turn in page.turns()] == ["Third"]
    assert len(api.requests) == 3
    send(page, chat, "On")
    asked, answered, _ = api.requests[-1].body["messages"]
    assert "[1, 2]" in str(asked)
    assert answered == {"role": "assistant", "content": [{"type": "text", "text": "Alone."}]}


@pytest.mark.parametrize(
    "records", [[], [1], [{}], [{"version": 1, "turn": {"id": "x"}}], [{"version": 1, "once": 1}]]
)
def test_a_chat_cannot_go_on_from_what_nobody_knows(api, page, chat, records):
    """It says so, and shows what it showed."""
    error = page.say(chat, "continue", records=records, execution=None)["error"]
    assert "is not in memory" in error
    assert chat.conversation.name == "chat"


def test_a_chat_is_saved_with_a_megabyte_of_data_and_tells_what_is_not_saved(api, page, chat):
    """The newest is saved; of the others there is a note, and the page is told of them."""
    chat._page.display(chat.bundle(""), {}, is_covered=True, is_folded=False)
    chat._page.cover()
    png, size = noise(500, 330)
    for name in ("One", "Two"):
        api.enqueue(Stream(said(f"{name}.")))
        page.say(chat, "attach", name="a.png", buffers=(png,))
        send(page, chat, name)

    data = chat._page.saved()
    first, second = (reply["turn"]["content"] for reply in data[MIME]["replies"])
    left_out = f"image of {size / 1e6:.1f} MB"
    assert any(block["type"] == "image" for block in second)
    assert f"[{left_out}: not saved]" in [block.get("text") for block in first]
    assert page.ops("about")[-1]["left_out"] == [left_out]


def test_a_chat_that_is_forgotten_is_saved_no_more(api, page, chat):
    """Neither its turns nor what failed in it, in any of its outputs; it begins anew."""
    api.enqueue(Stream(said("One.")), Error(404, "not_found_error", "No."), Stream(said("Anew.")))
    other = Chat(chat.conversation)
    send(page, chat, "First")
    send(page, chat, "Second")

    assert page.say(chat, "forget") == {}

    for each in (chat, other):
        data = each._page.saved()
        assert data[MIME]["replies"] == []
        assert "First" not in str(data)
        assert each.turns == 0
    send(page, chat, "Third")
    assert sent(api) == ["Third"]


def test_a_chat_is_not_forgotten_while_it_answers(api, page, chat):
    """Or a cell asks in its conversation: what comes would follow what is not there any more."""
    api.enqueue(Stream(said("One.")), OPEN)
    send(page, chat, "First")
    page.say(chat, "send", text="Second")
    assert "still answering" in page.say(chat, "forget")["error"]
    chat.stop()
    idle(chat)
    with chat.conversation.asking(), pytest.raises(InputError, match="still being answered"):
        chat.forget()
    assert prompts(chat) == ["First"]


def test_what_failed_or_was_refused_stays_in_the_record(api, page, chat, tmp_path, monkeypatch):
    """With the next questions, and when the chat is restored and saved again: it was paid for."""
    *text, stop, end = said("No")
    refused = stop | {"delta": {"stop_reason": "refusal", "stop_sequence": None}}
    api.enqueue(Stream([*text, refused, end]), Error(400, "invalid_request_error", "No."))
    api.enqueue(Stream(said("One.")))
    for prompt in ("Refused", "Failed", "Answered"):
        send(page, chat, prompt)
    first = load(notebook(tmp_path, chat))
    monkeypatch.setattr(Conversation, "_named", {})

    back = Chat.restore(tmp_path / "chat.ipynb")
    again = load(notebook(tmp_path, back, "again"))

    for saved in (first, again):
        outcomes = [record.data["outcome"] for record in saved.records]
        assert outcomes == ["complete", "refused", "failed"]
    assert prompts(back) == ["Answered"]
    assert back.cost == pytest.approx(chat.cost)


def test_a_chat_that_was_displayed_twice_is_paid_for_once(api, page, tmp_path, monkeypatch):
    """Each of its outputs holds all of it."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chat = Chat()
    chat.ask("First")
    chat.ask("Second")
    data = chat._page.saved()
    output = new_output("display_data", data)
    cells = [new_code_cell(source, outputs=[output]) for source in ("chat = Chat()\nchat", "chat")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "twice.ipynb")
    monkeypatch.setattr(Conversation, "_named", {})

    back = Chat.restore(tmp_path / "twice.ipynb")

    assert back.cost == pytest.approx(chat.cost)
    assert page.ops("about")[-1]["cost"] == "$0.0008"


def test_a_chat_that_is_made_again_keeps_what_it_has_cost(api, page, tmp_path):
    """As when its cell is run again: on the page and in the notebook."""
    api.enqueue(Stream(said("One.")))
    first = Chat("trains")
    first.ask("First")

    again = Chat("trains")

    assert again.cost == first.cost > 0
    (record,) = load(notebook(tmp_path, again)).records
    assert RecordedUsage.of(record.data).cost == pytest.approx(first.cost)


def test_the_last_chat_is_restored_unless_one_is_named(api, page, tmp_path, monkeypatch):
    """A notebook with several; one that is not there is said."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    chats = [Chat(), Chat("trains")]
    cells = []
    for number, chat in enumerate(chats):
        chat.ask(f"Question {number}")
        data = chat._page.saved()
        cells.append(new_code_cell("x", outputs=[new_output("display_data", data)]))
    path = tmp_path / "two.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    monkeypatch.setattr(Conversation, "_named", {})

    assert prompts(Chat.restore(path)) == ["Question 1"]
    assert prompts(Chat.restore(path, "chat")) == ["Question 0"]
    with pytest.raises(InputError, match="There is no conversation 'nope'"):
        Chat.restore(path, "nope")


def test_a_key_is_not_saved(api, page, chat):
    """Neither in what is shown nor in the record."""
    key = "sk-" + "ant-api03-secret"
    api.enqueue(Stream(said(f"Your key is {key}.")))

    send(page, chat, f"My key is {key}.")

    assert key not in str(chat._page.saved())
    assert key not in page.turns()[0]["answer"]["html"]


def test_what_is_saved_says_that_it_is_simulated(api, page, chat):
    """In each of its forms, and in the record."""
    api.enqueue(Stream(said("Hello.")))
    send(page, chat, "Hi")

    data = chat._page.saved()

    assert data[MIME]["simulated"]
    assert all("simulated" in str(form) for form in data.values())


def test_exports_never_overwrite(api, page, chat, tmp_path, monkeypatch):
    """Each goes into a file of its own, and its path is said."""
    monkeypatch.chdir(tmp_path)
    api.enqueue(Stream(said("Hello.")))
    send(page, chat, "Hi")

    answers = [page.say(chat, "export", form=form) for form in ("markdown", "markdown", "notebook")]

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "chat 2.md",
        "chat.ipynb",
        "chat.md",
    ]
    assert answers[1]["said"].startswith("Saved as chat 2.md, in ")
    assert "**You**\n\nHi" in page.say(chat, "export", form="copy")["text"]


def test_an_empty_chat_cannot_be_exported(page, chat):
    """It is said."""
    assert "no messages yet" in page.say(chat, "export", form="copy")["error"]


def test_it_is_public():
    """And imported only when it is used."""
    assert claude_nb.Chat is Chat


def test_the_example_of_what_is_said_is_true(api, page):
    """The page's tests read it; ``python -m tests.protocol`` writes it anew."""
    made = protocol.talk(page, api)["messages"]

    assert protocol.compared(made) == protocol.compared(protocol.example()["messages"])


def test_an_answer_is_edited(api, chat, page):
    """It is another version of its turn, marked on the page and in what is saved, and is sent."""
    api.enqueue(Stream(said("Yes.")), Stream(said("So it is.")))
    send(page, chat, "Really?")
    (shown,) = page.turns()
    assert page.say(chat, "edit_answer", turn=shown["key"], text="**No.**").get("error") is None

    (now,) = page.turns()
    answer = now["answer"]
    assert (now["at"], answer["edited"], answer["source"]) == ([2, 2], True, "**No.**")
    assert "<strong>No.</strong>" in answer["html"]
    send(page, chat, "Why not?")
    assert api.requests[-1].body["messages"][1]["content"] == [{"type": "text", "text": "**No.**"}]

    data = chat._page.saved()
    assert "edited" in data["text/html"]
    assert "**No.**\n\n*edited*" in data["text/markdown"]
    came, edited, _ = data[MIME]["replies"]
    assert (came["turn"]["text"], "edited" in came["turn"]) == ("Yes.", False)
    assert edited["turn"]["edited"] == came["turn"]["id"]
    assert "usage" not in edited  # it cost nothing

    page.say(chat, "pick", turn=now["key"], by=-1)
    assert page.turns()[0]["answer"]["source"] == "Yes."


def test_an_answer_that_cannot_be_edited_says_why(api, chat, page):
    """While another one comes, and of a question that failed; an empty text is no answer."""
    api.enqueue(Stream(said("Yes.")), Error(400, "invalid_request_error", "No"))
    send(page, chat, "Really?")
    send(page, chat, "And?")
    first, failed = page.turns()

    for turn, words, error in (
        (first, " ", "An answer cannot be empty."),
        (failed, "Yes.", "This answer failed, so it is not sent with the next question."),
    ):
        said_error = page.say(chat, "edit_answer", turn=turn["key"], text=words)["error"]
        assert said_error.startswith(error)
    assert len(chat.conversation.exchanges) == 1
