"""``%%claude`` in real kernels: shown, saved, interrupted."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from IPython.core import completer

from claude_nb.simulator import Error, Raw, Stream
from claude_nb.streaming.record import MIME
from tests.played import block, end, escaped, said, start, text, thinking, tool_use

pytestmark = pytest.mark.kernel

FENCE = Stream([start(), *text("Look:\n\n```python\nx = 1\n")[:-1]], end="hang")


def sent(simulator):
    """The newest request's prompt."""
    return simulator.requests[-1].body["messages"][-1]["content"]


def test_a_cell_shows_one_output_that_settles(kernel, simulator):
    """Three forms and a record, in the place where the reply had grown."""
    simulator.enqueue(Stream(said("**Hello**"), delay=0.02))

    assert kernel.run("%%claude\nHello")["status"] == "ok"

    (shown,) = kernel.shown.values()
    assert sorted(shown["data"]) == [MIME, "text/html", "text/markdown", "text/plain"]
    assert "<strong>Hello</strong>" in shown["data"]["text/html"]
    assert shown["data"][MIME]["outcome"] == "complete"


def test_new_holds_although_its_request_failed(kernel, simulator):
    """The next cell sends no earlier turn, with the system prompt of the new beginning."""
    busy = Error(529, "overloaded_error", "Busy")
    simulator.enqueue(Stream(said("Six.")), busy, Stream(said("Blue.")), Stream(said("Red.")))

    kernel.run('%%claude --system "Know trains."\nWhen?')
    assert kernel.run('%%claude --new --system "Know colours."\nWhich?')["status"] == "error"
    kernel.run("%%claude\nThe sky?")
    kernel.run("%%claude\nBlood?")

    third, fourth = simulator.requests[-2:]
    assert (third.body["system"], fourth.body["system"]) == ("Know colours.",) * 2
    assert [len(request.body["messages"]) for request in (third, fourth)] == [1, 3]


