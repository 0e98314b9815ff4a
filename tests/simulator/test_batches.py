"""The batch endpoints of the simulator: the SDK's own client submits, looks, cancels and reads."""

import anthropic
import httpx2
import pytest

from claude_nb.simulator import Error, Scripted, Simulator
from claude_nb.simulator.validation import problem

DAY = 24 * 3600.0


@pytest.fixture(scope="module")
def slow():
    """A simulator in which time passes only when it is put forward, near enough."""
    with Simulator(speed=0.01) as running:
        yield running


@pytest.fixture
def simulator(slow):
    """It, without what an earlier test has queued."""
    yield slow
    slow.drain()


@pytest.fixture
def batches(simulator, request):
    """The SDK's batches, of an account of this test's own."""
    key = f"key-of-{request.node.name}"
    with anthropic.Anthropic(base_url=simulator.base_url, api_key=key, max_retries=0) as client:
        yield client.messages.batches


def asking(*prompts: str, **params: object):
    """A request for each prompt."""
    whole = {"model": "claude-haiku-5-5", "max_tokens": 100, **params}
    return [
        {
            "custom_id": f"row-{number}",
            "params": {**whole, "messages": [{"role": "user", "content": prompt}]},
        }
        for number, prompt in enumerate(prompts)
    ]


def kinds(batches, batch):
    """The types of the results, by custom id."""
    return {line.custom_id: line.result.type for line in batches.results(batch.id)}


def test_counts_stay_at_zero_until_all_is_done(simulator, batches):
    """Until the end all requests are ``processing``, and there is no address of the results."""
    batch = batches.create(requests=asking("hello", "hello"))
    assert batch.processing_status == "in_progress"
    assert batch.results_url is None
    assert batch.request_counts.to_dict() == {
        "processing": 2,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    simulator.advance(1000)
    batch = batches.retrieve(batch.id)
    assert batch.processing_status == "ended"
    assert (batch.request_counts.processing, batch.request_counts.succeeded) == (0, 2)
    assert batch.results_url == f"{simulator.base_url}/v1/messages/batches/{batch.id}/results"


def test_results_come_in_no_order_each_once_and_always_the_same(simulator, batches):
    """They are found again by their custom ids, and a second reading says nothing else."""
    batch = batches.create(requests=asking(*map(str, range(50))))
    simulator.advance(1000)
    first = [line.to_dict() for line in batches.results(batch.id)]
    assert first == [line.to_dict() for line in batches.results(batch.id)]
    ids = [line["custom_id"] for line in first]
    assert sorted(ids) == sorted(f"row-{number}" for number in range(50))
    assert ids != [f"row-{number}" for number in range(50)]


def test_every_type_of_result(simulator, batches):
    """A bad request is known only at the end, and what is never begun expires after a day."""
    bad = asking("hello", temperature=1)[0] | {"custom_id": "bad"}
    streaming = asking("hello", stream=True)[0] | {"custom_id": "streaming"}
    requests = asking("hello", "simulate an error", "simulate expired")
    batch = batches.create(requests=[*requests, bad, streaming])
    simulator.advance(DAY - 3600)
    assert batches.retrieve(batch.id).processing_status == "in_progress"
    simulator.advance(3600)
    assert kinds(batches, batch) == {
        "row-0": "succeeded",
        "row-1": "errored",
        "row-2": "expired",
        "bad": "errored",
        "streaming": "errored",
    }


def test_cancel_keeps_what_was_done(simulator, batches):
    """A batch that is cancelled is ``canceling`` for a moment; the rest of it is ``canceled``."""
    batch = batches.create(requests=asking(*["hello"] * 10))
    simulator.advance(101)  # of 202 that it takes
    assert batches.cancel(batch.id).processing_status == "canceling"
    simulator.advance(1000)
    assert batches.retrieve(batch.id).request_counts.to_dict() == {
        "processing": 0,
        "succeeded": 5,
        "errored": 0,
        "canceled": 5,
        "expired": 0,
    }
    with pytest.raises(anthropic.BadRequestError, match="canceled"):
        batches.cancel(batch.id)


def test_results_are_kept_for_29_days(simulator, batches):
    """After that the batch is archived: it is listed, without its results."""
    batch = batches.create(requests=asking("hello"))
    simulator.advance(29 * DAY)
    assert batches.retrieve(batch.id).archived_at is not None
    assert batches.retrieve(batch.id).results_url is None


def test_another_account_s_batch_is_not_there(simulator, batches):
    """With another key it is neither found nor listed."""
    batch = batches.create(requests=asking("hello"))
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="other") as other:
        with pytest.raises(anthropic.NotFoundError):
            other.messages.batches.retrieve(batch.id)
        assert list(other.messages.batches.list()) == []


