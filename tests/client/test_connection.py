"""The client that is made, and every failure of a request in our words."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import claude_nb
from claude_nb.asking import asking
from claude_nb.client import batch_service
from claude_nb.client.connection import Connection, count_tokens, list_models
from claude_nb.client.engine import call, engine
from claude_nb.client.explain import _seconds, explain
from claude_nb.client.retry import Policy
from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    DroppedError,
    InputError,
    MalformedError,
    OverloadedError,
    RateLimitError,
    RequestError,
    ServerError,
    SpendLimitError,
    UnreachableError,
)
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Raw, Simulator, Stream
from claude_nb.simulator.faults import FAULTS
from claude_nb.simulator.wire import sse
from tests.played import end, start, text

KEY = "sk-" + "ant-api03-0123456789"
BEGUN = [start(), *text("Hello", " wor")[:-1]]


def failure(client=None):
    """The error of a request that fails."""
    with pytest.raises(ClaudeError) as raised:
        claude_nb.ask("Hello", show=False, client=client)
    return raised.value


def request_id(api):
    """The id that the simulator gave to the newest request."""
    return f"req_sim_0_{api.requests[-1].number:06d}"


def sse_error(kind):
    """An error inside a stream."""
    return {"type": "error", "error": {"type": kind, "message": "The server's words."}}


REFUSED = [
    (400, "invalid_request_error", RequestError, "ask again"),
    (401, "authentication_error", RequestError, "%claude_nb key"),
    (402, "billing_error", SpendLimitError, "credit"),
    (403, "permission_error", RequestError, "Use a key of a workspace"),
    (404, "not_found_error", RequestError, "%claude_nb models"),
    (409, "conflict_error", RequestError, ""),
    (413, "request_too_large", RequestError, "32 MB"),
    (429, "rate_limit_error", SpendLimitError, "Waiting does not help"),
    (500, "api_error", ServerError, "Try again"),
    (408, "timeout_error", ServerError, "Try again"),
    (504, "timeout_error", ServerError, "Try again"),
    (529, "overloaded_error", OverloadedError, "not your limit"),
]


@pytest.mark.parametrize(("status", "kind", "expected", "advice"), REFUSED)
def test_status_before_the_stream(api, status, kind, expected, advice):
    """Each documented status has its class, the server's words, an advice and the request id."""
    api.enqueue(Error(status, kind, "The server's words."))

    error = failure()

    assert type(error) is expected
    assert advice in error.advice
    assert (error.detail, error.request_id) == ("The server's words.", request_id(api))
    assert (str(error.reply.outcome), error.reply.blocks) == ("failed", [])


MONEY = [
    (FAULTS["own-limit"].reply, "Your own spend limit is reached.", "settings/limits"),
    (FAULTS["no-credit"].reply, "The credit is used up.", "settings/billing"),
    (
        FAULTS["billing"].reply,
        "The server refused the request because of billing.",
        "settings/billing",
    ),
    (
        Error(429, "rate_limit_error", "Spent. Spend limit reached."),
        "A usage limit is reached.",
        "settings/limits",
    ),
]


@pytest.mark.parametrize(("reply", "what", "advice"), MONEY, ids=[what for _, what, _ in MONEY])
def test_money_is_no_fault_of_the_request(api, reply, what, advice):
    """Neither a limit of one's own nor missing credit: they say where to look, whatever status."""
    api.enqueue(reply)

    error = failure()

    assert (type(error), error.what, error.detail) == (SpendLimitError, what, reply.message)
    assert f"https://platform.claude.com/{advice}" in error.advice


def test_words_about_limits_elsewhere_are_no_spend_limit(api):
    """A bad request that speaks of credit in passing stays a bad request."""
    api.enqueue(Error(400, "invalid_request_error", "messages: the credit of a photo is too long"))

    assert type(failure()) is RequestError


