"""What is allowed is never taken from a notebook, nor from files that come with one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

import claude_nb
from claude_nb import Conversation, Tools
from claude_nb.conversation.snapshot import snapshot
from claude_nb.render import saved_output
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from claude_nb.tools import approvals
from tests.played import end, said, start, tool_use
from tests.tools.mcp import stdio_server

COMMAND = f"{sys.executable} {stdio_server.__file__}"


def look_up(city: str) -> str:
    """Look a city up."""
    return f"{city} is large."


def called(api, name: str) -> None:
    """Queue a reply that calls a tool."""
    call = tool_use('{"city": "Rome"}', name=name)
    api.enqueue(Stream([start(), *call, *end("tool_use")]), Stream(said("Done.")))


def results(reply) -> list[str]:
    """What the model was told by each call."""
    return [call.run.content[0]["text"] for call in reply.tool_calls]


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The questions to the user, who allows nothing."""
    questions: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text="": questions.append(text) or "n")
    return questions


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on stdio, started in the folder of the notebook, and the approval of its tool."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "n.ipynb"))
    made = Tools.mcp(COMMAND, name="s").connect()
    yield made
    made.close()
    approvals._session.clear()


def test_kernels_that_allow_at_the_same_time_keep_what_each_allowed(tmp_path, monkeypatch):
    """What is allowed or taken back in one is not undone by another that writes the file."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    allow = "from claude_nb.tools.approvals import Approval, allow\nimport sys\n"
    allow += "for n in range(20): allow(Approval('s', '', 't', f'{sys.argv[1]} {n}'))"
    kernels = [subprocess.Popen([sys.executable, "-c", allow, name]) for name in "ab"]

    assert [kernel.wait(60) for kernel in kernels] == [0, 0]
    assert len(approvals.listed()) == 40


def test_a_notebook_and_its_folder_allow_nothing(api, server, asked, tmp_path):
    """Approvals and records of calls in both are ignored: each call asks."""
    weather = next(tool for tool in server.tools if tool.name == "weather")
    approval = replace(server.consent(weather).approval, allowed="2026-01-01T00:00:00+00:00")
    approvals.allow_for_session(approval)
    called(api, "s__weather")
    talk = Conversation("talk")
    before = talk.ask("Rome?", tools=[look_up, server], show=False)
    assert results(before) == ["Sunny in Rome."]
    approvals._session.clear()
    planted = {"approvals": [asdict(approval)], "allowed": [approval.key], "confirm": "never"}
    record = saved_output.record(before, before.request) | planted
    metadata = {"claude_nb": record, **planted}
    data = {"text/plain": "Done.", MIME: record}
    outputs = [new_output("display_data", data, metadata=metadata)]
    cell = new_code_cell("%%claude --tools s\nRome?", metadata=metadata, outputs=outputs)
    nbformat.write(
        new_notebook(cells=[cell], metadata={"claude_nb": planted, **planted}),
        tmp_path / "n.ipynb",
    )
    name = approvals.path().name
    for file in (name, f"claude_nb/{name}", f".jupyter/claude_nb/{name}", f".claude_nb/{name}"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(json.dumps(planted))
    snapshot.take()
    restored = Conversation.from_notebook(tmp_path / "n.ipynb", "talk")

    restored.ask("And then?", show=False)  # offers nothing that it does not name
    called(api, "s__weather")
    again = restored.ask("Rome?", tools=server, show=False)

    assert "tools" not in api.requests[2].body
    assert results(again) == ["The user did not allow this call."]
    assert len(asked) == 1
    approvals.allow(approval)  # as the answer "Always allow" does
    called(api, "s__weather")
    assert results(claude_nb.ask("Rome?", tools=server, show=False)) == ["Sunny in Rome."]


def test_what_an_earlier_question_named_asks_in_later_ones(api):
    """Naming it for one question allows it for that one alone."""
    talk = Conversation("talk")
    called(api, "look_up")
    named = talk.ask("Rome?", tools=[look_up], show=False)
    called(api, "look_up")
    later = talk.ask("Rome?", show=False)

    assert results(named) == ["Rome is large."]
    assert results(later) == ["The user did not allow this call."]
