"""The wheel holds the package with its data, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from claude_nb import __version__
from claude_nb.command_line.notebooks import PARTS

ROOT = Path(__file__).resolve().parents[1]
LESSONS = {
    path.relative_to(ROOT / "notebooks").as_posix()
    for part in PARTS
    for path in (ROOT / "notebooks").glob(part)
}
NOTEBOOKS = sorted(ROOT / "notebooks" / name for name in LESSONS if name.endswith(".ipynb"))
LINK = re.compile(r"""(?:\]\(|\bsrc=["']|\bhref=["'])([^)\s"']+)""")
METADATA = f"claude_nb-{__version__}.dist-info/"
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def names(wheel):
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package_and_the_notebooks_once(names):
    """Modules, widget code, styles, texts, data, notebooks and the typing marker; no tests."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "claude_nb").rglob("*")
        if path.is_file() and not {"__pycache__", "labextension"} & {*path.parts}
    }
    notebooks = {f"claude_nb/notebooks/{name}" for name in LESSONS}
    assert len(notebooks) >= 9
    ours = {name for name in names if name.startswith("claude_nb/")}
    assert ours == package | notebooks


def test_notebooks_of_ones_own_are_not_in_the_wheel():
    """Who tries a checkout makes some beside ours; each of ours is packaged, and copied."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        targets = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]
    git = ["git", "ls-files", "notebooks/*.ipynb"]
    listed = subprocess.run(git, check=True, cwd=ROOT, capture_output=True, text=True)
    ours = [Path(name).name for name in listed.stdout.split()]

    assert targets["wheel"]["include"] == ["claude_nb", *(f"notebooks/{part}" for part in PARTS)]
    assert not any(Path("Untitled.ipynb").match(part) for part in PARTS)
    assert [name for name in ours if not any(Path(name).match(part) for part in PARTS)] == []


def test_the_extension_is_installed_where_jupyter_looks(names):
    """Each file of it is in the wheel once, and nothing else goes beside the package."""
    folder = ROOT / "claude_nb" / "labextension"
    place = f"claude_nb-{__version__}.data/data/share/jupyter/labextensions/claude-nb"
    extension = {
        f"{place}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file()
    }
    beside = {name for name in names if not name.startswith(("claude_nb/", METADATA))}
    assert beside == extension


def test_the_extension_has_the_version_of_the_package():
    """JupyterLab shows it, and a page that was loaded before an update is told by it."""
    folder = ROOT / "claude_nb" / "labextension"
    packages = [folder / "package.json", folder / "schemas" / "claude-nb" / "package.json.orig"]
    versions = [json.loads(path.read_text(encoding="utf-8"))["version"] for path in packages]
    page = (folder / "static" / "presence.js").read_text(encoding="utf-8")
    assert [*versions, *re.findall(r'VERSION = "(.*)"', page)] == [__version__] * 3


@pytest.fixture(scope="module")
def metadata(wheel):
    """What PyPI reads."""
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"{METADATA}METADATA"))


def test_the_page_on_pypi_needs_no_checkout(metadata):
    """The command installs the package, nothing links to a file, and no heading is empty."""
    page = metadata.get_payload(decode=True).decode()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "pip install 'claude-nb[lab]' && .venv/bin/claude-nb lab\n" in page
    assert "%load_ext claude_nb\n" in page
    assert [link for link in LINK.findall(page) if not link.startswith("https://")] == []
    assert re.findall(r"<img|-e '|\.ci/", page) == []
    assert re.findall(r"^## .*\n+##? .*", page, re.MULTILINE) == []


def test_what_is_uploaded_to_pypi_passes_its_check(wheel):
    """Wheel and sdist, without a warning."""
    command = [sys.executable, "-m", "twine", "check", "--strict", *wheel.parent.iterdir()]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout.count("PASSED")) == (0, 2), checked.stdout


def test_the_metadata_name_no_address_that_does_not_exist(metadata):
    """There is no public repository and no site so far: an address is added with them."""
    assert metadata.get_all("Project-URL") is None
    assert metadata["Home-page"] is None
    assert metadata["Version"] == __version__


def test_the_wheel_that_the_docs_install_has_this_version():
    """So that their commands work as they are pasted."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    assert set(re.findall(r"claude_nb-([\w.]+)-py3", text)) == {__version__}


def test_the_wheel_is_small(wheel):
    """Pictures of the README are not in it, nor what only the tests need."""
    assert wheel.stat().st_size < 1.5 * MEGABYTE


def test_the_package_says_that_it_is_typed(names):
    """Type checkers of its users read its annotations."""
    assert "claude_nb/py.typed" in names


def test_the_licence_and_the_command_are_in_the_metadata(names, wheel):
    """Installing gives the ``claude-nb`` command; the licence travels with it."""
    assert f"{METADATA}licenses/LICENSE" in names
    with zipfile.ZipFile(wheel) as archive:
        commands = archive.read(f"{METADATA}entry_points.txt").decode()
    assert commands == "[console_scripts]\nclaude-nb = claude_nb.__main__:main\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_packaged_notebook_needs_no_other_file(wheel, path):
    """It is the one in ``notebooks``, and links only to what is packaged beside it."""
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"claude_nb/notebooks/{path.name}") == path.read_bytes()

    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    links = {link for text in texts for link in LINK.findall(text) if "://" not in link}
    assert {link.partition("#")[0] for link in links} <= {"", *LESSONS}
