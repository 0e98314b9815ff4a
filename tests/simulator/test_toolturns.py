"""Turns in which the client's tools are called: what when, and what is said in the end."""

import json
import random
from typing import Any

import pytest

from claude_nb.simulator import wire
from claude_nb.simulator.scripts import answer_to

WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "examples": ["Graz", "Linz"]},
            "days": {"type": "integer", "minimum": 2},
        },
        "required": ["days"],
    },
}
DICE = {
    "name": "roll_dice",
    "input_schema": {
        "type": "object",
        "properties": {"sides": {"type": "integer", "enum": [6, 20]}},
    },
}
NOW = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
PNG = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}


def user(content):
    return {"role": "user", "content": content}


def result_of(call, content="done", **fields: Any):
    return {"type": "tool_result", "tool_use_id": call["id"], "content": content, **fields}


def answer(messages, model="claude-opus-4-8", **options: Any):
    """Return the answer to messages, by a model that does not think unasked."""
    request = {"model": model, "max_tokens": 1000, "messages": messages, **options}
    request.setdefault("tools", [WEATHER, DICE, NOW])
    return answer_to(request, random.Random(len(messages)))


def calls_of(given):
    """Return the calls of an answer, each as name and input."""
    content = [wire.whole(written, "omitted") for written in given.content]
    return [(b["name"], b["input"]) for b in content if b["type"] == "tool_use"]


def kinds(given):
    return [written.block["type"] for written in given.content]


def loop(prompt, results=result_of, **options: Any):
    """Play a whole turn, each call answered with a result; return its answers."""
    messages = [user(prompt)]
    answers = []
    while len(answers) < 6:
        given = answer(messages, **options)
        answers.append(given)
        if given.stop_reason != "tool_use":
            break
        content = [wire.whole(written, "omitted") for written in given.content]
        messages.append({"role": "assistant", "content": content})
        calls = [block for block in content if block["type"] == "tool_use"]
        messages.append(user([results(call) for call in calls]))
    return answers


def called(prompt, **options: Any):
    """Return the calls of a whole turn, message by message."""
    return [calls_of(given) for given in loop(prompt, **options)[:-1]]


def told(prompt, *contents: Any, **fields: Any):
    """Return what is said in the end of a turn whose results are these."""
    waiting = iter(contents)
    last = loop(prompt, lambda call: result_of(call, next(waiting), **fields))[-1]
    return "".join(w.text for w in last.content if w.block["type"] == "text")


def test_what_fits_no_script_calls_the_first_tool():
    """A text comes before the call, and the input fits its schema; a script is told instead."""
    call = answer([user("Is it raining in Rome?")])

    assert (kinds(call), call.stop_reason) == (["text", "tool_use"], "tool_use")
    assert calls_of(call) == [("get_weather", {"city": "Graz", "days": 2})]
    assert kinds(answer([user("Tell me a story")])) == ["text"]


@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        ("Tell me a story with roll_dice", [["roll_dice"]]),
        ("Use a tool for this story", [["get_weather"]]),
        ("roll_dice and get_weather", [["roll_dice", "get_weather"]]),
        ("Call ROLL_DICE, roll_dice!", [["roll_dice"]]),
        ("roll_dice then get_weather", [["roll_dice"], ["get_weather"]]),
        ("now, then roll_dice and now, then now", [["now"], ["roll_dice", "now"], ["now"]]),
        ("roll_dice, then tell me more", [["roll_dice"]]),
        ("roll_dice twice", [["roll_dice", "roll_dice"]]),
        ("twice roll_dice and now", [["roll_dice", "roll_dice", "now"]]),
        ("now and roll_dice and again", [["now", "roll_dice", "roll_dice"]]),
    ],
)
def test_names_and_words_say_what_is_called(prompt, calls):
    """Together in one message, one after the other with *then*, doubled with *again* or *twice*."""
    assert [[name for name, _ in step] for step in called(prompt)] == calls


@pytest.mark.parametrize(
    ("prompt", "inputs"),
    [
        ("get_weather twice", [{"city": "Graz", "days": 2}, {"city": "Linz", "days": 3}]),
        ("roll_dice and get_weather", [{"sides": 6}, {"city": "Graz", "days": 2}]),
        ("roll_dice, then now, then roll_dice", [{"sides": 6}, {}, {"sides": 20}]),
        ("now twice", [{}, {}]),
    ],
)
def test_calls_of_one_tool_differ_if_they_can(prompt, inputs):
    """Each takes the next of the values that the schema names."""
    assert [made for step in called(prompt) for _, made in step] == inputs


def test_parallel_calls_can_be_forbidden():
    """``disable_parallel_tool_use`` makes one message of each call."""
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    assert [len(step) for step in called("now and roll_dice twice", tool_choice=choice)] == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("choice", "name"),
    [({"type": "tool", "name": "now"}, "now"), ({"type": "any"}, "get_weather")],
)
def test_a_forced_call_is_all_there_is(choice, name):
    """Without a text, whatever was asked, and again when its result is there."""
    answers = loop("Tell me a story", tool_choice=choice)

    assert [kinds(given) for given in answers] == [["tool_use"]] * 6
    assert [calls_of(given)[0][0] for given in answers] == [name] * 6


def test_an_eager_tool_is_called_eagerly():
    """``eager_input_streaming`` belongs to the tool."""
    call = answer([user("now")], tools=[NOW | {"eager_input_streaming": True}, DICE])
    other = answer([user("roll_dice")], tools=[NOW | {"eager_input_streaming": True}, DICE])

    assert [call.content[-1].eager, other.content[-1].eager] == [True, False]


