"""The notebooks of the repository: each is a test, and holds what a run of it makes today."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb.client.connection import Connection
from claude_nb.errors import CredentialsError
from claude_nb.session.session import Session
from claude_nb.streaming.record import MIME, recorded
from tests.kernels import Kernel
from tests.local_server import LocalServer
from tests.refresh_notebooks import NOTEBOOKS, comparable, execute

BUDGET = 130_000
"""Bytes of a notebook with its outputs: more would be a chore to clone and to diff."""

GROWING = ("04_chat", "09_notebooks_that_last")
"""Their chats and kept answers go on from a run to the next: tests/browser/test_run_all.py."""

BACKUPS = re.compile(r"backups: .+?\\n")
"""A line of ``%claude_nb status``, where the kernel knows the file: backups of its chats."""

LESSONS = [path for path in NOTEBOOKS if path.stem.startswith("lesson_")]

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.mark.kernel
@pytest.mark.parametrize(
    "path", [path for path in NOTEBOOKS if path not in LESSONS], ids=lambda path: path.stem
)
def test_saved_outputs_are_what_a_run_makes(path, tmp_path):
    """Run without a key, every cell ends well and shows what is saved, but for the times.

    The kernel knows the file, so it is a second run: what the first has left in it changes nothing.

    If this fails after a change that was meant: ``python -m tests.refresh_notebooks``.
    """
    import nbformat  # here, as the fast tests do not need what takes seconds to import

    saved = nbformat.read(path, as_version=4)
    known = {}
    if path.stem not in GROWING:
        known["JPY_SESSION_NAME"] = str(shutil.copy(path, tmp_path))
    ran = json.dumps(comparable(execute(path, speed=float("inf"), **known)))
    assert json.loads(BACKUPS.sub("", ran)) == comparable(saved)


@pytest.mark.kernel
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_shows_what_is_saved_and_uses_no_key(path):
    """Where a key, an address and a proxy are set, each client of it asks the simulator alone."""
    import nbformat

    saved = nbformat.read(path, as_version=4)
    server = LocalServer()
    try:
        ran = execute(
            path,
            speed=float("inf"),
            CLAUDE_NB_SIMULATE="",
            ANTHROPIC_API_KEY="the-owners-key",
            ANTHROPIC_BASE_URL=server.url,
            HTTP_PROXY=server.url,
        )
    finally:
        server.close()
    assert server.received == []
    assert "the-owners-key" not in json.dumps(ran)
    assert comparable(ran) == comparable(saved)


@notebooks
def test_saved_notebook_is_small_and_needs_no_widget(path):
    """A reader without a kernel or an extension sees everything, and downloads little."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    shown = {
        mime
        for cell in saved["cells"]
        for output in cell.get("outputs", [])
        for mime in output.get("data", {})
    }
    assert sorted(saved["metadata"]) == ["kernelspec", "language_info"]
    assert shown <= {MIME, "text/html", "text/markdown", "text/plain"}
    assert path.stat().st_size < BUDGET


@notebooks
def test_saved_replies_are_recorded_as_simulated(path):
    """Nobody's key and nobody's money went into the repository, and each record says so."""
    records = [
        found
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if (found := recorded(output)) is not None
    ]
    assert records or path.stem == "lesson_chat"  # whose replies come from the SDK alone
    replies = [reply for record in records for reply in record.get("replies", [record])]
    sent = [reply for reply in replies if reply.get("request_ids") != []]  # not by a function alone
    assert {reply["simulated"] for reply in sent} <= {True}


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own, for what the cells of a notebook do to it."""
    mine = Session()
    for module in ("claude_nb.asking.asking", "claude_nb.session.session"):
        monkeypatch.setattr(f"{module}.session", mine)
    yield mine
    mine.simulate(on=False)


def code_cells(path):
    """The code cells of a notebook: source and what is saved of its printed output."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            printed = ("".join(output.get("text", "")) for output in cell["outputs"])
            yield "".join(cell["source"]), "".join(printed)


def code(name, words):
    """The first code cell of a notebook in which these words stand: source and output."""
    (path,) = (path for path in NOTEBOOKS if path.stem == name)
    return next(cell for cell in code_cells(path) if words in cell[0])


