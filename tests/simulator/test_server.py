"""Over HTTP the simulator behaves as the Messages API does, and fails as it is told to."""

import asyncio
import json
import math
import time
import urllib.error
import urllib.request
from typing import Any

import anthropic
import httpx2
import pytest

from claude_nb.simulator import Error, Raw, Scripted, Simulator, Stream

HELLO = {
    "model": "claude-opus-5-5",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "Hello"}],
}
START = {
    "type": "message_start",
    "message": {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}


def types(events):
    return [event.type for event in events]


def post(simulator, body):
    """POST bytes without the SDK; return status, headers and body."""
    request = urllib.request.Request(simulator.base_url + "/v1/messages", data=body)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.status, error.headers, error.read()


def test_a_scripted_reply_is_a_whole_stream(events_of):
    """A reply begins with message_start, ends with message_stop, and its blocks open and close."""
    events = events_of(**HELLO)

    assert types(events)[0] == "message_start"
    assert types(events)[-2:] == ["message_delta", "message_stop"]
    assert types(events).count("content_block_start") == types(events).count("content_block_stop")


def test_streamed_and_plain_replies_say_the_same(client, runner, message_of):
    """Without ``stream`` the same content arrives as one message, with the same usage."""

    async def streamed():
        async with client.messages.stream(**HELLO) as stream:
            return await stream.get_final_message()

    one, other = runner.run(streamed()), message_of(**HELLO)

    assert [(b.type, getattr(b, "text", None)) for b in one.content] == [
        (b.type, getattr(b, "text", None)) for b in other.content
    ]
    assert one.usage.output_tokens == other.usage.output_tokens


def test_every_answer_can_be_recognised_as_simulated(client, runner):
    """Message id, request id and the server's name say that no model answered."""
    response = runner.run(client.messages.with_raw_response.create(**HELLO))
    message = runner.run(response.parse())

    assert message.id.startswith("msg_sim_")
    assert response.headers["request-id"].startswith("req_sim_")
    assert response.headers["server"] == "claude_nb-simulator"


def test_same_seed_and_request_give_the_same_stream(events_of):
    """A stream can be repeated delta by delta."""
    assert events_of(**HELLO) == events_of(**HELLO)


def test_another_seed_cuts_differently(events_of):
    """The seed changes where deltas end, not what they say."""

    async def read(base_url):
        async with anthropic.AsyncAnthropic(base_url=base_url, api_key="not-a-key") as client:
            return [e async for e in await client.messages.create(**HELLO, stream=True)]

    def text(events):
        deltas = [e.delta for e in events if e.type == "content_block_delta"]
        return "".join(delta.text for delta in deltas if delta.type == "text_delta")

    with Simulator(speed=math.inf, seed=1) as other:
        events = asyncio.run(read(other.base_url))

    assert text(events) == text(events_of(**HELLO))
    assert events != events_of(**HELLO)


def test_errors_have_the_apis_shape(simulator: Simulator):
    """An error's body holds type, message and the request id of its header."""
    status, headers, body = post(simulator, json.dumps({**HELLO, "messages": []}).encode())

    assert status == 400
    assert json.loads(body) == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "messages: at least one message is required",
        },
        "request_id": headers["request-id"],
    }


def test_a_body_that_is_no_json_is_a_bad_request(simulator: Simulator):
    """What cannot be parsed is answered as the API answers it."""
    status, _, body = post(simulator, b"{")

    assert (status, json.loads(body)["error"]["type"]) == (400, "invalid_request_error")


def test_a_body_above_32_mib_is_too_large(simulator: Simulator):
    """The API's limit on a request's size is the simulator's too."""
    status, _, body = post(simulator, b" " * (32 * 2**20 + 1))

    assert (status, json.loads(body)["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/complete", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("BREW", "/v1/messages", 405, "invalid_request_error"),
    ],
)
def test_what_does_not_exist_is_an_error_in_the_apis_shape(
    simulator: Simulator, method, path, status, kind
):
    """Other endpoints and methods are refused, with a request id, and are written down too."""
    request = urllib.request.Request(simulator.base_url + path, method=method)
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)

    with raised.value as error:
        body = json.load(error)
        assert (error.status, body["error"]["type"]) == (status, kind)
        assert error.headers["request-id"] == body["request_id"]
    assert (simulator.requests[-1].method, simulator.requests[-1].path) == (method, path)


