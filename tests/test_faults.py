"""Nothing is lost: every fault, what is kept of it, and what the conversation then sends.

The table is the whole of what a server and a network do wrong, over real HTTP. Each fault meets the
second question of a conversation, once with a single try and once with as many as users have.
"""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_nb import ClaudeError, Conversation
from claude_nb.client.engine import engine
from claude_nb.client.retry import Policy
from claude_nb.errors import CredentialsError
from claude_nb.simulator import Error, Raw, Scripted, Stream
from claude_nb.simulator.faults import FAULTS
from claude_nb.simulator.validation import problem
from claude_nb.simulator.wire import sse
from tests.played import block, end, escaped, said, start, text, thinking, tool_use

if TYPE_CHECKING:
    from claude_nb.simulator.replies import Reply

ONE_TRY = Policy(tries=1)
PATIENT = Policy(base=0.0)

YES = {"type": "text", "text": "Yes."}
PART = {"type": "text", "text": "Hello wor"}
HELLO = {"type": "text", "text": "Hello world."}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
FOX = "The quick brown fox jumps"
NOTHING: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """What is left when a question has met a fault.

    Attributes:
        outcome: How its reply ended.
        text: The text that the user holds.
        history: The assistant's content that later questions are sent with; empty if neither it
            nor the question is sent.
        requests: How many were sent for it.
    """

    outcome: str
    text: str
    history: tuple[dict[str, Any], ...]
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and what is left.

    Attributes:
        reply: What the server does.
        alone: What is left after a single try.
        then: What the server answers to further requests; none if there are to be none.
        patient: What is left after as many tries as there may be, if that differs.
    """

    reply: Reply
    alone: Left
    then: tuple[Reply, ...] = ()
    patient: Left | None = None


def passing(reply, alone, then="Hello world.", *more: Any):
    """A fault that further tries get over: the text is whole, and nothing shows in the history."""
    tries = tuple(
        Stream(said(piece)) if isinstance(piece, str) else piece for piece in (then, *more)
    )
    whole = Left("complete", "Hello world.", (HELLO,), 1 + len(tries))
    return Fault(reply, alone, tries, whole)


def lasting(reply, outcome, text="", history=NOTHING):
    """A fault that is not answered by asking again."""
    return Fault(reply, Left(outcome, text, history))


def harmless(events, *history: Any):
    """What is odd, and no fault at all: all that can be read is kept."""
    reply = Stream(events) if isinstance(events[0], dict) else Raw(events)
    return Fault(reply, Left("complete", "Hello world.", history or (HELLO,)))


def error(kind, **fields: Any):
    """An error inside a stream."""
    return {"type": "error", "error": {"type": kind, "message": "The server's words.", **fields}}


def raw(*events: Any):
    """Events as the bytes of a stream."""
    return b"".join(map(sse, events))


def as_json(value):
    """JSON as bytes, with escapes for what is not ASCII."""
    return json.dumps(value).encode()


def whole(body, kind="application/json"):
    """A body with status 200 of this content type."""
    return Raw([body], headers={"Content-Type": kind})


TWO = ({**YES, "text": "Hello "}, {**YES, "text": "world."})
FAILED = Left("failed", "", NOTHING)
DROPPED = Left("dropped", "", NOTHING)
FAILED_IN_TEXT = Left("failed", "Hello wor", (PART,))
DROPPED_IN_TEXT = Left("dropped", "Hello wor", (PART,))

BEGUN = [start(), *text("Hello ", "wor")[:-1]]
JSON = {"Content-Type": "application/json"}
STREAM = "text/event-stream"
MESSAGE = start()["message"] | {"content": [HELLO], "stop_reason": "end_turn"}
WAIT = {"retry-after": "0"}
SEARCH = block(1, type="server_tool_use", id="s1", name="web_search", input={})
FOUND = block(2, type="web_search_tool_result", tool_use_id="s1", content=[])
PING = {"type": "ping"}
WORDS = {"type": "text_delta", "text": "?"}
NO_USAGE = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, *end()[1:]]
HALF = b'event: content_block_delta\ndata: {"type": "content_block_del'

BEFORE_THE_STREAM = {
    "400": lasting(Error(400, "invalid_request_error", "No."), "failed"),
    "401": lasting(Error(401, "authentication_error", "No."), "failed"),
    "402": lasting(Error(402, "billing_error", "No."), "failed"),
    "400 of a limit of one's own": lasting(FAULTS["own-limit"].reply, "failed"),
    "400 without credit": lasting(FAULTS["no-credit"].reply, "failed"),
    "400 of thinking that is bound elsewhere": lasting(FAULTS["bound-thinking"].reply, "failed"),
    "403": lasting(Error(403, "permission_error", "No."), "failed"),
    "404": lasting(Error(404, "not_found_error", "No."), "failed"),
    "409": lasting(Error(409, "conflict_error", "No."), "failed"),
    "413": lasting(Error(413, "request_too_large", "No."), "failed"),
    "429 with a time": passing(Error(429, "rate_limit_error", "Slow.", WAIT), FAILED),
    "429 with too long a time": lasting(
        Error(429, "rate_limit_error", "Slow.", {"retry-after": "61"}), "failed"
    ),
    "429 of a spend limit": lasting(Error(429, "rate_limit_error", "Spent."), "failed"),
    "408": passing(Error(408, "timeout_error", "Late."), FAILED),
    "500": passing(Error(500, "api_error", "Oh."), FAILED),
    "502, the page of a proxy": passing(
        Raw([b"<h1>Bad gateway</h1>"], 502, {"Content-Type": "text/html"}), FAILED
    ),
    "503": passing(Error(503, "api_error", "Oh."), FAILED),
    "504": passing(Error(504, "timeout_error", "Late."), FAILED),
    "529": passing(Error(529, "overloaded_error", "Busy."), FAILED),
    "a redirect to nowhere": passing(Raw([], 302), FAILED),
    "a redirect to a page": lasting(Raw([], 302, {"Location": "/v1/models"}), "failed"),
    "a redirect to another server": lasting(
        Raw([], 307, {"Location": "http://127.0.0.1:9/v1/messages"}), "failed"
    ),
    "a redirect within the server": Fault(
        Raw([], 307, {"Location": "/v1/messages"}),
        Left("complete", "Hello world.", (HELLO,), 2),
        (Stream(said("Hello world.")),),
    ),
    "closed before an answer": passing(Raw([], end="drop"), DROPPED),
}
BEFORE_THE_TEXT = {
    "error first": passing(Stream([error("overloaded_error")]), FAILED),
    "error after the start": passing(Stream([start(), error("api_error")]), FAILED),
    "empty body": passing(Raw([]), DROPPED),
    "lost after the start": passing(Stream([start()], end="drop"), DROPPED),
    "lost in thinking": passing(Stream([start(), *thinking("Hm.")[:2]], end="drop"), DROPPED),
    "lost after thinking": passing(Stream([start(), *thinking("Hm.")], end="drop"), DROPPED),
    "lost in white space": passing(
        Stream([start(), *text(" \n")[:-1]], end="drop"), Left("dropped", " \n", NOTHING)
    ),
    "lost in a call": passing(Stream([start(), *tool_use('{"a')[:2]], end="drop"), DROPPED),
    "lost after a call": passing(Stream([start(), *tool_use("{}")], end="drop"), DROPPED),
}
NO_STREAM = {
    "a page": lasting(whole(b"<h1>Log in</h1>", "text/html"), "failed"),
    "plain text": lasting(whole(b"Hello.", "text/plain"), "failed"),
    "nothing": lasting(whole(b"", "application/json"), "failed"),
    "an error": lasting(whole(b'{"error": "No such model."}'), "failed"),
    "an error of the API": passing(whole(as_json(error("overloaded_error"))), FAILED),
    "a refusal of the API": lasting(whole(as_json(error("permission_error"))), "failed"),
    "JSON that is no message": lasting(whole(b'{"type": "message"}'), "failed"),
    "a list": lasting(whole(b"[]"), "failed"),
    "broken JSON": lasting(whole(b'{"content": ['), "failed"),
    "lost in a message": passing(Raw([b'{"content": ['], headers=JSON, end="drop"), DROPPED),
    "a message": lasting(whole(as_json(MESSAGE)), "complete", "Hello world.", (HELLO,)),
    "a message called a text": lasting(
        whole(as_json(MESSAGE), "text/plain"), "complete", "Hello world.", (HELLO,)
    ),
    "a stream called a text": lasting(
        whole(raw(*said("Hello world.")), "text/plain"), "complete", "Hello world.", (HELLO,)
    ),
    "a stream that says its characters": lasting(
        whole(raw(*said("Hello world.")), "Text/Event-Stream; charset=utf-8"),
        *("complete", "Hello world.", (HELLO,)),
    ),
}
CHARACTERS = {
    "half a character in the text": lasting(
        whole(escaped(start(), *text("Hello \ud83d", " wor"), *end()), STREAM),
        *("complete", "Hello \ufffd wor", ({**YES, "text": "Hello \ufffd wor"},)),
    ),
    "a character in two deltas": lasting(
        whole(escaped(start(), *text("Hello \ud83d", "\ude00"), *end()), STREAM),
        *("complete", "Hello 😀", ({**YES, "text": "Hello 😀"},)),
    ),
    "lost in a character": Fault(
        Raw([escaped(start(), *text("Hello \ud83d")[:-1])], end="drop"),
        Left("dropped", "Hello \ufffd", ({**YES, "text": "Hello \ufffd"},)),
        (Stream(said(" world.")),),
        Left("complete", "Hello \ufffd world.", ({**YES, "text": "Hello \ufffd world."},), 2),
    ),
    "half a character in thinking": lasting(
        whole(escaped(start(), *thinking("\ud83d"), *text("Hi", index=1), *end()), STREAM),
        *("complete", "Hi", ({**THOUGHT, "thinking": "\ufffd"}, {**YES, "text": "Hi"})),
    ),
    "half a character in a whole message": lasting(
        whole(as_json(MESSAGE | {"content": [{**YES, "text": "\ud83d\ude00\ud83d"}]})),
        *("complete", "😀\ufffd", ({**YES, "text": "😀\ufffd"},)),
    ),
    "half a character in an error": lasting(
        Raw([escaped(error("invalid_request_error", message="\ud83d"))]), "failed"
    ),
}
IN_THE_TEXT = {
    "overloaded": passing(Stream([*BEGUN, error("overloaded_error")]), FAILED_IN_TEXT, "ld."),
    "server error": passing(Stream([*BEGUN, error("api_error")]), FAILED_IN_TEXT, "ld."),
    "rate limited": passing(Stream([*BEGUN, error("rate_limit_error")]), FAILED_IN_TEXT, "ld."),
    "error with a code": passing(
        Stream([*BEGUN, error("api_error", details={"error_code": "new"})]), FAILED_IN_TEXT, "ld."
    ),
    "error of tomorrow": passing(Stream([*BEGUN, error("a_new_error")]), FAILED_IN_TEXT, "ld."),
    "error that is no JSON": passing(
        Raw([raw(*BEGUN), b"event: error\ndata: oh no\n\n"]), FAILED_IN_TEXT, "ld."
    ),
    "refused inside": lasting(
        Stream([*BEGUN, error("invalid_request_error")]), "failed", "Hello wor", (PART,)
    ),
    "lost": passing(Stream(BEGUN, end="drop"), DROPPED_IN_TEXT, "ld."),
    "lost in an event": passing(Raw([raw(*BEGUN), HALF], end="drop"), DROPPED_IN_TEXT, "ld."),
    "reset": passing(Stream(BEGUN, end="reset"), DROPPED_IN_TEXT, "ld."),
    "shorter than it said": passing(
        Raw([raw(*BEGUN)], headers={"Content-Length": "9999"}, end="drop"), DROPPED_IN_TEXT, "ld."
    ),
    "clean end": passing(Stream(BEGUN), DROPPED_IN_TEXT, "ld."),
    "clean end in an event": passing(Raw([raw(*BEGUN), HALF]), DROPPED_IN_TEXT, "ld."),
    "clean end before message_stop": passing(Stream([*BEGUN, *end()[:1]]), DROPPED_IN_TEXT, "ld."),
    "last event without its blank line": passing(
        Raw([raw(*BEGUN, *end())[:-1]]), DROPPED_IN_TEXT, "ld."
    ),
    "broken JSON": passing(Raw([raw(*BEGUN), HALF + b"\n\n", raw(*end())]), DROPPED_IN_TEXT, "ld."),
    "data that is no object": passing(
        Raw([raw(*BEGUN), b"event: content_block_delta\ndata: 7\n\n"]), DROPPED_IN_TEXT, "ld."
    ),
    "bytes that are no UTF-8": passing(
        Raw([raw(*BEGUN), b"event: ping\ndata: \xff\n\n"]), DROPPED_IN_TEXT, "ld."
    ),
    "lost in a call after text": passing(
        Stream([*BEGUN, *tool_use('{"a', index=1)[:2]], end="drop"), DROPPED_IN_TEXT, "ld."
    ),
    "lost after thinking and text": passing(
        Stream([start(), *thinking("Hm."), *text("Hello wor", index=1)[:-1]], end="drop"),
        DROPPED_IN_TEXT,
        "ld.",
    ),
    "lost in unsigned thinking after text": passing(
        Stream([*BEGUN, *thinking("Hm.", index=1)[:2]], end="drop"), DROPPED_IN_TEXT, "ld."
    ),
    "lost twice": passing(
        Stream([start(), *text("Hello ")[:-1]], end="drop"),
        Left("dropped", "Hello ", ({**YES, "text": "Hello"},)),
        Stream([start(), *text(" wor")[:-1]], end="drop"),
        Stream(said("ld.")),
    ),
    "lost, and its continuation repeats the end": Fault(
        Stream([start(), *text(f"{FOX} ov")[:-1]], end="drop"),
        Left("dropped", f"{FOX} ov", ({**YES, "text": f"{FOX} ov"},)),
        (Stream(said("quick brown fox jumps over.")),),
        Left("complete", f"{FOX} over.", ({**YES, "text": f"{FOX} over."},), 2),
    ),
    "its continuation is refused": passing(
        Stream(BEGUN, end="drop"),
        DROPPED_IN_TEXT,
        Error(400, "invalid_request_error", "No."),
        Stream(said("ld.")),
    ),
    "all tries are lost": Fault(
        Stream(BEGUN, end="drop"),
        DROPPED_IN_TEXT,
        tuple(
            Stream([start(), *text(piece)[:-1]], end="drop")
            for piece in ("ld.", " Is", " it", " you?")
        ),
        Left(
            "dropped", "Hello world. Is it you?", ({**YES, "text": "Hello world. Is it you?"},), 5
        ),
    ),
    "all tries are overloaded": Fault(
        Stream(BEGUN, end="drop"),
        DROPPED_IN_TEXT,
        (Error(529, "overloaded_error", "Busy."),) * 4,
        Left("failed", "Hello wor", (PART,), 5),
    ),
}
ENDINGS = {
    "max_tokens": lasting(Stream([*BEGUN, *end("max_tokens")]), "truncated", "Hello wor", (PART,)),
    "max_tokens in a call": lasting(
        Stream([*BEGUN, *tool_use('{"a', index=1), *end("max_tokens")]),
        "truncated",
        "Hello wor",
        (PART,),
    ),
    "max_tokens in thinking": lasting(
        Stream([start(), *thinking("Hm."), *end("max_tokens")]), "truncated"
    ),
    "context window exceeded": lasting(
        Stream([*BEGUN, *end("model_context_window_exceeded")]), "truncated", "Hello wor", (PART,)
    ),
    "pause_turn": Fault(
        Stream([start(), *text("Hello "), *SEARCH, *end("pause_turn")]),
        Left("complete", "Hello world.", TWO, 2),
        (Stream(said("world.")),),
    ),
    "refusal": lasting(Stream([*BEGUN, *end("refusal")]), "refused", "Hello wor"),
    "refusal at once": lasting(Stream([start(), *end("refusal")]), "refused"),
    "empty message": lasting(Stream([start(), *end()]), "complete"),
    "a search and no words": lasting(Stream([start(), *SEARCH, *FOUND, *end()]), "complete"),
    "a call that nobody runs": lasting(
        Stream([*BEGUN, *tool_use("{}", index=1), *end("tool_use")]),
        "complete",
        "Hello wor",
        (PART,),
    ),
    "lost after message_stop": lasting(
        Stream(said("Hello world."), end="drop"), "complete", "Hello world.", (HELLO,)
    ),
    "error after message_stop": lasting(
        Stream([*said("Hello world."), error("api_error")]), "complete", "Hello world.", (HELLO,)
    ),
}
HARMLESS = {
    "signed thinking": harmless(
        [start(), *thinking("Hm."), *text("Hello world.", index=1), *end()], THOUGHT, HELLO
    ),
    "unsigned thinking": harmless(
        [start(), *thinking("Hm.")[:2], *text("Hello world.", index=1), *end()]
    ),
    "unsigned thinking after signed": harmless(
        [
            *[start(), *thinking("Hm."), *thinking("On.", index=1)[:2]],
            *[*text("Hello world.", index=2), *end()],
        ]
    ),
    "invalid JSON in a call": harmless(
        [start(), *text("Hello world."), *tool_use('{"a": ]', index=1), *end("tool_use")]
    ),
    "search without its result": harmless([start(), *text("Hello world."), *SEARCH, *end()]),
    "result without its search": harmless([start(), *text("Hello world."), *FOUND, *end()]),
    "usage that is null": harmless(
        [*said("Hello world.")[:-2], end()[0] | {"usage": None}, *end()[1:]]
    ),
    "no usage": harmless([start(usage=None), *text("Hello world."), *NO_USAGE]),
    "no message_start": harmless(said("Hello world.")[1:]),
    "events before message_start": harmless(
        [*text("Hello "), start(), *text("world.", index=1), *end()], *TWO
    ),
    "second message_start": harmless(
        [start(), *text("Hello "), start(), *text("world.", index=1), *end()], *TWO
    ),
    "gap in the indexes": harmless([start(), *text("Hello world.", index=2), *end()]),
    "block without a start": harmless([start(), *text("Hello world.")[1:], *end()]),
    "block without an end": harmless([start(), *text("Hello world.")[:-1], *end()]),
    "interleaved blocks": harmless(
        [start(), *text("Hello ")[:-1], *text("world.", index=1), *text()[-1:], *end()], *TWO
    ),
    "pings": harmless([start(), PING, *text("Hello world."), PING, *end()]),
    "unknown event": harmless([start(), {"type": "hologram"}, *text("Hello world."), *end()]),
    "event without a type": harmless([start(), {"colour": "blue"}, *text("Hello world."), *end()]),
    "unknown block": harmless(
        [start(), *block(0, WORDS, type="hologram"), *text("Hello world.", index=1), *end()]
    ),
    "unknown delta": harmless(
        [start(), *block(0, {"type": "beam"}, type="text", text="Hello world."), *end()]
    ),
    "unknown stop reason": harmless([start(), *text("Hello world."), *end("a_new_reason")]),
    "unnamed event and comments": harmless(
        [
            raw(start()),
            b': hello\n\ndata: {"type": "message_stop"}\n\n',
            raw(*said("Hello world.")[1:]),
        ]
    ),
    "CRLF": harmless([raw(*said("Hello world.")).replace(b"\n", b"\r\n")]),
    "a byte at a time": Fault(
        Raw([bytes([byte]) for byte in raw(*said("👩‍👩‍👧\u2028é"))]),
        Left("complete", "👩‍👩‍👧\u2028é", ({**YES, "text": "👩‍👩‍👧\u2028é"},)),
    ),
}
TABLE = BEFORE_THE_STREAM | BEFORE_THE_TEXT | NO_STREAM | CHARACTERS | IN_THE_TEXT
TABLE |= ENDINGS | HARMLESS


def question(conversation, api, prompt, *replies: Any, **options: Any):
    """Ask, and be answered so; the reply, and the bodies that were sent."""
    number = len(api.requests)
    api.enqueue(*replies)
    try:
        reply = conversation.ask(prompt, show=False, **options)
    except ClaudeError as failure:
        reply = failure.reply
    api.drain()
    sent = [request for request in api.requests[number:] if request.path == "/v1/messages"]
    return reply, [request.body for request in sent if request.method == "POST"]


def later(conversation, api):
    """What the next question is sent with."""
    _, (body,) = question(conversation, api, "Next?", Stream(said("Good.")))
    assert body["messages"][-1] == {"role": "user", "content": "Next?"}
    return body["messages"][:-1]


def turns(*exchanges: Any):
    """Questions and answers as messages."""
    return [
        {"role": role, "content": list(content) if role == "assistant" else content}
        for exchange in exchanges
        for role, content in zip(("user", "assistant"), exchange, strict=True)
    ]


BEFORE = ("Before?", [YES])


@pytest.fixture
def talk(api):
    """A conversation in which something was said."""
    conversation = Conversation("talk")
    question(conversation, api, "Before?", Stream(said("Yes.")))
    return conversation


def assert_left(conversation, api, reply, bodies, left):
    """The reply is what is left, and so is what the next question is sent with."""
    asked = [("Question?", left.history)] if left.history else []
    expected = (left.outcome, left.text, left.requests)
    assert expected == (str(reply.outcome), reply.text, len(bodies))
    assert turns(BEFORE, *asked) == later(conversation, api)


@pytest.mark.parametrize("fault", TABLE.values(), ids=TABLE)
def test_with_one_try(api, talk, fault):
    """What came is kept; the next question is sent with that, or with nothing of it."""
    then = () if fault.patient else fault.then

    reply, bodies = question(talk, api, "Question?", fault.reply, *then, policy=ONE_TRY)

    assert_left(talk, api, reply, bodies, fault.alone)


@pytest.mark.parametrize("fault", TABLE.values(), ids=TABLE)
def test_with_several_tries(api, talk, fault):
    """What passes is got over, and the conversation holds one clean answer; the rest ends so."""
    reply, bodies = question(talk, api, "Question?", fault.reply, *fault.then, policy=PATIENT)

    assert_left(talk, api, reply, bodies, fault.patient or fault.alone)
    for body in bodies:
        assert problem(body) is None
        assert turns(BEFORE) == body["messages"][:2]


@pytest.fixture
def impatient(api):
    """A client of the user's own, which gives a silent server up soon."""
    client = anthropic.AsyncAnthropic(
        base_url=api.base_url, api_key="not-a-key", timeout=httpx2.Timeout(5, read=0.2)
    )
    yield client
    asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()


