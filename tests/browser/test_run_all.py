"""Restart and Run All in real JupyterLab, again and again."""

import json
import re
from collections import Counter

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import expect

from claude_nb.streaming.record import MIME
from tests.browser.lab import PANEL, NotebookPage, Server
from tests.keeping.test_run_all import without_note
from tests.refresh_notebooks import NOTEBOOKS, comparable

# That the others are the same when they are run again is a test of tests/test_notebooks.py.
(CHATS,) = (path for path in NOTEBOOKS if path.stem == "04_chat")

# Runs when a kernel starts: the request of every HTTP client goes to a file beside its notebook.
# Keeping is off but where a cell says so: the notes of a second run tell of the first's answers.
NOTE_REQUESTS = """\
import os
os.environ |= {"CLAUDE_NB_SIMULATE_SPEED": "inf", "CLAUDE_NB_KEEP": "0"}
import httpx2
def noting(send):
    def noted(self, request, **options):
        with open(os.environ["JPY_SESSION_NAME"] + ".requests", "a") as file:
            body = request.content.decode() if hasattr(request, "_content") else ""
            file.write(json.dumps([request.method, request.url.path, body]) + "\\n")
        return send(self, request, **options)
    return noted
import json
for client in (httpx2.Client, httpx2.AsyncClient):
    client.send = noting(client.send)
"""

# Ids that a server or the package makes anew, in bodies and in paths.
MADE_ANEW = re.compile(r"(?:toolu|msg|msgbatch|req|srvtoolu)_\w+")

CODE = f"{PANEL}.content.widgets.map(c => c.model).filter(model => model.type === 'code')"

# The execution counts of the code cells; null for one that waits or runs.
COUNTS = f"{CODE}.map(model => model.executionCount)"

# Whether a call of a function waits for a click.
ASKS = "[...document.querySelectorAll('button')].some(b => b.textContent.startsWith('Don'))"

WEATHER = """\
def weather(city: str) -> str:
    \'\'\'The weather.

    Args:
        city: Where.
    \'\'\'
    ran.append(city)
    return "rain"
"""

# The requests of the cells whose answers are kept.
KEPT = re.compile("Alone|in Rome")

MINE = [
    "%load_ext claude_nb\nimport claude_nb\nran = []",
    WEATHER,
    "first = claude_nb.Chat('first', effort='low')\nfirst",
    "reply = first.ask('Why is the sky blue?')",
    "claude_nb.Chat('second')",
    "%%claude --tools weather\nWhat is the weather in Oslo?",
    "%%claude\nAnd tomorrow?",
    "%%claude --once --keep\nAlone",
    "%%claude --once --keep --tools weather\nWhat is the weather in Rome?",
    "print(ran)",
    "done = claude_nb.batch(['Lovely', 'Awful'], 'Is this positive? {{text}}')\ndone.wait()",
]


def chats(notebook):
    """The prompts and replies of every version of every turn that the saved chats hold."""
    return {
        (reply["turn"]["prompt"], reply["turn"]["text"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for reply in output.get("data", {}).get(MIME, {}).get("replies", [])
    }


def other_outputs(notebook):
    """What is saved of all cells, without the chats."""
    cells = notebook.cells
    for cell in cells:
        if "outputs" in cell:
            cell["outputs"] = [
                output
                for output in cell["outputs"]
                if "chat" not in output.get("data", {}).get(MIME, {})
            ]
    return comparable(notebook)


class Runs:
    """A notebook that is run as a whole.

    Args:
        page: The open notebook.
    """

    def __init__(self, page) -> None:
        self.page = page
        self._requests = page.path.with_name(f"{page.path.name}.requests")

    def again(self):
        """Restart the kernel, and run all cells: see ``run``."""
        self.page.restart_kernel()
        return self.run()

    def run(self):
        """Run all cells, save after the first and after the last.

        Returns:
            How often each request was sent, and the saved notebook.
        """
        self._requests.write_text("")
        browser_page = self.page.page
        browser_page.evaluate(f"{CODE}.forEach(model => {{ model.executionCount = null; }})")
        self.page.run_all()
        browser_page.wait_for_function(f"() => {COUNTS}[0] !== null")
        browser_page.evaluate(f"{PANEL}.context.save()")
        # The command ends at the first error, also in a cell that may raise one.
        # And a function that a cell does not name is not run before somebody says so.
        browser_page.wait_for_function(f"() => !{COUNTS}.includes(null) || {ASKS}", timeout=300_000)
        if browser_page.evaluate(ASKS):
            browser_page.get_by_role("button", name="Don’t run").click()
            browser_page.wait_for_function(f"() => !{COUNTS}.includes(null)")
        self.page.wait_idle()
        lines = self._requests.read_text().splitlines()
        return Counter(map(same, lines)), self.page.saved()


def same(line):
    """A request without what differs each time."""
    method, path, body = json.loads(MADE_ANEW.sub("ID", line))
    return json.dumps([method, path, body])


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server whose kernels note their requests, and have a simulator of their own."""
    folder = tmp_path_factory.mktemp("run-all")
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "note.py").write_text(NOTE_REQUESTS)
    with Server(folder) as server:
        yield server


@pytest.fixture
def open_whole(browser, own_server):
    """Opens a notebook, to be run as a whole."""
    with browser.new_context() as context:

        def open_(name, cells):
            path = own_server.write(name, cells, trusted=True)
            return Runs(NotebookPage(context.new_page(), own_server, path, "lab"))

        yield open_
    own_server.shutdown_kernels()


def test_a_notebook_with_chats_that_is_run_again_is_the_same(open_whole):
    """Run twice, it sends the same requests and shows the same; its chats lose nothing."""
    notebook = open_whole("chats", nbformat.read(CHATS, as_version=4).cells)
    sent, before = notebook.run()
    sent_again, after = notebook.again()

    assert sent
    assert sent_again == sent
    assert chats(before) <= chats(after)
    assert other_outputs(after) == other_outputs(before)


def test_a_chat_outlives_every_run(open_whole):
    """With a tool and a batch: nothing is gone, only what is not kept is sent, as at first."""
    notebook = open_whole("mine", [new_code_cell(cell) for cell in MINE])
    requests, before = notebook.run()
    page = notebook.page
    page.output(4).locator("textarea").fill("Tell me a joke.")
    page.output(4).locator("textarea").press("Enter")
    expect(page.output(4)).to_contain_text("simulated reply")
    page.saved()

    sent, saved = notebook.again()
    assert requests - sent == Counter(filter(KEPT.search, requests))
    assert not sent - requests
    assert {prompt for prompt, _ in chats(saved)} == {"Why is the sky blue?", "Tell me a joke."}
    ran = [book.cells[-2].outputs[0]["text"] for book in (before, saved)]
    assert ran == ["['example', 'example']\n", "['example']\n"]
    for cell in (7, 8):
        assert "kept · $0 · answered 20" in str(saved.cells[cell].outputs)
        first, second = (comparable(book)[cell] for book in (before, saved))
        assert without_note(second) == without_note(first)
