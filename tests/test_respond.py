"""``Chat(respond=…)``: a function answers, in whatever form, and what it does wrong is said."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace

import IPython
import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

import claude_nb
from claude_nb import Chat, Conversation
from claude_nb.conversation import export, restore, saved_notebook
from claude_nb.errors import ClaudeError, InputError, StoppedError
from claude_nb.session.session import session
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME, RecordedUsage
from tests.page import Page
from tests.played import end, said, start, text, thinking, tool_use
from tests.test_chat import arrived, idle, send


@pytest.fixture
def page(monkeypatch):
    """A page that writes down what it is sent, and conversations of the test's own."""
    monkeypatch.setattr(Conversation, "_named", {})
    return Page(monkeypatch)


@pytest.fixture
def answered(page, monkeypatch):
    """Makes a chat with a function, without a key or a server, and asks it something."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    chats = []

    def ask(respond, *prompts: str, **options: object):
        chats.append(Chat(respond=respond, **options))
        for prompt in prompts or ["Hi"]:
            assert send(page, chats[-1], prompt) == ""
        return chats[-1]

    yield ask
    for chat in chats:
        chat.close()


def saved(chat):
    return chat._page.saved()


def figure():
    made = Figure(figsize=(2, 1))
    made.subplots().plot([1, 3, 2])
    return made


def returns(messages):
    return "One **two**"


def generates(messages):
    yield "One "
    yield "**two**"


async def awaits(messages):
    await asyncio.sleep(0)
    return "One **two**"


async def generates_async(messages):
    yield "One "
    await asyncio.sleep(0)
    yield "**two**"


class Callable:
    async def __call__(self, messages) -> str:
        return "One **two**"


FORMS = [returns, generates, awaits, generates_async, Callable(), lambda _: iter(["One **two**"])]


@pytest.mark.parametrize("respond", FORMS)
def test_a_function_answers_in_any_form(answered, page, respond):
    """A value, a generator, a coroutine or an asynchronous generator: one answer, saved, no key."""
    chat = answered(respond)

    (turn,) = page.turns()
    assert turn["answer"]["source"] == "One **two**"
    assert "<strong>two</strong>" in turn["answer"]["html"]
    assert (turn["answer"]["line"], turn["answer"]["usage"]) == ("", "")
    data = saved(chat)
    assert "<strong>two</strong>" in data["text/html"]
    (record,) = data.pop(MIME)["replies"]
    assert all("One" in form for form in data.values())
    assert all("$" not in form and "token" not in form for form in data.values())
    assert RecordedUsage.of(record).requests == 0
    assert chat.cost == 0
    assert chat.reply.outcome == "complete"


def test_it_gets_the_messages_of_the_api(answered, page):
    """Each turn once, as a text; images along with it as content blocks."""
    asked = []

    def respond(messages):
        asked.append(messages)
        yield "Answer "
        yield str(len(asked))

    chat = answered(respond, "First", "Second")
    chat.ask("Third", attach=[figure()])

    assert asked[1] == [
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Answer 1"},
        {"role": "user", "content": "Second"},
    ]
    kinds = {block["type"] for block in asked[2][-1]["content"]}
    assert (len(asked[2]), kinds) == (5, {"image", "text"})


def test_it_streams(answered, page):
    """What is yielded is shown before the function goes on."""
    shown = threading.Event()
    go_on = threading.Event()

    def respond(messages):
        yield "The first words"
        shown.set()
        go_on.wait(60)
        yield " and more"

    chat = Chat(respond=respond)
    page.say(chat, "send", text="Hi")
    page.wait_for_words("The first words")
    assert shown.wait(60)
    growing = json.dumps(page.ops("frame"))
    go_on.set()
    idle(chat)

    assert "The first words" in growing
    assert "and more" not in growing
    assert page.turns()[0]["answer"]["source"] == "The first words and more"
    chat.close()


def test_a_figure_is_shown_saved_and_restored(answered, page):
    """As a PNG, between the texts, in each form as far as it has pictures; nothing displays it."""
    import matplotlib.pyplot as plt

    mpl.use("module://matplotlib_inline.backend_inline")

    def respond(messages):
        yield "Before"
        made, axes = plt.subplots(figsize=(2, 1))
        axes.plot([1, 2])
        yield made
        yield "After"

    try:
        chat = answered(respond)
        assert plt.get_fignums() == []  # the next cell would display it once more
    finally:
        mpl.use("agg")

    (turn,) = page.turns()
    html = turn["answer"]["html"]
    assert html.index("Before") < html.index("data:image/png;base64,") < html.index("After")
    data = saved(chat)
    assert "data:image/png;base64," in data["text/html"]
    assert "picture" in data["text/markdown"]
    assert "[picture, " in data["text/plain"]
    assert "After" in data["text/plain"]
    record = json.loads(json.dumps(data[MIME]))["replies"][0]
    again = restored(record, respond)
    (turn,) = again._page.whole()["ops"][0]["turns"]
    html = turn["answer"]["html"]
    assert html.index("Before") < html.index("data:image/png;base64,") < html.index("After")
    assert "data:image/png;base64," in saved(again)["text/html"]
    exported = chat.conversation.to_markdown()
    assert again.conversation.to_markdown() == exported.replace("# chat", "# again")
    again.close()


def restored(record, respond):
    """A chat that goes on from the record of a reply, as after a restart."""
    found = saved_notebook.SavedNotebook((saved_notebook.record(0, "", record),), (), ())
    (conversation,), notes = restore.conversations(found)
    assert notes == []
    talk = Conversation("again")
    talk.add(conversation.exchanges, conversation.head)
    return Chat(talk, respond=respond)


def test_a_message_of_a_page_is_not_a_cell(answered, page, monkeypatch):
    """It triggers none of the events by which Matplotlib closes what is drawn meanwhile."""
    chat = answered(returns)
    triggered = []
    shell = SimpleNamespace(events=SimpleNamespace(trigger=triggered.append))
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)

    page.say(chat, "clear")

    assert (triggered, page.turns()) == ([], [])


def test_only_a_figure_is_an_answer_too(answered, page):
    """It stays in the conversation, and the next question follows it."""
    asked = []

    def respond(messages):
        asked.append(messages)
        return figure()

    chat = answered(respond, "First", "Second")

    assert len(chat.conversation.branch) == 2
    assert "picture" in asked[1][1]["content"]
    assert all("data:image/png" in turn["answer"]["html"] for turn in page.turns())
    assert all(turn["answer"]["below"] == "" for turn in page.turns())
    assert "data:image/png;base64," in export.to_notebook(chat.conversation, "cells")
    exported = chat.conversation.to_markdown()
    assert "[picture, " in exported
    assert "A conversation with `respond`, 2 turns." in exported
    assert exported.count("**`respond`**") == 2
    assert chat.reply.timeline()._repr_html_()


class Hostile:
    """An object that displays a script, and whose own text would end a code block."""

    def _repr_html_(self):
        return "<table><tr><td>cell</td></tr></table><script>alert(1)</script>"

    def __repr__(self) -> str:
        return "```\n<script>alert(1)</script>\x1b[31m"


class Broken:
    """An object that cannot even be described."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "shows"),
    [
        ({"a": 1}, "a"),
        (Hostile(), "cell"),
        (Broken(), "no text"),
        (object(), "object"),
        (3.5, "3.5"),
        ("<script>alert(1)</script>\x1b[31m", "alert"),
    ],
)
def test_whatever_it_yields_is_shown(answered, page, value, shows):
    """As far as it can be, and nothing of it runs or reaches a terminal raw."""
    chat = answered(lambda _: iter([value, "After"]))

    (turn,) = page.turns()
    forms = [turn["answer"]["html"], *map(str, saved(chat).values())]
    assert shows in turn["answer"]["html"]
    assert all("After" in form and "\x1b" not in form for form in forms)
    assert all("<script" not in form for form in [forms[0], forms[1], forms[2]])
    assert chat.reply.outcome == "complete"


