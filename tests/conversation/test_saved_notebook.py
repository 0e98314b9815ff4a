"""A saved notebook: whatever it holds, its records come out, or an error that says what it is."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager

from claude_nb.conversation import notebook_file, saved_notebook
from claude_nb.conversation.notebook_file import has_records
from claude_nb.conversation.saved_notebook import current_path, load
from claude_nb.cost.usage import Usage
from claude_nb.errors import InputError
from claude_nb.render import saved_output
from claude_nb.request import place
from claude_nb.streaming.record import MIME, RecordedUsage
from tests.played import said, start, text
from tests.streaming.test_progress import ACCEPTED, SENT, progress


def output(record, kind="display_data"):
    """An output with a record."""
    return {"output_type": kind, "data": {MIME: record}, "metadata": {}}


def cell(*records: Any, source: Any = "%%claude\nWhy?", **fields: Any):
    """A code cell with an output for each record."""
    outputs = [output(record) for record in records]
    return {"cell_type": "code", "source": source, "outputs": outputs, "metadata": {}} | fields


def save(path, *cells: Any, **fields: Any):
    """Write a notebook of these cells."""
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}
    path.write_text(json.dumps(whole | fields), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path):
    """Where a test may write its notebook."""
    return tmp_path / "notes.ipynb"


def test_a_reply_leaves_a_record(path):
    """With the number and the id of its cell; what is no reply leaves none."""
    record = {"version": 1, "model": "claude-opus-5-5"}
    markdown = {"cell_type": "markdown", "source": "# Notes", "metadata": {}}
    save(path, markdown, cell(source="1 + 1"), cell(record, id="abc"))

    found = load(path)

    assert [(3, "abc", record)] == [(r.number, r.cell, r.data) for r in found.records]
    assert (found.notes, found.unanswered) == ((), ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"hello", "not JSON", id="not-json"),
        pytest.param(b"\x00\xff\xfe\x81\x00", "not JSON", id="binary"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00", "not JSON", id="an-image"),
        pytest.param(b'{"cells": [', "not JSON", id="cut-off"),
        pytest.param(b"[" * 100_000, "not JSON", id="nested-without-end"),
        pytest.param(b"1" * 10_000, "not JSON", id="a-number-without-end"),
        pytest.param(b"[]", "not a notebook", id="a-list"),
        pytest.param(b"null", "not a notebook", id="null"),
        pytest.param(b'{"name": "package"}', "not a notebook", id="other-json"),
        pytest.param(b'{"nbformat": 4, "cells": {}}', "not a notebook", id="cells-not-a-list"),
        pytest.param(b'{"nbformat": 3, "worksheets": []}', "old notebook format", id="nbformat-3"),
    ],
)
def test_what_is_not_a_notebook_is_said(path, content, said):
    """In a line, and never as a traceback."""
    path.write_bytes(content)

    with pytest.raises(InputError, match=said):
        load(path)


@pytest.mark.parametrize("name", ["missing.ipynb", ".", "nul\x00.ipynb", "x" * 1_000, "~nobody/x"])
def test_what_cannot_be_read_is_said(tmp_path, name):
    """A file that is missing, a directory, and what can be no file's name."""
    with pytest.raises(InputError):
        load(name if name.startswith("~") else tmp_path / name)


def test_a_pipe_is_not_waited_for(path):
    """Reading it might never end."""
    os.mkfifo(path)

    with pytest.raises(InputError, match="is not a file"):
        load(path)


def test_a_huge_file_is_not_read_to_its_end(path, monkeypatch):
    """The error says how large one may be."""
    monkeypatch.setattr(notebook_file, "MAX_BYTES", 1_000_000)
    path.write_bytes(b" " * 1_000_001)

    with pytest.raises(InputError, match="larger than 1 MB"):
        load(path)


def test_records_without_end_are_not_read_to_their_end(path, monkeypatch):
    """It is said from where on they are passed over."""
    monkeypatch.setattr(saved_notebook, "MAX_RECORDS", 2)
    found = load(save(path, *[cell({"version": 1})] * 4))

    assert [r.number for r in found.records] == [1, 2]
    assert found.notes == ("from cell 3 (without a number) on: more than 2 records are not read",)


