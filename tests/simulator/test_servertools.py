"""Turns in which the API's own tools are used: all of it made up, in the API's shapes."""

import random
from typing import Any

import pytest
from anthropic.types import Message

from claude_nb.simulator import wire
from claude_nb.simulator.scripts import answer_to
from claude_nb.simulator.validation import problem

SEARCH = {"type": "web_search_20260318", "name": "web_search"}
FETCH = {"type": "web_fetch_20260318", "name": "web_fetch", "citations": {"enabled": True}}
CODE = {"type": "code_execution_20260521", "name": "code_execution"}
PYTHON = {"type": "code_execution_20250522", "name": "code_execution"}
DICE = {"name": "roll_dice", "input_schema": {"type": "object", "properties": {}}}


def request(*messages: Any, **options: Any):
    """Return a good request with these messages, or this prompt."""
    turns = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    made = {"model": "claude-opus-4-8", "max_tokens": 1000, "messages": turns, **options}
    made.setdefault("tools", [SEARCH, FETCH, CODE, DICE])
    assert problem(made) is None
    return made


def answer(*messages: Any, **options: Any):
    return answer_to(request(*messages, **options), random.Random(0))


def blocks(given):
    return [wire.whole(written, "omitted") for written in given.content]


def assistant(given):
    return {"role": "assistant", "content": blocks(given)}


def kinds(given):
    return [block["type"] for block in blocks(given) if block["type"] != "text"]


def said(given):
    return "".join(block["text"] for block in blocks(given) if block["type"] == "text")


def test_a_search_is_called_answered_and_cited():
    """A text, the call, three results of example.org, and sentences that go through many blocks."""
    text, call, result, *cited = blocks(answer("Search the web for the height of K2."))
    citations = [len(block.get("citations", ())) for block in cited]

    assert text["text"] == "I will search the web. What comes back is simulated."
    assert (call["name"], call["input"]) == ("web_search", {"query": "the height of K2"})
    assert result["tool_use_id"] == call["id"]
    assert [found["url"] for found in result["content"]] == [
        f"https://example.org/simulated/{number}" for number in (1, 2, 3)
    ]
    assert all("Simulated" in found["title"] for found in result["content"])
    assert citations == [0, 1, 0, 2, 0]
    assert "".join(block["text"] for block in cited) == (
        "These results are simulated. If they were real, the first page would be about “the height "
        "of K2”, and the two others would say more about it."
    )
    assert cited[1]["citations"][0]["url"] == result["content"][0]["url"]


@pytest.mark.parametrize(
    ("prompt", "query"),
    [
        ('search "two words" for me', "two words"),
        ("Please search for cats, then roll a die", "cats"),
        ("web_search", "web_search"),
        ("I am in search", "I am in search"),
        ("search " + "long " * 50, ("long " * 20).strip()),
    ],
)
def test_the_query_is_in_the_prompt(prompt, query):
    """What is quoted, or else what comes behind the word; at most 100 characters."""
    assert blocks(answer(prompt, tools=[SEARCH]))[1]["input"] == {"query": query}


def test_a_page_is_fetched_and_cited_if_that_is_asked_for():
    """The address is the prompt's; citations are the tool's option."""
    _, call, result, *about = blocks(answer("fetch https://example.com/a?b=c."))
    page = result["content"]["content"]
    citation = about[1]["citations"][0]
    plain = blocks(answer("fetch it", tools=[{k: FETCH[k] for k in ("type", "name")}]))

    assert call["input"] == {"url": "https://example.com/a?b=c"}
    assert page["source"]["data"][: citation["end_char_index"]] == citation["cited_text"]
    assert "simulated" in page["title"] + citation["cited_text"]
    assert plain[1]["input"] == {"url": "https://example.org/"}
    assert not any("citations" in block for block in plain)


@pytest.mark.parametrize(
    "prompt",
    ["compute 3, -5 and 8", "Run my code for 3, -5 and 8, not v2 of https://example.org/2/4"],
)
def test_code_is_written_to_a_file_and_run(prompt):
    """The newer versions edit files and run commands, in a container that the message names."""
    given = answer(prompt)
    _, create, created, run, ran, about = blocks(given)

    assert (create["name"], create["input"]["command"]) == ("text_editor_code_execution", "create")
    assert create["input"]["file_text"].startswith("numbers = [3, -5, 8]\n")
    assert created["type"] == "text_editor_code_execution_tool_result"
    assert run["input"] == {"command": "python /tmp/simulated.py"}
    assert ran["content"]["stdout"] == "simulated sum: 6\n"
    assert "No code was run." in about["text"]
    assert given.container["id"].startswith("container_sim_")


