"""The source of functions and classes, those that were written in a cell too."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from typing import Any


def source(value: Any) -> str | None:
    """The source of a function, a method or a class, dedented; None if it is not known."""
    try:
        text = textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        text = ""
    if isinstance(value, type) and not _defines(text, value.__name__):
        text = textwrap.dedent(_class_in_a_cell(value))
    return text.rstrip("\n") or None


def _defines(text: str, name: str) -> bool:
    """Whether a text is the definition of a class.

    From Python 3.13 ``inspect`` returns any lines of the file of ``__main__`` for a class that was
    written elsewhere.
    """
    try:
        statements = ast.parse(text).body
    except SyntaxError:
        return False
    return any(isinstance(one, ast.ClassDef) and one.name == name for one in statements)


def _class_in_a_cell(kind: type) -> str:
    """The source of a class in a notebook, which ``inspect`` looks for in the file of __main__.

    A method knows the cell that it was written in, and the class is around the method.
    """
    codes = (getattr(inspect.unwrap(member), "__code__", None) for member in vars(kind).values())
    for code in filter(None, codes):
        lines = linecache.getlines(code.co_filename)
        for node in ast.walk(ast.parse("".join(lines))):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
                last = node.end_lineno or first
                if first <= code.co_firstlineno <= last:
                    return "".join(lines[first - 1 : last])
    return ""
