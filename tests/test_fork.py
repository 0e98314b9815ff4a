"""Asking in processes that were forked from one that has asked already."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor

import anthropic
import pytest

import claude_nb
from claude_nb import Conversation, Policy
from claude_nb.client.engine import call
from claude_nb.errors import InputError
from claude_nb.session.session import session
from claude_nb.simulator import Simulator, Stream
from tests.played import said, start, text

FORK = multiprocessing.get_context("fork")
ONCE = Policy(tries=1)


def asked():
    """``ask``."""
    return claude_nb.ask("Hi", show=False, policy=ONCE).text


def asked_async():
    """``ask_async``."""
    return asyncio.run(claude_nb.ask_async("Hi", show=False, policy=ONCE)).text


def in_conversation():
    """``Conversation.ask``."""
    return Conversation().ask("Hi", show=False, policy=ONCE).text


def streamed():
    """``stream``."""
    return "".join(
        event.data["delta"]["text"]
        for event in claude_nb.stream("Hi", policy=ONCE)
        if event.type == "content_block_delta"
    )


def compared():
    """``compare``, which another thread draws."""
    (reply,) = claude_nb.compare("Hi", policy=ONCE)
    return reply.text


def in_background():
    """``compare`` in the background, which has jobs."""
    (reply,) = claude_nb.compare("Hi", policy=ONCE, background=True).wait(30)
    return reply.text


def chatted():
    """``Chat.ask``."""
    return claude_nb.Chat(policy=ONCE).ask("Hi").text


def used_connections():
    """What makes the connections, threads and locks that a child must not use."""
    asked()
    in_background()


WAYS = (asked, asked_async, in_conversation, streamed, compared, in_background, chatted)


@pytest.mark.parametrize("way", WAYS)
def test_a_child_asks_like_its_parent(api, way):
    """On threads and connections of its own; the parent's still work afterwards."""
    used_connections()
    before = len(api.requests)
    api.enqueue(Stream(said("Child")), Stream(said("Parent")))

    with ProcessPoolExecutor(1, FORK) as pool:
        answer = pool.submit(way).result(30)

    assert (answer, asked()) == ("Child", "Parent")
    assert len(api.requests) - before == 2


def test_children_ask_while_the_parent_streams(api):
    """The parent's reply goes on, and what it holds is not the children's."""
    parts = [start(), *text(*["word "] * 60)]
    api.enqueue(Stream([*parts, *said("x")[-2:]], delay=0.02))
    (growing,) = claude_nb.compare("Hi", background=True)
    api.wait_for(lambda requests: requests)

    with ProcessPoolExecutor(2, FORK) as pool:
        answers = [pool.submit(asked) for _ in range(2)]
        waiting = pool.submit(_wait_for, growing)
        assert all(answer.result(30) for answer in answers)
        with pytest.raises(InputError, match="still being written"):
            waiting.result(30)

    assert growing.wait(30).text == "word " * 60


def _wait_for(reply):
    return reply.wait().text


def _wait_for_inherited():
    try:
        _inherited[0].wait()
    except InputError as error:
        return str(error)
    return ""


_inherited = []


def test_a_reply_of_the_parent_is_not_waited_for(api):
    """It never ends in the child, which says so at once."""
    api.enqueue(Stream([start(), *text("Half")[:-1]], end="hang"))
    both = claude_nb.compare("Hi", background=True)
    _inherited[:] = both

    with ProcessPoolExecutor(1, FORK) as pool:
        error = pool.submit(_wait_for_inherited).result(30)
    both.stop()
    both.ended.wait()

    assert "The parent process writes" in error


def test_a_client_of_the_parent_is_refused(api):
    """Its connections are the parent's; the error says where to make one."""
    _inherited[:] = [anthropic.AsyncAnthropic(base_url=api.base_url, api_key="not-a-key")]
    claude_nb.ask("Hi", show=False, client=_inherited[0])

    with ProcessPoolExecutor(1, FORK) as pool:
        error = pool.submit(_ask_with_inherited).result(30)
    call(_inherited.pop().close())

    assert "Make a client in the function" in error


def _ask_with_inherited():
    try:
        claude_nb.ask("Hi", show=False, client=_inherited[0], policy=ONCE)
    except InputError as error:
        return str(error)
    return ""


def test_a_child_has_batches(api):
    """``batch`` works there, and so does a batch that the parent submitted."""
    _inherited[:] = [claude_nb.batch(["One"], show=False)]

    with ProcessPoolExecutor(1, FORK) as pool:
        outcomes = pool.submit(_batches).result(60)
    _inherited.clear()

    assert outcomes == ["complete", "complete"]


def _batches():
    own = claude_nb.batch(["Two"], show=False)
    return [str(batch.wait().results[0].outcome) for batch in (own, _inherited[0])]


def _simulated():
    text = asked()
    try:
        session.simulator().enqueue(Stream(said("x")))
    except RuntimeError as error:
        refused = str(error)
    session.simulate(on=False)  # nothing of the parent's ends
    session.simulate(on=True, speed=0)
    session.simulator().enqueue(Stream(said("Own")))
    return text, refused, asked()


def test_the_simulator_answers_a_child():
    """The parent's does, which the child can neither command nor stop; or one of its own."""
    session.simulate(on=True, speed=0)
    try:
        used_connections()
        with ProcessPoolExecutor(1, FORK) as pool:
            text, refused, own = pool.submit(_simulated).result(60)
        session.simulator().enqueue(Stream(said("Still here")))
        still = asked()
    finally:
        session.simulate(on=False)

    assert "simulat" in text
    assert "alone can command it" in refused
    assert (own, still) == ("Own", "Still here")


def test_a_simulator_ends_although_a_child_lives():
    """Its server ends by itself when it is stopped: no child holds on to it."""
    simulator = Simulator().start()
    process = simulator._process
    with ProcessPoolExecutor(1, FORK) as pool:
        pool.submit(asked_nothing).result(30)
        simulator.stop()

    assert process.returncode == 0


def asked_nothing():
    """Be a child."""


@pytest.mark.kernel
def test_a_child_of_a_simulator_that_is_starting_has_its_own():
    """Nobody would tell the child where the parent's listens."""
    code = """
        import os, claude_nb
        from claude_nb.session.session import session
        session.simulate(on=True, speed=0)
        child = os.fork()
        assert claude_nb.ask("Hi", show=False).simulated
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        session.simulate(on=False)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)


FORKED_IN_A_KERNEL = """
import multiprocessing
import claude_nb
claude_nb.ask("Parent", show=False)
def child(queue):
    queue.put(claude_nb.ask("Child").text)
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(queue,))
process.start()
print("got", queue.get(timeout=30))
process.join(30)
print("ended", process.exitcode)
print("parent", claude_nb.ask("Parent", show=False).text)
"""


@pytest.mark.kernel
def test_a_child_of_a_kernel_prints_its_reply(kernel, simulator):
    """It can display nothing, and the kernel's own messages go on."""
    simulator.enqueue(*(Stream(said(word)) for word in ("One", "Two", "Three")))

    assert kernel.run(FORKED_IN_A_KERNEL)["status"] == "ok"

    for line in ("got Two", "ended 0", "parent Three"):
        assert line in kernel.printed
    assert "attempted to send message from fork" not in kernel.printed
