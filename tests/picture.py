"""Film a cell that streams in JupyterLab, for the README: ``python -m tests.picture``.

The real thing, with the simulator's words: a light and a dark animation, cropped to the cell.
"""

from __future__ import annotations

import io
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nbformat.v4 import new_code_cell
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from claude_nb import Simulator
from claude_nb.simulator import Stream
from tests.browser.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.browser.lab import NotebookPage, Server
from tests.played import said

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).resolve().parents[1] / "notebooks" / "images"
SET_UP = """\
%env CLAUDE_NB_SIMULATE_SPEED=0.6
%load_ext claude_nb
import claude_nb
claude_nb.ask("hello", show=False);"""
"""Slow enough to be followed, and with a first request, so that all is imported."""

PROMPT = "%%claude\nWrite a function that tells palindromes from other texts."
NOTEBOOK = (
    """\
import pandas as pd

sales = pd.DataFrame({"quarter": ["Q2", "Q3"], "bikes": [120, 169]})""",
    """\
growth = sale["bikes"].pct_change()
growth.round(2)""",
    "%%claude\nIn one sentence for the board: what does {{growth}} say?",
)
CORRECTED = """\
There is no variable `sale`; the table is called `sales`:

```python
growth = sales["bikes"].pct_change()
growth.round(2)
```
"""
EXPLAINED = """\
From Q2 to Q3 you sold **49 more bikes**, which is 41 %. Two quarters are too few for a trend; \
to see the months:

```python
sales.groupby("month")["bikes"].sum().plot.bar()
```
"""
WIDTH, HEIGHT = 760, 700
PERIOD = 1 / 8
REST = 2.5
"""Seconds for which the last frame stands."""

_COLOURS = 64


def film(
    browser: Browser, server: Server, theme: Literal["light", "dark"]
) -> list[tuple[bytes, float]]:
    """Run the cell and look at it until its reply has settled.

    Args:
        browser: Where to open JupyterLab.
        server: What serves it.
        theme: JupyterLab's.

    Returns:
        The pictures that differ, each with the seconds for which it stands.
    """
    cells = [new_code_cell(source) for source in (SET_UP, PROMPT)]
    path = server.write(f"picture-{theme}", cells)
    with browser.new_context(viewport={"width": WIDTH, "height": HEIGHT + 500}) as context:
        notebook = NotebookPage(context.new_page(), server, path, "lab")
        notebook.theme(theme)
        page = notebook.page
        page.evaluate("window.jupyterapp.shell.collapseLeft()")
        page.add_style_tag(content=".jp-Toolbar.jp-cell-toolbar { display: none; }")
        notebook.run(0)
        notebook.wait_idle()
        frame = "cell => (({ x, y, width }) => [x, y, width])(cell.getBoundingClientRect())"
        width = notebook.cell(1).evaluate(frame)[2]
        page.set_viewport_size({"width": int(2 * WIDTH - width), "height": HEIGHT + 500})
        x, y, _ = notebook.cell(1).evaluate(frame)
        clip = {"x": x, "y": y, "width": WIDTH, "height": HEIGHT}
        notebook.run(1)
        taken: list[tuple[float, bytes]] = []
        settled = notebook.output(1).locator("[data-mime-type='text/html']")
        ended = 0.0
        while not ended or time.monotonic() < ended + 4 * PERIOD:
            began = time.monotonic()
            if not ended and settled.count():
                ended = began
            taken.append((began, page.screenshot(clip=clip)))
            page.wait_for_timeout(max(0.0, began + PERIOD - time.monotonic()) * 1000)
        taken.append((taken[-1][0] + REST, b""))
    frames: list[tuple[bytes, float]] = []
    for (began, shot), (end, _) in pairwise(taken):
        if frames and frames[-1][0] == shot:
            frames[-1] = shot, frames[-1][1] + end - began
        else:
            frames.append((shot, end - began))
    return frames


def photograph(browser: Browser, server: Server, fault: str, wanted: str, path: Path) -> None:
    """Let the simulator fail, and take a picture of what the cell shows of it.

    Args:
        browser: Where to open JupyterLab.
        server: What serves it.
        fault: As ``%claude_nb simulate next`` knows it.
        wanted: What must be on the page before the picture is taken.
        path: Where to write it.
    """
    sources = (SET_UP, f"%claude_nb simulate next {fault}", "%%claude\nWhy is the sky blue?")
    file = server.write(f"picture-{fault}", [new_code_cell(source) for source in sources])
    with browser.new_context(viewport={"width": WIDTH + 180, "height": 2 * HEIGHT}) as context:
        notebook = NotebookPage(context.new_page(), server, file, "lab")
        notebook.theme("light")
        notebook.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        for index in (0, 1):
            notebook.run(index)
            notebook.wait_idle()
        notebook.run(2)
        expect(notebook.output(2)).to_contain_text(wanted)
        notebook.output(2).screenshot(path=path)
        notebook.interrupt()


