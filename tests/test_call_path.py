"""The way of a cell's text to the request that is sent: few modules, one direction."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb.client.engine import call
from claude_nb.magics import magics
from claude_nb.simulator import Stream
from tests.code_map import ORDER, PACKAGE
from tests.played import said

if TYPE_CHECKING:
    from types import CodeType, FrameType

WAY = [
    "magics.input_transform",
    "magics.magics",
    "magics.cell",
    "magics.options",
    "asking.conversation",
    "notebook.variables",
    "asking.question",
    "request.attachments.interpolation",
    "conversation.history",
    "asking.asking",
    "session.session",
    "client.connection",
    "streaming.turns",
    "keeping.keeper",
    "conversation.snapshot",
    "request.place",
    "client.capabilities",
    "request.request",
    "request.cells",
    "client.engine",
    "client.source",
]

CONSTRUCTORS = ("__init__", "__post_init__", "__new__")


def module(code: CodeType) -> str | None:
    """The name in the package of the module that a function stands in; None for other code."""
    path = Path(code.co_filename)
    if not path.is_relative_to(PACKAGE):
        return None
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


class Trace:
    """The calls from one module of the package into another, until the source is asked.

    On the cell's thread until the stream is made, and on the engine's until ``client.source`` has
    the request. A constructor, and what it calls, makes a value that is passed along: that is no
    step on the way. Neither is what the cell's thread paints meanwhile.

    Attributes:
        steps: Each module that was called, and the one that called it; None for IPython and the
            event loop.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[str | None, str]] = []
        self._over: set[int] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """A profile function."""
        called, thread = module(frame.f_code), threading.get_ident()
        if event != "call" or called is None or thread in self._over:
            return
        above: list[FrameType] = [frame]
        while above[-1].f_back is not None:
            above.append(above[-1].f_back)
        made = frame.f_code.co_name == "spawn"  # by the stream's constructor, on the cell's thread
        if not made and any(one.f_code.co_name in CONSTRUCTORS for one in above):
            return
        callers = (found for one in above if (found := module(one.f_code)) != called)
        if made or module(above[1].f_code) != called:
            self.steps.append((next(filter(None, callers), None), called))
        if made or called == "client.source":
            self._over.add(thread)


async def profiled(trace):
    """Have the calls on the engine's thread traced, or no longer."""
    sys.setprofile(trace)


@pytest.fixture
def steps(api, monkeypatch):
    """What is called for the second ``%%claude`` cell of a notebook."""
    shell, trace = InteractiveShell(), Trace()
    magics.load(shell)
    monkeypatch.setattr("claude_nb.asking.conversation.Conversation._named", {})
    api.enqueue(Stream(said("First.")), Stream(said("Second.")))
    shell.run_cell("%%claude\nOne?")
    call(profiled(trace))
    sys.setprofile(trace)
    try:
        shell.run_cell("%%claude\nTwo?")
    finally:
        sys.setprofile(None)
        call(profiled(None))
        magics.unload(shell)
    assert claude_nb.last().text == "Second."
    return trace.steps


def test_few_modules_stand_between_a_cell_and_the_source(steps):
    """These, in the order in which each is first called."""
    assert list(dict.fromkeys(called for _, called in steps)) == WAY, steps


def test_calls_go_from_the_entry_points_down(steps):
    """No package calls one above it, and each module is called from one package alone.

    But for the connection, a value that ``asking`` asks for its name.
    """
    level = {name: place for place, name in enumerate(ORDER)}
    pairs = {(caller.partition(".")[0], called) for caller, called in steps if caller is not None}
    assert [
        pair for pair in sorted(pairs) if level[pair[0]] < level[pair[1].partition(".")[0]]
    ] == []
    callers = {name: {caller for caller, called in pairs if called == name} for name in WAY}
    assert {name for name, found in callers.items() if len(found) > 1} == {"client.connection"}
