"""The fenced code of a reply: taken out as it is shown, and joined for a cell."""

from __future__ import annotations

import pytest

from claude_nb.render.code import CodeBlock, code_blocks, code_for_cell

MARKDOWN = {
    "one": ("Look:\n\n```python\nx = 1\ny = 2\n```\n\nThat is it.", [("python", "x = 1\ny = 2")]),
    "two": ("```py\n1\n```\n```\n2\n```", [("py", "1"), ("", "2")]),
    "tildes": ("~~~ sql title=x\nselect 1\n~~~", [("sql", "select 1")]),
    "longer": ("````md\n```py\n1\n```\n````", [("md", "```py\n1\n```")]),
    "nested": (
        "- a\n\n  ```py\n  if x:\n      1\n  ```\n\n> ```r\n> 2",
        [("py", "if x:\n    1"), ("r", "2")],
    ),
    "unclosed": ("```python\nx = 1\nprint(", [("python", "x = 1\nprint(")]),
    "opening": ("Look:\n\n```py", [("py", "")]),
    "entity": ("```c&#43;&#43;\n1\n```", [("c++", "1")]),
    "lines": ("```\n\n1\n\n```", [("", "\n1\n")]),
    "ends": ("```py\r\n1\r\n2\r\n```\r\n", [("py", "1\n2")]),
    "control": ("```\n\x1b[31m\ud83d\n```", [("", "␛[31m\ufffd")]),
    "hidden": (
        "```\nx = '\u202e\u2066' # \u200f\n```",
        [("", "x = '‹U+202E›‹U+2066›' # ‹U+200F›")],
    ),
    "indented": ("    x = 1\n", []),
    "inline": ("`x` and ``` y ```", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), MARKDOWN.values(), ids=MARKDOWN)
def test_fences_are_taken_out_in_order(text, expected):
    """Wherever they stand, closed or not, with the characters that are shown."""
    assert [CodeBlock(*block) for block in expected] == code_blocks(text)


JOINED = {
    "python only": ([("bash", "ls"), ("python", "a"), ("", "b"), ("Py", "c")], "a\n\nb\n\nc"),
    "none is python": ([("bash", "ls"), ("sql", "select 1")], "ls\n\nselect 1"),
    "empty": ([("python", ""), ("python", "\na\n"), ("python", "\n")], "a"),
    "nothing": ([], ""),
}


@pytest.mark.parametrize(("blocks", "expected"), JOINED.values(), ids=JOINED)
def test_a_cell_gets_the_python_or_else_everything(blocks, expected):
    """A blank line stands between two blocks."""
    assert expected == code_for_cell([CodeBlock(*block) for block in blocks])
