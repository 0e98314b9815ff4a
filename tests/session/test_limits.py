"""The user's budget for a period, kept by whatever asks: each reserves before it sends."""

from __future__ import annotations

import json

import pytest

import claude_nb
from claude_nb import Conversation
from claude_nb.asking import asking
from claude_nb.client.retry import Policy
from claude_nb.errors import ClaudeError, InputError
from claude_nb.session.budget import Budget
from claude_nb.session.shared_budget import shared_budget
from claude_nb.simulator import Stream
from tests.batches.service import handed_in
from tests.gateway import Gateway
from tests.played import end, escaped, said, start, text, tool_use

# USD per million tokens of claude-opus-5-5: input 4, output 20.


@pytest.fixture
def server(gateway) -> Gateway:
    """A server that is no simulator: 100,000 tokens come in, 5,000 go out, which is $0.50."""
    gateway.headers = {"Content-Type": "text/event-stream"}
    gateway.bodies["/count_tokens"] = json.dumps({"input_tokens": 100_000}).encode()
    used = end(input_tokens=100_000, output_tokens=5_000)
    gateway.bodies["/messages"] = escaped(start(), *text("Yes."), *used)
    return gateway


def sent(server: Gateway) -> int:
    """How many messages it was asked for."""
    return sum(path.startswith("/v1/messages?") or path == "/v1/messages" for path in server.paths)


def asked(**options: object):
    """A question that may cost $0.60."""
    return claude_nb.ask("Hi", max_tokens=10_000, show=False, **options)


def test_what_a_reply_has_cost_takes_the_place_of_what_it_could(server):
    """The second one gets what is left, and the third one is not sent."""
    shared_budget.set(1.10, "month")

    first, second = asked(), asked()
    with pytest.raises(InputError, match=r"exceed the budget of \$1.1000 per month: \$0.1000 are"):
        asked()

    assert (first.cost, sent(server)) == (0.5, 2)
    assert shared_budget.budgets()[0].spent == pytest.approx(1.0)
    assert second.notes == ()


def test_both_budgets_hold(server, monkeypatch):
    """That of this kernel is the smaller one here, and named."""
    shared_budget.set(5, "day")
    budget = Budget(0.55, asking.session.ledger.spent)
    monkeypatch.setattr(asking.session, "budget", budget)

    assert "of the budget of $0.5500" in asked().notes[-1]
    spent = [budget.spent, shared_budget.budgets()[0].spent]
    assert spent == pytest.approx([0.5, 0.5])
    with pytest.raises(InputError, match=r"the budget of \$0.5500: \$0.0500 are left"):
        asked()


def test_what_broke_off_counts_with_what_it_could_have_cost(server):
    """No count came, so nothing is known; the whole answer may be on the bill."""
    shared_budget.set(2, "month")
    server.bodies["/messages"] = escaped(start(), *text("Ye"))

    with pytest.raises(ClaudeError):
        asked(policy=Policy(tries=1))

    assert shared_budget.budgets()[0].spent == pytest.approx(0.6)


def test_what_was_refused_costs_nothing(server):
    """A status that says so is a bill of nothing."""
    shared_budget.set(2, "month")
    asked()
    del server.bodies["/messages"]
    server.body = b'{"type": "error", "error": {"type": "invalid_request_error", "message": "No"}}'
    server.bodies["/count_tokens"] = b'{"input_tokens": 10}'
    server.status = 400

    with pytest.raises(ClaudeError):
        asked()
    assert shared_budget.budgets()[0].left == pytest.approx(1.5)


def test_simulated_replies_do_not_count(api, monkeypatch):
    """Neither those of a simulator that is turned on, nor of one behind the user's own address."""
    shared_budget.set(0.01, "month")
    asked_there = claude_nb.ask("Hi", max_tokens=100, show=False)
    assert asked_there.simulated
    assert shared_budget.budgets()[0].left == 0.01

    monkeypatch.setattr(asking.session, "_simulate", True)
    monkeypatch.setattr(asking.session, "_simulator", api)
    assert "max tokens lowered" not in str(asked().notes)
    assert (shared_budget.budgets()[0].spent, shared_budget.budgets()[0].reserved) == (0.0, ())


def test_a_file_that_cannot_be_used_keeps_everything_from_being_sent(server):
    """A question, one in the background, a comparison, a chat, a summary, a batch, a warm-up."""
    talk = Conversation("talk")
    talk.ask("Hi", show=False)
    shared_budget.set(5, "month")
    shared_budget.path.write_bytes(b"")
    before = sent(server)
    system = claude_nb.CachedSystem("Be brief.")
    chat = claude_nb.Chat("talk")

    for ask in (
        asked,
        lambda: claude_nb.stream("Hi"),
        lambda: asking.begin(asking.Question.of("Hi"), lambda *_: None, lambda *_: None),
        lambda: claude_nb.compare("Hi", models=["claude-opus-5-5", "claude-haiku-5-5"]),
        lambda: chat.ask("Hi"),
        talk.compact,
        lambda: handed_in(["Hi"]),
        lambda: system.warm("claude-opus-5-5"),
    ):
        with pytest.raises(InputError, match=r"it is empty\. Nothing was sent"):
            ask()
    assert sent(server) == before


def test_replies_side_by_side_share_what_is_left(server):
    """Each gets its part: the first would leave nothing to the other."""
    shared_budget.set(1.0, "month")

    found = claude_nb.compare("Hi", efforts=["low", "high"], max_tokens=10_000)

    assert [reply.cost for reply in found] == [0.5, 0.5]
    assert shared_budget.budgets()[0].spent == pytest.approx(1.0)


def test_tools_reserve_for_each_request_of_a_reply(api):
    """What the first one has cost is in what the second one reserves: 15 tokens of output more."""
    shared_budget.set(5, "month")
    seen = []

    def look() -> str:
        """Look."""
        seen.append(shared_budget.budgets()[0].reserved[0].usd)
        return "seen"

    for number in (1, 2):
        call = tool_use("{}", name="look", call=f"toolu_{number}")
        api.enqueue(Stream([start(), *call, *end("tool_use", input_tokens=100)]))
    api.enqueue(Stream(said("Done.")))
    claude_nb.ask("Hi", tools=[look], show=False, max_tokens=1000)

    assert seen[1] - seen[0] > (100 * 4 + 15 * 20) / 1e6
    assert shared_budget.budgets()[0].reserved == ()
