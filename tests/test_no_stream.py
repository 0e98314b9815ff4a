"""Asking without streaming: one plain request, shown when all of it is there."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Literal

import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb.client import engine
from claude_nb.client.retry import Policy
from claude_nb.client.source import LONG
from claude_nb.errors import DroppedError, MalformedError
from claude_nb.magics import magics
from claude_nb.render import labels
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.simulator import Error, Raw, Scripted, Stream
from claude_nb.simulator.rewording import followed
from claude_nb.streaming.events import RequestSent, ResponseStarted, StreamEvent
from tests.played import said, start, text

AGAIN = Policy(base=0.0)


def ask(prompt="Why is the sky blue?", **options: object):
    """A reply that was not streamed."""
    return claude_nb.ask(prompt, show=False, stream=False, **options)


def message(**fields: object):
    """A plain answer with this message."""
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", **fields}
    return Raw([json.dumps(whole).encode()], headers={"Content-Type": "application/json"})


def test_it_is_the_reply_that_streaming_would_have_made(api):
    """The same blocks, stop reason, usage and cost, by one request without ``stream``."""
    whole = ask("Think about it")
    assert "stream" not in api.requests[-1].body
    streamed = claude_nb.ask("Think about it", show=False)
    assert [b.to_dict() for b in whole.blocks] == [b.to_dict() for b in streamed.blocks]
    assert (whole.outcome, whole.stop_reason) == (streamed.outcome, streamed.stop_reason)
    assert (whole.usage, whole.cost) == (streamed.usage, streamed.cost)
    assert whole.message.usage.output_tokens == streamed.usage.output_tokens
    assert whole.simulated


def travel(to: Literal["Vienna"]) -> str:
    """Go somewhere."""
    return to


@pytest.mark.parametrize(
    ("prompt", "outcome"), [("Call a tool", "complete"), ("refuse", "refused")]
)
def test_tools_and_refusals_come_through(api, prompt, outcome):
    """A call's input is whole, and a refusal has its reason."""
    reply = ask(prompt, tools=[travel])
    assert reply.outcome == outcome
    assert [call.input["to"] for call in reply.tool_calls] == ["Vienna"] * (prompt != "refuse")
    assert labels.card(reply) is None or "asked to refuse" in labels.card(reply).text


def test_nothing_is_shown_until_the_end_but_a_clock():
    """The line says what is waited for."""
    reply = Reply(Request("Hi"))
    reply.advance([StreamEvent(0, 0.0, 1, RequestSent("m", whole=True))])
    assert labels.status(reply) == "waiting for the whole reply"


@pytest.mark.parametrize("fault", [Error(529, "overloaded_error", "No"), Raw([b"{"], end="reset")])
def test_what_passes_is_tried_again(api, fault):
    """As when it is streamed."""
    api.enqueue(fault)
    reply = ask(policy=AGAIN)
    assert (reply.outcome, len(reply.messages)) == ("complete", 2)


def test_a_long_one_is_streamed_unseen(api):
    """The API refuses to send it as a whole; its text is the same."""
    reply = ask(max_tokens=LONG)
    assert api.requests[-1].body["stream"] is True
    assert reply.text.startswith("The sky is blue")
    assert ask(max_tokens=LONG - 1).text == reply.text
    assert "stream" not in api.requests[-1].body


def test_a_long_one_that_breaks_off_is_continued(api):
    """What had come is kept, though nobody had seen it."""
    api.enqueue(Scripted(40))
    reply = ask(max_tokens=LONG, policy=AGAIN)
    assert len(reply.messages) == 2
    whole = ask().text
    assert followed(whole, reply.text) == (len(whole), "")
    api.enqueue(Scripted(40))
    with pytest.raises(DroppedError) as caught:
        ask(max_tokens=LONG)
    assert "The sky" in caught.value.reply.text


@pytest.mark.parametrize(
    "answer",
    [
        message(content=[{"type": "text", "text": "Hello"}]),
        message(content=[{"type": "text", "text": "Hello"}], usage=None, stop_reason=None, id=None),
        message(content=[{"type": "new", "x": 1}, {"type": "text", "text": "Hello"}], usage={}),
    ],
    ids=["no-usage", "nulls", "unknown-block"],
)
def test_servers_leave_things_out(api, answer):
    """What is there is shown; what is not is unknown."""
    api.enqueue(answer)
    reply = ask()
    assert (reply.text, reply.usage.output_tokens, reply.cost) == ("Hello", None, None)


@pytest.mark.parametrize(
    "answer",
    [
        Raw([b"<html>"], headers={"Content-Type": "text/html"}),
        Raw([b"[]"], headers={"Content-Type": "application/json"}),
        message(content=None),
    ],
    ids=["html", "list", "no-content"],
)
def test_what_is_no_message_says_so(api, answer):
    """Never a traceback of somebody else's."""
    api.enqueue(answer)
    with pytest.raises(MalformedError):
        ask()


def test_a_stream_is_taken_all_the_same(api):
    """A gateway may know nothing else; it is paid for, and shown."""
    api.enqueue(Stream(said("Hello")))
    assert (ask().text, len(api.requests)) == ("Hello", len(api.requests))


def test_the_option_of_the_cell(api):
    """``--no-stream``."""
    shell = InteractiveShell()
    shell.register_magics(magics.ClaudeMagics(shell))
    shell.run_cell_magic("claude", "--once --no-stream", "Why is the sky blue?")
    assert "stream" not in api.requests[-1].body
    assert claude_nb.last().text.startswith("The sky is blue")


class Halfway:
    """A source that stops to send in the middle of a message.

    Attributes:
        reached: Set when it has sent all that it sends.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()

    def params(self, request):
        """All that the request says."""
        return request.params()

    async def events(self, request):
        """The beginning of a message, and then silence."""
        yield RequestSent(request.model, whole=True)
        yield ResponseStarted("req_1")
        for event in [start(), *text("Hello wor")[:-1]]:
            yield event
        self.reached.set()
        await asyncio.Event().wait()


def test_stop_in_the_middle_keeps_what_had_come():
    """It had been held back, and is shown now."""
    source = Halfway()
    stream = engine.Stream(source, Request("Hi", max_tokens=LONG))
    source.reached.wait()
    before = [event.type for event in stream.events]

    stream.stop()
    stream.join()

    reply = Reply(Request("Hi"))
    reply.advance(stream.events)
    assert before == ["request_sent", "response_started"]
    assert (reply.outcome, reply.text) == ("stopped", "Hello wor")
