"""``ask``, ``stream`` and ``last``, and what a process shares between them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.errors import DroppedError, InputError
from claude_nb.session.budget import Budget
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Stream
from tests.played import said, start, text


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    yield session
    session.simulate(on=False)


def test_ask_returns_the_reply_and_shows_it(api, capsys):
    """Outside a notebook it is plain text, with a line about its usage."""
    api.enqueue(Stream(said("Hello", " world")))

    reply = claude_nb.ask("Hi")

    assert (reply.text, str(reply.outcome)) == ("Hello world", "complete")
    printed = capsys.readouterr().out
    assert printed.startswith("Hello world\nclaude-opus-5-5 · simulated · end turn · 25 in · ")


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
