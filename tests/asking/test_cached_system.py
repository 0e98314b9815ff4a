"""``CachedSystem``, and what is said of the cache below a reply: over HTTP, with the simulator."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from unittest.mock import patch
from uuid import uuid4

import anthropic
import pytest

import claude_nb
from claude_nb import CachedSystem, Conversation
from claude_nb.asking import asking, cached_system
from claude_nb.client.connection import Connection
from claude_nb.client.engine import call
from claude_nb.errors import InputError, RequestError
from claude_nb.magics import options
from claude_nb.recording.recording import Recording
from claude_nb.recording.replay import recorded_requests
from claude_nb.render import caching
from claude_nb.render.markdown.markdown import ROOT_CLASSES
from claude_nb.request.request import Request
from claude_nb.session.budget import Budget
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Scripted, Stream
from claude_nb.streaming.record import MIME
from tests.played import end, start, text

RULES = "A rule of the house.\n" * 100
"""525 tokens by the simulator's count."""

UNBOUND = "claude-opus-5"
"""A model whose thinking may be sent back behind other tools."""

AT_NOON = 1_800_000_000.0


class User:
    """A user with a system prompt, a conversation and a clock that stands still.

    Attributes:
        simulator: The server.
        number: What makes its system prompts its own: the simulator remembers those of other tests.
        manual: The system prompt, of 1,059 tokens.
        talk: The conversation.
    """

    def __init__(self, session, simulator) -> None:
        self._cache = session.cache
        self._cache.clock = lambda: AT_NOON
        self.simulator = simulator
        self.number = uuid4().hex
        self.manual = self.version("")
        self.talk = Conversation("talk", system=self.manual)

    def version(self, line, **fields: object):
        """The same system prompt with another line in its middle."""
        return CachedSystem(("manual", f"{self.number}\n{RULES}{line}\n{RULES}"), **fields)

    def ask(self, prompt, **options: object):
        """A question without memory, with the system prompt; it gets a short answer."""
        return claude_nb.ask(f"Hello, {prompt}", **{"show": False, "system": self.manual} | options)

    def say(self, prompt, **options: object):
        """The next question of the conversation."""
        return self.talk.ask(f"Hello, {prompt}", show=False, **options)

    def wait(self, seconds):
        """Let time pass, here and at the server."""
        self.simulator.advance(seconds)
        now = self._cache.clock() + seconds
        self._cache.clock = lambda: now


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    session = Session()
    for module in (asking, cached_system):
        monkeypatch.setattr(module, "session", session)
    return session


@pytest.fixture
def user(api, session):
    """A user who has asked nothing yet."""
    return User(session, api)


def first(user):
    return user.say("One")


def hit(user):
    user.say("One")
    return user.say("Two")


def warm(user):
    user.manual.warm()
    return user.ask("One")


def other_question(user):
    user.ask("One")
    return user.ask("Two")


def many_blocks(user):
    """More of them than the API looks back over from the end of the messages."""
    user.say("One")
    return user.say("Two", attach=range(25))


def several_parts(user):
    parts = [("a", uuid4().hex), ("b", RULES)]
    user.ask("One", system=CachedSystem(*parts))
    return user.ask("Two", system=CachedSystem(*parts))


def fork(user):
    for prompt in ("One", "Two", "Three"):
        user.say(prompt)
    user.talk.undo()
    user.talk.undo()
    return user.say("Two, otherwise")


def half_expired(user):
    user.manual = user.version("for an hour", ttl="1h")
    user.talk = Conversation("talk", system=user.manual)
    user.say("One")
    user.wait(400)
    return user.say("Two")


def read_in_time(user):
    user.ask("One")
    user.wait(200)
    user.ask("Two")
    user.wait(200)
    return user.ask("Three")


def expired(user):
    user.ask("One")
    user.wait(400)
    return user.ask("Two")


def hour_expired(user):
    user.ask("One", system=user.version("for an hour", ttl="1h"))
    user.wait(3700)
    return user.ask("Two", system=user.version("for an hour", ttl="1h"))


def model(user):
    user.say("One")
    return user.say("Two", model="claude-sonnet-5-5")


def effort(user):
    user.say("One")
    return user.say("Two", effort="low")


