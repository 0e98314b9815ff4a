"""A reply as HTML: complete, and safe in a cell that nobody sanitises."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from claude_nb.characters import MAX_BLOCK_CHARACTERS
from claude_nb.errors import DroppedError, RequestError
from claude_nb.render import html
from claude_nb.streaming.events import Failed, RequestSent, Stopped
from tests.played import block, end, said, start, text, thinking, tool_use
from tests.render.test_text import HOSTILE
from tests.streaming.test_progress import ACCEPTED, SENT, progress


class Page(HTMLParser):
    """The tags, the addresses and the words of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.dimmed_twice: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        is_dim = "opacity" in (dict(attrs).get("style") or "")
        if is_dim and any(dim for _, dim in self._open):
            self.dimmed_twice.append(self.get_starttag_text() or "")
        if tag not in {"br", "img", "input", "hr"}:
            self._open.append((tag, is_dim))

    def handle_endtag(self, tag: str) -> None:
        while self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.words += data


def page(*events: object):
    """The page that events make."""
    return Page(html.reply(progress(SENT, ACCEPTED, *events)))


def assert_harmless(shown):
    """Nothing in it runs or is fetched."""
    active = {"script", "style", "img", "svg", "iframe", "link", "object", "embed", "form", "base"}
    assert active & set(shown.tags) == set()
    for name, value in shown.attributes:
        assert not name.startswith("on")
        assert name != "src"
        assert name != "href" or value.startswith(("https:", "http:", "mailto:"))


@pytest.mark.parametrize("source", HOSTILE)
@pytest.mark.parametrize("place", ["text", "thinking", "tool", "name", "other", "card", "cited"])
def test_nothing_that_came_from_a_server_runs(source, place):
    """Wherever it stands: text, thinking, tool input or name, unknown blocks, errors, sources."""
    cited = {"type": "citations_delta", "citation": {"title": source, "cited_text": source}}
    events = {
        "text": text(source),
        "thinking": thinking(source),
        "tool": tool_use(f'{{"a": "{source.encode("unicode_escape").hex()}"}}', source),
        "name": block(0, type="tool_use", name=source, input={source: source}),
        "other": block(0, type=source, content=source),
        "card": [Failed(RequestError(source, source, detail=source, request_id=source))],
        "cited": block(0, cited, type="text", text="said"),
    }

    assert_harmless(page(start(model=source), *events[place], *end(source)))


def test_no_text_is_dimmed_twice():
    """Once leaves it a contrast of 5.9 on white, in what is already dim it would be 3.1."""
    thought = [*thinking(), *block(1, type="redacted_thinking", data="x"), *thinking("A", index=2)]
    long = text("word " * (MAX_BLOCK_CHARACTERS // 4), index=3)
    shown = page(start(), *thought, *long, *tool_use('{"a": 1}', index=4), *end("max_tokens"))

    assert "more characters" in shown.words
    assert shown.dimmed_twice == []


def test_blocks_stand_in_their_order():
    """Thinking folded, text, tool input, and the usage below."""
    shown = page(
        start(),
        *thinking("Hm"),
        *text("Hello", index=1),
        *tool_use('{"a": 1}', index=2),
        *end("tool_use"),
    )

    order = [
        shown.words.index(word) for word in ("Thought", "Hm", "Hello", "look_up", "stop reason")
    ]
    assert order == sorted(order)
    assert shown.tags.count("details") == 2
    assert ("open", None) not in shown.attributes


def test_a_row_for_each_request_and_their_sum():
    """What a reply of two requests cost is one number."""
    shown = page(*said("One"), SENT, ACCEPTED, *said("Two"))

    for words in ("1 · end turn", "2 · end turn", "all", "$0.0004", "$0.0008"):
        assert words in shown.words


def test_what_is_unknown_is_called_unknown():
    """An interrupted request's output, and what it cost."""
    shown = page(start(), *text("Hel")[:-1], Stopped())

    assert shown.words.count("unknown") == 3
    assert "The text so far is kept." in shown.words


@pytest.mark.parametrize(
    ("events", "title"),
    [
        ([start(), *end()], "The reply contains no text"),
        ([start(), *text("a"), *end("max_tokens")], "Cut off: the reply reached max_tokens"),
        ([start(), *text("a"), *end("refusal")], "Claude declined to answer"),
        ([start(), *text("a"), Failed(DroppedError("The connection was lost."))], "was lost."),
        ([Stopped()], "Nothing had arrived yet."),
    ],
)
def test_a_reply_that_did_not_simply_end_well_has_a_card(events, title):
    """Nothing ends quietly."""
    assert title in page(*events).words


def test_a_simulated_reply_is_marked():
    """Live and saved."""
    made = progress(RequestSent("claude-opus-5-5", simulated=True), ACCEPTED, *said("Hello"))

    assert "simulated" in Page(html.reply(made)).words
    assert "simulated" in Page(html.reply(made, now=20.0)).words


def test_deep_json_is_shown():
    """Nesting that Python can read but not write again is no error."""
    deep = '{"a": ' + "[" * 900 + "]" * 900 + "}"

    assert "look_up" in page(start(), *tool_use(deep), *end("tool_use")).words


def test_keys_are_taken_out():
    """Of text, thinking, tool input and whatever else."""
    key = "sk-" + "ant-0123"
    made = [start(), *text(key), *thinking(key, index=1), *tool_use(f'{{"k": "{key}"}}', index=2)]

    assert key not in page(*made, *block(3, type="new", y=key), *end()).words


def test_an_emoji_in_two_halves_is_one():
    """Split by a gateway in the middle of an escaped pair."""
    assert "😀" in page(start(), *text("a\ud83d", "\ude00"), *end()).words
