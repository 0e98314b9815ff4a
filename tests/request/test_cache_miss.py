"""Why a prompt was not read from the cache: requests are compared, and each reason is found."""

from __future__ import annotations

import pytest

from claude_nb.cost.usage import Usage
from claude_nb.request import documents
from claude_nb.request.cache_miss import CacheKey, CacheMiss, CachePrediction, Earlier
from claude_nb.request.request import Request, TurnId
from claude_nb.request.system import Difference, System, SystemPart
from claude_nb.session.request_log import REMEMBERED, RequestLog
from claude_nb.streaming.events import RequestSent, ResponseStarted, Stopped, StreamEvent
from claude_nb.streaming.progress import Progress

MANUAL = System((SystemPart("manual", "A rule of the house.\n" * 300),))
CACHED = 2_000
"""Tokens that the earlier request left in the cache."""


def sent(*said: str, at: float = 0.0, talk: str | None = "talk", **fields: object) -> CacheKey:
    """A request whose messages are these: questions and answers by turns, a question last."""
    roles = ["user", "assistant"] * len(said)
    before = tuple(
        {"role": role, "content": [{"type": "text", "text": text}]}
        for role, text in zip(roles, said[:-1], strict=False)
    )
    turn = TurnId(talk, "id", None, "", "") if talk else None
    request = Request(said[-1], **{"system": MANUAL, "before": before, "turn": turn} | fields)
    found = CacheKey.of(request, at, "server")
    assert found is not None
    return found


def miss(
    now: CacheKey, *earlier: CacheKey, read: int = 0, said: str | None = None, began: bool = True
):
    """Why ``now`` read no more than it did; each of the earlier ones had left ``CACHED`` tokens."""
    before = tuple(Earlier(each, CACHED, began=began) for each in earlier)
    used = Usage(cache_write_5m_tokens=3_000 - read, cache_read_tokens=read)
    return CachePrediction(now, before).miss(used, said)


def test_the_first_request_misses_nothing():
    """There was nothing to read."""
    assert miss(sent("One")) is None


def test_all_was_read():
    """As much as the request before had left."""
    assert miss(sent("One", "1", "Two"), sent("One"), read=CACHED) is None


def test_another_question_about_the_same_system_prompt_reads_that_much():
    """What the questions cost was never to be shared."""
    assert miss(sent("Two", talk=None), sent("One", talk=None), read=1_900) is None


def test_a_request_is_compared_with_one_of_the_same_model():
    """Although another effort was asked for, and another model was asked later."""
    opus = sent("One", talk=None, effort="low")
    sonnet = sent("One", talk=None, model="claude-sonnet-5-5")
    newest_first = (Earlier(sonnet, CACHED, True, "b"), Earlier(opus, CACHED, True, "a"))

    assert CachePrediction(sent("Two", talk=None), newest_first).previous_message == "a"


def test_a_setting_may_be_why_not_even_the_system_prompt_was_read():
    """On some models a change of effort empties that too; nothing else explains it."""
    found = CacheMiss("settings_changed", "effort", "the default", "low")

    assert miss(sent("Two", talk=None, effort="low"), sent("One", talk=None)) == found
    late = sent("Two", talk=None, effort="low", at=301.0)
    assert miss(late, sent("One", talk=None)) == CacheMiss("expired", "5m", before=301.0)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {"model": "claude-sonnet-5-5"},
            CacheMiss("model_changed", "model", "claude-opus-5-5", "claude-sonnet-5-5"),
        ),
        (
            {"system": System((SystemPart("manual", MANUAL.texts[0] + "12:02"),))},
            CacheMiss("system_changed", difference=Difference("manual", 301, "", "12:02")),
        ),
        ({"effort": "low"}, CacheMiss("settings_changed", "effort", "the default", "low")),
        (
            {"model": "claude-opus-4-6", "thinking": 2_000},
            CacheMiss("model_changed", "model", "claude-opus-5-5", "claude-opus-4-6"),
        ),
        ({"at": 301.0}, CacheMiss("expired", "5m", before=301.0)),
        ({}, CacheMiss("unknown")),
    ],
)
def test_the_reason_is_what_changed(fields, found):
    """The first in the order in which the cache is built: model, system prompt, settings."""
    assert miss(sent("One", "1", "Two", **fields), sent("One")) == found


