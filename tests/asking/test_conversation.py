"""``Conversation``: what a Python user asks in turn, over real HTTP."""

from __future__ import annotations

import asyncio
import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest

from claude_nb import ClaudeError, Conversation, Simulator
from claude_nb.client.engine import call
from claude_nb.errors import InputError
from claude_nb.simulator import Error, Stream
from tests.played import end, recorded, said, start, text, thinking


def sent(api: Simulator):
    """The words of the newest request, in turn."""
    return [
        m["content"] if isinstance(m["content"], str) else m["content"][0]["text"]
        for m in api.requests[-1].body["messages"]
    ]


def test_questions_build_on_each_other(api):
    """The second is sent with the first and its answer."""
    api.enqueue(Stream(said("At six.")), Stream(said("At seven.")))
    trains = Conversation("trains", system="You know the timetable.")

    trains.ask("When does the first one leave?", show=False)
    trains.ask("And the one after that?", show=False)

    assert sent(api) == ["When does the first one leave?", "At six.", "And the one after that?"]
    assert api.requests[-1].body["system"] == "You know the timetable."
    assert repr(trains) == "<Conversation 'trains' · 2 turns>"


def test_thinking_goes_back_to_the_server_that_signed_it(api, monkeypatch):
    """Through a client of the user's own too, however its address is written."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{api.base_url}/")
    answer = [start(), *thinking("Six?"), *text("At six.", index=1), *end()]
    api.enqueue(Stream(answer), Stream(said("At seven.")))
    trains = Conversation("trains")
    trains.ask("When does the first one leave?", show=False)

    own = anthropic.AsyncAnthropic(base_url=api.base_url, api_key="not-a-key")
    reply = trains.ask("And the one after that?", show=False, client=own)
    call(own.close())

    content = api.requests[-1].body["messages"][1]["content"]
    assert [block["type"] for block in content] == ["thinking", "text"]
    assert not any("thinking" in note for note in reply.notes)


def test_what_was_dropped_is_remembered_as_far_as_it_came(api):
    """The next question goes on from there; one that failed outright leaves nothing."""
    api.enqueue(
        Stream([start(), *text("At si")[:-1]], end="reset"), Error(529, "overloaded_error", "Busy")
    )
    api.enqueue(Stream(said("Six.")))
    trains = Conversation("trains")

    for prompt in ("When?", "Hello?"):
        with pytest.raises(ClaudeError):
            trains.ask(prompt, show=False)
    trains.ask("Go on.", show=False)

    assert sent(api) == ["When?", "At si", "Go on."]


def test_a_refusal_leaves_no_trace(api):
    """Both turns leave the history, as the API asks for."""
    refused = [*said("No")[:-2], {"type": "message_delta", "delta": {"stop_reason": "refusal"}}]
    usage = {"usage": {"output_tokens": 1}}
    api.enqueue(Stream([*refused[:-1], refused[-1] | usage, {"type": "message_stop"}]))
    api.enqueue(Stream(said("Yes.")))
    trains = Conversation("trains")

    trains.ask("Do evil.", show=False)
    trains.ask("Do good.", show=False)

    assert sent(api) == ["Do good."]


def test_attached_values_are_remembered_with_their_question(api):
    """As they were then."""
    api.enqueue(Stream(said("Three.")), Stream(said("Two.")))
    rows = Conversation("rows")
    values = [1, 2, 3]

    rows.ask("How many?", attach=[values], show=False)
    values.pop()
    rows.ask("And now?", show=False)

    first = api.requests[-1].body["messages"][0]["content"]
    assert first == [{"type": "text", "text": "attachment 1:\n[1, 2, 3]\n\nHow many?"}]


def test_asking_can_be_awaited(api):
    """Other tasks go on meanwhile."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    ran = []

    async def main():
        numbers = Conversation("numbers")
        asking = asyncio.ensure_future(numbers.ask_async("First?", show=False))
        ran.append(await asyncio.sleep(0, "meanwhile"))
        first = await asking
        return first, await numbers.ask_async("Second?", show=False)

    first, second = asyncio.run(main())

    assert ran == ["meanwhile"]
    assert (first.text, second.text) == ("One.", "Two.")
    assert sent(api) == ["First?", "One.", "Second?"]


