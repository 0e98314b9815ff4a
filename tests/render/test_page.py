"""The page that plays replies: what is in the file, and what is not."""

from __future__ import annotations

import base64
import gzip
import json
import random
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

import claude_nb
from claude_nb.errors import ClaudeError, InputError
from claude_nb.recording.recording import Recording
from claude_nb.render import html, page
from claude_nb.render.markdown.markdown import saved
from claude_nb.render.stepping import ABOUT, encode
from claude_nb.render.timeline import Timeline
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.events import EventLog, RequestSent, ResponseStarted
from claude_nb.views import inspector
from tests.played import (
    BAD,
    GOOD,
    block,
    citation,
    end,
    recorded,
    said,
    start,
    text,
    thinking,
    tool_use,
)
from tests.render.test_frames import applied

KEY = "sk-" + "ant-0123456789"
EVIL = "</script><script>run()</script><img src=x onerror=run()>\u2028\"'`${run()}]]>--><svg onload=run()>"  # noqa: E501


class Found(HTMLParser):
    """What a browser finds in a page: elements with their attributes, and the texts of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data


def ask(prompt: Any = "Why is the sky blue?", **options: Any):
    """The reply to a question, however it ends."""
    try:
        return claude_nb.ask(prompt, show=False, **options)
    except ClaudeError as error:
        return error.reply


def data_of(shown: str) -> dict[str, Any]:
    """The data in a page."""
    read = json.loads(gzip.decompress(base64.b64decode(Found(shown).scripts[0])))
    for reply in read["replies"]:
        reply["facts"] = json.loads(reply["data"])
    return read


def of(reply, **options: Any) -> str:
    """The page of a reply."""
    return page.to_html([reply.timeline().part()], **options)


def pieces(count: int) -> list[str]:
    """Pieces of a text that hardly repeat themselves."""
    words = random.Random(1)
    letters = "etaoinshrdlucmfw"
    made = ["".join(words.choices(letters, k=words.randint(1, 9))) for _ in range(count)]
    return [word + (". " if number % 9 else ".\n\n") for number, word in enumerate(made)]


def long_reply(count: int, began: float = 0.0) -> Timeline:
    """The timeline of a reply of about so many events."""
    log, clock = EventLog(), random.Random(2)
    sent = [RequestSent("claude-opus-5-5", simulated=True), ResponseStarted("req_1")]
    half = (count - 12) // 2
    wire = [start(), *thinking(*pieces(half)), *text(*pieces(half), index=1), *end()]
    for data in (*sent, *wire):
        began += clock.uniform(0.001, 0.09)
        log.record(began, 1, data)
    return Timeline(log, "Why?")


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_of_every_stream_the_frames_end_in_the_reply(api, name):
    """A page has for each event its step as the notebook's inspector gets it, and its frame."""
    api.enqueue(*[Stream(recorded(name))] * 2)
    reply = ask(policy=claude_nb.Policy(tries=1))

    (found,) = data_of(of(reply))["replies"]

    timeline = reply.timeline()
    assert found["facts"]["steps"] == [encode(step) for step in timeline.steps]
    assert len(found["frames"]) == len(reply.events)
    frames = [{"frame": n, "ops": ops} for n, ops in enumerate(found["frames"], 1)]
    assert saved(applied(frames)).count("<details") == html.content(reply).count("<details")


def test_it_gets_what_the_inspector_of_a_notebook_gets(api):
    """The same message, so that one script draws both."""
    api.enqueue(Stream([start(), *thinking("Hm."), *tool_use("{}", index=1), *end("tool_use")]))
    timeline = ask().timeline()
    shown = inspector.Inspector(timeline, done=True)
    message = json.loads(shown.whole()["data"])
    shown.close()

    data = data_of(page.to_html([timeline.part()]))

    assert data["replies"][0]["facts"] == message
    assert (data["about"], data["fields"]) == (shown.about, shown.fields) == (ABOUT, shown.fields)


def test_it_loads_nothing_and_runs_one_script(api):
    """The policy names the one script by its hash, and nothing leads out of the file."""
    api.enqueue(Stream([start(), *thinking("Hm."), *text("**Blue.**", index=1), *end()]))
    shown = of(ask())

    found = Found(shown)
    (policy,) = (a["content"] for _, a in found.elements if a.get("http-equiv"))
    digest = base64.b64encode(sha256(found.scripts[1].encode()).digest()).decode()

    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert [tag for tag, _ in found.elements if tag == "script"] == ["script"] * 2
    assert [name for _, a in found.elements for name in a if name in ("src", "srcset")] == []
    assert not {"link", "base", "iframe", "object", "form"} & {tag for tag, _ in found.elements}
    assert "url(" not in shown
    assert "export " not in found.scripts[1]


