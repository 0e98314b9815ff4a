"""What follows a failure: every fault, over real HTTP, and the rules for waiting."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import anthropic
import httpx2
import pytest

import claude_nb
from claude_nb import Conversation
from claude_nb.client.engine import engine
from claude_nb.client.retry import Policy
from claude_nb.cost.usage import Usage
from claude_nb.errors import (
    ClaudeError,
    DroppedError,
    InputError,
    OverloadedError,
    RateLimitError,
    RequestError,
    ServerError,
    SpendLimitError,
    UnreachableError,
)
from claude_nb.render import labels
from claude_nb.simulator import Error, Raw, Scripted, Stream
from claude_nb.simulator.faults import FAULTS
from claude_nb.simulator.validation import problem
from claude_nb.simulator.wire import sse
from claude_nb.streaming.progress import THINKING_REFUSED, Progress
from tests.played import end, said, start, text, thinking, tool_use

AT_ONCE = Policy(base=0.0)
ASKED = {"model": "claude-sonnet-4-6", "system": "Be brief.", "max_tokens": 900}
"""A model that thinks only if it is told to, and continues no last turn of its own."""


def sse_error(kind):
    """An error inside a stream."""
    return {"type": "error", "error": {"type": kind, "message": "The server's words."}}


def asked(api, *replies: Any, policy=AT_ONCE, client=None, **options: Any):
    """Ask, and be answered with these replies first; the reply, and the bodies that were sent."""
    number = len(api.requests)
    api.enqueue(*replies)
    try:
        reply = claude_nb.ask("hello", show=False, policy=policy, client=client, **ASKED | options)
    except ClaudeError as error:
        reply = error.reply
    bodies = [request.body for request in api.requests[number:]]
    for body in bodies:
        valid(body, bodies[0])
    return reply, bodies


def valid(body, first):
    """Whether the API would take a request that goes on with a reply."""
    assert problem(body) is None
    assert body | {"messages": 0} == first | {"messages": 0}
    assert body["messages"][:1] == first["messages"]
    roles = [message["role"] for message in body["messages"]]
    assert roles in (["user"], ["user", "assistant"], ["user", "assistant", "user"], ["user"] * 2)
    for message in body["messages"][1:]:
        for block in message["content"]:
            assert block["type"] == "text"
            assert block["text"] == block["text"].rstrip()
            assert block["text"]


def failures(reply):
    """The classes of the errors that were waited for."""
    return [type(event.data.error) for event in reply.events if event.type == "waiting"]


@pytest.fixture
def whole(api):
    """The text that the simulator's script says when nothing fails."""
    return claude_nb.ask("hello", show=False, **ASKED).text


@pytest.fixture
def impatient(api):
    """A client of the user's own, which gives a silent stream up soon."""
    client = anthropic.AsyncAnthropic(
        base_url=api.base_url, api_key="not-a-key", timeout=httpx2.Timeout(5, read=0.1)
    )
    yield client
    asyncio.run_coroutine_threadsafe(client.close(), engine().loop).result()


PAGE = Raw([b"<html>Bad gateway</html>"], status=502, headers={"Content-Type": "text/html"})
NOW = {"retry-after": "0"}
BEFORE = {
    "529": (Error(529, "overloaded_error", "Busy."), OverloadedError),
    "429 with a time": (Error(429, "rate_limit_error", "Slow.", NOW), RateLimitError),
    "429 with nonsense": (
        Error(429, "rate_limit_error", "Slow.", {"retry-after": "soon"}),
        RateLimitError,
    ),
    "408": (Error(408, "timeout_error", "Late."), ServerError),
    "500": (Error(500, "api_error", "Oh."), ServerError),
    "502 of a proxy": (PAGE, ServerError),
    "503": (Error(503, "api_error", "Oh."), ServerError),
    "504": (Error(504, "timeout_error", "Late."), ServerError),
}


