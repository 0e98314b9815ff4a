"""``%claude`` in IPython on a real terminal."""

from __future__ import annotations

import os
import re
import sys

import pexpect
import pytest

from claude_nb.simulator import Raw, Stream
from tests.played import said, start, text, thinking

pytestmark = pytest.mark.kernel


@pytest.fixture
def terminal(api, tmp_path):
    """IPython in a terminal, with the extension loaded."""
    env = os.environ | {"IPYTHONDIR": str(tmp_path), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit"]
    child = pexpect.spawn(sys.executable, arguments, env=env, encoding="utf-8", timeout=20)
    child.expect_exact("In [1]: ")
    child.sendline("%load_ext claude_nb")
    child.expect_exact("In [2]: ")
    yield child
    child.close(force=True)


def seen(terminal):
    """What the terminal showed before the last match, without its escapes."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", terminal.before).replace("\r\n", "\n")


def test_a_question_is_answered_as_text(api, terminal):
    """Thinking, text and a line about the usage; the question mark opens no help."""
    api.enqueue(
        Stream([*said("x")[:1], *thinking("Hm."), *text("Blue", "!", index=1), *said()[-2:]])
    )

    terminal.sendline("%claude Why is it?")
    terminal.expect_exact("In [3]: ")

    assert "thinking… Hm.\nBlue!\nclaude-opus-5-5 · simulated · end turn · 25 in" in seen(terminal)
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
    terminal.expect_exact("StoppedError: Stopped.")
    terminal.expect_exact("In [3]: ")

    api.wait_for(lambda requests: requests[number].client_left)
    terminal.sendline("%claude Hi")
    terminal.expect_exact("Next.")
    terminal.expect_exact("In [4]: ")


def test_a_mistake_is_not_a_traceback(terminal):
    """Two lines at the most."""
    terminal.sendline("%claude --modle x Hi")
    terminal.expect_exact("In [3]: ")

    assert "InputError: There is no option --modle.\n  Did you mean --model?" in seen(terminal)
    assert "Traceback" not in seen(terminal)


def test_no_reply_writes_escapes_to_the_terminal(api, terminal):
    """A reply cannot set the title, move the cursor or fill the clipboard."""
    api.enqueue(Stream(said("\x1b]0;title\x07", "done")))

    terminal.sendline("%claude Hi")
    terminal.expect_exact("In [3]: ")

    assert "␛]0;title␇done" in terminal.before


def test_the_result_is_one_line(api, terminal):
    """``Out[n]`` does not repeat the reply; asked for in a later line, it is shown in full."""
    api.enqueue(Stream(said("Blue", "!")))

    terminal.sendline("import claude_nb; claude_nb.ask('Hi')")
    terminal.expect_exact("In [3]: ")
    assert "Out[2]: <Reply complete · claude-opus-5-5 · 'Blue!'>\n" in seen(terminal)

    terminal.sendline("_2")
    terminal.expect_exact("In [4]: ")
    assert "Out[3]: \nBlue!\n\nclaude-opus-5-5 · simulated · end turn" in seen(terminal)


def test_no_key_is_written_to_the_terminal(api, terminal):
    """A key that comes in pieces, each written when it comes, is redacted."""
    key = "sk-" + "ant-api03-AbC"
    events = said("It is ", *key, " indeed")
    api.enqueue(Stream(events, delay=0.05))

    terminal.sendline("%claude Hi")
    terminal.expect_exact("In [3]: ")

    assert "It is sk-ant-… indeed\n" in seen(terminal)


def test_a_dropped_connection_is_continued(api, terminal):
    """The wait is said in a line, and the text goes on below it."""
    api.enqueue(
        Stream([start(), *text("Roses are red")[:-1]], end="drop"),
        Stream(
            [*said("x")[:1], *thinking("Hm."), *text(", violets are blue.", index=1), *said()[-2:]]
        ),
    )
    terminal.sendline("%claude Go on")
    terminal.expect_exact("In [3]: ")

    shown = seen(terminal)
    assert re.search(r"Roses are red\n\[connection lost, continuing in \d s \(2 of 5\)\]\n", shown)
    assert "\n, violets are blue.\n" in shown
    assert "thinking… Hm.\n" in shown
