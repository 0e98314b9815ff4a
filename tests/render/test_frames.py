"""A growing reply as frames."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.render import html
from claude_nb.render.frames import Frames
from claude_nb.render.html import Drawn
from claude_nb.render.saved_output import forms
from claude_nb.streaming.block import Block
from claude_nb.streaming.events import StreamEvent
from claude_nb.tools.permission import PermissionRequest
from tests.played import GOOD, end, recorded, said, start, text, thinking, tool_use
from tests.protocol import EXAMPLES, OURS, example, play
from tests.render.samples import texts


def applied(frames: list[dict[str, Any]]) -> str:
    """What a page makes of frames: the HTML of its panes, in UTF-16 as JavaScript counts."""
    panes: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, 1):
        assert frame["frame"] == number or frame.get("reset")
        for op in frame["ops"]:
            if op["op"] == "pane":
                assert op["pane"] == len(panes)
                panes.append(
                    {"html": op["html"], "blocks": [], "breaks": [], "label": "", "open": True}
                )
            elif op["op"] == "break":
                panes[op["pane"]]["breaks"].append(op)
            elif op["op"] == "label":
                panes[op["pane"]]["label"] = op["html"]
            elif op["op"] == "fold":
                panes[op["pane"]]["open"] = op["open"]
            elif op["op"] == "patch":
                patch(panes[op["pane"]]["blocks"], op)
    return "".join(map(shown, panes))


def patch(blocks: list[bytes], op: dict[str, Any]) -> None:
    """Change one block as the protocol says."""
    number = op["block"]
    assert number <= len(blocks)
    old = blocks[number] if number < len(blocks) else b""
    keep, rest = 2 * op["keep"], len(old) - 2 * op.get("rest", 0)
    assert keep <= rest <= len(old)
    new = old[:keep] + op["html"].encode("utf-16-le") + old[rest:]
    blocks[number:] = [new, *blocks[number + 1 :]] if new else []


def shown(pane: dict[str, Any]) -> str:
    blocks = [block.decode("utf-16-le") for block in pane["blocks"]]
    for line in reversed(pane["breaks"]):
        blocks.insert(line["after"], line["html"])
    body = "".join(blocks)
    if not pane["html"]:
        return body
    html = pane["html"].replace("</summary>", f"{pane['label']}</summary>{body}")
    return html if pane["open"] else html.replace(" open>", ">", 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name):
    """Python makes the frames of the examples that the page's tests read too."""
    data = example(name)
    frames, html, _, _ = play(data["events"])
    assert frames == data["frames"]
    assert html == data["html"]
    assert applied(frames) == html


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_snapshot_shows_what_the_frames_show(name):
    """A page that comes after any frame sees what one that saw them all does."""
    events = example(name)["events"]
    for count in range(len(events) + 1):
        made, _, frames, reply = play(events[:count])
        snapshot = frames.snapshot(reply, 9.0)
        assert applied([snapshot]) == applied(made)
        assert snapshot["frame"] == made[-1]["frame"]


@settings(max_examples=15)
@given(st.data())
@pytest.mark.parametrize("name", GOOD)
def test_any_schedule_ends_in_the_same_page(name, data):
    """However many events fall into a frame, the page at the end is the settled one."""
    events = recorded(name)
    groups = []
    while events:
        size = data.draw(st.integers(1, 6))
        groups.append(events[:size])
        events = events[size:]
    made, html, _, _ = play(groups)
    # A pane that was labelled before the end does not have the count of its thinking tokens.
    tokens = re.compile(r" · [\d,]+ tokens")
    assert tokens.sub("", applied(made)) == tokens.sub("", html)


@pytest.mark.parametrize("kind", ["text", "thinking", "tool", "tool, escaped"])
def test_no_frame_holds_a_key(kind):
    """A key that is cut by deltas and frames is redacted before it is sent, in every pane."""
    pieces = ['{"key": "', "s", "k-a", "nt", "-", "api03", "-AbC", "_123", '"']
    events = {
        "text": text(*pieces),
        "thinking": thinking(*pieces),
        "tool": tool_use(*pieces, "}"),
        "tool, escaped": tool_use(*(p.replace("a", "\\u0061") for p in pieces), "}"),
    }[kind]
    made, html, frames, reply = play([[start()], *([event] for event in events)])

    assert "sk-ant-…" in html
    for shown in (html, *(applied(made[:count]) for count in range(1, len(made) + 1))):
        assert not re.search(r"sk-ant-[\w-]", re.sub("<[^>]*>", "", shown))
    assert "api03" not in str([*made, frames.snapshot(reply, 9.0)])


