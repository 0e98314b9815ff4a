"""A reply that is cut anywhere and continued is the reply: nothing doubled, nothing missing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import anthropic
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import claude_nb
from claude_nb.client import engine
from claude_nb.client.connection import Connection
from claude_nb.client.retry import Policy
from claude_nb.client.source import ApiSource
from claude_nb.cost.usage import Usage
from claude_nb.errors import DroppedError
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.simulator import Raw, Stream
from claude_nb.simulator.wire import sse
from claude_nb.streaming.continuation import OVERLAP, overlap
from claude_nb.streaming.events import (
    RequestSent,
    ResponseStarted,
    Resumed,
    Stopped,
    StreamEvent,
    Waiting,
)
from claude_nb.streaming.progress import Progress
from tests.played import end, said, start, text, thinking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SHAPES = {
    "text": said("Hello", ", wor", "ld! ", " How", " are you?"),
    "thinking": [
        start(),
        *thinking("Let ", "me see."),
        *text("It ", "is 4", "2.", index=1),
        *end(),
    ],
    "blocks": [
        start(),
        *text("First, ", "this. "),
        *text("\n", "\n", "Then that.", index=1),
        *text(" ", "Done.", index=2),
        *end(),
    ],
    "list": said("- a\n", "  - b 👩‍👩‍👧\n", "  - c\n\n", "- d"),
    "fence": said("Look:\n\n``", "`py\nx = ", "'é'\n\n", "    y\n", "```\n", "\n \nEnd\n"),
    "calls nothing": [start(), *thinking("Hm"), *end()],
}


def text_of(events):
    """All text that events bring."""
    return "".join(
        event["delta"]["text"] for event in events if "text" in (event.get("delta") or {})
    )


def offsets(body):
    """Where to cut: at the end of each event, within each, and within a character."""
    ends = [match.end() for match in re.finditer(rb"\n\n", body)]
    wide = [match.start() + 1 for match in re.finditer(rb"[\xc0-\xff]", body)]
    return sorted({0, *ends, *(n - 5 for n in ends), *(n - 1 for n in ends), *wide})


@pytest.mark.parametrize("end_of_body", ["drop", "close"])
@pytest.mark.parametrize("name", SHAPES)
def test_cut_anywhere(api, name, end_of_body):
    """Over real HTTP, by a lost connection or by a body that ends as if all were well."""
    events = SHAPES[name]
    body, whole = b"".join(map(sse, events)), text_of(events)
    cuts = offsets(body)
    for cut in cuts:
        came = [json.loads(part.split(b"data: ")[1]) for part in body[:cut].split(b"\n\n")[:-1]]
        partial = text_of(came).rstrip()
        api.enqueue(Raw([body[:cut]], end=end_of_body))
        if came[-1:] != events[-1:]:
            api.enqueue(Stream(said(whole[len(partial) :]) if partial else events))

    replies = [claude_nb.ask("Hi", show=False, policy=Policy(base=0.0)) for _ in cuts]

    for cut, reply in zip(cuts, replies, strict=True):
        assert (cut, str(reply.outcome), reply.text) == (cut, "complete", whole)
        outputs = [message.usage.output_tokens for message in reply.messages]
        assert outputs in ([None, 15], [15])


def joined(before: str, *after: str, cut: int | None = None):
    """The text of a reply that broke off after ``before`` and was continued with ``after``."""
    dropped = DroppedError("Lost.")
    data = [
        RequestSent("claude-opus-5-5"),
        ResponseStarted(),
        start(),
        *text(before)[:-1],
        Waiting(dropped, 0.0, 0.0, 2, 5),
        Resumed(dropped),
        RequestSent("claude-opus-5-5"),
        ResponseStarted(),
        *said(*after)[:cut],
        *([Stopped()] if cut else []),
    ]
    made = Progress()
    for seq, item in enumerate(data):
        made.apply(StreamEvent(seq, float(seq), 1, item))
    return made.text


LONG = "The quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize("count", range(1, len(LONG) + 1))
def test_what_a_continuation_repeats_is_removed_from_twenty_characters_on(count):
    """Fewer may be chance."""
    again = LONG[-count:]

    assert joined(LONG, f"{again} again.") == LONG + (again if count < OVERLAP else "") + " again."


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("One\n\n", "\n\nTwo", "One\n\nTwo"),
        ("One\n", "\n\nTwo", "One\n\nTwo"),
        ("One", "\n\nTwo", "One\n\nTwo"),
        ("One ", "Two", "One Two"),
        ("One ", " Two", "One Two"),
        ("x\n y\n", "\n y\n y", "x\n y\n y\n y"),
        ("One ", "\n", "One \n"),
        ("One ", " ", "One "),
    ],
)
def test_white_space_at_the_seam_stands_there_once(before, after, whole):
    """It is not sent with the partial, so the continuation may begin with it."""
    assert joined(before, after) == whole


@settings(max_examples=200, deadline=None)
@given(
    st.text("ab \n", max_size=40),
    st.text("ab \n", max_size=40),
    st.lists(st.integers(1, 5), max_size=30),
)
def test_the_sizes_of_the_deltas_do_not_matter(before, after, sizes):
    """A repetition is found across deltas; what was held back is never lost."""
    before += "c"
    pieces, rest = [], after
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]

    expected = before + after[overlap(before, after) :]

    assert joined(before, *pieces, rest) == joined(before, after) == expected
    assert joined(before, *pieces, rest, cut=-3) == expected


def test_what_was_held_back_when_a_continuation_broke_off_comes_once():
    """The next one says it again: it was not in the text that it went on from."""
    dropped = DroppedError("Lost.")
    seam = [Waiting(dropped, 0.0, 0.0, 2, 5), Resumed(dropped), RequestSent("m"), ResponseStarted()]
    done = [RequestSent("m"), ResponseStarted(), start(), *text("One two. ")]
    held = [start(), *text("tw")[:-1]]
    made = Progress()
    for data in [*done, *seam, *held, *seam, *said("tw", "enty")[:3], Stopped()]:
        made.apply(StreamEvent(0, 0.0, 1, data))

    assert made.text == "One two. tw"


class Cut(httpx2.AsyncByteStream):
    """The beginning of a body, and then the end of the body or of the connection."""

    def __init__(self, body: bytes, end_of_body: str) -> None:
        self._body = body
        self._end = end_of_body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
        if self._end == "drop":
            raise httpx2.RemoteProtocolError("peer closed connection")


class Server(httpx2.AsyncBaseTransport):
    """Sends the events of a reply, cut where the prompt says, and then what is asked for next.

    Thousands of cuts in seconds: only the network itself is left out.
    """

    def __init__(self, events, end_of_body: str) -> None:
        self._events = events
        self._body = b"".join(map(sse, events))
        self._end = end_of_body
        self._cut: set[int] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The cut body for the first request of a prompt, and for each later one the rest."""
        messages = json.loads(await request.aread())["messages"]
        cut = int(messages[0]["content"])
        if cut in self._cut:
            body = Cut(b"".join(map(sse, self._rest(messages))), "close")
        else:
            self._cut.add(cut)
            body = Cut(self._body[:cut], self._end)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=body)

    def _rest(self, messages):
        """All of the text, or what follows the beginning that the request holds."""
        if len(messages) == 1:
            return self._events
        whole, partial = text_of(self._events), messages[1]["content"][0]["text"]
        assert whole.startswith(partial)
        return said(whole[len(partial) :])


