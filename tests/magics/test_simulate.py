"""``%claude_nb simulate``: on, off, its pace, and faults by name."""

from __future__ import annotations

import math
import re
import warnings
from contextlib import ExitStack

import anthropic
import httpx2
import pytest

import claude_nb
from claude_nb import Simulator
from claude_nb.asking import asking
from claude_nb.client.connection import _READ_TIMEOUT
from claude_nb.client.retry import Policy
from claude_nb.errors import ClaudeError, InputError
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.session.session import Session
from claude_nb.simulator.faults import FAULTS

OUTCOMES = {
    "drop": "dropped",
    "reset": "dropped",
    "silent-end": "dropped",
    "overloaded": "failed",
    "overloaded-inside": "failed",
    "rate-limit": "failed",
    "spend-limit": "failed",
    "own-limit": "failed",
    "no-credit": "failed",
    "billing": "failed",
    "bound-thinking": "failed",
    "server-error": "failed",
    "bad-request": "failed",
    "bad-key": "failed",
    "refusal": "refused",
    "truncated": "truncated",
    "bad-tool-json": "complete",
    "slow": "complete",
}
HAS_TEXT = {"drop", "reset", "silent-end", "overloaded-inside", *list(OUTCOMES)[-4:]}
PASSING = ("drop", "reset", "silent-end", "overloaded", "overloaded-inside", "server-error")


