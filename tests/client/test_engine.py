"""The engine and ``Stream``: stopping, reading, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import claude_nb
from claude_nb.client import engine as engine_module
from claude_nb.client.connection import Connection
from claude_nb.client.engine import engine
from claude_nb.client.retry import Policy
from claude_nb.client.source import ApiSource
from claude_nb.errors import StoppedError
from claude_nb.render import labels
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.simulator import Error, Raw, Scripted, Stream
from claude_nb.streaming.events import RequestSent
from claude_nb.views import painter
from tests import soak
from tests.played import end, said, start, text, thinking, tool_use

OPEN = Stream([start(), *text("Hello", " wor")[:-1]], end="hang")


def types(events):
    """The types of events, each once in a row."""
    names = [event.type for event in events]
    return [name for i, name in enumerate(names) if names[i - 1 : i] != [name]]


WHOLE = [
    "request_sent",
    "response_started",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


def test_for_reads_all_events(api):
    """In order, numbered from 0, each with its time and the request that it belongs to."""
    api.enqueue(Stream(said("Hello", " world")))

    events = list(claude_nb.stream("Hello"))

    assert types(events) == WHOLE
    assert [event.seq for event in events] == list(range(len(events)))
    assert {event.attempt for event in events} == {1}
    assert sorted(event.time for event in events) == [event.time for event in events]


def test_async_for_reads_all_events(api):
    """The same, in a coroutine."""
    api.enqueue(Stream(said("Hello", " world")))

    async def read():
        return [event async for event in claude_nb.stream("Hello")]

    assert types(asyncio.run(read())) == WHOLE


def test_events_can_be_read_again(api):
    """A stream keeps what it has read, for a second loop."""
    api.enqueue(Stream(said("Hello")))
    stream = claude_nb.stream("Hello")

    assert list(stream) == list(stream) == list(stream.events)


def look_up() -> str:
    """Look up."""
    return "It is warm."


COUNTED = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 20}}


def test_a_second_message_delta_takes_no_stop_reason_back(api):
    """A tool is run, and a paused turn goes on, though a later delta brings counts alone."""
    call, stop = end("tool_use")
    api.enqueue(Stream([start(), *tool_use("{}"), call, COUNTED, stop]), Stream(said("Warm.")))
    answered = claude_nb.ask("Hello", tools=[look_up], show=False)
    pause, stop = end("pause_turn")
    api.enqueue(Stream([start(), *text("Hello "), pause, COUNTED, stop]), Stream(said("world")))
    went_on = claude_nb.ask("Hello", show=False)

    assert (answered.outcome, answered.text) == ("complete", "Warm.")
    assert (went_on.outcome, went_on.text) == ("complete", "Hello world")


def test_the_stop_reason_of_an_earlier_request_is_none_of_a_later_one(api):
    """A whole answer without a stop reason, behind a pause, is not asked for again."""
    whole = Stream([start(), *text("world"), {"type": "message_stop"}])
    api.enqueue(Stream([start(), *text("Hello "), *end("pause_turn")]), whole)
    number = len(api.requests)

    reply = claude_nb.ask("Hello", show=False)

    assert (reply.outcome, reply.text) == ("complete", "Hello world")
    assert len(api.requests) == number + 2


def test_two_readers_read_all_of_one_stream(api):
    """On two threads, and in two tasks."""
    api.enqueue(*[Stream(said(*"Hello"), delay=0.01)] * 2)
    with ThreadPoolExecutor(2) as pool:
        stream = claude_nb.stream("Hello")
        read = [types(events) for events in pool.map(list, [stream, stream])]

    async def both():
        stream = claude_nb.stream("Hello")
        return await asyncio.gather(collected(stream), collected(stream))

    read += map(types, asyncio.run(both()))

    assert read == [WHOLE] * 4


async def collected(stream):
    """All events of a stream."""
    return [event async for event in stream]


def broken(_reply):
    """Bookkeeping that fails."""
    raise RuntimeError("the ledger is full")


def read(stream, seen):
    """Read to the end, in a plain loop."""
    for event in stream:
        seen.append(event)


async def read_async(stream, seen):
    """Read to the end, in an asynchronous loop."""
    async for event in stream:
        seen.append(event)


@pytest.mark.parametrize("reader", [read, lambda *given: asyncio.run(read_async(*given))])
def test_what_the_bookkeeping_raises_is_raised_behind_the_last_event(api, reader):
    """To whoever reads."""
    api.enqueue(Stream(said("Hello", " world")))
    stream = engine_module.Stream(ApiSource(Connection()), Request("Hello"), ended=broken)
    seen = []

    with pytest.raises(RuntimeError, match="the ledger is full"):
        reader(stream, seen)

    assert types(seen) == WHOLE


def test_what_the_bookkeeping_raises_is_logged_where_nobody_reads_on(api, caplog):
    """The reader has left before the end."""
    api.enqueue(OPEN)
    stream = engine_module.Stream(ApiSource(Connection()), Request("Hello"), ended=broken)

    first_delta(stream)
    stream.join()

    (record,) = caplog.records
    assert "the ledger is full" in str(record.exc_info[1])


def first_delta(stream):
    """Read until there is text, and leave."""
    for event in stream:
        if event.type == "content_block_delta":
            return


def test_leaving_a_loop_closes_the_connection(api):
    """Though the server keeps it open."""
    api.enqueue(OPEN)

    first_delta(claude_nb.stream("Hello"))

    api.wait_for(lambda requests: requests[-1].client_left)


def test_leaving_an_async_loop_closes_the_connection(api):
    """The loop goes on with other things; nobody has to close anything."""
    api.enqueue(OPEN)

    async def read():
        async for event in claude_nb.stream("Hello"):
            if event.type == "content_block_delta":
                break
        await asyncio.to_thread(api.wait_for, lambda requests: requests[-1].client_left)

    asyncio.run(read())


def test_cancelling_an_async_loop_closes_the_connection(api):
    """A cell with a top-level ``await`` is interrupted in this way."""
    api.enqueue(OPEN)

    async def read(begun):
        async for event in claude_nb.stream("Hello"):
            if event.type == "content_block_delta":
                begun.set()

    async def interrupted():
        begun = asyncio.Event()
        task = asyncio.create_task(read(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    api.wait_for(lambda requests: requests[-1].client_left)


def stopped(stream):
    """Stop a stream, and what it has become."""
    stream.stop()
    stream.join(1)
    assert stream.done
    reply = Reply(stream._request)
    reply.advance(stream.events)
    return reply


def until_text(stream):
    """Wait for the first delta, without reading."""
    while not any(event.type == "content_block_delta" for event in stream.events):
        assert not stream.done
        stream.wait(len(stream.events), 5)


def test_stop_in_the_middle_of_a_text(api):
    """The partial is kept, the outcome says so, and the server sees it."""
    api.enqueue(OPEN)
    stream = claude_nb.stream("Hello")
    until_text(stream)

    reply = stopped(stream)

    assert (str(reply.outcome), reply.text[:5]) == ("stopped", "Hello")
    api.wait_for(lambda requests: requests[-1].client_left)


def test_stop_before_the_first_byte(api):
    """There is nothing to wait for before a stop."""
    number = len(api.requests)
    api.enqueue(Raw([b"late"], delay=30))
    stream = claude_nb.stream("Hello")
    api.wait_for(lambda requests: len(requests) > number)

    assert str(stopped(stream).outcome) == "stopped"
    api.wait_for(lambda requests: requests[-1].client_left)


PATIENT = Policy(base=60.0, max_wait=60.0)
AT_ONCE = Policy(base=0.0)
BROKEN = Scripted(9)
IN_EACH_STATE = {
    "thinking": ([Stream([start(), *thinking("Hm")[:2]], end="hang")], AT_ONCE, "thinking"),
    "tool input": ([Stream([start(), *tool_use('{"a')[:2]], end="hang")], AT_ONCE, "writing tool"),
    "between blocks": ([Stream([start(), *text("Hi")], end="hang")], AT_ONCE, "working"),
    "recovering, asked": ([BROKEN, Raw([b"late"], delay=30)], AT_ONCE, "connecting"),
    "recovering, begun": ([BROKEN, Stream([start()], end="hang")], AT_ONCE, "waiting for the"),
    "recovering, text": ([BROKEN, OPEN], AT_ONCE, "writing"),
}


def seen(stream, attempt, doing):
    """Wait until a reply is at its so-manieth request, and does this."""
    reply = Reply(stream._request)
    while len(reply.messages) < attempt or not labels.status(reply).startswith(doing):
        assert not stream.done, labels.status(reply)
        stream.wait(len(reply.events), 5)
        reply.advance(stream.events[len(reply.events) :])


@pytest.mark.parametrize(("replies", "policy", "doing"), IN_EACH_STATE.values(), ids=IN_EACH_STATE)
def test_stop_in_each_state(api, replies, policy, doing):
    """What came is kept, no other request is sent, and the server sees it."""
    number = len(api.requests)
    api.enqueue(*replies)
    stream = claude_nb.stream("hello", model="claude-sonnet-4-6", policy=policy)
    seen(stream, len(replies), doing)
    api.wait_for(lambda requests: len(requests) == number + len(replies))

    reply = stopped(stream)

    assert str(reply.outcome) == "stopped"
    assert reply.text.startswith("H" if BROKEN in replies or doing == "working" else "")
    requests = api.wait_for(lambda requests: requests[-1].client_left)
    assert len(requests) == number + len(replies)


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        (Error(429, "rate_limit_error", "Slow.", {"retry-after": "60"}), False),
        (Scripted(9, [{"type": "error", "error": {"type": "overloaded_error"}}]), True),
    ],
)
def test_stop_while_waiting_to_try_again(api, monkeypatch, fault, kept):
    """The wait ends, and nothing more is sent."""
    monkeypatch.setattr("claude_nb.client.retry.random.uniform", lambda _, longest: longest)
    number = len(api.requests)
    api.enqueue(fault)
    stream = claude_nb.stream("hello", model="claude-sonnet-4-6", policy=PATIENT)
    seen(stream, 1, "rate limited, trying again at" if not kept else "overloaded, continuing in")

    reply = stopped(stream)

    assert (str(reply.outcome), bool(reply.text)) == ("stopped", kept)
    assert len(api.requests) == number + 1


@pytest.fixture
def closed_door(monkeypatch):
    """A server with a full queue, which lets nobody in."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        host, port = full.getsockname()
        for _ in range(3):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((host, port))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://{host}:{port}")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
        yield


