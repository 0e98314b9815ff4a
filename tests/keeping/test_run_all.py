"""Restart and Run All where answers are kept: nothing is asked again that was answered before."""

from __future__ import annotations

import json
import re

import nbformat
import pytest

from claude_nb.simulator import Stream
from tests.played import end, said, start, text, thinking, tool_use
from tests.test_kept_chats import Notebook

pytestmark = pytest.mark.kernel

DATA = """
import pandas as pd, pydantic
from PIL import Image
df = pd.DataFrame({"month": ["May", "June"], "sales": [3, 4]})
picture = Image.new("RGB", (8, 8), "red")
class Sum(pydantic.BaseModel):
    total: int
def look_up(word: str) -> str:
    "Look up a word."
    looked.append(word)
    return word.upper()
looked = []
"""
CHANGED = DATA.replace("[3, 4]", "[3, 5]")
CELLS = {
    "keep": "%claude_nb keep on",
    "data": DATA,
    **{f"talk{n}": f"%%claude\nQuestion {n}" for n in range(1, 9)},
    "table": "%%claude -c data\nWhat sells?\n\n{{df}}",
    "after": "%%claude -c data\nAnd why?",
    "form": "%%claude --once --json Sum -o total\nSum up:\n\n{{df}}",
    "image": "%%claude --once -a picture\nWhat is it?",
    **{f"once{n}": f"%%claude --once\nAlone {n}" for n in range(1, 6)},
    "beside": "%%claude -m claude-opus-5-5 -m claude-haiku-5-5\nWhich?",
    "tools": "%%claude --once --tools look_up --keep\nLook up sky",
}
VARYING = ("kept", "timing", "tokens_per_second")
"""What differs in the record of a kept answer: that it is one, and the last digits of times."""
USING_DF = ["table", "after", "form"]


def replies(api):
    """The replies to all cells in their order, with thinking in the conversation."""
    for number in range(1, 9):
        events = [*thinking(f"Thought {number}."), *text(f"Answer {number}.", index=1)]
        api.enqueue(Stream([start(), *events, *end()]))
    api.enqueue(*map(Stream, map(said, ("June.", "Summer.", '{"total": 7}', "Red."))))
    api.enqueue(*(Stream(said(f"Reply {n}.")) for n in range(1, 6)), *[Stream(said("This."))] * 2)
    calls = [start(), *tool_use('{"word": "sky"}'), *end("tool_use")]
    api.enqueue(Stream(calls), Stream(said("It is SKY.")))


@pytest.fixture
def notebook(kernel, simulator, tmp_path):
    """A notebook of twenty prompts that was run once and saved."""
    book = Notebook(kernel, tmp_path / "n.ipynb")
    for id_, source in CELLS.items():
        book.add(source, id_)
    book.save()
    book.restart()
    replies(simulator)
    book.run_all()
    book.save()
    assert book.value("[total.parsed.total, looked]") == "[7, ['sky']]"
    simulator.forget()
    return book


def outputs(path):
    """The outputs of each cell, without what is made anew with each run: the ids of turns."""

    def plain(value):
        if isinstance(value, dict):
            turn = {"id": "", "parent": "", "asked": ""} if "asked" in value else {}
            return {name: plain(item) for name, item in (value | turn).items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: plain(json.loads(json.dumps(cell.outputs))) for cell in cells}


NOTE = r"kept · \\?\$0 · answered [\d\\-]+(?: · functions not run again: [\w\\]+)?"
EMPTY = re.compile(r'<p style="[^"]*"></p>|<br>(?=</p>)|(?<=">)<br>|\*\*|\[\]')


def without_note(value):
    """Outputs without the notes of kept answers, white space apart."""
    if isinstance(value, dict):
        return {name: without_note(item) for name, item in value.items() if name not in VARYING}
    if isinstance(value, list):
        return [without_note(item) for item in value]
    if isinstance(value, str):
        return "".join(EMPTY.sub("", re.sub(NOTE, "", value)).split())
    return value


def timings(value):
    """The times in records, in seconds."""
    if isinstance(value, list):
        return [time for item in value for time in timings(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("timing", {}).items()
    found = [time for name, time in own if name not in VARYING and time is not None]
    return found + [time for item in value.values() for time in timings(item)]


def test_run_all_sends_nothing_and_shows_the_same(notebook, simulator):
    """Twenty prompts, with a save forced after the first cell; the functions do not run again."""
    first = outputs(notebook.path)

    notebook.restart_and_run_all()
    notebook.save()

    assert not simulator.requests
    assert notebook.value("[total.parsed.total, looked]") == "[7, []]"
    again = outputs(notebook.path)
    prompts = [id_ for id_ in CELLS if id_ not in ("keep", "data")]
    for id_ in prompts:
        assert re.search(NOTE, json.dumps(again[id_], ensure_ascii=False)), id_
        kept, given = (json.dumps(without_note(found[id_])) for found in (again, first))
        if id_ == "beside":  # how long both took together, and their rates
            kept, given = (re.sub(r"[\d.,]+", "", shown) for shown in (kept, given))
        assert kept == given
        # Of times that are saved in microseconds, and then rounded to milliseconds, one may differ.
        assert timings(again[id_]) == pytest.approx(timings(first[id_]), abs=0.0011)
    assert len(timings(again)) == len(timings(first)) >= len(prompts)
    assert "functions not run again: look_up" in str(again["tools"])


def test_a_change_of_a_variable_asks_exactly_what_depends_on_it(notebook, simulator):
    """The cells that used it, and those whose conversation they are in, say why."""
    notebook.restart()
    next(cell for cell in notebook.cells if cell.id == "data").source = CHANGED
    simulator.enqueue(*map(Stream, map(said, ("May.", "Spring.", '{"total": 8}'))))
    notebook.run_all()
    notebook.save()

    assert len(simulator.requests) == 3
    assert notebook.value("total.parsed.total") == "8"
    shown = {id_: str(cell) for id_, cell in outputs(notebook.path).items()}
    assert [id_ for id_, text in shown.items() if "asked again" in text] == USING_DF
    assert "asked again: {{df}} changed" in shown["table"]
    assert "asked again: an earlier turn changed" in shown["after"]
    assert "asked again: {{df}} changed" in shown["form"]
