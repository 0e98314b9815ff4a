"""How calls are run: on which thread, how long, who is asked, what of it is told to whom."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pydantic
import pytest
from PIL import Image

import claude_nb
from claude_nb import ClaudeError, Conversation, Tools
from claude_nb.asking import asking
from claude_nb.client.connection import Connection
from claude_nb.cost.models import facts
from claude_nb.errors import StoppedError
from claude_nb.redaction import remember
from claude_nb.request.attachments.attachment import attach
from claude_nb.session.session import Session
from claude_nb.simulator import Stream
from claude_nb.streaming.events import ToolAsked, ToolRan, ToolStarted
from claude_nb.tools.results import MAX_DETAILS, MAX_RESULT
from tests.played import end, said, start, tool_use

ANSWER = Stream(said("Done."))
IMAGE_BLOCK = attach(Image.new("RGB", (4, 2)), "image").blocks


def call_of(*names: str) -> Stream:
    """A message that calls these functions, each without arguments."""
    calls = [
        event
        for number, name in enumerate(names)
        for event in tool_use("{}", index=number, call=f"toolu_{number}", name=name)
    ]
    return Stream([start(), *calls, *end("tool_use")])


def run(api, *functions: object, show=False, **how: object):
    """Have each function called once, and return the reply."""
    api.enqueue(call_of(*(function.__name__ for function in functions)), ANSWER)
    return claude_nb.ask("Go.", tools=Tools(*functions, **how), show=show)


def ran(reply) -> list[ToolRan]:
    """What came of each call, in the order of the calls."""
    return [block.run for block in reply.tool_calls]


def told(result: ToolRan) -> str:
    """What the model is told, as text."""
    return "".join(block.get("text", block["type"]) for block in result.content)


def test_functions_run_on_the_thread_of_the_cell_one_after_another(api):
    """Where plots, databases and ``input`` work."""
    order = []

    def one() -> str:
        order.append(("one", threading.current_thread()))
        return "1"

    def two() -> str:
        order.append(("two", threading.current_thread()))
        return "2"

    run(api, one, two)

    here = threading.current_thread()
    assert order == [("one", here), ("two", here)]


def test_asynchronous_functions_run_together(api):
    """Each waits for the other; one after another they would wait for ever."""
    here = {"left": asyncio.Event(), "right": asyncio.Event()}

    async def left() -> str:
        here["left"].set()
        await here["right"].wait()
        return "l"

    async def right() -> str:
        here["right"].set()
        await here["left"].wait()
        return "r"

    assert list(map(told, ran(run(api, left, right)))) == ["l", "r"]


def test_a_function_that_returns_an_awaitable_is_awaited(api):
    """As decorated ones do."""

    async def inner() -> str:
        return "awaited"

    def outer() -> object:
        return inner()

    assert told(*ran(run(api, outer))) == "awaited"


@pytest.mark.parametrize(
    ("value", "text", "note"),
    [
        ("21 degrees", "21 degrees", "21 degrees"),
        ("", "", "an empty string"),
        (None, "None", "None"),
        (3.5, "3.5", "3.5"),
        ({"a": [1, 2]}, '{"a": [1, 2]}', '{"a": [1, 2]}'),
        ({"city": "Lisbon", "celsius": [21, 22, 23, 24, 25]}, None, "city, celsius"),
        (list(range(100)), None, "100 items"),
        (pd.DataFrame({"a": [1, 2]}), "|  | a |\n| --- | --- |\n| 0 | 1 |\n| 1 | 2 |", "2 rows"),
        (np.arange(3), None, "array of shape (3,), dtype int64"),
        (Image.new("RGB", (4, 2)), "image", "image 4 × 2"),
        ([{"type": "text", "text": "as a block"}], "as a block", "as a block"),
        ([{"type": "text", "text": "x" * 200_000}], None, "200,000 characters"),
        ([*IMAGE_BLOCK, {"type": "text", "text": "a"}], "imagea", "image, text"),
        ([{"type": "text", "id": 3}], '[{"type": "text", "id": 3}]', '[{"type": "text", "id": 3}]'),
        ([{"type": ["a"], "n": 1}], '[{"type": ["a"], "n": 1}]', '[{"type": ["a"], "n": 1}]'),
        ("x" * 200_000, None, "200,000 characters"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_results_go_as_they_would_into_a_prompt(api, value, text, note):
    """And the label says in short what came."""

    def give() -> object:
        return value

    (result,) = ran(run(api, give))

    assert (result.note, result.is_error) == (note, False)
    assert text is None or told(result) == text
    assert len(told(result)) < MAX_RESULT + 100


def test_an_exception_is_told_to_the_model_and_its_traceback_to_the_user(api):
    """From the user's function on, without the way to it."""

    def inner(x: int) -> int:
        return 1 // x

    def divide() -> int:
        return inner(0)

    (result,) = ran(run(api, divide))

    assert result.is_error
    assert told(result) == "ZeroDivisionError: integer division or modulo by zero"
    assert result.note == "failed: ZeroDivisionError"
    lines = result.details.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "in divide" in lines[1]
    assert "claude_nb/" not in result.details.replace(__file__, "")


