"""``batch`` and ``Batch``: handed in, waited for, resumed and read, with all that can go wrong."""

from __future__ import annotations

import json
import os
import signal
import threading

import anthropic
import pandas as pd
import pytest
from pydantic import BaseModel

import claude_nb
from claude_nb import Batch, batch_api, run
from claude_nb.batches import job, patience, reading, requests
from claude_nb.batching.account import recent
from claude_nb.budget import Budget
from claude_nb.errors import (
    ClaudeError,
    DroppedError,
    InputError,
    OverloadedError,
    RequestError,
    StoppedError,
    UnreachableError,
)
from claude_nb.retry import Policy
from claude_nb.session import Session
from claude_nb.simulator import Error, Raw, Scripted, Simulator

HAIKU = "claude-haiku-5-5"
AT_ONCE = Policy(base=0.0)
DAY = 24 * 3600.0


@pytest.fixture(scope="module")
def slow():
    """A simulator in which time passes only when it is put forward, near enough."""
    with Simulator(speed=0.01) as running:
        yield running


@pytest.fixture
def service(slow, monkeypatch):
    """It in the place of the API, with a session and a patience of this test's own."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setattr(run, "session", Session())
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    yield slow
    slow.drain()


@pytest.fixture
def account(monkeypatch, request):
    """An account of this test's own, in which no other batches are."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"key-of-{request.node.name}")


def handed_in(prompts: object, template: str | None = None, **options: object):
    """A batch on its way, without a view."""
    options = {"model": HAIKU, "policy": AT_ONCE, "show": False, **options}
    return claude_nb.batch(prompts, template, **options)


def sent(service):
    """The requests of the newest batch, as they were sent."""
    bodies = [r.body for r in service.requests if r.path == "/v1/messages/batches" and r.body]
    return bodies[-1]["requests"]


def texts(batch):
    """The text of each row, in order."""
    return [result.text for result in batch.results]


# --- what is sent ---------------------------------------------------------------------------


def test_what_is_sent(service):
    """One request for each row, never with ``stream``; nobody watches, so thinking is not shown."""
    made = handed_in(["hello", "sky blue"], system="Be brief.", max_tokens=500, effort="low")
    first, second = sent(service)
    assert first["params"] == {
        "model": HAIKU,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "hello"}],
        "system": "Be brief.",
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "low"},
    }
    assert first["custom_id"].startswith("0-2-")
    assert second["params"]["messages"][0]["content"] == "sky blue"
    assert (made.state, len(made), made.done) == ("in progress", 2, False)