@pytest.mark.parametrize(("fault", "error"), BEFORE.values(), ids=BEFORE)
def test_a_failure_before_the_stream_is_asked_again(api, whole, fault, error):
    """The same request once more; the one that was not accepted used no tokens."""
    reply, bodies = asked(api, fault)

    assert (str(reply.outcome), reply.text, reply.error) == ("complete", whole, None)
    assert bodies == [bodies[0]] * 2
    assert failures(reply) == [error]
    first, second = reply.messages
    assert (first.usage, reply.usage) == (Usage(), second.usage)
    assert second.usage.output_tokens > 0


NOTHING = {
    "overloaded": (Stream([sse_error("overloaded_error")]), OverloadedError),
    "overloaded after the start": (
        Stream([start(), sse_error("overloaded_error")]),
        OverloadedError,
    ),
    "empty body": (Raw([]), DroppedError),
    "comments alone": (Raw([b": hello\n\n"]), DroppedError),
    "drop": (Raw([], end="drop"), DroppedError),
    "drop after the start": (Stream([start()], end="drop"), DroppedError),
    "drop in thinking": (Stream([start(), *thinking("Hm")[:2]], end="drop"), DroppedError),
    "drop after thinking": (Stream([start(), *thinking("Hm")], end="drop"), DroppedError),
    "drop in white space": (Stream([start(), *text(" \n")[:-1]], end="drop"), DroppedError),
    "drop in a call": (Stream([start(), *tool_use('{"a')[:2]], end="drop"), DroppedError),
    "drop after a call": (Stream([start(), *tool_use("{}")], end="drop"), DroppedError),
    "empty text block": (Stream([start(), *text("")], end="drop"), DroppedError),
}


@pytest.mark.parametrize(("fault", "error"), NOTHING.values(), ids=NOTHING)
def test_a_stream_that_brought_no_text_is_asked_again(api, whole, fault, error):
    """The same request once more; what the first one used is not known."""
    reply, bodies = asked(api, fault)

    assert (str(reply.outcome), reply.text) == ("complete", whole)
    assert bodies == [bodies[0]] * 2
    assert failures(reply) == [error]
    assert reply.tool_calls == []
    assert (reply.messages[0].usage.output_tokens, reply.usage.output_tokens) == (None, None)


LATER = {
    "overloaded": (Scripted(9, [sse_error("overloaded_error")]), OverloadedError),
    "rate limited": (Scripted(9, [sse_error("rate_limit_error")]), RateLimitError),
    "server error": (Scripted(9, [sse_error("api_error")]), ServerError),
    "error of tomorrow": (Scripted(9, [sse_error("a_new_error")]), ServerError),
    "drop": (Scripted(9), DroppedError),
    "reset": (Scripted(9, end="reset"), DroppedError),
    "silent end": (Scripted(9, end="close"), DroppedError),
    "drop in a call": (Scripted(9, tool_use('{"a', index=1)[:2]), DroppedError),
    "drop after a call": (Scripted(9, tool_use("{}", index=1)), DroppedError),
    "drop in thinking": (Scripted(9, thinking("Hm", index=1)[:2]), DroppedError),
}


@pytest.mark.parametrize(("fault", "error"), LATER.values(), ids=LATER)
def test_a_stream_that_breaks_off_in_a_text_is_continued(api, whole, fault, error):
    """From the text that came, as the assistant's turn and an instruction; the seam is marked."""
    reply, (first, second) = asked(api, fault)

    partial = second["messages"][1]["content"][0]["text"]
    assert whole.startswith(partial)
    assert "Continue exactly" in second["messages"][2]["content"][0]["text"]
    assert (str(reply.outcome), reply.text, reply.error) == ("complete", whole, None)
    assert failures(reply) == [error]
    assert len(first["messages"]) == 1
    (seam,) = [seam for block in reply.blocks for seam in block.breaks]
    assert (seam.why, whole[: seam.at].rstrip()) == (error.label, partial)
    assert reply.tool_calls == []
    assert [m.usage.output_tokens is None for m in reply.messages] == [True, False]
    assert (reply.usage.output_tokens, reply.cost) == (None, None)