def test_citations_switched_on():
    """The documents are the same; the API keeps prompts with and without citations apart."""
    paper = documents.document([{"type": "text", "text": "The sky is blue."}], "paper")
    asked = {"role": "user", "content": [*paper, {"type": "text", "text": "One"}]}
    answered = {"role": "assistant", "content": [{"type": "text", "text": "1"}]}
    earlier = sent("One", content=tuple(asked["content"]))
    found = CacheMiss("settings_changed", "citations", "off", "on")

    assert miss(sent("Two", before=(asked, answered), cite=True), earlier) == found
    assert miss(sent("Two", content=paper, cite=True, talk=None), sent("One", talk=None)) == found


def test_a_changed_thinking_budget():
    """Thinking is part of what messages are cached for."""
    earlier = sent("One", model="claude-opus-4-6", thinking=2_000)
    now = sent("One", "1", "Two", model="claude-opus-4-6", thinking="off")

    assert miss(now, earlier, read=1_900) == CacheMiss(
        "settings_changed", "thinking", "enabled, 2,000 tokens", "disabled", partial=True
    )


def test_settings_are_no_reason_where_only_the_system_prompt_is_shared():
    """It is cached for all of them."""
    found = miss(sent("Two", talk=None, effort="low", at=301.0), sent("One", talk=None))

    assert found == CacheMiss("expired", "5m", before=301.0)


def test_how_thinking_is_shown_is_no_change():
    """The API caches the same whether it is shown or not."""
    found = miss(sent("One", "1", "Two", hide_thinking=True), sent("One"))

    assert found == CacheMiss("unknown")


def test_an_hour_is_an_hour():
    """Of the system prompt; what was said with it is kept for five minutes."""
    hour = System(MANUAL.parts, "1h")
    earlier = sent("One", system=hour)

    assert miss(sent("One", "1", "Two", system=hour, at=3_601), earlier) == CacheMiss(
        "expired", "1h", before=3_601
    )
    assert miss(sent("One", "1", "Two", system=hour, at=400), earlier, read=1_900) == CacheMiss(
        "expired", "5m", before=400, partial=True
    )


def test_each_use_keeps_it():
    """What nobody else's question had used is old, though the conversation's own turn is older."""
    used = sent("Else", talk=None, at=250.0)

    found = miss(sent("One", "1", "Two", at=400.0), used, sent("One"))

    assert found == CacheMiss("unknown")


def test_nothing_can_be_read_before_the_response_begins():
    """As where several questions are asked at once."""
    assert miss(sent("Two", talk=None), sent("One", talk=None), began=False) == CacheMiss(
        "not_yet_usable"
    )


def test_earlier_messages_that_changed():
    """In one conversation nothing that was said changes; if it does, the message is named."""
    earlier = sent("One", "1", "Two", "2", "Three")

    found = miss(sent("One", "1", "Two!", "2", "Three", "3", "Four"), earlier, read=1_900)

    assert found == CacheMiss("messages_changed", "message", after=3, partial=True)


def test_a_branch_reads_what_it_shares():
    """What was asked before in another place is compared by what it has in common."""
    trunk, leaf = sent("One"), sent("One", "1", "Two")

    assert miss(sent("One", "1", "Two, again"), leaf, trunk, read=CACHED) is None


def test_out_of_reach():
    """Only the 20 blocks before a mark are looked at."""
    long = tuple({"type": "text", "text": str(n)} for n in range(25))
    first = sent("One")
    # As another program would mark them: its own question alone.
    now = sent("One", "1", "Two", content=long)
    far = CacheKey(
        **{name: getattr(now, name) for name in CacheKey.__slots__} | {"marks": now.marks[-1:]}
    )

    assert miss(far, first, read=1_900) == CacheMiss("out_of_reach", partial=True)
    assert miss(now, first, read=1_900) == CacheMiss("unknown", partial=True)


