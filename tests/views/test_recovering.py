"""Replies that fail, wait and go on, as the page sees them: whatever happens, and in any order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from claude_nb.streaming.progress import Outcome
from tests.played import cited, end, start, text, thinking, tool_use
from tests.protocol import play
from tests.render.test_frames import applied

PIECES = [
    "a",
    " ",
    "\n",
    "\n\n",
    "- b\n",
    "```",
    "**",
    "| x |",
    "é",
    "👩‍👩‍👧",
    "a word or two",
    "<b>",
]
SOURCES = st.lists(st.sampled_from(["One", "Two", "Three"]), max_size=2)
SAID = st.lists(st.sampled_from(PIECES), max_size=6)
SENT = [{"type": "request_sent"}, {"type": "response_started"}]
FAILED = st.sampled_from(["waiting, lost", "waiting, overloaded"])
ENDS = st.sampled_from(["end_turn", "max_tokens", "refusal", "tool_use", "stopped", "failed", ""])


@st.composite
def contents(draw):
    """A message's blocks, perhaps cut off somewhere."""
    events = [start()]
    for index in range(draw(st.integers(0, 4))):
        make = draw(st.sampled_from([text, text, cited, cited, thinking, tool_use]))
        said = ['{"a": ', '"b"}'] if make is tool_use else draw(SAID)
        events += make(*said, index=index, **({"sources": draw(SOURCES)} if make is cited else {}))
    return events


def cut(draw, events):
    """The beginning of a message."""
    return events[: draw(st.integers(0, len(events)))]


@st.composite
def replies(draw):
    """What an engine can tell: requests that fail, the waits between them, and an end."""
    events: list[dict] = []
    for number in range(draw(st.integers(0, 4))):
        events += SENT[: draw(st.integers(1, 2))] if number else []
        if not events or events[-1]["type"] == "response_started":
            events += cut(draw, draw(contents()))
        events.append({"type": draw(FAILED)})
        if play([events])[3].text.strip():
            events.append({"type": "resumed"})
    ending = draw(ENDS)
    if ending in ("stopped", "failed"):
        events += [*(SENT if events else []), *cut(draw, draw(contents())), {"type": ending}]
        return events
    message = [*draw(contents()), *end(ending)] if ending else cut(draw, draw(contents()))
    return [*events, *(SENT if events else []), *message]


@st.composite
def groups(draw):
    """The same, in frames of any size."""
    events, made = draw(replies()), []
    while events:
        size = draw(st.integers(1, 9))
        made.append(events[:size])
        events = events[size:]
    return made


@settings(max_examples=150)
@given(groups())
def test_any_failures_end_in_the_settled_page(made):
    """Nothing raises; the outcome has a name; live, late and settled pages agree."""
    frames, html, maker, reply = play(made)

    ended = made[-1][-1]["type"] in ("message_stop", "stopped", "failed") if made else False
    assert (reply.outcome is not Outcome.STREAMING) == ended
    assert applied([maker.snapshot(reply, 99.0)]) == applied(frames)
    if ended:
        assert applied(frames) == html
    assert reply.text == "".join(b.text for b in reply.blocks if b.type == "text" and not b.lost)
    for form in map(str, reply._repr_mimebundle_().values()):
        assert isinstance(form, str)
