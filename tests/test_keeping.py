"""Replies that are kept: pickled, copied, and stored with ``%store``."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from functools import partial

import anthropic
import pytest
from pydantic import BaseModel

import claude_nb
from claude_nb import CachedSystem, Conversation, Recording
from claude_nb.client.engine import call
from claude_nb.errors import ClaudeError, InputError
from claude_nb.simulator import Error, Stream
from tests.played import end, recorded, said, start, text, tool_use


class Colour(BaseModel):
    """An answer."""

    name: str


def look_up(word: str) -> str:
    """Look up a word."""
    return f"{word}!"


def failed():
    """A reply that did not come to its end."""
    with pytest.raises(ClaudeError) as raised:
        claude_nb.ask("Hi", show=False)
    return raised.value.reply


def typed(api):
    """A reply with an object."""
    api.enqueue(Stream(said('{"name": "blue"}')))
    return claude_nb.ask("Which?", show=False, output=Colour)


def with_tools(api):
    """A reply that called a function."""
    called = [start(), *tool_use('{"word": "sky"}'), *end("tool_use")]
    api.enqueue(Stream(called), Stream(said("Blue")))
    return claude_nb.ask("Hi", show=False, tools=[look_up])


def dropped(api):
    """A reply with an error, which holds the reply again."""
    api.enqueue(Stream([start(), *text("Half")[:-1]], end="reset"))
    return failed()


def refused(api):
    """A reply without a word."""
    api.enqueue(Error(400, "invalid_request_error", "No"))
    return failed()


def in_conversation(api):
    """The second reply of a conversation."""
    api.enqueue(Stream(said("One")), Stream(said("Two")))
    talk = Conversation()
    talk.ask("Hi", show=False)
    return talk.ask("Hi again", show=False)


def cached(api):
    """A reply with a note on the cache, asked through the user's own client."""
    system = CachedSystem("Handbook. " * 2_000)
    client = anthropic.AsyncAnthropic(base_url=api.base_url, api_key="secret-key-of-mine")
    for words in ("One", "Two"):
        reply = claude_nb.ask(words, show=False, system=system, client=client)
    call(client.close())
    return reply


def played(api):
    """The reply of a recording."""
    api.enqueue(Stream(recorded("thinking")))
    return Recording.of(claude_nb.ask("Hi", show=False)).reply


def waited_for(api):
    """A reply that was written in the background."""
    api.enqueue(Stream(said("Later")))
    (reply,) = claude_nb.compare("Hi", background=True)
    return reply.wait()


REPLIES = (typed, with_tools, dropped, refused, in_conversation, cached, played, waited_for)


@pytest.mark.parametrize("keep", [lambda r: pickle.loads(pickle.dumps(r)), copy.deepcopy])
@pytest.mark.parametrize("make", REPLIES)
def test_a_reply_is_the_same_afterwards(api, make, keep):
    """It shows itself, saves the same record, and can be asked for all that it knows."""
    reply = make(api)

    kept = keep(reply)

    assert kept is not reply
    assert kept._repr_mimebundle_() == reply._repr_mimebundle_()
    assert list(kept.timeline().steps) == list(reply.timeline().steps)
    assert (kept.outcome, kept.parsed, kept.cost) == (reply.outcome, reply.parsed, reply.cost)
    assert repr(kept.message) == repr(reply.message)
    kept.stop()


def test_a_kept_reply_holds_no_client(api):
    """Nor its key, with which the requests were told apart that may share a cache."""
    assert b"secret-key-of-mine" not in pickle.dumps(cached(api))


def test_a_reply_is_read_in_another_process(api, tmp_path):
    """With everything that is shown of it."""
    reply = with_tools(api)
    (tmp_path / "reply").write_bytes(pickle.dumps(reply))
    code = "import pickle, sys\nreply = pickle.load(open(sys.argv[1], 'rb'))\nprint(reply.wait())"

    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "reply"], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == repr(reply)


def test_what_is_unfinished_says_so(api):
    """A reply, or a comparison, that is still being written; stopped, it can be kept."""
    api.enqueue(*[Stream([start(), *text("Half")[:-1]], end="hang")] * 2)
    both = claude_nb.compare("Hi", models=["claude-opus-5-5", "claude-sonnet-5-5"], background=True)

    for unfinished, wait in ((both[0], r"reply\.wait\(\)"), (both, r"comparison\.wait\(\)")):
        for keep in (pickle.dumps, copy.deepcopy):
            with pytest.raises(InputError, match=f"still being written.*{wait}"):
                keep(unfinished)
    both.stop()
    both.ended.wait()

    assert [reply.outcome for reply in copy.deepcopy(both)] == ["stopped", "stopped"]


def test_comparisons_and_results_of_batches_are_kept(api):
    """The results without the batch, which says how to find it again."""
    api.enqueue(Stream(said("One")), Stream(said("Two")))
    both = claude_nb.compare("Hi", models=["claude-opus-5-5", "claude-sonnet-5-5"])
    batch = claude_nb.batch(["One", "Two"], show=False).wait()

    for keep in (lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy):
        assert keep(both)._repr_mimebundle_() == both._repr_mimebundle_()
        assert list(keep(batch.results)) == list(batch.results)
        with pytest.raises(InputError, match=r"Batch\.resume"):
            keep(batch)


@pytest.mark.kernel
def test_store_keeps_a_reply_for_the_next_kernel(kernel, simulator):
    """``%store`` writes it, and ``%store -r`` brings it back."""
    simulator.enqueue(Stream(said("Blue")))
    run = partial(kernel.run, asks=False)

    run("%%claude --once -o kept_reply\nHi")
    assert run("%store kept_reply\ndel kept_reply")["status"] == "ok"
    run("%store -r kept_reply\n%store -d kept_reply\nprint(kept_reply.text)")

    assert kernel.printed.strip() == "Blue"
