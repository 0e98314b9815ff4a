"""A batch in JupyterLab: its bar, the interrupt that ends only the waiting, and what is saved."""

from __future__ import annotations

from playwright.sync_api import expect

from claude_nb.simulator import Simulator

HAND_IN = """import claude_nb
%load_ext claude_nb
%claude_nb connect {url}
made = claude_nb.batch(["hello"] * 50, model="claude-haiku-5-5", max_tokens=300)"""


def test_interrupted_waiting_and_the_saved_bar(open_notebook):
    """Interrupt Kernel ends the cell at once; the output still says how to find the batch again."""
    with Simulator(speed=0.001) as simulator:
        notebook = open_notebook([HAND_IN.format(url=simulator.base_url), "made.wait()"])
        notebook.run(0)
        expect(notebook.output(0)).to_contain_text("in progress")
        notebook.run(1)
        expect(notebook.output(1)).to_contain_text("50 processing")
        notebook.interrupt()
        expect(notebook.output(1)).to_contain_text("Batch.resume(")
        expect(notebook.output(1)).to_contain_text("StoppedError")
        notebook.wait_idle()
        simulator.advance(3600)
        notebook.run(1)
        for place in (0, 1):
            expect(notebook.output(place)).to_contain_text("50 complete")
        notebook.wait_idle()
    notebook.reopen_without_kernel(trusted=False)
    bar = notebook.output(1).locator('div[title="50 complete"] > div')
    expect(bar).to_have_css("width", "320px")
    expect(notebook.output(1)).to_contain_text("one by one")
