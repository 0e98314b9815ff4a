"""MCP servers in a real front end: one that others wrote, by its command, and one over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from claude_nb.simulator import Stream
from tests.browser.test_chat import ChatPage, open_chat  # noqa: F401
from tests.browser.test_live import LIVE, SETTLED
from tests.played import end, said, start, tool_use

ROOT = Path(__file__).resolve().parents[2]
ANSWER = Stream(said("That is all."))
TIME = {"timezone": "Europe/Berlin"}


class Pictures:
    """The process of the server over HTTP, and what it prints."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.tools.mcp.http_server"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.url = f"http://127.0.0.1:{self.line()}/mcp"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        if self.runs:
            self.process.kill()
            self.process.communicate()


@pytest.fixture(scope="module")
def shared_pictures() -> Iterator[list[Pictures]]:
    running = [Pictures()]
    yield running
    running[-1].kill()


@pytest.fixture
def pictures(shared_pictures: list[Pictures]) -> Pictures:
    """The server over HTTP, started again if a test has killed it."""
    if not shared_pictures[-1].runs:
        shared_pictures.append(Pictures())
    return shared_pictures[-1]


def servers(pictures: Pictures) -> str:
    return (
        "import sys\nfrom claude_nb import Tools\n"
        "time = Tools.mcp(f'{sys.executable} -m mcp_server_time', name='time')\n"
        f"pics = Tools.mcp({pictures.url!r}, name='pics', confirm='never')"
    )


def calling(*calls: tuple[str, dict[str, str]], number: int = 1) -> Stream:
    """A message that calls tools; the ids of its calls begin with ``number``."""
    blocks = [
        event
        for at, (name, given) in enumerate(calls)
        for event in tool_use(json.dumps(given), index=at, name=name, call=f"toolu_{number + at}")
    ]
    return Stream([start(), *blocks, *end("tool_use")])


def question_in(place: Locator) -> Locator:
    return place.get_by_role("group", name="May this call run?")


def test_in_a_chat(open_chat, simulator, pictures):  # noqa: F811
    """Its tools are in the list of tools; Stop in a call cancels it at the server."""
    chat: ChatPage = open_chat(f"{servers(pictures)}\nclaude_nb.Chat(tools=[time, pics])")
    simulator.enqueue(calling(("time__get_current_time", TIME)), ANSWER)
    chat.send("What time is it?")
    question = question_in(chat.el)
    expect(question).to_contain_text("get_current_time of the MCP server time: ")
    question.get_by_role("button", name="Run once").press("Enter")
    expect(chat.turns.last).to_contain_text("That is all.")
    expect(chat.button("Send (Enter)")).to_be_visible()

    simulator.enqueue(calling(("pics__hang", {}), number=2))
    chat.send("Hang")
    assert pictures.line() == "hangs"
    chat.button("Stop the answer").press("Enter")
    expect(chat.turns.last).to_contain_text("Stopped")
    assert pictures.line() == "cancelled"

    simulator.enqueue(calling(("pics__picture", {"subject": "a dot"}), number=3), ANSWER)
    chat.ask("A picture", "That is all.")
    chat.turns.last.locator("summary").first.click()
    expect(chat.turns.last.locator("details img")).to_be_visible()
    assert chat.notebook.errors == []


def test_in_cells(open_cells, simulator, pictures):
    """Input streams, a call is allowed by its button, a picture comes, a killed server is told."""
    half = [start(), *tool_use('{"timezone": "Europe/Berl', name="time__get_current_time")[:-1]]
    simulator.enqueue(Stream(half, end="hang"))
    notebook = open_cells(
        servers(pictures),
        *(f"%%claude --once --tools time,pics\n{prompt}" for prompt in ("Time?", "Both?", "Hang.")),
    )
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("time.get_current_time")
    live = notebook.output(2).locator(LIVE)
    expect(live.locator("details pre")).to_contain_text('"timezone": "Europe')
    live.get_by_role("button", name="Stop").press("Enter")
    expect(notebook.output(2).locator(SETTLED)).to_contain_text("Stopped")
    notebook.wait_idle()

    both = calling(("time__get_current_time", TIME), ("pics__picture", {"subject": "a dot"}))
    simulator.enqueue(both, ANSWER)
    notebook.run(3)
    question = question_in(notebook.output(3).locator(LIVE))
    expect(question).to_contain_text("get_current_time of the MCP server time: ")
    expect(question).to_contain_text("-m mcp_server_time, in ")
    question.get_by_role("button", name="Allow for this session").press("Enter")
    settled = notebook.output(3).locator(SETTLED)
    expect(settled).to_contain_text("That is all.")
    notebook.wait_idle()
    clock, picture = settled.locator("details").all()[:2]
    clock.locator("summary").click()
    expect(clock).to_contain_text("Europe/Berlin")
    picture.locator("summary").click()
    expect(picture.locator("img")).to_be_visible()

    again = calling(("time__get_current_time", TIME), ("pics__hang", {}))
    simulator.enqueue(again, ANSWER)
    notebook.run(4)
    assert pictures.line() == "hangs"
    pictures.kill()
    settled = notebook.output(4).locator(SETTLED)
    expect(settled).to_contain_text("That is all.")
    expect(settled).to_contain_text("failed in the server")
    notebook.wait_idle()
    results = simulator.requests[-1].body["messages"][-1]["content"]
    assert "Europe/Berlin" in results[0]["content"][0]["text"]  # allowed for this session
    assert results[1]["content"][0]["text"] == "The MCP server pics ended before it answered."
    assert notebook.errors == []
