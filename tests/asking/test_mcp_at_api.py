"""MCP servers that the API calls, over real HTTP to the strict simulator."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

import claude_nb
from claude_nb import Conversation, Tools
from claude_nb.chat.chat_tools import ChatTools
from claude_nb.conversation import snapshot
from claude_nb.errors import InputError, RequestError
from claude_nb.keeping.keeper import keeper
from claude_nb.magics import cell
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.recording.recording import Recording
from claude_nb.request.server_tools import MCP_BETA
from claude_nb.simulator import Error, Simulator, Stream
from tests.played import said, start, text

TOKEN = "t0ken/of?mine+42"
URL = "https://mcp.example.com/sse"


def docs(**options: Any):
    """The server."""
    return Tools.mcp(URL, name="docs", called_by="api", **{"token": TOKEN, **options})


def ask(prompt: str = "Ask docs.", **options: Any):
    """Ask without showing anything."""
    return claude_nb.ask(prompt, show=False, **options)


def look_up(city: str) -> str:
    """Look a city up."""
    return f"{city} is large."


def sent(api):
    """The body and the beta header of the newest request."""
    found = api.requests[-1]
    return found.body, found.headers.get("anthropic-beta")


def test_a_server_is_sent_with_its_toolset_token_and_beta(api):
    """Beside functions, and with what extra and betas name; the note says who calls it."""
    reply = ask(tools=[look_up, docs()], betas=["files-api-2025-04-14"])

    body, betas = sent(api)
    assert body["mcp_servers"] == [
        {"type": "url", "url": URL, "name": "docs", "authorization_token": TOKEN}
    ]
    assert body["tools"][1] == {"type": "mcp_toolset", "mcp_server_name": "docs"}
    assert betas == f"files-api-2025-04-14,{MCP_BETA}"
    assert reply.notes[-1] == "tools: look_up, docs (called by the API, without asking)"
    called = [block for block in reply.blocks if block.type == "mcp_tool_use"]
    assert [block.name for block in called] == ["docs.search"]


def test_only_some_of_its_tools(api):
    """The others are switched off."""
    ask(tools=docs(token=None).only(["read"]))

    body, _ = sent(api)
    assert "authorization_token" not in body["mcp_servers"][0]
    assert body["tools"] == [
        {
            "type": "mcp_toolset",
            "mcp_server_name": "docs",
            "default_config": {"enabled": False},
            "configs": {"read": {"enabled": True}},
        }
    ]


def test_a_conversation_goes_on_with_its_calls_and_its_list_of_tools(api):
    """Thinking goes back too, also where the token was renewed; a paused turn is gone on with."""
    talk = Conversation("talk")
    talk.ask("Ask docs.", show=False, tools=docs())
    talk.ask("Ask docs, and pause.", show=False)
    reply = talk.ask("Ask docs.", show=False, tools=docs(token="another-t0ken"))

    assert [found.body["mcp_servers"][0]["authorization_token"] for found in api.requests] == [
        *([TOKEN] * 3),
        "another-t0ken",
    ]
    body, betas = sent(api)
    kinds = [[block["type"] for block in turn["content"]] for turn in body["messages"][1::2]]
    call = ["thinking", "text", "mcp_tool_use", "mcp_tool_result"]
    assert kinds == [
        ["mcp_tool_listing", *call, "text"],
        [*call, "thinking", "text"],
    ]
    assert betas == MCP_BETA
    assert not any("left out" in note for note in reply.notes)
    assert "t0ken" not in repr(talk.exchanges)


def test_without_its_server_earlier_calls_go_back_and_the_list_does_not(api):
    """The list stands for what that server would say."""
    talk = Conversation("talk", tools=docs())
    talk.ask("Ask docs.", show=False)
    talk.ask("Rome?", show=False, tools=[look_up])

    body, betas = sent(api)
    kinds = [block["type"] for block in body["messages"][1]["content"]]
    assert "mcp_tool_use" in kinds
    assert "mcp_tool_listing" not in kinds
    assert "mcp_servers" not in body
    assert betas == MCP_BETA


def test_an_answer_that_broke_off_behind_a_call_is_continued_with_the_server(api):
    """The request that goes on names it too."""
    api.enqueue(Stream([start(), *text("What docs say")[:-1]], end="reset"))
    api.enqueue(Stream(said(" is true.")))
    policy = claude_nb.Policy(tries=2, base=0)

    assert ask(tools=docs(), policy=policy).text == "What docs say is true."

    body, betas = sent(api)
    assert body["mcp_servers"][0]["authorization_token"] == TOKEN
    assert betas == MCP_BETA


def test_another_server_of_the_api_gets_no_token(api, monkeypatch):
    """The functions of the same question are still offered there; the note says what is not."""
    talk = Conversation("talk")
    talk.ask("Ask docs.", show=False, tools=[look_up, docs()])
    with Simulator(speed=float("inf")) as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.base_url)
        reply = talk.ask("And then?", show=False)
        found = other.requests[0]

    assert TOKEN not in json.dumps(found.body)
    assert [tool["name"] for tool in found.body["tools"]] == ["look_up"]
    assert "anthropic-beta" not in found.headers
    assert "docs of earlier turns not sent: they belong to another server" in reply.notes
    assert "tools: look_up (asks first)" in reply.notes


@pytest.mark.parametrize(
    "url",
    [
        "http://mcp.example.com/sse",
        "https://localhost:8000/mcp",
        "https://127.0.0.1/mcp",
        "https://10.0.0.7/mcp",
        "https://[::1]/mcp",
        "https://[fd00::1]/mcp",
        "https://127.1/mcp",
        "https://2130706433/mcp",
        "https://0x7f000001/mcp",
        "https://build-server/mcp",
        "https://printer.local./mcp",
        "https://mcp.example.com/a b",
        "ftp://mcp.example.com/",
        "uvx mcp-server-time",
    ],
)
def test_where_the_api_cannot_reach_the_kernel_is_named(url):
    """Nothing but https on the public net; the error has the line that works."""
    with pytest.raises(InputError, match="The API cannot call") as raised:
        Tools.mcp(url, called_by="api")
    assert raised.value.advice == f"Let the kernel call it: claude_nb.Tools.mcp({url!r})"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"where": "https://me:hunter22@mcp.example.com/"}, "contains a user name or password"),
        ({"where": URL, "token": "Bearer hunter22"}, "cannot be sent"),
        ({"where": URL, "token": "hunter22\nX: y"}, "cannot be sent"),
        ({"where": URL, "token": " "}, "is empty"),
        ({"where": URL, "headers": {"X-Key": "hunter22"}}, "cannot send your headers"),
        ({"where": URL, "called_by": "nobody"}, "no called_by='nobody'"),
        ({"where": URL, "name": "a b"}, "'a b' cannot be the name of a server"),
        ({"where": f"http://x/{URL}?api_key=hunter22"}, "cannot call http"),
    ],
)
def test_what_cannot_be_is_refused_without_showing_a_secret(options, said):
    """Before anything is sent."""
    with pytest.raises(InputError) as raised:
        Tools.mcp(**{"called_by": "api", **options})
    assert said in raised.value.what
    assert "hunter22" not in str(raised.value)


def test_its_token_stands_nowhere(api, tmp_path, caplog, capsys, monkeypatch):
    """Not in outputs, records, recordings, backups, exports, dry runs, reprs, errors or logs."""
    caplog.set_level(logging.DEBUG, "anthropic")
    where = f"{URL}?api_key=secret-of-address"
    server = Tools.mcp(where, name="docs", called_by="api", token=TOKEN)
    talk = Conversation("talk", tools=server)
    variables = {"docs": server}
    options = "-c at-api --tools docs"
    backed_up = []
    monkeypatch.setattr(
        snapshot.snapshot, "back_up", lambda *given, **_: backed_up.append(json.dumps(given))
    )
    api.enqueue(Stream(said("It is ", TOKEN[:5], TOKEN[5:], ", ", "secret-of-", "address.")))

    reply = talk.ask("Why?", show=False, keep=True)
    api.enqueue(Error(400, "invalid_request_error", f"The token {TOKEN} is wrong."))
    with pytest.raises(RequestError) as raised:
        talk.ask("Why?", show=False)
    shell = SimpleNamespace(user_ns=variables)
    cell.run(shell, options, "Ask docs.", ClaudeMagics()._defaults())
    cell.run(shell, f"{options} --dry-run", "Ask docs.", ClaudeMagics()._defaults())
    Recording.of(reply, ()).save(tmp_path / "reply.jsonl")
    talk.to_notebook(tmp_path / "talk.ipynb")

    kept = [path.read_text() for path in tmp_path.iterdir()] + backed_up
    kept += [repr(value) for value in (server, reply, reply.request, reply.events)]
    kept += [str(reply._repr_mimebundle_()), str(reply.timeline().__dict__), str(reply.requests)]
    kept += [talk.to_markdown(), str(reply.asked), repr(Tools(server)), Tools(server).note]
    kept += [str(raised.value), capsys.readouterr().out, caplog.text]
    assert backed_up
    assert "Request options" in caplog.text
    assert f"docs ({URL}?api_key=[redacted])" in kept[-2]
    assert [text for text in kept if TOKEN in text or "secret-of-address" in text] == []
    assert "mcp_servers" in api.requests[0].body
    assert "It is [redacted], [redacted]." in reply._repr_mimebundle_()["text/plain"]


def test_a_kept_answer_is_found_with_another_token(api):
    """No digest of a token is saved; where tools of a server ran, only ``keep`` shows it again."""
    keeper.notebook = True
    first = ask(tools=docs(), keep=True)
    again = ask(tools=docs(token="another-t0ken"), keep=True)
    plain = ask(tools=docs())

    assert len([found for found in api.requests if found.path == "/v1/messages"]) == 2
    assert again.text == first.text
    assert any(note.startswith("kept") for note in again.notes)
    assert plain.notes != again.notes


def test_no_limit_can_be_kept_with_it(api):
    """Its results are input, as long as the server makes them."""
    with pytest.raises(InputError, match="The cost of docs has no upper bound, so max_cost cannot"):
        ask(tools=docs(), max_cost=1.0)
    assert {found.path for found in api.requests} == {"/v1/messages/count_tokens"}


def test_a_chat_can_switch_it_off(api):
    """It then goes neither as a tool nor as a server; the chat says who calls it."""
    tools = ChatTools(lambda: Tools(look_up, docs()))

    assert tools.shown()[1]["about"] == "MCP server (called by the API, without asking)"
    tools.switch("docs", on=False)
    ask(tools=tools.on())
    assert "mcp_servers" not in sent(api)[0]


def test_two_servers_of_one_name_are_refused():
    """Calls could not be told apart."""
    with pytest.raises(InputError, match="two MCP servers named docs"):
        Tools(docs(), docs())


def test_a_conversation_is_restored_without_the_calls(api):
    """As with the calls of other tools of the API."""
    messages = [{"role": "user", "content": "Ask docs."}]
    content = [b.to_dict() for b in ask(tools=docs()).blocks]
    talk = Conversation.from_messages([*messages, {"role": "assistant", "content": content}])

    assert {block["type"] for block in talk.messages()[1]["content"]} == {"text"}


def test_a_token_goes_to_an_address_that_the_kernel_calls_too():
    """As the header that the API would send; a command takes none."""
    with pytest.raises(InputError, match="A command takes no token"):
        Tools.mcp("uvx mcp-server-time", token=TOKEN)
    server = Tools.mcp("http://localhost:1/mcp", token=TOKEN)
    assert server._link._headers == {"Authorization": f"Bearer {TOKEN}"}


def test_an_error_of_the_server_s_ends_in_the_answer(api):
    """The result that failed goes back as it came."""
    talk = Conversation("talk", tools=docs())
    reply = talk.ask("Ask docs, which is unavailable.", show=False)
    talk.ask("Why?", show=False)

    shown = reply._repr_mimebundle_()
    assert "MCP tool" in shown["text/html"]
    assert "docs is unavailable." in shown["text/plain"]
    results = [b for b in sent(api)[0]["messages"][1]["content"] if b["type"] == "mcp_tool_result"]
    assert [result["is_error"] for result in results] == [True]