BEGUN = b"".join(map(sse, [start(), *text("Hello ", "wor")[:-1]]))
DAMAGED = {
    "half an event": Raw([BEGUN, b'event: content_block_delta\ndata: {"ty'], end="drop"),
    "half an event, clean end": Raw([BEGUN, b'event: content_block_delta\ndata: {"ty']),
    "broken JSON": Raw([BEGUN, b'event: content_block_delta\ndata: {"ty\n\n']),
    "no end": Raw([BEGUN]),
    "all but message_stop": Stream([start(), *text("Hello ", "wor"), *end()[:1]]),
}


@pytest.mark.parametrize("fault", DAMAGED.values(), ids=DAMAGED)
def test_a_stream_that_is_damaged_is_continued(api, fault):
    """What was readable is kept, whatever the bytes after it were."""
    reply, (_, second) = asked(api, fault, Stream(said("ld", "!")))

    assert (str(reply.outcome), reply.text) == ("complete", "Hello world!")
    assert second["messages"][1]["content"][0]["text"] == "Hello wor"


def test_a_stream_that_falls_silent_is_continued(api, whole, impatient):
    """After the read timeout; the server sees the first connection close."""
    reply, _ = asked(api, Scripted(9, end="hang"), client=impatient)

    assert (str(reply.outcome), reply.text, failures(reply)) == ("complete", whole, [DroppedError])
    api.wait_for(lambda requests: requests[-2].client_left)


REFUSED = {
    "400": (Error(400, "invalid_request_error", "No."), RequestError),
    "401": (Error(401, "authentication_error", "No."), RequestError),
    "402": (Error(402, "billing_error", "No."), SpendLimitError),
    "403": (Error(403, "permission_error", "No."), RequestError),
    "404": (Error(404, "not_found_error", "No."), RequestError),
    "413": (Error(413, "request_too_large", "No."), RequestError),
    "429 without a time": (Error(429, "rate_limit_error", "No."), SpendLimitError),
    "429 for too long": (
        Error(429, "rate_limit_error", "No.", {"retry-after": "3600"}),
        RateLimitError,
    ),
    "refused inside": (Scripted(9, [sse_error("invalid_request_error")]), RequestError),
}


@pytest.mark.parametrize(("fault", "error"), REFUSED.values(), ids=REFUSED)
def test_what_waiting_does_not_change_is_not_asked_again(api, fault, error):
    """One request, and the error in our words."""
    reply, bodies = asked(api, fault)

    assert (type(reply.error), str(reply.outcome), len(bodies)) == (error, "failed", 1)
    assert failures(reply) == []


BOUND = FAULTS["bound-thinking"].reply


def kinds(body):
    """The types of the blocks of each message of a request."""
    contents = [message["content"] for message in body["messages"]]
    return [[b["type"] for b in c] if isinstance(c, list) else ["text"] for c in contents]


@pytest.mark.parametrize("options", [{}, {"max_cost": 1.0}, {"policy": Policy(tries=1)}])
def test_refused_thinking_is_left_out_once_and_stays_out(api, options):
    """Asked again without it, under a limit too, with a note; later thinking is sent as ever."""
    talk = Conversation("bound")
    talk.ask("hello", show=False)
    number = len(api.requests)
    api.enqueue(BOUND)

    reply = talk.ask("hello", show=False, **options)
    talk.ask("hello", show=False)

    sent = [kinds(r.body) for r in api.requests[number:] if r.path == "/v1/messages"]
    whole = ["thinking", "text"]
    assert sent == [
        [["text"], whole, ["text"]],
        [["text"], ["text"], ["text"]],
        [["text"], ["text"], ["text"], whole, ["text"]],
    ]
    assert str(reply.outcome) == "complete"
    assert reply.notes[-1] == THINKING_REFUSED
    assert [m.failure for m in reply.messages] == ["refused", ""]


