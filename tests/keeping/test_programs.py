"""Notebooks that programs run, without a file that the kernel knows: a folder keeps the answers."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from papermill import execute_notebook

from claude_nb.simulator import Stream
from tests.played import end, start, text, thinking

pytestmark = pytest.mark.kernel

CELLS = [
    "%load_ext claude_nb",
    "df = [VALUE]",
    "%%claude\nFirst",
    "%%claude\nSecond {{df}}",
    "%%claude\nThird",
    "%%claude --once\nAlone",
]

METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def with_nbclient(path, out):
    """Run a notebook as nbconvert does."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=60).execute(cwd=str(path.parent))
    nbformat.write(notebook, out)


def with_papermill(path, out):
    """Run a notebook as papermill does."""
    execute_notebook(path, out, progress_bar=False, cwd=path.parent, log_output=False)


def test_what_a_folder_has_is_not_asked_again(api, tmp_path, monkeypatch):
    """Nothing the second time; after a change what depends on it, and the notes say why."""
    monkeypatch.setenv("CLAUDE_NB_KEEP_DIR", "answers")
    path, out = tmp_path / "in.ipynb", tmp_path / "out.ipynb"

    def run(execute, value, *answers: str):
        cells = [new_code_cell(source.replace("VALUE", str(value))) for source in CELLS]
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), path)
        for answer in answers:
            events = [*thinking("Well."), *text(answer, index=1)]
            api.enqueue(Stream([start(), *events, *end()]))
        api.forget()
        execute(path, out)
        saved = nbformat.read(out, as_version=4).cells[-4:]
        return [one.data["text/plain"] for cell in saved for one in cell.outputs if "data" in one]

    answers = ["One.", "Two.", "Three.", "Four."]
    run(with_nbclient, 1, *answers)
    assert len(list((tmp_path / "answers").glob("*.jsonl"))) == 4

    again = run(with_papermill, 1)
    assert not api.requests
    assert all("kept · $0 · answered 20" in shown for shown in again)
    assert all(answer in shown for answer, shown in zip(answers, again, strict=True))

    changed = run(with_nbclient, 2, "Zwei.", "Drei.")
    assert len(api.requests) == 2
    assert ["asked again" in shown for shown in changed] == [False, True, True, False]
    assert "asked again: {{df}} changed" in changed[1]
    assert "asked again: an earlier turn changed" in changed[2]