@pytest.mark.parametrize(("name", "end_of_body"), [("text", "drop"), ("list", "close")])
def test_cut_at_every_byte(name, end_of_body):
    """The text is the text, and the usage is the sum of what is known: wherever it was cut."""
    events = SHAPES[name]
    whole, policy = text_of(events), Policy(base=0.0)
    http = httpx2.AsyncClient(transport=Server(events, end_of_body))
    client = anthropic.AsyncAnthropic(api_key="not-a-key", http_client=http)
    source = ApiSource(Connection(own_client=client))
    cuts = range(len(b"".join(map(sse, events))) + 1)
    streams = [engine.Stream(source, Request(str(cut)), policy) for cut in cuts]

    for cut, stream in zip(cuts, streams, strict=True):
        stream.join()
        reply = Reply(Request(str(cut)))
        reply.advance(stream.events)
        used = [message.usage for message in reply.messages]
        assert (cut, str(reply.outcome), reply.text) == (cut, "complete", whole)
        assert [usage.output_tokens for usage in used] in ([None, 15], [15])
        assert reply.usage == sum(used, Usage())


QUICK = Policy(tries=5, base=0)
HALF = Stream([start(), *text('{"name": "Os', "lo")[:-1]], end="reset")
FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


def ask_for_form(api, *replies: Stream):
    """Ask for an object; what the server does in turn is given."""
    api.enqueue(*replies)
    return claude_nb.ask("Where?", output=FORM, policy=QUICK, show=False)


def test_an_answer_of_a_form_is_written_anew_instead_of_continued(api):
    """A second half would begin a new object; the same request is sent again, from scratch."""
    reply = ask_for_form(api, HALF, Stream(said('{"name": "Oslo"}')))

    assert (reply.text, reply.parsed) == ('{"name": "Oslo"}', {"name": "Oslo"})
    first, second = (found.body for found in api.requests)
    assert first == second


def test_an_answer_of_a_form_is_written_anew_once(api):
    """All of it is paid for again; what came last is kept, and nothing is made of it."""
    with pytest.raises(DroppedError) as caught:
        ask_for_form(api, HALF, HALF, Stream(said('{"name": "Oslo"}')))

    assert len(api.requests) == 2
    assert (caught.value.reply.text, caught.value.reply.parsed) == ('{"name": "Oslo', None)


def test_an_answer_of_a_form_is_not_written_anew_under_a_limit(api):
    """What broke off cannot be counted, so nothing more is spent."""
    api.enqueue(HALF, Stream(said('{"name": "Oslo"}')))

    with pytest.raises(DroppedError):
        claude_nb.ask("Where?", output=FORM, policy=QUICK, show=False, max_cost=1.0)

    assert [found.path for found in api.requests][1:] == ["/v1/messages"]


def test_citations_are_left_out_where_a_form_is_asked_for(api):
    """The API refuses both together."""
    api.enqueue(Stream(said('{"name": "Oslo"}')), Stream(said("Oslo")))

    claude_nb.ask("Where?", output=FORM, tools=["web_fetch"], show=False)
    claude_nb.ask("Where?", tools=["web_fetch"], show=False)

    tools = [found.body["tools"][0] for found in api.requests]
    assert [tool.get("citations") for tool in tools] == [None, {"enabled": True}]
