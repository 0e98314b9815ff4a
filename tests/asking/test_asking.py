"""``ask``, ``stream`` and ``last``, and what a process shares between them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.cost import days
from claude_nb.errors import DroppedError, InputError
from claude_nb.render import saved_output
from claude_nb.session.budget import Budget
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import RecordedUsage
from tests.played import end, said, start, text


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    yield session
    session.simulate(on=False)


def test_ask_returns_the_reply_and_shows_it(api, capsys):
    """Outside a notebook it is plain text, with its usage below."""
    api.enqueue(Stream(said("Hello", " world")))

    reply = claude_nb.ask("Hi")

    assert (reply.text, str(reply.outcome)) == ("Hello world", "complete")
    printed = capsys.readouterr().out
    assert printed.startswith("Hello world\nclaude-opus-5-5 · simulated\nstop reason ")


def test_ask_can_show_nothing(api, capsys):
    """For programs."""
    api.enqueue(Stream(said("Hello")))

    claude_nb.ask("Hi", show=False)

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "prompt",
    [
        "{x} {{x}} $x $$ 'it's' \"a\" \\n \\",
        "nul \x00",
        "مرحبا 你好 👩‍👩‍👧",
        "x" * 1_000_000,
        " a\n",
    ],
)
def test_the_prompt_is_sent_as_it_is(api, prompt):
    """Byte for byte."""
    api.enqueue(Stream(said("Yes.")))

    claude_nb.ask(prompt, show=False)

    assert api.requests[-1].body["messages"] == [{"role": "user", "content": prompt}]


def test_options_are_the_request_s(api):
    """Each arrives where the API expects it."""
    api.enqueue(Stream(said("Yes.")))

    claude_nb.ask("Hi", show=False, model="claude-haiku-4-5", system="Be brief.", max_tokens=9)

    body = api.requests[-1].body
    assert (body["model"], body["system"], body["max_tokens"]) == (
        "claude-haiku-4-5",
        "Be brief.",
        9,
    )


def test_nothing_is_sent_that_cannot_be(api):
    """And the last reply stays the last."""
    number, before = len(api.requests), claude_nb.last()

    with pytest.raises(InputError) as raised:
        claude_nb.ask(" ")
    with pytest.raises(TypeError, match="temperature"):
        claude_nb.ask("Hi", temperature=1)

    assert (raised.value.reply, len(api.requests)) == (None, number)
    assert claude_nb.last() is before


def test_last_is_the_newest_reply_complete_or_not(api, session):
    """So that a reply can be looked at after its cell failed."""
    api.enqueue(Stream([start(), *text("Hel")], end="drop"))
    assert claude_nb.last() is None

    with pytest.raises(DroppedError) as raised:
        claude_nb.ask("Hi", show=False)

    assert claude_nb.last() is raised.value.reply
    assert claude_nb.last().text == "Hel"


def test_the_ledger_has_what_a_server_accepted(api, session):
    """A refused request costs nothing; what a lost one cost is unknown."""
    api.enqueue(
        Stream(said("Hello")),
        Stream([start(), *text("Hel")], end="drop"),
        Error(400, "invalid_request_error", "No."),
    )
    claude_nb.ask("Hi", show=False)
    for _ in range(2):
        with pytest.raises(claude_nb.ClaudeError):
            claude_nb.ask("Hi", show=False)

    entries = session.ledger.entries
    assert [(e.model, e.simulated, e.usage.output_tokens) for e in entries] == [
        ("claude-opus-5-5", True, 15),
        ("claude-opus-5-5", True, None),
    ]
    assert entries[0].cost == pytest.approx(0.0004)
    assert entries[1].cost is None


def test_simulated_replies_say_so(session):
    """With a key in the environment or without one."""
    session.simulate(on=True, speed=float("inf"))

    reply = claude_nb.ask("hello", show=False)

    assert (reply.simulated, reply.request_ids[0][:8]) == (True, "req_sim_")
    assert session.describe_key() == "Answered by the simulator; no key needed."


def test_the_environment_can_turn_the_simulator_on(monkeypatch):
    """As the command line does where it finds no credentials."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")

    assert Session().simulated