def tools(user):
    user.say("One", model=UNBOUND)
    params = Request.params
    offered = {"tools": [{"name": "look_up", "input_schema": {"type": "object"}}]}
    with patch.object(Request, "params", lambda request: params(request) | offered):
        return user.say("Two", model=UNBOUND)


def timestamp(user):
    user.ask("One", system=user.version("Printed at 12:01:07"))
    return user.ask("Two", system=user.version("Printed at 12:01:09"))


def other_system(user):
    user.say("One")
    return user.say("Two", system=user.version("One more rule."))


def tiny(user):
    return user.ask("One", system=CachedSystem("Be short."))


def does_not_cache(user):
    user.simulator.enqueue(Stream([start(usage=usage(5_000)), *text("Yes."), *end()]))
    return user.ask("One")


def at_once(user):
    async def both():
        user.simulator.enqueue(Scripted(events=0, end="hang"))
        one = asyncio.create_task(asking.ask_async("One", system=user.manual, show=False))
        sent = lambda requests: any(user.number in str(r.body) for r in requests)  # noqa: E731
        await asyncio.to_thread(user.simulator.wait_for, sent)
        two = await asking.ask_async("Hello, two", system=user.manual, show=False)
        one.cancel()
        with suppress(asyncio.CancelledError):
            await one
        return two

    return asyncio.run(both())


def told(user):
    said = {"cache_miss_reason": {"type": "tools_changed"}}
    missed = start(usage=usage(5, cache_creation_input_tokens=4_000), diagnostics=said)
    user.ask("One")
    user.simulator.enqueue(Stream([missed, *text("Yes."), *end()]))
    return user.ask("Two")


def usage(tokens, **cached: object):
    """The usage at the beginning of a message."""
    return {"input_tokens": tokens, "output_tokens": 1, **cached}


TIME = "(a time or a date makes it different each time)"
SCENARIOS = [
    (first, "written", None, ""),
    (hit, "read", None, ""),
    (warm, "read", None, ""),
    (other_question, "read", None, ""),
    (many_blocks, "read", None, ""),
    (several_parts, "read", None, ""),
    (fork, "read", None, ""),
    (read_in_time, "read", None, ""),
    (
        half_expired,
        "read",
        "expired",
        "read in part · last used 6 min 40 s ago, and kept for 5 minutes",
    ),
    (
        expired,
        "written",
        "expired",
        "not read · last used 6 min 40 s ago, and kept for 5 minutes",
    ),
    (
        hour_expired,
        "written",
        "expired",
        "not read · last used 61 min 40 s ago, and kept for an hour",
    ),
    (
        model,
        "written",
        "model_changed",
        ("not read · each model has its own cache, and claude-opus-5-5 became claude-sonnet-5-5"),
    ),
    (tools, "written", "tools_changed", "not read · the tools changed"),
    (
        effort,
        "read",
        "settings_changed",
        (
            "read in part · the messages are cached for one setting, and the effort went from"
            " the default to low"
        ),
    ),
    (
        timestamp,
        "written",
        "system_changed",
        (
            "not read · the system prompt changed: manual, line 102: “Printed at 12:01:07”"
            f" became “Printed at 12:01:09” {TIME}"
        ),
    ),
    (
        other_system,
        "written",
        "system_changed",
        "not read · the system prompt changed: manual, line 102 is new: “One more rule.”",
    ),
    (
        tiny,
        "neither",
        "under_minimum",
        "nothing is cached: the prompt has 6 tokens, and the model caches 512 or more",
    ),
    (
        does_not_cache,
        "neither",
        "not_cached",
        "nothing is cached, and the server does not say why; not every model or gateway caches",
    ),
    (
        at_once,
        "written",
        "not_yet_usable",
        "not read · the request that writes it was still running",
    ),
    (
        told,
        "written",
        "tools_changed",
        "not read · the server says that the tools changed",
    ),
]


@pytest.mark.parametrize(
    ("scenario", "used", "reason", "line"), [pytest.param(*s, id=s[0].__name__) for s in SCENARIOS]
)
def test_what_happened_and_why(user, scenario, used, reason, line):
    """Hits, writes and each kind of miss: what the usage says, and the reason that is shown."""
    reply = scenario(user)

    read, written = reply.usage.cache_read_tokens, reply.usage.cache_write_tokens
    happened = "read" if read else "written" if written else "neither"
    miss = reply.cache_miss
    shown = [found for found in caching.lines(reply) if found != caching.worth(reply)]
    assert (happened, miss and miss.reason) == (used, reason)
    assert shown == ([f"cache: {line}"] if line else [])
    bundle = reply._repr_mimebundle_()
    assert all(line in form for name, form in bundle.items() if name != MIME)
    assert bundle[MIME]["cache"]["miss"] == reason


