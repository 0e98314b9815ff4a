import time
from tests.browser.test_reload import *
def test_flicker(open_cells, another_window, simulator):
    simulator.enqueue(Stream(growing("The first ", *WORDS), end="hang"))
    first = open_cells("%%claude\nhello", "1")
    first.run(1)
    expect(first.output(1).locator(LIVE)).to_contain_text("The first word0")
    second = another_window(first)
    live = second.output(1).locator(LIVE)
    expect(live).to_contain_text("The first word0")
    second.page.screenshot(path="/tmp/reload_x/shots/second.png")
    second.page.evaluate("""() => { window.log=[]; const t0=performance.now(); const look=()=>{
      const o=document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.jp-Cell-outputArea');
      const e=[Math.round(performance.now()-t0), o.textContent.length, o.textContent.slice(0,60), o.getBoundingClientRect().height];
      if(!log.length || log.at(-1)[1]!==e[1]|| log.at(-1)[3]!==e[3]) log.push(e); requestAnimationFrame(look)}; look(); }""")
    live.get_by_role("button", name="Stop").click()
    expect(second.output(1).locator(SETTLED)).to_contain_text("The first word0")
    for l in second.page.evaluate("log"): print(l)