def test_what_cannot_be_sent_is_an_error_result(api):
    """A value whose own code fails."""

    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def give() -> object:
        return Bad()

    (result,) = ran(run(api, give))

    assert result.is_error
    assert "no words" in told(result)


class Mute(BaseException):
    """Its own code fails wherever it is asked for its text."""

    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


def _broken_syntax() -> SyntaxError:
    error = SyntaxError("x")
    error.lineno, error.text = 1, 7  # which the traceback module does not expect
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StopIteration(3), "StopIteration: 3"),
        (StopAsyncIteration(), "StopAsyncIteration"),
        (GeneratorExit(), "GeneratorExit"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "asyncio.exceptions.CancelledError"),
        (BaseException("odd"), "BaseException: odd"),
        (RecursionError("deep"), "RecursionError: deep"),
        (BaseExceptionGroup("both", [SystemExit(1)]), "BaseExceptionGroup: both (1 sub-exception)"),
        (Mute(), "tests.tools.test_calls.Mute: <exception str() failed>"),
        (_broken_syntax(), "SyntaxError: <its text cannot be read>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_function_raises_is_told_as_a_failed_call(api, error, message):
    """On the cell's thread, on one of its own, in a coroutine: the reply goes on to its end."""

    def fail() -> str:
        raise error

    async def fail_too() -> str:
        raise error

    reply = run(api, fail, fail_too)
    (aside,) = ran(aside_reply(api, fail))

    here, there = ran(reply)
    assert told(here) == told(aside) == message
    assert here.note == f"failed: {type(error).__name__}"
    # Python itself turns it into another error, in a coroutine.
    expected = f"RuntimeError: coroutine raised {type(error).__name__}"
    assert told(there) == (expected if isinstance(error, StopIteration) else message)
    assert all(result.is_error for result in (here, there, aside))
    assert reply.text == "Done."


def aside_reply(api, function):
    """Have a function called where no thread of the cell's waits for the reply."""
    api.enqueue(call_of(function.__name__), ANSWER)
    replies = []
    thread = threading.Thread(
        target=lambda: replies.append(claude_nb.ask("Go.", tools=[function], show=False))
    )
    thread.start()
    thread.join()
    return replies[0]


def test_a_validation_error_of_the_function_s_own_is_told_as_such(api):
    """It is not about the arguments that the model has sent."""

    class Row(pydantic.BaseModel):
        amount: int

    def read() -> int:
        return Row.model_validate({"amount": "many"}).amount

    (result,) = ran(run(api, read))

    assert result.note == "failed: ValidationError"
    assert "1 validation error for Row" in told(result)


def test_of_a_long_traceback_the_beginning_and_the_end_are_kept(api):
    """It is saved with the notebook."""

    def one() -> str:
        return two()

    def two() -> str:
        return one()

    (result,) = ran(run(api, one))

    assert told(result) == "RecursionError: maximum recursion depth exceeded"
    assert result.details.startswith("Traceback")
    assert result.details.endswith("RecursionError: maximum recursion depth exceeded\n")
    assert len(result.details) <= MAX_DETAILS + 3


def test_pictures_and_tables_in_a_list_go_to_the_model_as_such(api):
    """As a person would send them."""

    def draw() -> list:
        return [Image.new("RGB", (4, 2)), pd.DataFrame({"a": [1]})]

    (result,) = ran(run(api, draw))

    assert [block["type"] for block in result.content] == ["text", "image", "text", "text"]
    assert result.note == "image 4 × 2, 1 row"


def test_where_nothing_useful_is_sent_the_user_sees_it(api):
    """A generator's items are not taken: that could have no end."""

    def rows() -> object:
        return (n for n in range(3))

    (result,) = ran(run(api, rows))

    assert "(content not included)" in told(result)
    assert result.note == "content not included"


def test_keys_in_a_result_are_redacted(api):
    """Before the model sees them."""

    def leak() -> str:
        return "sk-" + "ant-" + "0123"

    def leak_block() -> list[dict]:
        return [{"type": "text", "text": leak()}]

    assert list(map(told, ran(run(api, leak, leak_block)))) == ["sk-ant-…"] * 2


SECRET = "my-gateway-secret"


def test_credentials_in_what_a_function_raises_are_redacted(api, monkeypatch):
    """Before the model and the user see them: in the message, the traceback and the note."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", SECRET)

    class LeakError(Exception):
        pass

    async def fail_too() -> str:
        raise KeyError(SECRET)

    def fail() -> str:
        raise ValueError(f"at https://me:{SECRET}@host") from LeakError(f"Bearer {SECRET}")

    reply = run(api, fail, fail_too)

    assert [result.is_error for result in ran(reply)] == [True, True]
    assert SECRET not in str(ran(reply))
    assert SECRET not in str(api.requests[-1].body)
    assert "[redacted]" in told(ran(reply)[0])


def test_a_connected_server_gets_no_credential_from_a_function(api, monkeypatch):
    """It is to have nothing of the environment: neither what is returned nor what is raised."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", SECRET)
    session = Session()
    session.connect(Connection(api.base_url))
    monkeypatch.setattr(asking, "session", session)

    def give() -> dict:
        return dict(os.environ)

    def give_blocks() -> list[dict]:
        source = {"type": "text", "media_type": "text/plain", "data": SECRET}
        return [{"type": "text", "text": SECRET}, {"type": "document", "source": source}]

    def fail() -> str:
        raise RuntimeError(f"{os.environ!r}")

    run(api, give, give_blocks, fail)

    assert api.requests[-1].body["messages"][-1]["content"][0]["type"] == "tool_result"
    assert SECRET not in str(api.requests[-1].body)


