"""Replies in the background, without a kernel: what they are asked, what becomes of them."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.asking.comparison import Comparison
from claude_nb.asking.conversation import Conversation
from claude_nb.asking.jobs import Jobs, jobs, start
from claude_nb.asking.question import Question
from claude_nb.errors import DroppedError, InputError, StoppedError
from claude_nb.magics import cell, commands
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.request.attachments.interpolation import compose
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.played import end, said, text, tool_use
from tests.played import start as started

OPEN = Stream([started(), *text("The first words")[:-1]], end="hang")


@pytest.fixture(autouse=True)
def ended():
    """Nothing goes on after a test, and nothing is left to be seen."""
    yield
    for job in jobs.running:
        job.reply.stop()
    jobs.wait()


@pytest.fixture
def shell():
    """What a cell is run in."""
    return SimpleNamespace(user_ns={})


def ask(shell, line, prompt="Hello"):
    """Run a ``%%claude`` cell."""
    defaults = ClaudeMagics()._defaults()
    return cell.run(shell, line, prompt, {**defaults, "policy": None})


def begun(api, number=1):
    """Wait until the server has this many requests more than it had."""
    assert api.wait_for(lambda requests: len(requests) >= number, 20)


def test_the_reply_is_there_at_once_and_can_be_waited_for(api):
    """A wait that is over before the reply leaves it alone; what was stopped is raised then."""
    number = len(api.requests)
    api.enqueue(OPEN)

    reply = start(Question.of("Hello"))
    begun(api, number + 1)

    assert str(reply.outcome) == "streaming"
    with pytest.raises(TimeoutError, match="The reply has not ended"):
        reply.wait(0.01)
    reply.stop()
    with pytest.raises(StoppedError) as raised:
        reply.wait(20)
    assert raised.value.reply is reply


def test_it_ends_complete(api, capsys):
    """``wait`` returns the reply; nothing was printed into what somebody types."""
    api.enqueue(Stream(said("Hello", " world")))

    assert start(Question.of("Hello")).wait(20).text == "Hello world"

    assert capsys.readouterr().out == ""


def test_what_failed_is_raised_by_who_waits(api):
    """As by a cell that waits; what came is in the reply."""
    api.enqueue(Stream([started(), *text("Hel")], end="drop"))
    reply = start(Question.of("Hello"))

    with pytest.raises(DroppedError) as raised:
        reply.wait(20)

    assert (raised.value.reply, reply.text) == (reply, "Hel")


def test_a_reply_that_was_waited_for_by_its_cell_can_be_waited_for_again(api):
    """It has ended already."""
    api.enqueue(Stream(said("Yes.")))
    reply = claude_nb.ask("Hello", show=False)

    assert reply.wait() is reply


def test_the_books_are_kept_before_the_wait_ends(api):
    """What it cost is in the ledger, and its conversation takes the next question."""
    api.enqueue(Stream(said("One.")), Stream(said("Two.")))
    conversation, before = Conversation("jobs"), len(asking.session.ledger.entries)

    for prompt in ("First?", "Second?"):
        start(Question.of(prompt, history=conversation)).wait(20)

    assert len(asking.session.ledger.entries) == before + 2
    assert [exchange.text for exchange in conversation.branch] == ["One.", "Two."]


def test_one_conversation_answers_one_question_at_a_time(api):
    """The second is refused, and says what to do."""
    api.enqueue(OPEN)
    conversation = Conversation("busy")
    start(Question.of("First?", history=conversation))

    with pytest.raises(InputError, match="The conversation busy is still being answered"):
        start(Question.of("Second?", history=conversation))


def test_a_cell_holds_the_reply_at_once(api, shell):
    """``-o``; without ``-c`` it belongs to no conversation."""
    api.enqueue(Stream(said("Yes.")))

    assert ask(shell, "--background -o answer") is None

    answer = shell.user_ns["answer"].wait(20)
    assert (answer.text, answer.request.turn) == ("Yes.", None)


def test_a_line_returns_the_reply(api, shell):
    """``x = %claude --background …``."""
    api.enqueue(Stream(said("Yes.")))

    reply = cell.run(shell, "--background Why?", None, ClaudeMagics()._defaults())

    assert reply.wait(20).text == "Yes."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--insert", "--insert cannot be used with --background"),
        ("--events", "--events cannot be used with --background"),
        ("--events -m a -m b", "--events cannot be used with --background"),
        ("--new", "--new with --background needs -c NAME"),
        ("--tools act --confirm", "only a notebook page can ask before each call"),
        ("--max-cost 0.000001", "This could exceed --max-cost"),
    ],
)
def test_what_cannot_be_is_refused_by_the_cell(api, shell, options, said):
    """Before anything is sent."""

    def act() -> str:
        raise AssertionError

    shell.user_ns["act"] = act
    number = sum(request.path == "/v1/messages" for request in api.requests)

    with pytest.raises(InputError, match=re.escape(said)):
        ask(shell, f"--background {options}")

    assert sum(request.path == "/v1/messages" for request in api.requests) == number
    assert jobs.running == []


def test_functions_run_on_threads_of_their_own(api, shell):
    """The loop goes on to the answer."""
    call = [started(), *tool_use("{}", name="act"), *end("tool_use")]
    api.enqueue(Stream(call), Stream(said("Done.")))

    def act() -> str:
        """Act."""
        return "acted"

    shell.user_ns["act"] = act
    ask(shell, "--background --tools act -o answer")

    assert shell.user_ns["answer"].wait(20).text == "Done."


def test_a_reply_that_is_being_written_is_not_sent_along(api):
    """Half of it would go unseen as all of it."""
    number = len(api.requests)
    api.enqueue(OPEN)
    answer = start(Question.of("Hello"))
    begun(api, number + 1)

    with pytest.raises(InputError, match="answer is still being written"):
        compose("Why {{answer}}?", variables={"answer": answer})


def test_a_reply_that_is_being_written_leaves_no_record(api):
    """Its requests are counted where it ends."""
    number = len(api.requests)
    api.enqueue(OPEN)
    reply = start(Question.of("Hello"))
    begun(api, number + 1)

    bundle = reply._repr_mimebundle_()

    assert ("text/html" in bundle, MIME in bundle) == (True, False)


def test_the_list_says_what_each_is_doing(api, capsys):
    """Number, model, what it is doing and the first words; in a terminal also what has ended."""
    number = len(api.requests)
    api.enqueue(Stream(said("Yes.")), Stream([started(model="claude-haiku-5-5")], end="hang"))
    start(Question.of("What is it?")).wait(20)
    start(
        Question.of(
            "Count\nto ten, and then go on to a hundred, one by one", model="claude-haiku-5-5"
        )
    )
    begun(api, number + 2)

    shown = repr(commands.execute("jobs", "claude-opus-5-5"))

    lines = [re.split(r"  +", line.strip()) for line in shown.splitlines()]
    assert lines[0] == ["job", "cell", "model", "doing", "for", "asked"]
    assert [line[2] for line in lines[1:]] == ["claude-opus-5-5", "claude-haiku-5-5"]
    assert (lines[1][3], lines[1][5]) == ("complete", "What is it?")
    assert lines[2][5] == "Count to ten, and then go on to a hundr…"


def test_one_is_stopped_and_the_others_go_on(api, capsys):
    """By its number; a number that there is not is an error."""
    number = len(api.requests)
    api.enqueue(OPEN, OPEN)
    first, second = start(Question.of("One")), start(Question.of("Two"))
    begun(api, number + 2)
    one, two = jobs.running

    commands.execute(f"jobs stop {one.number}", "")
    one.ended.wait(20)

    assert [str(reply.outcome) for reply in (first, second)] == ["stopped", "streaming"]
    assert jobs.running == [two]
    with pytest.raises(InputError, match=f"no running job {one.number}. Running: {two.number}."):
        commands.execute(f"jobs stop {one.number}", "")
    commands.execute("jobs stop all", "")
    assert two.ended.wait(20)
    assert capsys.readouterr().out == f"Stopped: {one.number}.\nStopped: {two.number}.\n"


def test_wait_shows_in_a_terminal_what_has_come(api, capsys):
    """Each under its number and its first words, once."""
    api.enqueue(Stream(said("Blue.")), Stream([started(), *text("Hel")], end="drop"))
    start(Question.of("Which colour?")).wait(20)
    start(Question.of("Hello"))

    commands.execute("jobs wait", "")

    printed = capsys.readouterr().out
    assert re.search(r"── \d+ · Which colour\?\nBlue\.\nclaude-opus-5-5 · simulated", printed)
    assert printed.endswith("\n2 replies have ended: 1 complete, 1 dropped.\n")
    commands.execute("jobs wait", "")
    assert capsys.readouterr().out == "No reply is being written in the background.\n"


@pytest.mark.parametrize("rest", ["stop", "stop x", "go", "wait 1"])
def test_what_the_command_does_not_take_is_said(rest):
    """And what it takes."""
    with pytest.raises(InputError, match=r"jobs takes \[stop N\|stop all\|wait\]"):
        commands.execute(f"jobs {rest}", "")


def test_the_end_of_the_process_stops_them(api):
    """The server sees it, and the books are kept."""
    number = len(api.requests)
    api.enqueue(OPEN)
    own = Jobs()
    reply = own.begin(Question.of("Hello"), lambda *_: _Nothing())
    begun(api, number + 1)

    own.close()

    assert (own.running, str(reply.outcome)) == ([], "stopped")
    assert api.wait_for(lambda requests: requests[number].client_left, 20)


class _Nothing:
    """A view that shows nothing."""

    def frame(self, reply, now):
        return 1.0

    def confirm(self, call):
        return None

    def settle(self, reply):
        pass


def test_a_view_that_fails_costs_no_reply(api):
    """It is complete, and its books are kept."""

    class Broken(_Nothing):
        def frame(self, reply, now):
            raise ZeroDivisionError

        def settle(self, reply):  # a reply that has ended by then gets no frame
            raise ZeroDivisionError

    api.enqueue(Stream(said("Hello")))
    own, bugs = Jobs(), []

    reply = own.begin(Question.of("Hello"), lambda *_: Broken(), lambda _, bug: bugs.append(bug))

    assert reply.wait(20).text == "Hello"
    own.wait()
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


@pytest.mark.parametrize(
    "line", ["--background -o it", "--background --effort low --effort high -o it"]
)
def test_in_colab_the_cell_waits(api, shell, colab, capsys, line):
    """What a thread sends after the end of a cell is not shown there; the reader is told."""
    ask(shell, line)

    assert capsys.readouterr().out.count("In Colab the cell waits for its replies") == 1
    it = shell.user_ns["it"]
    assert all(
        reply.outcome == "complete" for reply in (it if isinstance(it, Comparison) else [it])
    )
