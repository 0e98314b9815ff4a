"""``%claude_nb record`` and ``replay``: a notebook runs again without key, network or cost."""

from __future__ import annotations

import warnings

import pytest

import claude_nb
from claude_nb import Conversation
from claude_nb.asking import asking
from claude_nb.asking.question import Question
from claude_nb.client.retry import Policy
from claude_nb.errors import ClaudeError, InputError
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.recording.matching import differences
from claude_nb.recording.recording import Recording
from claude_nb.recording.replay import RecordingStore
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME
from tests.played import end, said, start, tool_use

PATIENT = Policy(base=0.0)


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    mine = Session()
    monkeypatch.setattr(asking, "session", mine)
    monkeypatch.setattr("claude_nb.asking.cached_system.session", mine)
    monkeypatch.setattr("claude_nb.magics.budgets.session", mine)
    return mine


@pytest.fixture
def magic(session):
    """The magic ``%claude_nb``."""
    return ClaudeMagics().claude_nb


@pytest.fixture
def offline(monkeypatch):
    """Takes the server and the key away."""

    def cut():
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    return cut


def talk():
    """A notebook's worth of questions; the replies, whole or not."""
    conversation = Conversation("talk", system="Be brief.")
    prompts = ("Why?", "And then?")
    replies = [conversation.ask(prompt, show=False, policy=PATIENT) for prompt in prompts]
    try:
        replies.append(claude_nb.ask("Again?", show=False, policy=Policy(tries=1)))
    except ClaudeError as error:
        replies.append(error.reply)
    replies.append(claude_nb.ask("Again?", show=False, policy=Policy(tries=1)))
    return replies


def test_a_notebook_runs_again_without_key_network_or_cost(
    api, session, magic, offline, tmp_path, capsys
):
    """A conversation, a failure that was waited out, one that was not, a question asked twice."""
    overloaded = Error(529, "overloaded_error", "Overloaded")
    api.enqueue(Stream(said("One.")), overloaded, Stream(said("Two.")))
    api.enqueue(overloaded, Stream(said("Four.")))
    magic(f"record {tmp_path / 'talks'}")
    first = talk()
    magic("record off")
    spent = len(session.ledger.entries)
    offline()
    magic(f"replay {tmp_path / 'talks'} --speed 1000")
    out = capsys.readouterr().out
    assert f"Each reply is recorded in {tmp_path / 'talks'}." in out
    assert "Replaying 5 recorded requests" in out

    again = talk()

    assert [r.text for r in again] == ["One.", "Two.", "", "Four."]
    assert [str(r.outcome) for r in again] == [str(r.outcome) for r in first]
    assert [m.failure for m in again[1].messages] == ["overloaded", ""]
    assert [r.request_ids for r in again] == [r.request_ids for r in first]
    assert {r.replayed for r in again} == {True}
    assert {r.simulated for r in again} == {True}
    assert len(session.ledger.entries) == spent
    assert [r.text for r in talk()] == ["One.", "Two.", "", "Four."], "and once more"


def test_a_replayed_reply_says_that_it_is_one(api, magic, tmp_path, capsys):
    """In its status, in its text and in its record; that it was simulated stays on it."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record '{tmp_path / 'my talks'}'")
    claude_nb.ask("Hello", show=False)
    magic(f"replay '{tmp_path / 'my talks'}'")

    data = claude_nb.ask("Hello", show=False)._repr_mimebundle_()

    assert "complete · replayed" in data["text/html"]
    assert ">simulated</span>" in data["text/html"]
    assert "simulated · replayed" in data["text/plain"]
    assert data[MIME]["replayed"] is True
    assert data[MIME]["simulated"] is True
    magic("status")
    assert "the recordings in" in capsys.readouterr().out


def test_a_request_without_a_recording_is_named_with_what_differs(api, magic, tmp_path):
    """Nothing is sent for it."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path}")
    claude_nb.ask("Why is the sky blue?", show=False, system="Be brief.")
    magic(f"replay {tmp_path}")
    sent = len(api.requests)

    with pytest.raises(InputError) as raised:
        claude_nb.ask("Why is the sky green?", show=False, model="claude-haiku-5-5")

    error = raised.value
    assert error.what == f"This request has no recording in {tmp_path}."
    assert "The nearest is why-is-the-sky-blue-" in error.detail
    assert "model: recorded “claude-opus-5-5”, asked for “claude-haiku-5-5”" in error.detail
    asked = "recorded “Why is the sky blue?”, asked for “Why is the sky green?”"
    assert f"messages[0].content: {asked}" in error.detail
    assert "system: recorded “Be brief.”, asked for nothing" in error.detail
    assert "%claude_nb replay off" in error.advice
    assert len(api.requests) == sent
    assert str(error.reply.outcome) == "failed"
    assert "messages[0].content" in error.reply._repr_mimebundle_()["text/html"]