def test_an_unknown_model_is_not_found(message_of):
    """A model that does not exist is a 404, not a simulated answer."""
    with pytest.raises(anthropic.NotFoundError, match="model: claude-nonsense"):
        message_of(**{**HELLO, "model": "claude-nonsense"})


def test_tokens_are_counted(client, runner):
    """``count_tokens`` gives the input tokens that the reply then reports."""
    request = {name: HELLO[name] for name in ("model", "messages")}
    counted = runner.run(client.messages.count_tokens(**request))
    message = runner.run(client.messages.create(**HELLO))

    assert counted.input_tokens == message.usage.input_tokens


def test_models_are_listed_and_looked_up(client, runner):
    """``models.list`` holds every model that ``models.retrieve`` finds, in the SDK's shape."""

    async def everything():
        return [model async for model in client.models.list()]

    listed = runner.run(everything())
    one = runner.run(client.models.retrieve("claude-opus-5-5"))

    assert one in listed
    assert one.display_name == "Claude Opus 5.5"
    assert one.capabilities.thinking.types.disabled.supported is False


def test_models_are_listed_as_the_sdk_asks(client, runner):
    """Its pages, its stages and its errors are those of the API."""

    async def listed(**query: Any):
        return [model.id async for model in client.models.list(**query)]

    async def page(**query: Any):
        return await client.models.list(**query)

    everything = runner.run(listed(limit=3))
    assert everything == runner.run(listed(limit=1000))
    assert [model.id for model in runner.run(page(limit=3)).data] == everything[:3]
    assert runner.run(listed(lifecycle=["deprecated"])) == everything[-1:]
    assert runner.run(listed(lifecycle=["planned"])) == []
    for limit in (1001, "many"):
        with pytest.raises(anthropic.BadRequestError, match="limit: "):
            runner.run(page(limit=limit))


def test_an_unknown_model_cannot_be_looked_up(client, runner):
    """``models.retrieve`` of what does not exist is a 404."""
    with pytest.raises(anthropic.NotFoundError):
        runner.run(client.models.retrieve("claude-nonsense"))


def test_queued_replies_come_in_their_order_and_then_the_scripts(simulator: Simulator, events_of):
    """Each queued reply answers one request; after the last one the scripts answer again."""
    simulator.enqueue(Stream([START]), Stream([START, {"type": "message_stop"}]))

    assert types(events_of(**HELLO)) == ["message_start"]
    assert types(events_of(**HELLO)) == ["message_start", "message_stop"]
    assert len(events_of(**HELLO)) > 10


def test_an_error_carries_status_headers_and_type(simulator: Simulator, events_of):
    """An overload looks as the API's does, also to the SDK."""
    simulator.enqueue(Error(529, "overloaded_error", "Overloaded", {"retry-after": "7"}))

    with pytest.raises(anthropic.OverloadedError) as raised:
        events_of(**HELLO)

    assert raised.value.type == "overloaded_error"
    assert raised.value.response.headers["retry-after"] == "7"


