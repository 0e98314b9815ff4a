"""``claude-nb strip``: copies, the notebooks themselves, or a pipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from claude_nb.__main__ import main
from claude_nb.conversation.saved_notebook import load
from tests.conversation.test_saved_notebook import cell, save
from tests.conversation.test_strip import RECORD, displayed


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A notebook with a record, in the current folder."""
    monkeypatch.chdir(tmp_path)
    return save(tmp_path / "notes.ipynb", cell(outputs=[displayed(record=RECORD)]))


def test_a_copy_is_written_beside_the_notebook(path, capsys):
    """Which stays as it is; what was removed is said, and what stays."""
    before = path.read_bytes()
    assert main(["strip", "notes.ipynb"]) == 0

    assert path.read_bytes() == before
    assert load(path.with_name("notes-stripped.ipynb")).records == ()
    assert capsys.readouterr().out == (
        "Wrote notes-stripped.ipynb: removed 1 record."
        " The answers stay visible; --answers removes them too.\n"
    )


def test_a_copy_of_another_name_without_the_answers(path, capsys):
    """A file that is there is replaced only if that is asked for, or if it would be the same."""
    command = ["strip", "notes.ipynb", "-o", "plain.ipynb"]
    assert [main(command), main(command), main([*command, "--answers"])] == [0, 0, 1]
    said = capsys.readouterr()
    assert said.err == (
        "plain.ipynb exists already; it was not changed. To replace it: --overwrite\n"
    )
    assert main([*command, "--answers", "--overwrite"]) == 0
    assert "removed 1 record, 1 visible answer." in capsys.readouterr().out
    assert json.loads(path.with_name("plain.ipynb").read_text())["cells"][0]["outputs"] == []


def test_in_place_several_and_one_that_is_no_notebook(path, tmp_path, capsys):
    """The others are stripped all the same, and one with nothing to remove is not written."""
    (tmp_path / "text.txt").write_text("mine")
    clean = save(tmp_path / "clean.ipynb", cell(source="1 + 1"))
    clean.chmod(0o400)
    before = clean.stat().st_mtime_ns

    assert (
        main(["strip", "--in-place", "text.txt", "gone.ipynb", "clean.ipynb", "notes.ipynb"]) == 1
    )

    assert (tmp_path / "text.txt").read_text() == "mine"
    assert clean.stat().st_mtime_ns == before
    assert load(path).records == ()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clean.ipynb", "notes.ipynb", "text.txt"]
    said = capsys.readouterr()
    assert said.out.startswith("clean.ipynb: nothing to remove.\nnotes.ipynb: removed 1 record.")
    assert "text.txt is not a notebook" in said.err
    assert "There is no file gone.ipynb." in said.err


def test_what_cannot_be_written(path, tmp_path, capsys):
    """The error names it: a folder, and a pipe that would have to be changed in place."""
    assert main(["strip", "notes.ipynb", "-o", "."]) == 1
    assert capsys.readouterr().err == ". cannot be written: it is a folder.\n"
    assert main(["strip", "--in-place", "-"]) == 1
    assert capsys.readouterr().err.startswith("--in-place changes files.")
    assert [file.name for file in tmp_path.iterdir()] == ["notes.ipynb"]


@pytest.mark.parametrize("more", [["--in-place"], ["other.ipynb"], ["-"]])
def test_a_name_for_a_copy_goes_with_one_notebook(path, capsys, more):
    """Nothing is written, and the error says so."""
    assert main(["strip", "-o", "copy.ipynb", "notes.ipynb", *more]) == 1
    assert capsys.readouterr().err.startswith("-o names the copy of one notebook.")


def test_a_pipe_such_as_git_s_filter_gets_the_notebook_alone(path):
    """And nothing at all, with an error, for what is no notebook: Git then keeps what it has."""
    command = [sys.executable, "-m", "claude_nb", "strip", "-"]
    ran = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True)
    assert json.loads(ran.stdout)["cells"][0]["outputs"] == [displayed()]
    assert ran.stderr == b""

    ran = subprocess.run(command, input=b"text", capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.strip() == b"The standard input is not a notebook: it is not JSON."

    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            command, input=path.read_bytes(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr == b"The standard output cannot be written: No space left on device.\n"
