"""What is said about the cache: one line on its worth, one on why it was missed."""

from __future__ import annotations

import pytest

from claude_nb.render import html, saved_output, text
from claude_nb.render.caching import changed, lines, why, worth
from claude_nb.request.cache_miss import CacheMiss
from claude_nb.request.system import Difference
from claude_nb.streaming.events import RequestSent, ResponseStarted, StreamEvent
from claude_nb.streaming.progress import Progress
from tests.played import end, start
from tests.played import text as words


def replied(model="claude-opus-5-5", **usage: object):
    """A reply that used so many tokens."""
    progress = Progress()
    counts = {"input_tokens": 10, "output_tokens": 1, **usage}
    events = [start(usage=counts, model=model), *words("Yes."), *end()]
    data = [RequestSent(model), ResponseStarted(), *events]
    for n, each in enumerate(data):
        progress.apply(StreamEvent(n, 0.1 * n, 1, each))
    return progress


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        ({}, ""),
        (
            {"cache_read_input_tokens": 12_000},
            "cache: 12,000 tokens read for $0.0024 instead of $0.0480 · saved $0.0456",
        ),
        (
            {"cache_read_input_tokens": 1},
            "cache: 1 token read for <$0.0001 instead of <$0.0001 · saved <$0.0001",
        ),
        (
            {"cache_creation_input_tokens": 12_000},
            "cache: 12,000 tokens written for $0.0600 · $0.0120 more than uncached",
        ),
        (
            {"cache_read_input_tokens": 12_000, "cache_creation_input_tokens": 200},
            (
                "cache: 12,000 tokens read for $0.0024 instead of $0.0480 · 200 written for $0.0010"
                " · saved $0.0454"
            ),
        ),
        (
            {"model": "of-tomorrow", "cache_read_input_tokens": 12_000},
            "cache: 12,000 tokens read · what it saved is unknown",
        ),
    ],
)
def test_what_it_was_worth(usage, said):
    """Read, written, at which price, and what that saved against no cache at all."""
    assert worth(replied(**usage)) == said


def test_a_reply_without_caching_has_no_line_and_no_record():
    """Nothing is there that would have to be read past."""
    reply = replied()

    assert lines(reply) == []
    assert "cache:" not in html.reply(reply) + text.markdown(reply) + text.plain(reply)
    assert "cache" not in saved_output.record(reply)


def test_all_forms_say_the_same():
    """HTML, Markdown and plain text; and the record has it for machines."""
    reply = replied(cache_read_input_tokens=12_000)
    (line,) = lines(reply)

    assert line in html.reply(reply)
    assert f"*{line}*" in text.markdown(reply).replace("&#36;", "$")
    assert text.plain(reply).endswith(f"\n{line}")
    assert saved_output.record(reply)["cache"] == {
        "saved_usd": pytest.approx(0.0456),
        "miss": None,
        "said": [line],
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (("m", 3, "old", "new"), "m, line 3: “old” became “new”"),
        (("m", 3, "", "new"), "m, line 3 is new: “new”"),
        (("m", 3, "old", ""), "m, line 3 was taken out: “old”"),
        (
            ("m", 1, "x" * 100 + "at 12:01", "x" * 100 + "at 12:02"),
            (
                f"m, line 1: “…{'x' * 32}at 12:01” became “…{'x' * 32}at 12:02”"
                " (a time or a date makes it different each time)"
            ),
        ),
        (
            ("m", 1, "a" + "x" * 100, "b" + "x" * 100),
            f"m, line 1: “a{'x' * 39}…” became “b{'x' * 39}…”",
        ),
    ],
)
def test_where_system_prompts_differ(found, said):
    """What stands around the first difference, and a hint where it is the time of day."""
    assert changed(Difference(*found)) == said


def test_the_same_words_in_other_parts():
    """There is no line that differs."""
    assert changed(None) == "its parts are split differently"


@pytest.mark.parametrize(
    ("miss", "said"),
    [
        (CacheMiss("model_changed", by_server=True), "the server says that the model changed"),
        (
            CacheMiss("system_changed", by_server=True),
            "the server says that the system prompt changed",
        ),
        (
            CacheMiss("messages_changed", by_server=True),
            "the server says that earlier messages changed",
        ),
        (CacheMiss("messages_changed", "message", after=3), "message 3 has changed"),
        (CacheMiss("unknown"), "the request is the same, and the server does not say why"),
        (
            CacheMiss("out_of_reach"),
            "the written prefix ends more than 20 blocks before the next mark, too far away",
        ),
    ],
)
def test_reasons_without_more_to_say(miss, said):
    """The others are in the table of scenarios."""
    assert why(miss) == f"cache: not read · {said}"
