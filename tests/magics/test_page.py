"""The settings and the version that a page with the JupyterLab extension tells."""

from __future__ import annotations

import pytest

import claude_nb
from claude_nb.simulator import Stream
from tests.played import said

pytestmark = pytest.mark.kernel

SET = {"model": "claude-haiku-4-5", "effort": ""}


def page(changes=()):
    """What a page tells."""
    return {"protocol": 1, "version": claude_nb.__version__, "settings": SET} | dict(changes)


@pytest.fixture
def model(kernel, simulator):
    """The model that a cell asks, run by this page."""

    def asked(told, options=""):
        simulator.enqueue(Stream(said("Six.")))
        kernel.run(f"%%claude --once {options}\nWhen?", page=told)
        return simulator.requests[-1].body["model"]

    return asked


def test_a_setting_is_weaker_than_a_configuration_and_that_than_an_option(kernel, model):
    """Settings, then ``%config``, then the cell's own option."""
    assert model(None) == "claude-opus-5-5"
    assert model(page()) == "claude-haiku-4-5"
    kernel.run("%config ClaudeMagics.model = 'claude-opus-5-5'")
    assert model(page()) == "claude-opus-5-5"
    assert model(page(), "-m claude-sonnet-5-5") == "claude-sonnet-5-5"


@pytest.mark.parametrize(
    "told",
    [
        page({"protocol": 2}),
        page({"settings": {"model": 5}}),
        page({"settings": ["model"]}),
        "1",
        ["claude_nb"],
        {"settings": SET},
    ],
)
def test_what_is_not_understood_is_not_read(model, told):
    """Another protocol, other types: the cell asks as without the extension."""
    assert model(told) == "claude-opus-5-5"


def test_a_difference_of_versions_is_said_once(kernel, simulator):
    """And each time in the status."""
    simulator.enqueue(Stream(said("Six.")), Stream(said("Seven.")))
    other = page({"version": "0.0.9"})

    kernel.run("%%claude\nWhen?", page=other)
    assert "extension of claude_nb 0.0.9, and the kernel has" in kernel.printed
    kernel.run("%%claude\nWhen?", page=other)
    assert kernel.printed == ""
    kernel.run("%claude_nb status", page=other)
    assert "reload the page" in kernel.printed
    kernel.run("%claude_nb status", page=page())
    assert f"JupyterLab extension {claude_nb.__version__}" in kernel.printed
    kernel.run("%claude_nb status")
    assert "extension" not in kernel.printed
