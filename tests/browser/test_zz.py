import time, json
import pytest
from playwright.sync_api import expect
from claude_nb.simulator import Stream
from tests.browser.lab import *
from tests.browser.test_live import *

def go(notebook, save):
    if save:
        notebook.command("docmanager:save")
        notebook.page.wait_for_function(f"!{PANEL}.context.model.dirty")
    notebook.reload()

def watch(notebook, i, n, page=None):
    t=time.time()
    for _ in range(n):
        time.sleep(.5)
        print(round(time.time()-t,1), notebook.page.evaluate(f"{PANEL}?.sessionContext?.session?.kernel?.status"), repr(notebook.text(i)[-100:]))

@pytest.mark.parametrize("save", [1,0])
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_proto(open_cells, simulator, front_end, save):
    simulator.enqueue(Stream([start(), *text(*WORDS, *WORDS)[:-1]], delay=0.1,end="hang"))
    notebook = open_cells("%%claude\nhello", front_end=front_end)
    if not save: notebook.saved()
    notebook.run(1)
    expect(notebook.output(1).locator(LIVE)).to_contain_text("word3 ")
    go(notebook, save)
    watch(notebook, 1, 4)
    print(notebook.cell(1).locator(".jp-InputPrompt").text_content())
    notebook.page.screenshot(path=f"/tmp/reload_x/shots/proto_{front_end}_{save}.png")
    b=notebook.output(1).get_by_role("button", name="Stop")
    b.click(timeout=3000)
    watch(notebook, 1, 7)
    print(notebook.cell(1).locator(".jp-InputPrompt").text_content())
    nb = notebook.saved()
    print(json.dumps(nb.cells[1].outputs)[-1000:], nb.cells[1].execution_count)
    print(notebook.errors)