@pytest.fixture
def diagnosed(user, session):
    """A user whose server is asked why it reads no more: the simulator, as such."""
    session._api = Connection(base_url=user.simulator.base_url, simulated=True)
    return user


_DIAGNOSED = ("model_changed", "tools_changed", "system_changed")


@pytest.mark.parametrize(
    ("scenario", "used", "reason", "line"), [pytest.param(*s, id=s[0].__name__) for s in SCENARIOS]
)
def test_the_reason_is_the_server_s_where_it_has_one(diagnosed, scenario, used, reason, line):
    """It compares the same two requests as we do, and what it says comes first; a hit stays one."""
    reply = scenario(diagnosed)

    by_server = reason in _DIAGNOSED
    says = "the server says that " if by_server and scenario is not told else ""
    line = line.replace("not read · ", f"not read · {says}")
    miss = reply.cache_miss
    shown = [found for found in caching.lines(reply) if found != caching.worth(reply)]
    assert (miss and miss.reason, bool(miss and miss.by_server)) == (reason, by_server)
    assert shown == ([f"cache: {line}"] if line else [])


def test_the_server_is_given_the_message_that_has_most_in_common(diagnosed):
    """Null where there is none; a conversation's own turn rather than what was asked last."""
    one = diagnosed.say("One").message.id
    diagnosed.ask("Else")
    diagnosed.say("Two")

    asked = [request.body["diagnostics"] for request in diagnosed.simulator.requests]
    previous = [None, one, one]
    assert asked == [{"previous_message_id": message_id} for message_id in previous]


def test_no_other_server_is_asked_for_a_diagnosis(user):
    """A gateway may refuse the field, and knows nothing of the message."""
    hit(user)

    assert not any("diagnostics" in request.body for request in user.simulator.requests)


def test_a_diagnosis_is_no_part_of_a_recording(diagnosed):
    """The id is another one each time, and what was recorded has to be found again."""
    reply = hit(diagnosed)

    assert "diagnostics" in diagnosed.simulator.requests[-1].body
    recorded = Recording.of(reply)
    assert "diagnostics" not in recorded.request
    assert recorded_requests(recorded)[0].sent.data.params == reply.request.params()


def test_many_blocks_read_all_that_the_turn_before_had_left(user):
    """The mark at the end of the earlier question finds it, though the next one has 25 blocks."""
    one = user.say("One")
    two = user.say("Two", attach=range(25))

    assert two.usage.cache_read_tokens == one.usage.cache_write_tokens


