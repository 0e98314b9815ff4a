"""How VS Code shows and saves what a kernel sends, after the sources of its Jupyter extension.

These are vscode-jupyter of 2026-07-24 (3d24702e0): ``kernels/execution``, ``kernels/raw/session``
and ``notebooks/controllers/ipywidgets``. VS Code itself is not run here. What they say:

- The id of a cell is the address of its document.
- A cell takes the messages that belong to its execution; when that has ended, also those that
  belong to messages of the widgets that it opened.
- An update finds its output by the display id, in whichever cell. If the new bundle has as many
  MIME types as the old one and other metadata, *all* outputs of the cell are put in anew, as they
  were when the last edit of the document was done; the metadata are kept in all other cases.
- ``clear_output(wait=True)`` clears with the next output. Text that follows text of the same stream
  in one execution is added to it.
- Messages of widgets are sent to the kernel at once, without a subshell, whether it is busy or not.
- A page has no element with a class of JupyterLab.
"""

from __future__ import annotations

import copy
from typing import Any

CELL = "vscode-notebook-cell:/home/ada/trains.ipynb#{}"


class VSCode:
    """A notebook in VS Code. Edits reach its document late: when the kernel is idle.

    Args:
        kernel: The kernel that it runs cells in (``tests.kernels``).
        answers: When widgets answer: ``at once``, ``between cells`` or ``never``.
    """

    def __init__(self, kernel: Any, answers: str = "never") -> None:
        self.kernel = kernel
        self.answers = answers
        self.cells: dict[str, list[dict[str, Any]]] = {}  # by name: the outputs of the document
        self.metadata: dict[str, list[dict[str, Any]]] = {}  # by display id: those of all messages
        self.heard: list[dict[str, Any]] = []  # what widgets were sent
        self._edits: list[Any] = []
        self._owners: dict[str, str] = {}  # by id of a message: the cell that takes its messages
        self._opened: dict[str, str] = {}  # by id of a comm: the cell that opened it
        self._displayed: dict[str, dict[str, Any]] = {}
        self._stream: dict[str, Any] | None = None
        self._clears: set[str] = set()
        self._greeted: list[str] = []  # comms that have yet to answer

    def run(self, code: str, cell: str, *, asks: bool = True) -> dict[str, Any]:
        """Run a cell to its end."""
        self.start(code, cell, asks=asks)
        return self.finish()

    def start(self, code: str, cell: str, *, asks: bool = True) -> None:
        """Run a cell, without waiting for it."""
        self.cells[cell] = []
        self.kernel.start(code, CELL.format(cell), asks=asks)
        self._owners[self.kernel.asked] = cell

    def finish(self) -> dict[str, Any]:
        """Wait for the cell."""
        self.take(lambda message: is_idle(message, self.kernel.asked))
        reply = self.kernel.client.get_shell_msg(timeout=60)
        while reply["parent_header"].get("msg_id") != self.kernel.asked:
            reply = self.kernel.client.get_shell_msg(timeout=60)
        self._stream = None
        if self.answers == "between cells":
            for comm in self._greeted:
                self.say(comm, op="hears")
            self._greeted.clear()
        return reply["content"]

    def take(self, until: Any) -> dict[str, Any]:
        """Take messages until one fits."""
        while True:
            message = self.kernel.client.get_iopub_msg(timeout=60)
            self.receive(message)
            if until(message):
                return message

    def say(self, comm: str, **content: Any) -> str:
        """Let a widget send the kernel something, and return the id of the message."""
        sent: str = self.kernel.say(comm, **content)
        if self._owners.get(self.kernel.asked) != self._opened.get(comm):
            self._owners[sent] = self._opened[comm]  # the cell that opened it has ended
        return sent

    def receive(self, message: dict[str, Any]) -> None:
        """Take a message of the kernel."""
        kind, content = message["msg_type"], message["content"]
        cell = self._owners.get(message["parent_header"].get("msg_id"))
        if kind.startswith("comm"):
            self._to_widget(kind, content, cell or "")
        elif kind == "status" and content["execution_state"] == "idle":
            self._edit()
        elif cell is not None:
            self._to_cell(cell, kind, content)

    def _to_widget(self, kind: str, content: dict[str, Any], cell: str) -> None:
        comm, data = content["comm_id"], content["data"]
        if kind == "comm_msg":
            self.heard.append({"comm": comm, **data.get("content", {})})
        elif "_esm" in data.get("state", {}):
            self._opened[comm] = cell
            self._greeted.append(comm)
            if self.answers == "at once":
                self.say(comm, op="hears")

    def _to_cell(self, cell: str, kind: str, content: dict[str, Any]) -> None:
        if kind in ("display_data", "execute_result", "error"):
            self._add(cell, kind, content)
        elif kind == "update_display_data":
            self._update(content)
        elif kind == "clear_output":
            self._clears.add(cell)
            if not content["wait"]:
                self._clear(cell)
        elif kind == "stream":
            self._print(cell, content)

    def saved(self) -> dict[str, Any]:
        """The notebook as it is saved."""
        self._edit()
        code = {"cell_type": "code", "metadata": {}, "source": "", "execution_count": None}
        cells = [
            {**code, "id": name, "outputs": [_saved(output) for output in outputs]}
            for name, outputs in self.cells.items()
        ]
        return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}

    def _edit(self) -> None:
        for edit in self._edits:
            edit()
        self._edits.clear()

    def _clear(self, cell: str) -> None:
        if cell in self._clears:
            self._clears.discard(cell)
            self._stream = None
            self._edits.append(self.cells[cell].clear)

    def _add(self, cell: str, kind: str, content: dict[str, Any]) -> None:
        output = {"output_type": kind, **copy.deepcopy(content)}
        self._clear(cell)
        self._stream = None
        if place := content.get("transient", {}).get("display_id"):
            self._displayed[place] = {"cell": cell, "output": output, "data": output["data"]}
            self.metadata.setdefault(place, []).append(output["metadata"])
        self._edits.append(lambda: self.cells[cell].append(output))

    def _print(self, cell: str, content: dict[str, Any]) -> None:
        self._clear(cell)
        if self._stream is not None and self._stream["name"] == content["name"]:
            self._stream["text"] += content["text"]
            return
        self._stream = {"output_type": "stream", **content}
        self._edits.append(lambda output=self._stream: self.cells[cell].append(output))

    def _update(self, content: dict[str, Any]) -> None:
        place = content["transient"]["display_id"]
        if place not in self._displayed:
            return
        found = self._displayed[place]
        cell, output = found["cell"], found["output"]
        self.metadata[place].append(content["metadata"])
        same_number = len(found["data"]) == len(content["data"])
        found["data"] = data = copy.deepcopy(content["data"])
        if same_number and output["metadata"] != content["metadata"]:
            found["output"] = new = {**output, "data": data, "metadata": content["metadata"]}
            outputs = [new if each is output else each for each in self.cells[cell]]
            self._edits.append(lambda: self.cells.__setitem__(cell, outputs))
        else:
            self._edits.append(lambda: output.__setitem__("data", data))


def is_idle(message: dict[str, Any], asked: str) -> bool:
    """Whether a message is the last of what was asked."""
    is_status = message["msg_type"] == "status"
    of_it = message["parent_header"].get("msg_id") == asked
    return is_status and of_it and message["content"]["execution_state"] == "idle"


def _saved(output: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in output.items() if name != "transient"}