SILENCES = {
    "before an answer": (Raw([b"late"], delay=60), FAILED),
    "before the text": (Stream([start()], end="hang"), DROPPED),
    "in the text": (Stream(BEGUN, end="hang"), DROPPED_IN_TEXT),
}


@pytest.mark.parametrize(("silence", "left"), SILENCES.values(), ids=SILENCES)
def test_a_server_that_falls_silent(api, talk, impatient, silence, left):
    """It is given up after the read timeout; the server sees the connection close."""
    reply, bodies = question(talk, api, "Question?", silence, client=impatient, policy=ONE_TRY)

    api.wait_for(lambda requests: requests[-1].client_left)
    assert_left(talk, api, reply, bodies, left)


def test_a_server_that_falls_silent_is_asked_again(api, talk, impatient):
    """For the rest of the text."""
    reply, bodies = question(
        talk,
        api,
        "Question?",
        Stream(BEGUN, end="hang"),
        Stream(said("ld.")),
        client=impatient,
        policy=PATIENT,
    )

    assert_left(talk, api, reply, bodies, Left("complete", "Hello world.", (HELLO,), 2))


def test_nobody_is_there(api, talk, monkeypatch):
    """As often as it is tried; the question is forgotten."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    reply, _ = question(talk, api, "Question?", policy=PATIENT)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)

    assert (str(reply.outcome), reply.text, len(reply.messages)) == ("failed", "", 5)
    assert turns(BEFORE) == later(talk, api)


def test_no_credentials(api, talk, monkeypatch):
    """Nothing is sent, and the conversation is as it was."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    reply, bodies = question(talk, api, "Question?", policy=PATIENT)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")

    assert (type(reply.error), str(reply.outcome), bodies) == (CredentialsError, "failed", [])
    assert turns(BEFORE) == later(talk, api)