def test_one_server_has_one_cache(user, monkeypatch):
    """What was written is expected to be read through a client of the user's own too."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{user.simulator.base_url}/")
    user.ask("One")
    own = anthropic.AsyncAnthropic(base_url=user.simulator.base_url, api_key="not-a-key")

    reply = user.ask("Two", client=own)
    call(own.close())

    assert len(reply.expectation.earlier) == 1


def test_its_tokens_are_counted_by_the_server(user):
    """The system prompt alone, once for each model; the display then says what it costs."""
    counted = user.manual.tokens()

    user.simulator.enqueue(Error(500, "api_error", "not asked again"))
    assert user.manual.tokens() == counted
    user.simulator.drain()
    first = user.ask("One")
    assert counted == 1_059
    assert (first.usage.cache_write_tokens, first.usage.input_tokens) == (counted, 3)
    assert (
        "claude-opus-5-5: 1,059 tokens · written for $0.0053 · read for $0.0002 instead of $0.0042"
        " · pays for itself after 1 read"
    ) in repr(user.manual)


def test_too_short_for_a_model(user):
    """Each has its own minimum; below it nothing is cached, and nothing else says so."""
    with pytest.warns(UserWarning, match=r"claude-opus-4-6 caches 4,096 tokens or more: this has"):
        user.manual.tokens("claude-opus-4-6")


def test_too_short_for_any_model(user):
    """That needs no counting."""
    assert "too short to be cached on its own" in repr(CachedSystem("Be short."))
    assert "too short to be cached on its own" not in repr(user.manual)


def test_too_long_for_a_model(user):
    """The window holds the reply as well."""
    long = CachedSystem(("long", "A rule of the house.\n" * 40_000))

    with pytest.warns(UserWarning, match=r"claude-opus-4-5 takes at most 200,000 tokens"):
        long.tokens("claude-opus-4-5")


def test_warm_writes_and_generates_nothing(user, session):
    """One request, charged; the display says how long it is kept."""
    warmed = user.manual.warm()

    (entry,) = session.ledger.entries
    assert warmed is user.manual
    assert (entry.usage.cache_write_5m_tokens, entry.usage.output_tokens) == (1_059, 0)
    assert session.last is None
    assert "in the cache of claude-opus-5-5: 5 min 00 s left" in repr(user.manual)
    user.wait(400)
    assert "was in the cache of claude-opus-5-5, up to 1 min 40 s ago" in repr(user.manual)


def test_warm_keeps_within_the_budget(user, session):
    """What it would cost is known before; nothing is sent that goes beyond."""
    session.budget = Budget(0.0001, lambda: 0.0)

    with pytest.raises(InputError, match="could exceed the budget"):
        user.manual.warm()

    assert session.ledger.entries == []


def test_warm_that_the_server_refuses(user):
    """It is the server's error, as for a question."""
    user.simulator.enqueue(Error(400, "invalid_request_error", "max_tokens: at least 1"))

    with pytest.raises(RequestError, match="max_tokens: at least 1"):
        user.manual.warm()


def test_a_change_is_found_before_it_is_sent(user):
    """Made anew with another time in it, it says so, and where."""
    user.ask("One", system=user.version("Printed at 12:01"))

    shown = repr(user.version("Printed at 12:02"))

    assert (
        "changed since it was sent 0.0 s ago, so the next request writes it again: manual, line 102"
        in (shown)
    )


def test_how_it_shows_itself(tmp_path, user):
    """Parts, characters, lifetime and digest; of many parts the first, and what was left out."""
    for n in range(25):
        (tmp_path / f"{n:02}.md").write_text(f"<b>{n}</b>")
    (tmp_path / ".hidden").write_text("x")
    system = CachedSystem(("<rules>", "Be brief."), tmp_path, ttl="1h")

    lines = repr(system).splitlines()
    page = system._repr_html_()

    assert (
        lines[0]
        == f"CachedSystem: <rules>, {tmp_path.name}/00.md, {tmp_path.name}/01.md and 23 more"
    )
    assert lines[1].endswith(
        f" characters · kept for an hour after each use · digest {system.digest}"
    )
    assert lines[2] == "left out of folders: 1 hidden"
    assert "&lt;rules&gt;" in page
    assert "6 more" in page
    assert page.startswith(f'<div class="{ROOT_CLASSES}">')  # or dollars would be formulas
    assert system.digest in page


def test_it_cannot_be_changed(user):
    """What is sent stays what it is."""
    with pytest.raises(AttributeError):
        user.manual.ttl = "1h"


def test_system_option_takes_one(user):
    """``--system NAME``; in a conversation it stays until another one is given."""
    given, _ = options.parse("--system manual Why?", {"manual": user.manual})

    one = user.talk.ask("Hello", show=False, system=given["system"][0])
    two = user.talk.ask("Hello", show=False)

    assert given == {"system": (user.manual,)}
    assert two.request.system is user.manual
    assert two.usage.cache_read_tokens == one.usage.cache_write_tokens


def test_another_lifetime_is_no_other_prompt(user):
    """Earlier thinking is bound to the words of the system prompt, not to how long it is kept."""
    user.say("One")

    two = user.say("Two", system=user.version("", ttl="1h"))

    types = [block["type"] for block in two.request.before[1]["content"]]
    assert "thinking" in types


def test_in_a_terminal_the_cache_has_its_line(user, capsys):
    """Below the usage."""
    user.manual.warm()

    user.ask("One", show=True)

    assert "\ncache: 1,059 tokens read for $0.0002 instead of $0.0042 · saved $0.0040\n" in (
        capsys.readouterr().out
    )