def test_recordings_of_nothing_have_no_nearest():
    """A reply may have been recorded before anything was sent."""
    with pytest.raises(InputError) as raised:
        RecordingStore([Recording({}, ())]).find({"model": "m"})
    assert "contains no request" in raised.value.detail


def test_differences_are_readable():
    """Where long texts part, what is missing, and what is there beside."""
    long = "word " * 100
    old = {"a": long + "blue", "b": [1, {"c": 2}], "d": None}
    new = {"a": long + "green", "b": [1, {"c": 3}, 4], "e": True}
    assert differences(old, new) == [
        "a: recorded “…ord word word word word blue”, asked for “…ord word word word word green”",
        "b[1].c: recorded 2, asked for 3",
        "b: 2 recorded, 3 asked for",
        "e: recorded nothing, asked for true",
    ]
    assert differences(new, new) == []


def test_a_cached_system_prompt_is_warmed_again(api, magic, offline, tmp_path):
    """That is a request too; to count its tokens is not recorded, and says so."""
    magic(f"record {tmp_path}")
    handbook = claude_nb.CachedSystem("word " * 3000)
    handbook.warm()
    offline()
    magic(f"replay {tmp_path}")

    assert handbook.warm() is handbook
    with pytest.raises(InputError, match="Recordings are being replayed"):
        handbook.tokens()
    with pytest.raises(InputError, match="Recordings are being replayed"):
        asking.estimate(Question.of("Hello"))


def test_tools_run_again(api, magic, offline, tmp_path):
    """Requests are replayed, functions run: another result is another request."""
    results = ["sunny", "sunny", "rain"]

    def look_up(city: str) -> str:
        """The weather.

        Args:
            city: Where.
        """
        return f"{results.pop(0)} in {city}"

    call = [start(), *tool_use('{"city": "Lisbon"}'), *end("tool_use")]
    api.enqueue(Stream(call), Stream(said("Sunny.")))
    magic(f"record {tmp_path}")
    claude_nb.ask("Weather?", show=False, tools=[look_up])
    offline()
    magic(f"replay {tmp_path}")

    assert claude_nb.ask("Weather?", show=False, tools=[look_up]).text == "Sunny."
    with pytest.raises(InputError, match="has no recording") as raised:
        claude_nb.ask("Weather?", show=False, tools=[look_up])
    assert "recorded “sunny in Lisbon”, asked for “rain in Lisbon”" in raised.value.detail


def test_limits_count_nothing_while_nothing_is_sent(api, magic, offline, tmp_path):
    """Nothing is spent: a budget that is used up does not keep a recording from being played."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path}")
    claude_nb.ask("Hello", show=False)
    offline()
    magic(f"replay {tmp_path}")
    magic("budget 0.0001")

    assert claude_nb.ask("Hello", show=False, max_cost=0.000001).text == "Hello."


def test_streams_for_python_users_are_recorded_and_replayed(api, magic, offline, tmp_path):
    """``claude_nb.stream`` goes the same way; a client of one's own is not asked."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path}")
    sent = [event.type for event in claude_nb.stream("Hello")]
    offline()
    magic(f"replay {tmp_path}")

    assert [event.type for event in claude_nb.stream("Hello", client=object())] == sent


