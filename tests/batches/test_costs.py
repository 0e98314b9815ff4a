"""What a batch may cost and has cost: limits that hold, and what is saved of it."""

from __future__ import annotations

import os

import pytest

from claude_nb.asking import asking
from claude_nb.batches import rows
from claude_nb.batches.batch import Batch, recent
from claude_nb.cost import days
from claude_nb.errors import InputError, RequestError
from claude_nb.session.budget import Budget
from claude_nb.session.shared_budget import shared_budget
from claude_nb.simulator import Error, Scripted
from claude_nb.streaming.record import MIME
from tests.batches.service import DAY, batches_of, handed_in, sent, texts


def test_a_dry_run_hands_nothing_in(service, account):
    """A few are counted for all, which is said; ``submit`` then hands it in."""
    planned = handed_in([f"hello {n}" for n in range(150)], dry_run=True, max_tokens=100)
    shown = repr(planned._repr_mimebundle_())
    assert "100 of 150 rows" in shown
    assert "Not sent yet" in shown
    assert recent().rows == []
    assert "All rows were counted" in repr(planned.estimate(every=True)._repr_mimebundle_())
    assert planned.submit().state == "in progress"


def test_max_cost_lowers_max_tokens_or_refuses(service, monkeypatch, tmp_path):
    """All rows are counted; at batch prices 1,000 tokens of Haiku's output cost $0.00025."""
    handed_in(["hello"] * 4, max_cost=0.0011, max_tokens=2000)
    lowered = {request["params"]["max_tokens"] for request in sent(service)}
    assert len(lowered) == 1
    assert 1000 < lowered.pop() < 1100
    with pytest.raises(InputError, match="exceed max_cost"):
        handed_in(["hello"] * 4, max_cost=0.0001)
    prices = tmp_path / "prices.json"
    prices.write_text('{"models": {"claude-opus-5-5": {"batch_discount": null}}}')
    monkeypatch.setenv("CLAUDE_NB_PRICES", str(prices))
    with pytest.raises(InputError, match="in a batch is unknown"):
        handed_in(["hello"], model="claude-opus-5-5", max_cost=1)


def test_a_budget_of_thinking_stays_below_a_lowered_max_tokens(service):
    """Where a model takes one, it is less than ``max_tokens``: the API refuses it otherwise."""
    options = {"model": "claude-haiku-4-5", "thinking": "on", "max_tokens": 16_000}
    handed_in(["hello"] * 4, max_cost=0.02, **options)
    params = sent(service)[0]["params"]
    assert params["max_tokens"] < 8_000
    assert params["thinking"]["budget_tokens"] < params["max_tokens"]


def test_a_budget_is_kept_for_what_is_under_way(service):
    """Until the results are read; then what they cost counts."""
    asking.session.budget = Budget(0.01, asking.session.ledger.spent)
    made = handed_in(["hello"] * 4, max_tokens=8000)
    with pytest.raises(InputError, match="budget"):
        handed_in(["hello"] * 40, max_tokens=1000)
    service.advance(1000)
    made.wait()
    assert asking.session.budget.spent == made.cost
    handed_in(["hello"] * 30, max_tokens=1000)


def refusing(service):
    """Let the service refuse the next batch."""
    service.enqueue(Error(400, "invalid_request_error", "No"), at="batches")


def test_a_budget_holds_when_it_is_handed_in_a_second_time(service):
    """Nothing is kept of it for what was refused, and it is looked at anew."""
    asking.session.budget = Budget(0.01, asking.session.ledger.spent)
    refusing(service)
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 4, max_tokens=8000)
    made = caught.value.reply
    other = handed_in(["hello"] * 4, max_tokens=8000)
    assert sent(service)[0]["params"]["max_tokens"] == 8000
    made.submit()
    assert 1900 < sent(service)[0]["params"]["max_tokens"] < 2000
    assert len({*made.ids, *other.ids}) == 2

    asking.session.budget = Budget(0.01, asking.session.ledger.spent)
    refusing(service)
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 4, max_tokens=8000)
    before = batches_of(service)
    asking.session.budget = Budget(0.000001, asking.session.ledger.spent)
    with pytest.raises(InputError, match="exceed the budget"):
        caught.value.reply.submit()
    assert (batches_of(service), caught.value.reply.state) == (before, "not submitted")


def test_a_budget_keeps_what_is_left_of_a_batch_only_once(service, monkeypatch):
    """A part was taken, the other one was not: what both can cost is kept already."""
    monkeypatch.setattr(rows, "MAX_REQUESTS", 2)
    asking.session.budget = Budget(0.009, asking.session.ledger.spent)
    service.enqueue(Scripted(None), at="batches")
    refusing(service)
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 4, max_tokens=8000)
    made = caught.value.reply
    assert (len(made.ids), made.state) == (1, "partly submitted")
    assert made.submit().state == "in progress"
    assert sent(service)[0]["params"]["max_tokens"] == 8000