PROMPTS = {
    "question": "Why?",
    "braces": "Is {x} or {{#x}} or {{{x}}} a $y$ at $5? 'quoted' \"twice\" it's",
    "backslash": "a \\ backslash \\n, at the end \\",
    "magics": "%%html\n%matplotlib inline\n!ls\n?help\nhelp?",
    "prompts": ">>> 1 + 1\n2\n... and In [1]: too",
    "indent": "    indented\n  less\n   \n\ttab ",
    "lines": "\n\nafter empty lines",
    "end": "before empty lines\n\n",
    "scripts": "مرحبا 你好 👩‍👩‍👧 \u2028 \u200f",
    "control": "nul \x00 and esc \x1b",
    "megabyte": "x" * 1_000_000,
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_the_prompt_arrives_as_it_was_typed(kernel, simulator, prompt):
    """Byte for byte, whatever IPython would make of it."""
    simulator.enqueue(Stream(said("Yes.")))

    assert kernel.run("%%claude\n" + prompt)["status"] == "ok"

    assert sent(simulator) == prompt


@pytest.mark.parametrize(
    ("cell", "prompt"),
    [
        ("%claude Is it?", "Is it?"),
        ("answer = %claude What's {this}?", "What's {this}?"),
        ("for _ in range(1):\n    %claude Why??", "Why??"),
        ("# a comment\n%%claude\nHello", "Hello"),
        ("\n\n%%claude -m claude-sonnet-5-5\nHello", "Hello"),
    ],
)
def test_a_line_and_its_traps(kernel, simulator, cell, prompt):
    """A question mark asks Claude, not IPython; a comment above is no obstacle."""
    simulator.enqueue(Stream(said("Yes.")))

    assert kernel.run(cell)["status"] == "ok"

    assert sent(simulator) == prompt
    assert len(kernel.shown) == 1


def test_a_key_that_was_just_set_is_not_sent_with_cells_and_values(kernel, simulator):
    """Not in the first question after it either."""
    secret = "my-gateway-" + "secret"
    kernel.run(f"import claude_nb; conf = {{'token': '{secret}'}}")
    cells = {
        "": "%%claude --cells all\nHello {{conf}}",
        "an-other-": "claude_nb.ask('Hello', attach=['{}'])",
        "a-third-": "claude_nb.batch([['{}']], max_tokens=9, dry_run=True)",
    }
    for begin, cell in cells.items():
        kernel.run(f"import os; os.environ['ANTHROPIC_AUTH_TOKEN'] = '{begin}{secret}'")
        assert kernel.run(cell.replace("{}", begin + secret))["status"] == "ok"
        assert "[redacted]" in str(simulator.requests[-1].body)
    assert not [sent for sent in simulator.requests if secret in str(sent.body)]


@pytest.mark.parametrize("cell", ["%claude --help", "%%claude -h\nWhy?", "x = %claude -h"])
def test_the_manual_is_shown(kernel, simulator, cell):
    """Of a line too, whose value is not shown; nothing is asked."""
    assert kernel.run(cell)["status"] == "ok"

    (shown,) = kernel.shown.values()
    assert "--model ID" in shown["data"]["text/plain"]
    assert "<table" in shown["data"]["text/html"]
    assert simulator.requests == ()


@pytest.mark.parametrize(
    ("cell", "name", "said"),
    [
        ("%%claude\n", "InputError", "There is nothing to send"),
        ("%%claude\n  \n\t\n", "InputError", "There is nothing to send"),
        ("%%claude --modle x\nHi", "InputError", "Did you mean --model?"),
        ("%%claude --out 2x\nHi", "InputError", "cannot be the name of a variable"),
        ("%%claude -m no-such-model\nHi", "RequestError", "refused the request (404)"),
        ("%%claude --system s3\nHi", "InputError", "There is no variable s3"),
        ("%%claude Hi\nHi", "InputError", "is not an option"),
        ("x = 1\n%%claude\nHi", "InputError", "must be the first line"),
        ("%claude_nb modles", "InputError", "Did you mean models?"),
        ("%claude_nb key", "InputError", "No key can be entered"),
    ],
)
def test_a_mistake_is_a_line_not_a_traceback(kernel, cell, name, said):
    """What was wrong and what to write instead, and the kernel goes on."""
    reply = kernel.run(cell)

    assert (reply["status"], reply["ename"]) == ("error", name)
    assert said in reply["evalue"]
    assert len(reply["traceback"]) <= 2


@pytest.mark.parametrize(
    "cell",
    [
        "%%claude -m no-such-model\nHi",
        "%claude -m no-such-model Hi",
        "answer = %claude -m no-such-model Hi",
        "claude_nb.ask('Hi', model='no-such-model')",
        "await claude_nb.ask_async('Hi', model='no-such-model')",
        "%%claude -m no-such-model -m no-such-either\nHi",
        "claude_nb.compare('Hi', models=['no-such-model', 'no-such-either'])",
        "claude_nb.Batch.resume('msgbatch_none')",
    ],
)
def test_an_error_whose_card_is_shown_is_not_said_again(kernel, cell):
    """The red line points to it; what nbclient and papermill report is the whole error."""
    kernel.run("import claude_nb")
    reply = kernel.run(cell, cell="a")

    assert reply["traceback"] == ["RequestError: see above"]
    assert "The server refused the request (404)." in reply["evalue"]
    shown = kernel.last_shown()["data"]["text/plain"]
    assert "The server refused the request (404)" in shown


@pytest.mark.parametrize(
    "cell",
    [
        "claude_nb.ask('Hi', model='no-such-model', show=False)",
        "claude_nb.Chat(model='no-such-model').ask('Hi')",
        "background.wait()",
    ],
)
def test_an_error_without_a_card_in_its_cell_is_said_in_full(kernel, cell):
    """It is not shown, or stands in the output of another cell."""
    kernel.run("import claude_nb")
    kernel.run("%%claude --background -o background -m no-such-model\nHi")
    reply = kernel.run(cell)

    assert reply["traceback"][0] == "RequestError: The server refused the request (404)."
    assert "no-such-model" in reply["traceback"][1]


def test_out_keeps_the_reply(kernel, simulator):
    """Complete or not, it is in the variable."""
    simulator.enqueue(Stream(said("Hello")), Stream([start(), *text("Hel")], end="drop"))

    assert kernel.run("%%claude --out answer\nHi")["status"] == "ok"
    kernel.run("print(answer.text)")
    assert kernel.printed == "Hello\n"
    assert kernel.run("%%claude --out answer\nHi")["ename"] == "DroppedError"
    kernel.run("print(answer.text, answer.outcome)")
    assert kernel.printed == "Hel dropped\n"


def interrupted(kernel, times=1):
    """Interrupt the running cell, which nothing else would end; its result."""
    for _ in range(times):
        kernel.manager.interrupt_kernel()
    return kernel.finish()


def begun(kernel, simulator, cell, reply):
    """Start a cell, and wait until its request has arrived."""
    number = len(simulator.requests)
    simulator.enqueue(reply)
    kernel.start(cell)
    simulator.wait_for(lambda requests: len(requests) > number, timeout=20)
    return number


def shows(kernel, words):
    """Wait until the running cell shows these words."""
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if words in str(message["content"].get("data", "")):
            kernel.shown["seen"] = message["content"]
            return


@pytest.mark.parametrize("times", [1, 2])
def test_interrupt_while_it_streams(kernel, simulator, times):
    """The partial stays, marked as stopped, its fence closed; the server sees it at once."""
    number = begun(kernel, simulator, "%%claude --out answer\nHi", FENCE)
    shows(kernel, "x = 1")

    reply = interrupted(kernel, times)

    left = simulator.wait_for(lambda requests: requests[number].client_left)
    assert (reply["ename"], reply["traceback"]) == ("StoppedError", ["StoppedError: Stopped."])
    assert left[number].ended is not None
    shown = kernel.last_shown()
    assert shown["data"][MIME]["outcome"] == "stopped"
    assert "<b>Stopped</b>" in shown["data"]["text/html"]
    assert re.search("```\n\n\\[?.*Stopped", shown["data"]["text/markdown"])
    kernel.run("print(answer.outcome, answer.text)")
    assert kernel.printed == "stopped Look:\n\n```python\nx = 1\n\n"


def test_interrupt_before_the_first_byte(kernel, simulator):
    """There is nothing to wait for."""
    number = begun(kernel, simulator, "%%claude\nHi", Raw([b"late"], delay=60))

    reply = interrupted(kernel)

    simulator.wait_for(lambda requests: requests[number].client_left)
    assert reply["ename"] == "StoppedError"
    assert kernel.last_shown()["data"][MIME]["outcome"] == "stopped"


CONNECTING = """
import os, socket
full = socket.socket()
full.bind(("127.0.0.1", 0))
full.listen(0)
others = [socket.socket() for _ in range(3)]
for other in others:
    other.setblocking(False)
    other.connect_ex(full.getsockname())
before = os.environ["ANTHROPIC_BASE_URL"]
os.environ["ANTHROPIC_BASE_URL"] = "http://127.0.0.1:%d" % full.getsockname()[1]
"""


def test_interrupt_while_connecting(kernel, simulator):
    """A server that lets nobody in holds nobody up, and the next cell has another."""
    assert kernel.run(CONNECTING)["status"] == "ok"
    kernel.start("%%claude\nHi")
    shows(kernel, "connecting")

    reply = interrupted(kernel)

    assert reply["ename"] == "StoppedError"
    kernel.run('os.environ["ANTHROPIC_BASE_URL"] = before')
    assert kernel.run("%claude hello")["status"] == "ok"


@pytest.mark.parametrize("leave", ["break", "pass"])
def test_top_level_await(kernel, simulator, leave):
    """``async for`` in a cell reads the events, and leaving it early closes the connection."""
    open_ended = Stream([start(), *text("Hello")[:-1]], end="hang")
    simulator.enqueue(open_ended if leave == "break" else Stream(said("Hello")))
    number = len(simulator.requests)

    reply = kernel.run(
        "import claude_nb\n"
        "async for event in claude_nb.stream('Hi'):\n"
        "    if event.type == 'content_block_delta':\n"
        f"        print(event.data['delta']['text']); {leave}"
    )

    assert (reply["status"], kernel.printed) == ("ok", "Hello\n")
    requests = simulator.wait_for(lambda requests: requests[number].ended)
    assert (requests[number].client_left is not None) == (leave == "break")


def test_run_all_stops_at_a_cell_that_failed(api):
    """nbclient sees the error, and the notebook keeps what came."""
    api.enqueue(Stream(said("One.")), Stream([start(), *text("Two")], end="drop"))
    loaded = "%load_ext claude_nb\n%config ClaudeMagics.tries = 1"
    cells = [loaded, *(f"%%claude --once\n{n}" for n in ("One", "Two", "Three"))]
    import nbformat  # here, as the fast tests do not need what takes seconds to import
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))

    with pytest.raises(CellExecutionError, match="DroppedError: The connection was lost"):
        asyncio.run(NotebookClient(notebook, timeout=60).async_execute())

    texts = [
        output["data"]["text/plain"].split("\n")[0]
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "display_data"
    ]
    assert texts == ["One.", "Two"]
    assert notebook.metadata.get("widgets") is None


