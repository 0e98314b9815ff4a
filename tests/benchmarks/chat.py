"""What a key costs in a chat: from the press to the screen, while a reply streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbformat.v4 import new_code_cell
from playwright.sync_api import expect

from tests.benchmarks.lab import lab, loading_cell
from tests.benchmarks.report import quantile, table
from tests.browser.lab import NotebookPage

if TYPE_CHECKING:
    from tests.benchmarks.server import Replies

TURNS = 100
"""Questions, each with its answer: twice as many messages."""

KEYS = 120

_CHAT = f"""\
answer = "Some **bold** words and a list:\\n\\n- one\\n- two\\n\\n```python\\nx = 1\\n```\\n"
roles = ("user", "assistant")
messages = [
    {{"role": role, "content": f"Question {{n}}?" if role == "user" else answer}}
    for n in range({TURNS})
    for role in roles
]
chat = claude_nb.Chat(claude_nb.Conversation.from_messages(messages, "long"))
chat"""

# From the key's own time to the end of the frame that shows it.
_WATCH = """() => {
    const seen = window.seen = [];
    document.querySelector(".claude-nb-chat textarea").addEventListener("keydown", event => {
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => seen.push(performance.now() - event.timeStamp);
            port2.postMessage(null);
        });
    });
}"""


def typing(replies: Replies) -> None:
    """Print how long a key takes to the screen, with a reply that streams and without."""
    rows = []
    with lab() as (server, chromium):
        cells = [loading_cell(replies), "%%claude --once\nmixed 50 4 0", _CHAT]
        path = server.write("typing", list(map(new_code_cell, cells)), trusted=True)
        with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
            notebook = NotebookPage(context.new_page(), server, path, "lab")
            for index in range(len(cells)):
                notebook.run(index)
                notebook.wait_idle(60)
            box = notebook.output(2).get_by_label("Message to Claude")
            expect(notebook.output(2).locator(".claude-nb-turn")).to_have_count(TURNS)
            notebook.page.evaluate(_WATCH)
            for name, prompt in (("idle", ""), ("200 deltas/s", "mixed 20000 4 200")):
                if prompt:
                    box.fill(prompt)
                    box.press("Enter")
                    expect(notebook.output(2).locator(".claude-nb-turn")).to_have_count(TURNS + 1)
                    expect(notebook.output(2).get_by_text("writing")).to_be_visible()
                notebook.page.evaluate("window.seen.length = 0")
                box.press_sequentially("the quick brown fox " * (KEYS // 20), delay=60)
                times = notebook.page.evaluate("window.seen")
                figures = [quantile(times, q) for q in (0.5, 0.95, 1.0)]
                rows.append((name, str(len(times)), *(f"{ms:.0f}" for ms in figures)))
        server.shutdown_kernels()
    title = f"Typing in a chat with {2 * TURNS} messages, from the key to the screen"
    table(title, ("while", "keys", "p50 ms", "p95 ms", "worst ms"), rows)