@pytest.fixture
def simulate(monkeypatch):
    """The magic, in a session of this test's own whose simulator does not wait."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    magics = ClaudeMagics()
    magics.claude_nb("simulate on --speed inf")
    yield lambda line: magics.claude_nb(f"simulate {line}")
    session.simulate(on=False)


def outcome(policy):
    """How the next reply ends."""
    try:
        reply = claude_nb.ask("hello", show=False, policy=policy)
    except ClaudeError as error:
        reply = error.reply
    return reply


def test_each_fault_fails_as_it_says(simulate, capsys):
    """Once, in the state that its words name; the next reply is as ever."""
    for name, expected in OUTCOMES.items():
        simulate(f"next {name}")

        reply = outcome(Policy(tries=1))

        assert (name, str(reply.outcome)) == (name, expected)
        assert (name, bool(reply.text)) == (name, name in HAS_TEXT)
        assert f"Next: {FAULTS[name].describe(math.inf)}.\n" in capsys.readouterr().out
    assert str(outcome(Policy(tries=1)).outcome) == "complete"


def test_a_fault_that_passes_is_recovered_from(simulate):
    """To the very text that would have come without it."""
    whole = outcome(Policy()).text
    for name in PASSING:
        simulate(f"next {name}")
        reply = outcome(Policy(base=0.0))
        assert (name, str(reply.outcome), reply.text) == (name, "complete", whole)
        assert len(reply.messages) == 2


def test_a_stream_that_stalls_can_be_stopped(simulate):
    """Nothing comes after its text has begun."""
    simulate("next stall")
    stream = claude_nb.stream("hello")
    while '"text_delta"' not in str(stream.events[-1:]).replace("'", '"'):
        stream.wait(len(stream.events), 5)

    stream.stop()
    stream.join(1)

    assert stream.events[-1].type == "stopped"


def test_several_faults_come_one_after_another(simulate):
    """One for each request."""
    simulate("next overloaded drop reset")

    reply = outcome(Policy(base=0.0))

    lost = "connection lost"
    assert [message.failure for message in reply.messages] == ["overloaded", lost, lost, ""]


def test_a_drop_is_met_by_every_text_and_lies_in_a_sentence(simulate):
    """However short what is left of it is; the next request meets none."""
    simulate("next drop drop drop drop")

    broken = claude_nb.ask("sky blue", show=False, policy=Policy(base=0.0))
    after = claude_nb.ask("sky blue", show=False, policy=Policy(tries=1))

    assert [m.failure for m in broken.messages] == ["connection lost"] * 4 + [""]
    assert str(after.outcome) == "complete"
    first = min(seam.at for block in broken.blocks for seam in block.breaks)
    assert re.search(r"\w+ \w+ ?$", broken.text[:first])
    assert re.match(r" ?[a-z]{2}", broken.text[first:])
    assert broken.text != after.text


def test_a_call_of_a_tool_is_dropped_within_its_input(simulate):
    """A reply without a text breaks off in what it has."""
    simulate("next drop")
    tool = {"name": "look_up", "input_schema": {"type": "object", "properties": {}}}
    asked = {"model": "claude-opus-4-8", "max_tokens": 100, "tools": [tool]}
    with anthropic.Anthropic(
        base_url=asking.session.simulator().base_url, api_key="not-a-key", max_retries=0
    ) as client:
        stream = client.messages.create(
            **asked,
            messages=[{"role": "user", "content": "look_up"}],
            tool_choice={"type": "any"},
            stream=True,
        )
        types = []
        with pytest.raises(httpx2.RemoteProtocolError):
            types += [types.append(event.type) for event in stream]

    assert types == ["message_start", "content_block_start"]


def test_a_fault_that_cannot_apply_is_dropped_with_a_note(simulate, capsys):
    """It does not wait for the next request, which has nothing to do with it."""
    simulate("next drop truncated")
    with pytest.warns(UserWarning, match="drop made nothing fail: the request was not streamed"):
        whole = claude_nb.ask("hello", show=False, stream=False)
    with pytest.warns(UserWarning, match="truncated made nothing fail: the reply had no text"):
        claude_nb.ask("Refuse at once", show=False)

    assert str(whole.outcome) == "complete"
    assert str(outcome(Policy(tries=1)).outcome) == "complete"


def test_each_fault_that_cannot_apply_is_told(simulate):
    """A lecture queues the same one again and again, and a client of the SDK meets some too."""
    asked = {"model": "claude-opus-5-5", "max_tokens": 100}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(2):
            simulate("next drop")
            claude_nb.ask("hello", show=False, stream=False)
        simulate("next drop")
        address = asking.session.simulator().base_url
        with anthropic.Anthropic(base_url=address, api_key="not-a-key") as client:
            client.messages.create(**asked, messages=[{"role": "user", "content": "hello"}])
        simulate("next")
    assert len(told) == 3
    assert {(str(one.message)[:22], one.filename) for one in told} == {
        ("drop made nothing fail", "claude_nb")
    }


def test_an_error_in_a_stream_has_the_status_of_its_beginning(simulate):
    """To the SDK an overload is then an error of no special kind, whose status is 200."""
    simulate("next overloaded-inside")
    asked = {"model": "claude-opus-5-5", "max_tokens": 1000}
    question = [{"role": "user", "content": "hello"}]
    came = []
    address = asking.session.simulator().base_url
    with (
        anthropic.Anthropic(base_url=address, api_key="not-a-key") as client,
        client.messages.stream(**asked, messages=question) as stream,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        came.extend(stream.text_stream)

    assert "".join(came).startswith("Hello!")
    assert type(raised.value) is anthropic.APIStatusError
    assert (raised.value.status_code, raised.value.type) == (200, "overloaded_error")


def test_on_again_keeps_pace_and_seed_and_forgets_faults(simulate, capsys):
    """At the same address, so that a client of one's own goes on; ``status`` shows them."""
    simulate("on --speed 40 --seed 7")
    simulate("next drop overloaded")
    before = asking.session.simulator().base_url
    capsys.readouterr()

    ClaudeMagics().claude_nb("status")
    assert capsys.readouterr().out.endswith("speed 40 · seed 7 · next: drop, overloaded\n")
    simulate("on")
    assert capsys.readouterr().out.endswith("\nspeed 40 · seed 7\n")
    simulate("on --speed 50")
    assert capsys.readouterr().out.endswith("\nspeed 50 · seed 7\n")
    simulate("on --speed 1 --seed 0")
    simulate("")
    assert capsys.readouterr().out.endswith("\nspeed 1 · seed 0\n")
    assert asking.session.simulator().base_url == before