def test_listed_newest_first_and_deleted_after_the_end(simulator, batches):
    """Pages follow each other; a batch that is in progress cannot be deleted."""
    made = [batches.create(requests=asking("hello")).id for _ in range(3)]
    assert [batch.id for batch in batches.list(limit=2)] == made[::-1]
    with pytest.raises(anthropic.BadRequestError):
        batches.delete(made[0])
    simulator.advance(1000)
    batches.delete(made[0])
    assert [batch.id for batch in batches.list()] == made[:0:-1]


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], "Field required"),
        (asking("hello") * 2, "unique"),
        ([{"custom_id": "a b", "params": {}}], "pattern"),
        ([{"custom_id": "x" * 65, "params": {}}], "pattern"),
        ([{"custom_id": "x"}], "params"),
        ([{"custom_id": str(n), "params": {}} for n in range(100_001)], "at most 100000"),
    ],
    ids=["none", "twice", "space", "long", "no-params", "too-many"],
)
def test_the_form_of_a_batch_is_checked_at_once(batches, requests, said):
    """What the API can see without reading the requests themselves is refused with 400."""
    with pytest.raises(anthropic.BadRequestError, match=said):
        batches.create(requests=requests)


def test_a_system_prompt_is_written_once_and_read_by_the_others(simulator, batches):
    """With an hour to live, as a batch needs it."""
    system = [
        {
            "type": "text",
            "text": "manual " * 2000,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        }
    ]
    batch = batches.create(requests=asking(*["hello"] * 5, system=system))
    simulator.advance(1000)
    usages = [line.result.message.usage for line in batches.results(batch.id)]
    written = [usage.cache_creation.ephemeral_1h_input_tokens for usage in usages]
    assert sorted(written)[:4] == [0] * 4
    assert sum(usage.cache_read_input_tokens == max(written) for usage in usages) == 4


def test_thinking_in_a_result_can_be_sent_back(simulator, batches):
    """It is signed, as in every other message."""
    (request,) = asking("hello", model="claude-opus-5-5", max_tokens=500)
    batch = batches.create(requests=[request])
    simulator.advance(1000)
    (line,) = batches.results(batch.id)
    answered = {"role": "assistant", "content": line.result.message.to_dict()["content"]}
    more = {"role": "user", "content": "hello"}
    messages = [*request["params"]["messages"], answered, more]

    assert answered["content"][0]["type"] == "thinking"
    assert answered["content"][0]["signature"]
    assert problem(request["params"] | {"messages": messages}) is None


FORM = {"type": "json_schema", "schema": {"type": "object"}}


def test_a_row_is_refused_as_a_request_is(simulator, batches):
    """Each by itself, with the API's error; the others are answered ("Batch processing")."""
    rows = {
        "effort": {"output_config": {"effort": "low"}, "model": "claude-haiku-4-5"},
        "schema": {"output_config": {"format": FORM}},
        "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "blank": {"messages": [{"role": "user", "content": " "}]},
        "fast": {"speed": "fast", "model": "claude-fable-5-2"},
        "fallback": {"fallbacks": "default"},
        "warming": {"max_tokens": 0},
        "junk": {"tool_choice": {"type": []}, "messages": [[]]},
        "good": {},
    }
    (request,) = asking("hello")
    made = [{"custom_id": name, "params": request["params"] | row} for name, row in rows.items()]
    batch = batches.create(requests=made)
    simulator.advance(1000)
    found = {line.custom_id: line.result for line in batches.results(batch.id)}

    assert found.pop("good").type == "succeeded"
    assert {result.error.error.type for result in found.values()} == {"invalid_request_error"}


def test_thinking_of_another_conversation_is_left_out_in_a_batch(simulator, batches):
    """It is refused elsewhere ("Batch processing", read 2026-08-22)."""
    bound = {"model": "claude-opus-5-5", "max_tokens": 500}
    (request,) = asking("hello", **bound)
    first = batches.create(requests=[request])
    simulator.advance(1000)
    (line,) = batches.results(first.id)
    answered = {"role": "assistant", "content": line.result.message.to_dict()["content"]}
    other = {"role": "user", "content": "Think"}
    (again,) = asking("x", **bound)
    again["params"]["messages"] = [other, answered, other]
    batch = batches.create(requests=[again])
    simulator.advance(1000)

    assert problem(again["params"]).message.startswith("messages.1.content.0: Invalid `signature`")
    assert kinds(batches, batch) == {"row-0": "succeeded"}


def test_a_batch_can_be_taken_in_and_the_answer_lost(simulator, batches):
    """The worst of all cases: the client does not know whether it is paid for."""
    simulator.enqueue(Scripted(0), at="batches")
    with pytest.raises(anthropic.APIConnectionError):
        batches.create(requests=asking("hello"))
    assert len(list(batches.list())) == 1


def test_faults_while_looking_and_reading(simulator, batches):
    """An error instead of the status, and a connection that is lost within the results."""
    batch = batches.create(requests=asking(*["hello"] * 9))
    simulator.advance(1000)
    simulator.enqueue(Error(529, "overloaded_error", "Overloaded"), at="batches")
    simulator.enqueue(Scripted(4), at="results")
    with pytest.raises(anthropic.InternalServerError):
        batches.retrieve(batch.id)
    read = []
    with pytest.raises(httpx2.RemoteProtocolError):
        read += (line.custom_id for line in batches.results(batch.id))
    assert len(kinds(batches, batch)) == 9