def test_hostile_text_stays_text(api, tmp_path):
    """In the title, the prompt and every field of a stream: no element and no link comes of it."""
    evil = EVIL + "[a](javascript:run()) \ud83d"
    api.enqueue(
        Stream(
            [
                start(model=EVIL, id=EVIL),
                *thinking(evil),
                *text(f"{evil}\n\n```html\n{EVIL}\n```\n", index=1),
                *tool_use(json.dumps({EVIL: EVIL}), name=EVIL, call=EVIL, index=2),
                *block(3, citation(EVIL, url="javascript:run()"), type="text", text=EVIL),
                *block(4, type=EVIL, field=EVIL),
                *end(EVIL),
            ]
        )
    )
    reply = ask(EVIL)
    reply.timeline().to_html(tmp_path / "page.html", title=f"T{EVIL}")

    found = Found((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [t for t, _ in found.elements if t in ("script", "img", "svg")] == ["script"] * 2
    assert [name for _, a in found.elements for name in a if name.startswith("on")] == []
    assert [
        a["href"] for _, a in found.elements if not a.get("href", "https:").startswith("http")
    ] == []
    assert "run()" in json.dumps(data_of((tmp_path / "page.html").read_text(encoding="utf-8")))


def test_no_key_is_in_it(api):
    """Neither in what is seen nor in the compressed data, also where deltas cut it."""
    api.enqueue(
        Stream(
            [
                start(),
                *thinking(KEY[:9], KEY[9:]),
                *text("A key: ", KEY[:8], KEY[8:], index=1),
                *tool_use('{"key": "', KEY[:7], KEY[7:], '"}', index=2),
                *end(),
            ]
        )
    )
    shown = of(ask(f"My key is {KEY}.\nIs it right?"), title=KEY)

    for form in (shown, json.dumps(data_of(shown))):
        assert KEY not in form
        assert KEY[7:] not in form
        assert "sk-ant-…" in form or "sk-ant-\\u2026" in form


@pytest.mark.parametrize("part", ["request", "thinking"])
def test_what_is_left_out_is_not_in_it(api, tmp_path, part):
    """Whether it was left out of the recording or is left out of the page; the page says so."""
    api.enqueue(Stream([start(), *thinking("A secret thought."), *text("Blue.", index=1), *end()]))
    recording = Recording.of(ask("A secret question?", system="A secret order."))
    recording.to_html(tmp_path / "a.html", without=[part])
    recording.save(tmp_path / "all.jsonl")
    Recording.load(tmp_path / "all.jsonl").to_html(tmp_path / "b.html", without=[part])
    words = {"request": ["question", "order"], "thinking": ["thought"]}

    for name in ("a.html", "b.html"):
        shown = (tmp_path / name).read_text(encoding="utf-8")
        whole = shown + json.dumps(data_of(shown))
        for each, secrets in words.items():
            for secret in secrets:
                assert (f"secret {secret}" in whole) == (each != part)
        assert f"Left out of this page: {part}." in shown


def test_two_thousand_events_take_at_most_300_kb():
    """Of a text that hardly repeats itself, with thinking."""
    timeline = long_reply(2_000)
    assert len(timeline.steps) > 1_990
    assert len(page.to_html([timeline.part()]).encode()) <= 300_000


def test_of_very_many_events_the_first_can_be_stepped_through(monkeypatch):
    """The page says so; the timeline and the reply as it ended are of all of them."""
    monkeypatch.setattr(page, "MOST", 50)
    timeline = long_reply(200)

    shown = page.to_html([timeline.part()])

    (found,) = data_of(shown)["replies"]
    total = len(timeline.steps)
    assert f"The first 50 of {total} events can be played and stepped through here." in shown
    assert (len(found["facts"]["steps"]), len(found["frames"])) == (50, 50)
    assert (found["facts"]["count"], found["facts"]["picture"]) == (total, timeline.picture())
    assert html.body(timeline.progress) in shown


def test_several_replies_are_on_one_page(api):
    """Each below its own prompt, in their order."""
    api.enqueue(Stream(said("Blue.")), Stream(said("Red.")))
    parts = [ask(prompt).timeline().part() for prompt in ("Why blue?", "Why red?")]

    shown = page.to_html(parts, "Colours")

    assert len(data_of(shown)["replies"]) == shown.count("<article") == 2
    assert "<h1>Colours</h1>" in shown
    assert shown.index("<h2>Why blue?</h2>") < shown.index("<h2>Why red?</h2>")


def test_a_file_that_is_there_is_left_as_it_is(api, tmp_path):
    """Unless it is to be replaced; the same reply makes the same page."""
    api.enqueue(Stream(said("Blue.")))
    timeline = ask().timeline()
    path = tmp_path / "sky.html"
    timeline.to_html(path)
    first = path.read_bytes()

    with pytest.raises(InputError, match="exists already") as refused:
        timeline.to_html(path, title="Other")
    assert refused.value.advice == "To replace it: overwrite=True"
    assert path.read_bytes() == first
    timeline.to_html(path, overwrite=True)
    assert path.read_bytes() == first
    data = base64.b64decode(Found(first.decode()).scripts[0])
    assert data[4:8] == bytes(4)  # no time of compression


def test_a_wait_is_as_long_as_it_was(api):
    """The page counts down the seconds of the recording, not what is left of them."""
    api.enqueue(Error(529, "overloaded_error", "Overloaded"), Stream(said("Blue.")))
    reply = ask(policy=claude_nb.Policy(tries=2, speed=1000))

    (found,) = data_of(of(reply))["replies"]

    (wait,) = (op["wait"] for ops in found["frames"] for op in ops if "wait" in op)
    assert wait == next(e.data.seconds for e in reply.events if e.type == "waiting") > 0


def test_a_prompt_of_any_length_is_cut(api):
    """Its first line is the heading; below, it is there with its lines."""
    api.enqueue(Stream(said("Blue.")))
    prompt = "Why?\n" + "word " * 4_000

    shown = of(ask(prompt))

    assert "<h1>Why?</h1>" in shown
    assert "Why?\nword word" in shown
    assert "more characters</div>" in shown
    assert shown.count("word") < 6_500
