"""A Chromium, and the servers of other hosts, for the tests that ``.ci/hosts`` runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

from tests.browser.conftest import browser  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import nbformat
    from playwright.sync_api import Locator

    from claude_nb import Simulator

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SET_UP = "import claude_nb\nfrom ipywidgets import *\n%load_ext claude_nb"


def notebook(*cells: str) -> nbformat.NotebookNode:
    """A notebook with these code cells."""
    return new_notebook(cells=[*map(new_code_cell, cells)], metadata={"kernelspec": KERNEL})


@pytest.fixture(scope="session")
def serve(
    tmp_path_factory: pytest.TempPathFactory, simulator: Simulator
) -> Iterator[Callable[..., str]]:
    """Starts ``python -m MODULE …``, whose arguments have ``PORT``, and returns its address."""
    running = []

    def start(module: str, *arguments: str) -> str:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        command = [argument.replace("PORT", port) for argument in arguments]
        api = {"ANTHROPIC_BASE_URL": simulator.base_url, "ANTHROPIC_API_KEY": "not-a-key"}
        log = tmp_path_factory.mktemp(module) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *command],
                env=os.environ | api,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        running.append(process)
        while process.poll() is None:
            with closing(socket.socket()) as probe:
                if not probe.connect_ex(("127.0.0.1", int(port))):
                    return f"http://127.0.0.1:{port}/"
        raise RuntimeError(log.read_text(errors="replace"))

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(30)


class ChatBox:
    """A chat on a page of any host."""

    def __init__(self, el: Locator) -> None:
        self.el = el

    @property
    def turns(self) -> Locator:
        """Its turns."""
        return self.el.locator(".claude-nb-turn")

    def send(self, words: str) -> None:
        """Write a question and send it."""
        box = self.el.get_by_label("Message to")
        box.fill(words)
        box.press("Enter")

    def answered(self, words: str) -> None:
        """Wait for the end of an answer with these words."""
        expect(self.turns.last).to_contain_text(words)
        expect(self.el.get_by_role("button", name="Send (Enter)")).to_be_visible()

    def ask(self, words: str, answer: str) -> None:
        """Ask, and wait for the end of the answer."""
        self.send(words)
        self.answered(answer)

    def stop(self) -> None:
        """Stop the answer, and wait for its end."""
        self.el.get_by_role("button", name="Stop the answer").press("Enter")
        self.answered("Stopped")