def test_a_dataframe_is_a_table(answered, page):
    """In HTML, and in Markdown for who has no HTML."""
    pandas = pytest.importorskip("pandas")

    chat = answered(lambda _: pandas.DataFrame({"city": ["Basel"], "km": [12]}))

    data = saved(chat)
    assert "<table" in data["text/html"]
    assert "Basel" in data["text/html"]
    assert "Basel" in data["text/plain"]


def test_a_widget_is_live_on_the_page_alone(answered, page):
    """The page is told which widget it is; what is saved names it by its text."""
    widgets = pytest.importorskip("ipywidgets")
    slider = widgets.IntSlider(description="Speed")

    chat = answered(lambda _: slider)

    (turn,) = page.turns()
    assert f'data-widget="{slider.model_id}"' in turn["answer"]["html"]
    data = saved(chat)
    assert slider.model_id not in json.dumps(data[MIME])


def test_a_key_is_redacted(answered, page):
    """Also one that comes in pieces, in what is shown and what is saved."""
    key = "sk-ant-api03-" + "Ab1" * 20

    def respond(messages):
        yield f"The key is {key[:20]}"
        yield f"{key[20:]}."
        yield {"key": key}
        raise ValueError(key)

    chat = answered(respond)

    assert key not in json.dumps([page.received, saved(chat)])
    assert key[:20] not in json.dumps(page.received)