def test_the_first_version_of_code_execution_runs_python():
    """Its call and its result are named after the tool."""
    _, call, result, _ = blocks(answer("compute 1 and 2", tools=[PYTHON]))

    assert (call["name"], list(call["input"])) == ("code_execution", ["code"])
    assert result["content"]["type"] == "code_execution_result"


@pytest.mark.parametrize("container", ["container_7", {"id": "container_7"}])
def test_a_container_is_used_again(container):
    """The one that the request names is the one that the message names."""
    assert answer("compute 1", container=container).container["id"] == "container_7"
    assert answer("search for it", container=container).container is None


def test_several_uses_come_in_the_order_of_the_prompt():
    """All in one answer."""
    given = answer("fetch it, compute it, search for it")

    assert [block["name"] for block in blocks(given) if block["type"] == "server_tool_use"] == [
        "web_fetch",
        "text_editor_code_execution",
        "bash_code_execution",
        "web_search",
    ]
    assert kinds(given) == [
        kind
        for block in blocks(given)
        if block["type"] == "server_tool_use"
        for kind in ("server_tool_use", f"{block['name']}_tool_result")
    ]


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("search, unavailable", "web_search"),
        ("fetch, unavailable", "web_fetch"),
        ("compute, unavailable", "bash_code_execution"),
    ],
)
def test_a_use_can_fail(prompt, name):
    """The result is an error in the tool's own shape, and the answer says so."""
    given = answer(prompt)

    assert blocks(given)[2]["content"] == {
        "type": f"{name}_tool_result_error",
        "error_code": "unavailable",
    }
    assert said(given).endswith(f"`{name}` failed: `unavailable`.")


PROMPTS = [
    "search for it",
    "fetch it",
    "compute 1",
    "search, unavailable",
    "fetch, unavailable",
    "compute, unavailable",
    "search, fetch and compute",
]


@pytest.mark.parametrize("tools", [[SEARCH, FETCH, CODE], [PYTHON]], ids=["newer", "older"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_block_has_the_sdks_shape(prompt, tools):
    """The SDK's own types take them, and find nothing to add or to leave out."""
    given = answer(prompt, tools=tools)
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = Message.model_validate(wire.message(head, given, usage, "omitted"), strict=False)

    assert message.to_dict()["content"] == blocks(given)
    assert message.model_extra == {}
    assert not any(block.model_extra for block in message.content)


@pytest.mark.parametrize(
    ("prompt", "tools"),
    [
        ("search, fetch, compute", [DICE | {"name": "x"}]),
        ("I decode what I computed while researching", [SEARCH, FETCH, CODE]),
    ],
)
def test_nothing_is_used_that_was_not_asked_for(prompt, tools):
    """Words must be whole, and the tool must be there."""
    assert "server_tool_use" not in kinds(answer(prompt, tools=tools))


def test_nothing_is_used_that_is_forbidden():
    """With ``tool_choice`` none."""
    assert kinds(answer("search", tool_choice={"type": "none"})) == []


def test_a_turn_is_paused_and_goes_on():
    """Behind the first result; what was sent back as it is is gone on with, to the end."""
    prompt = "search for K2, then fetch it; pause"
    paused = answer(prompt)
    rest = answer(prompt, assistant(paused))
    whole = answer(prompt.replace("pause", "wait"))

    assert (paused.stop_reason, rest.stop_reason) == ("pause_turn", "end_turn")
    assert kinds(paused) == ["server_tool_use", "web_search_tool_result"]
    assert kinds(paused) + kinds(rest) == kinds(whole)
    assert said(paused) + said(rest) == said(whole)


def test_a_call_of_the_client_goes_before_the_servers():
    """Both are called together, and the server's tool runs when the client's result is there."""
    prompt = "roll_dice and search for K2"
    first = answer(prompt)
    call = blocks(first)[-1]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "six"}
    rest = answer(prompt, assistant(first), {"role": "user", "content": [result]})

    assert (kinds(first), first.stop_reason) == (["server_tool_use", "tool_use"], "tool_use")
    assert blocks(rest)[0]["type"] == "web_search_tool_result"
    assert blocks(rest)[0]["tool_use_id"] == blocks(first)[1]["id"]
    assert said(rest).startswith("`roll_dice` returned `six`.")
    assert said(rest).endswith("would say more about it.")


def test_a_conversation_goes_on_after_a_search():
    """Its blocks are taken back, and the next prompt is answered as any other."""
    earlier = assistant(answer("search for K2"))

    assert said(answer("search for K2", earlier, "Tell me a story")).startswith("# The lighthouse")