def test_credentials_in_the_input_of_a_call_are_redacted_where_it_is_refused(api):
    """The error repeats the input, and the name of a tool that is not there."""
    remember(SECRET)
    broken = tool_use(f'{{"a": "{SECRET}', name="give")
    unknown = tool_use("{}", index=1, call="toolu_2", name=SECRET)
    api.enqueue(Stream([start(), *broken, *unknown, *end("tool_use")]), ANSWER)

    def give(a: str) -> str:
        return a

    reply = claude_nb.ask("Go.", tools=[give], show=False)

    assert SECRET not in str(ran(reply))
    assert SECRET not in str(reply._repr_mimebundle_())


def test_time_that_is_up_breaks_off_a_function_on_the_main_thread(api):
    """It is told to the model, and the reply goes on; what others do is not touched."""

    def hang() -> str:
        time.sleep(60)
        return "late"

    def quick() -> str:
        return "on time"

    slow, fast = ran(run(api, hang, quick, timeout=1.5))

    assert (told(slow), slow.is_error, slow.note) == ("Stopped after 1.5 s.", True, "time is up")
    assert slow.seconds >= 1.5
    assert told(fast) == "on time"


def test_time_that_is_up_breaks_off_an_asynchronous_function(api):
    """The same."""

    async def hang() -> str:
        await asyncio.sleep(60)
        return "late"

    assert told(*ran(run(api, hang, timeout=0.1))) == "Stopped after 0.1 s."


