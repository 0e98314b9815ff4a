"""What the first request needs, made ready while the kernel is idle.

Importing the SDK takes more than a second. A thread that does so takes time from the user's own
cells, and on the kernel's event loop a cell would have to wait for its end. So it is done on a
thread that stops at each of its modules until the loop has nothing to do, which it has not while a
cell runs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, cast

_SDK = "anthropic."
"""Where to stop: in modules that nothing else needs, and that are imported with no lock held."""

_PAUSE = 0.05
"""Seconds after which to begin: cells that are run together follow sooner."""

_SLICE = 0.005
"""Seconds to go on for before the loop is asked again."""

_LOOK = 0.02
"""Seconds between two looks whether a cell or a request needs what is being imported."""

_MAX_PAUSED = 10.0
"""Seconds to pause for in all: in a cell that takes longer, the rest is not noticed."""


def start(steps: Iterable[object]) -> None:
    """Go through ``steps`` on a thread that gives way to cells, when the running cell has ended.

    Where no event loop is running, as in a terminal, it begins at once and gives way to nobody.

    Args:
        steps: What does the work as it is iterated over.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _Preload(steps, None).start()
    else:
        loop.call_later(_PAUSE, _Preload(steps, loop).start)


class _Preload(threading.Thread):
    """The thread; and the finder and loader through which it imports the SDK, to stop in between.

    It stops as a loader: while a finder works, no other thread can import anything.
    """

    def __init__(self, steps: Iterable[object], loop: asyncio.AbstractEventLoop | None) -> None:
        super().__init__(name="claude_nb preload", daemon=True)
        self._steps = steps
        self._loop = loop
        self._until = 0.0
        self._pause_left = _MAX_PAUSED
        self._loader: Loader

    def run(self) -> None:
        if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
            os.register_at_fork(before=self._finish)
        sys.meta_path.insert(0, self)
        with suppress(Exception):  # the first request will say what is wrong
            self._give_way()
            for _ in self._steps:
                self._give_way()
        sys.meta_path.remove(self)

    def _finish(self) -> None:
        """Come to an end before a fork: the child would inherit a lock that nobody frees."""
        if self.is_alive() and threading.current_thread() is not self:
            self._pause_left = 0.0
            self.join()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """A module of the SDK as ever, but for its loader."""
        if threading.get_ident() != self.ident or not name.startswith(_SDK):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:  # None: a folder without __init__.py
            self._loader, spec.loader = spec.loader, cast("Loader", self)
        return spec

    def create_module(self, spec: ModuleSpec) -> Any:
        """Stop, and leave the rest to the module's own loader."""
        spec.loader = self._loader
        self._give_way()
        return spec.loader.create_module(spec)

    exec_module = create_module  # never called: by then the module has its own loader again

    def _give_way(self) -> None:
        """Wait until the loop is idle, unless somebody waits for what is being imported."""
        now = time.monotonic()
        if now < self._until or self._loop is None:
            return
        idle = threading.Event()
        self._loop.call_soon_threadsafe(idle.set)
        while self._pause_left > 0 and not _is_import_awaited() and not idle.wait(_LOOK):
            self._pause_left -= _LOOK
        self._until = time.monotonic() + _SLICE


def _is_import_awaited() -> bool:
    """Whether a thread waits for a module that another one imports."""
    codes = [frame.f_code for frame in sys._current_frames().values()]  # noqa: SLF001
    return any("importlib._bootstrap" in c.co_filename and c.co_name == "acquire" for c in codes)