HTTP_1_0 = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("policy", "outcome", "kept"),
    [(ONE_TRY, "dropped", PART), (PATIENT, "complete", HELLO)],
    ids=["one try", "several"],
)
def test_a_body_of_unknown_length_that_ends_early(api, talk, monkeypatch, policy, outcome, kept):
    """As old proxies send it: nothing but the missing ``message_stop`` tells."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for body in (raw(*BEGUN), raw(*said("ld.")))[: 1 if policy is ONE_TRY else 2]:
                connection = server.accept()[0]
                with connection:
                    received = b""
                    while not received.endswith(b"}"):
                        received += connection.recv(65536)
                    connection.sendall(HTTP_1_0 + body)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{port}")
        reply, _ = question(talk, api, "Question?", policy=policy)
        thread.join()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)

    assert (outcome, kept["text"]) == (str(reply.outcome), reply.text)
    assert turns(BEFORE, ("Question?", [kept])) == later(talk, api)


class Watched(io.StringIO):
    """An output of which somebody waits for a word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word
        self.seen = threading.Event()

    def write(self, shown: str) -> int:
        if self.word in shown:
            self.seen.set()
        return super().write(shown)


def test_stopped(api, talk):
    """What came until then stays said."""
    api.enqueue(Stream(BEGUN, end="hang"))

    async def main():
        asking = asyncio.ensure_future(talk.ask_async("Question?", view="terminal"))
        assert await asyncio.to_thread(screen.seen.wait, 5)
        asking.cancel()
        await asyncio.wait([asking])

    with redirect_stdout(Watched("wor")) as screen:
        asyncio.run(main())

    assert turns(BEFORE, ("Question?", [PART])) == later(talk, api)