def test_cells_are_called_by_the_numbers_that_stand_beside_them(path):
    """Or by their place, if none was run since; a number that is none is not taken for one."""
    cells = [cell({"version": 9}, execution_count=n) for n in (12, None, True)]

    found = load(save(path, *cells))

    assert [note.partition(":")[0] for note in found.notes] == [
        "cell [12]",
        "cell 2 (without a number)",
        "cell 3 (without a number)",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_notebook_in_another_encoding_is_read(path, encoding):
    """As editors on Windows write it."""
    whole = {"nbformat": 4, "cells": [cell({"version": 1, "model": "é"})]}
    path.write_text(json.dumps(whole, ensure_ascii=False), encoding=encoding)

    assert load(path).records[0].data["model"] == "é"


@pytest.mark.parametrize(
    ("record", "note"),
    [
        (
            {"version": 2},
            "cell 1 (without a number): its record was written by a newer claude_nb",
        ),
        ({"version": 0}, "cell 1 (without a number): its record cannot be read"),
        ({"version": True}, "cell 1 (without a number): its record cannot be read"),
        ({"version": "1"}, "cell 1 (without a number): its record cannot be read"),
        ({}, "cell 1 (without a number): its record cannot be read"),
        ([1], "cell 1 (without a number): its record cannot be read"),
        ("1", "cell 1 (without a number): its record cannot be read"),
    ],
)
def test_a_record_that_cannot_be_read_is_passed_over(path, record, note):
    """It is said in which cell it stands; the others are read."""
    found = load(save(path, cell(record), cell({"version": 1})))

    assert ((note,), [2]) == (found.notes, [r.number for r in found.records])


def test_records_of_earlier_versions_are_read(path):
    """Theirs stand in an output's metadata; where both places have one, the newer counts."""
    old, new = {"version": 1, "model": "old"}, {"version": 1, "model": "new"}
    outputs = [{"data": data, "metadata": {"claude_nb": old}} for data in ({}, {MIME: new})]
    save(path, cell(outputs=outputs))

    assert [record.data for record in load(path).records] == [old, new]
    older = path.read_bytes().replace(MIME.encode(), b"")
    assert has_records(older)
    assert not has_records(older.replace(b'"claude_nb"', b""))
    assert has_records(path.read_bytes().replace(b'"claude_nb"', b""))


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "cell",
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": 7, "outputs": 7, "metadata": 7, "id": 7},
        {"cell_type": "code", "source": [7, None], "outputs": [7, None, {}, {"metadata": []}]},
        {"cell_type": 7, "outputs": {"data": {MIME: {}}}},
        {"cell_type": "code", "outputs": [{"data": [MIME]}, {"data": {MIME: None}}]},
    ],
)
def test_a_broken_cell_costs_none_of_the_others(path, broken):
    """A notebook that was edited by hand is read as far as it makes sense."""
    found = load(save(path, broken, cell({"version": 1}, id=7)))

    assert [(r.number, r.cell) for r in found.records] == [(2, "")]


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("%%claude\nWhy?", True),
        ("%%claude --new\nWhy?", True),
        ("\n# why\n%%claude\nWhy?", True),
        (["%%claude\n", "Why?"], True),
        ("%claude Why?", False),
        ("%%claude_nb\n", False),
        ("x = 1\n%%claude\n", False),
        ("# %%claude", False),
    ],
)
def test_a_prompt_without_an_answer_is_counted(path, source, is_one):
    """It was not run, or its output was cleared."""
    assert ((1,) if is_one else ()) == load(save(path, cell(source=source))).unanswered


def test_what_a_reply_took(path):
    """As its record says it, requests counted by their ids."""
    reply = progress(SENT, ACCEPTED, *said("Hello"))
    save(path, cell(saved_output.record(reply)))

    taken = RecordedUsage.of(load(path).records[0].data)

    assert (1, False, reply.usage, reply.cost) == (
        taken.requests,
        taken.simulated,
        taken.usage,
        taken.cost,
    )