def test_stop_while_connecting(closed_door):
    """A server that lets nobody in holds nobody up."""
    stream = claude_nb.stream("Hello")
    stream.wait(0, 20)

    assert [event.type for event in stream.events] == ["request_sent"]
    assert str(stopped(stream).outcome) == "stopped"


def test_stop_before_a_request_can_be_sent(monkeypatch):
    """While the SDK is imported or the simulator starts, the line says so, and Stop works."""
    ready = threading.Event()
    monkeypatch.setattr(Connection, "prepare", lambda _: ready.wait(60))
    monkeypatch.setattr(Connection, "pending", "loading the SDK")
    shown = []

    def paint(stream, reply, show, calls):
        shown.append(labels.status(reply))
        stream.stop()
        painter.paint(stream, reply, show, calls)

    monkeypatch.setattr("claude_nb.asking.asking.paint", paint)
    try:
        with pytest.raises(StoppedError) as raised:
            claude_nb.ask("Hello", show=False)
    finally:
        ready.set()

    reply = raised.value.reply
    assert shown == ["loading the SDK"]
    assert [event.type for event in reply.events] == ["stopped"]
    assert "Nothing had arrived yet." in reply._repr_mimebundle_()["text/plain"]


def test_stop_at_once(closed_door):
    """A stream that is stopped before it began says that it was stopped."""
    assert str(stopped(claude_nb.stream("Hello")).outcome) == "stopped"


