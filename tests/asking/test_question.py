"""``Question``: everything that is asked, checked before anything is sent."""

from __future__ import annotations

import pytest

import claude_nb
from claude_nb import Conversation
from claude_nb.asking.asking import answer
from claude_nb.asking.question import Question
from claude_nb.errors import InputError
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
        included=["<cell/>"],
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


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("modle", "There is no option 'modle'. Did you mean model?"),
        ("temperature", "There is no option 'temperature'. There are model, max_tokens, system"),
        ("before", "There is no option 'before'."),
        ("place", "There is no option 'place'."),
        ("after", "There is no option 'after'."),
        ("limit_name", "There is no option 'limit_name'."),
    ],
)
@pytest.mark.parametrize(
    "call", [claude_nb.ask, claude_nb.stream, claude_nb.compare, Conversation("options").ask]
)
def test_an_unknown_option_is_refused(api, call, option, hint):
    """With the nearest one, wherever it is passed; nothing is sent."""
    number = len(api.requests)

    with pytest.raises(TypeError) as raised:
        call("Hi", **{option: 1})

    assert str(raised.value).startswith(hint)
    assert len(api.requests) == number


def test_an_unknown_view_is_refused(api):
    """With those that there are; nothing is sent."""
    number = len(api.requests)

    with pytest.raises(InputError, match=r"There is no view 'page'\. It is one of auto, live"):
        claude_nb.ask("Hi", view="page")

    assert len(api.requests) == number


def test_a_question_can_be_asked_twice(api):
    """Nothing in it changes."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    question = Question.of("Hi", show=False)

    assert [answer(question).text, answer(question).text] == ["One.", "Two."]
