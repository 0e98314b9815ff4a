"""The lesson of one hour: short, answered in its cells, and true of what is saved in it."""

import json
import re

import pytest

import claude_nb
from claude_nb.client.connection import Connection
from claude_nb.errors import InputError
from claude_nb.recording.replay import RecordingStore
from claude_nb.session.session import Session
from claude_nb.teaching import first_seen, sdk_client, simulator_address
from tests.refresh_notebooks import NOTEBOOKS

LINES = 45
"""What a class can read in an hour."""

(LESSON,) = (path for path in NOTEBOOKS if path.stem == "lesson_streaming")
CELLS = json.loads(LESSON.read_text(encoding="utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def lines_to_read(cell):
    """Its lines of code: none of an exercise, and no comments or prompts."""
    if cell["cell_type"] != "code" or "exercise" in cell["metadata"].get("tags", []):
        return []
    lines = [line for line in source(cell).splitlines() if line.strip() and line.strip()[0] != "#"]
    return lines[:1] if lines[0].startswith("%%claude") else lines


def output(words):
    """What is printed below the code cell in which these words stand."""
    (cell,) = (c for c in CELLS if c["cell_type"] == "code" and words in source(c))
    return "".join("".join(found.get("text", "")) for found in cell["outputs"])


def seconds(text, before):
    """The figures before an s, behind these words."""
    return [float(found) for found in re.findall(rf"{before} ([\d.]+) s", text)]


def test_there_is_little_code_to_read():
    """Stubs, checks and solutions are not counted."""
    assert sum(len(lines_to_read(cell)) for cell in CELLS) <= LINES


@pytest.mark.parametrize(
    "answer",
    [
        "Why usage comes last.",
        "What a signature is.",
        "Why an overload is not a rate limit.",
        "How to tell a complete reply from a cut one.",
        "When not to stream",
        *(f"Pitfall {number}" for number in range(1, 6)),
    ],
)
def test_each_question_of_the_hour_has_one_cell_that_answers_it(answer):
    """It can be quoted."""
    assert sum(answer in source(cell) for cell in CELLS if cell["cell_type"] == "markdown") == 1


def test_streaming_is_sooner_to_the_first_text():
    """A plain reply has all of its text at its end."""
    shown = output("in (plain, streamed)")
    (plain, streamed), (whole, _) = seconds(shown, "first text"), seconds(shown, "complete")
    assert streamed < plain == whole


def test_batches_are_seen_later_the_larger_they_are():
    """Lines cost little, and the end costs everything."""
    piece, line, block, end = seconds(output("first_seen(streamed"), "after")
    assert piece < line < block < end
    assert line - piece < (end - piece) / 5


def test_failures_are_told_as_the_sdk_tells_them():
    """Among them a status of 200, an error of another package, and none at all."""
    cells = ('"overloaded", "rate-limit"', '"overloaded-inside"', '"drop", "silent-end"')
    shown = "".join(output(f"attempt({faults})") for faults in cells)
    assert re.findall(r"→ (.*)", shown) == [
        "OverloadedError 529 overloaded_error",
        "RateLimitError 429 rate_limit_error",
        "APIStatusError 200 overloaded_error",
        "RemoteProtocolError None None",
        "no error · None 1",
    ]


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    mine = Session()
    for module in ("claude_nb.asking.asking", "claude_nb.session.session"):
        monkeypatch.setattr(f"{module}.session", mine)
    yield mine
    mine.simulate(on=False)


def test_first_text_is_seen_when_its_batch_is_full(api, session):
    """What is waited for decides, and what never comes is seen at the end."""
    session.connect(Connection(base_url=api.base_url))
    reply = claude_nb.ask("Why is the sky blue?", effort="low", show=False)
    piece, line, block, end, more = (
        first_seen(reply, batch) for batch in ("piece", "line", 1000, "end", 10_000)
    )
    assert piece == pytest.approx(reply.timing.first_text)
    assert piece < line < block < end == more == reply.timing.total


@pytest.mark.parametrize("batch", ["word", "", 0, -1, None, [1]])
def test_a_batch_that_is_none(batch):
    """Students try other words; the error names those that there are."""
    with pytest.raises(InputError, match="There is no batch"):
        first_seen(None, batch)


def test_the_simulator_answers_the_sdk_while_recordings_are_replayed(session):
    """A lecture may play what was recorded; the cells with a client of the SDK go on."""
    session.simulate(on=True)
    session.library = RecordingStore([])
    with sdk_client() as client:
        question = [{"role": "user", "content": "hello"}]
        assert client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=question)

    session.simulate(on=False)
    with pytest.raises(InputError, match="Recordings are being replayed"):
        sdk_client()


def test_the_simulators_address_is_reached_without_a_proxy(session, monkeypatch):
    """And where the simulator is off there is none: nothing goes elsewhere by mistake."""
    with pytest.raises(InputError, match="The simulator is off") as raised:
        simulator_address()
    assert raised.value.advice == "Turn it on: %claude_nb simulate on"

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.org")
    session.simulate(on=True)
    client = pytest.importorskip("anthropic").Anthropic(
        base_url=simulator_address(), api_key="not-a-key", max_retries=0
    )
    with client:
        question = [{"role": "user", "content": "hello"}]
        assert client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=question)
