"""Run the notebooks in a real kernel and save the outputs: ``python -m tests.refresh_notebooks``.

The replies come from the simulator, at its natural pace. The same two functions serve the test
that holds the saved outputs to what a run makes today.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    import nbformat

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))

WIDGET = "application/vnd.jupyter.widget-view+json"

_SECONDS = re.compile(r" *(?:\d+ min )?\d+(?:\.\d+)? s\b")
_PACE = re.compile(r"[\d,]+ (?=(?:tokens|characters)/s)")
_BARS = re.compile(r" *[▁-█░][ ▁-█░]*")
_TIMELINE = re.compile(r"<[^>]+>|\d+\.\d{3}\b(?! s\b)(?: to \d+\.\d{3})?|\bmax [\d,]+")
"""What depends on times in a timeline's HTML: where its marks stand, and what it says of them."""
_SPEED = re.compile(r"\bspeed \S+(?= · seed)")
_CLOCK = re.compile(r"\b\d\d:\d\d:\d\d\b")
_DAY = re.compile(r"(?<=answered )\d{4}(\\?-\d\d){2}")
_PICTURE = re.compile(r"iVBORw0KGgo[\w+/=]+|(?<=\[picture, )\d+ × \d+")
"""A PNG that Matplotlib has drawn, and its size, depend on its version and on fonts."""
_REQUEST_ID = re.compile(r"req_sim_\w+")
_CHAT = re.compile(r"claude-nb-chat-[0-9a-f]{32}")
"""The class by which a page finds what is saved of a chat."""


def execute(path: Path, *, speed: float = 1.0, **environment: str) -> nbformat.NotebookNode:
    """Run a notebook without a key and without a front end.

    Args:
        path: The notebook; the file is not changed.
        speed: Factor on the pace of the simulator's replies.
        **environment: Variables that its kernel finds, beside or instead of those set here.

    Returns:
        The notebook with the outputs of this run.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as home:
        ours = {
            "ANTHROPIC_CONFIG_DIR": home,
            "CLAUDE_NB_KEEP": "0",  # what it takes to show answers again would make them larger
            "CLAUDE_NB_SIMULATE": "1",
            "CLAUDE_NB_SIMULATE_SPEED": str(speed),
            "IPYTHONDIR": home,
            **environment,
        }
        prefixes = ("ANTHROPIC_", "CLAUDE_NB_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
        with patch.dict(os.environ, kept | ours, clear=True):  # what the kernel inherits
            client = NotebookClient(
                notebook,
                timeout=120,
                record_timing=False,
                store_widget_state=False,
                coalesce_streams=True,  # GitHub would begin a line with each piece that is printed
            )
            client.execute(cwd=str(path.parent))
    for cell in notebook.cells:  # a chat is saved beside its widget, which nobody can use later
        if "outputs" in cell:
            cell.outputs = [each for each in cell.outputs if WIDGET not in each.get("data", ())]
    # The version of this Python is not worth a difference in a saved notebook.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def comparable(notebook: nbformat.NotebookNode) -> list[Any]:
    """The cells with their outputs, times and request ids taken out: the same for every run.

    What is drawn by times, such as a timeline, is compared by what it says.
    """
    cells = json.loads(json.dumps(notebook.cells))
    for cell in cells:
        if "outputs" in cell:
            cell["outputs"] = _joined(cell["outputs"])
    return [_without_times(cell) for cell in cells]


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs in which what was printed stands together: how it is parted depends on times."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        last = found[-1] if found else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            found[-1] = last | {"text": "".join(last["text"]) + "".join(output["text"])}
        else:
            found.append(output)
    return found


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        if "asked" in value:
            value = value | {"asked": ""}
        if "parent" in value:  # a turn: its name and its parent's are made anew
            value = value | {"id": "", "parent": value["parent"] is not None}
        if "kept" in value:
            value = value | {"kept": ""}
        if "head" in value:  # of a chat
            value = value | {"head": value["head"] is not None}
        return {k: {} if k in ("timing", "answer") else _without_times(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    if isinstance(value, str):
        if "claude-nb-timeline" in value:
            value = " ".join(_TIMELINE.sub(" ", value).split())
        timeless = _SECONDS.sub(" 0 s", _CLOCK.sub("00:00:00", _SPEED.sub("speed 1", value)))
        # Of an axis, the number of its figures depends on times too.
        timeless = re.sub(r"(?: 0 s\b)+", " 0 s", _BARS.sub(" ", _PACE.sub("", timeless)))
        timeless = _PICTURE.sub("picture", timeless)
        timeless = _CHAT.sub("claude-nb-chat", timeless)
        return _DAY.sub("2026-11-28", _REQUEST_ID.sub("req_sim", timeless))
    return value


if __name__ == "__main__":
    import nbformat

    for notebook_path in NOTEBOOKS:
        if len(sys.argv) == 1 or notebook_path.stem in sys.argv[1:]:
            nbformat.write(execute(notebook_path), notebook_path)
