"""A prompt that is run again keeps the height of its output until the first frame."""

from __future__ import annotations

from claude_nb.simulator import Stream
from tests.browser.lab import PANEL
from tests.played import said, start, text

OUTPUT = f"{PANEL}.content.widgets[2].outputArea.node.parentElement"


def test_the_notebook_does_not_jump_when_a_prompt_is_run_again(open_cells, simulator, tmp_path):
    """While the kernel is busy with another cell, and until the first frame; then it is free."""
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.01)"
    notebook = open_cells(wait, "%%claude --once\nA poem?", "1")
    simulator.enqueue(Stream(said("Line.\n\n" * 30)))
    notebook.run(2)
    notebook.wait_idle()
    height = notebook.page.evaluate(f"{OUTPUT}.offsetHeight")
    assert height > 500

    simulator.enqueue(Stream([start(), *text("First words")[:-1]], end="hang"))
    notebook.run(1)
    notebook.run(2)
    notebook.page.evaluate(
        f"""() => {{
            window.heights = [];
            const look = () => {{
                const words = {OUTPUT}.querySelector(".claude-nb-live")?.textContent;
                if (words) return;
                window.heights.push({OUTPUT}.offsetHeight);
                requestAnimationFrame(look);
            }};
            look();
        }}"""
    )
    # The host itself keeps the height for 50 ms.
    notebook.page.wait_for_function(
        "performance.now() > (window.begin ??= performance.now()) + 200"
    )
    go.touch()
    notebook.output(2).get_by_text("First words").wait_for()
    assert min(notebook.page.evaluate("window.heights")) >= height
    notebook.page.wait_for_function(f"{OUTPUT}.offsetHeight < {height / 2}")
    notebook.interrupt()
    notebook.wait_idle()
