"""Which functions run unasked: those that the question itself names, and no others."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

import claude_nb
from claude_nb import Chat, Conversation, Tools
from claude_nb.asking.jobs import start
from claude_nb.asking.question import Question
from claude_nb.errors import InputError
from claude_nb.magics import cell
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.simulator import Stream
from tests.played import end, said, tool_use
from tests.played import start as started

NOT_RUN = "This was not run: nobody could be asked to allow it."
ANSWER = Stream(said("Done."))


def call(number: int) -> Stream:
    """A message that calls the function, as the conversation's call of that number."""
    return Stream(
        [started(), *tool_use("{}", name="act", call=f"toolu_{number}"), *end("tool_use")]
    )


class Act:
    """A function, and how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

        def act() -> str:
            """Act."""
            self.runs += 1
            return "acted"

        self.tool = act


@pytest.fixture
def act(api, monkeypatch):
    """A function that the next two replies call; nobody answers at standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    api.enqueue(call(1), ANSWER, call(2), ANSWER)
    return Act()


def results(reply):
    """What the model is told of its calls."""
    return [block.run.content[0]["text"] for block in reply.tool_calls]


def test_a_function_that_an_earlier_question_named_asks_first(act, api):
    """It stays defined in the request; where nobody can be asked, the call fails."""
    talk = Conversation()
    first = talk.ask("Go.", tools=[act.tool], show=False)
    later = talk.ask("Again.", show=False)

    assert (act.runs, results(first), results(later)) == (1, ["acted"], [NOT_RUN])
    assert later.tool_calls[0].run.note == (
        "not run: not named in this cell, and nobody could be asked"
    )
    bodies = [request.body for request in api.requests[-4:]]
    assert [body["tools"] for body in bodies] == [bodies[0]["tools"]] * 4
    assert (first.notes[-1], later.notes[-1]) == ("tools: act", "tools: act (asks first)")


def test_the_user_may_allow_it(act, monkeypatch):
    """In the terminal by an answer to the question."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    talk = Conversation()
    talk.ask("Go.", tools=[act.tool], show=False)

    assert results(talk.ask("Again.", show=False)) == ["acted"]


def test_a_question_that_names_it_again_does_not_ask(act):
    """Though an earlier one said to ask before each call: that was for its own reply."""
    talk = Conversation()
    asked = talk.ask("Go.", tools=Tools(act.tool, confirm=True), show=False)
    named = talk.ask("Again.", tools=[act.tool], show=False)

    assert (results(asked), results(named)) == ([NOT_RUN], ["acted"])
    assert asked.notes[-1] == "tools: act (asks first)"


def test_the_tools_of_a_conversation_are_named_for_all_its_questions(act):
    """Also for a chat that goes on with it."""
    talk = Conversation("with-tools", tools=[act.tool])

    assert results(talk.ask("Go.", show=False)) == ["acted"]
    assert results(Chat(talk).ask("Again.")) == ["acted"]


def test_a_chat_names_its_tools_for_itself_alone(act):
    """A question elsewhere in its conversation does not."""
    chat = Chat(tools=[act.tool])

    assert results(chat.ask("Go.")) == ["acted"]
    assert results(chat.conversation.ask("Again.", show=False)) == [NOT_RUN]


def test_nobody_is_asked_in_the_background_and_in_a_stream(act, api):
    """There the call fails at once."""
    talk = Conversation()
    api.enqueue(call(3), ANSWER)
    talk.ask("Go.", tools=[act.tool], show=False)

    assert results(start(Question.of("Again.", history=talk)).wait(20)) == [NOT_RUN]
    list(claude_nb.stream("And again.", history=talk))

    assert str(api.requests[-1].body).count(NOT_RUN) == 2
    assert act.runs == 1


def choices(api, count):
    """Whether the model was forbidden to call tools, in each of the newest requests."""
    return [
        request.body.get("tool_choice") == {"type": "none"} for request in api.requests[-count:]
    ]


def test_no_tools_puts_them_away(api):
    """For later questions too, until one names tools; the request goes on to define them."""
    act, talk = Act(), Conversation()
    api.enqueue(call(1), *[ANSWER] * 5)
    talk.ask("Go.", tools=[act.tool], show=False)
    away = talk.ask("Without.", tools=[], show=False)
    later = talk.ask("Still without.", show=False)
    talk.ask("With.", tools=[act.tool], show=False)
    talk.fork(1)
    again = talk.ask("As before.", show=False)

    assert choices(api, 6) == [False, False, True, True, False, False]
    assert all(request.body["tools"] for request in api.requests[-6:])
    assert [reply.notes[1:] for reply in (away, later)] == [(), ()]
    assert again.notes[-1] == "tools: act (asks first)"


def test_what_this_conversation_does_not_know_cannot_be_called(api):
    """Exchanges that came from another one, or from an earlier kernel, bring no functions."""
    act, talk, other = Act(), Conversation(), Conversation("other")
    api.enqueue(call(1), *[ANSWER] * 2)
    talk.ask("Go.", tools=[act.tool], show=False)
    other.add(talk.exchanges, talk.head)

    other.ask("Again.", show=False)

    assert choices(api, 3) == [False, False, True]


@pytest.fixture
def run(act):
    """Run a cell in a shell that has the function, with some defaults of the user's."""
    shell = SimpleNamespace(user_ns={"act": act.tool, "none": act.tool})

    def run(line, **traits: str):
        magics = ClaudeMagics(**traits)
        magics.shell = shell
        cell.run(shell, f"-c cells-{id(shell)} -o reply {line}", "Go.", magics._defaults())
        return shell.user_ns["reply"]

    return run


def test_a_cell_runs_what_it_names(run):
    """And the next one asks."""
    assert results(run("--tools act")) == ["acted"]
    assert results(run("")) == [NOT_RUN]


def test_a_trait_names_tools_for_each_cell(run):
    """With the options for tools, too."""
    assert results(run("", tools="act")) == ["acted"]
    assert results(run("--confirm", tools="act")) == [NOT_RUN]


@pytest.mark.parametrize("none", ["none", "None"])
def test_the_option_none_puts_tools_away(run, none, api):
    """Though a variable has that name, and though a trait names tools."""
    run("--tools act")
    away = run(f"--tools {none}", tools="act")
    run("--tools act")

    assert choices(api, 3) == [False, True, False]
    assert [block.run for block in away.tool_calls] == [None]  # a call that comes all the same


def test_a_trait_that_names_nothing_says_so():
    """Each cell does, before anything is sent."""
    magics = ClaudeMagics(tools="nope")
    magics.shell = SimpleNamespace(user_ns={})

    with pytest.raises(InputError, match=r"ClaudeMagics.tools: There is no variable nope\."):
        magics._defaults()
