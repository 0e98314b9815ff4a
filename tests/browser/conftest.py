"""One Jupyter server, one Chromium and one simulator for all browser tests.

What takes longest is to load a page, to start a kernel and to import the SDK in it. So the tests
share a page with a notebook and its kernel for each front end, which are reset after each test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect, sync_playwright

from claude_nb.simulator import Simulator
from tests.browser.lab import PANEL, PATIENCE, SET_UP, FrontEnd, NotebookPage, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import nbformat
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright


# What keeps a test's Chromium off the network and off the graphics card.
CHROMIUM_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

expect.set_options(timeout=PATIENCE * 1000)

# Read here, because in a test the environment is cleared of CLAUDE_NB_*.
CHROMIUM_OF_USER = os.environ.get("CLAUDE_NB_CHROMIUM")

NO_CHROMIUM = """\
The browser tests need a Chromium and found none. Any of these gives them one:
    .ci/chromium                                  (installs one)
    CLAUDE_NB_CHROMIUM=/path/to/chromium pytest   (uses yours)
    pytest -m "not browser"                       (leaves these tests out)"""

# The notebooks that a test has opened, and whether it has failed.
PAGES = pytest.StashKey[list[NotebookPage]]()
FAILED = pytest.StashKey[bool]()


class OpenNotebook(Protocol):
    """Opens a notebook with these cells (source texts or nbformat cells)."""

    def __call__(
        self,
        cells: Sequence[str | nbformat.NotebookNode],
        front_end: FrontEnd = "lab",
        *,
        trusted: bool = False,
        subshells: bool = True,
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
        item.stash[FAILED] = True
        for notebook in item.stash.get(PAGES, []):
            picture = notebook.path.with_name(f"{item.name}.png")
            with contextlib.suppress(PlaywrightError):  # a page that has crashed has no picture
                notebook.page.screenshot(path=picture)
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
def page_without_jupyter(browser: Browser) -> Iterator[Page]:
    """A page that tests share; a test uses ``empty_page``."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def empty_page(page_without_jupyter: Page) -> Page:
    """An empty page, to load a module of ours into: to open one takes a second of work."""
    page = page_without_jupyter
    page.goto("about:blank")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(reduced_motion="no-preference")
    page.mouse.move(0, 0)
    return page


@pytest.fixture(scope="session")
def page_with_clock(browser: Browser) -> Iterator[Page]:
    """A page whose clock stands still, for the tests that turn it on; each loads it anew."""
    page = browser.new_page()
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
    yield page
    page.close()


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """What answers the kernels of the browser tests."""
    with Simulator(speed=3) as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Server]:
    """A Jupyter server for JupyterLab and Notebook 7; its kernels ask the simulator.

    It has a base URL, as behind a JupyterHub.
    """
    folder = tmp_path_factory.mktemp("jupyter")
    base_url = "--ServerApp.base_url=/user/ada/"
    with Server(folder, base_url, api=simulator.base_url) as running:
        yield running


class SharedPages:
    """The pages that tests share, one for each front end, opened when it is first wanted."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser = browser
        self._server = server
        self._opened = 0
        self._pages: dict[FrontEnd, NotebookPage] = {}

    def take(self, front_end: FrontEnd) -> NotebookPage:
        """The page of a front end, opened if there is none."""
        if front_end not in self._pages:
            self._opened += 1
            path = self._server.write(f"shared-{self._opened}", [new_code_cell()])
            context = self._browser.new_context(permissions=["clipboard-read", "clipboard-write"])
            page = context.new_page()
            notebook = NotebookPage(page, self._server, path, front_end)
            # Here nothing is timed, and no reset of the kernel has to look through all of it.
            notebook.execute("import anthropic, anywidget, gc\ngc.collect(), gc.freeze()")
            self._pages[front_end] = notebook
        return self._pages[front_end]

    def discard(self, notebook: NotebookPage) -> None:
        """Close a page that cannot be trusted any more, and end its kernel."""
        self._pages = {name: page for name, page in self._pages.items() if page is not notebook}
        notebook.page.context.close()
        self._server.shutdown_kernels(notebook.path)

    def close(self) -> None:
        """Close all pages."""
        for notebook in self._pages.values():
            notebook.page.context.close()


@pytest.fixture(scope="session")
def shared_pages(browser: Browser, server: Server) -> Iterator[SharedPages]:
    """The pages that tests share; a test uses ``open_notebook``."""
    pages = SharedPages(browser, server)
    yield pages
    pages.close()


@pytest.fixture
def open_notebook(
    shared_pages: SharedPages, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Opens a notebook in the page that the tests share, with the kernel that they share.

    A test finds its cells in it and nothing else: after each test replies are stopped, outputs and
    variables are gone, claude_nb is not loaded, and theme, tabs and settings are as they were. What
    stays is the page, and the kernel with the SDK imported. If a test fails, or leaves behind what
    cannot be reset, the next one gets a new page and a new kernel.
    """
    taken = request.node.stash[PAGES] = []

    def open_(
        cells: Sequence[str | nbformat.NotebookNode],
        front_end: FrontEnd = "lab",
        *,
        trusted: bool = False,
        subshells: bool = True,
        viewport: tuple[int, int] = (1280, 900),
    ) -> NotebookPage:
        notebook = shared_pages.take(front_end)
        if notebook not in taken:
            taken.append(notebook)
        width, height = viewport
        notebook.page.set_viewport_size({"width": width, "height": height})
        notebook.subshells(subshells)
        nodes = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        notebook.load(nodes, trusted=trusted)
        return notebook

    yield open_
    for notebook in taken:
        if request.node.stash.get(FAILED, False):
            shared_pages.discard(notebook)
            continue
        try:
            notebook.reset()
        except BaseException:
            shared_pages.discard(notebook)
            raise


@pytest.fixture
def open_cells(open_notebook: OpenNotebook) -> Callable[..., NotebookPage]:
    """Opens a notebook whose first cell, which has been run, loads claude_nb."""

    def open_(*cells: str, **options: Any) -> NotebookPage:
        notebook = open_notebook([SET_UP, *cells], trusted=True, **options)
        notebook.run(0)
        notebook.wait_idle()
        return notebook

    return open_


@pytest.fixture
def another_window(browser: Browser, server: Server) -> Iterator[Callable[..., NotebookPage]]:
    """Opens a notebook that is open already in a second window, with the same kernel."""
    contexts: list[BrowserContext] = []

    def open_(notebook: NotebookPage, front_end: FrontEnd = "lab") -> NotebookPage:
        notebook.command("docmanager:save")
        notebook.page.wait_for_function(f"!{PANEL}.context.model.dirty")
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        return NotebookPage(contexts[-1].new_page(), server, notebook.path, front_end)

    yield open_
    for context in contexts:
        context.close()
