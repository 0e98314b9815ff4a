"""MCP servers: started and reached, listed, approved and called, whatever they do."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import claude_nb
from claude_nb import ClaudeError, Tools
from claude_nb.errors import InputError
from claude_nb.render import saved_output
from claude_nb.simulator import Stream
from claude_nb.tools import approvals
from claude_nb.tools.mcp import connection, stdio
from claude_nb.tools.mcp.stdio import environment
from claude_nb.tools.results import MAX_RESULT
from claude_nb.tools.side_loop import side_loop
from tests.played import end, said, start, tool_use
from tests.tools.mcp import stdio_server

COMMAND = f"{sys.executable} {stdio_server.__file__}"
ANSWER = Stream(said("Done."))
TOKEN = "tok-0123456789abcdef"


def server(beginning: str = "", **how: object) -> claude_nb.tools.mcp.server.McpServer:
    return Tools.mcp(f"{COMMAND} {beginning}", **{"name": "s", "confirm": "never", **how})


@pytest.fixture(scope="module")
def shared():
    """A server that is used by several tests, none of which changes it."""
    running = server().connect()
    yield running
    running.close()


@pytest.fixture
def own():
    """Makes servers of one test, and ends them."""
    made = []

    def make(beginning: str = "", **how: object):
        made.append(server(beginning, **how))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def no_approvals():
    """No test finds what another has allowed for the session."""
    yield
    approvals._session.clear()


def call_of(*calls: tuple[str, object]) -> Stream:
    """A message that calls tools."""
    blocks = [
        event
        for number, (name, given) in enumerate(calls)
        for event in tool_use(json.dumps(given), index=number, call=f"toolu_{number}", name=name)
    ]
    return Stream([start(), *blocks, *end("tool_use")])


def ask(api, tools: object, *calls: tuple[str, object], show: bool = False):
    """Have tools called, and return what came of each call."""
    api.enqueue(call_of(*calls), ANSWER)
    reply = claude_nb.ask("Go.", tools=tools, show=show)
    return [block.run for block in reply.tool_calls]


def told(result) -> str:
    """What the model is told, as text."""
    return "".join(block.get("text", block["type"]) for block in result.content)


def in_short(problem: ClaudeError) -> str:
    return str(problem).replace(COMMAND, "COMMAND")


def test_its_tools_are_offered_and_called(api, shared, capsys):
    """Beside functions, several at once; what is sent is a name that the API takes."""

    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    weather, half = ask(
        api, Tools(double, shared), ("s__weather", {"city": "Rome"}), ("double", {"number": 4})
    )

    (sent,) = [tool for tool in api.requests[0].body["tools"] if tool["name"] == "s__weather"]
    assert sent["description"] == "The weather of a city.\nWith its temperature."
    assert sent["input_schema"] == stdio_server.CITY
    assert (told(weather), told(half)) == ("Sunny in Rome.", "8")
    assert weather.note == "Sunny in Rome."


def test_its_tools_are_shown_before_they_are_first_used(api, own, capsys):
    """With their descriptions, without what could act in a terminal, and once."""
    tools = Tools(own("odd"))
    assert capsys.readouterr().out == ""
    ask(api, tools, ("s__weather", {"city": "Rome"}))
    shown = capsys.readouterr().out
    ask(api, tools, ("s__weather", {"city": "Rome"}))

    assert re.search(r"s\.weather +The weather of a city\. With its temperature\.\n", shown)
    assert re.search(r"s\.list +cannot be used: Its description does not follow MCP", shown)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert capsys.readouterr().out == ""


def test_an_asynchronous_tool_asks_with_a_server(api, shared, capsys):
    """Its call runs on the loop of the function that waits for it."""

    async def outer() -> str:
        return (await claude_nb.ask_async("Inner.", tools=shared, show=False)).text

    async def blocking() -> str:
        return claude_nb.ask("Inner.", tools=shared, show=False).text

    weather = call_of(("s__weather", {"city": "Rome"}))
    api.enqueue(call_of(("outer", {})), weather, ANSWER, ANSWER)
    reply = claude_nb.ask("Go.", tools=outer, show=False)
    assert [told(block.run) for block in reply.tool_calls] == ["Done."]
    (result,) = ask(api, blocking, ("blocking", {}))
    assert result.is_error
    assert "waits for" in told(result)


def test_names_and_schemas_that_the_api_refuses(api, own, capsys):
    """Such a schema leaves out its tool alone; such a name is sent as another one."""
    odd = own("odd").connect()

    assert set(odd.left_out) == {*stdio_server.REFUSED, "weather"}
    sent = [tool.definition["name"] for tool in odd.tools]
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,128}", name) for name in sent)
    assert len(set(sent)) == len(sent)
    (result,) = ask(api, Tools(odd), ("s__weather", {"city": "Rome"}))  # the simulator checks all
    assert told(result) == "Sunny in Rome."


def test_some_of_its_tools(shared):
    """By the server's own names; one that it does not have is an error that names the nearest."""
    some = shared.only(["weather", "picture"])

    assert [tool.name for tool in some.tools] == ["weather", "picture"]
    assert repr(Tools(some).without({"s__picture"})) == "Tools(s__weather)"
    with pytest.raises(InputError, match=r"no tool 'wether'\. Did you mean s\.weather\?"):
        shared.only(["wether"])


