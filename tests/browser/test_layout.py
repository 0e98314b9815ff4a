"""A reply comes, folds its panes, ends and is saved: what is on the page stays where it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import FRONT_ENDS, SET_UP

# Where an output of ours has moved, by the browser's own measure, and how often it got lower.
WATCH = """() => {
    const inside = ({ node }) => {
        const element = node?.nodeType === 1 ? node : node?.parentElement;
        return element?.closest(".jp-OutputArea-output");
    };
    window.moved = 0;
    window.lower = 0;
    const shifts = new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (entry.sources.some(inside)) moved += entry.value;
    });
    shifts.observe({ type: "layout-shift" });
    let height = 0;
    const sizes = new ResizeObserver(([{ contentRect }]) => {
        window.lower = Math.max(lower, height - contentRect.height);
        height = contentRect.height;
    });
    sizes.observe(document.querySelectorAll(".jp-Notebook .jp-Cell-outputWrapper")[1]);
    window.unwatch = () => { shifts.disconnect(); sizes.disconnect(); };
}"""

# Formulas are set by JupyterLab a moment after that, below a picture of what was there before.
SETTLED = ".jp-RenderedHTML[data-mime-type='text/html'] .claude-nb"


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_streamed_reply_moves_nothing(open_notebook, front_end):
    """Thinking that folds, formulas, code, and the saved output that takes the live one's place."""
    notebook = open_notebook([SET_UP, "%%claude\nThink about it", "1 + 1"], front_end)
    notebook.run(0)
    notebook.wait_idle()
    notebook.page.evaluate(WATCH)
    notebook.run(1)
    notebook.wait_idle()
    reply = notebook.output(1)
    expect(reply.locator(f"{SETTLED} mjx-container")).to_have_count(3)
    expect(reply.locator(".claude-nb-picture")).to_have_count(0)
    moved, lower = notebook.page.evaluate(
        "new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)))"
        ".then(() => { unwatch(); return [moved, lower]; })"
    )
    assert moved <= 0.02
    assert lower < 1