def test_the_server_knows_better():
    """Its own reason stands, with what comparing shows where it is the same."""
    earlier = sent("One")

    assert miss(sent("One", "1", "Two"), earlier, said="tools_changed") == CacheMiss(
        "tools_changed", by_server=True
    )
    assert miss(sent("One", "1", "Two", model="m"), earlier, said="model_changed") == CacheMiss(
        "model_changed", "model", "claude-opus-5-5", "m", by_server=True
    )


@pytest.mark.parametrize("said", ["unavailable", "previous_message_not_found", "of tomorrow"])
def test_a_server_that_does_not_know(said):
    """Then comparing is what there is."""
    found = miss(sent("One", "1", "Two", effort="low"), sent("One"), said=said)

    assert found is not None
    assert found.reason == "settings_changed"


def test_changed_tools():
    """They come first in what is cached."""
    now = sent("One", "1", "Two")
    other = CacheKey(
        **{name: getattr(now, name) for name in CacheKey.__slots__} | {"tools": "others"}
    )

    assert miss(now, other) == CacheMiss("tools_changed")


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-opus-5-5", CacheMiss("under_minimum", before=512, after=511)),
        ("claude-haiku-4-5", CacheMiss("under_minimum", before=4096, after=511)),
        ("not-a-model", CacheMiss("not_cached")),
    ],
)
def test_neither_read_nor_written(model, found):
    """The prompt is too short for the model; or the server does not cache at all."""
    now = sent("One", model=model)

    assert CachePrediction(now).miss(Usage(input_tokens=511)) == found


def test_a_server_that_does_not_cache():
    """The prompt is long enough."""
    assert CachePrediction(sent("One")).miss(Usage(input_tokens=512)) == CacheMiss("not_cached")


def test_unknown_usage_has_no_reason():
    """Nothing is known of what was read."""
    assert CachePrediction(sent("One")).miss(Usage.unknown()) is None


def test_conversations_about_other_things_are_not_compared():
    """Another system prompt is another matter."""
    other = System((SystemPart("law", "§ 1 Nothing is free.\n" * 300),))

    assert miss(sent("One", talk="a"), sent("One", talk="b", system=other)) is None


def test_requests_that_are_not_cached_are_not_remembered():
    """Without a ``System`` there is nothing to expect."""
    memory = RequestLog()

    assert memory.expect(Request("One", system="Be short."), "server", Progress()) is None
    assert memory.uses(MANUAL) == []


def test_servers_share_no_cache():
    """What one was sent cannot be read at another."""
    memory = RequestLog()
    memory.expect(Request("One", system=MANUAL), "a", Progress())

    found = memory.expect(Request("One", system=MANUAL), "b", Progress())

    assert found is not None
    assert found.earlier == ()


@pytest.mark.parametrize(("events", "began"), [([], False), (["message_start"], True)])
def test_a_request_is_usable_from_its_first_event_on(events, began):
    """That the server has accepted it is not enough."""
    memory, running = RequestLog(), Progress()
    memory.expect(Request("One", system=MANUAL), "a", running)
    for data in (RequestSent("m"), ResponseStarted(), *({"type": e} for e in events)):
        running.apply(StreamEvent(0, 0.0, 1, data))

    found = memory.expect(Request("Two", system=MANUAL), "a", Progress())

    assert found is not None
    assert [each.began for each in found.earlier] == [began]


def test_memory_is_bounded():
    """The newest requests are kept, and no more of them."""
    memory = RequestLog()
    for _ in range(REMEMBERED + 5):
        found = memory.expect(Request("One", system=MANUAL), "a", taken := Progress())
        for data in (RequestSent("claude-opus-5-5"), ResponseStarted(), Stopped()):
            taken.apply(StreamEvent(0, 0.0, 1, data))

    assert found is not None
    assert len(found.earlier) == REMEMBERED