def test_the_same_notebook_writes_the_same_files(api, magic, tmp_path):
    """Named after what was asked, and numbered where it was asked twice."""
    for _ in range(2):
        api.enqueue(*[Stream(said("Hello."))] * 3)
        magic(f"record {tmp_path}")
        for prompt in ("Why, oh why?", "Why, oh why?", "¿"):
            claude_nb.ask(prompt, show=False)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert [name.startswith("why-oh-why-") for name in names].count(True) == 2
    assert sum(name.endswith("-2.jsonl") for name in names) == 1


def test_what_is_left_out_is_in_no_file_and_no_name(api, magic, offline, tmp_path, capsys):
    """And the notebook runs all the same."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path} --without request, thinking")
    claude_nb.ask("Secret?", show=False)
    offline()
    (path,) = tmp_path.iterdir()
    assert "ecret" not in path.name + path.read_text()
    assert "without request and thinking" in capsys.readouterr().out
    magic(f"replay {tmp_path}")
    assert claude_nb.ask("Secret?", show=False).text == "Hello."


def test_a_folder_with_bad_files_is_played_without_them(api, magic, tmp_path, capsys):
    """Each is named; a folder with nothing else is refused."""
    (tmp_path / "notes.jsonl").write_text("Hello")
    with pytest.raises(InputError, match="There is no recording in") as raised:
        magic(f"replay {tmp_path}")
    assert "notes.jsonl is not a recording" in raised.value.advice
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path}")
    claude_nb.ask("Hello", show=False)
    (path,) = tmp_path.glob("hello-*")
    path.write_text("\n".join(path.read_text().splitlines()[:5]))
    magic(f"replay {tmp_path}")
    out = capsys.readouterr().out
    assert f"Note: {tmp_path / 'notes.jsonl'} is not a recording" in out
    assert f"Note: {path} is cut off" in out
    with pytest.raises(ClaudeError, match="The recording ends here"):
        claude_nb.ask("Hello", show=False)


def test_what_cannot_be_recorded_is_no_loss(api, magic, tmp_path):
    """The reply is there; a warning says that its file is not."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path / 'a'}")
    (tmp_path / "a").rmdir()
    with pytest.warns(UserWarning, match="The reply was not recorded"):
        assert claude_nb.ask("Hello", show=False).text == "Hello."


def test_replayed_replies_are_not_recorded_again(api, magic, tmp_path):
    """A recording is of what was sent."""
    api.enqueue(Stream(said("Hello.")))
    magic(f"record {tmp_path / 'a'}")
    claude_nb.ask("Hello", show=False)
    magic(f"record {tmp_path / 'b'}")
    magic(f"replay {tmp_path / 'a'}")
    with warnings.catch_warnings():
        claude_nb.ask("Hello", show=False)
    assert list((tmp_path / "b").iterdir()) == []
    (path,) = (tmp_path / "a").iterdir()
    assert Recording.load(path).reply.text == "Hello."


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("replay nowhere", "There is no folder nowhere."),
        ("replay . --pace 2", "There is no option --pace."),
        ("replay . --speed x", "'x' is not a factor above 0, such as 0.2"),
        ("replay . --speed 0", "a factor above 0"),
        ("record talks --without", "--without needs a value"),
        ("record talks --without words", "There are attachments, request, thinking."),
        ("record talks --with thinking", "Did you mean --without?"),
        ('record "talks', 'The quote " is not closed.'),
    ],
)
def test_a_mistake_is_named(magic, tmp_path, monkeypatch, line, words):
    """And what to write instead; nothing is recorded or replayed then."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        magic(line)
    assert words in str(raised.value)


def test_without_words_the_state_is_said(magic, capsys):
    """Whether it is on, and where."""
    magic("record")
    magic("replay")
    magic("replay off")
    assert capsys.readouterr().out.splitlines() == [
        "Replies are not recorded.",
        *["Replay is off: questions are sent."] * 2,
    ]