def test_many_tools_are_counted(own, capsys):
    """In the note above the reply, with about how much of the request they are."""
    tools = Tools(own("many")).current()

    assert len(tools.definitions) == 500
    assert re.fullmatch(r"tools: s \(500 tools, about \d\d,000 tokens\)", tools.note)
    assert "  and 480 more" in capsys.readouterr().out


def test_two_of_one_name_are_refused(shared, own):
    """The error names the tool."""
    with pytest.raises(InputError, match="two MCP servers named s"):
        Tools(shared, own())


@pytest.mark.parametrize("name", ["a b", "", "é", "x" * 41])
def test_names_of_servers(name):
    """What is no part of a tool's name is refused."""
    with pytest.raises(InputError, match="cannot be the name of a server"):
        Tools.mcp("uvx some", name=name)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("uvx mcp-server-time", "mcp-server-time"),
        ("npx -y @org/thing@1.2", "thing"),
        ("python -m my.server", "my_server"),
        ("/usr/bin/python3.11 'my folder/trains.py' --x", "trains"),
        ("https://mcp.example.com/mcp", "mcp_example_com"),
    ],
)
def test_a_server_has_a_name(where, name):
    """Made of what it is, where none is given."""
    assert Tools.mcp(where).name == name


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((" ",), "is not an MCP server"),
        (("uvx 'x",), "has an unclosed quote"),
        (("uvx x", {"headers": {"a": "b"}}), "A command takes no headers"),
        (("http://x", {"env": {"a": "b"}}), "A URL takes no env"),
        (("uvx x", {"confirm": "often"}), "There is no confirm='often'"),
    ],
)
def test_what_can_be_no_server(arguments, what):
    """Is refused before anything is started."""
    where, *how = arguments
    with pytest.raises(InputError, match=what):
        Tools.mcp(where, **dict(*how))


def test_results_of_every_kind(api, shared):
    """Are blocks that the API takes; what it does not take is named in its place."""
    everything, structured, picture = ask(
        api, Tools(shared), ("s__everything", {}), ("s__structured", {}), ("s__picture", {})
    )

    kinds = [block["type"] for block in everything.content]
    text = told(everything)
    assert kinds.count("image") == 1
    assert "file:///a.csv\na,b\n1,2" in text
    assert "Resource: x · https://example.com/x · A page." in text
    assert text.count("(Left out: ") == 4
    assert json.loads(told(structured)) == {"trains": [1, 2]}
    source = picture.content[0]["source"]
    assert source == {"type": "base64", "media_type": "image/png", "data": stdio_server.PNG}


def test_a_large_result_is_cut(api, shared):
    """With a note of its size."""
    (result,) = ask(api, Tools(shared), ("s__big", {}))

    assert len(told(result)) < MAX_RESULT + 100
    assert told(result).endswith("(first 100,000 of 50,000,000 characters)")