@pytest.mark.parametrize(
    ("model", "options", "note"),
    [
        ("claude-opus-4-5", {}, "claude-opus-4-5 retires on 2027-01-22"),
        (
            "claude-opus-4-6",
            {"thinking": 2000},
            "a thinking budget is deprecated on claude-opus-4-6",
        ),
    ],
)
def test_the_sdk_s_warnings_are_said_in_a_note(api, model, options, note):
    """Nothing is printed, whatever filters there are: these tests turn warnings into errors."""
    for stream in (True, False):
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            reply = claude_nb.ask("Hi", model=model, stream=stream, show=False, **options)

        assert (str(reply.outcome), raised) == ("complete", [])
        assert any(line.startswith(note) for line in reply.notes)


PAGES = [
    (400, RequestError),
    (404, RequestError),
    (413, RequestError),
    (418, RequestError),
    (502, ServerError),
    (503, ServerError),
    (529, OverloadedError),
]


@pytest.mark.parametrize(("status", "expected"), PAGES)
def test_a_proxy_s_page_instead_of_the_api_s_words(api, status, expected):
    """The status alone decides, and no HTML is quoted."""
    page = b"<html><h1>Bad gateway</h1></html>"
    api.enqueue(Raw([page], status=status, headers={"Content-Type": "text/html"}))

    error = failure()

    assert type(error) is expected
    assert "<" not in str(error)
    assert ("32 MB" in error.advice) == (status == 413)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *(("7", 7), ("0.5", 0.5), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)),
        *((said, None) for said in ("-3", "soon", "nan", "inf", "1e300", "1e9", "-1e300")),
        *((f"Fri, 31 Dec {year} 23:59:59 GMT", None) for year in ("9999", "99999")),
        *(("Mon, 99 Foo 2030 99:99:99 GMT", None), ("Fri, 31 Dec 9999 23:59:59 -0000", None)),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(api, said, seconds):
    """``retry-after`` in either form; nonsense is no time, and quoted, but still a rate limit."""
    api.enqueue(Error(429, "rate_limit_error", "Slow down.", {"retry-after": said}))

    error = failure()

    assert type(error) is RateLimitError
    assert error.retry_after == seconds
    assert (f"{said!r}" in error.what) == (seconds is None)


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"])))
def test_whatever_a_server_asks_to_wait_is_a_time_or_none(said):
    """Of any header that HTTP allows."""
    seconds = _seconds(said)

    assert seconds is None or 0 <= seconds <= 366 * 24 * 3600


def test_a_long_wait_is_said_with_its_date(api):
    """An hour of the day would not do for one of days."""
    api.enqueue(Error(429, "rate_limit_error", "Slow down.", {"retry-after": "200000"}))

    error = failure()

    until = dt.datetime.now().astimezone() + dt.timedelta(seconds=200000)
    assert f"until {until:%Y-%m-%d}" in error.what
    assert "2 days, 7:33:20" in error.advice


def test_a_rate_limit_may_say_until_when_to_wait(api):
    """HTTP's other form of ``retry-after``, in whole seconds."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
    date = format_datetime(until, usegmt=True)
    api.enqueue(Error(429, "rate_limit_error", "Slow down.", {"retry-after": date}))

    assert 5 < failure().retry_after <= 10


IN_STREAM = [
    ("overloaded_error", OverloadedError),
    ("rate_limit_error", RateLimitError),
    ("api_error", ServerError),
    ("an_error_of_tomorrow", ServerError),
    ("invalid_request_error", RequestError),
]


@pytest.mark.parametrize(("kind", "expected"), IN_STREAM)
def test_error_inside_a_stream(api, kind, expected):
    """Its type decides, for its status is 200; the partial is kept."""
    api.enqueue(Stream([*BEGUN, sse_error(kind)]))

    error = failure()

    assert type(error) is expected
    assert (error.detail, error.request_id) == ("The server's words.", request_id(api))
    assert (error.reply.text, error.reply.usage.output_tokens) == ("Hello wor", None)


def test_error_before_anything_else_in_a_stream(api):
    """Nothing was there to keep, and the class is the same."""
    api.enqueue(Stream([sse_error("overloaded_error")]))

    error = failure()

    assert (type(error), error.reply.text) == (OverloadedError, "")


def test_errors_after_the_message_is_complete_take_nothing_back(api):
    """What a connection does after ``message_stop`` is nobody's loss."""
    whole = [start(), *text("Hello"), *end()]
    api.enqueue(Stream([*whole, sse_error("api_error")]), Stream(whole, end="drop"))

    replies = [claude_nb.ask("Hello", show=False) for _ in range(2)]

    assert [(str(r.outcome), r.text) for r in replies] == [("complete", "Hello")] * 2


