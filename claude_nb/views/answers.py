"""Whether pages answer the widgets of this kernel, and whether they reach a cell that runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from claude_nb.request.host import host


@dataclass
class Answers:
    """What is known of it.

    Attributes:
        any: Whether a page has answered.
        in_cells: Whether an answer was handled beside the main thread, as if a cell were running.
    """

    any: bool = False
    in_cells: bool = False

    def note(self) -> None:
        """Note that the message of a page is handled, on this thread."""
        self.any = True
        self.in_cells |= threading.current_thread() is not threading.main_thread()

    @property
    def are_due(self) -> bool:
        """Whether a page that shows a widget answers while a cell runs, as far as is known."""
        return self.in_cells or not self.any

    @property
    def reach_cells(self) -> bool:
        """Whether a click may reach a cell that runs; in VS Code only if an answer has."""
        return self.in_cells or host() != "vscode"


answers = Answers()
"""Of this kernel."""
