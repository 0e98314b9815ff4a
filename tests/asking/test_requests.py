"""``Reply.requests``: the bodies as the server got them, made on demand, and never saved."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb import CachedSystem, Chat, Conversation, Policy, Recording
from claude_nb.client.connection import Connection
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.redaction import REDACTED
from claude_nb.request import uploads
from claude_nb.simulator import Error, Scripted, Stream
from tests.page import Page
from tests.played import end, said, start, tool_use

AGAIN = Policy(base=0.0)
KEY = "sk-" + "ant-api03-AbC_123-xyz"


def look_up(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 21 degrees"


def received(api):
    """The bodies of the requests for messages that the server got."""
    return [request.body for request in api.requests if request.path == "/v1/messages"]


def ask(prompt="hello", talk=claude_nb, **options: Any):
    """Ask without showing anything; a failure is asked again at once."""
    return talk.ask(prompt, show=False, policy=AGAIN, **options)


def test_what_was_tried_again_and_continued_is_there_as_it_was_sent(api):
    """An overload, a drop and the request that goes on from the text, which nobody else shows."""
    api.enqueue(Error(529, "overloaded_error", "Busy."), Scripted("middle"))

    reply = ask(thinking="on", system="Be brief.", stop_sequences=["END"])

    assert reply.requests == received(api)
    assert [len(body["messages"]) for body in reply.requests] == [1, 1, 3]
    assert reply.requests[2]["messages"][1]["role"] == "assistant"
    assert reply.requests[0]["stream"] is True


def test_the_round_after_a_tool_is_there_with_its_result(api):
    """The call goes back as it came, and what the function returned with it."""
    api.enqueue(Stream([start(), *tool_use('{"city": ', '"Lisbon"}'), *end("tool_use")]))

    reply = ask(tools=[look_up])

    assert reply.requests == received(api)
    (result,) = reply.requests[1]["messages"][2]["content"]
    assert result["content"] == [{"type": "text", "text": "Lisbon: 21 degrees"}]


def test_the_marks_of_the_cache_and_its_diagnosis_are_there(api, monkeypatch):
    """As each turn moves them: on the system prompt, on the question before, and at the end."""
    monkeypatch.setattr(Connection, "diagnoses_cache", True)  # as for the API's own address
    talk = Conversation("cached", system=CachedSystem("A long handbook. " * 2000))
    replies = [ask(f"Question {number}", talk) for number in range(3)]

    assert [body for reply in replies for body in reply.requests] == received(api)
    body = replies[2].requests[0]
    assert body["diagnostics"]["previous_message_id"] == replies[1].message.id
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    marked = [i for i, m in enumerate(body["messages"]) if "cache_control" in str(m["content"])]
    assert marked == [2]


def test_files_fields_and_whole_messages_are_as_they_were_sent(api, tmp_path):
    """A file by its id; fields of ``extra`` in the body; no ``stream`` where nothing streams."""
    pdf = tmp_path / "scan.pdf"
    pdf.write_bytes(b"%PDF-1.7 " + bytes(uploads.MIN_BYTES))

    replies = [
        ask(attach=[pdf], upload=True),
        ask(extra={"service_tier": "auto"}, betas=["mcp-client-2025-11-20"]),
        ask(stream=False),
    ]

    bodies = [body for reply in replies for body in reply.requests]
    assert bodies == received(api)
    assert "'type': 'file'" in str(bodies[0]["messages"])
    assert not any("extra_headers" in body for body in bodies)
    assert "stream" not in bodies[2]


def test_it_is_there_of_a_cell_a_stream_and_a_chat(api, monkeypatch):
    """However it was asked."""
    monkeypatch.setattr(Conversation, "_named", {})
    shell = InteractiveShell()
    shell.register_magics(ClaudeMagics(shell))
    stream = claude_nb.stream("One")
    stream.join()
    shell.run_cell_magic("claude", "--once -o answer", "Two")
    Page(monkeypatch)
    chat = Chat()
    found = [*stream.requests, *shell.user_ns["answer"].requests, *chat.ask("Three").requests]
    chat.close()

    assert found == received(api)
    assert [body["messages"][0]["content"] for body in found] == ["One", "Two", "Three"]


def test_credentials_are_redacted_and_changing_it_changes_nothing(api):
    """Of the environment, of ``extra``, and what was typed; each time it is made anew."""
    talk = Conversation("secret")
    server = {"type": "url", "url": "https://m", "name": "m", "authorization_token": "t0ken-of-m"}
    beta = ["mcp-client-2025-11-20"]
    tools = [{"type": "mcp_toolset", "mcp_server_name": "m"}]
    extra = {"mcp_servers": [server]}
    reply = ask(f"My key is {KEY}.", talk, extra=extra, betas=beta, tools=tools)

    (body,) = reply.requests
    assert KEY in str(received(api))
    assert body["messages"][0]["content"] == "My key is sk-ant-…."
    assert body["mcp_servers"][0]["authorization_token"] == REDACTED
    assert "not-a-key" not in str(reply.requests)

    body["messages"][0]["content"] = "changed"
    assert reply.requests[0]["messages"][0]["content"] == "My key is sk-ant-…."
    ask("Again", talk)
    assert received(api)[1]["messages"][0] == received(api)[0]["messages"][0]


@pytest.mark.parametrize("options", [{}, {"system": CachedSystem("S")}, {"cite": True}])
def test_the_turns_of_a_conversation_are_shared_by_all_its_requests(api, options):
    """None is copied for a later request, so that memory grows with the turns, not their square."""
    talk = Conversation("long", **{k: v for k, v in options.items() if k == "system"})
    options = {k: v for k, v in options.items() if k != "system"}
    sent = []
    for number in range(12):
        api.enqueue(Stream(said("Yes.")))
        reply = ask(f"Question {number}", talk, **options)
        sent += [e.data.params["messages"] for e in reply.events if e.type == "request_sent"]
        sent.append(reply.request.before)

    made = {id(turn) for messages in sent for turn in messages}
    assert len(made) <= 4 * 12


def test_it_is_not_saved(api, tmp_path, monkeypatch):
    """Neither in a pickle nor in a recording, of which nothing was sent."""
    monkeypatch.setattr(Connection, "diagnoses_cache", True)
    system = CachedSystem("A long handbook. " * 2000)
    talk = Conversation("kept", system=system)
    ask("One", talk)
    reply = ask("Two", talk)
    assert "diagnostics" in reply.requests[0]

    Recording.of(reply).save(tmp_path / "reply.jsonl")
    recording = Recording.load(tmp_path / "reply.jsonl")

    saved = (tmp_path / "reply.jsonl").read_text() + str(pickle.dumps(reply))
    assert "previous_message_id" not in saved
    assert pickle.loads(pickle.dumps(reply)).requests == []
    assert recording.reply.requests == []
    assert "diagnostics" not in str(reply._repr_mimebundle_())
