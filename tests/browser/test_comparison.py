"""Replies side by side, in real front ends: columns that stream, stop, stack and stay."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from tests.browser.test_live import LIVE, SETTLED, growing
from tests.played import said

CELL = "%%claude -m claude-opus-5-5 -m claude-haiku-5-5\nWhich?"
LEFT = "els => els.map(el => Math.round(el.getBoundingClientRect().left))"


def test_columns_stream_together_and_settle_with_a_table(open_cells, simulator):
    """Both are seen at the same time; then one table compares them."""
    simulator.enqueue(
        *(Stream(growing(f"{one} side", " more"), end="hang") for one in ("One", "Other"))
    )
    notebook = open_cells(CELL)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("One side more")
    expect(live).to_contain_text("Other side more")
    live.get_by_role("button", name="Stop all").click()
    settled = notebook.output(1).locator(SETTLED)
    expect(settled.locator("th", has_text="cost")).to_be_visible()
    notebook.wait_idle()
    labels = settled.locator("tr").first.locator("th")
    expect(labels).to_have_count(3)
    assert notebook.errors == []
    notebook.reopen_without_kernel(trusted=False)
    expect(notebook.output(1)).to_contain_text("One side")
    expect(labels).to_have_count(3)


def test_stop_of_one_leaves_the_other(open_cells, simulator):
    """The one that is stopped says so, and the other is complete."""
    simulator.enqueue(Stream(growing("One side"), end="hang"), Stream(said("Other side.")))
    notebook = open_cells(CELL)
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("Other side.")
    expect(live).to_contain_text("One side")
    live.get_by_role("button", name="Stop", exact=True).locator("visible=true").first.click()
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text("stopped")
    expect(settled).to_contain_text("complete")
    notebook.wait_idle()


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (560, 1)], ids=["wide", "narrow"])
def test_columns_stand_side_by_side_or_below_each_other(open_cells, simulator, width, columns):
    """As the page allows, live and settled alike."""
    simulator.enqueue(
        *(Stream(growing(f"{one} side more"), end="hang") for one in ("One", "Other"))
    )
    notebook = open_cells(CELL, viewport=(width, 900))
    notebook.page.evaluate("window.jupyterapp.shell.collapseLeft()")
    notebook.run(1)
    live = notebook.output(1).locator(LIVE)
    expect(live).to_contain_text("One side more")
    expect(live).to_contain_text("Other side more")
    lines = live.locator("p", has_text=" side more")
    assert len(set(lines.evaluate_all(LEFT))) == columns
    live.get_by_role("button", name="Stop all").click()
    settled = notebook.output(1).locator(SETTLED)
    expect(settled.locator("th", has_text="cost")).to_be_visible()
    lines = settled.locator("p", has_text=" side more")
    assert len(set(lines.evaluate_all(LEFT))) == columns
    notebook.wait_idle()