CHEAP = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "claude_nb")
import claude_nb
dear = {"anthropic", "httpx2", "markdown_it", "anywidget", "ipywidgets", "tornado", "pydantic"}
print(sorted(dear & set(sys.modules)))
"""


def test_loading_is_cheap():
    """The SDK and the renderer are imported when they are first needed."""
    done = subprocess.run(
        [sys.executable, "-c", CHEAP], capture_output=True, text=True, check=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_stream_keeps_to_the_budget_too(api, session):
    """Its input is counted and its output limited; what it may cost is free when it has ended."""
    session.budget = Budget(0.01, session.ledger.spent)
    api.enqueue(Stream(said("Yes.")))

    list(claude_nb.stream("Hi"))

    assert api.requests[-1].body["max_tokens"] < 500
    assert session.budget.spent == pytest.approx(0.0004)
    with pytest.raises(InputError, match="the budget of"):
        claude_nb.stream("Hi " * 10_000)


def test_a_ledger_that_fails_leaves_no_budget_reserved(api, session, monkeypatch):
    """``stream`` says what went wrong, and the next request may spend what is left."""
    session.budget = Budget(1.0, lambda: 0.0)
    api.enqueue(Stream(said("Hello")))

    def fail(_reply, _place, _conversation):
        raise RuntimeError("the ledger is full")

    monkeypatch.setattr(session.ledger, "charge", fail)
    with pytest.raises(RuntimeError, match="the ledger is full"):
        list(claude_nb.stream("Hi"))

    assert session.budget.left == 1.0


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 20}


def test_searches_are_in_the_cost_the_ledger_and_the_budget(api, session):
    """50,000 tokens of input are $0.20, 20 searches as much again."""
    session.budget = Budget(2.0, session.ledger.spent)
    used = end(input_tokens=50_000, output_tokens=0, server_tool_use={"web_search_requests": 20})
    api.enqueue(Stream([start(), *text("Rain."), *used]))

    reply = claude_nb.ask("Weather?", tools=[SEARCH], show=False)

    assert (reply.cost, reply.usage.web_searches) == (0.4, 20)
    assert session.ledger.spent() == 0.4
    assert session.budget.left == pytest.approx(1.6)
    table = reply._repr_mimebundle_()["text/html"]
    assert ">searches</th>" in table
    assert ">20</td>" in table
    assert "$0.4000" in table


def test_a_limit_lowers_the_searches_and_refuses_what_it_cannot_bound(api, session):
    """What is sent has a ``max_uses`` that $0.10 pays for."""
    api.enqueue(Stream(said("Rain.")))

    reply = claude_nb.ask("Weather?", tools=[SEARCH], max_cost=0.10, show=False)

    (tool,) = api.requests[-1].body["tools"]
    assert tool == SEARCH | {"max_uses": 4}
    assert "at most 4 searches; max_cost does not bound what their results cost" in reply.notes
    api.forget()
    with pytest.raises(InputError, match="Claude may use web_search any number of times"):
        claude_nb.ask("Weather?", tools=["web_search"], max_cost=0.10, show=False)
    assert [found.path for found in api.requests] == ["/v1/messages/count_tokens"]


def test_searches_that_a_limit_lowers_are_those_of_the_next_turn_again(api, session):
    """The conversation keeps the tools that it was given, and may call them."""
    talk = claude_nb.Conversation("weather")
    api.enqueue(*[Stream(said("Rain."))] * 2)

    talk.ask("Weather?", tools=[SEARCH], max_cost=0.10, show=False)
    talk.ask("And tomorrow?", show=False)

    lowered, body = [r.body for r in api.requests if r.path == "/v1/messages"]
    assert lowered["tools"] == [SEARCH | {"max_uses": 4}]
    assert (body["tools"], "tool_choice" in body) == ([SEARCH], False)


def test_what_is_not_priced_makes_the_cost_a_lower_bound(api, session, capsys):
    """It is shown with a plus, and the reason stands below the table."""
    events = [start(), *text("Hi."), *end()]
    events[0]["message"]["usage"] |= {"service_tier": "priority", "inference_geo": "us"}
    api.enqueue(Stream(events))

    reply = claude_nb.ask("Hi")

    assert reply.cost == pytest.approx(0.0004 * 1.1)
    assert reply.unpriced == ("service_tier priority",)
    assert "$0.0004+" in capsys.readouterr().out
    html = reply._repr_mimebundle_()["text/html"]
    assert "lower bound; the price list does not cover service_tier priority." in html


def test_a_refusal_before_any_output_costs_nothing(api, session):
    """It is documented as not billed."""
    api.enqueue(Stream([start(), *end("refusal", output_tokens=0)]))

    reply = claude_nb.ask("Hi", show=False)

    assert (str(reply.outcome), reply.cost, session.ledger.spent()) == ("refused", 0.0, 0.0)


def test_a_record_says_when_it_was_asked(api):
    """Once: where a turn of a conversation says so, the reply's own record does not."""
    alone = claude_nb.ask("Hi", show=False)
    turn = claude_nb.Conversation("talk").ask("Hi", show=False)
    record, of_turn = (saved_output.record(reply, reply.request) for reply in (alone, turn))

    assert RecordedUsage.of(record).asked == alone.asked_at
    assert days.local_day(alone.asked_at) == str(days.local_now().date())
    assert "asked" not in of_turn
    assert RecordedUsage.of(of_turn).asked == of_turn["turn"]["asked"]
