"""``Question``: everything that is asked, checked before anything is sent."""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import Any

import pytest
from anthropic.resources.messages import AsyncMessages

import claude_nb
from claude_nb import CachedSystem, Conversation
from claude_nb.asking.asking import answer
from claude_nb.asking.question import Question
from claude_nb.client.connection import _NOT_COUNTED
from claude_nb.errors import InputError
from claude_nb.request.request import Request, TurnId
from claude_nb.simulator import Stream
from claude_nb.tools.tools import Tools
from tests.played import said


def look_up(city: str) -> str:
    """Look up a city."""
    return city


def test_the_parts_of_a_prompt_are_put_together_once():
    """What goes along, then the prompt with its values; and a note on each."""
    question = Question.of(
        "Is {{n}} right?",
        variables={"n": 4},
        named=[("rows", [1, 2])],
        attach=["text"],
        included=[{"type": "text", "text": "<cell/>\n\n"}],
        notes=["Cell 1 included."],
    )

    (block,) = question.request.content
    assert block["text"].startswith("<cell/>\n\nrows:\n")
    assert "attachment 1:\n" in block["text"]
    assert block["text"].endswith("Is 4 right?")
    assert question.request.notes[0] == "Cell 1 included."


def test_a_raw_prompt_keeps_its_braces():
    """The variables are there all the same, for the tools of its conversation."""
    question = Question.of("{{n}}", variables={"n": 4}, raw=True)

    assert (question.request.prompt, question.request.content) == ("{{n}}", ())


def test_options_and_fields_go_where_they_belong():
    """Options are the request's, the rest is the question's own."""
    question = Question.of("Hi", model="m", max_cost=1.0, tools=[look_up])

    assert (question.request.model, question.max_cost) == ("m", 1.0)
    assert isinstance(question.tools, Tools)
    assert question.request.tools == question.tools.definitions


CONVERSATION = Conversation("options")
INTERNAL = ("after", "before", "cls", "content", "included", "limit_name", "named", "notes")
INTERNAL += ("place", "raw", "turn", "variables")
TAKEN = {  # what is known elsewhere, and not taken here
    claude_nb.ask: (),
    claude_nb.stream: ("show", "view", "events", "hide_tools"),
    claude_nb.compare: ("model", "effort", "system", "history", "new", "show", "events"),
    CONVERSATION.ask: ("history",),
    claude_nb.batch: ("tools", "history", "stream", "hide_tools", "attach"),
}
CALLS = list(TAKEN)


def passed(call):
    """What is asked: ``batch`` takes many."""
    return ["Hi"] if call is claude_nb.batch else "Hi"


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_option_is_refused(api, call):
    """With the nearest one, or all; wherever it is passed; nothing is sent."""
    number = len(api.requests)

    for option in ("modle", "temperature", *INTERNAL, *TAKEN[call]):
        with pytest.raises(TypeError) as raised:
            call(passed(call), **{option: 1})
        assert str(raised.value).startswith(f"There is no option {option!r}. ")
    with pytest.raises(TypeError, match=r"Did you mean max_tokens\?"):
        call(passed(call), max_token=1)

    assert len(api.requests) == number


def test_what_is_known_is_named(api):
    """Its own options too."""
    with pytest.raises(TypeError, match=r"There are model, max_tokens, system, .*, keep\."):
        claude_nb.ask("Hi", temperature=1)
    with pytest.raises(TypeError, match=r"Did you mean models\?"):
        claude_nb.compare("Hi", modle="a")
    with pytest.raises(TypeError, match="There is no option 'modle'"):
        claude_nb.Batch.resume("msgbatch_1", modle="a")