def test_a_tool_that_fails_tells_why(api, shared):
    """The model, as an error; there is no traceback of ours."""
    (result,) = ask(api, Tools(shared), ("s__fail", {}))

    assert result.is_error
    assert told(result) == f"No such city: {stdio_server.EVIL}"
    assert (result.note, result.details) == ("failed", "")


def test_what_is_not_offered_is_refused(api, shared):
    """Requests of the server's for a completion, for input and for folders; then it goes on."""
    refused, weather = ask(api, Tools(shared), ("s__ask", {}), ("s__weather", {"city": "Rome"}))

    assert "granted" not in told(refused)
    assert json.loads(told(refused))["ask sampling/createMessage"] == "Sampling not supported"
    assert told(weather) == "Sunny in Rome."


def test_it_sees_no_credentials(own, monkeypatch):
    """Of the environment it gets what programs need, and what is passed to it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-" + "ant-api03-0123456789")
    monkeypatch.setenv("OTHER_TOKEN", TOKEN)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{TOKEN}@proxy")
    running = own(env={"OWN": "1"}).connect()

    (see,) = [tool for tool in running.tools if tool.name == "see"]
    (block,) = side_loop().call(running.call(see, {}))

    found = json.loads(block["text"])["env"]
    assert found["OWN"] == "1"
    assert found["PATH"] == os.environ["PATH"]
    assert "ANTHROPIC_API_KEY" not in found
    assert TOKEN not in block["text"]
    assert environment({"A": "b"}).keys() <= {*found, "A"}


@pytest.mark.parametrize("beginning", ["garbage", "flood"])
def test_what_it_prints_beside_its_messages_does_no_harm(api, own, capfd, beginning):
    """Neither does it reach the terminal."""
    (result,) = ask(api, Tools(own(beginning)), ("s__weather", {"city": "Rome"}))

    assert told(result) == "Sunny in Rome."
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err
    assert "noise" not in out + err
    assert "JSON" not in out + err


def test_one_that_ends_at_once(own):
    """The error has its last words, with nothing in them that acts or is secret."""
    with pytest.raises(ClaudeError) as caught:
        own("ends", env={"TOKEN": TOKEN}).connect()

    assert in_short(caught.value) == (
        "The MCP server s (COMMAND ends) ended before it started an MCP session. It ended with"
        " exit code 2.\n"
        "It wrote this to stderr: no config <img src=x onerror=alert(1)>␛[2J‹U+202E› [redacted]"
    )


def test_a_command_that_is_not_there():
    """The error says what to do."""
    with pytest.raises(ClaudeError, match="no command no-such-thing") as caught:
        Tools.mcp("no-such-thing --serve").connect()

    assert caught.value.advice == "Install it, or pass its path."


def test_one_that_never_begins(own, monkeypatch):
    """Is ended when its time is up."""
    monkeypatch.setattr(connection, "BEGINNING", 0.3)

    with pytest.raises(ClaudeError, match=r"did not start an MCP session within 0\.3 s"):
        own("silent").connect()


def test_stop_while_it_begins(own):
    """Ends its process."""
    running = own("silent")

    async def stopped() -> int:
        connecting = asyncio.ensure_future(running._link.connect())
        begun = None
        while begun is None or not begun._output.text:
            await asyncio.sleep(0)
            begun = running._link._connection
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        return int(begun._output.text.split()[-1])

    _wait_for_end(side_loop().call(stopped()))


def test_a_message_without_end(own, monkeypatch):
    """Ends the server: memory has an end too."""
    monkeypatch.setattr(stdio, "MAX_MESSAGE", 2_000_000)

    with pytest.raises(ClaudeError, match="It sent a message of more than 2 MB"):
        own("endless").connect()


def test_its_words_do_not_act(api, shared, capsys):
    """Neither in a terminal nor on a page, live or saved: names, descriptions, results, errors."""
    api.enqueue(call_of(("s__evil", {"<b>": stdio_server.EVIL}), ("s__fail", {})), ANSWER)
    reply = claude_nb.ask("Go.", tools=Tools(shared), show=True)
    terminal = capsys.readouterr().out
    page = saved_output.mimebundle(reply)
    saved = "".join((*map(str, page.values()), shared._repr_html_() or "", repr(shared.listing())))

    assert "[2J" in terminal
    assert "\x1b[2J" not in terminal + saved
    assert "\u202e" not in terminal + saved
    assert "<img src=x" not in page["text/html"] + (shared._repr_html_() or "")


def test_one_that_does_not_list_its_tools(own, monkeypatch):
    """Likewise."""
    monkeypatch.setattr(connection, "LISTING", 0.3)

    with pytest.raises(ClaudeError, match=r"did not list its tools within 0\.3 s"):
        own("nolist").connect()


def test_one_that_dies_in_a_call(api, own):
    """The model and the user are told, the user more; the next question starts it again."""
    tools = Tools(own(env={"TOKEN": TOKEN}))
    (died,) = ask(api, tools, ("s__die", {}))
    (weather,) = ask(api, tools, ("s__weather", {"city": "Rome"}))

    assert told(died) == "The MCP server s ended before it answered."
    assert died.note == "failed in the server"
    assert "exit code 3" in died.details
    assert "fatal: " in died.details
    assert TOKEN not in died.details
    assert told(weather) == "Sunny in Rome."


def test_stop_cancels_a_call(api, own):
    """At the server too; what it answers too late is left out."""
    running = own().connect()
    tools = {tool.name: tool for tool in running.tools}

    async def stopped() -> None:
        task = asyncio.ensure_future(running.call(tools["hang"], {}))
        await running.call(tools["weather"], {"city": "Rome"})  # the other one has arrived
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    side_loop().call(stopped())
    (block,) = side_loop().call(running.call(tools["see"], {}))

    assert len(json.loads(block["text"])["cancelled"]) == 1


def test_a_call_that_takes_too_long(api, shared):
    """Is broken off, as one of a function is."""
    (result,) = ask(api, Tools(shared, timeout=0.05), ("s__hang", {}))

    assert result.note == "time is up"


def test_a_list_that_changes(api, own, capsys):
    """A tool that is another one now is not called in this reply; the next has the new one."""
    tools = Tools(own())
    changed, weather = ask(api, tools, ("s__change", {}), ("s__weather", {"city": "Rome"}))
    if told(weather) == "Sunny in Rome.":  # both ran at once
        (weather,) = ask(api, tools, ("s__weather", {"city": "Rome"}))
    now = tools.current()

    assert told(changed) == "changed"
    (sent,) = [d for d in now.definitions if d["name"] == "s__weather"]
    assert sent["description"] == "Another description."


class Asked:
    """Answers questions in a terminal, and keeps them."""

    def __init__(self, monkeypatch, *answers: str) -> None:
        self.questions: list[str] = []
        self.answers = list(answers)
        monkeypatch.setattr("builtins.input", self)

    def __call__(self, question: str) -> str:
        self.questions.append(question)
        return self.answers.pop(0)


WEATHER = ("s__weather", {"city": "Rome"})


@pytest.mark.parametrize(
    ("confirm", "answers", "results"),
    [
        ("always", ["y", "n"], ["Sunny in Rome.", "The user did not allow this call."]),
        ("always", ["s"], ["Sunny in Rome.", "Sunny in Rome."]),
        ("always", ["a"], ["Sunny in Rome.", "Sunny in Rome."]),
        ("session", ["s"], ["Sunny in Rome.", "Sunny in Rome."]),
        ("session", ["y", ""], ["The user did not allow this call."] * 2),
        ("never", [], ["Sunny in Rome.", "Sunny in Rome."]),
    ],
)
def test_who_asks_when(api, own, monkeypatch, confirm, answers, results):
    """Each call, once a session and tool, or none; a question says where the tool is of."""
    asked = Asked(monkeypatch, *answers)
    tools = Tools(own(confirm=confirm))

    came = [told(*ask(api, tools, WEATHER, show=True)) for _ in range(2)]

    assert came == results
    assert asked.answers == []
    for question in asked.questions:
        assert f"weather of the MCP server s: {COMMAND}, in {Path.cwd()}\n" in question
        assert 's__weather(city="Rome")\n' in question


def test_answers_that_are_nearly_messages(api, shared):
    """Half a character is replaced; an answer of another form is an error, not waited for."""
    half, broken = ask(
        api, shared, ("s__weather", {"city": "half"}), ("s__weather", {"city": "a list"})
    )

    assert told(half) == "Sunny in \ufffd."
    assert told(broken) == "The MCP server s sent an answer that is not JSON-RPC"


def test_a_server_without_tools(own):
    """One that has only prompts, say, is listed so; one that refuses its list is ended."""
    assert "It has no tools." in repr(own("prompts").connect().listing())
    refuses = own("refuses")
    with pytest.raises(ClaudeError, match="refused: Method not found"):
        refuses.connect()
    assert not refuses.is_connected


def test_a_question_cannot_be_taken_for_one_about_another_server(own):
    """Names with blanks are quoted and cut: one could read like our own words."""
    odd = own("odd").connect()
    named = {tool.name: odd.consent(tool) for tool in odd.tools}
    asked = {name: consent.ask(None).source for name, consent in named.items()}

    assert asked["weather"].startswith("weather of the MCP server s: ")
    assert asked["a b"].startswith('"a b" of the MCP server s: ')
    assert asked["x" * 200].startswith(f'"{"x" * 59}…" of the MCP server s: ')


def test_calls_of_one_message_ask_once_where_the_first_answer_holds_for_all(api, own, monkeypatch):
    """Though both were to ask."""
    asked = Asked(monkeypatch, "s")

    results = ask(api, Tools(own(confirm="always")), WEATHER, WEATHER, show=True)

    assert list(map(told, results)) == ["Sunny in Rome."] * 2
    assert len(asked.questions) == 1


def test_what_is_allowed_for_good(api, own, monkeypatch):
    """Is kept for this user alone, for this command in this folder, until the tool changes."""
    Asked(monkeypatch, "a")
    ask(api, Tools(own(confirm="always")), WEATHER, show=True)
    approvals._session.clear()

    (kept,) = approvals.listed()
    assert (kept.server, kept.folder, kept.tool) == (COMMAND, str(Path.cwd()), "weather")
    assert approvals.path().stat().st_mode & 0o777 == 0o600
    assert [path.name for path in approvals.path().parent.iterdir()] == [approvals.path().name]

    changes = own(confirm="always")
    assert "asks first" not in Tools(changes.only("weather")).note
    side_loop().call(changes.call(next(t for t in changes.tools if t.name == "change"), {}))
    assert "asks first" in Tools(changes.only("weather")).current().note
    monkeypatch.chdir("/")
    assert "asks first" in Tools(own(confirm="always").only("weather")).note

    approvals.revoke([kept])
    assert approvals.listed() == []
    assert Tools(own(confirm="always")).ask_first


def test_confirm_of_tools_asks_unless_the_user_allowed_it(api, own, monkeypatch):
    """Also where the server's own ``confirm`` is "never"; functions ask as ever."""
    asked = Asked(monkeypatch, "a", "y")

    def act() -> str:
        return "acted"

    tools = Tools(own(confirm="never"), act, confirm=True)
    calls = [("s__weather", {"city": "Rome"}), ("act", {})]
    asked.answers = ["a", "y", "n"]
    first = list(map(told, ask(api, tools, *calls, show=True)))
    second = list(map(told, ask(api, tools, *calls, show=True)))

    assert first == ["Sunny in Rome.", "acted"]
    assert second == ["Sunny in Rome.", "The user did not allow this call."]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"approvals": [{"key": 1}, 2]}', "null"])
