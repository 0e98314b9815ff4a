"""The site: it is built as a reader would, every example runs, and its pages can be read by all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]

PAGES = (
    "index",
    "guide/batches",
    "guide/data",
    "guide/failures",
    "lecturers",
    "notebooks/08_when_not_to_stream",
    "pages/three_words",
    "reference/cell",
    "reference/python_replies",
)
"""One of each kind."""

FIND = """async () => {
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html}\\n${failureSummary}`),
    );
}"""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the built site; each example of README and of its pages has run."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", folder / "doctrees", "docs", folder / "html"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "html"


def test_a_page_shows_what_its_examples_gave(site):
    """Below a block stands what it showed when the site was built, and notebooks are pages."""
    assert "The sky is blue because" in (site / "guide/ask.html").read_text(encoding="utf-8")
    assert (site / "notebooks/lesson_streaming.html").exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_read_by_all(site, browser: Browser, scheme):
    """axe-core finds nothing on a page of each kind, and the page asks for nothing on a network."""
    page = browser.new_page(color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = {}
    for name in PAGES:
        page.goto(f"file://{site}/{name}.html")
        page.evaluate(AXE_SCRIPT)
        found[name] = page.evaluate(FIND)
    page.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not any(found.values()), "\n\n".join(
        f"{name}: {each}" for name, several in found.items() for each in several
    )