def assert_valid(body, *, first):
    """The API takes it: its own rules as far as the simulator knows them, and ours.

    Args:
        body: What was sent.
        first: Whether it is a question, and not the continuation of a reply.
    """
    assert problem(body) is None
    roles = [message["role"] for message in body["messages"]]
    if first:
        assert roles[0] == roles[-1] == "user"
        assert all(one != other for one, other in pairwise(roles))
    for message in body["messages"]:
        content = message["content"]
        assert content
        for item in content if isinstance(content, list) else []:
            assert item["type"] != "text" or item["text"].strip()
            assert item["type"] != "thinking" or item["signature"]
            assert item["type"] != "tool_use"


@settings(
    max_examples=40,
    # The same server will do.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(TABLE)), st.sampled_from([ONE_TRY, PATIENT])), max_size=6
    )
)
def test_history_is_valid_whatever_happened(api, faults):
    """After any sequence of faults: and it holds exactly what the table says of each."""
    talk, expected = Conversation("talk"), []
    for name, policy in faults:
        fault = TABLE[name]
        alone = policy is ONE_TRY and fault.patient
        left = fault.alone if alone else fault.patient or fault.alone
        replies = [fault.reply] if alone else [fault.reply, *fault.then]
        _, bodies = question(talk, api, "Question?", *replies, policy=policy)
        for number, body in enumerate(bodies):
            assert_valid(body, first=number == 0)
        expected += [("Question?", left.history)] if left.history else []

    reply, (body,) = question(talk, api, "Next?")  # which a script answers, if it is valid

    assert_valid(body, first=True)
    assert str(reply.outcome) == "complete"
    assert [*turns(*expected), {"role": "user", "content": "Next?"}] == body["messages"]


def test_eight_threads_at_once_and_faults_in_all(api):
    """Each reply is whole, in its own conversation, and nothing of another's is in it."""
    prompts = [f"Question {number}" for number in range(8)]
    whole = [Conversation("calm").ask(prompt, show=False).text for prompt in prompts]
    faults = [
        Scripted(30),
        Error(529, "overloaded_error", "Busy."),
        Scripted(30, end="reset"),
        Error(429, "rate_limit_error", "Slow.", WAIT),
        Scripted(30, end="close"),
        Scripted(30, [error("overloaded_error")]),
    ] * 20
    api.enqueue(*faults)
    start_together = threading.Barrier(8)

    def ask(prompt):
        talk = Conversation(prompt)
        start_together.wait()
        reply = talk.ask(prompt, show=False, policy=Policy(tries=len(faults) + 1, base=0.0))
        assert len(reply.messages) > 1
        return reply.text.rstrip(), talk.messages()  # the rest of a whole text is a line's end

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, prompts))

    asked = [
        turns((prompt, [{**YES, "text": w}])) for prompt, w in zip(prompts, whole, strict=True)
    ]
    assert list(zip(whole, asked, strict=True)) == replies
