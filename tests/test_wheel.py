"""The wheel holds the package with its data, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
METADATA = "claude_nb-0.1.0.dist-info/"


@pytest.fixture(scope="module")
def names(wheel):
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package_and_the_quickstart(names):
    """Modules, widget code, styles, texts, data and the typing marker; no tests, no notebooks."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "claude_nb").rglob("*")
        if path.is_file() and not {"__pycache__", "labextension"} & {*path.parts}
    }
    quickstart = "claude_nb/data/00_quickstart.ipynb"
    ours = {name for name in names if name.startswith("claude_nb/")}
    assert ours == package | {quickstart}


def test_the_extension_is_installed_where_jupyter_looks(names):
    """Each file of it is in the wheel once, and nothing else goes beside the package."""
    folder = ROOT / "claude_nb" / "labextension"
    place = "claude_nb-0.1.0.data/data/share/jupyter/labextensions/claude-nb"
    extension = {
        f"{place}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file()
    }
    beside = {name for name in names if not name.startswith(("claude_nb/", METADATA))}
    assert beside == extension


def test_the_package_says_that_it_is_typed(names):
    """Type checkers of its users read its annotations."""
    assert "claude_nb/py.typed" in names


def test_the_licence_and_the_command_are_in_the_metadata(names, wheel):
    """Installing gives the ``claude-nb`` command; the licence travels with it."""
    assert f"{METADATA}licenses/LICENSE" in names
    with zipfile.ZipFile(wheel) as archive:
        commands = archive.read(f"{METADATA}entry_points.txt").decode()
    assert commands == "[console_scripts]\nclaude-nb = claude_nb.__main__:main\n"


def test_the_quickstart_is_the_one_in_the_notebooks_folder(wheel):
    """There is one quickstart, packaged as it is."""
    with zipfile.ZipFile(wheel) as archive:
        packaged = archive.read("claude_nb/data/00_quickstart.ipynb")
    assert packaged == (ROOT / "notebooks" / "00_quickstart.ipynb").read_bytes()