def test_the_result_of_the_cell_that_showed_a_reply_is_one_line(kernel, simulator):
    """``Out[n]`` below the live output says what it is; it does not show it all again."""
    simulator.enqueue(Stream(said("**Hello**")))

    assert kernel.run("import claude_nb\nclaude_nb.ask('Hello')")["status"] == "ok"

    live, result = kernel.shown.values()
    assert "<strong>Hello</strong>" in live["data"]["text/html"]
    line = "<Reply complete · claude-opus-5-5 · '**Hello**'>"
    assert result["data"] == {"text/plain": line}


@pytest.mark.parametrize(
    ("same", "later"),
    [
        ("reply = claude_nb.ask('Hello'); display(reply)", ""),
        ("reply = claude_nb.ask('Hello')", "reply"),
        ("reply = claude_nb.ask('Hello')", "display(reply)"),
        ("claude_nb.ask('Hello', show=False)", ""),
    ],
)
def test_a_reply_that_is_shown_on_request_is_shown_in_full(kernel, simulator, same, later):
    """By ``display``, as the result of a later cell, and where it was not shown yet."""
    simulator.enqueue(Stream(said("**Hello**")))
    assert kernel.run(f"import claude_nb\n{same}")["status"] == "ok"
    if later:
        assert kernel.run(later)["status"] == "ok"

    assert "<strong>Hello</strong>" in kernel.last_shown()["data"]["text/html"]


