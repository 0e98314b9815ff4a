"""``%claude_nb mcp``: servers are named, listed, loaded from a project's file and ended."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout

import pytest
from IPython.core.completer import CompletionContext
from IPython.core.interactiveshell import InteractiveShell

from claude_nb import Chat, Tools
from claude_nb.errors import ClaudeError, InputError
from claude_nb.magics import commands, completion, options
from claude_nb.tools import approvals
from claude_nb.tools.approvals import Approval
from claude_nb.tools.mcp import project
from claude_nb.tools.mcp.listing import Listing, ServerRows, ToolRow
from claude_nb.tools.mcp.named import servers

TRAINS = "python -m claude_nb.teaching.trains"
TOKEN = "t0ken-of-the-docs"


@pytest.fixture(autouse=True)
def no_servers():
    """Servers of one test are not those of another."""
    yield
    for server in servers.values():
        server.close()
    servers.clear()


def execute(line):
    return commands.execute(f"mcp {line}", "claude-opus-5-5")


def mcp_command(line):
    """What a command shows, as a terminal has it."""
    with redirect_stdout(io.StringIO()) as printed:
        shown = execute(line)
    return printed.getvalue().rstrip("\n") if shown is None else repr(shown)


def offered(line):
    """What Tab offers at the end of a line."""
    context = CompletionContext(line.rpartition(" ")[2], line, len(line), 0, None)
    return [each.text for each in completion.matcher({})(context)["completions"]]


@pytest.fixture
def load(tmp_path, monkeypatch, capsys):
    """Loads a file of these servers in its folder, with these answers; returns what is printed."""

    def load(about, answers=(), *, again=False):
        if not again:
            (tmp_path / project.FILE).write_text(
                json.dumps({"mcpServers": about}), encoding="utf-8"
            )
        monkeypatch.chdir(tmp_path)
        left = list(answers)

        def answer(question):
            print(question)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("builtins.input", answer)
        execute("load")
        assert left == []
        return capsys.readouterr().out

    return load


def test_a_server_is_added_listed_named_in_cells_and_chats_and_removed():
    """Its tools are shown with their descriptions before any is used; Run All adds it again."""
    added = mcp_command(f"add --confirm session trains -- {TRAINS}")

    assert re.sub(" +", " ", added).splitlines() == [
        f"trains · {TRAINS} · running · asks once for each tool",
        " trains.departures The trains that leave a station, the earliest first.",
        " trains.stops Where a train stops, and when.",
    ]
    assert mcp_command("list") == mcp_command("") == mcp_command("list trains") == added
    variables = {"look_up": len, "own": servers["trains"]}
    names = ["trains__departures", "trains__stops"]
    for typed, expected in [
        ("trains", names),
        ("trains.stops,web_search", [names[1], "web_search"]),
        ("own.departures", ["trains__departures"]),
    ]:
        given, _ = options.parse(f"--tools {typed} Hi", variables)
        found = Tools(*given["tools"]).definitions
        assert [each["name"] for each in found] == expected
    assert list(Tools("trains.stops").names) == names[1:]
    assert [tool["name"] for tool in Chat(tools=["trains"])._page.tools.shown()] == names
    with pytest.raises(InputError, match=r"The server trains has no tool 'stosp'\. Did you mean"):
        options.parse("--tools trains.stosp Hi", variables)
    with pytest.raises(InputError, match=r"There is no variable trians\. Did you mean trains"):
        options.parse("--tools trians Hi", variables)
    with pytest.raises(InputError, match="trains is a variable and an MCP server"):
        options.parse("--tools trains Hi", {"trains": len})

    assert offered("%%claude --tools look_up,tr") == ["trains"]
    assert offered("%%claude --tools look_up,trains.") == ["trains.departures", "trains.stops"]
    assert offered("%claude_nb mcp remove ") == ["trains"]

    assert mcp_command(f"add --confirm session trains {TRAINS}") == added
    assert execute(f"add --confirm session trains {TRAINS}") is None  # so several lines show all
    with pytest.raises(InputError, match=f"There is already an MCP server trains: {TRAINS}"):
        mcp_command("add trains python -m trains")
    held = Tools("trains")
    mcp_command("remove trains")
    assert held.renewed({}).current().names == names  # for a conversation
    assert not variables["own"].is_connected
    assert mcp_command("list").startswith("There are no MCP servers.")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("add", "%claude_nb mcp add takes a name and a command line or URL. For example:"),
        ("add trains", "%claude_nb mcp add takes a name and a command line or URL."),
        ("add docs http://x/mcp more", "%claude_nb mcp add takes a name and a command line or "),
        ("add züge uvx trains", "'züge' cannot be the name of a server. Use letters a to z,"),
        ("add a.b uvx trains", "'a.b' cannot be the name of a server."),
        ("add web_search uvx trains", "web_search has another meaning in --tools. Choose another"),
        ("add none uvx trains", "none has another meaning in --tools."),
        ("add --header X trains uvx trains", "--header: Give a name and a value: "),
        ("add --env X trains uvx trains", "--env: Give a name and a value: LOG_LEVEL=info"),
        ("add --confirm no trains uvx t", "--confirm: 'no' is not always, session or never."),
        ("add --header 'A: b' trains uvx trains", "A command takes no headers. Leave headers out"),
        ("add --env A=b docs http://x/mcp", "A URL takes no env."),
        ("add trains uvx 'trains", 'The command line "uvx \'trains" has an unclosed quote.'),
        ("add docs http://x/${NOT_SET}", "The variable NOT_SET is not set. To enter it hidden:"),
        ("remove trains", "There is no MCP server trains. There are none."),
        ("remove", "%claude_nb mcp takes add NAME COMMAND, add NAME URL, list, "),
        ("lsit", "%claude_nb mcp takes add NAME COMMAND, add NAME URL, list, "),
        ("load nowhere.json", "There is no file nowhere.json. Relative paths begin at "),
    ],
)
def test_what_a_command_does_not_take_is_said(line, error):
    """Nothing is started for it."""
    with pytest.raises(InputError) as raised:
        mcp_command(line)
    assert str(raised.value).startswith(error)
    assert servers == {}


def test_the_name_of_a_function_is_taken():
    """--tools would mean both."""
    shell = InteractiveShell.instance()
    shell.user_ns["trains"] = len
    try:
        with pytest.raises(InputError, match="trains is a function of this notebook"):
            mcp_command(f"add trains {TRAINS}")
    finally:
        InteractiveShell.clear_instance()


def test_a_key_that_is_typed_is_nowhere_shown(capsys, monkeypatch):
    """The user is told that it stands in the cell; the value of a variable does not."""
    where = "http://127.0.0.1:9/mcp"
    with pytest.raises(ClaudeError) as raised:
        execute(f'add docs {where}?api_key={TOKEN} --header "Authorization: Bearer {TOKEN}"')
    shown = capsys.readouterr().out + "".join(raised.value._render_traceback_())
    assert "This line contains a key, which the notebook saves." in shown
    assert where in shown
    assert TOKEN not in shown

    monkeypatch.setenv("DOCS_TOKEN", TOKEN)
    with pytest.raises(ClaudeError) as raised:
        execute(f'add docs {where} --header "Authorization: Bearer ${{DOCS_TOKEN}}"')
    assert capsys.readouterr().out == ""
    assert servers == {}


def test_a_file_starts_nothing_that_is_not_allowed(load, tmp_path):
    """Each server is asked about, with its command, the names of its variables and no values."""
    about = {
        "trains": {
            "command": "python",
            "args": TRAINS.split()[1:],
            "env": {"A": "1", "API_KEY": TOKEN},
        },
        "docs": {
            "url": "http://127.0.0.1:9/mcp",
            "headers": {"Authorization": f"Bearer ${{TRAVEL:-{TOKEN}}}"},
        },
        "broken": {"command": 1},
    }
    shown = load(about, ["n", ""])
    assert shown.splitlines()[1:] == [
        f"  command: {TRAINS}",
        f"  in the folder: {tmp_path}",
        "  environment: A=1 API_KEY",
        "Start trains? [y/N] ",
        "  address: http://127.0.0.1:9/mcp",
        "  headers: Authorization",
        "  variables of this kernel: TRAVEL",
        "Reach docs? [y/N] ",
        f"broken: It has no command. Use this form: {project._EXAMPLE}",
    ]
    assert TOKEN not in shown
    assert servers == {}

    shown = load(about, ["y", "n"], again=True)
    assert f"trains · {TRAINS} · running · each call asks first" in shown
    assert [
        servers["trains"].consent(tool).approval.folder for tool in servers["trains"].tools
    ] == ([str(tmp_path)] * 2)
    assert "Start trains?" not in load(about, ["n"], again=True)
    with pytest.raises(InputError, match=r"nobody can be asked here\. Add those that you trust"):
        load(about, again=True)


def test_without_a_file_the_command_says_where_it_looked(tmp_path, monkeypatch):
    """And how to name one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"There is no .mcp.json in {tmp_path}, nor above it"):
        mcp_command("load")


