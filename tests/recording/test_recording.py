"""``Recording``: a reply in a file, and the same reply back out of it."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

import claude_nb
from claude_nb.asking import asking
from claude_nb.client.engine import Stream as Running
from claude_nb.client.retry import Policy
from claude_nb.client.source import ApiSource
from claude_nb.errors import ClaudeError, InputError
from claude_nb.recording.recording import Recording
from claude_nb.recording.replay import Recorder, RecordingStore, ReplaySource
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.simulator import Error, Raw, Stream
from claude_nb.streaming.events import StreamEvent
from tests.played import BAD, GOOD, end, escaped, recorded, said, start, text, thinking, tool_use
from tests.test_reply import body, broken_streams

ONE_TRY = Policy(tries=1)
KEY = "sk-" + "ant-0123456789"


def ask(**options: Any):
    """The reply to a question, however it ends."""
    try:
        return claude_nb.ask("Hello", show=False, **options)
    except ClaudeError as error:
        return error.reply


def told(reply):
    """All that a reply is, but for its times."""
    error = reply.error
    return {
        "outcome": str(reply.outcome),
        "error": error and (type(error), error.what, error.detail, error.request_id),
        "blocks": [(b.type, b.text, b.signature, b.lost, b.citations) for b in reply.blocks],
        "messages": [m.to_sdk() for m in reply.messages],
        "seams": [(seam.at, seam.why) for block in reply.blocks for seam in block.breaks],
        "usage": reply.usage,
        "request_ids": reply.request_ids,
        "simulated": reply.simulated,
        "events": [event.type for event in reply.events],
    }


def times(reply):
    """When what happened, in seconds from the first event."""
    return [event.time - reply.events[0].time for event in reply.events]


def played(recording, policy=ONE_TRY):
    """The reply that comes when a recording answers."""
    library = RecordingStore([recording], speed=math.inf)
    player = ReplaySource(library, ApiSource(None))
    running = Running(player, Request("Hello"), library.policy(policy))
    reply = Reply(Request("Hello"))
    reply.advance(running)
    return reply


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_every_stream_comes_back_as_it_was(api, tmp_path, name):
    """Out of the file, and played through the seam: same messages, outcome, error and usage."""
    api.enqueue(*[Stream(recorded(name))] * 2)
    reply = ask()

    Recording.of(reply).save(tmp_path / "a.jsonl")
    read = Recording.load(tmp_path / "a.jsonl")

    assert told(read.reply) == told(reply)
    assert times(read.reply) == pytest.approx(times(reply), abs=1e-5)
    assert told(played(read)) == told(reply)
    assert read.reply.replayed
    assert not reply.replayed


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(events=broken_streams())
def test_whatever_a_server_sends_comes_back_as_it_was(tmp_path_factory, events):
    """Events that nobody documents are of the same type, with the same fields, when read back."""
    content = body(events)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=content))
    client = anthropic.AsyncAnthropic(
        api_key="not-a-key", http_client=httpx2.AsyncClient(transport=transport)
    )
    reply = ask(client=client)
    path = tmp_path_factory.mktemp("recording") / "a.jsonl"

    Recording.of(reply).save(path)
    read = Recording.load(path)

    pairs = list(zip(reply.events, read.events, strict=True))
    assert [type(a.data) for a, _ in pairs] == [type(b.data) for _, b in pairs]
    assert told(read.reply) == told(reply)
    read.save(path, overwrite=True)
    assert told(Recording.load(path).reply) == told(reply)


def test_failures_waits_and_seams_come_back(api):
    """A reply that took three requests is played request by request, to the same end."""
    api.enqueue(
        Error(529, "overloaded_error", "Overloaded"),
        Stream([start(), *text("Hello wor")[:-1]], end="drop"),
        Stream(said("ld, and all.")),
    )
    policy = Policy(base=0.0)
    reply = ask(policy=policy)

    again = played(Recording.of(reply), policy=policy)

    assert [m.failure for m in reply.messages] == ["overloaded", "connection lost", ""]
    assert told(again) == told(reply)
    assert again.text == "Hello world, and all."


def test_a_stopped_reply_is_stopped_again(api):
    """In the same place."""
    api.enqueue(Stream([start(), *text("Hello wor")[:-1]], end="hang"))
    stream = claude_nb.stream("Hello")
    while len(stream.events) < 5:
        stream.wait(len(stream.events), 5)
    stream.stop()
    stream.join()
    reply = Reply(Request("Hello"))
    reply.advance(stream.events)

    again = played(Recording.of(reply))

    assert (str(again.outcome), again.text) == ("stopped", "Hello wor")


def test_it_is_played_at_its_pace_or_another(api, monkeypatch):
    """Half as fast takes twice as long, at least; as fast as possible is without a pause."""
    api.enqueue(Stream(said("a", "b", "c"), delay=0.05))
    recording = Recording.of(ask())

    def seconds(speed):
        async def collect():
            loop = asyncio.get_running_loop()
            began = loop.time()
            player = ReplaySource(RecordingStore([recording], speed=speed), ApiSource(None))
            async for _ in player.events(Request("Hello")):
                pass
            return loop.time() - began

        return asyncio.run(collect())

    whole = recording.events[-1].time
    assert whole <= seconds(1.0)
    assert 2 * whole <= seconds(0.5)
    monkeypatch.setattr(asyncio, "sleep", None)
    seconds(math.inf)


def test_a_clock_that_jumps_costs_no_hours(api):
    """Back, it is no time at all; a silence is as long as a stream can be silent."""
    api.enqueue(Stream(said("Hello")))
    recording = Recording.of(ask())
    jumped = [
        StreamEvent(e.seq, 1e6 if e.seq == 3 else e.time, e.attempt, e.data)
        for e in recording.events
    ]
    wild = Recording(recording.request, tuple(jumped))

    again = played(wild)

    assert again.text == "Hello"
    assert wild.reply.text == "Hello"


def test_the_file_is_good_to_keep_under_git(api, tmp_path):
    """One event a line, sorted keys, one end of line at the end, the same bytes each time."""
    api.enqueue(Stream(said("Grüße ", "\u2028", " 🙂")))
    recording = Recording.of(ask())
    for name in ("a", "b"):
        recording.save(tmp_path / name)
    Recording.load(tmp_path / "a").save(tmp_path / "c")

    content = (tmp_path / "a").read_bytes()

    assert content == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    lines = content.decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 1 + len(recording.events)
    assert all(list(json.loads(line)) == sorted(json.loads(line)) for line in lines)
    assert "Grüße" in lines[5]
    head = json.loads(lines[0])
    assert (head["format"], head["claude_nb"]) == (1, claude_nb.__version__)
    assert head["request"]["messages"] == [{"role": "user", "content": "Hello"}]


def test_a_file_that_is_there_stays_unless_it_may_go(api, tmp_path):
    """As with every file that is written."""
    api.enqueue(Stream(said("Hello")))
    recording = Recording.of(ask())
    recording.save(tmp_path / "a")

    with pytest.raises(InputError, match="exists already"):
        recording.save(tmp_path / "a")
    recording.save(tmp_path / "a", overwrite=True)
    with pytest.raises(InputError, match="cannot be written"):
        recording.save(tmp_path / "no" / "a")


def test_no_key_is_in_it(api, tmp_path):
    """Not in the request, not in an event, and not spread over several deltas."""
    api.enqueue(Stream([start(), *thinking(KEY), *text("Your key: sk-a", "nt-01", "23456789.")]))
    try:
        claude_nb.ask(f"My key is {KEY}", show=False, system=f"Key {KEY}")
    except ClaudeError as error:
        reply = error.reply
    Recording.of(reply).save(tmp_path / "a")

    content = (tmp_path / "a").read_text()

    assert "0123456789" not in content
    assert "23456789" not in content
    assert Recording.load(tmp_path / "a").reply.text == "Your key: sk-ant-…."


def test_private_and_large_parts_can_be_left_out(api, tmp_path):
    """A fingerprint stands in their place, by which a replay still finds the recording."""
    api.enqueue(Stream([start(), *thinking("Hm, secret."), *text("Yes.", index=1), *end()]))
    data = "iVBORw0KGgoA" + "A" * 4000
    source = {"type": "base64", "media_type": "image/png", "data": data}
    request = Request(
        "secret words",
        system="secret system",
        content=(
            {"type": "text", "text": "secret words"},
            {"type": "image", "source": source},
        ),
    )
    running = Running(ApiSource(asking.session.connection()), request)
    reply = Reply(request)
    reply.advance(running)

    recording = Recording.of(reply, without=("request", "thinking"))
    recording.save(tmp_path / "a")
    content = (tmp_path / "a").read_text()
    loaded = Recording.load(tmp_path / "a")
    pictures = Recording.of(reply, without="attachments")
    pictures.save(tmp_path / "b")

    assert "secret" not in content
    assert data not in content
    assert loaded.left_out == ("request", "thinking")
    assert (loaded.reply.text, loaded.reply.thinking) == ("Yes.", "")
    library = RecordingStore([loaded, Recording.load(tmp_path / "b")])
    assert library.find(request.params()) is not None
    other = Request("secret word", system="secret system", content=request.content[1:])
    with pytest.raises(InputError):
        library.find(other.params())
    only_pictures = (tmp_path / "b").read_text()
    assert "secret words" in only_pictures
    assert data not in only_pictures


def look_up(key: str) -> str:
    """Look something up.

    Args:
        key: What.
    """
    return f"secret of {key}"


def test_what_a_tool_returned_is_part_of_the_request(api, tmp_path):
    """It is sent with the next one; left out, it is in no event either, in no words."""
    api.enqueue(Stream([start(), *tool_use('{"key": "a"}'), *end("tool_use")]), Stream(said("Ok.")))
    reply = claude_nb.ask("Hello", show=False, tools=[look_up])
    Recording.of(reply).save(tmp_path / "whole")
    Recording.of(reply, without=("request",)).save(tmp_path / "part")

    assert Recording.load(tmp_path / "whole").reply.blocks[0].run == reply.blocks[0].run
    assert "secret" not in (tmp_path / "part").read_text()
    assert told(Recording.load(tmp_path / "part").reply)["events"] == told(reply)["events"]


def replayed(monkeypatch, path, *args: Any, **options: Any):
    """The reply to a question that a recording answers, asked as a user asks it."""
    library = RecordingStore([Recording.load(path)], speed=math.inf)
    monkeypatch.setattr(asking.session, "library", library)
    return claude_nb.ask(*args, show=False, **options)


def whole(*content: Any, stop: str = "end_turn"):
    """An answer that is not streamed."""
    said = start(content=content, stop_reason=stop)["message"]
    return Raw([json.dumps(said).encode()], headers={"Content-Type": "application/json"})


def test_thinking_that_came_as_a_whole_is_left_out(api, tmp_path, monkeypatch):
    """With its signature, and thinking that is encrypted too."""
    thought = {"type": "thinking", "thinking": "Hm, secret.", "signature": "signed"}
    hidden = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    call = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"key": "a"}}
    answer = {"type": "text", "text": "Yes."}
    api.enqueue(whole(thought, hidden, call, stop="tool_use"), whole(thought, answer))
    asked = {"tools": [look_up], "stream": False}
    reply = claude_nb.ask("Hello", show=False, **asked)
    assert (reply.thinking, reply.text) == ("Hm, secret.\n\nHm, secret.", "Yes.")

    Recording.of(reply, without=("thinking",)).save(tmp_path / "a")

    content = (tmp_path / "a").read_text()
    assert not [word for word in ("Hm, secret.", "signed", hidden["data"]) if word in content]
    again = replayed(monkeypatch, tmp_path / "a", "Hello", **asked)
    assert (again.thinking.strip(), again.text) == ("", "Yes.")


def test_a_picture_that_a_tool_returned_is_an_attachment(api, tmp_path, monkeypatch):
    """It is sent with the next request, and left out of what the tool returned as it is there."""
    picture = Image.new("RGB", (8, 8), "red")

    def look_up(key: str) -> object:
        """Look something up.

        Args:
            key: What.
        """
        return picture if key else None

    api.enqueue(Stream([start(), *tool_use('{"key": "a"}'), *end("tool_use")]), Stream(said("Ok.")))
    reply = claude_nb.ask("Hello", show=False, tools=[look_up])
    (sent,) = reply.blocks[0].run.content
    Recording.of(reply).save(tmp_path / "whole")
    Recording.of(reply, without=("attachments",)).save(tmp_path / "part")

    assert (tmp_path / "whole").read_text().count(sent["source"]["data"]) == 2
    assert sent["source"]["data"] not in (tmp_path / "part").read_text()
    again = replayed(monkeypatch, tmp_path / "part", "Hello", tools=[look_up])
    assert again.text == "Ok."
    for shown in (Recording.load(tmp_path / "part").reply, again):
        assert "image 8 × 8" in shown._repr_mimebundle_()["text/html"]


def test_what_is_called_name_or_id_is_left_out_like_the_rest(api, tmp_path, monkeypatch):
    """A tool's parameters, what it was called with and the form of the answer are the user's."""

    class Person(pydantic.BaseModel):
        id: str = pydantic.Field(description="secret number")

    def look_up(name: str, id: str = "", age: int = 0) -> str:  # noqa: A002
        """Look somebody up.

        Args:
            name: The secret patient.
            id: Their secret number.
            age: In years.
        """
        return f"{name}{id}{age}"

    call = tool_use('{"name": "secret Alice", "id": "secret 7", "age": 4321}')
    api.enqueue(Stream([start(), *call, *end("tool_use")]), Stream(said('{"id": "8"}')))
    asked = {"tools": [look_up], "output": Person}
    reply = claude_nb.ask("Hello", show=False, **asked)
    recording = Recording.of(reply, without=("request",))
    recording.save(tmp_path / "a")
    requests = [e.data.params for e in recording.events if e.type == "request_sent"]

    said_of_it = json.dumps([recording.request, requests])
    assert not [word for word in ("secret", "patient", "4321", '"age"') if word in said_of_it]
    assert recording.request["tools"][0]["name"] == "look_up"
    _, called, result = requests[1]["messages"]
    assert (called["role"], called["content"][0]["type"]) == ("assistant", "tool_use")
    assert called["content"][0]["id"] == result["content"][0]["tool_use_id"] == "toolu_1"
    assert replayed(monkeypatch, tmp_path / "a", "Hello", **asked).parsed == Person(id="8")
    with pytest.raises(InputError, match="no recording"):
        replayed(monkeypatch, tmp_path / "a", "Hello", output=Person)


def test_there_are_no_other_parts(api):
    """The error names those that there are."""
    api.enqueue(Stream(said("Hello")))
    with pytest.raises(InputError, match="There are attachments, request, thinking"):
        Recording.of(ask(), without=("words",))


def test_the_sse_text_is_what_a_server_would_have_sent(api):
    """The SDK reads the same events out of it; what the wire did not say are comments."""
    api.enqueue(
        Stream([start(), *text("Hello wor")[:-1]], end="drop"), Stream(said("ld, and \u2028 more."))
    )
    recording = Recording.of(ask(policy=Policy(base=0.0)))

    sse = recording.to_sse()

    async def decoded():
        transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=sse.encode()))
        client = anthropic.AsyncAnthropic(
            api_key="not-a-key", http_client=httpx2.AsyncClient(transport=transport)
        )
        asked = {"model": "m", "max_tokens": 1, "messages": []}
        return [event async for event in await client.messages.create(**asked, stream=True)]

    wire = [e.sdk for e in recording.events if isinstance(e.data, dict)]
    assert asyncio.run(decoded()) == wire
    assert ": request 2, at" in sse
    assert ": waiting: The connection was lost., at" in sse


def test_a_reply_of_which_nothing_came_can_be_recorded(api, tmp_path):
    """Nor need it have been sent: a recording may hold no event at all."""
    empty = Recording.of(Reply(Request("Hello")))
    empty.save(tmp_path / "a")

    read = Recording.load(tmp_path / "a")

    assert (read.events, list(read.reply.events), read.cut) == ((), [], False)
    assert repr(read).endswith("· 0 events>")
    api.enqueue(Stream(recorded("no_events")))
    assert str(Recording.of(ask()).reply.outcome) == "dropped"


def test_one_that_ends_too_early_says_so(api):
    """A reply that was recorded while it streamed never looks complete."""
    api.enqueue(Stream(said("Hello", " world")))
    reply = ask()
    part = Reply(Request("Hello"))
    part.advance(reply.events[:5])

    recording = Recording.of(part)

    assert (str(recording.reply.outcome), recording.reply.text) == ("failed", "Hello")
    again = played(recording)
    assert (str(again.outcome), again.text) == ("failed", "Hello")
    assert again.error.what == "The recording ends here, before the reply does."


# --- files that are not as they should be ----------------------------------------------------


@pytest.fixture
def lines(api, tmp_path):
    """The lines of a good recording, and a function that reads others in their place."""
    api.enqueue(Stream(said("Hello", " world")))
    Recording.of(ask()).save(tmp_path / "good")

    def load(changed):
        (tmp_path / "a.jsonl").write_text("\n".join(changed), encoding="utf-8")
        return Recording.load(tmp_path / "a.jsonl")

    return (tmp_path / "good").read_text().splitlines(), load


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(lines):
    """In the middle of a line, or between two: it says so, and its reply is not complete."""
    good, load = lines
    for changed in ([*good[:6], good[6][:20]], good[:6]):
        recording = load(changed)
        assert recording.cut
        assert "cut off" in repr(recording)
        assert (str(recording.reply.outcome), recording.reply.text) == ("failed", "Hello")
    assert not load(good).cut


def edited(line, **fields: Any):
    """A line with other fields."""
    return json.dumps(json.loads(line) | fields)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda good: [good[0], good[1][:-5], *good[2:]], "line 2 is not JSON"),
        (lambda good: [good[0], "[]", *good[2:]], "line 2 has no time"),
        (lambda good: [good[0], edited(good[1], at="soon"), *good[2:]], "line 2 has no time"),
        (lambda good: [good[0], '{"at": NaN, "wire": {}}', *good[2:]], "line 2 has no time"),
        (lambda good: [good[0], edited(good[1], at=10**400), *good[2:]], "line 2 has no time"),
        (lambda good: [good[0], edited(good[1], at=-(10**400)), *good[2:]], "line 2 has no time"),
        (
            lambda good: [*good[:3], edited(good[3], wire=5)],
            "line 4 is not an event of the Messages",
        ),
        (
            lambda good: [*good[:3], edited(good[3], wire=None)],
            "line 4 is not an event of the Messages",
        ),
        (lambda good: [good[0], '{"at": 1, "event": {"type": "odd"}}'], "line 2 is not an event"),
        (lambda good: [good[0], '{"at": 1}'], "line 2 is not an event"),
        (
            lambda good: [good[0], '{"at": 1, "event": {"type": "request_sent", "model": 5}}'],
            "model cannot be 5",
        ),
        (
            lambda good: [good[0], '{"at": 1, "event": {"type": "request_sent"}}'],
            "this event is incomplete",
        ),
        (
            lambda good: [edited(good[0], format=99, claude_nb="9.0"), *good[1:]],
            "written by a newer claude_nb (9.0)",
        ),
        (lambda good: [edited(good[0], format="1"), *good[1:]], "version of its format"),
        (lambda good: [edited(good[0], request=None), *good[1:]], "does not contain the request"),
        (lambda good: good[1:], "is not a recording of claude_nb"),
        (lambda _: ["{}"], "is not a recording of claude_nb"),
        (lambda _: [""], "is not a recording of claude_nb"),
        (lambda _: ["[" * 100_000], "is not a recording of claude_nb"),
        (lambda _: ["# My notes"], "is not a recording of claude_nb"),
    ],
)
def test_what_cannot_be_read_is_named(lines, changed, words):
    """The file, and the line where there is one."""
    good, load = lines
    with pytest.raises(InputError) as raised:
        load(changed(good))
    assert words in raised.value.what
    assert "a.jsonl" in raised.value.what


def test_a_count_that_nobody_could_have_counted_is_unknown(lines):
    """The reply is shown all the same."""
    good, load = lines
    reply = load(
        [line.replace('"output_tokens": 15', f'"output_tokens": {10**400}') for line in good]
    ).reply
    assert (str(reply.outcome), reply.usage.output_tokens, reply.cost) == ("complete", None, None)
    assert "unknown" in reply._repr_mimebundle_()["text/plain"]
    assert reply.timeline().output()


def test_a_bad_file_among_others_is_noted(lines, tmp_path):
    """The rest is replayed."""
    good, load = lines
    load(good)
    for name, line in [("b", edited(good[1], at=10**400)), ("c", edited(good[3], wire=[]))]:
        (tmp_path / f"{name}.jsonl").write_text(f"{good[0]}\n{line}\n")

    library, notes = RecordingStore.of(tmp_path)

    assert len(library.requests) == 1
    assert [note.split(", ")[1].split(" ")[:4] for note in notes] == [
        ["line", "2", "has", "no"],
        ["line", "2", "is", "not"],
    ]


def test_a_folder_of_nobody_is_none(api):
    """To record into, and to replay from."""
    with pytest.raises(InputError, match="There is no folder ~nobody-at-all"):
        Recorder("~nobody-at-all/talks")
    with pytest.raises(InputError, match="There is no folder ~nobody-at-all"):
        RecordingStore.of("~nobody-at-all/talks")
    with pytest.raises(InputError, match="Cannot write into the folder"):
        Recorder("talks\0")


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="there is no read-only folder at hand")
@pytest.mark.parametrize("name", ["/sys", "/sys/talks"])
def test_a_read_only_folder_is_refused_before_anything_is_recorded(name):
    """Also one that exists already: each reply would be asked for, and none kept."""
    with pytest.raises(InputError) as raised:
        Recorder(name)

    assert f"Cannot write into the folder {name}: " in raised.value.what
    assert raised.value.advice == f"For example: %claude_nb record ~/{Path(name).name}"


def test_what_is_no_file_is_said_to_be_none(tmp_path):
    """Missing, a folder, bytes."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, words in [("no", "There is no file"), (".", "a directory"), ("bytes", "not text")]:
        with pytest.raises(InputError, match=words):
            Recording.load(tmp_path / name)


