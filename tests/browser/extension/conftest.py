"""A Jupyter server of its own for the tests of the JupyterLab extension: its pages have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import SharedPages
from tests.browser.lab import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from claude_nb.simulator import Simulator


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Server]:
    """A Jupyter server whose pages have the extension; its kernels ask the simulator."""
    folder = tmp_path_factory.mktemp("jupyter-extension")
    base_url = "--ServerApp.base_url=/user/ada/"
    with Server(folder, base_url, api=simulator.base_url, extension=True) as running:
        yield running


@pytest.fixture(scope="package")
def shared_pages(browser: Browser, server: Server) -> Iterator[SharedPages]:
    """The pages that these tests share, closed after the last of them."""
    pages = SharedPages(browser, server)
    yield pages
    pages.close()
