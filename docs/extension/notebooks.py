"""The notebooks, as pages: their cells, and the outputs that are saved in them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_nb.command_line.notebooks import PARTS
from extension.outputs import to_markdown

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

FOLDER = "notebooks"
"""Where they stand in the site's sources; copies, as Sphinx reads one folder alone."""

_PARTS = (*PARTS, "images/*.png", "images/*.gif")
"""What is copied; in the same folder JupyterLab saves checkpoints, and users make notebooks."""

_MAGIC = re.compile(r"^ *(?:\w+ = )?[%!]", re.MULTILINE)

_LIST = """

```{toctree}
:hidden:
:glob:

*
```
"""
"""Behind the page that introduces them: the notebooks, for the navigation."""


def to_page(notebook: dict[str, Any]) -> str:
    """A notebook as a page in Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif source:
            language = "ipython" if _MAGIC.search(source) else "python"
            parts.append(f"``````{language}\n{source}\n``````")
            parts.append(to_markdown(cell["outputs"]))
    return "\n\n".join(filter(None, parts))


def anchor(title: str) -> str:
    """The anchor of a heading, as JupyterLab makes it: notebooks link to those."""
    return title.replace(" ", "-")


def _copy(app: Sphinx, _config: Config) -> None:
    """Make the folder that Sphinx reads hold the notebooks and their pictures, and no others."""
    source, target = Path(app.srcdir).parent / "notebooks", Path(app.srcdir) / FOLDER
    paths = {target / p.relative_to(source): p for part in _PARTS for p in source.glob(part)}
    for old in [path for path in target.rglob("*") if path.is_file() and path not in paths]:
        old.unlink()
    for copy, path in paths.items():
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    if app.env.doc2path(docname).suffix == ".ipynb":
        source[0] = to_page(json.loads(source[0]))
    elif docname == f"{FOLDER}/README":
        source[0] = source[0].replace("](../docs/", "](../") + _LIST


def setup(app: Sphinx) -> None:
    """Read notebooks as Markdown."""
    app.add_source_suffix(".ipynb", "markdown")
    app.connect("config-inited", _copy)
    app.connect("source-read", _read)
