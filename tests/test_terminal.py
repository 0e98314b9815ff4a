"""``%claude`` in IPython on a real terminal."""

from __future__ import annotations

import os
import re
import sys

import pexpect
import pytest

from claude_nb.simulator import Raw, Stream
from tests.kernels import CLEAR
from tests.played import said, start, text, thinking

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="session")
def started_terminal(simulator, tmp_path_factory):
    """IPython in a terminal."""
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "clear.ipy").write_text(CLEAR)
    env = os.environ | {
        "ANTHROPIC_BASE_URL": simulator.base_url,
        "ANTHROPIC_API_KEY": "not-a-key",
        "IPYTHONDIR": str(folder),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit"],
        cwd=folder,
        env=env,
        encoding="utf-8",
        timeout=20,
    )
    child.expect_exact("In [1]: ")
    yield child
    child.close(force=True)


@pytest.fixture
def terminal(started_terminal):
    """IPython in a terminal, with the extension loaded, in which nothing else was run."""
    started_terminal.sendline("%run clear.ipy")
    started_terminal.expect_exact("In [1]: ")
    return started_terminal


def seen(terminal):
    """What the terminal showed before the last match, without its escapes."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", terminal.before).replace("\r\n", "\n")


def test_a_question_is_answered_as_text(api, terminal):
    """Thinking, text and usage; the question mark opens no help."""
    api.enqueue(
        Stream([*said("x")[:1], *thinking("Hm."), *text("Blue", "!", index=1), *said()[-2:]])
    )

    terminal.sendline("%claude Why is it?")
    terminal.expect_exact("In [2]: ")

    assert "thinking… Hm.\nBlue!\nclaude-opus-5-5 · simulated\nstop reason " in seen(terminal)
    assert api.requests[-1].body["messages"][0]["content"] == "Why is it?"


@pytest.mark.parametrize(
    "reply",
    [Stream([start(), *text("Hello")[:-1]], end="hang"), Raw([b"late"], delay=60)],
    ids=["in the text", "before the first byte"],
)
def test_ctrl_c_stops_the_reply(api, terminal, reply):
    """The server sees it, one line says it, and the session goes on."""
    number = len(api.requests)
    api.enqueue(reply, Stream(said("Next.")))
    terminal.sendline("%claude Hi")
    api.wait_for(lambda requests: len(requests) > number, timeout=20)
    if isinstance(reply, Stream):
        terminal.expect_exact("Hello")

    terminal.sendintr()
    terminal.expect_exact("StoppedError: see above")
    terminal.expect_exact("In [2]: ")

    api.wait_for(lambda requests: requests[number].client_left)
    terminal.sendline("%claude Hi")
    terminal.expect_exact("Next.")
    terminal.expect_exact("In [3]: ")


def test_a_mistake_is_not_a_traceback(terminal):
    """Two lines at the most."""
    terminal.sendline("%claude --modle x Hi")
    terminal.expect_exact("In [2]: ")

    assert "InputError: There is no option --modle.\n  Did you mean --model?" in seen(terminal)
    assert "Traceback" not in seen(terminal)


def test_no_reply_writes_escapes_to_the_terminal(api, terminal):
    """A reply cannot set the title, move the cursor or fill the clipboard."""
    api.enqueue(Stream(said("\x1b]0;title\x07", "done")))

    terminal.sendline("%claude Hi")
    terminal.expect_exact("In [2]: ")

    assert "␛]0;title␇done" in terminal.before


def test_the_result_is_one_line(api, terminal):
    """``Out[n]`` does not repeat the reply; asked for in a later line, it is shown in full."""
    api.enqueue(Stream(said("Blue", "!")))

    terminal.sendline("import claude_nb; claude_nb.ask('Hi')")
    terminal.expect_exact("In [2]: ")
    assert "Out[1]: <Reply complete · claude-opus-5-5 · 'Blue!'>\n" in seen(terminal)

    terminal.sendline("_1")
    terminal.expect_exact("In [3]: ")
    assert "Out[2]: \nBlue!\n\nclaude-opus-5-5 · simulated\nstop reason " in seen(terminal)


def test_no_key_is_written_to_the_terminal(api, terminal):
    """A key that comes in pieces, each written when it comes, is redacted."""
    key = "sk-" + "ant-api03-AbC"
    events = said("It is ", *key, " indeed")
    api.enqueue(Stream(events, delay=0.05))

    terminal.sendline("%claude Hi")
    terminal.expect_exact("In [2]: ")

    assert "It is sk-ant-… indeed\n" in seen(terminal)


def test_a_dropped_connection_is_continued(api, terminal):
    """The wait is said in a line, and the text goes on below it."""
    api.enqueue(
        Stream([start(), *text("Roses are red")[:-1]], end="drop"),
        Stream(
            [*said("x")[:1], *thinking("Hm."), *text(", violets are blue.", index=1), *said()[-2:]]
        ),
    )
    terminal.sendline("import random; random.uniform = lambda low, high: high  # a second")
    terminal.expect_exact("In [2]: ")
    terminal.sendline("%claude Go on")
    terminal.expect_exact("In [3]: ")

    shown = seen(terminal)
    assert re.search(r"Roses are red\n\[connection lost, continuing in \d s \(2 of 5\)\]\n", shown)
    assert "\n, violets are blue.\n" in shown
    assert "thinking… Hm.\n" in shown
    terminal.sendline("import importlib; importlib.reload(random)")
    terminal.expect_exact("In [4]: ")


def test_a_reply_in_the_background_is_not_shown_until_it_is_asked_for(api, terminal):
    """Not into what is being typed; then all of it, and how it ended."""
    api.enqueue(Stream(said("Blue", "!")))
    terminal.sendline("answer = %claude --background Which?")
    terminal.expect_exact("In [2]: ")
    assert "Blue" not in seen(terminal)
    terminal.sendline("answer.wait().outcome")
    terminal.expect_exact("In [3]: ")
    assert "Blue" not in seen(terminal)

    terminal.sendline("%claude_nb jobs wait")
    terminal.expect_exact("In [4]: ")

    assert re.search(
        r"── 1 · Which\?\nBlue!\nclaude-opus-5-5 · simulated\nstop reason ", seen(terminal)
    )
    assert "1 reply has ended: 1 complete." in seen(terminal)
