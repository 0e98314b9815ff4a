"""One Jupyter server and one Chromium for all browser tests; a notebook and a kernel per test."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.lab import FrontEnd, NotebookPage, Server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import nbformat
    from playwright.sync_api import Browser, Playwright

    from claude_nb.simulator import Simulator

# What keeps a test's Chromium off the network and off the graphics card.
CHROMIUM_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# Two busy cores may take long over what is quick for a reader.
expect.set_options(timeout=20_000)

# Read here, because in a test the environment is cleared of CLAUDE_NB_*.
CHROMIUM_OF_USER = os.environ.get("CLAUDE_NB_CHROMIUM")

NO_CHROMIUM = """\
The browser tests need a Chromium and found none. Any of these gives them one:
    .ci/chromium                                  (installs one)
    CLAUDE_NB_CHROMIUM=/path/to/chromium pytest   (uses yours)
    pytest -m "not browser"                       (leaves these tests out)"""

# The pages that a test has open, each with where to put its picture if the test fails.
PAGES = pytest.StashKey[list[tuple[Page, Path]]]()


class OpenNotebook(Protocol):
    """Opens a notebook with these cells (source texts or nbformat cells) in a page of its own."""

    def __call__(
        self,
        cells: list[str | nbformat.NotebookNode],
        front_end: FrontEnd = "lab",
        *,
        trusted: bool = False,
        settings: dict[str, dict[str, Any]] | None = None,
        viewport: tuple[int, int] = (1280, 900),
    ) -> NotebookPage: ...


def find_chromium(playwright: Playwright) -> str:
    """Return the path of the Chromium to use; without one the tests fail, saying what to do."""
    on_path = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    if CHROMIUM_OF_USER:
        return CHROMIUM_OF_USER
    for candidate in (*on_path, playwright.chromium.executable_path):
        if candidate and Path(candidate).exists():
            return candidate
    pytest.fail(NO_CHROMIUM, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """To a failure, add pictures of the open pages and the end of the server's log."""
    report = yield
    if report.when == "call" and report.failed:
        for page, picture in item.stash.get(PAGES, []):
            with contextlib.suppress(PlaywrightError):  # a page that has crashed has no picture
                page.screenshot(path=picture)
                report.sections.append(("the page, in a picture", str(picture)))
        if "server" in item.funcargs:
            log = item.funcargs["server"].log.read_text(encoding="utf-8", errors="replace")
            report.sections.append(("the Jupyter server", "\n".join(log.splitlines()[-30:])))
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(playwright), args=CHROMIUM_ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter server that serves JupyterLab and Notebook 7."""
    with Server(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture
def set_up(simulator: Simulator) -> str:
    """The source of a first cell, after which cells ask the test's own server."""
    variables = {
        "ANTHROPIC_BASE_URL": simulator.base_url,
        "ANTHROPIC_API_KEY": "not-a-key",
        "CLAUDE_NB_SIMULATE": "0",
    }
    return f"import os\nos.environ.update({variables!r})\n%load_ext claude_nb\nimport claude_nb"


@pytest.fixture
def open_notebook(
    browser: Browser, server: Server, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Opens notebooks; pages, kernels and settings are gone after the test."""
    pages = request.node.stash[PAGES] = []

    def open_(
        cells: list[str | nbformat.NotebookNode],
        front_end: FrontEnd = "lab",
        *,
        trusted: bool = False,
        settings: dict[str, dict[str, Any]] | None = None,
        viewport: tuple[int, int] = (1280, 900),
    ) -> NotebookPage:
        for plugin, values in (settings or {}).items():
            server.set_settings(plugin, values)
        name = re.sub(r"\W+", "-", f"{request.node.name}-{len(pages)}")
        nodes = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        path = server.write(name, nodes, trusted=trusted)
        width, height = viewport
        context = browser.new_context(
            viewport={"width": width, "height": height},
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.enter_context(context)
        page = context.new_page()
        pages.append((page, path.with_suffix(".png")))
        return NotebookPage(page, server, path, front_end)

    with contextlib.ExitStack() as contexts:
        yield open_
    server.shutdown_kernels()
    server.reset_settings()
