"""What has become of the rows of a batch: read, typed, counted, submitted again."""

from __future__ import annotations

import dataclasses
import json

import anthropic
import pandas as pd
import pytest
from pydantic import BaseModel

from claude_nb import Batch
from claude_nb.asking import asking
from claude_nb.batches import rows, view
from claude_nb.batches.state import BatchState
from claude_nb.errors import InputError
from claude_nb.simulator import Raw
from tests.batches.service import DAY, HAIKU, handed_in, sent
from tests.played import start


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


def test_half_a_character_in_a_result_is_replaced(service):
    """In the text of a reply and in an error; it is read, shown and saved."""
    made = handed_in(["hello"] * 2)
    service.advance(1000)
    message = start(content=[{"type": "text", "text": "a\ud83d\ude00\ud83d"}])["message"]
    error = {"type": "error", "error": {"type": "api_error", "message": "b\ud83d\x1b[2J"}}
    found = [{"type": "succeeded", "message": message}, {"type": "errored", "error": error}]
    ids = [request["custom_id"] for request in sent(service)]
    lines = [
        json.dumps({"custom_id": name, "result": result})
        for name, result in zip(ids, found, strict=True)
    ]
    service.enqueue(Raw(["\n".join(lines).encode()]), at="results")

    made.wait()

    assert [made.results[0].text, made.results[1].error] == ["a😀\ufffd", "api_error: b\ufffd␛[2J"]
    for shown in (made.to_pandas().to_string(), *map(str, made._repr_mimebundle_().values())):
        shown.encode()


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
    shown = made._repr_mimebundle_()["text/plain"]
    assert all(reason in shown for reason in reasons.values())


def test_cost_and_ledger_are_at_batch_prices(service):
    """Half of what streaming them would cost; known when the results are read, and only once."""
    made = handed_in(["hello"] * 3)
    assert (made.cost, asking.session.ledger.entries) == (0.0, [])
    service.advance(1000)
    made.wait().wait()
    (entry,) = asking.session.ledger.entries
    assert (entry.requests, entry.request_id, entry.simulated) == (3, made.ids[0], True)
    assert entry.usage == made.usage
    full = sum(r.usage.input_tokens * 0.1 + r.usage.output_tokens * 0.5 for r in made.results) / 1e6
    assert entry.cost == pytest.approx(full / 2) == made.cost
    Batch.resume(*made.ids, show=False)
    assert len(asking.session.ledger.entries) == 1


ANY = {"type": "object", "properties": {"a": {"type": "string"}}}


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
    cut = handed_in(["hello"], output=ANY, max_tokens=1)
    service.advance(1000)
    (result,) = cut.wait().failed
    assert (result.outcome, result.value) == ("truncated", None)


@dataclasses.dataclass
class Point:
    """A place."""

    x: int
    y: int


def test_the_forms_of_replies_are_those_of_ask(service):
    """All that pydantic knows, and no object whose keys are not known."""
    numbers, points = (handed_in(["a"], output=form, max_tokens=500) for form in (list[int], Point))
    service.advance(1000)
    assert all(isinstance(number, int) for number in numbers.wait().results[0].value)
    assert "value" in numbers.to_pandas()
    assert isinstance(points.wait().results[0].value, Point)
    assert list(points.to_pandas().columns[:3]) == ["x", "y", "outcome"]
    with pytest.raises(InputError, match="would always be empty"):
        handed_in(["a"], output={"type": "object"})


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
    """The rows say so, and can be submitted again."""
    made = handed_in(["hello"], output=ANY)
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
    monkeypatch.setattr(rows, "MAX_REQUESTS", 2)
    made = handed_in(["hello", "hello", "simulate expired", "hello"])
    service.advance(1000)
    made.refresh()
    assert made.counts == {"complete": 2, "processing": 2}
    assert [r.outcome for r in made.results] == [*["complete"] * 2, *["processing"] * 2]
    assert made.to_pandas()["outcome"].tolist() == [*["complete"] * 2, *["processing"] * 2]


def test_rows_are_not_looked_at_again_while_nothing_comes(service, monkeypatch):
    """A large batch is drawn twice a second for hours; that takes no time from the notebook."""
    monkeypatch.setattr(rows, "MAX_REQUESTS", 300)
    made = handed_in(["hello"] * 299 + ["simulate an error"] + ["simulate expired"] * 300)
    looked = []
    outcome = BatchState.outcome
    monkeypatch.setattr(BatchState, "outcome", lambda *a: looked.append(a[1]) or outcome(*a))
    view.picture(made._state)
    assert looked == []
    service.advance(1000)
    made.refresh()
    assert len(looked) <= 600
    assert view.picture(made._state).failed == (("299 · errored", made.failed[0].error),)
    looked.clear()
    assert view.picture(made._state).failed[0][0] == "299 · errored"
    assert looked == []
    service.advance(DAY)
    made.wait()
    assert (len(view.picture(made._state).failed), view.picture(made._state).more) == (20, 281)


def test_others_results_are_read_in_a_line_s_time_each(service, monkeypatch):
    """However many ids are known already: the labels are not copied for each line."""
    with anthropic.Anthropic() as client:
        params = {"model": HAIKU, "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
        requests = [{"custom_id": f"k{n}", "params": params} for n in range(50)]
        made = client.messages.batches.create(requests=requests)
    service.advance(1000)
    labels, take = [], BatchState.take

    def watched(state, batch, line, seen):
        take(state, batch, line, seen)
        labels.append(state.requests.labels)

    monkeypatch.setattr(BatchState, "take", watched)
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
    """Only what failed is submitted again, under the same ids, and each row keeps its best."""
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
    with pytest.raises(InputError, match="nothing to resubmit"):
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
    with pytest.raises(InputError, match="nothing to resubmit"):
        made.resubmit()
