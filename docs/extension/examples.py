"""The code blocks of pages, run in order as a reader would paste them; pages show what they gave.

A block of Python or of IPython is a cell. ``<!-- not run: why -->`` on the line above it leaves it
out, ``<!-- raises -->`` says that it fails, and ``<!-- no output -->`` that a picture shows better
what it gives. Blocks in other languages (``bash``, ``text``) are no cells. All pages share one
kernel, which is cleared before each, and a simulator answers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from sphinx.errors import SphinxError

from extension.outputs import to_markdown
from tests.kernels import FORGET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sphinx.application import Sphinx

LANGUAGES = ("python", "ipython")

_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<source>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page.

    Attributes:
        source: Its text.
        end: Where it ends in the page.
        line: The number of its first line in the page.
        not_run: Why it is not run; empty for one that is.
        raises: Whether it is meant to fail.
        silent: Whether its outputs are not shown.
    """

    source: str
    end: int
    line: int
    not_run: str
    raises: bool
    silent: bool


def blocks(page: str) -> list[Block]:
    """The blocks of a page that are cells, whether they are run or not."""
    found = []
    for fence in _FENCE.finditer(page):
        mark = fence["mark"] or ""
        if fence["language"] in LANGUAGES:
            why = mark.removeprefix("not run: ") if mark.startswith("not run: ") else ""
            line = page.count("\n", 0, fence.start("source")) + 1
            source = fence["source"].rstrip("\n")
            ways = mark == "raises", mark == "no output"
            found.append(Block(source, fence.end(), line, why, *ways))
    return found


def run(pages: Mapping[str, str], written: Path | None = None) -> dict[str, dict[int, list[Any]]]:
    """Run the examples of pages against a simulator, in one kernel that is cleared for each page.

    Args:
        pages: The texts of the pages, by name.
        written: Where the HTML files go that examples write; None for nowhere.

    Returns:
        For each page the outputs of its blocks, by the place in the page at which a block ends.

    Raises:
        nbclient.exceptions.CellExecutionError: A block failed; the error names its page and line.
    """
    cells, places = [], []
    for name, page in pages.items():
        cells.append(new_code_cell(FORGET))
        places.append((name, -1))
        for block in blocks(page):
            if not block.not_run:
                where = {"claude_nb_docs": f"{name}, line {block.line}"}
                tags = {"tags": ["raises-exception"]} if block.raises else {}
                cells.append(new_code_cell(block.source, metadata=where | tags))
                places.append((name, -1 if block.silent else block.end))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = new_notebook(cells=cells, metadata=kernel)
    with _environment() as home:
        client = NotebookClient(notebook, timeout=120, coalesce_streams=True)
        client.on_cell_error = _name_the_place
        client.execute(cwd=str(home / "notebooks"), stderr=DEVNULL)
        for path in (home / "notebooks").glob("*.html") if written else ():
            written.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, written)
    found: dict[str, dict[int, list[Any]]] = {name: {} for name in pages}
    for (name, end), cell in zip(places, notebook.cells, strict=True):
        found[name][end] = _at_home(cell.outputs, home)
    return found


def _at_home(outputs: Any, home: Path) -> Any:
    """Outputs in which the temporary folder has the name of a home."""
    return json.loads(json.dumps(outputs).replace(str(home), "/home/ada"))


def _name_the_place(cell: Any, **_: Any) -> None:
    """Put page and line into the source that the error of a cell shows."""
    where = cell.metadata.get("claude_nb_docs", "between two pages")
    cell.source = f"# {where}\n{cell.source}"


@contextmanager
def _environment() -> Iterator[Path]:
    """An empty home, and an environment without keys, settings and backups of the user."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        Path(home, "notebooks").mkdir()
        for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "CLAUDE_NB_"))]:
            del os.environ[name]
        os.environ |= {
            "ANTHROPIC_CONFIG_DIR": home,
            "CLAUDE_NB_SIMULATE": "1",
            "CLAUDE_NB_SIMULATE_SPEED": "10",
            "IPYTHONDIR": home,
            "JUPYTER_CONFIG_DIR": home,
            "JUPYTER_DATA_DIR": home,
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        try:
            yield Path(home)
        finally:
            os.environ.clear()
            os.environ.update(before)


def with_outputs(page: str, outputs: Mapping[int, list[Any]]) -> str:
    """The page, with what each block gave below it."""
    for end in sorted(outputs, reverse=True):
        if end >= 0 and (shown := to_markdown(outputs[end])):
            page = f"{page[:end]}\n\n{shown}\n{page[end:]}"
    return page


def _run_all(app: Sphinx, _env: Any, docnames: list[str]) -> None:
    """Before pages are read: run the examples of those that changed, and of README."""
    texts = {}
    for name in docnames:
        path = Path(app.env.doc2path(name))
        if not name.startswith("notebooks/") and blocks(text := path.read_text(encoding="utf-8")):
            texts[name] = text
    if texts:
        readme = Path(app.srcdir).parent / "README.md"
        texts["README.md"] = readme.read_text(encoding="utf-8")
        try:
            written = Path(app.outdir, "pages")
            app.claude_nb_outputs = run(texts, written)  # type: ignore[attr-defined]
        except CellExecutionError as error:
            raise SphinxError(f"An example failed.\n{error}") from None


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    outputs = getattr(app, "claude_nb_outputs", {}).get(docname)
    if outputs:
        source[0] = with_outputs(source[0], outputs)


def setup(app: Sphinx) -> None:
    """Run examples before pages are read, and show what they gave."""
    app.connect("env-before-read-docs", _run_all)
    app.connect("source-read", _read)