def test_edited_words_are_played_as_they_stand(lines):
    """A recording is plain text: whoever teaches may change it."""
    good, load = lines
    recording = load([line.replace(" world", " class") for line in good])
    assert recording.reply.text == "Hello class"
    assert recording.events[5].data["delta"]["text"] == " class"


def test_an_error_that_is_not_of_our_tree_is_one_all_the_same(lines):
    """Of whatever class an edited file says that it is."""
    good, load = lines
    failed = {"type": "failed", "error": {"class": "BaseException", "what": "No."}}
    odd = json.dumps({"at": 1, "event": failed})
    reply = load([*good[:3], odd]).reply
    assert (type(reply.error), reply.error.what) == (ClaudeError, "No.")
    nothing = json.dumps({"at": 1, "event": {"type": "failed", "error": 5}})
    assert load([*good[:3], nothing]).reply.error.what == "It failed."


def test_half_a_character_is_recorded_as_a_whole_one(api, tmp_path):
    """A pair that came in two deltas, and a half alone; so is what an older file holds."""
    events = [start(), *text("a\ud83d", "\ude00x\ud83d", "c"), *end()]
    api.enqueue(Raw([escaped(*events)]))
    recording = Recording.of(ask())
    recording.save(tmp_path / "new.jsonl")
    source = (tmp_path / "new.jsonl").read_text(encoding="utf-8")
    old = source.replace('"a"', r'"a\ud83d"').replace('"😀x"', r'"\ude00x"')
    assert old.count(r"\ud") == 2
    (tmp_path / "old.jsonl").write_text(old.replace("Hello", r"Hello \ud83d"), encoding="utf-8")

    loaded = [Recording.load(tmp_path / f"{name}.jsonl") for name in ("new", "old")]

    assert [one.reply.text for one in loaded] == ["a😀x\ufffdc"] * 2
    assert loaded[1].reply.request.prompt == "Hello \ufffd"
    json.dumps(
        [event.data for event in loaded[1].events], default=repr, ensure_ascii=False
    ).encode()