def figures(name, words):
    """The numbers that a cell has printed, as they are saved: those of each line."""
    lines = re.sub(r"(?<=\d),(?=\d{3})", "", code(name, words)[1]).splitlines()
    return [[float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", line)] for line in lines]


@notebooks
def test_a_notebook_without_a_key_says_what_to_do(path, session, monkeypatch):
    """In a plain kernel the error of the first request has the line that turns the simulator on."""
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    sources = [source for source, _ in code_cells(path)]
    if "\n%claude_nb simulate on" in sources[0]:  # it asks the simulator alone
        return
    shell = InteractiveShell()
    results = (shell.run_cell(source) for source in sources)
    error = next(result.error_in_exec for result in results if not result.success)
    assert "# %claude_nb simulate on" in sources[0]
    assert isinstance(error, CredentialsError)
    assert "%claude_nb simulate on" in str(error)


def test_what_is_saved_about_latency_is_in_the_order_that_the_text_claims():
    """The times are those of one run; which is sooner and which is later holds for each."""
    (plain_first, plain_total), (first, total) = figures("06_latency", '"plain": plain')
    assert plain_first == plain_total
    assert first < total / 2

    (readable, tokens), (hidden, same) = figures("06_latency", '"hidden": hidden')
    assert hidden < readable
    assert same == tokens

    piece, line, paragraph, block, end = (
        row[-2:] for row in figures("06_latency", "for name, visible in ways")[1:]
    )
    assert piece[0] <= line[0] <= paragraph[0] < block[0] < end[0]  # when it is first seen
    assert 0 == piece[1] < line[1] < paragraph[1] < block[1] < end[1]  # how long it is held back
    assert line[0] < total / 2 < block[0]

    (without,), (flushed,) = figures("06_latency", "flush={flush")
    assert flushed < 1 <= without


def test_what_is_saved_about_caching_is_in_the_order_that_the_text_claims():
    """Only what is read from the cache is sooner and cheaper, or what is too short for it."""
    first, second = (row[-4:] for row in figures("02_prompt_caching", 'show("first"'))
    question, model, tiny, nine, later = (
        row[-4:] for row in figures("02_prompt_caching", "five.items()")
    )
    for written, read, cost, seen in (second, question):
        assert written == 0 < read
        assert cost < first[2]
        assert seen < first[3]
    for written, read, _, seen in (model, nine, later):
        assert read == 0 < written
        assert seen > second[3]
    assert tiny[:2] == [0, 0]


def test_a_batch_is_half_the_price():
    """The table that is saved has the figure of the exercise below it."""
    (path,) = (path for path in NOTEBOOKS if path.stem == "08_when_not_to_stream")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (table,) = (
        "".join(output["data"]["text/plain"])
        for cell in cells
        if "wait()" in "".join(cell["source"])
        for output in cell.get("outputs", [])
    )
    batch, one_by_one = map(float, re.findall(r"\$(\d\.\d+)", table))
    assert batch == one_by_one / 2


@pytest.mark.parametrize("name", ["05_streaming_events", "08_when_not_to_stream"])
def test_the_raw_sdk_gets_the_key_that_is_meant_for_its_server(api, session, monkeypatch, name):
    """A server that was connected never sees the key of the environment."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the owner's")
    monkeypatch.setenv("THEIR_KEY", "theirs")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Gateway: the owner's too")
    cell, _ = code(name, "client = sdk_client()")
    keys = []
    for key_env in ("", "THEIR_KEY"):
        session.connect(Connection(base_url=api.base_url, key_env=key_env))
        shell = InteractiveShell()
        shell.run_cell(cell).raise_error()
        with shell.user_ns["client"] as client:
            keys.append(f"{client.auth_headers} {client.default_headers}")
            asked = {"model": "claude-haiku-5-5", "max_tokens": 10}
            message = client.messages.create(**asked, messages=[{"role": "user", "content": "hi"}])
        assert message.content

    assert "the owner's" not in str(keys)
    assert "theirs" in keys[1]


def test_a_stream_that_is_left_has_ended_as_the_answer_says(session, capsys):
    """The code of the answer can be pasted, and prints the type that is named below it."""
    (path,) = (path for path in NOTEBOOKS if path.stem == "05_streaming_events")
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]}
    answer, told = re.findall(r"```python\n(.*?)```\s+`(\w+)`", cells["answer-stop"], re.DOTALL)[0]
    session.simulate(on=True, speed=2)
    names = {"claude_nb": claude_nb}
    exec(cells["count"].partition("\n\n\nfor ")[0], names)
    exec(answer, names)
    assert capsys.readouterr().out.splitlines()[-1].endswith(told)


@pytest.mark.kernel
@pytest.mark.parametrize("before", [True, False])
def test_the_notebook_of_failures_leaves_the_simulator_as_it_was(api, session, before):
    """Off for who has a key; on for who began without one, and could not ask anybody else."""
    session.simulate(on=before)
    shell = InteractiveShell()

    shell.run_cell(code("07_failures", "simulate on")[0]).raise_error()
    during = session.simulated
    shell.run_cell(code("07_failures", "simulate off")[0]).raise_error()

    assert (during, session.simulated) == (True, before)
    assert claude_nb.ask("hello", show=False).outcome == "complete"


@pytest.mark.kernel
def test_nbconvert_shows_reply_folded_thinking_and_usage(tmp_path, monkeypatch):
    """``jupyter nbconvert --execute --to html`` shows the whole reply, without a widget."""
    (quickstart,) = (path for path in NOTEBOOKS if path.stem == "00_quickstart")
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SPEED", "inf")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", str(quickstart)]
    subprocess.run(
        [*command, "--output-dir", str(tmp_path)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    page = (tmp_path / "00_quickstart.html").read_text(encoding="utf-8")
    replies = page.split('<div class="claude-nb ')[1:]
    assert len(replies) == 3
    for reply in replies:
        assert "<details style=" in reply  # and not `<details open`
        assert "<b>Thought</b>" in reply
        assert ">simulated</span>" in reply
        assert ">thinking</th>" in reply
    assert "server-sent events" in replies[0]
    assert '<span class="k">def</span>' in replies[1]
    assert "widget-view" not in json.dumps(replies)


@pytest.fixture(scope="module")
def without_key():
    """A kernel without a key, and without the simulator."""
    from jupyter_client.manager import start_new_kernel

    removed = ("ANTHROPIC_", "CLAUDE_NB_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
    manager, client = start_new_kernel(env=env)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.kernel
@notebooks
def test_without_a_key_the_first_question_says_what_to_do(without_key, path):
    """The error is that of the missing key, and names the command that needs none.

    A notebook that turns the simulator on by itself needs none either.
    """
    without_key.clear()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            continue
        if "\n%claude_nb simulate on" in f"\n{source}":
            return
        reply = without_key.run(source)
        if reply["status"] == "error":
            break

    assert reply["ename"] == "CredentialsError"
    assert "%claude_nb simulate on" in f"{without_key.shown} {reply['evalue']}"
