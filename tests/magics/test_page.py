"""The settings and the version that a page with the JupyterLab extension tells."""

from __future__ import annotations

import pytest

import claude_nb
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
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
    assert "extension of claude_nb 0.0.9, but the kernel has" in kernel.printed
    kernel.run("%%claude\nWhen?", page=other)
    assert kernel.printed == ""
    kernel.run("%claude_nb status", page=other)
    assert "reload the page" in kernel.printed
    kernel.run("%claude_nb status", page=page())
    assert f"JupyterLab extension {claude_nb.__version__}" in kernel.printed
    kernel.run("%claude_nb status")
    assert "extension" not in kernel.printed


ERROR = {
    "cell": "a1b2",
    "execution": 7,
    "name": "NameError",
    "source": "print(price)",
    "traceback": "\x1b[31mNameError\x1b[0m: name 'price' is not defined",
}


def test_an_error_that_the_page_hands_over_is_sent_and_recorded(kernel, simulator):
    """It is the one that the reader chose, although the kernel's newest is another."""
    simulator.enqueue(Stream(said("Give it a value.")))
    kernel.run("1 / 0")

    kernel.run("%%claude --once --error\nWhy?", page=page({"error": ERROR}))

    (prompt,) = simulator.requests[-1].body["messages"][-1]["content"]
    assert prompt["text"] == (
        '<error cell="7">\n<input>\nprint(price)\n</input>\n<traceback>\n'
        "NameError: name 'price' is not defined\n</traceback>\n</error>\n\nWhy?"
    )
    record = kernel.last_shown()["data"][MIME]
    assert record["error_of"] == {"cell": "a1b2", "execution": 7}


def test_an_error_is_chosen_by_its_cell(kernel, simulator):
    """``--error N``; a number without an error is refused with those that there are."""
    simulator.enqueue(Stream(said("Give it a value.")), Stream(said("Divide by another.")))
    kernel.run("print(price)")
    kernel.run("1 / 0")

    kernel.run("%%claude --once --error 1 --effort low\nWhy?")
    assert "name 'price'" in simulator.requests[-1].body["messages"][-1]["content"][0]["text"]
    assert kernel.last_shown()["data"][MIME]["error_of"] == {"cell": "", "execution": 1}
    kernel.run("%claude --once --error 2 cells failed?")  # of the prompt: no number of a cell
    assert "ZeroDivision" in simulator.requests[-1].body["messages"][-1]["content"][0]["text"]

    assert kernel.run("%%claude --error 3\nWhy?")["evalue"] == (
        "Cell [3] did not fail in this kernel. The cells that failed: [1]–[2]."
    )


@pytest.mark.parametrize("wrong", ["x", {"cell": 1}, ERROR | {"traceback": None}])
def test_an_error_of_another_shape_is_not_read(kernel, wrong):
    """Then it is the kernel's own, of which there is none."""
    kernel.run("import sys; vars(sys).pop('last_value', None)")
    told = page({"error": wrong})
    assert "Nothing has failed yet" in kernel.run("%%claude --error\nWhy?", page=told)["evalue"]