def test_a_body_that_is_held_open_after_the_message_is_given_up(api):
    """A gateway that never ends the body does not hold the cell up for ever."""
    api.enqueue(Stream([start(), *text("Hello"), *end()], end="hang"))

    reply = claude_nb.ask("Hello", show=False)

    assert str(reply.outcome) == "complete"
    api.wait_for(lambda requests: requests[-1].client_left)


BEGUN_BYTES = b"".join(map(sse, BEGUN))
BROKEN = [
    (Raw([BEGUN_BYTES], end="drop"), DroppedError),
    (Raw([BEGUN_BYTES, b'event: content_block_delta\ndata: {"ty'], end="drop"), DroppedError),
    (Raw([BEGUN_BYTES], delay=0.05, end="reset"), DroppedError),
    (Raw([BEGUN_BYTES]), DroppedError),
    (Raw([BEGUN_BYTES, b'event: content_block_delta\ndata: {"ty\n\n']), DroppedError),
    (Raw([BEGUN_BYTES, b"event: content_block_delta\ndata: \xff\xfe\n\n"]), DroppedError),
]


@pytest.mark.parametrize(
    ("reply", "expected"), BROKEN, ids=["drop", "half", "reset", "end", "json", "utf-8"]
)
def test_a_stream_that_breaks_off(api, reply, expected):
    """However it ends, it is a named error, and the partial is kept."""
    api.enqueue(reply)

    error = failure()

    assert (type(error), error.reply.text) == (expected, "Hello wor")
    assert error.reply.error is error


EMPTY = [
    (b"", "text/event-stream"),
    (b": comment\n\n", "text/event-stream"),
]


@pytest.mark.parametrize(("body", "kind"), EMPTY)
def test_a_body_without_any_event(api, body, kind):
    """A gateway that does not stream has sent no reply."""
    api.enqueue(Raw([body] if body else [], headers={"Content-Type": kind}))

    error = failure()

    assert (type(error), str(error.reply.outcome)) == (DroppedError, "dropped")


def test_the_connections_of_a_client_that_is_gone_are_closed(api):
    """One that has given way to others would keep them open for as long as the kernel runs."""
    connections = [Connection(api.base_url, f"key-{number}") for number in range(40)]
    made = [connection.client()._client for connection in connections]
    gc.collect()

    claude_nb.ask("Hello", show=False)

    assert [client.is_closed for client in made] == [True] * 8 + [False] * 32


@pytest.mark.parametrize("url", ["", "https://gateway.example", "https://gateway.example/v/"])
def test_one_server_has_one_name(monkeypatch, url):
    """Whoever made the client that asks it: the API's own address is the SDK's."""
    if url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    own = anthropic.AsyncAnthropic(api_key="not-a-key")

    assert Connection(own_client=own).origin == Connection().origin
    assert Connection().origin == (url or "https://api.anthropic.com").rstrip("/")
    assert Connection(own_client=own).cache == Connection().cache


@pytest.fixture
def impatient(api):
    """A client of the user's own, which gives a silent stream up soon."""
    client = anthropic.AsyncAnthropic(
        base_url=api.base_url, api_key="not-a-key", timeout=httpx2.Timeout(5, read=0.2)
    )
    yield client
    asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()


def test_a_stream_that_falls_silent(api, impatient):
    """It is given up when the read timeout is over, and the server sees the connection close."""
    api.enqueue(Stream(BEGUN, end="hang"))

    error = failure(impatient)

    assert (type(error), error.reply.text) == (DroppedError, "Hello wor")
    assert error.what == "The stream timed out: the server stopped sending."
    api.wait_for(lambda requests: requests[-1].client_left)


def test_a_server_that_accepts_and_says_nothing(api, impatient):
    """No headers in time: nothing was begun, so nothing was dropped."""
    api.enqueue(Raw([b"late"], delay=30))

    error = failure(impatient)

    assert type(error) in (UnreachableError, DroppedError)
    assert error.reply.blocks == []


