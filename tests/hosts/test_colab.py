"""With Colab's packages, under nbclient and in Notebook 6.5, after which Colab's page is made.

Colab itself was not run.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from claude_nb.command_line.notebooks import NOTEBOOKS
from claude_nb.simulator import Stream
from tests.hosts.conftest import ChatBox, notebook
from tests.played import end, said, start, text, tool_use
from tests.refresh_notebooks import comparable, execute

# These packages are older than the Python that runs them.
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")

PINS = re.findall(
    r"^([\w.-]+)==(\S+)", Path(__file__).with_name("colab.txt").read_text(), re.MULTILINE
)

TOOLS = """\
%load_ext claude_nb
import time
import claude_nb

def growth(rate: float) -> float:
    return 1 + rate

def wait() -> None:
    time.sleep(600)
"""
CELLS = {
    "set up": TOOLS,
    "text": "%%claude\nhello",
    "stop": "%%claude\nhello",
    "stop tool": "%%claude --tools wait\nWait.",
    "confirm": "%%claude --tools growth --confirm\nGrow.",
    "events": "%%claude --events\nhello",
    "chat": "claude_nb.Chat()",
}


class Classic:
    """A notebook in Notebook 6.5, with a cell for each test."""

    def __init__(self, page, path) -> None:
        self.page = page
        self.path = path

    def cell(self, name):
        return list(CELLS).index(name)

    def output(self, name):
        """What is below a cell."""
        return self.page.locator(".cell").nth(self.cell(name)).locator(".output_wrapper .output")

    def start(self, name):
        """Run a cell, without waiting for its end."""
        self.page.evaluate("n => Jupyter.notebook.execute_cells([n])", self.cell(name))

    def ended(self, name):
        """Wait until a cell that was started has ended."""
        number = "typeof Jupyter.notebook.get_cell(n).input_prompt_number"
        self.page.wait_for_function(f"n => {number} === 'number'", arg=self.cell(name))

    def run(self, name):
        """Run a cell to its end."""
        self.start(name)
        self.ended(name)

    def press(self, name, label):
        """Press a button in the output of a cell."""
        self.output(name).get_by_role("button", name=label, exact=True).press("Enter")

    def saved(self, name):
        """The outputs of a cell in the file, saved now."""
        self.page.evaluate("() => Jupyter.notebook.save_notebook()")
        return nbformat.read(self.path, as_version=4).cells[self.cell(name)].outputs


@pytest.fixture(scope="module")
def opened(browser, serve, simulator, tmp_path_factory):
    """The notebook, open in a page."""
    folder = tmp_path_factory.mktemp("classic")
    path = folder / "colab.ipynb"
    nbformat.write(notebook(*CELLS.values()), path)
    options = ("--allow-root", "--no-browser", "--ip=127.0.0.1", "--port=PORT")
    address = serve("notebook", *options, "--NotebookApp.token=", f"--notebook-dir={folder}")
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}notebooks/{path.name}")
    page.wait_for_function("window.Jupyter?.notebook?.kernel?.is_connected?.()")
    classic = Classic(page, path)
    classic.run("set up")
    yield classic
    page.close()


@pytest.fixture
def classic(opened):
    """The notebook; a cell that a failed test has left running is interrupted."""
    yield opened
    opened.page.evaluate(
        """() => {
            const cells = Jupyter.notebook.get_cells();
            if (cells.some((cell) => cell.input_prompt_number === "*"))
                Jupyter.notebook.kernel.interrupt();
        }"""
    )


def open_ended(words):
    """A reply that falls silent after these words."""
    return Stream([start(), *text(words)[:-1]], end="hang")


def call(name, input_="{}"):
    """A message that calls a function."""
    return Stream([start(), *tool_use(input_, name=name), *end("tool_use")])


def test_the_install_changes_nothing():
    """Each package has the version that Colab has."""
    assert {name: version(name) for name, _ in PINS} == dict(PINS)


@pytest.mark.parametrize("name", ["00_quickstart", "04_chat", "05_streaming_events"])
def test_a_notebook_under_nbclient(name):
    """It shows the texts that a run with the newest packages has saved."""

    def texts(ran):
        outputs = [each for cell in comparable(ran) for each in cell.get("outputs", [])]
        found = [each.get("text") or each["data"]["text/plain"] for each in outputs]
        return [re.sub(r"(?m)^IPython 7.*\n", "", each) for each in found]  # of the status

    path = NOTEBOOKS / f"{name}.ipynb"
    saved = nbformat.read(path, as_version=4)
    assert texts(execute(path, speed=float("inf"))) == texts(saved)


def test_a_reply_streams_and_settles(classic, simulator):
    """The page shows it as it comes, with the margins of the notebook, and saves it as HTML."""
    simulator.enqueue(open_ended("First.\n\nSecond.\n\nThird."))
    classic.start("text")
    live = classic.output("text").locator(".claude-nb-live p:not(.claude-nb-status)")
    expect(live).to_have_text(["First.", "Second.", "Third."])
    gap = live.nth(1).evaluate("p => getComputedStyle(p).marginTop")
    classic.page.evaluate("Jupyter.notebook.kernel.interrupt()")
    classic.ended("text")
    expect(classic.output("text").locator(".claude-nb-live")).to_have_count(0)
    settled = classic.output("text").locator("p", has_text="Second.")
    assert settled.evaluate("p => getComputedStyle(p).marginTop") == gap != "0px"
    assert "text/html" in classic.saved("text")[0].data


def test_stop_reaches_the_running_cell(classic, simulator):
    """The page's message ends the reply, without an interrupt, and what came is kept."""
    classic.page.evaluate(
        "() => { kernel = Jupyter.notebook.kernel; kernel.interrupt = () => undefined; }"
    )
    try:
        simulator.enqueue(open_ended("First words"))
        classic.start("stop")
        expect(classic.output("stop")).to_contain_text("First words")
        classic.press("stop", "Stop")
        classic.ended("stop")
    finally:
        classic.page.evaluate("() => delete Jupyter.notebook.kernel.interrupt")
    expect(classic.output("stop")).to_contain_text("Stopped")
    expect(classic.output("stop")).to_contain_text("First words")