def test_a_credential_is_in_no_output(kernel, simulator):
    """With a blank at its end it is sent without; what quotes it, is saved without it."""
    secret = "my-gateway-secret"
    simulator.enqueue(
        Error(401, "authentication_error", f"Bad key: {secret}"), Stream(said("It is ", *secret))
    )
    kernel.run(f'import os; os.environ["ANTHROPIC_AUTH_TOKEN"] = "{secret} "')
    kernel.run('del os.environ["ANTHROPIC_API_KEY"]')

    seen = [kernel.run("%%claude\nHello"), kernel.shown]
    seen += [kernel.run(f"%%claude\nWhat is {secret}?"), kernel.shown]

    assert [item["status"] for item in seen[::2]] == ["error", "ok"]
    assert "[redacted]" in str(seen[1])
    assert "[redacted]" in str(seen[3])
    assert secret not in str(seen)
    assert sent(simulator) == f"What is {secret}?"


HALF = "\ud83d"
HALVES = {
    "text": [start(), *text(f"a{HALF} b", f"c{HALF}", "\ude00"), *end()],
    "model": [start(model=f"m{HALF}"), *text("a� bc😀"), *end(f"stop{HALF}")],
    "thinking": [start(), *thinking(HALF, HALF), *text("a� bc😀", index=1), *end()],
    "call": [
        start(),
        *tool_use(f'{{"{HALF}": "\\ud83d', name=HALF),
        *text("a� bc😀", index=1),
        *end(),
    ],
    "citation": [
        start(),
        *block(
            0,
            {"type": "text_delta", "text": "a� bc😀"},
            {"type": "citations_delta", "citation": {"title": HALF, "cited_text": HALF}},
            type="text",
            text="",
        ),
        *end(),
    ],
    "unknown": [start(), *block(0, type=HALF, text=HALF), *text("a� bc😀", index=1), *end()],
}