def test_the_environment_names_pace_and_seed(simulate, monkeypatch, capsys):
    """Where nothing was set since the simulator was turned on."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SPEED", "30")
    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SEED", "7")
    simulate("on")
    assert capsys.readouterr().out.endswith("\nspeed inf · seed 7\n")
    simulate("off")
    simulate("on")
    assert capsys.readouterr().out.endswith("\nspeed 30 · seed 7\n")

    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SEED", "1.5")
    simulate("")
    assert (
        "CLAUDE_NB_SIMULATE_SEED must be a whole number of at least 0, not '1.5'"
        in capsys.readouterr().out
    )
    with pytest.raises(InputError, match="%env CLAUDE_NB_SIMULATE_SEED=7"):
        simulate("on")


def test_a_simulator_that_died_is_started_again(simulate):
    """By the command that the error names."""
    asking.session.simulator()._process.kill()
    asking.session.simulator()._process.wait()

    simulate("on")

    assert str(outcome(Policy(tries=1)).outcome) == "complete"


def test_the_queue_can_be_seen_and_emptied(simulate, capsys):
    """The next request is answered as ever."""
    simulate("next")
    assert capsys.readouterr().out.endswith(f"Next: nothing.\nFaults: {', '.join(FAULTS)}.\n")
    simulate("next drop slow")
    simulate("next")
    assert "Next: drop, slow.\n" in capsys.readouterr().out
    simulate("next nothing")
    assert "Next: nothing.\n" in capsys.readouterr().out

    assert str(outcome(Policy(tries=1)).outcome) == "complete"


def test_slow_faults_say_how_long_they_take(simulate, capsys):
    """Before they begin, at the pace that is set; a stall takes the client's own time-out."""
    simulate("on --speed 0.5")
    simulate("next stall slow rate-limit drop")
    told = capsys.readouterr().out.splitlines()[-4:]

    found = [re.findall(r"this takes some (\d+) s\.$", line) for line in told]
    assert found == [["94"], ["60"], ["5"], []]
    assert FAULTS["stall"].waits == _READ_TIMEOUT


def test_all_faults_are_tried_here():
    """None is without a test."""
    assert set(FAULTS) == {*OUTCOMES, "stall"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("next dorp", "Did you mean drop?"),
        ("next drop nothing", "There are drop, reset,"),
        ("maybe", "takes [on|off|next FAULT|next nothing] [--speed FACTOR] [--seed N]."),
        ("off now", "takes [on|off|next FAULT"),
        ("--speed 2", "--speed has no effect in %claude_nb simulate --speed 2."),
        ("on fast", "[--speed FACTOR]"),
        ("on --spede 2", "There is no option --spede. Did you mean --speed?"),
        ("on --speed", "--speed needs a value. Write --speed FACTOR."),
        ("on --speed x", "--speed: 'x' is not a factor above 0, such as 0.2"),
        ("on --seed 1.5", "--seed: '1.5' is not a whole number"),
        ("on --speed 0", "a factor above 0"),
        ("on --speed nan", "a factor above 0"),
    ],
)
def test_a_mistake_is_named(simulate, line, words):
    """And what to write instead."""
    with pytest.raises(InputError) as raised:
        simulate(line)

    assert words in str(raised.value)


def test_without_the_simulator_nothing_is_made_to_fail(simulate):
    """The API is not ours to break."""
    simulate("off")

    with pytest.raises(InputError, match="simulator is off"):
        simulate("next drop")


def test_many_on_one_machine_do_not_meet():
    """Each kernel's simulator has a port of its own; the same seed gives all the same stream."""
    with ExitStack() as stack:
        running = [stack.enter_context(Simulator(speed=math.inf, seed=7)) for _ in range(4)]
        told = []
        for simulator in running:
            asked = {"model": "claude-opus-5-5", "max_tokens": 1000, "stream": True}
            question = [{"role": "user", "content": "hello"}]
            with anthropic.Anthropic(base_url=simulator.base_url, api_key="not-a-key") as client:
                events = list(client.messages.create(**asked, messages=question))
            told.append(events)
    assert len({simulator._port for simulator in running}) == 4
    assert told[1:] == told[:-1] != [[]] * 3


def test_a_seed_gives_the_same_stream_again(simulate):
    """And another seed another one."""

    def pieces(seed):
        simulate(f"on --speed inf --seed {seed}")
        events = claude_nb.stream("hello", model="claude-sonnet-4-6")
        return [e.data["delta"]["text"] for e in events if e.type == "content_block_delta"]

    assert pieces(7) == pieces(7) != pieces(8)