def test_stop_interrupts_a_tool(classic, simulator):
    """Where the cell is busy with the user's function, and takes no message."""
    simulator.enqueue(call("wait"))
    classic.start("stop tool")
    expect(classic.output("stop tool")).to_contain_text("running")
    classic.press("stop tool", "Stop")
    classic.ended("stop tool")
    expect(classic.output("stop tool")).to_contain_text("Stopped")


def test_the_buttons_of_a_question(classic, simulator):
    """The function runs when the reader allows it."""
    simulator.enqueue(call("growth", '{"rate": 0.5}'), Stream(said("It is done.")))
    classic.start("confirm")
    expect(classic.output("confirm")).to_contain_text("may it run?")
    classic.press("confirm", "Run")
    classic.ended("confirm")
    expect(classic.output("confirm")).to_contain_text("It is done.")
    assert simulator.requests[-1].body["messages"][-1]["content"][0]["content"][0]["text"] == "1.5"


def test_a_stream_can_be_stepped_through(classic, simulator):
    """From its request on, event by event."""
    simulator.enqueue(Stream(said("Good day.")))
    classic.run("events")
    slider = classic.output("events").get_by_role("slider")
    slider.press("Home")
    expect(classic.output("events")).to_contain_text("request_sent")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(classic.output("events")).to_contain_text("message_start")


def test_a_chat_answers_and_is_saved(classic, simulator):
    """Its turns are in the file, for a reader without a kernel."""
    simulator.enqueue(Stream(said("From the chat.")))
    classic.run("chat")
    chat = ChatBox(classic.output("chat").locator(".claude-nb-chat"))
    chat.ask("Hello", "From the chat.")
    shown = [output.data.get("text/html", "") for output in classic.saved("chat")]
    assert "From the chat." in "".join(shown)
