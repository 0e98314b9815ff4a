"""What IPython would do to a cell, and does not: tried on IPython's own transformations."""

from __future__ import annotations

import ast

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from claude_nb.errors import InputError
from claude_nb.magics.input_transform import rewrite


@pytest.fixture
def ipython():
    """IPython's transformations, with ours in their place."""
    manager = TransformerManager()
    manager.cleanup_transforms.insert(0, rewrite)
    return manager


def calls(source):
    """The magics that transformed code calls, with their arguments."""
    return [
        tuple(argument.value for argument in node.args)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("get_ipython().run_")
    ]


@pytest.mark.parametrize(
    ("cell", "call"),
    [
        ("%%claude\nWhy?", ("claude", "", "Why?")),
        ("%%claude -m x\nWhy?\n", ("claude", "-m x", "Why?")),
        ("%%claude  -s 'a  b' \n a\n\n", ("claude", "-s 'a  b'", " a\n\n")),
        ("# a comment\n\n%%claude\nWhy?", ("claude", "", "Why?")),
        ("\n  %%claude\n  indented", ("claude", "", "  indented")),
        ("%%claude\n>>> 1\n... 2\nIn [1]: 3", ("claude", "", ">>> 1\n... 2\nIn [1]: 3")),
        ("%%claude\n   \nx\\", ("claude", "", "   \nx\\")),
        ("%%claude\n\x00\ud83d{x}$y", ("claude", "", "\x00\ud83d{x}$y")),
        ("%%claude", ("claude", "", "\n")),
        ("%claude Why?", ("claude", "Why?")),
        ("%claude Why??", ("claude", "Why??")),
        ("x = %claude What's \\d?", ("claude", "What's \\d?")),
        ("a[0].b = %claude Why?", ("claude", "Why?")),
        ("if True:\n    %claude Why?", ("claude", "Why?")),
        ("%claude_nb status", ("claude_nb", "status")),
    ],
)
def test_a_cell_calls_its_magic_with_what_was_typed(ipython, cell, call):
    """Nothing taken out, nothing put in, no help opened."""
    assert calls(ipython.transform_cell(cell)) == [call]


@pytest.mark.parametrize(
    "cell",
    ["x = 1\n", "s = '''\n%claude Why?\n%%claude\n'''\n", "print('%claude Why?')\n", "", "\n"],
)
def test_other_cells_are_left_alone(cell):
    """Also where a string looks like a magic."""
    lines = cell.splitlines(keepends=True)

    assert rewrite(lines) == lines


@pytest.mark.parametrize("cell", ["%%claude?", "%%time\n%claude Why", "%claude?", "%claude ?"])
def test_help_and_other_magics_are_ipython_s(cell):
    """``%%claude?`` is the manual."""
    lines = [cell + "\n"]

    assert rewrite(lines) == lines


def test_a_magic_below_code_says_where_it_belongs(ipython):
    """IPython would call it a syntax error."""
    with pytest.raises(InputError, match="must be the first line of its cell"):
        exec(ipython.transform_cell("x = 1\n%%claude\nWhy?"))


def test_a_terminal_lets_a_prompt_go_on_until_an_empty_line(ipython):
    """As with every cell magic."""
    assert ipython.check_complete("%%claude")[0] == "incomplete"
    assert ipython.check_complete("%%claude\nWhy?")[0] == "incomplete"
    assert ipython.check_complete("%%claude\nWhy?\n\n")[0] == "complete"
    assert ipython.check_complete("%claude Why?")[0] == "complete"