def test_a_cached_system_prompt_is_kept_for_an_hour(service):
    """A batch takes longer than five minutes; it is said, and what is cached costs less."""
    manual = claude_nb.CachedSystem(("manual", "word " * 4000))
    made = handed_in(["hello"] * 4, system=manual, max_tokens=300)
    (block,) = sent(service)[0]["params"]["system"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    service.advance(1000)
    usage = made.wait().usage
    assert usage.cache_write_1h_tokens > 0
    assert usage.cache_read_tokens == 3 * usage.cache_write_1h_tokens
    assert "1 hour" in repr(made._repr_mimebundle_())


def test_a_batch_is_split_by_requests_and_by_bytes(service, monkeypatch):
    """Several batches of the service are one of ours, each row in one of them."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 4)
    made = handed_in([f"hello {n}" for n in range(10)])
    assert len(made.ids) == 3
    service.advance(1000)
    assert made.wait().counts == {"complete": 10}
    monkeypatch.setattr(requests, "MAX_BYTES", 5000)
    made = handed_in(["x" * 1500] * 8)
    assert len(made.ids) == 4
    assert all(len(json.dumps(r.body)) < 5200 for r in service.requests[-8:] if r.body)


def test_rows_that_cannot_be_sent_are_named_and_the_others_are_sent(service):
    """Empty, missing and enormous prompts among many; each keeps its place."""
    huge = "x" * 33_000_000
    made = handed_in(pd.Series(["hello", "", None, huge, "  ", "sky blue"], index=list("abcdef")))
    assert len(sent(service)) == 2
    service.advance(1000)
    made.wait()
    assert {r.label: r.outcome for r in made.failed} == dict.fromkeys("bcde", "not sent")
    assert "empty" in made.results[1].error
    assert "missing" in made.results[2].error
    assert "32 MB" in made.results[3].error
    assert [r.outcome for r in made.results] == [
        "complete",
        *["not sent"] * 4,
        "complete",
    ]


@pytest.mark.parametrize(
    ("prompts", "options", "said"),
    [
        (["", None], {}, "No row can be sent"),
        (["x"], {"effort": "lots"}, "no effort"),
        (["x"], {"model": " "}, "model id is empty"),
        (["x"], {"output": 7}, "int"),
        (["x"], {"template": "{{nothing}}"}, "nothing"),
        (["x"], {"max_cost": -1}, "above 0"),
    ],
    ids=str,
)
def test_what_cannot_be_handed_in_at_all(service, prompts, options, said):
    """Nothing is sent."""
    before = len(service.requests)
    with pytest.raises(InputError, match=said):
        handed_in(prompts, **options)
    paths = {request.path for request in service.requests[before:]}
    assert paths <= {"/v1/messages/count_tokens"}


def test_a_client_that_has_no_batches_says_so(service):
    """Bedrock's and Vertex's clients refuse them themselves."""
    client = anthropic.AsyncAnthropicVertex(project_id="p", region="r", access_token="t")
    with pytest.raises(InputError, match="no batches"):
        handed_in(["x"], client=client)


# --- what comes -----------------------------------------------------------------------------


def test_results_come_back_in_order_with_the_index(service):
    """Whatever order they came in; the table that was passed may have changed meanwhile."""
    table = pd.DataFrame(
        {"text": [f"row {n}" for n in range(30)]}, index=[n // 2 for n in range(30)]
    )
    made = handed_in(table, "Look at {{text}}.")
    expected = [f"Look at row {n}." for n in range(30)]
    table["text"] = table["text"].iloc[::-1].tolist()
    table.index = range(100, 130)
    service.advance(1000)
    frame = made.wait().to_pandas()
    assert list(frame.index) == [n // 2 for n in range(30)]
    assert all(prompt in text for prompt, text in zip(expected, frame["text"], strict=True))
    assert list(frame["outcome"].unique()) == ["complete"]
    assert [result.row for result in made.results[3:5]] == [3, 4]


def test_every_outcome_is_named_with_its_reason(service):
    """Errors, refusals, what was cut off and what expired."""
    prompts = ["hello", "simulate an error", "please refuse", "a long story", "simulate expired"]
    made = handed_in(prompts, max_tokens=200)
    service.advance(DAY)
    made.wait()
    assert [r.outcome for r in made.results] == [
        "complete",
        "errored",
        "refused",
        "truncated",
        "expired",
    ]
    reasons = {str(r.label): r.error for r in made.failed}
    assert "api_error" in reasons["1"]
    assert "declined" in reasons["2"]
    assert "max_tokens" in reasons["3"]
    assert "24 hours" in reasons["4"]
    shown = made._repr_mimebundle_()[0]["text/plain"]
    assert all(reason in shown for reason in reasons.values())


def test_cost_and_ledger_are_at_batch_prices(service):
    """Half of what streaming them would cost; known when the results are read, and only once."""
    made = handed_in(["hello"] * 3)
    assert (made.cost, run.session.ledger.entries) == (0.0, [])
    service.advance(1000)
    made.wait().wait()
    (entry,) = run.session.ledger.entries
    assert (entry.requests, entry.request_id, entry.simulated) == (3, made.ids[0], True)
    assert entry.usage == made.usage
    full = sum(r.usage.input_tokens * 0.1 + r.usage.output_tokens * 0.5 for r in made.results) / 1e6
    assert entry.cost == pytest.approx(full / 2) == made.cost
    Batch.resume(*made.ids, show=False)
    assert len(run.session.ledger.entries) == 1


class Feeling(BaseModel):
    """What a review says."""

    label: str
    score: int


def test_typed_outputs(service):
    """A pydantic model makes objects, and columns; what is not complete says why."""
    made = handed_in(["hello", "hello"], output=Feeling, max_tokens=300)
    form = sent(service)[0]["params"]["output_config"]["format"]
    assert form["type"] == "json_schema"
    assert form["schema"]["additionalProperties"] is False
    service.advance(1000)
    frame = made.wait().to_pandas()
    assert isinstance(made.results[0].value, Feeling)
    assert list(frame.columns[:3]) == ["label", "score", "outcome"]
    cut = handed_in(["hello"], output={"type": "object", "properties": {"a": {}}}, max_tokens=1)
    service.advance(1000)
    (result,) = cut.wait().failed
    assert (result.outcome, result.value) == ("truncated", None)


def test_a_field_that_is_called_like_one_of_our_columns_has_its_own(service):
    """Neither takes the other's place."""
    names = ["outcome", "error", "answer_error", "cost_usd"]
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    made = handed_in(["hello"], output=schema, max_tokens=500)
    service.advance(1000)
    frame = made.wait().to_pandas()
    said = made.results[0].value
    assert list(frame.columns[:4]) == [
        "answer_outcome",
        "answer_error",
        "answer_answer_error",
        "answer_cost_usd",
    ]
    assert frame["outcome"].tolist() == ["complete"]
    assert frame["answer_outcome"].tolist() == [said["outcome"]]
    assert frame["answer_error"].tolist() == [said["error"]]
    assert frame["answer_answer_error"].tolist() == [said["answer_error"]]
    assert frame["cost_usd"].tolist() == [made.cost]


def test_a_reply_that_does_not_fit_is_invalid(service):
    """The rows say so, and can be handed in again."""
    made = handed_in(["hello"], output={"type": "object"})
    service.advance(1000)
    line = {
        "custom_id": sent(service)[0]["custom_id"],
        "result": {"type": "succeeded", "message": {"content": [{"type": "text", "text": "Hm"}]}},
    }
    service.enqueue(Raw([json.dumps(line).encode()]), at="results")
    (result,) = made.wait().failed
    assert (result.outcome, result.text, result.cost) == ("invalid", "Hm", None)


def test_partial_results_of_several_batches(service, monkeypatch):
    """What has ended can be read while the rest is processed."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 2)
    made = handed_in(["hello", "hello", "simulate expired", "hello"])
    service.advance(1000)
    made.refresh()
    assert made.counts == {"complete": 2, "processing": 2}
    assert [r.outcome for r in made.results] == [*["complete"] * 2, *["processing"] * 2]
    assert made.to_pandas()["outcome"].tolist() == [*["complete"] * 2, *["processing"] * 2]


def test_rows_are_not_looked_at_again_while_nothing_comes(service, monkeypatch):
    """A large batch is drawn twice a second for hours; that takes no time from the notebook."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 300)
    made = handed_in(["hello"] * 299 + ["simulate an error"] + ["simulate expired"] * 300)
    looked = []
    outcome = job.Job.outcome
    monkeypatch.setattr(job.Job, "outcome", lambda *a: looked.append(a[1]) or outcome(*a))
    made._shown.picture()
    assert looked == []
    service.advance(1000)
    made.refresh()
    assert len(looked) <= 600
    assert made._shown.picture().failed == (("299 · errored", made.failed[0].error),)
    looked.clear()
    assert made._shown.picture().failed[0][0] == "299 · errored"
    assert looked == []
    service.advance(DAY)
    made.wait()
    assert (len(made._shown.picture().failed), made._shown.picture().more) == (20, 281)


def test_others_results_are_read_in_a_line_s_time_each(service, monkeypatch):
    """However many ids are known already: the labels are not copied for each line."""
    with anthropic.Anthropic() as client:
        params = {"model": HAIKU, "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
        requests = [{"custom_id": f"k{n}", "params": params} for n in range(50)]
        made = client.messages.batches.create(requests=requests)
    service.advance(1000)
    labels, take = [], reading._take

    def watched(job, part, line, seen):
        take(job, part, line, seen)
        labels.append(job.requests.labels)

    monkeypatch.setattr(reading, "_take", watched)
    found = Batch.resume(made.id, show=False)
    assert len({id(each) for each in labels}) == 1
    assert sorted(r.label for r in found.results) == sorted(r["custom_id"] for r in requests)


def test_cancel(service):
    """What was done is there, the rest says that it was cancelled; too late is no error."""
    made = handed_in(["hello"] * 10)
    service.advance(101)
    assert made.cancel().state == "canceling"
    service.advance(1000)
    assert made.wait().counts == {"complete": 5, "canceled": 5}
    assert made.cancel().state == "ended"


def test_resubmit_takes_the_place_of_failures(service):
    """Only what failed is handed in again, under the same ids, and each row keeps its best."""
    made = handed_in(["hello", "simulate expired", "please refuse"])
    service.advance(DAY)
    made.wait()
    made.resubmit()
    assert [request["custom_id"][:4] for request in sent(service)] == ["1-3-"]
    assert made.counts == {"complete": 1, "refused": 1, "processing": 1}
    service.advance(DAY)
    assert made.wait().counts == {"complete": 1, "refused": 1, "expired": 1}
    assert len(made.ids) == 2


def test_resubmit_what_was_cut_off_needs_more_tokens(service):
    """As many again would be cut off again."""
    made = handed_in(["a long story"], max_tokens=20)
    service.advance(1000)
    made.wait()
    with pytest.raises(InputError, match="nothing to hand in"):
        made.resubmit()
    made.resubmit(max_tokens=20_000)
    assert sent(service)[0]["params"]["max_tokens"] == 20_000
    service.advance(1000)
    assert made.wait().counts == {"complete": 1}


def test_what_was_refused_is_not_handed_in_again(service):
    """A model that does not exist will not exist the second time."""
    made = handed_in(["hello"], model="claude-nothing")
    service.advance(1000)
    made.wait()
    with pytest.raises(InputError, match="nothing to hand in"):
        made.resubmit()


# --- found again ----------------------------------------------------------------------------


def test_resumed_by_its_ids_alone(service, account, monkeypatch):
    """A kernel that was killed after handing in knows nothing but what the service lists."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 3)
    made = handed_in([f"number {n}" for n in range(8)])
    service.advance(1000)
    before = texts(made.wait())
    listed = [row[0] for row in recent().rows]
    assert listed == made.ids[::-1]
    assert texts(Batch.resume(*listed, show=False)) == before
    part = Batch.resume(made.ids[1], show=False)
    assert part.counts == {"complete": 3, "missing": 5}
    assert [r.outcome for r in part.results][2:7] == [
        "missing",
        "complete",
        "complete",
        "complete",
        "missing",
    ]


def test_resumed_with_the_prompts_it_has_the_index_and_can_be_handed_in_again(service):
    """And a row that was changed since is named, not shifted."""
    column = pd.Series(["hello", "simulate expired", "sky blue"], index=["x", "y", "z"])
    made = handed_in(column)
    service.advance(DAY)
    column["z"] = "something else"
    again = Batch.resume(*made.ids, prompts=column, model=HAIKU, policy=AT_ONCE, show=False)
    assert list(again.to_pandas().index) == ["x", "y", "z"]
    assert "changed since it was handed in" in repr(again._repr_mimebundle_())
    assert " z" in repr(again._repr_mimebundle_())
    again.resubmit()
    (request,) = sent(service)
    assert request["params"]["messages"][0]["content"] == "simulate expired"


def in_a_notebook(path, monkeypatch, batch):
    """Save a batch as a notebook does in which this runs."""
    metadata = batch._repr_mimebundle_()[1]
    output = {"output_type": "display_data", "data": {}, "metadata": metadata}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "…", "outputs": [output]}
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    path.write_text(json.dumps(whole), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))


def test_what_it_was_handed_in_with_is_in_the_notebook(service, tmp_path, monkeypatch):
    """So rows are handed in again as they were; what is not saved has to be passed again."""
    prompts = ["hello", "simulate expired"]
    output = {"type": "object", "properties": {"a": {"type": "string"}}}
    made = handed_in(
        prompts, system="Be brief.", max_tokens=50, effort="low", thinking="off", output=output
    )
    before = sent(service)[1]
    in_a_notebook(tmp_path / "a.ipynb", monkeypatch, made)
    assert "Be brief" not in (tmp_path / "a.ipynb").read_text()
    service.advance(DAY)
    known = {"prompts": prompts, "policy": AT_ONCE, "show": False}

    with pytest.raises(InputError) as caught:
        Batch.resume(*made.ids, **known).resubmit()
    assert "output=…, system=…" in caught.value.advice
    found = Batch.resume(**known, system="Be brief.", output=output)
    found.resubmit()
    assert sent(service) == [before]
    assert "than before" not in repr(found._repr_mimebundle_())

    service.advance(DAY)
    other = Batch.resume(*made.ids, **known, system="Be verbose.", output=output).resubmit()
    assert sent(service)[0]["params"]["system"] == "Be verbose."
    assert "with another system than before" in repr(other._repr_mimebundle_())


def test_a_batch_that_nothing_is_known_of_is_not_handed_in_again_by_guess(service):
    """The error names what to pass: the model, and what the results disagree with."""
    prompts = ["a long story", "simulate expired", "a long story"]
    made = handed_in(prompts, system="Be brief.", max_tokens=50)
    assert HAIKU in repr(made._repr_mimebundle_())
    running = Batch.resume(*made.ids, show=False)._repr_mimebundle_()
    assert "claude-opus" not in running[0]["text/plain"] + running[0]["text/html"]
    assert (running[1]["claude_nb"]["model"], "options" in running[1]["claude_nb"]["batch"]) == (
        None,
        False,
    )
    service.advance(DAY)
    before, known = len(service.requests), {"prompts": prompts, "policy": AT_ONCE, "show": False}

    with pytest.raises(InputError) as caught:
        Batch.resume(*made.ids, **known).resubmit()
    assert f'model="{HAIKU}", max_tokens=50, system=…' in caught.value.advice
    with pytest.raises(InputError, match="max_tokens=50"):
        Batch.resume(*made.ids, **known, model=HAIKU, system=None).resubmit()
    with pytest.raises(InputError, match="system=…"):
        Batch.resume(*made.ids, **known, model=HAIKU, max_tokens=50).resubmit()
    assert not [r for r in service.requests[before:] if r.path == "/v1/messages/batches"]

    found = Batch.resume(*made.ids, **known, model=HAIKU, max_tokens=50, system="Be brief.")
    found.resubmit()
    assert sent(service)[0]["params"]["max_tokens"] == 50
    assert f"handed in again with {HAIKU}, max tokens 50" in repr(found._repr_mimebundle_())


def test_options_in_a_notebook_that_cannot_be_used_are_passed_over(service, tmp_path, monkeypatch):
    """It may have been edited by anybody; its results are read all the same."""
    made = handed_in(["hello"])
    service.advance(1000)
    for edited in (None, [], {"model": 7}, {"model": HAIKU, "max_tokens": "many"}):
        in_a_notebook(tmp_path / "a.ipynb", monkeypatch, made)
        saved = json.loads((tmp_path / "a.ipynb").read_text())
        record = saved["cells"][0]["outputs"][0]["metadata"]["claude_nb"]
        record["batch"]["options"] = edited
        (tmp_path / "a.ipynb").write_text(json.dumps(saved))
        assert Batch.resume(show=False).counts == {"complete": 1}


def test_a_batch_that_others_made_can_be_read_too(service):
    """Its rows are called by their custom ids."""
    with anthropic.Anthropic() as client:
        params = {
            "model": HAIKU,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "hello"}],
        }
        made = client.messages.batches.create(
            requests=[{"custom_id": name, "params": params} for name in ("b", "a")]
        )
    service.advance(1000)
    found = Batch.resume(made.id, show=False)
    assert sorted(result.label for result in found.results) == ["a", "b"]


def test_a_table_that_has_another_length_now_is_refused(service):
    """Before anything is read: which row is which cannot be known any more."""
    column = pd.Series(["hello", "sky blue", "simulate an error"])
    made = handed_in(column)
    service.advance(1000)
    for now in (pd.concat([column, column]), column[:2]):
        with pytest.raises(InputError, match=f"with 3 rows, and these are {len(now)}"):
            Batch.resume(*made.ids, prompts=now, model=HAIKU, show=False)
    other = handed_in(["hello"])
    service.advance(1000)
    with pytest.raises(InputError, match="different numbers of rows: 3 and 1"):
        Batch.resume(*made.ids, *other.ids, show=False)


def test_prompts_do_not_belong_to_a_batch_that_others_made(service):
    """Its ids do not say which row is which."""
    with anthropic.Anthropic() as client:
        params = {"model": HAIKU, "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
        requests = [{"custom_id": name, "params": params} for name in ("b", "a")]
        made = client.messages.batches.create(requests=requests)
    service.advance(1000)
    with pytest.raises(InputError, match="not handed in by batch"):
        Batch.resume(made.id, prompts=["a", "a"], model=HAIKU, show=False)


def test_another_account_s_batch_is_not_found(service, monkeypatch):
    """The error says what that can mean."""
    made = handed_in(["hello"])
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")
    with pytest.raises(RequestError, match="Another account"):
        Batch.resume(*made.ids, show=False)
    assert recent().rows == []


def test_results_that_are_gone_say_so(service):
    """After 29 days the service has them no more."""
    made = handed_in(["hello"])
    service.advance(29 * DAY)
    with pytest.raises(RequestError, match="29 days"):
        made.wait()


def test_a_part_that_is_gone_does_not_keep_the_rest_from_being_read(service, monkeypatch):
    """Past its 29 days, or deleted: its rows say so, and what the whole cost is not known."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 2)
    refused = Error(400, "invalid_request_error", "No")
    service.enqueue(NOTHING_LISTED, Scripted(None), NOTHING_LISTED, refused, at="batches")
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 3)
    made = caught.value.reply
    service.advance(28.5 * DAY)
    made.submit()
    with anthropic.Anthropic() as client:
        deleted = client.messages.batches.delete(made.ids[0]).id
    found = Batch.resume(*made.ids, show=False)
    assert found.state == "in progress"
    assert "not kept any more" in repr(found._repr_mimebundle_())
    service.advance(DAY)
    for batch in (found.wait(), made.wait(), Batch.resume(*made.ids, show=False)):
        assert batch.counts == {"complete": 1, "missing": 2}
        assert "not kept any more" in batch.failed[0].error
        assert (batch.cost, batch.done) == (None, True)
        assert f"{deleted}: its results are not kept any more" in repr(batch._repr_mimebundle_())
    with pytest.raises(RequestError, match="Another account"):
        Batch.resume(deleted, show=False)

    old = handed_in(["hello"] * 3).ids
    service.advance(28.5 * DAY)
    new = handed_in(["hello"] * 3).ids[1]
    service.advance(DAY)
    assert Batch.resume(old[0], new, show=False).counts == {"complete": 1, "missing": 2}


# --- the network ----------------------------------------------------------------------------


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
    assert run.session.ledger.entries[0].requests == 9
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
    """They may have been paid for; their rows are missing, and can be handed in again."""
    for unreadable in (b"{broken\n", b""):
        made = handed_in(["hello"] * 2, show=False)
        service.advance(1000)
        service.enqueue(*[Raw([unreadable])] * 3, at="results")
        made.wait()
        assert (made.counts, made.cost) == ({"missing": 2}, None)
        assert run.session.ledger.entries[-1].cost is None
        assert "2 results could not be read" in repr(made._repr_mimebundle_())
        assert made.resubmit().counts == {"processing": 2}
        service.advance(1000)
        assert made.wait().counts == {"complete": 2}
        assert made.cost is None
    assert [entry.requests for entry in run.session.ledger.entries] == [2] * 4


def test_reading_that_fails_again_and_again_can_be_done_later(service):
    """It raises after the tries that there are, and the batch is as it was."""
    made = handed_in(["hello"] * 9)
    service.advance(1000)
    service.enqueue(*[Raw([b'{"custom'], end="reset")] * 5, at="results")
    with pytest.raises(DroppedError):
        made.refresh()
    assert made.wait().counts == {"complete": 9}


def test_an_answer_that_was_lost_is_no_second_batch(service, account):
    """Where it is not known whether a batch was taken, the service is asked, not paid twice."""
    service.enqueue(Raw([b'{"data":[],"has_more":false}']), Scripted(0), at="batches")
    made = handed_in(["hello"])
    assert [row[0] for row in recent().rows] == made.ids
    assert "found as" in repr(made._repr_mimebundle_())


def test_a_batch_that_was_not_taken_is_sent_again(service, account):
    """Nothing new is there, so nothing was taken."""
    listed = Raw([b'{"data":[],"has_more":false}'])
    service.enqueue(listed, Error(500, "api_error", "No"), at="batches")
    made = handed_in(["hello"])
    assert len(recent().rows) == len(made.ids) == 1


def test_where_nothing_can_be_known_it_says_so(service):
    """A server that lists nothing, and an answer that was lost."""
    refused = Error(404, "not_found_error", "No")
    service.enqueue(refused, Scripted(0), refused, at="batches")
    with pytest.raises(UnreachableError, match="may have been taken"):
        handed_in(["hello"])


NOTHING_LISTED = Raw([b'{"data":[],"has_more":false}'])


def batches_of(service):
    """How often a batch was handed in."""
    return sum(r.path == "/v1/messages/batches" and r.method == "POST" for r in service.requests)


def test_a_list_that_is_late_is_no_second_batch(service, account):
    """The answer was lost, and the list does not have it yet: it is looked at again."""
    service.enqueue(NOTHING_LISTED, Scripted(0), *[NOTHING_LISTED] * 2, at="batches")
    before = batches_of(service)
    made = handed_in(["hello"])
    assert batches_of(service) - before == 1
    assert [row[0] for row in recent().rows] == made.ids


def test_a_stop_while_it_is_handed_in_says_that_it_may_have_been_taken(service, account):
    """And ``submit`` finds it, instead of paying twice."""
    service.enqueue(NOTHING_LISTED, Scripted(0, end="hang"), at="batches")
    before = batches_of(service)

    def interrupt():
        while batches_of(service) == before:
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(StoppedError, match="may have been taken: %claude_nb batches") as caught:
        handed_in(["hello"])
    made = caught.value.reply
    assert made.state == "perhaps handed in"
    assert "may have been taken" in repr(made._repr_mimebundle_())
    made.submit()
    assert batches_of(service) - before == 1
    assert made.ids == [row[0] for row in recent().rows]


def test_what_was_found_by_guess_is_read_only_where_it_is_ours(service, account):
    """A colleague's batch of the same size may have appeared at the same moment."""
    other = handed_in(["what a colleague asked"])
    service.enqueue(NOTHING_LISTED, Error(500, "api_error", "No"), at="batches")
    made = handed_in(["hello"])
    assert made.ids == other.ids
    service.advance(1000)
    with pytest.raises(ClaudeError, match="not this one"):
        made.wait()
    assert (made.ids, made.cost, texts(made)) == ([], 0.0, [None])
    made.submit()
    assert made.ids != other.ids
    service.advance(1000)
    assert made.wait().counts == {"complete": 1}


def test_a_server_that_is_not_there_has_taken_nothing(service, monkeypatch):
    """It is asked again as often as the policy says, and nobody is told to look for it."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        handed_in(["hello"])
    assert "may have been taken" not in str(caught.value)
    assert caught.value.reply.state == "not handed in"
    monkeypatch.setenv("ANTHROPIC_BASE_URL", service.base_url)
    assert caught.value.reply.submit().state == "in progress"


def test_a_server_that_goes_away_before_it_is_sent(service, monkeypatch):
    """The list could be read, and then nobody was there: the policy's tries are used up."""
    listed, tried = batch_api.newest, []

    async def newest(connection, limit=20):
        found = await listed(connection, limit)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
        return found

    class Counted(Policy):
        def wait(self, error, failures):
            tried.append(failures)
            return super().wait(error, failures)

    monkeypatch.setattr(batch_api, "newest", newest)
    with pytest.raises(UnreachableError) as caught:
        handed_in(["hello"], policy=Counted(tries=3, base=0.0))
    assert (tried, "may have been taken" in str(caught.value)) == ([1, 2, 3], False)


def test_an_overload_is_waited_out(service, account):
    """It is a definite no, so it is asked again: to list, to hand in, to look and to resume."""
    busy = Error(529, "overloaded_error", "Overloaded")
    service.enqueue(busy, busy, NOTHING_LISTED, busy, busy, at="batches")
    made = handed_in(["hello"])
    assert [row[0] for row in recent().rows] == made.ids
    service.advance(1000)
    service.enqueue(busy, at="batches")
    assert Batch.resume(*made.ids, policy=AT_ONCE, show=False).counts == {"complete": 1}
    service.enqueue(busy, at="batches")
    assert made.refresh().counts == {"complete": 1}
    service.enqueue(NOTHING_LISTED, *[busy] * 5, at="batches")
    with pytest.raises(OverloadedError) as caught:
        handed_in(["hello"])
    assert "may have been taken" not in str(caught.value)


def test_an_error_between_two_parts_loses_neither(service, monkeypatch):
    """What was taken is named, and ``submit`` hands in the rest."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 1)
    refused = Error(400, "invalid_request_error", "No")
    service.enqueue(*[Scripted(None)] * 3, refused, at="batches")  # listed, taken, listed, refused
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
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(StoppedError, match="goes on"):
        made.wait()
    service.advance(1000)
    assert made.wait().counts == {"complete": 1}


# --- money ----------------------------------------------------------------------------------


def test_a_dry_run_hands_nothing_in(service, account):
    """A few are counted for all, which is said; ``submit`` then hands it in."""
    planned = handed_in([f"hello {n}" for n in range(150)], dry_run=True, max_tokens=100)
    shown = repr(planned._repr_mimebundle_())
    assert "100 of 150 rows" in shown
    assert "Nothing was handed in" in shown
    assert recent().rows == []
    assert "All rows were counted" in repr(planned.estimate(every=True)._repr_mimebundle_())
    assert planned.submit().state == "in progress"


def test_max_cost_lowers_max_tokens_or_refuses(service):
    """All rows are counted; at batch prices 1,000 tokens of Haiku's output cost $0.00025."""
    handed_in(["hello"] * 4, max_cost=0.0011, max_tokens=2000)
    lowered = {request["params"]["max_tokens"] for request in sent(service)}
    assert len(lowered) == 1
    assert 1000 < lowered.pop() < 1100
    with pytest.raises(InputError, match="beyond max_cost"):
        handed_in(["hello"] * 4, max_cost=0.0001)
    with pytest.raises(InputError, match="not known"):
        handed_in(["hello"], model="claude-fable-5-2", max_cost=1)


def test_a_budget_is_kept_for_what_is_under_way(service):
    """Until the results are read; then what they cost counts."""
    run.session.budget = Budget(0.01, run.session.ledger.spent)
    made = handed_in(["hello"] * 4, max_tokens=8000)
    with pytest.raises(InputError, match="budget"):
        handed_in(["hello"] * 40, max_tokens=1000)
    service.advance(1000)
    made.wait()
    assert run.session.budget.spent == made.cost
    handed_in(["hello"] * 30, max_tokens=1000)


def refusing(service):
    """Let the service list its batches, and refuse the next one."""
    service.enqueue(NOTHING_LISTED, Error(400, "invalid_request_error", "No"), at="batches")


def test_a_budget_holds_when_it_is_handed_in_a_second_time(service):
    """Nothing is kept of it for what was refused, and it is looked at anew."""
    run.session.budget = Budget(0.01, run.session.ledger.spent)
    refusing(service)
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 4, max_tokens=8000)
    made = caught.value.reply
    other = handed_in(["hello"] * 4, max_tokens=8000)
    assert sent(service)[0]["params"]["max_tokens"] == 8000
    made.submit()
    assert 1900 < sent(service)[0]["params"]["max_tokens"] < 2000
    assert len({*made.ids, *other.ids}) == 2

    run.session.budget = Budget(0.01, run.session.ledger.spent)
    refusing(service)
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 4, max_tokens=8000)
    before = batches_of(service)
    run.session.budget = Budget(0.000001, run.session.ledger.spent)
    with pytest.raises(InputError, match="beyond the budget"):
        caught.value.reply.submit()
    assert (batches_of(service), caught.value.reply.state) == (before, "not handed in")


