"""What the extension costs the page: JupyterLab with it and without it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from nbformat.v4 import new_code_cell, new_output

from claude_nb.streaming.record import MIME
from tests.benchmarks.lab import lab
from tests.benchmarks.report import table
from tests.browser.lab import PANEL, NotebookPage

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from playwright.sync_api import Browser, CDPSession, Page

    from tests.browser.lab import Server

OUTPUTS = 20
OPENINGS = 50
KEYS = 100

# Calls of our functions are counted by Chromium itself.
OURS = "/claude-nb/static/"

# An output is rendered as the host does it: by the renderer that the notebook's registry makes.
_RENDER = f"""async (number) => {{
    const {{ rendermime }} = {PANEL}.content;
    const times = {{}};
    for (const cell of {PANEL}.content.model.cells) {{
        const model = cell.outputs?.get(0);
        if (!model) continue;
        const kind = rendermime.preferredMimeType(model.data, "any");
        const taken = [];
        for (let batch = 0; batch < 20; batch++) {{
            const start = performance.now();
            for (let i = 0; i < number; i++) {{
                const renderer = rendermime.createRenderer(kind);
                await renderer.renderModel(model);
                renderer.dispose();
            }}
            taken.push((performance.now() - start) / number);
        }}
        times[cell.sharedModel.getSource()] = Math.min(...taken);
    }}
    return times;
}}"""
_OPEN_AND_CLOSE = """async ([path, times]) => {
    const { commands, shell } = window.jupyterapp;
    const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
    for (let i = 0; i < times; i++) {
        const panel = await commands.execute("docmanager:open", { path });
        await Promise.all([panel.context.ready, panel.revealed, panel.sessionContext.ready]);
        while (!panel.node.querySelector(".jp-OutputArea-output")) await settled();
        panel.dispose();
        await settled();
    }
}"""


def extension(repeats: int) -> None:
    """Print the time and the memory that the extension adds to a page, and its calls for a key."""
    found = {on: _measure(on, repeats) for on in (True, False)}
    rows = [
        (name, *(f"{found[on][name]:,.3g}" if name in found[on] else "" for on in (True, False)))
        for name in found[True]
    ]
    table("The extension, in JupyterLab", ("", "with it", "without"), rows)


def _measure(on: bool, repeats: int) -> dict[str, float]:
    with lab(extension=on) as (server, chromium):
        loads = [_load(server, chromium, f"load{i}") for i in range(repeats if on else 0)]
        found = {name: median(load[name] for load in loads) for name in (loads[0] if on else ())}
        path = server.write("cells", _cells())
        with chromium.new_page() as page:
            notebook = NotebookPage(page, server, path, "lab")
            times = page.evaluate(_RENDER, OUTPUTS)
            found |= {f"ms to render {name}": ms for name, ms in times.items()}
            session = page.context.new_cdp_session(page)
            if on:
                found |= _keys(notebook, session)
            found |= _retained(server, notebook, session)
    return found


def _cells() -> list[NotebookNode]:
    """A reply with two blocks of code, an error, and what is not ours."""
    code = '<pre><code class="language-python">x = 1\n</code></pre>'
    outputs = {
        "a reply": new_output(
            "display_data",
            {
                "text/html": f'<div class="claude-nb"><p>So:</p>{code}<p>And:</p>{code}</div>',
                MIME: {"version": 1},
            },
        ),
        "an error": new_output(
            "error", ename="ValueError", evalue="no", traceback=["ValueError: no"]
        ),
        "other HTML": new_output("display_data", {"text/html": "<p>So:</p>"}),
        "a printed line": new_output("stream", name="stderr", text="a line\n"),
    }
    cells = [new_code_cell(name, outputs=[output]) for name, output in outputs.items()]
    return [*cells, new_code_cell("%%claude\nWhy?"), new_code_cell("x = 1")]


def _load(server: Server, chromium: Browser, name: str) -> dict[str, float]:
    """What our script and its activation take of the main thread while a notebook is opened."""
    path = server.write(name, [new_code_cell("x = 1")])
    with chromium.new_page() as page:
        session = page.context.new_cdp_session(page)
        session.send("Profiler.enable")
        session.send("Profiler.setSamplingInterval", {"interval": 100})
        session.send("Profiler.start")
        NotebookPage(page, server, path, "lab")
        profile = session.send("Profiler.stop")["profile"]
    return {"ms of the main thread until a notebook is open": _ours(profile) / 1000}


def _ours(profile: dict[str, Any]) -> float:
    """The microseconds of a profile in our functions and in what they call."""
    nodes = {node["id"]: node for node in profile["nodes"]}
    parents = {child: node["id"] for node in nodes.values() for child in node.get("children", ())}

    def is_ours(number: int | None) -> bool:
        while number is not None:
            if OURS in nodes[number]["callFrame"]["url"]:
                return True
            number = parents.get(number)
        return False

    pairs = zip(profile["samples"], profile["timeDeltas"], strict=True)
    return sum(float(taken) for number, taken in pairs if is_ours(number))


def _keys(notebook: NotebookPage, session: CDPSession) -> dict[str, float]:
    """How often our functions are called while keys are typed into a cell."""
    session.send("Profiler.enable")
    found = {}
    for name, index in (("a cell of Python", 5), ("a prompt", 4)):
        editor = notebook.cell(index).locator(".cm-content")
        editor.press("Control+End")
        session.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": False})
        editor.press_sequentially("a" * KEYS)
        scripts = session.send("Profiler.takePreciseCoverage")["result"]
        session.send("Profiler.stopPreciseCoverage")
        calls = {
            function["functionName"]: function["ranges"][0]["count"]
            for script in scripts
            if OURS in script["url"]
            for function in script["functions"]
        }
        found[f"calls of ours for a key in {name}"] = sum(calls.values()) / KEYS
    return found


def _retained(server: Server, notebook: NotebookPage, session: CDPSession) -> dict[str, float]:
    """What stays after a notebook was opened and closed many times."""
    page = notebook.page
    path = server.write("opened", _cells()).name
    page.evaluate(_OPEN_AND_CLOSE, [path, 5])
    before = _memory(page, session)
    page.evaluate(_OPEN_AND_CLOSE, [path, OPENINGS])
    after = _memory(page, session)
    return {
        f"{name} kept by an opening": (after[name] - before[name]) / OPENINGS for name in before
    }


def _memory(page: Page, session: CDPSession) -> dict[str, float]:
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(300)
    counters = session.send("Memory.getDOMCounters")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    return {
        "DOM nodes": counters["nodes"],
        "listeners": counters["jsEventListeners"],
        "KB": heap / 1000,
    }