def test_long_input_is_sent_once():
    """What is too long to be coloured is shown as it stays while it comes: it is not sent again."""
    pieces = ['{"a": "', *[r"one \"word\"\n"] * 2_000, '"}']
    groups = [[start()], *([event] for event in tool_use(*pieces)), end("tool_use")]
    made, html, frames, reply = play(groups)

    patches = [op for frame in made for op in frame["ops"] if op["op"] == "patch"]
    assert [op["keep"] == 0 for op in patches] == [True] + [False] * len(pieces)
    assert applied(made) == html == applied([frames.snapshot(reply, 9.0)])
    assert forms(reply, Drawn(done=frames.rendered)) == forms(reply)


def test_input_that_is_not_shown_whole_says_so():
    """Live, for a page that comes later, and saved."""
    pieces = ['{"a": "', *["x" * 100_000] * 10, "\r", '"}']
    groups = [[start()], *([event] for event in tool_use(*pieces)), end("tool_use")]
    made, html, frames, reply = play(groups)

    assert "more characters" in html
    assert applied(made) == html == applied([frames.snapshot(reply, 9.0)])
    assert forms(reply, Drawn(done=frames.rendered)) == forms(reply)


def test_tools_can_be_hidden():
    """With ``hide_tools``, neither a call nor its result has a pane; all else is there."""
    frames = Frames()
    _, _, _, reply = play(example("other-blocks")["events"])
    reply.hides_tools = True
    shown = applied([frames.next(reply, 9.0)])
    assert "web" not in shown
    assert "encrypted by the server" in shown
    assert "Done." in shown
    for form in map(str, reply._repr_mimebundle_().values()):
        assert "web" not in form
        assert "Done." in form


def test_a_hidden_call_is_shown_while_it_is_asked_about():
    """All of its input, behind the words before it; its result is hidden again."""
    made, _, frames, reply = play([])
    reply.hides_tools = True
    sent = {"type": "request_sent, tools"}

    def grow(*events: dict[str, Any]) -> str:
        at = len(reply.events)
        data = (OURS.get(event["type"], event) for event in events)
        reply.advance([StreamEvent(at + n, 9.0, 1, event) for n, event in enumerate(data)])
        if frame := frames.next(reply, 9.0):
            made.append(frame)
        return applied(made)

    # It may be asked about, on another thread, before it has come here.
    called = {"type": "tool_use", "id": "toolu_1", "name": "look_up"}
    frames.confirming = PermissionRequest(Block(0, 0.0, called))
    before = grow(sent, start(), *text("Let me see."))
    *call, stop = tool_use('{"city": "Lisbon"}', index=1)
    half = grow(*call)
    asked = grow(stop, *end("tool_use"))
    (question,) = [op for op in made[-1]["ops"] if op["op"] == "confirm"]
    late = applied([frames.snapshot(reply, 9.0)])
    frames.confirming = None
    after = grow()
    whole = grow({"type": "tool_ran"}, sent, start(), *text("It is warm."), *end())

    assert "look_up" not in before + half
    assert question["call"] == "toolu_1"
    assert asked.index("Let me see.") < asked.index("look_up") < asked.index("Lisbon")
    assert late == asked
    assert after == before
    assert whole == html.content(reply)
    assert "look_up" not in str(frames.snapshot(reply, 9.0))


def test_a_place_is_kept_for_the_usage_table():
    """It is as high as the requests so far need; a page that comes later has it too."""
    frames = Frames(has_usage=True)
    _, _, _, reply = play([])

    def rows(*events: dict[str, Any]) -> list[int]:
        at = len(reply.events)
        data = (OURS.get(event["type"], event) for event in events)
        reply.advance([StreamEvent(at + n, 9.0, 1, event) for n, event in enumerate(data)])
        ops = (frames.next(reply, 9.0) or {"ops": []})["ops"]
        return [op["html"].count('scope="col"') for op in ops if op["op"] == "usage"]

    sent = {"type": "request_sent, tools"}
    assert rows(start(), *text("One.")[:2]) == [1]
    assert rows(*text("One.")[2:]) == []
    assert rows(*end("tool_use"), sent, start(), *text("Two.")) == [3]
    usage = [op for op in frames.snapshot(reply, 9.0)["ops"] if op["op"] == "usage"]
    assert len(usage) == 1


def test_nothing_new_is_no_frame():
    """Without an event there is nothing to send."""
    _, _, frames, reply = play(example("text")["events"][:2])
    assert frames.next(reply, 99.0) is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_saved_is_made_of_what_was_shown(name):
    """What the page has rendered already is not rendered again, and is the same."""
    _, _, frames, reply = play(example(name)["events"])

    assert forms(reply, Drawn(done=frames.rendered)) == forms(reply)


@given(texts, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_what_is_saved_is_the_same_for_any_text(source, rng):
    """However it was cut into deltas and frames, also where it ends in an open fence."""
    pieces = []
    while source:
        size = rng.randint(1, 12)
        pieces.append(source[:size])
        source = source[size:]
    groups = [[event] for event in said(*pieces)]

    _, _, frames, reply = play(groups)

    assert frames.rendered
    assert forms(reply, Drawn(done=frames.rendered)) == forms(reply)