def failing(messages):
    yield "Before it"
    raise ValueError("no such city: <b>Basel</b>\x1b")


async def failing_async(messages):
    yield "Before it"
    raise ValueError("no such city: <b>Basel</b>\x1b")


def exits(messages):
    yield "Before it"
    raise SystemExit("no such city: <b>Basel</b>\x1b")


@pytest.mark.parametrize("respond", [failing, failing_async, exits])
def test_what_it_raises_is_shown(answered, page, respond):
    """With its traceback in short, what came is kept, and the chat goes on."""
    chat = answered(respond, "First", "Second")

    _, turn = page.turns()
    assert "no such city: &lt;b&gt;Basel&lt;/b&gt;" in turn["answer"]["below"]
    assert "Before it" in turn["answer"]["html"]
    assert "Traceback" in turn["answer"]["html"]
    assert "test_respond.py" in turn["answer"]["html"]
    assert "function_source" not in turn["answer"]["html"]
    assert "\x1b" not in json.dumps(turn)
    assert chat.reply.outcome == "failed"
    with pytest.raises(ClaudeError, match="no such city"):
        chat.ask("Third")


@pytest.mark.parametrize("respond", [lambda _: None, lambda _: iter([]), lambda _: ""])
def test_nothing_is_no_answer(answered, page, respond):
    """It is said what to do."""
    answered(respond)

    below = page.turns()[0]["answer"]["below"]
    assert "returned nothing" in below
    assert "Return or yield text." in below


def test_stop_closes_a_generator(page):
    """What came is kept, what it yields after that is dropped, and the chat goes on."""
    closed, go_on = threading.Event(), threading.Event()

    def respond(messages):
        try:
            yield "First words"
            go_on.wait(60)
            yield "too late"
            yield "much too late"
        finally:
            closed.set()

    chat = Chat(respond=respond)
    page.say(chat, "send", text="Hi")
    page.wait_for_words("First words")
    page.say(chat, "stop")
    idle(chat)
    go_on.set()

    assert closed.wait(60)
    answer = page.turns()[0]["answer"]
    assert "First words" in answer["html"]
    assert "too late" not in json.dumps(page.received)
    assert "Stopped" in answer["below"]
    assert "token" not in answer["below"]
    assert chat.reply.outcome == "stopped"
    chat.close()


def test_stop_cancels_a_coroutine(page):
    """It is cancelled where it waits."""
    began, cancelled = threading.Event(), threading.Event()

    async def respond(messages):
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    chat = Chat(respond=respond)
    page.say(chat, "send", text="Hi")
    assert began.wait(60)
    page.say(chat, "stop")
    idle(chat)

    assert cancelled.wait(60)
    assert chat.reply.outcome == "stopped"
    chat.close()


def stopped_and_asked_again(page, respond, began):
    """A chat in which an answer was stopped while the function blocked, and another was given."""
    chat = Chat(respond=respond)
    page.say(chat, "send", text="Hi")
    assert began.wait(60)
    page.say(chat, "stop")
    idle(chat)
    assert send(page, chat, "Again") == ""
    return chat


def test_a_function_that_never_ends_is_left_behind(page):
    """Stop ends the answer all the same, and another question is answered."""
    go_on = threading.Event()
    began = threading.Event()

    def respond(messages):
        if messages[-1]["content"] == "Hi":
            began.set()
            go_on.wait(60)
        return "Answered"

    chat = stopped_and_asked_again(page, respond, began)

    assert [turn["prompt"] for turn in page.turns()][-1].count("Again") == 1
    assert chat.reply.text == "Answered"
    go_on.set()
    chat.close()


def passes_stream(messages):
    yield "From the model:"
    yield from claude_nb.stream(messages[-1]["content"])
    yield "That was all."


async def passes_stream_async(messages):
    yield "From the model:"
    async for event in claude_nb.stream(messages[-1]["content"]):
        yield event
    yield "That was all."


def passes_reply(messages):
    yield "From the model:"
    yield claude_nb.ask(messages[-1]["content"])
    yield "That was all."