def test_words_of_a_server_are_shown_as_text():
    """Neither HTML nor escape sequences work, and all of a long description can be read."""
    evil = '$x$ <img src=x onerror="alert(1)">\x1b[2J\u202e' + "all of it " * 400 + "the end"
    listing = Listing([ServerRows("evil", "uvx evil", "running", (ToolRow(evil[:30], evil),))])
    html, terminal = listing._repr_html_(), repr(listing)

    assert "<img" not in html
    assert html.startswith('<div class="mathjax_ignore tex2jax_ignore">')
    assert "the end" in html
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", html + terminal)
    assert len(terminal) < 400
    assert "the end" in repr(Listing(listing.servers, whole=True))


def test_what_was_allowed_is_listed_and_can_be_forgotten(tmp_path, monkeypatch):
    """One tool, a whole server, or everything; a server that is not here too."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    mcp_command(f"add trains {TRAINS}")
    departures, stops = (
        servers["trains"].consent(tool).approval for tool in servers["trains"].tools
    )
    approvals.allow(departures)
    approvals.allow_for_session(stops)
    approvals.allow(Approval("uvx other", "/somewhere", "delete_it", "its key"))

    shown = re.sub(" +", " ", mcp_command("list"))
    assert " trains.departures [always allowed] The trains that leave" in shown
    assert " trains.stops [allowed for this session] Where a train" in shown
    assert "Always allowed of uvx other in /somewhere: delete_it\nTo be asked again:" in shown
    with pytest.raises(InputError, match=r"No tool of trains\.x was allowed\."):
        mcp_command("forget trains.x")
    mcp_command("forget trains.stops")
    assert [approvals.is_allowed(each) for each in (departures, stops)] == [True, False]
    mcp_command("forget trains")
    assert not approvals.is_allowed(departures)
    mcp_command("forget uvx other")
    assert approvals.listed() == []
    approvals.allow(departures)
    approvals.allow_for_session(stops)
    mcp_command("forget all")
    assert not any(map(approvals.is_allowed, (departures, stops)))


def test_many_tools_are_folded():
    """A server with 500 of them does not fill the page, nor the terminal."""
    tools = tuple(ToolRow(f"tool_{number}", "What it does.") for number in range(500))
    listing = Listing([ServerRows("big", "uvx big", "running", tools)])

    assert "<details><summary>500 tools</summary>" in listing._repr_html_()
    assert "tool_499" in listing._repr_html_()
    assert repr(listing).splitlines()[-1] == "  and 480 more"
    assert "tool_499" in repr(Listing(listing.servers, whole=True))


@pytest.mark.kernel
def test_in_a_kernel_nothing_starts_until_somebody_says_yes(kernel, tmp_path):
    """Where no input is taken the cell fails; where it is, the question is answered there."""
    about = {"trains": {"command": "python", "args": TRAINS.split()[1:]}}
    path = tmp_path / "servers.json"
    path.write_text(json.dumps({"mcpServers": about}), encoding="utf-8")

    reply = kernel.run(f"%claude_nb mcp load {path}")
    assert "nobody can be asked here." in reply["evalue"]
    assert TRAINS in kernel.printed
    kernel.run("%claude_nb mcp list")
    assert "There are no MCP servers." in kernel.last_shown()["data"]["text/plain"]

    kernel.start(f"%claude_nb mcp load {path}", asks=True)
    asked = kernel.client.get_stdin_msg(timeout=60)
    assert asked["content"]["prompt"] == "Start trains? [y/N] "
    kernel.client.input("y")
    assert kernel.finish()["status"] == "ok"
    shown = kernel.last_shown()["data"]
    assert f"trains · {TRAINS} · running · each call asks first" in shown["text/plain"]
    assert "<code>trains.departures</code>" in shown["text/html"]
    assert kernel.run("%claude_nb mcp remove trains")["status"] == "ok"