NOTES = {
    "claude-opus-4-8": [["text", "tool_use"], ["text", "tool_use"], ["text"]],
    "claude-sonnet-5": [
        ["thinking", "text", "tool_use"],
        ["thinking", "text", "tool_use"],
        ["thinking", "text"],
    ],
    "claude-opus-5-5": [
        ["thinking", "text", "tool_use"],
        ["thinking", "tool_use"],
        ["thinking", "text"],
    ],
}


@pytest.mark.parametrize(("model", "expected"), NOTES.items(), ids=NOTES)
def test_what_is_said_between_calls_is_thinking_on_new_models(model, expected):
    """Before the first call it is text everywhere; thinking comes first where a model thinks."""
    assert [kinds(given) for given in loop("now then roll_dice", model=model)] == expected


def test_thinking_between_tools_only():
    """``between_tools`` leaves out the thinking before the first call, and keeps the rest."""
    options = {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}}

    assert [kinds(given) for given in loop("now then roll_dice", **options)] == [
        ["text", "tool_use"],
        ["thinking", "tool_use"],
        ["thinking", "text"],
    ]


def test_results_are_quoted_each_with_its_tool():
    """A short value in the line, JSON and long texts in a fence; two of one tool are told apart."""
    said = told("get_weather, again; now", "rain, 12 °C", "a | b\n--|--", '{"a":[1]}')

    assert said.startswith('`get_weather(city="Graz")` returned `rain, 12 °C`.\n\n')
    assert '`get_weather(city="Linz")` returned\n\n```text\na | b\n--|--\n```' in said
    assert '`now` returned `{"a":[1]}`.' in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            json.dumps({"rows": list(range(30))}),
            '`now` returned\n\n```json\n{\n  "rows": [\n    0,',
        ),
        ("x" * 61, "`now` returned\n\n```text\nxxx"),
        ("a ``` b", "`now` returned\n\n````text\na ``` b\n````"),
        ("", "`now` returned nothing."),
        ("x" * 3000, "xxx\n```\n\n…and 1,500 characters more."),
        ([PNG], "`now` returned an image (`image/png`)."),
        ([{"type": "text", "text": "ok"}, PNG], "`now` returned `ok` and an image (`image/png`)."),
        (
            [{"type": "document", "title": "T", "source": {"type": "text"}}],
            "`now` returned a document (`T`).",
        ),
        (
            [{"type": "text", "text": "1\n2"}, PNG],
            "```text\n1\n2\n```\n\nand an image (`image/png`).",
        ),
    ],
)
def test_a_result_is_shown_as_what_it_is(content, said):
    """Also what is no text, and what is empty."""
    assert said in told("now", content)


def test_a_failure_says_which_and_how():
    """The tool that failed is named, with its message."""
    said = told("roll_dice", "no such die", is_error=True)

    assert said.startswith("`roll_dice` failed with `no such die`.")


def test_all_results_of_a_turn_are_told_in_the_end():
    """Also those of earlier steps."""
    said = told("now then roll_dice", "twelve", "six")

    assert "`now` returned `twelve`." in said
    assert "`roll_dice` returned `six`." in said


CALL = {"type": "tool_use", "id": "t1", "name": "now", "input": {}}
CALLED = [user("now"), {"role": "assistant", "content": [CALL]}]


def test_a_text_in_the_message_of_the_results_is_a_remark():
    """It is quoted behind the results."""
    remark = {"type": "text", "text": "Tell me a story"}
    later = {"role": "system", "content": "Be brief."}
    given = answer([*CALLED, user([result_of(CALL), remark]), later])

    assert "Behind that you wrote `Tell me a story`." in given.content[0].text


@pytest.mark.parametrize(
    "between", [[], [{"role": "assistant", "content": "It is twelve."}]], ids=["at once", "later"]
)
def test_a_message_behind_the_results_is_a_prompt(between):
    """Right after them, where the API makes one turn of both, and after an answer."""
    given = answer([*CALLED, user([result_of(CALL)]), *between, user("roll_dice, please")])

    assert calls_of(given) == [("roll_dice", {"sides": 6})]


def test_a_turn_that_others_paused_is_gone_on_with():
    """Whatever it holds, the prompt is answered."""
    paused = {
        "role": "assistant",
        "content": [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        ],
    }

    assert calls_of(answer([user("now"), paused])) == [("now", {})]
    assert answer([user("Tell me a story"), paused]).stop_reason == "end_turn"


def test_a_prompt_behind_results_gets_its_own_results():
    """What came before it is not told again."""
    roll = {"type": "tool_use", "id": "t2", "name": "roll_dice", "input": {}}
    given = answer(
        [
            *CALLED,
            user([result_of(CALL, "twelve")]),
            user("roll_dice"),
            {"role": "assistant", "content": [roll]},
            user([result_of(roll, "six")]),
        ]
    )

    assert given.content[0].text.startswith("`roll_dice` returned `six`.")
    assert "twelve" not in given.content[0].text


def test_a_form_is_kept_for_the_answer_in_the_end():
    """With an output format, tools are called first, and their results end in JSON that fits."""
    schema = {"type": "object", "properties": {"hours": {"enum": [3]}}, "required": ["hours"]}
    output = {"format": {"type": "json_schema", "schema": schema}}
    answers = loop("now", output_config=output)

    assert [given.stop_reason for given in answers] == ["tool_use", "end_turn"]
    assert json.loads(answers[1].content[0].text) == {"hours": 3}
    assert kinds(answer([user("When?")], output_config=output)) == ["text"]
