"""README and the pages of the site: which of their examples run, and where their links lead.

``tests/browser/test_site.py`` builds the site, which runs the examples.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.relative_to(ROOT).parts[:2] not in (("docs", "notebooks"), ("docs", "_build"))
}
"""README and the pages, without those that are copied or built."""

NOT_RUN = {
    "docs/guide/batches.md": ["needs a saved notebook"],
    "docs/guide/front_ends.md": ["needs such a server"],
    "docs/guide/remember.md": [
        "needs a page, whose cell it writes",
        "needs a saved notebook",
    ],
    "docs/guide/tools.md": ["needs a network"],
    "docs/install.md": ["asks for a key", "Colab only"],
    "docs/lecturers.md": ["the settings of a hub"],
}
"""The examples that no simulator can answer, and why; all others run when the site is built."""

OTHER_LANGUAGES = {"bash", "text"}

IMPORT = re.compile(r"^ *(?:from (\w+)[\w.]* import |import (\w+))", re.MULTILINE)

COME_ALONG = {"claude_nb", "httpx2"}
"""This package, and what the SDK brings."""

LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)|\b(?:src|srcset)=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def extension():
    """The modules of the site."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import extension.examples
        import extension.notebooks
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return extension


@pytest.fixture(scope="module")
def examples(extension):
    """The module that finds and runs examples."""
    return extension.examples


def test_an_example_that_does_not_run_says_why(examples):
    """Each is listed above; whatever else is Python or IPython runs."""
    why = {
        name: [block.not_run for block in examples.blocks(page) if block.not_run]
        for name, page in PAGES.items()
    }
    assert {name: found for name, found in why.items() if found} == NOT_RUN


def test_the_site_has_the_notebooks_alone(extension, tmp_path):
    """No checkpoints of JupyterLab, no notebooks that a reader made there, and none of earlier."""
    kept = ["00_quickstart.ipynb", "README.md", "images/way.svg"]
    others = [
        ".ipynb_checkpoints/00_quickstart-checkpoint.ipynb",
        "Untitled.ipynb",
        "talks/1.jsonl",
    ]
    for name in (*kept, *others):
        (tmp_path / "notebooks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notebooks" / name).write_text("{}", encoding="utf-8")
    site = tmp_path / "docs" / "notebooks"
    site.mkdir(parents=True)
    (site / "10_gone.ipynb").write_text("{}", encoding="utf-8")

    app = SimpleNamespace(srcdir=tmp_path / "docs", connect=(found := {}).__setitem__)
    extension.notebooks.setup(SimpleNamespace(**vars(app), add_source_suffix=lambda *_: None))
    found["config-inited"](app, None)

    assert sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()) == kept


def test_what_examples_and_notebooks_import_comes_with_lab():
    """README's first command installs it: they import nothing that only the tests need."""
    sources = list(PAGES.values())
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = {
        name for source in sources for names in IMPORT.findall(source) for name in names if name
    }
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    needed += project["optional-dependencies"]["mcp"]
    packages = {re.match(r"[\w-]+", line)[0] for line in needed}
    where = metadata.packages_distributions()

    missing = {
        name
        for name in found - sys.stdlib_module_names - COME_ALONG
        if not packages & {each.lower() for each in where.get(name, [name])}
    }

    assert {"pandas", "matplotlib", "pydantic"} <= found
    assert missing == set()


def test_every_code_block_has_a_language():
    """So none is left out because its language is missing; directives have theirs in braces."""
    for name, page in PAGES.items():
        opening = re.findall(r"^ *```+(.*)$", page, re.MULTILINE)[::2]
        assert [
            language
            for language in opening
            if language not in OTHER_LANGUAGES | {"python", "ipython"} and language[:1] != "{"
        ] == [], name


def test_blocks_are_cells_in_the_order_of_the_page(examples):
    """Python and IPython are cells, with their lines and marks; other languages are none."""
    page = (
        "```python\na = 1\n```\n\n```bash\nls\n```\n\n"
        "<!-- not run: no key -->\n```ipython\n%x\n```\n<!-- raises -->\n```python\n1 / 0\n```\n"
    )
    found = [(b.source, b.line, b.not_run, b.raises) for b in examples.blocks(page)]
    assert found == [("a = 1", 2, "", False), ("%x", 11, "no key", False), ("1 / 0", 15, "", True)]


@pytest.mark.kernel
def test_examples_run_in_order_and_each_page_begins_anew(examples):
    """A block sees what those before it made; the next page does not; an error names its place."""
    first = "```python\nname = 'Ada'\n```\n\n```ipython\nprint(name)\n%load_ext claude_nb\n```\n"
    second = "\n```python\nname\n```\n"

    with pytest.raises(Exception, match=r"second, line 3[\s\S]*NameError"):
        examples.run({"first": first, "second": second})
    outputs = examples.run({"first": first})["first"]
    shown = examples.with_outputs(first, outputs)
    assert re.search(r"%load_ext claude_nb\n```\s+~+\{raw\} html[\s\S]*<pre[^>]*>Ada</pre>", shown)


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "notebooks/README.md"]
)
def test_links_lead_to_files(name):
    """A link of these, which are read where they stand, leads to a file. Sphinx tests the pages."""
    page = ROOT / name
    links = [a or b for a, b in LINK.findall(page.read_text(encoding="utf-8"))]
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_readme_is_a_screen_and_a_half():
    """A newcomer reads to its end: the facts have pages of their own."""
    assert len(PAGES["README.md"].split()) <= 700