def test_extra_is_named_for_what_it_takes_alone():
    """It would refuse the tools of a batch, and what this package sets by itself."""
    calls = [(claude_nb.ask, "service_tier"), (claude_nb.ask, "cache_control")]
    for call, name in [*calls, (claude_nb.batch, "tools")]:
        with pytest.raises(TypeError) as raised:
            call(passed(call), **{name: 1})
        assert ("other fields of the API in extra" in str(raised.value)) == (name == "service_tier")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_tokens": "5"}, "max_tokens must be a whole number of tokens, not '5'."),
        ({"max_tokens": None}, "max_tokens must be a whole number of tokens, not None."),
        ({"max_tokens": 1.5}, "max_tokens must be a whole number of tokens, not 1.5."),
        ({"max_tokens": True}, "max_tokens must be a whole number of tokens, not True."),
        ({"max_cost": "1"}, "max_cost must be an amount in USD or None, not '1'."),
        ({"thinking": 1.5}, 'thinking must be "on", "off", a whole number of tokens or None'),
        ({"policy": 3}, "policy must be a claude_nb.Policy or None, not 3."),
        ({"client": 3}, "client= is a int. Pass an anthropic.AsyncAnthropic"),
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_another_type_is_refused(api, call, arguments, words):
    """With what to pass, wherever it is passed; nothing is sent."""
    number = len(api.requests)

    with pytest.raises((TypeError, InputError)) as raised:
        call(passed(call), **arguments)

    assert str(raised.value).startswith(words)
    assert len(api.requests) == number


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: claude_nb.ask(3),
            "prompt must be a string, or a list of content blocks",
        ),
        (
            lambda: claude_nb.ask(None),
            "prompt must be a string, or a list of content blocks",
        ),
        (lambda: claude_nb.ask("Hi", model=None), "model must be the id of a model, such as"),
        (lambda: claude_nb.ask("Hi", system=3), "system must be a string, a CachedSystem or None"),
        (lambda: claude_nb.batch(["Hi"], system=3), "system must be a string, a CachedSystem or"),
        (lambda: claude_nb.batch(["Hi"], template=3), "template must be a string or None, not 3."),
        (lambda: claude_nb.ask("Hi", effort=3), "effort must be a string or None, not 3."),
        (lambda: claude_nb.ask("Hi", history="q"), "history must be a Conversation or None"),
        (lambda: claude_nb.ask("Hi", attach="file.txt"), "attach must be a list of values"),
        (lambda: claude_nb.ask("Hi", attach=b"file"), "attach must be a list of values"),
        (lambda: claude_nb.ask("Hi", attach={"a": 1}), "attach must be a list of values"),
        (lambda: claude_nb.ask("Hi", attach=None), "attach must be a list of values, not None."),
        (lambda: claude_nb.compare("Hi", models=[3]), "model must be the id of a model"),
        (lambda: claude_nb.compare("Hi", models=iter("a")), "models must be a list: models=[…]."),
        (lambda: claude_nb.compare("Hi", efforts=3), "efforts must be a list: efforts=[…]."),
        (
            lambda: claude_nb.compare("Hi", systems=[3]),
            "system must be a string, a CachedSystem or",
        ),
        (lambda: Conversation(3), "name must be a string, not 3."),
        (lambda: Conversation("a", system=3), "system must be a string, a CachedSystem or None"),
        (
            lambda: claude_nb.ask("Hi", tools=[Tools(look_up)]),
            "Tools(look_up) is not a function. Pass",
        ),
    ],
)
def test_what_is_passed_wrongly_is_refused(api, call, words):
    """With what to pass; nothing is sent."""
    number = len(api.requests)

    with pytest.raises((TypeError, InputError)) as raised:
        call()

    assert str(raised.value).startswith(words)
    assert len(api.requests) == number


@pytest.mark.parametrize("many", [("a",), {"a"}, iter("a"), {1: "a"}.values()])
def test_values_are_attached_from_any_list(many):
    """Not only from what Python calls one."""
    assert "a" in Question.of("Hi", attach=many).request.content[0]["text"]


@pytest.mark.parametrize(
    "arguments", [{"temperature": 1}, {"max_tokens": "5"}, {"history": 3}, {"attach": "a"}]
)
def test_a_task_refuses_the_same(api, arguments):
    """Before anything is sent."""
    number = len(api.requests)

    with pytest.raises(TypeError):
        asyncio.run(claude_nb.ask_async("Hi", **arguments))

    assert len(api.requests) == number


def test_every_argument_of_a_request_is_one_of_the_sdk_s():
    """And what is counted, one of its counting."""
    create = inspect.signature(AsyncMessages.create).parameters
    count = inspect.signature(AsyncMessages.count_tokens).parameters
    system = CachedSystem("Be brief.")
    turn = TurnId("chat", "1", None, "", "")
    kinds: dict[str, Any] = {"system": system, "turn": turn, "effort": "low", "thinking": "on"}
    kinds |= {"tools": ({},), "uses_tools": False, "output": {}, "container": "c"}

    params = Request("Hi", **kinds).params()

    # ``params`` sets each by its name, so all of them are there.
    assert set(re.findall(r'params\["(\w+)"\]', inspect.getsource(Request.params))) <= set(params)
    assert set(params) <= set(create)
    assert set(params) - set(_NOT_COUNTED) <= set(count)
    assert not set(_NOT_COUNTED) & set(count)


def test_an_unknown_view_is_refused(api):
    """With those that there are; nothing is sent."""
    number = len(api.requests)

    with pytest.raises(InputError, match=r"There is no view 'page'\. Use auto, live"):
        claude_nb.ask("Hi", view="page")

    assert len(api.requests) == number


def test_a_question_can_be_asked_twice(api):
    """Nothing in it changes."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    question = Question.of("Hi", show=False)

    assert [answer(question).text, answer(question).text] == ["One.", "Two."]
