"""A fallback, asked for: what is sent, shown, remembered, charged, and where there is none."""

from __future__ import annotations

from typing import Any

import pytest

import claude_nb
from claude_nb import Conversation
from claude_nb.asking import asking
from claude_nb.errors import InputError
from claude_nb.render import saved_output
from claude_nb.session.budget import Budget
from claude_nb.session.session import Session
from claude_nb.simulator import Stream
from claude_nb.simulator.fallbacks import BETA
from tests.played import end, start

ASKED, OTHER = "claude-opus-5-5", "claude-opus-4-8"


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """A session of each test's own."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    return session


def ask(prompt="Please refuse.", **options: Any):
    """Ask with a fallback, and show nothing."""
    return claude_nb.ask(prompt, show=False, fallback=True, **options)


def test_it_is_asked_for_with_the_beta_it_needs(api):
    """And not otherwise."""
    ask()
    claude_nb.ask("hello", show=False)

    with_it, without = api.requests[-2:]
    assert (with_it.body["fallbacks"], with_it.headers["anthropic-beta"]) == ("default", BETA)
    assert ("fallbacks" in without.body, "anthropic-beta" in without.headers) == (False, False)


@pytest.mark.parametrize("prompt", ["Please refuse.", "Refuse at once."])
def test_the_model_that_answered_is_named_and_each_has_its_row(api, session, prompt):
    """In all three saved forms, the record and the ledger, which adds up to the reply's cost."""
    reply = ask(prompt)

    saved = saved_output.forms(reply)
    for form in saved.values():
        assert f"{OTHER} in place of {ASKED}" in form
        assert f"{OTHER} goes on" in form
    for row in (f"{ASKED} declined", f"{OTHER} · end turn"):
        assert row in saved["text/html"]
    assert saved_output.record(reply)["model"] == OTHER
    rows = session.ledger.entries
    assert [(row.model, row.stop_reason) for row in rows] == [
        (ASKED, "refusal"),
        (OTHER, "end_turn"),
    ]
    assert session.ledger.spent() == pytest.approx(reply.cost)
    assert (rows[0].cost == 0) == (prompt == "Refuse at once.")


def test_a_refusal_says_how_another_model_may_answer(api):
    """With the option's own name; not where it was asked for, or there is none."""
    advice = "Another model may answer: ask with"
    plain = claude_nb.ask("Please refuse.", show=False)
    haiku = claude_nb.ask("Please refuse.", model="claude-haiku-5-5", show=False)
    declined = ask(model=OTHER)

    assert f"{advice} fallback=True." in saved_output.mimebundle(plain)["text/plain"]
    for reply in (haiku, declined):
        assert str(reply.outcome) == "refused"
        assert advice not in saved_output.mimebundle(reply)["text/plain"]


def test_a_model_that_could_not_be_asked_is_named(api):
    """The API recommends it where its limits or its load kept it from answering."""
    ending = end("refusal")
    ending[0]["delta"]["stop_details"] = {"type": "refusal", "recommended_model": OTHER}
    api.enqueue(Stream([start(), *ending]))

    plain = saved_output.mimebundle(ask())["text/plain"]

    assert f"{OTHER} could not be reached; it may answer." in plain


def test_the_next_turn_brings_back_what_the_api_takes(api):
    """The block between the models only with the beta; the first model's thinking never."""
    talk = Conversation("fell back")
    talk.ask("Please refuse.", show=False, fallback=True)
    talk.ask("hello", show=False, fallback=True)
    talk.ask("hello", show=False)

    turns = [request.body["messages"][1]["content"] for request in api.requests[-2:]]
    with_it, without = ([block["type"] for block in turn] for turn in turns)
    assert with_it == ["text", "fallback", "thinking", "text"]
    assert without == [kind for kind in with_it if kind != "fallback"]


def test_a_form_is_not_made_of_two_answers(api):
    """It is asked for without a stream, in which the first model's beginning would stand."""
    ask("hello", output=int)

    assert "stream" not in api.requests[-1].body


@pytest.mark.parametrize("limit", ["max_cost", "budget"])
def test_no_limit_can_be_kept_with_it(api, session, limit):
    """The API chooses the models, so nothing is sent."""
    number = len(api.requests)
    options = {"max_cost": 1.0} if limit == "max_cost" else {}
    if not options:
        session.budget = Budget(5.0, session.ledger.spent)

    with pytest.raises(InputError, match=r"With fallback the API chooses which models answer"):
        ask(**options)

    assert len(api.requests) == number


def test_where_the_api_has_none(api):
    """A model without one, and a batch, are refused before anything is sent."""
    number = len(api.requests)

    with pytest.raises(InputError, match="The API has no fallback for claude-haiku-5-5"):
        ask(model="claude-haiku-5-5")
    with pytest.raises(InputError, match="Batches do not support fallback"):
        claude_nb.batch(["one", "two"], fallback=True, show=False)

    assert len(api.requests) == number