def test_a_file_of_approvals_that_cannot_be_read_allows_nothing(text):
    """And is no error."""
    approvals.path().parent.mkdir(parents=True)
    approvals.path().write_text(text)

    assert approvals.listed() == []


def test_where_nobody_can_be_asked_nothing_is_called(api, own, monkeypatch):
    """The call fails at once."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    (result,) = ask(api, Tools(own(confirm="always")), WEATHER)

    assert told(result) == "This was not run: nobody could be asked to allow it."


def test_a_token_in_a_command_line_is_not_shown(capsys):
    """Behind an option or in a variable of such a name, nor kept in the file."""
    command = f"no-such-thing --api-key {TOKEN}1 -e MY_TOKEN={TOKEN}2 --url http://u:{TOKEN}3@x"

    with pytest.raises(ClaudeError) as caught:
        Tools.mcp(command).connect()

    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(Tools.mcp(command))


class _Pages(BaseHTTPRequestHandler):
    """Answers with the status in the path, and quotes the headers."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = f"<h1>{self.headers.get('authorization')}</h1>".encode()
        self.send_response(int(self.path[1:]))
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = do_POST  # noqa: N815

    def log_message(self, *_: object):
        pass


def test_addresses_that_are_none_of_a_server():
    """The error has the status and the address, and what to do where a token is needed."""
    pages = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    problems = {}
    for path in ("401", "404", "200"):
        where = f"http://127.0.0.1:{pages.server_port}/{path}"
        with pytest.raises(ClaudeError, match=f"{path}.*cannot be reached") as caught:
            Tools.mcp(where, headers={"Authorization": f"Bearer {TOKEN}"}).connect()
        problems[path] = str(caught.value)
    pages.shutdown()
    pages.server_close()
    with pytest.raises(ClaudeError, match="cannot be reached") as caught:
        Tools.mcp(where).connect()

    assert "answers with HTTP status 401. Pass the header that it needs" in problems["401"]
    assert "HTTP status 404" in problems["404"]
    assert TOKEN not in repr(problems)


