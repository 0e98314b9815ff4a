"""A JupyterLab and a headless Chromium for the benchmarks of the page."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.browser.lab import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.benchmarks.server import Replies


@contextmanager
def lab(*, extension: bool = False) -> Iterator[tuple[Server, Browser]]:
    """A Jupyter server in a folder of its own, with the extension or without, and a browser."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder), extension=extension) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=find_chromium(playwright), args=CHROMIUM_ARGUMENTS
        ) as chromium,
    ):
        yield server, chromium


def loading_cell(replies: Replies) -> str:
    """A notebook's first cell: it loads claude_nb, which is to ask the server of ``replies``."""
    variables = {
        "ANTHROPIC_BASE_URL": replies.url,
        "ANTHROPIC_API_KEY": "not-a-key",
        "CLAUDE_NB_SIMULATE": "0",
    }
    lines = ("import os", f"os.environ.update({variables!r})", "%load_ext claude_nb")
    return "\n".join([*lines, "import claude_nb"])