def test_an_error_event_is_a_failure_in_mid_stream(simulator: Simulator, events_of):
    """The SDK raises it with the status of the response, which was 200."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    simulator.enqueue(Scripted(4, then=[error], end="close"))

    with pytest.raises(anthropic.APIStatusError) as raised:
        events_of(**HELLO)

    assert (raised.value.status_code, raised.value.type) == (200, "overloaded_error")


@pytest.mark.parametrize(
    ("end", "error"),
    [("drop", httpx2.RemoteProtocolError), ("reset", httpx2.ReadError)],
)
@pytest.mark.parametrize("reply", [Scripted, Stream, Raw])
def test_a_connection_breaks_as_told(simulator: Simulator, events_of, reply, end, error):
    """``drop`` ends the connection inside the chunked body, ``reset`` resets it."""
    what = {Scripted: 4, Stream: [START], Raw: [b"event: ping\ndata: {}\n\n"]}[reply]
    simulator.enqueue(reply(what, end=end))

    with pytest.raises(error):
        events_of(**HELLO)


def test_text_does_not_depend_on_whether_thinking_is_shown(simulator: Simulator, events_of):
    """It comes in the same pieces, so that the two can be compared."""
    texts = [
        [
            event.delta.text
            for event in events_of(**HELLO, thinking={"type": "adaptive", "display": display})
            if event.type == "content_block_delta" and event.delta.type == "text_delta"
        ]
        for display in ("summarized", "omitted")
    ]

    assert texts[0] == texts[1] != []


def test_a_body_can_end_before_the_message_does(simulator: Simulator, events_of):
    """``close`` ends the body as HTTP says, wherever the stream is; the SDK sees no error."""
    simulator.enqueue(Scripted(4, end="close"))

    assert types(events_of(**HELLO)) == [
        "message_start",
        "content_block_start",
        "content_block_delta",  # the ping before it is not shown by the SDK
    ]


def test_raw_bytes_go_out_as_they_are(simulator: Simulator):
    """Status, headers and every byte are the test's own, even what is no UTF-8."""
    simulator.enqueue(Raw([b"<html>\xff", b"\x00</html>"], 502, {"Content-Type": "text/html"}))

    status, headers, body = post(simulator, json.dumps(HELLO).encode())

    assert (status, headers["content-type"], body) == (502, "text/html", b"<html>\xff\x00</html>")


def test_stop_reaches_a_silent_server(simulator: Simulator, client, runner):
    """When the client goes while the server is silent, the server notices, and says when."""
    simulator.enqueue(Stream([START], end="hang"))
    number = len(simulator.requests)

    async def start_and_cancel():
        stream = await client.messages.create(**HELLO, stream=True)
        iterator = aiter(stream)
        await anext(iterator)
        waiting = asyncio.create_task(anext(iterator))
        await asyncio.sleep(0)  # lets the task begin
        began = time.monotonic()
        waiting.cancel()
        await asyncio.wait([waiting])
        return began

    cancelled = runner.run(start_and_cancel())
    request = simulator.wait_for(lambda requests: requests[number].ended)[number]

    assert request.sent == 1
    assert request.client_left >= cancelled


def test_stop_reaches_a_server_that_is_sending(client, runner):
    """When the client goes in mid-reply, the rest of the reply is not sent."""

    async def read_three(base_url):
        async with anthropic.AsyncAnthropic(base_url=base_url, api_key="not-a-key") as client:
            stream = await client.messages.create(**HELLO, stream=True)
            async for event in stream:
                if event.type == "content_block_start":
                    break
            await stream.close()

    with Simulator() as paced:
        asyncio.run(read_three(paced.base_url))
        (request,) = paced.wait_for(lambda requests: requests and requests[0].ended)

    assert request.client_left is not None


def test_requests_are_written_down_without_credentials(simulator: Simulator, message_of):
    """Method, path, headers and body are kept; the key is not."""
    message_of(**HELLO)

    request = simulator.requests[-1]

    assert (request.method, request.path, request.body) == ("POST", "/v1/messages", HELLO)
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert "not-a-key" not in repr(request)
    assert request.client_left is None
    assert request.at <= request.ended


def test_a_stream_can_be_delayed(simulator: Simulator, events_of):
    """The delay lies before every event."""
    simulator.enqueue(Stream([START, {"type": "message_stop"}], delay=0.05))
    before = time.monotonic()

    events_of(**HELLO)

    assert time.monotonic() - before >= 0.1


@pytest.mark.parametrize("half", [r"\ud83d", r"\uD83D", r"\ude00"])
def test_half_a_character_is_refused(simulator, half):
    """As by the API; a pair is one character."""
    asked = {
        "model": "claude-opus-5-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "HALF"}],
    }
    body = json.dumps(asked).replace("HALF", half).encode()

    status, _, answer = post(simulator, body)

    assert status == 400
    assert b"not valid JSON" in answer
    assert post(simulator, body.replace(half.encode(), rb"\ud83d\ude00"))[0] == 200