@pytest.mark.parametrize("respond", [passes_stream, passes_stream_async, passes_reply])
def test_a_reply_is_passed_on(api, page, respond):
    """With its thinking and its cost, which is charged once; between words of the function."""
    api.enqueue(Stream(said("At six.")))
    before = len(session.ledger.entries)
    chat = Chat(respond=respond)

    assert send(page, chat, "When?") == ""

    answer = page.turns()[0]["answer"]
    html = answer["html"]
    assert html.index("From the model:") < html.index("At six.") < html.index("That was all.")
    assert answer["source"] == "From the model:\n\nAt six.\n\nThat was all."
    assert "$" in answer["line"]
    assert "out" in answer["line"]
    assert len(session.ledger.entries) == before + 1
    assert chat.cost == pytest.approx(session.ledger.entries[-1].cost)
    assert chat.conversation.branch[0].text == "From the model:\n\nAt six.\n\nThat was all."
    assert api.requests[-1].body["messages"][-1]["content"] == "When?"
    chat.close()


def test_thinking_and_tools_of_a_reply_are_passed_on(api, page):
    """As in every chat: what it thought, what it called and with which result."""

    def words(text: str) -> int:
        """Count the words of a text."""
        return len(text.split())

    called = [start(), *thinking("Hm."), *tool_use('{"text": "One two"}', name="words", index=1)]
    api.enqueue(Stream([*called, *end("tool_use")]), Stream(said("Two.")))
    chat = Chat(respond=lambda messages: claude_nb.stream("Count.", tools=[words]))

    assert send(page, chat, "Count.") == ""

    html = page.turns()[0]["answer"]["html"]
    assert "Thought" in html
    assert "<b>words</b>" in html
    assert "→ 2" in html
    assert page.turns()[0]["answer"]["source"] == "Two."
    assert chat.reply.outcome == "complete"
    chat.close()


@pytest.mark.parametrize("ask", [claude_nb.stream, claude_nb.ask])
def test_a_failed_reply_that_is_passed_on_fails(api, page, ask):
    """As its own error says, once, and nothing is asked again by the chat."""
    api.enqueue(Error(404, "not_found_error", "No such model."))
    chat = Chat(respond=lambda messages: ask("Hi"))

    send(page, chat, "Hi")

    answer = page.turns()[0]["answer"]
    assert "No such model." in answer["below"]
    assert "raised" not in answer["below"]
    assert "Traceback" not in answer["html"]
    assert len(api.requests) == 1
    chat.close()


def test_stop_stops_what_the_function_asks(api, page):
    """The request ends too: nothing goes on to be paid for."""
    api.enqueue(Stream([start(), *text("The first words")[:-1]], end="hang"))
    chat = Chat(respond=lambda messages: claude_nb.ask("Hi"))
    page.say(chat, "send", text="Hi")
    arrived(api, 1)

    page.say(chat, "stop")
    idle(chat)

    assert chat.reply.outcome == "stopped"
    with pytest.raises(StoppedError):
        claude_nb.last().wait(60)
    chat.close()


def test_a_chat_can_be_edited_retried_and_cleared(answered, page):
    """As every chat; versions are counted."""
    count = iter(range(9))
    chat = answered(lambda messages: f"{messages[-1]['content']} {next(count)}", "First")
    key = page.turns()[0]["key"]

    page.say(chat, "retry", turn=key)
    idle(chat)
    page.say(chat, "edit", turn=page.turns()[0]["key"], text="Other")
    idle(chat)

    (turn,) = page.turns()
    assert (turn["answer"]["source"], turn["at"]) == ("Other 2", [3, 3])
    page.say(chat, "edit_answer", turn=turn["key"], text="Mine")
    assert page.turns()[0]["answer"]["edited"]
    assert "Mine" in chat.conversation.to_markdown()
    page.say(chat, "clear")
    assert page.turns() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"respond": "Hi"}, "respond is a function, not 'Hi'."),
        ({"respond": awaits}, None),
        ({"respond": lambda: "Hi"}, "respond is called with one argument, the messages; <lambda>"),
        ({"respond": lambda a, b: "Hi"}, "cannot take it"),
        ({"respond": returns, "model": "claude-haiku-5-5"}, "takes no model"),
        ({"respond": returns, "tools": [len]}, "takes no tools"),
        ({"respond": returns, "system": "Be brief."}, "takes no system"),
        ({"respond": returns, "context": "above"}, "takes no context"),
        ({"starters": "Hi"}, "starters must be a list of questions, not 'Hi'."),
        ({"starters": ["Hi", " "]}, "A starter must be a question, not ' '."),
        ({"starters": [3]}, "A starter must be a question, not 3."),
        ({"starters": 3}, "starters must be a list of questions, not 3."),
    ],
)
def test_what_is_not_possible_is_refused_at_once(page, arguments, says):
    """When the chat is made, with what to do."""
    if says is None:
        Chat(**arguments).close()
        return
    with pytest.raises(InputError) as raised:
        Chat(**arguments)
    assert says in str(raised.value)