ENDING = """
import os, sys
from claude_nb import Tools
Tools.mcp("uvx some")
print("mcp" in sys.modules, flush=True)
from claude_nb.tools.mcp import connection, content, definitions, stdio  # once, for both
from claude_nb.tools.side_loop import side_loop

stdio._GRACE = 0.1
for command, end in (({0!r} + " stubborn", sys.exit), ({0!r}, lambda: os.kill(os.getpid(), 9))):
    if os.fork() == 0:
        server = Tools.mcp(command).connect()
        see = next(tool for tool in server.tools if tool.name == "see")
        print(side_loop().call(server.call(see, {{}}))[0]["text"], flush=True)
        end()
    os.wait()
"""


@pytest.fixture(scope="module")
def processes() -> list[str]:
    """What two processes printed that have ended, each of which started a server."""
    run = [sys.executable, "-c", ENDING.format(COMMAND)]
    shown = subprocess.run(run, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    return shown.stdout.splitlines()


def test_importing_claude_nb_does_not_import_the_package(processes):
    """It takes long; neither does a server that is only described."""
    assert processes[0] == "False"


def test_it_ends_with_the_process_that_started_it(processes):
    """At its end, though it does not want to; and where that is killed."""
    for line in processes[1:]:
        _wait_for_end(json.loads(line)["pid"])


def _wait_for_end(pid: int) -> None:
    """Wait until there is no such process, or only what is left of it."""
    with suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            pass


def test_without_the_package(own, monkeypatch):
    """The error is the line that installs it."""
    monkeypatch.delitem(sys.modules, "claude_nb.tools.mcp.connection")
    monkeypatch.setitem(sys.modules, "mcp", None)

    with pytest.raises(InputError, match="need the package mcp") as caught:
        own().connect()

    assert caught.value.advice == '%pip install "claude-nb[mcp]"'


def test_a_tool_that_is_switched_off_and_one_that_goes(own, monkeypatch):
    """As in a chat, where tools are switched off by the names that are sent."""
    running = own()
    tools = Tools(running).without({"s__die", "s__hang"})
    gone = [tool for tool in running._link.tools if tool.name not in ("die", "weather")]
    running._link.tools = gone

    assert [d["name"] for d in Tools(*tools._values).definitions] == [
        f"s__{tool.name}" for tool in gone if tool.name != "hang"
    ]


def test_a_conversation_goes_on_though_a_server_of_an_earlier_turn_is_gone(api, own):
    """Which is not started for a question that does not name it."""
    talk = claude_nb.Conversation("gone")
    running = own()
    api.enqueue(ANSWER, ANSWER)
    talk.ask("One?", tools=Tools(running), show=False)
    running.close()
    reply = talk.ask("Two?", show=False)

    assert reply.text == "Done."
    assert not running.is_connected