def test_refused_thinking_is_an_error_where_there_is_none(api):
    """Nothing could be left out, so nothing is asked again."""
    reply, bodies = asked(api, BOUND)

    assert (type(reply.error), len(bodies)) == (RequestError, 1)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("refusal", "refused"),
    ],
)
def test_an_answer_that_is_whole_is_never_continued(api, reason, outcome):
    """Cut off or declined, it is what the model said."""
    reply, bodies = asked(api, Stream([start(), *text("Hel"), *end(reason)]))

    assert (str(reply.outcome), reply.text, len(bodies)) == (outcome, "Hel", 1)


def test_nothing_is_asked_again_after_message_stop(api):
    """What the connection does then takes nothing back."""
    whole = [start(), *text("Hello"), *end()]

    for fault in (Stream(whole, end="drop"), Stream([*whole, sse_error("api_error")])):
        reply, bodies = asked(api, fault)
        assert (str(reply.outcome), reply.text, len(bodies)) == ("complete", "Hello", 1)


def test_a_server_that_is_not_there_is_asked_again(monkeypatch):
    """As often as there are tries."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")

    with pytest.raises(UnreachableError) as raised:
        claude_nb.ask("hello", show=False, policy=Policy(tries=3, base=0.0))

    assert failures(raised.value.reply) == [UnreachableError] * 2
    assert raised.value.reply.usage == Usage()


def test_all_failures_share_one_budget(api):
    """Whatever they are; at the end the text of all of them is kept, and the last error named."""
    reply, bodies = asked(
        api,
        Error(529, "overloaded_error", "Busy."),
        Stream([start(), *text("One, ")[:-1]], end="drop"),
        Stream([start(), *text(" two, ")[:-1], sse_error("overloaded_error")]),
        Error(500, "api_error", "Oh."),
        Stream([start(), *text(" three")[:-1]], end="drop"),
    )

    assert (str(reply.outcome), reply.text) == ("dropped", "One, two, three")
    assert failures(reply) == [OverloadedError, DroppedError, OverloadedError, ServerError]
    said_before = [m["content"][0]["text"] for b in bodies for m in b["messages"][1:2]]
    assert said_before == ["One,", "One, two,", "One, two,"]
    assert [event.data.number for event in reply.events if event.type == "waiting"] == [2, 3, 4, 5]


def test_one_try_is_no_retry(api):
    """The first failure is the last."""
    reply, bodies = asked(api, Scripted(9), policy=Policy(tries=1))

    assert (str(reply.outcome), len(bodies), failures(reply)) == ("dropped", 1, [])


def test_a_model_that_continues_its_own_turn_is_given_it(api, whole):
    """Prefill, where the model takes it and does not think."""
    reply, (_, second) = asked(api, Scripted(9), model="claude-haiku-4-5")

    assert [message["role"] for message in second["messages"]] == ["user", "assistant"]
    assert reply.text == whole


NO = Error(400, "invalid_request_error", "An assistant's turn is not accepted.")


def test_a_server_that_refuses_the_assistant_s_turn_gets_a_quotation(api, whole):
    """And only that from then on."""
    reply, bodies = asked(api, Scripted(9), NO, Scripted(9))

    assert (str(reply.outcome), reply.text) == ("complete", whole)
    assert [len(body["messages"]) for body in bodies] == [1, 3, 2, 2]
    quoted = bodies[-1]["messages"][1]
    assert quoted["role"] == "user"
    assert f"It ended with:\n\n{whole[:9]}" in quoted["content"][0]["text"]
    breaks = [seam.why for block in reply.blocks for seam in block.breaks]
    assert breaks == ["connection lost"] * 2


def test_a_server_that_refuses_both_forms_is_told_as_what_broke_the_text_off(api):
    """The reply was dropped; that the rescue was refused is nobody's mistake."""
    reply, bodies = asked(api, Scripted(9), NO, NO)

    assert (str(reply.outcome), type(reply.error)) == ("dropped", DroppedError)
    assert len(bodies) == 3
    assert reply.text != ""