def test_the_page_is_told_who_answers(answered):
    """The function's name, no models, and the questions to begin with."""
    chat = answered(returns, starters=["One?", "Two?"])

    state = chat.get_state()
    assert (state["answerer"], state["models"], state["efforts"]) == ("returns", [], [])
    assert state["starters"] == ["One?", "Two?"]
    assert "**returns**" in saved(chat)["text/markdown"]
    with pytest.raises(InputError, match="takes no instruction"):
        chat.instruct("Be brief.")


def yields_generator(messages):
    yield (word for word in ("One ", "**two**"))


async def yields_generators(messages):
    yield (word for word in ["One "])
    yield returns_later("**two**")


async def returns_later(value):
    return value


async def returns_generator(messages):
    return generates(messages)


@pytest.mark.parametrize("respond", [yields_generator, yields_generators, returns_generator])
def test_what_a_function_yields_may_yield_itself(answered, page, respond):
    """A generator in a generator is part of the answer, and so is what an async one may await."""
    answered(respond)

    assert page.turns()[0]["answer"]["source"] == "One **two**"


def test_a_coroutine_that_nobody_awaits_is_an_error(answered, page):
    """Its function is told to await it."""
    answered(lambda messages: iter([returns_later("One")]))

    below = page.turns()[0]["answer"]["below"]
    assert "The function yielded a coroutine, which only an async function can await." in below
    assert "yield await" in below


class Permissive:
    """An object that has any attribute, as a client that makes its methods up has."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: self

    def __repr__(self) -> str:
        return "permissive"


def test_an_object_with_any_attribute_is_an_object(answered, page):
    """It is displayed, not awaited."""
    answered(lambda messages: Permissive())

    assert "permissive" in page.turns()[0]["answer"]["html"]


async def adds(a: int) -> int:
    """Add one."""
    return a + 1


async def asks_with_tool(messages):
    return claude_nb.ask("Add.", tools=[adds])


def test_an_async_function_may_ask_and_wait(api, page):
    """Its own asynchronous tools run while it waits for the reply, though it blocks its loop."""
    api.enqueue(Stream([start(), *tool_use('{"a": 1}', name="adds"), *end("tool_use")]))
    api.enqueue(Stream(said("Two.")))
    chat = Chat(respond=asks_with_tool)

    assert send(page, chat, "Add.") == ""

    assert chat.reply.text == "Two."
    chat.close()


def test_an_async_function_that_blocks_is_left_behind(page):
    """Stop ends its answer, and the next one is answered on another loop."""
    began, go_on = threading.Event(), threading.Event()

    async def respond(messages):
        if messages[-1]["content"] == "Hi":
            began.set()
            go_on.wait(60)
        return "Answered"

    chat = stopped_and_asked_again(page, respond, began)

    assert chat.reply.text == "Answered"
    assert not go_on.is_set()
    go_on.set()
    chat.close()


def test_stop_closes_a_generator_that_a_coroutine_returned(page):
    """Nothing of it runs on."""
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield "on and on "
        finally:
            closed.set()

    async def respond(messages):
        return endless()

    chat = Chat(respond=respond)
    page.say(chat, "send", text="Hi")
    page.wait_for_words("on and on")
    page.say(chat, "stop")
    idle(chat)

    assert closed.wait(60)
    assert "on and on" in chat.reply.text
    chat.close()


def test_an_image_is_passed_on_to_the_model(api, page):
    """A function asks Claude with the content that it got, whatever goes along with it."""
    api.enqueue(Stream(said("A line.")))
    chat = Chat(respond=lambda messages: claude_nb.stream(messages[-1]["content"]))

    chat.ask("What is it?", attach=[figure()])

    content = api.requests[-1].body["messages"][-1]["content"]
    assert [block["type"] for block in content] == ["text", "image", "text"]
    assert content[-1]["text"].strip() == "What is it?"
    chat.close()
