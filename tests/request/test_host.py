"""Which application shows the notebook."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from claude_nb.request.host import host

ASK = "from claude_nb.request.host import host\nprint(host())"
VSCODE = "vscode-notebook-cell:/home/ada/pairs.ipynb#W0sZmlsZQ%3D%3D"
LAB = "5f1c7a0e-8f43-4d37-9f0c-5f0a5c1b7b1e"


@pytest.fixture
def imported(monkeypatch):
    """A function that puts a module with these names among the imported ones."""

    def put(name: str, **names: object) -> None:
        module = ModuleType(name)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, name, module)

    return put


def test_none():
    """Outside of notebooks there is no such application."""
    assert not host()


def test_colab(imported):
    """Colab's own package is imported in its kernels."""
    imported("google.colab")

    assert host() == "colab"


def test_marimo(imported, monkeypatch):
    """Marimo is the host on all threads of its notebooks, and not wherever it is imported."""
    monkeypatch.setattr("claude_nb.request.host._was_marimo", False)
    imported("marimo")
    assert not host()

    imported("marimo", running_in_notebook=lambda: False)
    assert not host()

    imported("marimo", running_in_notebook=lambda: True)
    assert host() == "marimo"

    imported("marimo", running_in_notebook=lambda: False)
    assert host() == "marimo"


@pytest.mark.kernel
def test_the_page_decides(kernel):
    """The cell's id tells VS Code from other pages of the same kernel, on Colab's machines too."""
    colab = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')"
    started = "__vsc_ipynb_file__ = '/home/ada/pairs.ipynb'"
    told = []
    for before, cell in [
        ("", LAB),
        ("", VSCODE),
        (started, LAB),
        (started, ""),  # as while a widget's message is handled
        (colab, VSCODE),
        (colab, LAB),
    ]:
        kernel.run(before, LAB)
        kernel.run(ASK, cell)
        told.append(kernel.printed.strip())
    kernel.run("del sys.modules['google.colab']")

    assert told == ["", "vscode", "", "vscode", "vscode", "colab"]