def portrait(browser: Browser, server: Server, theme: Literal["light", "dark"], path: Path) -> None:
    """Take a picture of a chat in which an answer is being written.

    Args:
        browser: Where to open JupyterLab.
        server: What serves it.
        theme: JupyterLab's.
        path: Where to write it.
    """
    chat = (
        'import pandas as pd\nmonths = pd.DataFrame({"month": range(1204), "churn": 0.03})\n'
        'chat = claude_nb.Chat("churn", effort="medium", height=470)\nchat'
    )
    file = server.write(f"chat-{theme}", [new_code_cell(source) for source in (SET_UP, chat)])
    with browser.new_context(viewport={"width": WIDTH + 180, "height": 2 * HEIGHT}) as context:
        notebook = NotebookPage(context.new_page(), server, file, "lab")
        notebook.theme(theme)
        notebook.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        for index in (0, 1):
            notebook.run(index)
            notebook.wait_idle()
        shown = notebook.output(1).locator(".claude-nb-chat")
        box = shown.get_by_label("Message to Claude")
        box.fill("How does streaming work?")
        box.press("Enter")
        expect(shown.get_by_role("button", name="Ask this again")).to_be_visible(timeout=60_000)
        box.fill("And a function for the palindromes in {{months}}?")
        box.press("Enter")
        expect(shown.locator(".claude-nb-turn").last).to_contain_text("isalnum")
        box.press_sequentially("make it two", delay=10)
        shown.screenshot(path=path)
        notebook.interrupt()


def step(browser: Browser, server: Server, theme: Literal["light", "dark"], path: Path) -> None:
    """Step through a stream, and take a picture of the inspector.

    Args:
        browser: Where to open JupyterLab.
        server: What serves it.
        theme: JupyterLab's.
        path: Where to write it.
    """
    sources = (SET_UP, "claude_nb.ask('Why is the sky blue?', show=False).timeline()")
    file = server.write(f"picture-step-{theme}", [new_code_cell(source) for source in sources])
    with browser.new_context(viewport={"width": 1000, "height": 2 * HEIGHT}) as context:
        notebook = NotebookPage(context.new_page(), server, file, "lab")
        notebook.theme(theme)
        notebook.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        for index in (0, 1):
            notebook.run(index)
            notebook.wait_idle()
        inspector = notebook.output(1).locator(".claude-nb-inspector")
        slider = inspector.get_by_role("slider")
        slider.press("Home")
        for _ in range(12):
            slider.press("Shift+ArrowRight")
        expect(slider).to_have_value("120")
        slider.evaluate("slider => slider.blur()")
        inspector.screenshot(path=path)


def extension(
    browser: Browser, server: Server, simulator: Simulator, theme: Literal["light", "dark"]
) -> None:
    """Take a picture of each thing that the extension adds.

    Args:
        browser: Where to open JupyterLab.
        server: What serves it, with the extension.
        simulator: Whom its kernels ask.
        theme: JupyterLab's.
    """
    target = lambda name: IMAGES / f"lab-{name}-{theme}.png"  # noqa: E731
    file = server.write(f"extension-{theme}", [new_code_cell(source) for source in NOTEBOOK])
    with browser.new_context(viewport={"width": 1280, "height": 1100}) as context:
        notebook = NotebookPage(context.new_page(), server, file, "lab")
        page = notebook.page
        notebook.theme(theme)
        page.evaluate("window.jupyterapp.shell.collapseLeft()")
        for index in (0, 1):
            notebook.run(index)
            notebook.wait_idle()
        notebook.output(1).get_by_role("button", name="Ask Claude about this error").focus()
        simulator.enqueue(Stream(said(CORRECTED)), Stream(said(EXPLAINED)))
        page.keyboard.press("Enter")
        replace = notebook.output(2).get_by_role("button", name="Replace the cell that failed")
        expect(replace).to_be_attached(timeout=60_000)
        notebook.wait_idle()
        replace.focus()
        page.keyboard.press("Enter")
        expect(notebook.output(2).get_by_text("1 added, 1 removed")).to_be_visible()
        notebook.output(2).screenshot(path=target("difference"))
        page.keyboard.press("Enter")
        notebook.cell(3).locator(".cm-content").click()
        page.keyboard.press("Control+End")
        page.keyboard.type(" Compare it with\n{{")
        expect(page.locator(".jp-Completer:not(.lm-mod-hidden)")).to_be_visible()
        x, y, width, height = notebook.cell(3).bounding_box().values()
        clip = {"x": x, "y": y, "width": width, "height": height + 40}
        page.screenshot(path=target("prompt"), clip=clip)
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 1280, "height": 860})
        notebook.command("claude-nb:chat")
        panel = page.locator(".claude-nb-panel")
        panel.get_by_role("textbox").fill("What do you make of {{sales}}?")
        page.keyboard.press("Enter")
        again = panel.get_by_role("button", name="Ask this again")
        expect(again).to_be_visible(timeout=60_000)
        notebook.wait_idle()
        page.screenshot(path=target("chat"))


def save(frames: list[tuple[bytes, float]], path: Path) -> None:
    """Write the frames as an animation without end."""
    pictures = [Image.open(io.BytesIO(shot)).convert("RGB") for shot, _ in frames]
    # One palette for all, from the last frame: in it is every colour there was but the Stop button.
    palette = pictures[-1].quantize(_COLOURS)
    first, *others = (p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures)
    durations = [round(seconds * 100) * 10 for _, seconds in frames]
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder) / "jupyter") as running,
        Simulator() as simulator,
        Server(Path(folder) / "lab", api=simulator.base_url, extension=True) as extended,
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=find_chromium(playwright), args=CHROMIUM_ARGUMENTS
        ) as chromium,
    ):
        for name in ("light", "dark"):
            save(film(chromium, running, name), IMAGES / f"streaming-{name}.gif")
            portrait(chromium, running, name, IMAGES / f"chat-{name}.png")
            step(chromium, running, name, IMAGES / f"timeline-{name}.png")
            extension(chromium, extended, simulator, name)
        photograph(chromium, running, "rate-limit", " left (2 of 5)", IMAGES / "countdown.png")
        photograph(chromium, running, "drop", "2 · end turn", IMAGES / "seam.png")