def test_a_cancelled_await_stops_the_request(api):
    """The server sees it, and the conversation is free for the next question."""
    api.enqueue(Stream([start(), *text("One")[:-1]], end="hang"), Stream(said("Two.")))
    numbers = Conversation("numbers")

    async def main():
        count = len(api.requests)
        asking = asyncio.ensure_future(numbers.ask_async("First?", show=False))
        await asyncio.to_thread(api.wait_for, lambda seen: len(seen) > count)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())

    api.wait_for(lambda seen: seen[-1].client_left)
    assert numbers.ask("Second?", show=False).text == "Two."


def test_threads_ask_in_conversations_of_their_own(api):
    """Eight at once, each with its own memory."""
    api.enqueue(*(Stream(said("Yes.")) for _ in range(16)))

    def ask_twice(number):
        own = Conversation(f"thread {number}")
        own.ask(f"{number}a", show=False)
        own.ask(f"{number}b", show=False)
        return [m["content"] for m in own.messages() if m["role"] == "user"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask_twice, range(8))) == [[f"{n}a", f"{n}b"] for n in range(8)]


def test_the_notebook_shares_conversations_by_name():
    """The same name is the same memory; a new ``Conversation`` is one of its own."""
    shared = Conversation.named("shared by name")

    assert Conversation.named("shared by name") is shared
    assert "shared by name" in Conversation.names()
    assert Conversation("shared by name") is not shared


def test_what_cannot_be_sent_leaves_the_conversation_free(api):
    """An error before anything was sent is no turn."""
    trains = Conversation("trains")
    with pytest.raises(InputError):
        trains.ask("When?", view="hologram")
    with pytest.raises(InputError):
        trains.ask(" ")
    api.enqueue(Stream(said("Yes.")))

    trains.ask("When?", show=False)

    assert sent(api) == ["When?"]


@pytest.mark.parametrize("name", ["untyped_block", "null_objects"])
def test_what_has_no_type_does_not_go_back(api, name):
    """The API would refuse it, with every question that follows."""
    api.enqueue(Stream(recorded(name)), Stream(said("Yes.")))
    conversation = Conversation(name)

    conversation.ask("One", show=False)
    conversation.ask("Two", show=False)

    _, answer, _ = api.requests[-1].body["messages"]
    assert answer["content"] == [{"type": "text", "text": "Hello"}]


BUSY = Error(529, "overloaded_error", "Busy")
BEGUN_ANEW = {
    "new=True": lambda talk: {"new": True},
    ".new()": lambda talk: talk.new() or {},
    "undo": lambda talk: talk.undo() and {},
}


@pytest.mark.parametrize("begin", BEGUN_ANEW.values(), ids=BEGUN_ANEW)
@pytest.mark.parametrize("failure", [BUSY, Stream([start()], end="reset")], ids=["busy", "lost"])
def test_a_new_beginning_holds_although_its_first_request_failed(api, begin, failure):
    """The next question is sent without the old exchanges, with the system prompt of the new."""
    api.enqueue(Stream(said("At six.")), failure, Stream(said("Blue.")), Stream(said("Red.")))
    talk = Conversation(system="Trains.")
    talk.ask("When?", show=False)

    with pytest.raises(ClaudeError):
        talk.ask("Which colour?", show=False, system="Colours.", **begin(talk))
    talk.ask("And the sky?", show=False)
    talk.ask("And blood?", show=False)

    assert sent(api) == ["And the sky?", "Blue.", "And blood?"]
    assert [request.body["system"] for request in api.requests[-2:]] == ["Colours.", "Colours."]


def test_a_system_prompt_that_failed_ends_with_the_next_new_beginning(api):
    """Or when the conversation goes on from elsewhere: it was given for that branch alone."""
    api.enqueue(Stream(said("At six.")), BUSY, Stream(said("Hi.")), BUSY, Stream(said("At seven.")))
    talk = Conversation(system="Trains.")
    talk.ask("When?", show=False)

    colours = {"show": False, "system": "Colours.", "new": True}
    with pytest.raises(ClaudeError):
        talk.ask("Which colour?", **colours)
    talk.ask("Hello", show=False, new=True)
    with pytest.raises(ClaudeError):
        talk.ask("Which colour?", **colours)
    talk.fork(1)
    talk.ask("And the next?", show=False)

    systems = [request.body["system"] for request in api.requests]
    assert systems == ["Trains.", "Colours.", "Trains.", "Colours.", "Trains."]
    assert sent(api) == ["When?", "At six.", "And the next?"]


def test_a_conversation_says_how_to_keep_it():
    """It cannot be pickled or copied: it is what other cells ask in, too."""
    for keep in (pickle.dumps, copy.deepcopy):
        with pytest.raises(InputError, match=r"from_messages\(talk.to_messages\(\)\)"):
            keep(Conversation())