class SlowToClose:
    """A source whose connection takes a while to close."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.closed = False

    async def events(self, request):
        """Begin, say nothing, and close."""
        yield RequestSent(request.model)
        try:
            await asyncio.sleep(60)
        finally:
            self.closing.set()
            await asyncio.sleep(0.05)
            self.closed = True


def test_stopping_twice_is_stopping_once():
    """A second stop does not break off the first one's closing of the connection."""
    source = SlowToClose()
    stream = engine_module.Stream(source, Request("Hello"))
    stream.stop()
    assert source.closing.wait(5)

    reply = stopped(stream)

    assert [event.type for event in reply.events] == ["request_sent", "stopped"]
    assert source.closed


def test_stopping_a_finished_stream_changes_nothing(api):
    """It has ended as it has."""
    api.enqueue(Stream(said("Hello")))
    stream = claude_nb.stream("Hello")
    stream.join(5)

    assert str(stopped(stream).outcome) == "complete"


def test_two_streams_at_once(api):
    """Each thread reads its own reply."""
    with ThreadPoolExecutor(2) as pool:
        tales = pool.map(lambda p: claude_nb.ask(p, show=False).text, ["hello", "a story please"])

    assert len(set(tales)) == 2


def open_files():
    """How many file descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_two_hundred_replies_leave_nothing_behind(api):
    """No thread, no task, no connection more than after the first ones."""
    api.enqueue(*[Stream(said("Hello"))] * 100, *[Scripted(3), OPEN] * 50)

    def two():
        claude_nb.ask("Hello", show=False)

    def broken():
        with pytest.raises(claude_nb.ClaudeError):
            claude_nb.ask("Hello", show=False)
        first_delta(claude_nb.stream("Hello"))

    def counted(times, do):
        for _ in range(times):
            do()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), engine().loop).result()
        return threading.active_count(), len(engine()._tasks), open_files()

    early, late = counted(5, two), counted(95, two)
    threads, _, files = early
    assert late[0] == threads
    assert abs(late[2] - files) <= 1
    counted(5, broken)
    after = counted(45, broken)
    api.wait_for(lambda requests: all(request.ended for request in requests))
    assert (after[0], abs(after[2] - files) <= 2) == (threads, True)
    assert len(engine()._tasks) <= 1


def test_replies_that_fail_leave_nothing_behind(api):
    """Each ends whole or says how it ended; no thread, task, connection or reply is left over."""
    outcomes, early, late = soak.soak(api, 150)

    assert outcomes.total() == 150
    assert set(outcomes) == {"complete", "dropped", "failed"}
    assert (late.threads, late.replies) == (early.threads, early.replies)
    assert (
        late.files <= early.files + soak.AT_ONCE
    )  # connections that are kept for the next request
    assert late.tasks <= 1


def test_the_end_of_a_reply_is_seen(api):
    """Nothing waits for a connection that stays open for the next request."""
    api.enqueue(Stream([start(), *text("Hello"), *end()]))

    assert claude_nb.ask("Hello", show=False).outcome == "complete"