def test_a_long_partial_is_quoted_from_its_end(api):
    """As much of it as shows where to go on."""
    long = "".join(f"{number} " for number in range(2000))
    broken = Stream([start(), *text(long)[:-1]], end="drop")

    reply, bodies = asked(api, broken, NO, Stream(said(" end")))

    quoted = bodies[-1]["messages"][1]["content"][0]["text"]
    assert "…" in quoted
    assert 4000 < len(quoted) < 4300
    assert reply.text == f"{long}end"


PAUSED = [
    start(),
    *text("Searching. "),
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    },
    {"type": "content_block_stop", "index": 1},
    *end("pause_turn"),
]


def paused_bodies(api, *replies: Any):
    """Ask, and be answered with these; the reply, and the roles and texts that were sent."""
    number = len(api.requests)
    api.enqueue(*replies)
    reply = claude_nb.ask("hello", show=False, policy=AT_ONCE, **ASKED)
    return reply, [request.body["messages"][1:] for request in api.requests[number:]]


def test_a_paused_turn_goes_on_with_its_content(api):
    """As it came; it is one reply."""
    reply, (_, (turn,)) = paused_bodies(api, Stream(PAUSED), Stream(said("Found.")))

    assert (str(reply.outcome), reply.text) == ("complete", "Searching. Found.")
    assert turn["role"] == "assistant"
    assert [block["type"] for block in turn["content"]] == ["text", "server_tool_use"]


def test_a_failure_after_a_pause_asks_for_the_rest_again(api):
    """Not from the beginning: what was before the pause is not done twice."""
    reply, (_, first, second) = paused_bodies(
        api, Stream(PAUSED), Error(529, "overloaded_error", "Busy."), Stream(said("Found."))
    )

    assert first == second
    assert (str(reply.outcome), reply.text) == ("complete", "Searching. Found.")


def test_a_pause_after_a_continuation_keeps_all_text(api):
    """What came before the drop, once."""
    dropped = Stream([start(), *text("One, ")[:-1]], end="drop")

    reply, (_, _, (turn,)) = paused_bodies(api, dropped, Stream(PAUSED), Stream(said("Found.")))

    assert (str(reply.outcome), reply.text) == ("complete", "One, Searching. Found.")
    assert turn["content"][0]["text"] == "One, Searching. "


def test_a_turn_that_is_always_paused_ends(api):
    """A server that never comes to an end is not asked for ever."""
    number = len(api.requests)
    api.enqueue(*[Stream(PAUSED)] * 21)

    with pytest.raises(ClaudeError, match="paused this turn 20 times"):
        claude_nb.ask("hello", show=False, policy=AT_ONCE, **ASKED)

    assert len(api.requests) - number == 21


@pytest.mark.parametrize(("failed", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0)])
def test_backoff_is_anything_up_to_a_bound_that_doubles(monkeypatch, failed, longest):
    """Full jitter: all of the time up to the bound, evenly."""
    monkeypatch.setattr("claude_nb.client.retry.random", random.Random(7))
    waits = [Policy().wait(OverloadedError("Busy."), failed) for _ in range(1000)]

    assert 0 <= min(waits) < 0.02 * longest
    assert 0.98 * longest < max(waits) <= longest
    assert sum(waits) / 1000 == pytest.approx(longest / 2, rel=0.1)


def test_backoff_has_a_cap(monkeypatch):
    """However often it failed, and however large the exponent."""
    monkeypatch.setattr("claude_nb.client.retry.random", random.Random(7))
    policy = Policy(tries=2000, cap=30.0)

    assert 29 < max(policy.wait(OverloadedError("Busy."), 9) for _ in range(1000)) <= 30
    assert policy.wait(OverloadedError("Busy."), 1999) <= 30