def test_an_asynchronous_function_that_blocks_holds_up_nobody_else(api):
    """Its time is up all the same, and a stream beside it goes on."""
    goes_on = threading.Event()

    async def block() -> str:
        goes_on.wait(30)
        return "late"

    async def beside() -> str:
        return (await claude_nb.ask_async("Beside.", show=False)).text

    try:
        assert told(*ran(run(api, block, timeout=0.1))) == "Stopped after 0.1 s."
        api.enqueue(ANSWER)
        assert claude_nb.ask("Still there?", show=False).text == "Done."
    finally:
        goes_on.set()
    api.enqueue(call_of("beside"), Stream(said("From beside.")), ANSWER)
    reply = claude_nb.ask("Go.", tools=[beside], show=False)
    assert told(*ran(reply)) == "From beside."


def test_an_asynchronous_function_can_ask_with_asynchronous_tools(api):
    """With ``ask_async``; with ``ask`` it would wait for what its own thread has to run."""

    async def inner() -> str:
        return "from inner"

    async def outer() -> str:
        return (await claude_nb.ask_async("Inner.", tools=inner, show=False)).text

    async def blocking() -> str:
        return claude_nb.ask("Inner.", tools=inner, show=False).text

    api.enqueue(call_of("outer"), call_of("inner"), Stream(said("From inner.")), ANSWER)
    assert told(*ran(claude_nb.ask("Go.", tools=outer, show=False))) == "From inner."
    assert "waits for inner, which runs on the same thread." in told(*ran(run(api, blocking)))


def test_a_function_that_waits_for_its_turn_has_its_whole_time(api):
    """One before it may hold the thread for longer than that."""
    goes_on = threading.Event()

    def stubborn() -> str:
        try:
            goes_on.wait(30)
        except BaseException:  # noqa: BLE001 - that is the point
            time.sleep(1.6)
        return "late"

    def quick() -> str:
        return "on time"

    held, fast = ran(run(api, stubborn, quick, timeout=1.5))

    assert (held.note, told(fast)) == ("time is up", "on time")


def test_what_a_function_cancels_itself_is_its_error(api):
    """Nobody pressed Stop."""

    async def given_up() -> str:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task
        return "never"

    def cancelled() -> str:
        raise asyncio.CancelledError

    reply = run(api, given_up, cancelled)

    assert [(r.is_error, told(r)) for r in ran(reply)] == [
        (True, "asyncio.exceptions.CancelledError")
    ] * 2
    assert reply.text == "Done."


def test_a_time_out_of_the_function_s_own_is_its_error(api):
    """Not ours."""

    def connect() -> str:
        raise TimeoutError("the database is away")

    (result,) = ran(run(api, connect, timeout=60))

    assert told(result) == "TimeoutError: the database is away"


def test_an_interrupt_ends_the_function_and_the_reply(api):
    """Once pressed, at once; the history says that it was stopped."""
    talk = Conversation("interrupted")

    def hang() -> str:
        signal.raise_signal(signal.SIGINT)
        time.sleep(60)
        return "late"

    def never() -> str:
        raise AssertionError("not reached")

    api.enqueue(call_of("hang", "never"))
    with pytest.raises(StoppedError) as raised:
        talk.ask("Go.", tools=[hang, never], show=False)

    assert [r.note for r in ran(raised.value.reply)] == ["stopped", "not run: stopped"]
    assert [turn["role"] for turn in talk.messages()] == ["user", "assistant", "user"]


def test_stop_from_another_thread_ends_an_asynchronous_function(api):
    """As the Stop button does."""
    began = threading.Event()

    async def hang() -> str:
        began.set()
        await asyncio.sleep(60)
        return "late"

    api.enqueue(call_of("hang"))
    stream = claude_nb.stream("Go.", tools=[hang])
    began.wait(10)
    stream.stop()
    stream.join(10)

    assert [e.type for e in stream.events][-2:] == ["tool_ran", "stopped"]


def test_the_events_tell_the_run(api):
    """Asked, started, ran: each with the id of its call."""

    def quick() -> str:
        return "x"

    events = [e.data for e in run(api, quick).events if e.type.startswith("tool_")]

    assert [type(e) for e in events] == [ToolStarted, ToolRan]
    assert {e.id for e in events} == {"toolu_0"}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("y", "ran"), ("Yes", "ran"), ("", "The user did not allow this call."), ("n", None)],
)
def test_confirm_asks_before_each_call(api, monkeypatch, capsys, typed, expected):
    """On the terminal by ``input``; what was not allowed is told to the model."""
    questions = []

    def ask(question):
        questions.append(question)
        return typed

    def quick() -> str:
        return "ran"

    monkeypatch.setattr("builtins.input", ask)
    reply = run(api, quick, confirm=True, show=True)

    assert questions == ["Run quick()? [y/N] "]
    assert expected in (None, told(*ran(reply)))
    assert ToolAsked("toolu_0") in [e.data for e in reply.events]