def test_a_budget_keeps_what_is_left_of_a_batch_only_once(service, monkeypatch):
    """A part was taken, the other one was not: what both can cost is kept already."""
    monkeypatch.setattr(requests, "MAX_REQUESTS", 2)
    run.session.budget = Budget(0.009, run.session.ledger.spent)
    service.enqueue(NOTHING_LISTED, Scripted(None), at="batches")
    refusing(service)
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 4, max_tokens=8000)
    made = caught.value.reply
    assert (len(made.ids), made.state) == (1, "partly handed in")
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
    run.session.budget = Budget(0.000001, run.session.ledger.spent)
    with pytest.raises(InputError, match="beyond the budget"):
        made.resubmit(max_tokens=5000)
    run.session.budget = Budget(0.01, run.session.ledger.spent)
    refusing(service)
    with pytest.raises(RequestError):
        made.resubmit(max_tokens=6000)
    assert (texts(made), made.done, made.counts) == (before, True, {"truncated": 2})
    record = made._repr_mimebundle_()[1]["claude_nb"]
    assert record["batch"]["options"]["max_tokens"] == 20
    run.session.budget = Budget(0.02, run.session.ledger.spent)
    made.resubmit(max_tokens=20_000)
    assert sent(service)[0]["params"]["max_tokens"] == 20_000
    assert texts(made) == [None, None]


