"""Exercises that check themselves: `check(collect_text)`, `hint(collect_text)`.

A student writes a function in a cell and passes it to ``check``. The function's name is that of the
exercise, and its cases run in a process of their own, so that an endless loop costs five seconds
and not the kernel.

To add an exercise:

1. In ``exercises/``, in the module of its topic, add an ``Exercise`` to ``EXERCISES``: the name of
   the function, hints from the vaguest to the plainest, and its cases. A case is what it is about,
   the arguments, and what the function has to return. A new module has to be named in
   ``exercises/__init__.py``.
2. In the notebook, give the function's first line in a code cell, with ``...`` as its body, and
   ``check(name)`` in the next. In the Markdown below them, put the solution into a
   ``<details><summary>Solution</summary>`` as a Python block that defines the function. A test
   finds it there by its name and checks it.
3. In ``tests/teaching/test_exercises.py``, add the wrong answers that students will give.
"""

from claude_nb.teaching.checking import check, hint
from claude_nb.teaching.lesson import first_seen, simulator_address
from claude_nb.teaching.sdk import sdk_client

__all__ = ["check", "first_seen", "hint", "sdk_client", "simulator_address"]