def test_where_nobody_can_be_asked_nothing_runs(api, monkeypatch):
    """Standard input is at its end, as in a batch job."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    def quick() -> str:
        raise AssertionError("not reached")

    (result,) = ran(run(api, quick, confirm=True))

    assert told(result) == "This was not run: nobody could be asked to allow it."
    assert result.note == "not run: nobody could be asked"


def test_a_function_may_ask_itself(api):
    """Another reply inside of one; in the same conversation it is an error that is told."""
    talk = Conversation("nested")

    def ask() -> str:
        """Asks."""
        return claude_nb.ask("Inner?", show=False).text

    def ask_here() -> str:
        """Asks in the conversation that waits."""
        return talk.ask("Inner?", show=False).text

    api.enqueue(call_of("ask", "ask_here"), Stream(said("Inner.")), ANSWER)
    reply = talk.ask("Go.", tools=[ask, ask_here], show=False)

    inner, refused = ran(reply)
    assert told(inner) == "Inner."
    assert "is still being answered" in told(refused)


def test_stopping_an_inner_reply_stops_the_outer_one(api):
    """One press of Stop is meant for all of it."""

    def ask() -> str:
        signal.raise_signal(signal.SIGINT)
        raise StoppedError("Stopped.")

    api.enqueue(call_of("ask"))
    with pytest.raises(StoppedError):
        claude_nb.ask("Go.", tools=[ask], show=False)


def test_in_a_thread_functions_have_a_thread_of_their_own(api):
    """Which is left to itself when the time is up."""
    seen = []

    def where() -> str:
        seen.append(threading.current_thread().name)
        return "x"

    thread = threading.Thread(target=run, args=(api, where))
    thread.start()
    thread.join()

    assert seen == ["claude_nb tool"]


def test_an_awaited_question_runs_its_tools(api):
    """With other tasks going on meanwhile."""

    def quick() -> str:
        return "x"

    api.enqueue(call_of("quick"), ANSWER)
    reply = asyncio.run(claude_nb.ask_async("Go.", tools=[quick], show=False))

    assert (reply.text, told(*ran(reply))) == ("Done.", "x")


def test_each_request_has_its_row_and_the_cost_is_their_sum(api):
    """A loop is paid request by request."""

    def quick() -> str:
        return "x"

    reply = run(api, quick)

    assert [m.stop_reason for m in reply.messages] == ["tool_use", "end_turn"]
    assert reply.usage.output_tokens == 30
    costs = [message.usage.cost(facts(message.model)) for message in reply.messages]
    assert reply.cost == pytest.approx(sum(costs))


def test_a_cost_limit_holds_for_the_whole_loop(api):
    """The second request is counted before it is sent, with what the first one cost."""

    def quick() -> str:
        return "x" * 90_000

    api.enqueue(call_of("quick"), ANSWER)
    count = len(api.requests)
    with pytest.raises(ClaudeError, match="max_cost"):
        claude_nb.ask("Go.", tools=[quick], show=False, max_cost=0.02)

    sent = [r.path for r in api.requests[count:]]
    assert sent == ["/v1/messages/count_tokens", "/v1/messages", "/v1/messages/count_tokens"]
    api.drain()


def test_a_stream_runs_the_tools_of_its_conversation(api):
    """As ``ask`` does, without being passed them again."""

    def quick() -> str:
        return "x"

    talk = Conversation("streamed")
    api.enqueue(*[reply for _ in range(2) for reply in (call_of("quick"), Stream(said("Yes.")))])
    talk.ask("Go.", tools=[quick], show=False)

    events = [event.type for event in claude_nb.stream("Again.", history=talk)]

    assert "tool_ran" in events
    assert talk.exchanges[-1].text == "Yes."