PASSING = (RateLimitError, OverloadedError, ServerError)


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("told", [2.5, 60.0])
def test_the_time_that_a_server_asks_for_is_waited_and_up_to_a_fifth_more(monkeypatch, kind, told):
    """Never sooner, and spread: those who were told the same do not all come back at once."""
    monkeypatch.setattr("claude_nb.client.retry.random", random.Random(7))
    waits = [Policy(max_wait=60.0).wait(kind("No.", retry_after=told), 1) for _ in range(1000)]

    assert told <= min(waits) < 1.002 * told
    assert 1.198 * told < max(waits) <= 1.2 * told


@pytest.mark.parametrize("kind", PASSING)
def test_a_time_of_nothing_is_no_guidance(monkeypatch, kind):
    """It is backed off from, as where no time is named; to come back at once would fail again."""
    monkeypatch.setattr("claude_nb.client.retry.random", random.Random(7))
    waits = [Policy().wait(kind("No.", retry_after=0.0), 1) for _ in range(1000)]

    assert max(waits) > 0.98


LATER_TODAY = {"retry-after": "61"}
TOO_LONG = {
    "429": (Error(429, "rate_limit_error", "No.", LATER_TODAY), RateLimitError),
    "503": (Error(503, "api_error", "No.", LATER_TODAY), ServerError),
    "529": (Error(529, "overloaded_error", "No.", LATER_TODAY), OverloadedError),
}


@pytest.mark.parametrize(("fault", "error"), TOO_LONG.values(), ids=TOO_LONG)
def test_a_time_beyond_max_wait_is_an_error_at_once_that_says_until_when(api, fault, error):
    """Whatever the status is: nothing is asked again, and the end of the wait is named."""
    reply, bodies = asked(api, fault, policy=Policy())

    assert (type(reply.error), len(bodies), failures(reply)) == (error, 1, [])
    assert reply.error.retry_after == 61
    assert re.search(r"until [\d:-]+", str(reply.error))
    assert "61 s" in reply.error.advice


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_wait_that_the_server_asked_for_says_until_when(api, status):
    """The line that counts down names the hour at which it will be asked again."""
    kind = {429: "rate_limit_error", 503: "api_error", 529: "overloaded_error"}[status]
    reply, _ = asked(api, Error(status, kind, "No.", {"retry-after": "0.01"}), policy=Policy())

    (wait,) = (event.data for event in reply.events if event.type == "waiting")
    assert 0.01 <= wait.seconds <= 0.012
    at_wait = Progress()
    at_wait.waiting = wait
    named = rf"{wait.error.label}, trying again at \d\d:\d\d:\d\d, 1 s left \(2 of 5\)"
    assert re.fullmatch(named, labels.waiting(at_wait, "1 s"))


@pytest.mark.parametrize(
    "error",
    [RequestError("No."), SpendLimitError("No."), ClaudeError("No.")],
    ids=lambda error: type(error).__name__,
)
def test_what_does_not_pass_is_not_waited_for(error):
    """Waiting would not help."""
    assert Policy().wait(error, 1) is None


def test_the_last_try_is_not_waited_for():
    """There is none after it."""
    assert Policy(tries=3).wait(OverloadedError("Busy."), 3) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tries": 0}, "tries must be a whole number of at least 1, not 0."),
        ({"tries": "x"}, "tries must be a whole number of at least 1, not 'x'."),
        ({"tries": True}, "tries must be a whole number of at least 1, not True."),
        ({"max_wait": None}, "max_wait must be a number of at least 0, not None."),
        ({"base": -1}, "base must be a number of at least 0, not -1."),
        ({"speed": 0}, "speed must be a number above 0, not 0."),
        ({"cap": float("nan")}, "cap must be a number of at least 0, not nan."),
    ],
)
def test_a_policy_that_cannot_be_is_refused(values, words):
    """When it is made, with what it takes."""
    with pytest.raises(InputError, match=re.escape(words)):
        Policy(**values)