@pytest.mark.parametrize(
    ("counts", "cost"),
    [
        (None, "1"),
        ("many", True),
        ([], -1),
        ({"input_tokens": "5", "output_tokens": True}, float("nan")),
        ({"input_tokens": -5, "output_tokens": 1.5}, float("inf")),
        ({"input_tokens": 10**30, "output_tokens": None}, 10**30),
    ],
)
def test_what_is_no_count_is_unknown(path, counts, cost):
    """A record may be edited by hand: what is wrong in it is never added up."""
    record = {"version": 1, "usage": counts, "cost_usd": cost, "request_ids": 3}
    taken = RecordedUsage.of(load(save(path, cell(record))).records[0].data)

    unknown = replace(Usage.unknown(), web_searches=0)
    assert (1, unknown, None) == (taken.requests, taken.usage, taken.cost)


def test_a_request_that_no_server_took_cost_nothing(path):
    """It counts as none."""
    usage = dict.fromkeys(Usage.__dataclass_fields__, 0)
    record = {"version": 1, "usage": usage, "cost_usd": 0.0, "request_ids": []}

    assert RecordedUsage.of(load(save(path, cell(record))).records[0].data).requests == 0


def test_a_reply_that_is_saved_twice_has_one_digest(path):
    """A copy of it is no second reply; one that broke off is none of the others."""
    one = saved_output.record(progress(SENT, ACCEPTED, *said("Hello")))
    other = saved_output.record(progress(SENT, ACCEPTED, start(), *text("Hel")))
    records = load(save(path, cell(one, one), cell(other))).records

    assert records[0].digest == records[1].digest != records[2].digest


class Shell:
    """What ``current_path`` asks of a shell: the user's variables, and which cell runs."""

    displayhook = SimpleNamespace(prompt_count=1)

    def __init__(self, **variables: Any) -> None:
        self.user_ns = variables


@pytest.fixture
def shell(monkeypatch):
    """A function that sets the variables of the shell; without it there is no shell."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(place, "shell", lambda: None)
    return lambda **variables: monkeypatch.setattr(place, "shell", lambda: Shell(**variables))


@pytest.mark.parametrize("name", ["deep/notes.ipynb", "notes.ipynb"])
def test_the_path_is_what_the_server_tells_its_kernels(tmp_path, monkeypatch, shell, name):
    """For a front end that names its session by the file, as JupyterLab and Notebook 7 do."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    save(file)
    server = SessionManager(kernel_manager=MappingKernelManager(root_dir=str(tmp_path)))
    told = server.get_kernel_env(name, file.name)["JPY_SESSION_NAME"]
    server.close()
    monkeypatch.setenv("JPY_SESSION_NAME", told)
    monkeypatch.chdir("/")

    assert file == current_path()


@pytest.mark.parametrize("told", ["notes.ipynb", "work/notes.ipynb"])
def test_a_path_below_the_servers_root_is_found_in_the_kernels_folder(
    path, monkeypatch, told, shell
):
    """The root is not known to a kernel, but it begins in the notebook's folder."""
    save(path)
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("JPY_SESSION_NAME", told)

    assert path == current_path()


def test_vs_code_says_it_in_a_variable(path, monkeypatch, shell):
    """Which counts before what an outer server told."""
    save(path)
    monkeypatch.setenv("JPY_SESSION_NAME", "other.ipynb")
    shell(__vsc_ipynb_file__=str(path))

    assert path == current_path()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, "file is not known"),
        ("", "file is not known"),
        ("/no/such/notes.ipynb", "There is no file /no/such/notes.ipynb"),
        ("Console 1", "There is no file Console 1"),
        ("/", "There is no file /"),
        ("a\x00b", "There is no file"),
    ],
)
def test_a_path_that_is_not_known_is_asked_for(monkeypatch, shell, told, said, tmp_path):
    """A renamed notebook has another one than its kernel was told."""
    monkeypatch.chdir(tmp_path)
    shell(__vsc_ipynb_file__=told)

    with pytest.raises(InputError, match=said) as caught:
        current_path()
    assert "%claude_nb restore analysis.ipynb" in caught.value.advice
