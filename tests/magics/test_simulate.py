"""``%claude_nb simulate``: on, off, its pace, and faults by name."""

from __future__ import annotations

import math
from contextlib import ExitStack

import anthropic
import pytest

import claude_nb
from claude_nb import Simulator
from claude_nb.asking import asking
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
        assert f"Next: {FAULTS[name].does}.\n" in capsys.readouterr().out
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
    while len(stream.events) < 41:
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


def test_all_faults_are_tried_here():
    """None is without a test."""
    assert set(FAULTS) == {*OUTCOMES, "stall"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("next dorp", "Did you mean drop?"),
        ("next", "There are drop, reset,"),
        ("maybe", "takes on|off|next FAULT [--speed FACTOR] [--seed N]."),
        ("off now", "takes on|off|next FAULT"),
        ("on fast", "[--speed FACTOR]"),
        ("on --spede 2", "There is no option --spede. Did you mean --speed?"),
        ("on --speed", "--speed needs a value. It is written --speed FACTOR."),
        ("on --speed x", "--speed: It takes a factor above 0, such as 0.2, not 'x'"),
        ("on --seed 1.5", "--seed: It takes a whole number, not '1.5'"),
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
