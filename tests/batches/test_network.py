"""The network lost at every moment: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from claude_nb import Batch
from claude_nb.asking import asking
from claude_nb.batches import rows
from claude_nb.batches.batch import recent
from claude_nb.client.retry import Policy
from claude_nb.errors import (
    ClaudeError,
    DroppedError,
    InputError,
    OverloadedError,
    StoppedError,
    UnreachableError,
)
from claude_nb.simulator import Error, Raw, Scripted
from tests.batches.service import AT_ONCE, HAIKU, batches_of, handed_in, sent


def test_the_network_is_lost_while_waiting(service):
    """However often: the batch goes on, and so does the waiting."""
    made = handed_in(["hello"])
    service.advance(1000)
    faults = [Error(529, "overloaded_error", "Overloaded"), Raw([b"{"], end="reset")] * 4
    service.enqueue(*faults, Error(500, "api_error", "No"), at="batches")
    assert made.wait().counts == {"complete": 1}


def test_the_network_is_lost_while_reading(service):
    """What was read is not lost, and nothing is counted twice."""
    made = handed_in(["hello"] * 9)
    service.advance(1000)
    service.enqueue(Scripted(4), Scripted(2, end="reset"), Scripted(6, end="close"), at="results")
    assert made.wait().counts == {"complete": 9}
    assert asking.session.ledger.entries[0].requests == 9
    assert made.usage.output_tokens == sum(r.usage.output_tokens for r in made.results)


def test_a_server_that_sends_too_few_results(service):
    """The rows without one say so; damaged and foreign lines are passed over."""
    made = handed_in(["hello"] * 2)
    service.advance(1000)
    known = json.dumps(
        {"custom_id": sent(service)[0]["custom_id"], "result": {"type": "canceled"}}
    ).encode()
    lines = [known, b"\n{broken\n", b'{"custom_id":"9-10-0123456789ab","result":{}}\n', known]
    service.enqueue(*[Raw(lines)] * 3, at="results")
    assert made.wait().counts == {"canceled": 1, "missing": 1}


def test_results_that_cannot_be_read_have_an_unknown_cost(service):
    """They may have been paid for; their rows are missing, and can be submitted again."""
    for unreadable in (b"{broken\n", b""):
        made = handed_in(["hello"] * 2, show=False)
        service.advance(1000)
        service.enqueue(*[Raw([unreadable])] * 3, at="results")
        made.wait()
        assert (made.counts, made.cost) == ({"missing": 2}, None)
        assert asking.session.ledger.entries[-1].cost is None
        assert "2 unreadable results" in repr(made._repr_mimebundle_())
        assert made.resubmit().counts == {"processing": 2}
        service.advance(1000)
        assert made.wait().counts == {"complete": 2}
        assert made.cost is None
    assert [entry.requests for entry in asking.session.ledger.entries] == [2] * 4


def test_reading_that_fails_again_and_again_can_be_done_later(service):
    """It raises after the tries that there are, and the batch is as it was."""
    made = handed_in(["hello"] * 9)
    service.advance(1000)
    service.enqueue(*[Raw([b'{"custom'], end="reset")] * 5, at="results")
    with pytest.raises(DroppedError):
        made.refresh()
    assert made.wait().counts == {"complete": 9}


@pytest.mark.parametrize(
    "answer",
    [Scripted(0), Error(500, "api_error", "No"), Raw([b"{"], end="reset"), Raw([b"{}"])],
    ids=["lost", "500", "cut off", "no batch"],
)
def test_an_answer_that_was_lost_is_no_second_batch(service, answer):
    """Whether it was taken is not known: the error says how to look, and it is not sent again."""
    service.enqueue(answer, at="batches")
    before = batches_of(service)
    with pytest.raises(ClaudeError) as caught:
        handed_in(["hello"])
    made = caught.value.reply
    assert caught.value.advice.startswith(
        "The service may have accepted a batch of 1: %claude_nb batches"
    )
    assert made.state == "perhaps submitted"
    assert caught.value.advice in made._repr_mimebundle_()["text/plain"]
    for again in (made.submit, made.wait, made.resubmit):
        with pytest.raises(InputError, match="may have accepted"):
            again()
    assert batches_of(service) - before == 1


def test_what_may_have_been_taken_is_resumed_and_the_rest_handed_in(service, account, monkeypatch):
    """Of three batches the first is taken, the second too, though no answer came."""
    monkeypatch.setattr(rows, "MAX_REQUESTS", 1)
    prompts = ["hello", "sky blue", "a number"]
    service.enqueue(Scripted(None), Scripted(0), at="batches")
    with pytest.raises(
        UnreachableError, match="The service may have accepted a batch of 1"
    ) as caught:
        handed_in(prompts)
    made = caught.value.reply
    listed = [row[0] for row in recent().rows]
    assert made.ids == listed[1:]
    service.advance(1000)
    with pytest.raises(InputError, match="may have accepted"):
        made.wait().resubmit()
    found = Batch.resume(*listed, prompts=prompts, model=HAIKU, show=False)
    assert found.counts == {"complete": 2, "missing": 1}
    found.resubmit()
    service.advance(1000)
    assert found.wait().counts == {"complete": 3}
    assert len(recent().rows) == 3


def test_a_stop_while_it_is_handed_in_says_that_it_may_have_been_taken(service):
    """And ``submit`` does not send it a second time."""
    service.enqueue(Scripted(0, end="hang"), at="batches")
    before = batches_of(service)

    def interrupt():
        while batches_of(service) == before:
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(StoppedError, match="accepted a batch of 1: %claude_nb") as caught:
        handed_in(["hello"])
    made = caught.value.reply
    assert made.state == "perhaps submitted"
    with pytest.raises(InputError, match="may have accepted"):
        made.submit()
    assert batches_of(service) - before == 1


def test_a_server_that_is_not_there_has_taken_nothing(service, monkeypatch):
    """It is asked again as often as the policy says, and nobody is told to look for the batch."""
    tried = []

    class Counted(Policy):
        def wait(self, error, failures):
            tried.append(failures)
            return super().wait(error, failures)

    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        handed_in(["hello"], policy=Counted(tries=3, base=0.0))
    assert (tried, "may have accepted" in str(caught.value)) == ([1, 2, 3], False)
    assert caught.value.reply.state == "not submitted"
    monkeypatch.setenv("ANTHROPIC_BASE_URL", service.base_url)
    assert caught.value.reply.submit().state == "in progress"


def test_an_overload_is_waited_out(service, account):
    """It is a definite no, so it is asked again: to submit, to look and to resume."""
    busy = Error(529, "overloaded_error", "Overloaded")
    service.enqueue(busy, busy, at="batches")
    made = handed_in(["hello"])
    assert [row[0] for row in recent().rows] == made.ids
    service.advance(1000)
    service.enqueue(busy, at="batches")
    assert Batch.resume(*made.ids, policy=AT_ONCE, show=False).counts == {"complete": 1}
    service.enqueue(busy, at="batches")
    assert made.refresh().counts == {"complete": 1}
    service.enqueue(*[busy] * 5, at="batches")
    with pytest.raises(OverloadedError) as caught:
        handed_in(["hello"])
    assert "may have accepted" not in str(caught.value)


def test_an_error_between_two_parts_loses_neither(service, monkeypatch):
    """What was taken is named, and ``submit`` submits the rest."""
    monkeypatch.setattr(rows, "MAX_REQUESTS", 1)
    refused = Error(400, "invalid_request_error", "No")
    service.enqueue(Scripted(None), refused, at="batches")
    with pytest.raises(ClaudeError) as caught:
        handed_in(["hello", "hello"], policy=Policy(tries=1))
    made = caught.value.reply
    assert isinstance(made, Batch)
    made.submit()
    service.advance(1000)
    assert made.wait().counts == {"complete": 2}
    with pytest.raises(InputError, match="already"):
        made.submit()


def test_an_interrupt_ends_the_waiting_and_not_the_batch(service):
    """As the Stop button of the notebook sends it."""
    made = handed_in(["hello"])

    def interrupt():
        service.wait_for(lambda requests: requests[-1].method == "GET")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(StoppedError, match="The batch continues"):
        made.wait()
    service.advance(1000)
    assert made.wait().counts == {"complete": 1}
