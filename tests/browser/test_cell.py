"""A ``%%claude`` cell in real front ends: it streams, it settles, and nothing in it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.browser.lab import SET_UP
from tests.played import said, start, text, thinking
from tests.refresh_notebooks import NOTEBOOKS

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

MIME_TYPES = {MIME, "text/html", "text/markdown", "text/plain"}
SETTLED = ".jp-RenderedHTML[data-mime-type='text/html'] .claude-nb"

RUN = "(window.ran ??= []).push"
"""What a script in a reply does if it runs."""

HOSTILE = f"""\
<img src=planted-1.png onerror="{RUN}('image')"> <b onmouseover="{RUN}('bold')">bold</b>

<script>{RUN}('script')</script>

<svg onload="{RUN}('svg')"></svg>

<iframe srcdoc="<script>parent.ran = ['frame']</script>" src="http://planted.invalid/2"></iframe>

![picture](http://planted.invalid/3.png) ![drawing](planted-4.svg "title") ![five][five]

[link](javascript:{RUN}('link')) <javascript:{RUN}('autolink')> [reference][js]

[five]: http://planted.invalid/5.png
[js]: JaVaScRiPt:{RUN}('reference')

| <img src=planted-6.png onerror="{RUN}('cell')"> |
|---|
| </td></table><script>{RUN}('table')</script> |

`</code><script>{RUN}('code')</script>`

```html
</code></pre><script>{RUN}('fence')</script><img src=planted-7.png onerror="{RUN}('fence')">
```

x $`$
<img src=planted-8.png onerror="{RUN}('hidden by a formula')">
$`$ y

[a](https://planted.invalid/9$"onfocus="{RUN}('address')"autofocus="$) and
[b](https://planted.invalid/10 "$\\"onfocus="{RUN}('title')"autofocus="$")

~~~$"onfocus="{RUN}('fence name')"autofocus="tabindex="0"$
code
~~~

The last words.
"""


def quickstart() -> list[nbformat.NotebookNode]:
    """The cells of the quickstart, without their outputs."""
    (path,) = (path for path in NOTEBOOKS if path.stem == "00_quickstart")
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    return cells


def what_ran(page: Page) -> list[str]:
    """What ran on the page since this was last asked; last ``"control"``, which the test adds.

    The control is an image that fails just as one in a reply would: what was going to run before
    it has run, and a page on which such things are not seen does not pass.
    """
    ran: list[str] = page.evaluate(
        f"""async () => {{
            const image = new Image();
            image.setAttribute("onerror", "{RUN}('control')");
            const failed = new Promise((done) => image.addEventListener("error", done));
            image.src = "/planted-control.png";
            await failed;
            return window.ran.splice(0);
        }}"""
    )
    return ran


def test_quickstart_streams_and_every_reply_settles(open_notebook):
    """Run All: text is on the page before its reply has ended; then every reply is saved plain."""
    cells = quickstart()
    places = {cell.id: index for index, cell in enumerate(cells)}
    notebook = open_notebook(cells)
    notebook.run_all()
    notebook.page.wait_for_function(
        """index => {
            const shown = document.querySelectorAll(".jp-Notebook .jp-Cell")[index].textContent;
            return shown.includes("On the wire") && !shown.includes("What to keep in mind");
        }""",
        arg=places["streams"],
    )
    notebook.wait_idle()
    for reply in ("streams", "function", "again"):
        settled = notebook.output(places[reply]).locator(SETTLED)
        expect(settled.locator("details > summary")).to_contain_text("Thought for")
        assert settled.locator("details[open]").count() == 0
        expect(settled.get_by_text("simulated", exact=True)).to_have_count(1)
        expect(settled.locator("th").last).to_have_text("first text")
    saved = notebook.saved()
    outputs = [saved.cells[places[reply]].outputs for reply in ("streams", "function", "again")]
    assert [set(output.data) for (output,) in outputs] == [MIME_TYPES] * 3
    assert "widgets" not in saved.metadata
    assert notebook.errors == []


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_saved_reply_reads_the_same_without_a_kernel(open_notebook, trusted):
    """Reopened by a reader who runs nothing: folded thinking, code in a box, usage, badge."""
    notebook = open_notebook([SET_UP, "%%claude\nWhat does caching cost?", "%%claude\nA function"])
    notebook.run_all()
    notebook.wait_idle()
    expect(notebook.output(2).locator(SETTLED)).to_be_visible()
    before = [notebook.text(index) for index in (1, 2)]
    notebook.reopen_without_kernel(trusted=trusted)
    assert notebook.is_trusted() == trusted
    table, code = (notebook.output(index).locator(SETTLED) for index in (1, 2))
    expect(table).to_contain_text("simulated")
    expect(code).to_contain_text("thinking")
    assert [notebook.text(index) for index in (1, 2)] == before
    thought = table.locator("details")
    expect(thought).to_contain_text("These lines stand where a summary would.")
    expect(thought.locator("p")).not_to_be_visible()
    assert table.locator("table").count() == 2
    # The grey of the box is see-through: it is there on a light and on a dark page.
    expect(code.locator("pre")).to_have_css("background-color", "rgba(136, 136, 136, 0.1)")
    expect(code.locator("pre > code")).to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_nothing_in_a_reply_runs_or_is_fetched(open_notebook, simulator):
    """Scripts, handlers, frames, images and script links in a reply are text: live, settled, saved.

    The cell's own run makes it trusted, and JupyterLab does not sanitise what is trusted.
    """
    words = [start(), *thinking(HOSTILE), *text(HOSTILE, index=1)]
    simulator.enqueue(Stream(words[:-1], end="hang"))
    as_markdown = (
        "from IPython.display import Markdown\n"
        "Markdown(claude_nb.last()._repr_mimebundle_()['text/markdown'])"
    )
    notebook = open_notebook([SET_UP, "%%claude\nGo on", as_markdown])
    page, reply = notebook.page, notebook.output(1)
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    notebook.run(0)
    notebook.run(1)
    expect(reply.locator("details[open]")).to_have_count(0)
    expect(reply).to_contain_text("The last words.")
    ran = {"live": what_ran(page)}

    notebook.interrupt()
    notebook.wait_idle()
    expect(reply.locator(SETTLED)).to_contain_text("Stopped")
    ran["settled"] = what_ran(page)

    notebook.run(2)
    notebook.wait_idle()
    expect(notebook.output(2)).to_contain_text("The last words.")
    ran["as Markdown"] = what_ran(page)

    for trusted in (True, False):
        notebook.reopen_without_kernel(trusted=trusted)
        expect(reply.locator(SETTLED)).to_contain_text("Stopped")
        ran[f"reopened, trusted: {trusted}"] = what_ran(page)

    page.remove_listener("request", note)
    assert ran == {phase: ["control"] for phase in ran}
    assert {url.rpartition("/")[2] for url in asked if "planted" in url} == {"planted-control.png"}
    targets = reply.locator(f"{SETTLED} a").evaluate_all("all => all.map(a => a.href)")
    # Images and bare addresses: links that a reader sees and may follow.
    leads = {"http://planted.invalid/" + each for each in ("2", "3.png", "5.png")}
    assert set(targets) == {*leads, "https://planted.invalid/9$"}


def test_math_is_typeset_and_money_is_not(open_notebook, simulator):
    """A formula is drawn while the reply streams, and typeset by the notebook from then on.

    $5 and $6 never are, and what the typesetter refuses is its source as long as the reply streams.
    """
    planted = r"$\text{<img src=planted-9.png>}$ and $\href{javascript:alert(1)}{y}$"
    message = said(f"It is $5 and $6, and $x^2$ is {planted}.\n\n$$y^2$$\n\nDone.\n\n$$\\frac{{a")
    simulator.enqueue(Stream(message[:3], end="hang"))
    notebook = open_notebook([SET_UP, "%%claude\nGo on"])
    reply = notebook.output(1)
    notebook.run(0)
    notebook.run(1)
    expect(reply).to_contain_text("It is $5 and $6, and")
    expect(reply).to_contain_text("Done.")
    assert reply.locator("math").count() == 3
    drawn = reply.locator("math msup").evaluate_all("all => all.map(e => e.namespaceURI)")
    assert drawn == ["http://www.w3.org/1998/Math/MathML"] * 2
    assert reply.locator("code").all_inner_texts() == [
        r"$\href{javascript:alert(1)}{y}$",
        r"\frac{a",
    ]
    assert reply.locator("mjx-container, img").count() == 0

    notebook.interrupt()
    notebook.wait_idle()
    expect(reply.locator(f"{SETTLED} mjx-container")).to_have_count(3)
    expect(reply).to_contain_text("It is $5 and $6, and")
    assert reply.locator(SETTLED).locator("a[href^=javascript], img, math[alttext]").count() == 0
    notebook.reopen_without_kernel(trusted=False)
    expect(reply.locator(f"{SETTLED} mjx-container")).to_have_count(3)
    expect(reply).to_contain_text("It is $5 and $6, and")


@pytest.mark.parametrize("width", [520, 360])
def test_usage_table_is_complete_on_a_narrow_page(open_notebook, width):
    """It breaks into lines of columns: nothing of it is out of sight, nothing scrolls."""
    notebook = open_notebook([SET_UP, "%%claude\nhello"], viewport=(width, 900))
    notebook.page.evaluate("window.jupyterapp.shell.collapseLeft()")
    notebook.run_all()
    notebook.wait_idle()
    table = notebook.output(1).locator(f"{SETTLED} table").last
    expect(table.get_by_role("rowheader")).to_have_text(
        ["stop reason", "cost", "total", "output", "thinking", "input", "first text"]
    )
    lines, seen = table.evaluate(
        """table => {
            const { left, right } = table.closest(".jp-Cell-outputArea").getBoundingClientRect();
            const cells = [...table.querySelectorAll("th, td")];
            const boxes = cells.map(cell => cell.getBoundingClientRect());
            const tops = [...table.rows].map(row => row.getBoundingClientRect().top);
            return [new Set(tops).size, boxes.every(box => box.left >= left && box.right <= right)];
        }"""
    )
    assert seen
    assert lines > 1
