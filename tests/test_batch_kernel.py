"""A batch outlives the kernel that handed it in: 2,000 rows, killed, resumed, whole, in order."""

from __future__ import annotations

import os
import signal

import nbformat
import pytest
from nbclient import NotebookClient

from claude_nb import Simulator
from claude_nb.streaming.record import MIME

ROWS = 2_000
MOST_MB = 24
"""What the kernel may grow by while it reads results of some 3 MB into a table."""

HAND_IN = f"""
import claude_nb
texts = [f"number {{n}}" for n in range({ROWS})]
made = claude_nb.batch(texts, "Look at {{{{prompt}}}}.", model="claude-haiku-5-5", max_tokens=400)
"""
KILL = f"import os, signal; os.kill(os.getpid(), {int(getattr(signal, 'SIGKILL', 9))})"
RESUME = """
import pathlib
import claude_nb
def peak():
    # Not ru_maxrss, which begins with that of the process that started this one.
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
claude_nb.batch(["warm up"], model="claude-haiku-5-5", show=False).wait()
import pandas
before = peak()
made = claude_nb.Batch.resume()
made.wait()
table = made.to_pandas()
in_order = all(f"Look at number {n}." in text for n, text in enumerate(table["text"]))
print(made.counts, in_order, len(made.ids), round(peak() - before))
"""


@pytest.mark.kernel
def test_killed_and_resumed_from_the_saved_notebook(tmp_path, monkeypatch):
    """All that is left of it is the output of the cell, as the front end saved it."""
    path = tmp_path / "analysis.ipynb"
    with Simulator(speed=1.0, record=False) as service:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", service.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        cells = [nbformat.v4.new_code_cell(source) for source in (HAND_IN, KILL)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        with pytest.raises(Exception, match=r"(?i)died|dead"):
            NotebookClient(notebook, timeout=120, record_timing=False).execute(cwd=str(tmp_path))
        outputs = notebook.cells[0].outputs
        shown = [o for o in outputs if o["output_type"] == "display_data"]
        assert "in progress" in shown[-1]["data"]["text/plain"], outputs
        nbformat.write(notebook, path)

        service.advance(1000)
        again = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(RESUME)])
        NotebookClient(again, timeout=120, record_timing=False).execute(cwd=str(tmp_path))

    outputs = again.cells[0].outputs
    said = next(output["text"] for output in outputs if output.get("name") == "stdout")
    counts, in_order, parts, grown = said.rsplit(None, 3)
    assert counts == f"{{'complete': {ROWS}}}"
    assert (in_order, parts) == ("True", "1")
    assert int(grown) < MOST_MB
    record = next(o["data"][MIME] for o in outputs if MIME in o.get("data", {}))
    assert record["batch"]["rows"] == record["requests"] == ROWS
    assert os.environ["ANTHROPIC_API_KEY"] not in nbformat.writes(notebook)
