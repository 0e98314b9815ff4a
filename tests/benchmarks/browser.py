"""What a streaming reply costs the page: a real JupyterLab in headless Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbformat.v4 import new_code_cell

from tests.benchmarks.lab import lab, loading_cell
from tests.benchmarks.report import table
from tests.browser.lab import NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

    from tests.benchmarks.server import Replies

PROMPTS = {
    "8 kB mixed at 200/s": "mixed 2000 4 200",
    "60 kB fence at 400/s": "fence 15000 4 400",
    "30 kB list at 400/s": "bullets 7500 4 400",
    "30 kB table at 400/s": "table 7500 4 400",
    "200 kB of tool input at 400/s": "tool 17000 12 400",
}
LIVE = ".claude-nb-live"
_WATCH = """selector => {
    const seen = window.seen = {long: [], late: [], frames: [], live: 0};
    let last = performance.now();
    new PerformanceObserver(list => {
        for (const task of list.getEntries()) {
            const streaming = task.startTime + task.duration <= seen.live;
            (streaming ? seen.long : seen.late).push(task.duration);
        }
    }).observe({type: "longtask"});
    const frame = () => {
        const now = performance.now();
        if (document.querySelector(selector)) {
            if (seen.live) seen.frames.push(now - last);
            seen.live = now;
        }
        last = now;
        if (!seen.over) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
"""Long tasks and frames while the reply is live; those of its beginning and its end apart."""
_SELECT = """selector => {
    const first = document.querySelector(selector + " :is(h2, li, td, code)");
    const text = document.createTreeWalker(first, NodeFilter.SHOW_TEXT).nextNode();
    const range = document.createRange();
    range.setStart(text, 0);
    range.setEnd(text, Math.min(20, text.length)); // of a line that is complete
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return getSelection().toString();
}"""


def page(replies: Replies, prompts: dict[str, str] = PROMPTS) -> None:
    """Print what each reply costs the page's main thread while it streams."""
    rows = []
    with lab() as (server, chromium):
        for number, (name, prompt) in enumerate(prompts.items()):
            first = loading_cell(replies)
            cells = [first, "%%claude --once\nmixed 50 4 0", f"%%claude --once\n{prompt}"]
            path = server.write(f"run{number}", list(map(new_code_cell, cells)), trusted=True)
            with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
                notebook = NotebookPage(context.new_page(), server, path, "lab")
                for index in (0, 1):
                    notebook.run(index)
                    notebook.wait_idle()
                rows.append((name, *_watch(notebook, context.new_cdp_session(notebook.page))))
            server.shutdown_kernels()
    heads = ("reply", "main thread s", "script s", "layout and style s")
    more = ("long tasks", "at its ends", "frames > 25 ms", "of", "worst ms", "selection")
    table("The page, while a reply streams", (*heads, *more), rows)


def _watch(notebook: NotebookPage, session: CDPSession) -> list[str]:
    """Run the third cell and watch the page until the settled output is there."""
    page = notebook.page
    session.send("Performance.enable")
    page.evaluate(_WATCH, LIVE)
    before = _metrics(session)
    notebook.run(2)
    grown = "([s, n]) => (document.querySelector(s)?.textContent.length ?? 0) > n"
    page.wait_for_function(grown, arg=[LIVE, 2000], timeout=60_000)
    selected = page.evaluate(_SELECT, LIVE)
    page.wait_for_function(grown, arg=[LIVE, 6000], timeout=60_000)
    kept = page.evaluate("getSelection().toString()") == selected
    notebook.wait_idle(timeout=120)
    after = _metrics(session)
    seen = page.evaluate("window.seen.over = true, window.seen")
    spent = {name: after[name] - before[name] for name in before}
    frames = seen["frames"]
    return [
        f"{spent['TaskDuration']:.2f}",
        f"{spent['ScriptDuration']:.2f}",
        f"{spent['LayoutDuration'] + spent['RecalcStyleDuration']:.2f}",
        *(
            f"{len(tasks)} ({max(tasks, default=0):.0f} ms)"
            for tasks in (seen["long"], seen["late"])
        ),
        f"{sum(frame > 25 for frame in frames)}",
        f"{len(frames)}",
        f"{max(frames):.0f}",
        "kept" if kept and selected else "lost",
    ]


def _metrics(session: CDPSession) -> dict[str, Any]:
    names = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return {name: found[name] for name in names}