def test_max_cost_is_for_all_that_is_handed_in(service):
    """What was spent is not there to be spent again."""
    made = handed_in(["a long story", "simulate expired"], max_tokens=2000, max_cost=0.00101)
    service.advance(DAY)
    made.wait()
    assert made.cost > 0
    left = 0.00101 - made.cost
    made.resubmit(max_tokens=100_000)
    rows, (most,) = len(sent(service)), {r["params"]["max_tokens"] for r in sent(service)}
    assert rows * most * 0.25 / 1e6 < left
    assert "max tokens lowered from 100,000" in repr(made._repr_mimebundle_())


def test_what_was_not_handed_in_again_changes_nothing(service):
    """Refused by a limit or by the service: its results and its options stay as they are."""
    made = handed_in(["hello", "a long story"], max_tokens=20)
    service.advance(1000)
    before = texts(made.wait())
    asking.session.budget = Budget(0.000001, asking.session.ledger.spent)
    with pytest.raises(InputError, match="exceed the budget"):
        made.resubmit(max_tokens=5000)
    asking.session.budget = Budget(0.01, asking.session.ledger.spent)
    refusing(service)
    with pytest.raises(RequestError):
        made.resubmit(max_tokens=6000)
    assert (texts(made), made.done, made.counts) == (before, True, {"truncated": 2})
    record = made._repr_mimebundle_()[MIME]
    assert record["batch"]["options"]["max_tokens"] == 20
    asking.session.budget = Budget(0.02, asking.session.ledger.spent)
    made.resubmit(max_tokens=20_000)
    assert sent(service)[0]["params"]["max_tokens"] == 20_000
    assert texts(made) == [None, None]


def test_what_is_left_of_handing_in_again_is_handed_in_by_submit(service, monkeypatch):
    """A part was taken; the old results of the other one stay until it is."""
    made = handed_in(["a long story"] * 2, max_tokens=20)
    service.advance(1000)
    before = texts(made.wait())
    monkeypatch.setattr(rows, "MAX_REQUESTS", 1)
    service.enqueue(Scripted(None), at="batches")
    refusing(service)
    with pytest.raises(RequestError):
        made.resubmit(max_tokens=20_000)
    assert texts(made) == [None, before[1]]
    with pytest.raises(InputError) as caught:
        made.resubmit()
    assert caught.value.advice == "submit() submits the rest."
    made.submit()
    assert sent(service)[0]["params"]["max_tokens"] == 20_000
    service.advance(1000)
    assert made.wait().counts == {"complete": 2}


def test_what_each_part_took_is_saved_by_its_id(service):
    """So that it is counted once, in whichever notebooks it is read."""
    made = handed_in(["hello", "simulate expired"])
    service.advance(DAY)
    first = made.wait()._repr_mimebundle_()[MIME]["batch"]["spent"]
    made.resubmit()
    assert made._repr_mimebundle_()[MIME]["batch"]["spent"] == first
    service.advance(DAY)
    saved = made.wait()._repr_mimebundle_()[MIME]
    assert list(saved["batch"]["spent"]) == made.ids
    assert [part["requests"] for part in saved["batch"]["spent"].values()] == [1, 0]
    assert saved["batch"]["spent"][made.ids[0]]["cost_usd"] == made.cost == saved["cost_usd"]


def test_no_key_is_saved(service, monkeypatch):
    """Neither in the record nor in what is shown, not even one that stands in a prompt."""
    secret = "sk-ant-" + "a1" * 20
    made = handed_in([f"my key is {secret}", "simulate an error"])
    service.advance(1000)
    made.wait()
    data = made._repr_mimebundle_()
    assert secret not in repr(data)
    assert os.environ["ANTHROPIC_API_KEY"] not in repr(data)
    assert data[MIME]["batch"]["ids"] == made.ids


@pytest.fixture
def real(service, monkeypatch):
    """The batch service of the simulator, taken for that of the API."""
    monkeypatch.setattr("claude_nb.batches.state.BatchState.simulated", False)
    return service


def test_a_batch_is_reserved_until_it_is_read(real):
    """By this kernel, or by a later one, which finds it by its ids."""
    shared_budget.set(0.02, "month")
    made = handed_in(["hello"] * 4, max_tokens=8000)
    (part,) = shared_budget.budgets()[0].reserved
    assert part.name == made.ids[0]
    with pytest.raises(InputError, match="per month"):
        handed_in(["hello"] * 500, max_tokens=8000)
    real.advance(DAY)

    read = Batch.resume(*made.ids, show=False)

    (budget,) = shared_budget.budgets()
    assert (budget.spent, budget.reserved) == (pytest.approx(read.cost), ())
    made.wait()
    assert shared_budget.budgets()[0].spent == pytest.approx(read.cost)
    (spent,) = read._repr_mimebundle_()[MIME]["batch"]["spent"].values()
    assert days.local_day(spent["asked"])
