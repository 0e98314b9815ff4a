"""A batch found again by its ids or in the notebook, by whoever has the key."""

from __future__ import annotations

import json

import anthropic
import pandas as pd
import pytest

from claude_nb import Batch
from claude_nb.batches import rows
from claude_nb.batches.batch import recent
from claude_nb.errors import InputError, RequestError
from claude_nb.simulator import Error, Scripted
from claude_nb.streaming.record import MIME
from tests.batches.service import AT_ONCE, DAY, HAIKU, handed_in, sent, texts


def test_resumed_by_its_ids_alone(service, account, monkeypatch):
    """A kernel that was killed after submitting knows nothing but what the service lists."""
    monkeypatch.setattr(rows, "MAX_REQUESTS", 3)
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
    assert "changed since it was submitted" in repr(again._repr_mimebundle_())
    assert " z" in repr(again._repr_mimebundle_())
    again.resubmit()
    (request,) = sent(service)
    assert request["params"]["messages"][0]["content"] == "simulate expired"


def in_a_notebook(path, monkeypatch, batch):
    """Save a batch as a notebook does in which this runs."""
    data = batch._repr_mimebundle_()
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "…", "outputs": [output]}
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    path.write_text(json.dumps(whole), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))


def test_what_it_was_handed_in_with_is_in_the_notebook(service, tmp_path, monkeypatch):
    """So rows are submitted again as they were; what is not saved has to be passed again."""
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
    assert "resubmitted with a different system" in repr(other._repr_mimebundle_())


def test_other_fields_are_saved_as_a_digest_and_betas_as_they_are(service, tmp_path, monkeypatch):
    """What may be secret is not in the notebook, and has to be passed again; a new token may be."""
    prompts = ["hello", "simulate expired"]
    beta, token = "mcp-client-2025-04-04", "secret-of-mine"
    servers = [
        {"type": "url", "url": "https://x.example", "name": "x", "authorization_token": token}
    ]
    options = {"stop_sequences": ["END"], "metadata": {"user_id": "a1"}, "betas": [beta]}
    made = handed_in(prompts, extra={"mcp_servers": servers}, **options)
    before = sent(service)[1]
    in_a_notebook(tmp_path / "a.ipynb", monkeypatch, made)
    assert token not in (tmp_path / "a.ipynb").read_text()
    service.advance(DAY)
    known = {"prompts": prompts, "policy": AT_ONCE, "show": False}

    with pytest.raises(InputError) as caught:
        Batch.resume(*made.ids, **known).resubmit()
    assert "extra=…)" in caught.value.advice
    renewed = [{**servers[0], "authorization_token": "another-one"}]
    found = Batch.resume(**known, extra={"mcp_servers": renewed})
    found.resubmit()

    assert sent(service)[0]["params"] == before["params"] | {"mcp_servers": renewed}
    assert service.requests[-1].headers["anthropic-beta"] == beta
    assert "than before" not in repr(found._repr_mimebundle_())


def test_a_batch_that_nothing_is_known_of_is_not_handed_in_again_by_guess(service):
    """The error names what to pass: the model, and what the results disagree with."""
    prompts = ["a long story", "simulate expired", "a long story"]
    made = handed_in(prompts, system="Be brief.", max_tokens=50)
    assert HAIKU in repr(made._repr_mimebundle_())
    running = Batch.resume(*made.ids, show=False)._repr_mimebundle_()
    assert "claude-opus" not in running["text/plain"] + running["text/html"]
    record = running[MIME]
    assert (record["model"], "options" in record["batch"]) == (None, False)
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
    assert f"resubmitted with {HAIKU}, max tokens 50" in repr(found._repr_mimebundle_())


def test_options_in_a_notebook_that_cannot_be_used_are_passed_over(service, tmp_path, monkeypatch):
    """It may have been edited by anybody; its results are read all the same."""
    made = handed_in(["hello"])
    service.advance(1000)
    for edited in (None, [], {"model": 7}, {"model": HAIKU, "max_tokens": "many"}):
        in_a_notebook(tmp_path / "a.ipynb", monkeypatch, made)
        saved = json.loads((tmp_path / "a.ipynb").read_text())
        record = saved["cells"][0]["outputs"][0]["data"][MIME]
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
        with pytest.raises(InputError, match=f"has 3 rows, but you passed {len(now)}"):
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
    with pytest.raises(InputError, match="not submitted by batch"):
        Batch.resume(made.id, prompts=["a", "a"], model=HAIKU, show=False)


def test_another_account_s_batch_is_not_found(service, monkeypatch):
    """The error says what that can mean."""
    made = handed_in(["hello"])
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")
    with pytest.raises(RequestError, match="another account"):
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
    monkeypatch.setattr(rows, "MAX_REQUESTS", 2)
    refused = Error(400, "invalid_request_error", "No")
    service.enqueue(Scripted(None), refused, at="batches")
    with pytest.raises(RequestError) as caught:
        handed_in(["hello"] * 3)
    made = caught.value.reply
    service.advance(28.5 * DAY)
    made.submit()
    with anthropic.Anthropic() as client:
        deleted = client.messages.batches.delete(made.ids[0]).id
    found = Batch.resume(*made.ids, show=False)
    assert found.state == "in progress"
    assert "have been deleted" in repr(found._repr_mimebundle_())
    service.advance(DAY)
    for batch in (found.wait(), made.wait(), Batch.resume(*made.ids, show=False)):
        assert batch.counts == {"complete": 1, "missing": 2}
        assert "have been deleted" in batch.failed[0].error
        assert (batch.cost, batch.done) == (None, True)
        assert f"{deleted}: its results have been deleted" in repr(batch._repr_mimebundle_())
    with pytest.raises(RequestError, match="another account"):
        Batch.resume(deleted, show=False)

    old = handed_in(["hello"] * 3).ids
    service.advance(28.5 * DAY)
    new = handed_in(["hello"] * 3).ids[1]
    service.advance(DAY)
    assert Batch.resume(old[0], new, show=False).counts == {"complete": 1, "missing": 2}