def test_a_server_that_is_not_there(monkeypatch):
    """A refused connection says so, and where to look."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")

    error = failure()

    assert (type(error), error.what) == (UnreachableError, "http://127.0.0.1:9 cannot be reached.")
    assert "ANTHROPIC_BASE_URL" in error.advice


@pytest.fixture
def empty_home(monkeypatch, tmp_path):
    """A user who has never configured the SDK."""
    monkeypatch.delenv("ANTHROPIC_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))


def test_no_credentials(empty_home):
    """How to get a key in, and how to try it without one."""
    error = failure()

    assert (type(error), error.what) == (CredentialsError, "No API key found.")
    assert "%claude_nb key" in error.advice
    assert "%claude_nb simulate on" in error.advice


def test_a_profile_that_is_not_there(monkeypatch):
    """The SDK's own words say which file it misses."""
    monkeypatch.setenv("ANTHROPIC_PROFILE", "nobody")

    error = failure()

    assert type(error) is CredentialsError
    assert "nobody" in error.detail


def test_a_key_in_the_server_s_words_is_redacted(api):
    """Proxies echo what they were sent; neither the error nor the saved output passes it on."""
    api.enqueue(Error(401, "authentication_error", f"invalid key {KEY}"))

    error = failure()

    assert error.detail == "invalid key sk-ant-…"
    assert KEY not in str(error.reply._repr_mimebundle_())


def test_a_key_is_in_no_representation():
    """A connection can be printed."""
    own = anthropic.AsyncAnthropic(api_key="secret")
    assert "secret" not in repr(Connection(api_key="secret", own_client=own))


def test_the_simulator_gets_no_key(simulator, monkeypatch):
    """Ambient credentials go only where the environment sends them."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)

    client = Connection(base_url=simulator.base_url, simulated=True).client()

    assert (client.api_key, client.auth_token) == ("simulated", None)


def test_a_proxy_does_not_stand_before_the_simulator(monkeypatch):
    """It is on this machine, also for who can reach the world through a proxy alone."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    session.simulate(on=True, speed=float("inf"))

    try:
        assert str(claude_nb.ask("hello", show=False).outcome) == "complete"
    finally:
        session.simulate(on=False)


def test_a_client_is_kept_for_the_next_request(api):
    """So that the second request finds a warm connection; retries are ours."""
    client = Connection().client()

    assert Connection().client() is client
    assert client.max_retries == 0


def test_replies_that_begin_together_share_a_client(api):
    """And its connections: one that was made in vain would leave its socket open."""
    connection = Connection(api_key="not-a-key-either")

    with ThreadPoolExecutor(8) as threads:
        clients = set(threads.map(lambda _: connection.client(), range(8)))

    assert len(clients) == 1


def test_a_synchronous_client_is_refused(api):
    """It could not be stopped; the message says what to pass."""
    with anthropic.Anthropic(api_key="not-a-key") as client:
        error = failure(client)

    assert type(error) is InputError
    assert "AsyncAnthropic" in error.advice


def test_without_the_sdk_the_error_says_how_to_get_it(monkeypatch):
    """An installation that was broken by another package ends in words, not in silence."""
    monkeypatch.setitem(sys.modules, "anthropic", None)
    error = explain(ModuleNotFoundError("No module named 'anthropic'"))

    assert "%pip install 'anthropic>=2.14,<3'" in str(error)


def test_an_exception_that_nobody_expected_has_a_name():
    """It is quoted, but it is ours."""
    error = explain(RuntimeError("Odd."))

    assert (type(error), str(error)) == (
        MalformedError,
        "RuntimeError while reading the reply. Odd.",
    )


def test_what_a_request_waits_for_has_a_name(monkeypatch):
    """The SDK first, then a simulator that does not listen yet; recordings need neither."""
    simulator = Simulator()
    connection = Connection(simulated=True, simulator=simulator)
    with monkeypatch.context() as patched:
        patched.delitem(sys.modules, "anthropic")
        assert connection.pending == Connection().pending == "loading the SDK"
        assert Connection(replayed=True).pending == ""
    assert (connection.pending, Connection().pending) == ("starting the simulator", "")

    with simulator:
        assert connection.pending == ""


