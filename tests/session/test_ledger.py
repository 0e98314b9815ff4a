"""The ledger: what every request used, where it was asked, and ways out of it."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime, timedelta

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.cost.usage import Usage
from claude_nb.errors import ClaudeError, InputError
from claude_nb.request.place import Place
from claude_nb.session.ledger import COLUMNS, Entry, Ledger
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Stream
from tests.played import said, start, text

ENTRY = Entry(
    when="2026-11-23T07:00:00.250+00:00",
    conversation="trains",
    cell="c1",
    execution=3,
    model="claude-opus-5-5",
    simulated=False,
    request_id="req_1",
    usage=Usage(25, 400, 100, 2000, 15, 5),
    cost=0.0042,
    stop_reason="end_turn",
    complete=True,
)
BROKEN = Entry(
    when="2026-11-23T07:01:00.000+00:00",
    conversation="",
    cell="",
    execution=0,
    model="claude-opus-5-5",
    simulated=True,
    request_id=None,
    usage=Usage(25, 0, 0, 0, None, None),
    cost=None,
    stop_reason=None,
    complete=False,
)


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    return session


@pytest.fixture
def ledger():
    """A ledger with two entries."""
    ledger = Ledger()
    ledger.entries += [ENTRY, BROKEN]
    return ledger


def test_a_request_is_written_down_with_all_that_is_known(api, session):
    """When, where, by whom, how much, and how it ended."""
    api.enqueue(Stream(said("Hello")))
    before = datetime.now(UTC)

    claude_nb.Conversation("trains").ask("Hi", show=False)

    (entry,) = session.ledger.entries
    when = datetime.fromisoformat(entry.when)
    slack = timedelta(milliseconds=2)  # it is written down in whole milliseconds
    assert before - slack <= when <= datetime.now(UTC)
    assert (entry.conversation, entry.cell, entry.execution) == ("trains", "", 0)
    assert (entry.model, entry.simulated) == ("claude-opus-5-5", True)
    assert entry.request_id == claude_nb.last().request_ids[0]
    assert entry.usage == claude_nb.last().usage
    assert (entry.cost, entry.stop_reason, entry.complete) == (0.0004, "end_turn", True)


def test_the_place_is_that_of_the_cell(api, session):
    """The front end's id, and the number of the execution."""
    api.enqueue(Stream(said("Hello")))
    reply = claude_nb.ask("Hi", show=False)
    ledger = Ledger()

    ledger.charge(reply, Place("c7", 12))

    assert [(e.conversation, e.cell, e.execution) for e in ledger.entries] == [("", "c7", 12)]


def test_a_stream_is_charged_when_it_has_ended(api, session):
    """Whoever reads its events finds it in the ledger after the last one."""
    api.enqueue(Stream(said("Hello")))
    for event in claude_nb.stream("Hi"):
        last = event

    (entry,) = session.ledger.entries
    assert (last.type, entry.complete, entry.usage.output_tokens) == ("message_stop", True, 15)


def test_a_stream_that_was_left_is_charged_as_unknown(api, session):
    """It was not read to its end, so nobody knows what came out."""
    api.enqueue(Stream([start(), *text("Hel")], end="hang"))
    stream = claude_nb.stream("Hi")
    for event in stream:
        if event.type == "content_block_delta":
            break
    stream.join(10)

    (entry,) = session.ledger.entries
    assert (entry.complete, entry.usage.output_tokens, entry.cost) == (False, None, None)


def test_a_stream_that_was_refused_costs_nothing(api, session):
    """The server took nothing."""
    api.enqueue(Error(400, "invalid_request_error", "No."))
    assert [event.type for event in claude_nb.stream("Hi")] == ["request_sent", "failed"]

    assert session.ledger.entries == []


def test_the_ledger_is_public():
    """``claude_nb.ledger`` is the session's own."""
    from claude_nb.session.session import session

    assert claude_nb.ledger is session.ledger


def test_what_was_spent_is_what_is_known(ledger):
    """The budget counts with it."""
    assert ledger.spent() == 0.0042


def test_as_csv(ledger, tmp_path):
    """A row for each request; what is not known is empty, not zero."""
    ledger.to_csv(tmp_path / "spent.csv")

    with (tmp_path / "spent.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert list(first.values()) == [
        "2026-11-23T07:00:00.250+00:00",
        "trains",
        "c1",
        "3",
        "claude-opus-5-5",
        "False",
        "req_1",
        "end_turn",
        "True",
        "1",
        "25",
        "400",
        "100",
        "2000",
        "15",
        "5",
        "0",
        "",
        "0.0042",
    ]
    assert [second[name] for name in ("request_id", "output_tokens", "cost_usd")] == ["", "", ""]


def test_a_file_that_is_there_stays_as_it_is(ledger, tmp_path):
    """Unless it is said that it may be replaced."""
    path = tmp_path / "spent.csv"
    path.write_text("mine")

    with pytest.raises(InputError, match="exists already"):
        ledger.to_csv(path)
    assert path.read_text() == "mine"

    ledger.to_csv(str(path), overwrite=True)
    assert path.read_text().startswith("when,conversation")


def test_a_file_that_cannot_be_written_is_an_input_error(ledger, tmp_path):
    """With the words of the system."""
    with pytest.raises(InputError) as raised:
        ledger.to_csv(tmp_path / "none" / "spent.csv")

    assert "No such file or directory" in raised.value.what


def test_what_looks_like_a_key_is_not_written(tmp_path):
    """A gateway may say anything for a model's name."""
    assert BROKEN.row() | {"model": ENTRY.model} == BROKEN.row()
    assert Entry(**{**_fields(ENTRY), "model": "sk-ant-xyz"}).row()["model"] == "sk-ant-…"


def _fields(entry):
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


def test_as_a_data_frame(ledger):
    """Times are times, counts are whole numbers, and what is not known is missing."""
    frame = ledger.to_pandas()

    assert tuple(frame.columns) == COLUMNS
    assert frame["when"][0].isoformat() == "2026-11-23T07:00:00.250000+00:00"
    assert frame["output_tokens"].sum() == 15
    assert frame["output_tokens"].isna().tolist() == [False, True]
    assert frame["cost_usd"].isna().tolist() == [False, True]
    assert frame.groupby("model")["input_tokens"].sum().to_dict() == {"claude-opus-5-5": 50}


def test_an_empty_ledger_is_an_empty_frame():
    """With the same columns and types."""
    empty, full = Ledger(), Ledger()
    full.entries.append(ENTRY)

    frame = empty.to_pandas()

    assert (len(frame), tuple(frame.columns)) == (0, COLUMNS)
    assert str(frame["input_tokens"].dtype) == str(full.to_pandas()["input_tokens"].dtype)


def test_without_pandas_the_way_out_is_named(ledger, monkeypatch):
    """An error that says what to install, and what does without."""
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ClaudeError) as raised:
        ledger.to_pandas()

    assert (raised.value.what, "to_csv" in raised.value.advice) == (
        "pandas is not installed.",
        True,
    )


def test_it_says_what_it_is(ledger):
    """In one line."""
    assert (repr(ledger), repr(Ledger())) == ("<Ledger · 2 requests>", "<Ledger · 0 requests>")
