"""A memory beside the tests' own notebook, and approvals of their own."""

from __future__ import annotations

import pytest

from claude_nb.tools import approvals


@pytest.fixture(autouse=True)
def own_approvals(monkeypatch, tmp_path):
    """No test writes into the developer's Jupyter configuration, nor sees another's."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(approvals, "_session", set())


@pytest.fixture
def here(monkeypatch, tmp_path):
    """The folder of the notebook."""
    place = tmp_path / "notebooks"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
