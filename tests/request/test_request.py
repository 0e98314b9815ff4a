"""``Request``: what is sent, and what is refused before anything leaves the machine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from claude_nb.errors import InputError
from claude_nb.request.request import Request
from claude_nb.request.system import System, SystemPart


def refusal(**fields: object):
    """What is said about a request that cannot be sent."""
    with pytest.raises(InputError) as raised:
        Request(**{"prompt": "Hello"} | fields)
    return str(raised.value)


def test_parameters_of_the_default_request():
    """The prompt as it is; thinking asked for in readable form, as the model thinks anyway."""
    assert Request(" Hello\n").params() == {
        "model": "claude-opus-5-5",
        "max_tokens": 16_000,
        "messages": [{"role": "user", "content": " Hello\n"}],
        "thinking": {"type": "adaptive", "display": "summarized"},
    }


def test_system_and_effort_are_sent_where_they_are_given():
    """An empty system prompt is none."""
    given = Request("Hello", system="Be short.", effort="low").params()
    absent = Request("Hello", system="").params()

    assert (given["system"], given["output_config"]) == ("Be short.", {"effort": "low"})
    assert absent.keys() & {"system", "output_config"} == set()


@pytest.mark.parametrize("prompt", ["", " ", "\n\t \n", "\u00a0\u2003"])
def test_an_empty_prompt_is_refused(prompt):
    """Spaces and line ends are nothing to ask."""
    assert refusal(prompt=prompt) == "There is nothing to send: the prompt is empty."


def test_a_blank_system_prompt_is_refused():
    """The API would refuse it; an empty one is none."""
    assert refusal(system=" \n").startswith("The system prompt is blank.")
    assert "system" not in Request("Hi", system="").params()


def test_options_are_named_as_they_are_written_where_the_question_was_asked():
    """In a cell with dashes, in Python as arguments."""
    fields = {"model": "claude-haiku-4-5", "thinking": 20_000}
    assert "less than max_tokens (16,000)" in refusal(**fields)
    assert "less than --max-tokens (16,000)" in refusal(in_cell=True, **fields)
    assert refusal(max_tokens=0, in_cell=True).startswith("--max-tokens must be at least 1")


@pytest.mark.parametrize("field", ["prompt", "system"])
def test_half_a_character_is_replaced(field):
    """A lone surrogate has no UTF-8 form; the two halves of a pair are one character."""
    request = Request(**{"prompt": "Hi", field: "ab\ud83d cd\ud83d\ude00"})

    assert "ab\ufffd cd😀" in repr(request.params())
    assert getattr(request, field) == "ab\ufffd cd😀"


def test_half_a_character_is_replaced_wherever_it_is_sent():
    """Content, earlier turns, tools, the form of an answer and the parts of a system prompt."""
    half = "\ud83d"
    block = {"type": "text", "text": half}
    turn = {"role": "user", "content": [block]}
    request = Request(
        half,
        model=f"m{half}",
        system=System((SystemPart(half, half),)),
        content=(block,),
        before=(turn,),
        after=(turn,),
        tools=({"name": "a", "description": half},),
        output={"title": half},
        notes=(half,),
    )

    json.dumps([request.params(), request.notes], ensure_ascii=False).encode()
    assert replace(request, max_tokens=9).before == request.before


def test_more_than_the_api_takes_is_refused():
    """The API would answer 413 after the upload."""
    assert refusal(prompt="é" * 16_500_000).startswith(
        "The request is 33 MB; the API takes at most 32 MB,"
    )


def test_a_megabyte_is_sent():
    """Large is not too large."""
    prompt = "x" * 1_000_000

    assert Request(prompt).params()["messages"][0]["content"] == prompt


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": " "}, "The model id is empty."),
        ({"max_tokens": 0}, "max_tokens must be at least 1, not 0."),
        (
            {"effort": "xhigh", "model": "claude-opus-4-6"},
            "claude-opus-4-6 does not support the effort xhigh. Use low, medium, high or max.",
        ),
        (
            {"effort": "low", "model": "claude-haiku-4-5"},
            "claude-haiku-4-5 does not support effort.",
        ),
        (
            {"effort": "max", "thinking": "off", "model": "claude-sonnet-5-5"},
            "With thinking off, claude-sonnet-5-5 does not support the effort max. Use low, ",
        ),
        (
            {"effort": "xhigh", "thinking": "off", "model": "claude-opus-5"},
            "With thinking off, claude-opus-5 does not support the effort xhigh. Use low, ",
        ),
        ({"effort": "huge"}, "There is no effort 'huge'. Use low, medium, high,"),
        ({"thinking": "loud"}, "thinking must be on, off or a number of tokens, not 'loud'."),
        (
            {"thinking": "off"},
            "claude-opus-5-5 cannot turn thinking off. Use thinking on",
        ),
        ({"thinking": 2000}, "claude-opus-5-5 cannot be given a thinking budget."),
        (
            {"thinking": 500, "model": "claude-haiku-4-5"},
            "A thinking budget of 500 tokens is not allowed. It must be at least 1,024",
        ),
        ({"thinking": 16_000, "model": "claude-haiku-4-5"}, "A thinking budget of 16,000 tokens"),
    ],
)
def test_what_the_model_is_known_not_to_take_is_refused(fields, said):
    """The message names what it takes instead."""
    assert refusal(**fields).startswith(said)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"hide_thinking": True}, {"type": "adaptive", "display": "omitted"}),
        ({"thinking": "on"}, {"type": "adaptive", "display": "summarized"}),
        (
            {"thinking": "on", "model": "claude-haiku-4-5"},
            {"type": "enabled", "budget_tokens": 8000, "display": "summarized"},
        ),
        (
            {"thinking": 2000, "model": "claude-haiku-4-5"},
            {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
        ),
        ({"thinking": "off", "model": "claude-haiku-4-5"}, {"type": "disabled"}),
        ({"model": "claude-haiku-4-5"}, None),
        ({"model": "a-model-of-tomorrow"}, None),
        (
            {"model": "a-model-of-tomorrow", "thinking": "on"},
            {"type": "adaptive", "display": "summarized"},
        ),
    ],
)
def test_thinking_is_sent_in_the_form_that_the_model_takes(fields, sent):
    """For a model of which nothing is known it is sent only when it was asked for."""
    assert Request("Hello", **fields).params().get("thinking") == sent


def test_a_model_that_cannot_but_think_thinks_between_tools_only():
    """Sonnet 5.5 takes no ``disabled``; what is sent instead is said once."""
    off = Request("Why?", model="claude-sonnet-5-5", thinking="off", effort="high")

    assert off.params()["thinking"] == {"type": "between_tools"}
    said = "claude-sonnet-5-5 cannot turn thinking off: it still thinks between tools"
    assert replace(off, max_tokens=9).notes == (said,)


def test_a_model_that_goes_is_noted():
    """It is sent all the same: another server may have it yet."""
    assert Request("Why?", model="claude-sonnet-4-5-20250929").notes == (
        "claude-sonnet-4-5 was retired on 2026-11-30",
    )