def test_what_is_left_of_handing_in_again_is_handed_in_by_submit(service, monkeypatch):
    """A part was taken; the old results of the other one stay until it is."""
    made = handed_in(["a long story"] * 2, max_tokens=20)
    service.advance(1000)
    before = texts(made.wait())
    monkeypatch.setattr(requests, "MAX_REQUESTS", 1)
    service.enqueue(NOTHING_LISTED, Scripted(None), at="batches")
    refusing(service)
    with pytest.raises(RequestError):
        made.resubmit(max_tokens=20_000)
    assert texts(made) == [None, before[1]]
    with pytest.raises(InputError) as caught:
        made.resubmit()
    assert caught.value.advice == "submit() hands in the rest."
    made.submit()
    assert sent(service)[0]["params"]["max_tokens"] == 20_000
    service.advance(1000)
    assert made.wait().counts == {"complete": 2}


def test_what_each_part_took_is_saved_by_its_id(service):
    """So that it is counted once, in whichever notebooks it is read."""
    made = handed_in(["hello", "simulate expired"])
    service.advance(DAY)
    first = made.wait()._repr_mimebundle_()[1]["claude_nb"]["batch"]["spent"]
    made.resubmit()
    assert made._repr_mimebundle_()[1]["claude_nb"]["batch"]["spent"] == first
    service.advance(DAY)
    saved = made.wait()._repr_mimebundle_()[1]["claude_nb"]
    assert list(saved["batch"]["spent"]) == made.ids
    assert [part["requests"] for part in saved["batch"]["spent"].values()] == [1, 0]
    assert saved["batch"]["spent"][made.ids[0]]["cost_usd"] == made.cost == saved["cost_usd"]


def test_no_key_is_saved(service, monkeypatch):
    """Neither in the record nor in what is shown, not even one that stands in a prompt."""
    secret = "sk-ant-" + "a1" * 20
    made = handed_in([f"my key is {secret}", "simulate an error"])
    service.advance(1000)
    made.wait()
    data, metadata = made._repr_mimebundle_()
    assert secret not in repr(data) + repr(metadata)
    assert os.environ["ANTHROPIC_API_KEY"] not in repr(data) + repr(metadata)
    assert metadata["claude_nb"]["batch"]["ids"] == made.ids