@pytest.mark.parametrize("events", HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("options", ["", " --events"])
def test_half_a_character_ends_no_cell(kernel, simulator, events, options):
    """It is shown and saved as U+FFFD, and the conversation goes on with that."""
    simulator.enqueue(Raw([escaped(*events)]), Stream(said("Yes.")))

    assert kernel.run(f"%%claude{options}\nHi")["status"] == "ok"
    assert "a\ufffd bc😀" in str(kernel.shown)
    json.dumps(kernel.shown, ensure_ascii=False).encode()
    assert kernel.run("%%claude\nAgain")["status"] == "ok"

    answer = simulator.requests[-1].body["messages"][-2]["content"]
    assert {"type": "text", "text": "a\ufffd bc😀"} in [
        {name: b[name] for name in ("type", "text")} for b in answer if b["type"] == "text"
    ]


def test_half_a_character_hangs_no_chat(kernel, simulator):
    """The turn ends, and so does the next one."""
    simulator.enqueue(Raw([escaped(*HALVES["text"])]), Stream(said("Yes.")))
    kernel.run("import claude_nb\nchat = claude_nb.Chat()\nchat")

    assert (
        kernel.run("print(chat.ask('Hi \\ud83d').text, chat.ask('Again').text)")["status"] == "ok"
    )

    assert kernel.printed == "a\ufffd bc😀 Yes.\n"
    assert simulator.requests[-1].body["messages"][0]["content"] == "Hi \ufffd"


OWN = {
    "a variable": "half = 'x\\ud83d'",
    "a value in a list": "half = ['x\\ud83d']",
    "a file": (
        "import pathlib, os\nhalf = pathlib.Path(os.fsdecode(b'x\\xff'))\n"
        "half.write_text('x\ufffd')"
    ),
}


@pytest.mark.parametrize("code", OWN.values(), ids=OWN)
def test_half_a_character_of_the_user_s_is_sent_as_a_whole_one(kernel, simulator, code):
    """In a prompt, whatever it comes from."""
    assert kernel.run(code)["status"] == "ok"
    simulator.enqueue(Stream(said("Yes.")))

    assert kernel.run("%%claude\nHi {{half}}")["status"] == "ok"

    assert "x\ufffd" in str(sent(simulator))
    kernel.run("import pathlib, os\npathlib.Path(os.fsdecode(b'x\\xff')).unlink(missing_ok=True)")


def test_half_a_character_in_the_result_of_a_function(kernel, simulator):
    """And in what another one raises: the model gets U+FFFD, and the reader sees it."""
    kernel.run(
        "def half() -> str:\n    return 'x\\ud83d'\n"
        "def bad() -> str:\n    raise ValueError('x\\ud83d')"
    )
    calls = [*tool_use("{}", name="half"), *tool_use("{}", name="bad", index=1, call="toolu_2")]
    simulator.enqueue(Stream([start(), *calls, *end("tool_use")]), Stream(said("Done.")))

    assert kernel.run("%%claude --tools half,bad\nGo")["status"] == "ok"

    contents = [result["content"][0]["text"] for result in sent(simulator)]
    assert contents == ["x\ufffd", "ValueError: x\ufffd"]


SIMULATED = """
import os
from claude_nb.session.session import session
os.environ.update(CLAUDE_NB_SIMULATE="1", CLAUDE_NB_SIMULATE_SPEED="inf")
session.__init__()
"""


def test_connect_off_goes_back_to_the_simulator_of_claude_nb_lab(kernel):
    """The cell after it is answered as the one before it was."""
    kernel.run(SIMULATED)
    assert kernel.run("%%claude\nhello")["status"] == "ok"

    kernel.run("%claude_nb connect localhost:1 --model m")
    assert kernel.run("%%claude\nhello")["status"] == "error"
    assert "%claude_nb connect off" in str(kernel.shown)

    kernel.run("%claude_nb connect off")
    assert kernel.printed.startswith("Answered by the simulator; no key needed.\n")
    assert kernel.run("%%claude\nhello")["status"] == "ok"


@pytest.mark.parametrize(
    ("code", "matches"),
    [
        ("%claude_nb usage by ", ["model", "conversation", "cell", "day"]),
        ("%%claude --effort=x", ["xhigh"]),
        ("%%claude\nWhy {{tab", ["table}}"]),
    ],
)
def test_tab_offers_only_what_fits(kernel, code, matches):
    """Beside IPython's own completers, which have much to say about each line."""
    if not hasattr(completer, "context_matcher"):
        pytest.skip("IPython before 8.6 adds names of Python, and knows no prompts")
    kernel.run("table = [1, 2]")

    found = kernel.client.complete(code, reply=True, timeout=60)["content"]

    assert found["matches"] == matches
    assert found["cursor_end"] == len(code)