def test_a_simulator_that_does_not_start_is_an_error(monkeypatch):
    """Said once: it is not tried again, and the reply names its model."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    monkeypatch.setattr("claude_nb.simulator.process.sys.executable", "/bin/false")
    session.simulate(on=True)

    with pytest.raises(ClaudeError, match="The simulator did not start") as raised:
        claude_nb.ask("hello", model="claude-sonnet-5-5", show=False)

    reply = raised.value.reply
    assert (str(reply.outcome), reply.model, reply.messages) == ("failed", "claude-sonnet-5-5", [])
    assert "did not start" in reply._repr_mimebundle_()["text/markdown"]


@pytest.mark.parametrize("kind", [["overloaded_error"], {"a": 1}, 5, None, True])
def test_an_error_whose_type_is_no_text_is_one_all_the_same(api, kind):
    """With the server's own words, inside a stream and before it."""
    said = {"type": "error", "error": {"type": kind, "message": "The words."}}
    body = Raw([json.dumps(said).encode()], 400, {"Content-Type": "application/json"})
    api.enqueue(Stream([start(), said]), body)

    errors = [failure(), failure()]

    assert [type(error) for error in errors] == [ServerError, RequestError]
    assert [error.detail for error in errors] == ["The words."] * 2


def test_the_simulator_never_gets_a_key():
    """Nor does it where its address is not known yet; then that is waited for."""
    with Simulator() as simulator:
        connection = Connection(api_key="secret", simulated=True, simulator=simulator)
        assert connection.key() == "simulated"
        assert connection.prepare().base_url == simulator.base_url
        assert connection.prepare().key() == "simulated"


NOT_THE_API = {
    "page": (
        b"<html><style>a{}</style><h1>Sign&nbsp;in</h1>\n<script>x()</script>first</html>",
        "text/html; charset=utf-8",
        "a web page",
        "It says: Sign in first",
    ),
    "nothing": (b"", "text/plain", "nothing", ""),
    "text": (
        b"no route\x1b[2J\xe2\x80\xae",
        "text/plain",
        "something else",
        "no route␛[2J‹U+202E›",
    ),
    "error": (b'{"error": "no such model"}', "application/json", "an error", "no such model"),
    "detail": (b'{"detail": "log in"}', "application/json", "something else", "log in"),
    "JSON": (b'{"ok": true}', "application/json", "something else", '{"ok": true}'),
}
ASKED = {
    "a reply": lambda: claude_nb.ask("Hello", show=False, policy=Policy(base=0.0)),
    "a reply, whole": lambda: claude_nb.ask("Hello", show=False, stream=False),
    "a count of tokens": lambda: call(count_tokens(Connection(), {"model": "m", "messages": []})),
    "a list of models": lambda: call(list_models(Connection())),
    "a batch": lambda: call(batch_service.retrieve(Connection(), "msgbatch_1")),
    "a list of batches": lambda: call(batch_service.newest(Connection())),
}


@pytest.mark.parametrize("wanted", ASKED)
@pytest.mark.parametrize(("body", "kind", "came", "words"), NOT_THE_API.values(), ids=NOT_THE_API)
def test_an_answer_that_is_not_the_apis_is_told_once(gateway, wanted, body, kind, came, words):
    """With the address, in the server's own words; nothing is asked for again."""
    gateway.body, gateway.headers = body, {"Content-Type": kind}

    with pytest.raises(MalformedError) as raised:
        ASKED[wanted]()

    error, (path,) = raised.value, gateway.paths
    where = f"{gateway.url}{path.partition('?')[0]}"
    assert error.what == f"{where} sent {came} instead of {wanted.partition(',')[0]}."
    assert error.detail.endswith(words)
    assert len(error.detail) < 3_000


def test_a_page_in_place_of_the_results_of_a_batch(gateway):
    """It is no line of theirs."""
    gateway.body, gateway.headers = b"<h1>Sign in</h1>", {"Content-Type": "text/html"}

    async def read():
        return [line async for line in batch_service.results(Connection(), "msgbatch_1")]

    with pytest.raises(MalformedError, match="sent a web page instead of the results"):
        call(read())
