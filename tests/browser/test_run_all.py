"""Restart and Run All in real JupyterLab, again and again."""

import json
import re
from collections import Counter

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import expect

from tests.browser.lab import PANEL, NotebookPage, Server
from tests.keeping.test_run_all import without_note
from tests.refresh_notebooks import NOTEBOOKS, comparable

# The lessons remember nothing: each of their requests stands alone. And 09 sends no request twice.
CHATTING = [path for path in NOTEBOOKS if not path.stem.startswith(("lesson", "09"))]

# They often wait, for a retry or for a timeout: others run meanwhile, each in a page of its own.
TOGETHER = [CHATTING[first::3] for first in range(3)]

# Runs when a kernel starts: the request of every HTTP client goes to a file beside its notebook.
# Keeping is off, or the notes of a second run would tell of the answers of the first.
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

# What a reply that is continued had before its connection was lost: how much, depends on times.
LOST = re.compile(
    r'("role":"assistant","content":\[\{"type":"text","text":")(?:[^"\\]|\\.)*(?="\}\]\},'
    r'\{"role":"user","content":\[\{"type":"text","text":"Your reply was interrupted)'
)

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

MINE = [
    "%load_ext claude_nb\nimport claude_nb\nran = []",
    WEATHER,
    "first = claude_nb.Chat('first', effort='low')\nfirst",
    "reply = first.ask('Why is the sky blue?')",
    "claude_nb.Chat('second')",
    "%%claude --tools weather\nWhat is the weather in Oslo?",
    "%%claude\nAnd tomorrow?",
    "print(ran)",
    "done = claude_nb.batch(['Lovely', 'Awful'], 'Is this positive? {{text}}')\ndone.wait()",
]


KEPT = [
    "%load_ext claude_nb",
    "%claude_nb keep on\nran = []",
    f"import pydantic\nfrom PIL import Image\n{WEATHER}",
    "df = __import__('pandas').DataFrame({'sales': [3, 4]})\nred = Image.new('RGB', (8, 8), 'red')",
    "class Sum(pydantic.BaseModel):\n    total: int",
    *(f"%%claude\nThink about it: {number}" for number in range(10)),
    "%%claude\nWhat sells?\n\n{{df}}",
    "%%claude --once --json Sum -o total\nSum up:\n\n{{df}}",
    "%%claude --once -a red\nWhat is it?",
    *(f"%%claude --once\nAlone {number}" for number in range(5)),
    "%%claude -m claude-opus-5-5 -m claude-haiku-5-5\nSay three words",
    "%%claude --once --tools weather --keep\nWhat is the weather in Oslo?",
    "print(ran, total.parsed is not None)",
]


def chats(notebook):
    """The prompts and replies of every version of every turn that the saved chats hold."""
    return {
        (reply["turn"]["prompt"], reply["turn"]["text"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for reply in output.get("metadata", {}).get("claude_nb", {}).get("replies", [])
    }


def other_outputs(notebook):
    """What is saved of all cells, without the chats."""
    cells = notebook.cells
    for cell in cells:
        if "outputs" in cell:
            cell["outputs"] = [
                output
                for output in cell["outputs"]
                if "chat" not in output.get("metadata", {}).get("claude_nb", {})
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
        """Restart the kernel, run all cells, save after the first and after the last.

        Returns:
            How often each request was sent, and the saved notebook.
        """
        self.page.restart_kernel()
        self.begin()
        return self.finish()

    def begin(self):
        """Start all cells, and save after the first."""
        self._requests.write_text("")
        browser_page = self.page.page
        browser_page.evaluate(f"{CODE}.forEach(model => {{ model.executionCount = null; }})")
        self.page.run_all()
        browser_page.wait_for_function(f"() => {COUNTS}[0] !== null")
        browser_page.evaluate(f"{PANEL}.context.save()")

    def finish(self):
        """Wait for the last cell, and save.

        Returns:
            How often each request was sent, and the saved notebook.
        """
        browser_page = self.page.page
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
    return json.dumps([method, path, LOST.sub(r"\1", body)])


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


@pytest.mark.timeout(400)
@pytest.mark.parametrize("paths", TOGETHER, ids=lambda paths: "+".join(p.stem[:2] for p in paths))
def test_a_notebook_that_is_run_again_is_the_same(open_whole, paths):
    """Run twice, each notebook sends the same requests and shows the same; chats lose nothing."""
    notebooks = [open_whole(path.stem, nbformat.read(path, as_version=4).cells) for path in paths]
    for notebook in notebooks:
        notebook.begin()
    before = [notebook.finish() for notebook in notebooks]
    for notebook in notebooks:
        notebook.page.restart_kernel()
        notebook.begin()
    after = [notebook.finish() for notebook in notebooks]

    for first, second in zip(before, after, strict=True):
        assert first[0]
        assert second[0] == first[0]
        assert chats(first[1]) <= chats(second[1])
        assert other_outputs(second[1]) == other_outputs(first[1])


def test_a_chat_outlives_every_run(open_whole):
    """With a tool and a batch: nothing is gone, nothing else is sent, no tool runs unasked."""
    notebook = open_whole("mine", [new_code_cell(cell) for cell in MINE])
    requests, _ = notebook.again()
    page = notebook.page
    page.output(4).locator("textarea").fill("Tell me a joke.")
    page.output(4).locator("textarea").press("Enter")
    expect(page.output(4)).to_contain_text("simulated reply")
    page.saved()

    for _ in range(2):
        sent, saved = notebook.again()
        assert sent == requests
        assert {prompt for prompt, _ in chats(saved)} == {"Why is the sky blue?", "Tell me a joke."}
        assert saved.cells[7].outputs[0]["text"] == "['example']\n"


def test_kept_answers_are_shown_again_and_nothing_is_sent(open_whole):
    """Twenty prompts, with a save right after the first cell, which overwrites their outputs."""
    notebook = open_whole("kept", [new_code_cell(cell) for cell in KEPT])
    notebook.begin()
    sent, before = notebook.finish()
    notebook.page.restart_kernel()
    notebook.begin()
    again, after = notebook.finish()

    assert sum(sent.values()) == 22
    assert not again
    assert before.cells[-1].outputs[0]["text"] == "['example'] True\n"
    assert after.cells[-1].outputs[0]["text"] == "[] True\n"
    prompts = [str(cell.outputs) for cell in after.cells if cell.source.startswith("%%claude")]
    assert len(prompts) == 20
    assert all("kept · $0 · answered 20" in shown for shown in prompts)
    books = (comparable(book)[:-1] for book in (before, after))
    for first, second in zip(*books, strict=True):
        shown = [json.dumps(without_note(cell)) for cell in (first, second)]
        if "-m" in first["source"]:  # a rate of a stream that took no time
            shown = [re.sub(r"\d[\d,.]*", "", text) for text in shown]
        assert shown[1] == shown[0]
