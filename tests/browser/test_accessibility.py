"""What axe-core finds in our outputs: live and saved, light and dark, in a page and converted."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import expect

from claude_nb.simulator import Simulator, Stream
from tests.browser.axe import check
from tests.browser.lab import SET_UP
from tests.browser.test_live import LIVE, SETTLED, growing
from tests.played import end, said, start, text, thinking, tool_use

THEMES = ("light", "dark")
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

MARKDOWN = """\
# Growth

**Most** of `df` is [new](https://example.org), ~~old~~ and $x^2$ for $5.

- one
- [ ] two
- [x] three

> a quote

|       | rate |
|-------|-----:|
| north |    2 |

```python
import os  # a comment
print("growth", 1 + 1)
```
"""
REPLY = [start(), *thinking("First, *count*."), *text(MARKDOWN, index=1)]
CALL = tool_use('{"by": "growth", "code": "a = 1\\nx', index=2)[:-1]
GROWING = Stream([*REPLY, *CALL], end="hang")

CELLS = (
    "chat = claude_nb.Chat(height=1500)\nchat",
    "%%claude --background -o reply\nReply",
    'rows = claude_nb.batch(["hello"] * 3, model="claude-haiku-5-5", max_tokens=300)',
    "%%claude -m claude-opus-5-5 -m claude-haiku-5-5\nWhich?",
    "rows.wait()",
    "reply.timeline()",
    "%claude_nb models",
    "%claude_nb usage",
    "%%claude --dry-run\nReply",
)


def test_live_and_settled(open_notebook):
    """Cell, chat, timeline, comparison, batch and tables, in JupyterLab's light and dark theme."""
    with Simulator(speed=0.001) as simulator:
        set_up = f"{SET_UP}\n%claude_nb connect {simulator.base_url}"
        notebook = open_notebook([set_up, *CELLS])
        for index in (0, 1):
            notebook.run(index)
            notebook.wait_idle()
        chat = notebook.output(1).locator(".claude-nb-chat")
        box = chat.get_by_label("Message to Claude")
        simulator.enqueue(Stream(said("Hello.")), Stream([*REPLY, *end()]))
        box.fill("Ask {{chat}}")
        box.press("Enter")
        chat.get_by_role("button", name="ask this").last.click()
        expect(chat).to_contain_text("2/2")
        chat.locator(".claude-nb-meta > [aria-expanded]").click()
        simulator.enqueue(GROWING, GROWING, *[Stream(growing("One", " side"), end="hang")] * 2)
        box.fill("And now?")
        box.press("Enter")
        expect(chat).to_contain_text("look_up")
        notebook.run(2)
        expect(notebook.output(2).locator(LIVE)).to_contain_text("look_up")
        notebook.run(3)
        expect(notebook.output(3)).to_contain_text("in progress")
        notebook.run(4)
        expect(notebook.output(4).get_by_text("One side")).to_have_count(2)
        # JupyterLab takes away what is scrolled out of sight.
        notebook.page.set_viewport_size({"width": 1280, "height": 5200})
        expect(notebook.cell(len(CELLS))).to_be_in_viewport(ratio=1)
        expect(chat).to_be_visible()
        for theme in THEMES:
            notebook.theme(theme)
            check(notebook.page, f"live, {theme}", texts=80)
        for index in (1, 2, 4):
            notebook.output(index).get_by_role("button", name="Stop").first.click()
            expect(notebook.output(index)).to_contain_text("stopped")
        notebook.wait_idle()
        simulator.advance(3600)
        for index in range(5, len(CELLS) + 1):
            notebook.run(index)
            notebook.wait_idle()
        expect(notebook.output(5)).to_contain_text("3 complete")
        expect(notebook.output(2).locator(SETTLED)).to_be_visible()
        expect(notebook.cell(len(CELLS))).to_be_in_viewport(ratio=1)
        for theme in reversed(THEMES):
            notebook.theme(theme)
            check(notebook.page, f"settled, {theme}", texts=80)


@pytest.mark.parametrize("theme", THEMES)
def test_converted_notebooks(empty_page, theme):
    """The outputs of all notebooks as nbconvert makes a page of them, their panes unfolded."""
    whole = nbformat.v4.new_notebook()
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        whole.cells += [cell for cell in cells if cell.get("outputs")]
    for number, cell in enumerate(whole.cells):
        cell.id = f"cell-{number}"
    html, _ = HTMLExporter(theme=theme, exclude_input=True).from_notebook_node(whole)
    page = empty_page
    page.set_content(html, wait_until="domcontentloaded")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    check(page, f"converted, {theme}", texts=500)
