"""Kept answers: when one is shown instead of asking, and what is said where none is."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from pydantic import BaseModel

import claude_nb
from claude_nb import Conversation, redaction
from claude_nb.__main__ import main
from claude_nb.asking.asking import answer
from claude_nb.asking.question import Question
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import ClaudeError, InputError
from claude_nb.keeping.keeper import Asked, _Given, keeper
from claude_nb.magics import reports
from claude_nb.magics.cell import run
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.request.cells import Cell, Cells, SentCell, head
from claude_nb.request.place import Place
from claude_nb.session.shared_budget import shared_budget
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME
from tests import work
from tests.played import end, said, start, text, tool_use


@pytest.fixture
def kept(api):
    """Answers are kept in this notebook."""
    keeper.notebook = True
    return api


def ask(prompt="Hi", **options: Any):
    return claude_nb.ask(prompt, show=False, **options)


def say(api, *replies: str):
    api.enqueue(*(Stream(said(reply)) for reply in replies))


def test_the_same_is_not_asked_again(kept):
    """The answer comes with its usage, its time and its request id, and a note; nothing is sent."""
    say(kept, "One.")
    first, again = ask(), ask()

    assert len(kept.requests) == 1
    assert again.text == "One."
    assert (again.usage, again.cost, again.request_ids) == (
        first.usage,
        first.cost,
        first.request_ids,
    )
    assert again.timing.total == pytest.approx(first.timing.total, abs=1e-5)
    (note,) = again.notes
    assert note.startswith("kept · $0 · answered 20")
    assert again.requests == []


def test_off_is_the_default(api):
    """Each question is sent."""
    say(api, "One.", "Two.")

    assert [ask().text, ask().text] == ["One.", "Two."]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "claude-haiku-5-5"},
        {"system": "Be brief."},
        {"max_tokens": 100},
        {"effort": "low"},
        {"hide_thinking": True},
        {"stop_sequences": ["END"]},
        {"extra": {"service_tier": "auto"}},
        {"betas": ["some-beta-2026-01-01"]},
        {"attach": [1]},
        {"output": {"type": "object", "properties": {}, "additionalProperties": False}},
        {"prompt": "Hello"},
    ],
)
def test_what_decides_the_answer_is_asked_anew(kept, change):
    """A request that differs in it is another one."""
    say(kept, "{}", "{}")
    ask()
    ask(**change)

    assert len(kept.requests) == 2


@pytest.mark.parametrize(
    "change", [{"metadata": {"user_id": "a"}}, {"max_cost": 1.0}, {"stream": False}]
)
def test_what_decides_nothing_is_not(kept, change):
    """Who asks, what it may cost, and how it comes."""
    say(kept, "One.")
    ask()
    ask(**change)

    assert len(kept.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Stream([start(), *text("Half")[:-1]], end="reset"),
        Stream([start(), *text("Half"), *end("max_tokens")]),
        Stream([start(), *text("No"), *end("refusal")]),
        Stream([start(), *end()]),
        Error(529, "overloaded_error", "Overloaded"),
    ],
    ids=["dropped", "truncated", "refused", "empty", "failed"],
)
def test_only_complete_answers_are_kept(kept, reply):
    """Of all others nothing is shown again."""
    kept.enqueue(reply, Stream(said("Whole.")))
    with suppress(ClaudeError):
        ask()

    assert ask().text == "Whole."


def test_an_answer_that_lacks_its_form_is_not_kept(kept):
    """It is asked for again, as there is no object."""

    class Colour(BaseModel):
        name: str

    say(kept, '{"nom": "blue"}', '{"name": "blue"}')
    first, second = ask(output=Colour), ask(output=Colour)

    assert first.parse_error
    assert second.parsed == Colour(name="blue")
    assert ask(output=Colour).parsed == Colour(name="blue")


def test_a_conversation_goes_on_as_if_it_had_just_been_asked(kept):
    """What follows a kept answer is sent with it, byte for byte; another turn is asked anew."""
    say(kept, "One.", "Two.", "Three.")
    for _ in range(2):
        talk = Conversation()
        for prompt in ("First", "Second"):
            talk.ask(prompt, show=False)
    assert len(kept.requests) == 2
    assert talk.ask("Third", show=False).text == "Three."
    sent = kept.requests[-1].body["messages"]
    assert sent[:3] == kept.requests[1].body["messages"]
    assert sent[3]["content"] == [{"type": "text", "text": "Two."}]


def test_nothing_at_all_is_sent(kept):
    """Neither to count the input for a limit, nor to ask what the model takes."""
    say(kept, "One.")
    ask(model="some-model")
    seen = len(kept.requests)
    ask(model="some-model", max_cost=0.0000001)

    assert len(kept.requests) == seen


def test_a_budget_that_cannot_be_read_refuses_no_kept_answer(kept):
    """It costs nothing; what is sent is refused."""
    say(kept, "One.")
    ask()
    shared_budget.path.parent.mkdir(parents=True, exist_ok=True)
    shared_budget.path.write_text("spoiled " * 100)

    assert ask().text == "One."
    with pytest.raises(InputError, match="is not a database"):
        ask("Another")


def look_up(word: str) -> str:
    """Look up a word."""
    return word.upper()


def calls(api):
    called = [start(), *tool_use('{"word": "sky"}'), *end("tool_use")]
    api.enqueue(Stream(called), Stream(said("Blue.")))


def test_functions_run_anew_unless_the_cell_itself_says_keep(kept):
    """And the note names them."""
    calls(kept)
    calls(kept)
    ask(tools=[look_up])
    again = ask(tools=[look_up])
    assert len(kept.requests) == 4
    assert "the saved answer called look_up; keep=True here shows it without calling" in str(
        again.notes
    )

    shown = ask(tools=[look_up], keep=True)
    assert len(kept.requests) == 4
    assert "not run again: look_up" in shown.notes[0]
    assert [call.run.content[0]["text"] for call in shown.tool_calls] == ["SKY"]


def test_a_function_that_was_edited_counts_as_changed(kept):
    """Though its definition is the same."""
    say(kept, "One.", "Two.")

    def tool(word: str) -> str:
        """Look up a word."""
        return word

    ask(tools=[tool])

    def tool(word: str) -> str:
        """Look up a word."""
        return word + "!"

    assert ask(tools=[tool]).text == "Two."


def test_a_function_without_a_source_counts_as_changed(kept):
    """Nobody can tell whether it is the same."""
    names = {}
    exec("def made(word: str) -> str:\n    'Look up.'\n    return word", names)
    say(kept, "One.", "Two.")
    ask(tools=[names["made"]])

    assert ask(tools=[names["made"]]).text == "Two."


def test_fresh_asks_anew_and_keeps_the_new_answer(kept):
    """From then on that one is shown."""
    say(kept, "One.", "Two.")
    ask()
    assert ask(keep=False).text == "Two."
    assert ask().text == "Two."


def test_the_ledger_has_what_was_not_paid_again(kept):
    """Apart from what was paid."""
    say(kept, "One.")
    ask()
    spent, kept_before = len(claude_nb.ledger.entries), len(claude_nb.ledger.kept)
    ask()

    assert len(claude_nb.ledger.entries) == spent
    assert [entry.cost for entry in claude_nb.ledger.kept[kept_before:]] == [
        claude_nb.ledger.entries[-1].cost
    ]


class At:
    """Questions of cells, in a kernel whose notebook is known."""

    def __init__(self, path) -> None:
        self.path, self.execution = path, 0
        self.variables = {}

    def restart(self, *, backups=False):
        """A new kernel: what is known of the notebook is in its file, or in the backups too."""
        snapshot.store.delete([] if backups else snapshot.store.all())
        keeper.__init__()
        keeper.notebook = True
        snapshot.__init__()
        Conversation._named.clear()

    def save(self, **records: dict[str, Any]):
        """Save the notebook with the records of its cells."""
        cells = [
            new_code_cell("%%claude", id=id_, outputs=[new_output("display_data", {MIME: found})])
            for id_, found in records.items()
        ]
        nbformat.write(new_notebook(cells=cells), self.path)

    def ask(self, cell, prompt, **options: Any):
        self.execution += 1
        place = Place(cell, self.execution)
        return answer(
            Question.of(
                prompt,
                variables=self.variables,
                place=place,
                show=False,
                in_cell=True,
                **options,
            )
        )


@pytest.fixture
def at(kept, monkeypatch, tmp_path):
    """Cells of a notebook."""
    path = tmp_path / "n.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return At(path)


def record(reply):
    return json.loads(json.dumps(reply._repr_mimebundle_()[MIME]))


def test_the_saved_notebook_is_a_source_of_answers(at, api):
    """After a restart the answer of the cell is found in it; that of another cell is not."""
    say(api, "One.", "Two.")
    at.save(a=record(at.ask("a", "Hi")))
    at.restart()

    assert at.ask("a", "Hi").text == "One."
    at.restart()
    assert at.ask("b", "Hi").text == "Two."


def test_where_it_is_off_a_saved_answer_that_fits_is_named(at, api):
    """So that one learns what it would have saved."""
    say(api, "One.", "Two.")
    at.save(a=record(at.ask("a", "Hi")))
    at.restart()
    keeper.notebook = None

    reply = at.ask("a", "Hi")

    assert reply.text == "Two."
    assert reply.notes == ("a saved answer matches: --keep would have shown it for $0",)


@pytest.mark.parametrize("part", ["events", "text", "id"])
def test_an_edited_answer_is_not_kept(at, api, part):
    """Whatever of it was edited in the file; the note says so where it is found at all."""
    say(api, "One.", "Two.")
    first = at.ask("a", "Hi", history=Conversation.named())
    found = record(first)
    holder = found["turn"] if part == "text" else found["answer"]
    holder[part] = holder[part].replace("One", "Won") if part != "id" else "0" * 64
    at.save(a=found)
    at.restart()

    again = at.ask("a", "Hi", history=Conversation.named())

    assert again.text == "Two."
    assert ("asked again: the saved answer was edited" in again.notes) == (part != "id")


def test_an_answer_that_was_saved_without_what_keeping_takes_is_asked_again(at, api):
    """By a version that kept none, or where keeping was off; the note says so."""
    say(api, "One.", "Two.", "Three.")
    found = record(at.ask("a", "Hi"))
    del found["answer"]
    at.save(a=found)

    at.restart()
    (note,) = at.ask("a", "Hi").notes
    assert note == (
        "asked again: the saved answer is from an earlier version, or was not meant to be kept"
    )
    at.restart()
    assert at.ask("a", "Another").notes == ()


@pytest.mark.parametrize(
    ("content", "why"), [(None, "There is no file {}"), ("{", "{} is not a notebook")]
)
def test_a_notebook_that_cannot_be_read_is_named(at, capsys, content, why):
    """As one that was moved since the kernel began: its answers would be asked for and paid."""
    if content is not None:
        at.path.write_text(content)

    ClaudeMagics().claude_nb("keep on")

    printed = capsys.readouterr().out
    assert f"Its saved answers cannot be read: {why.format(at.path)}" in printed
    assert "%claude_nb keep ~/answers" in printed


def test_no_digest_of_a_credential_is_saved(at, api):
    """By which a short password could be guessed; not even that of the prompt that it stands in."""
    say(api, "One.", "Two.")
    saved = []
    for password in ("hunter-22", "hunter-23"):
        redaction.remember(password)
        at.variables["login"] = {"password": password}
        reply = at.ask("a", f"Why is {password} weak? {{{{login}}}}", keep=False)
        saved.append(record(reply)["answer"]["request"])

    assert saved[0] == saved[1]


def test_two_cells_of_one_id_are_told_apart_by_what_they_ask(at, api):
    """As after a merge of two versions of the notebook."""
    say(api, "One.", "Two.")
    first, second = at.ask("a", "Hi"), at.ask("a", "Hello")
    at.save(a=record(first))
    book = nbformat.read(at.path, 4)
    book.cells += [
        new_code_cell("x", id="a", outputs=[new_output("display_data", {MIME: record(second)})])
    ]
    at.path.write_text(json.dumps(book))
    at.restart()

    assert [at.ask("a", "Hello").text, at.ask("a", "Hi").text] == ["Two.", "One."]
    assert len(api.requests) == 2


def test_cells_that_go_along_are_the_same_whatever_their_numbers_and_addresses(at, api):
    """Cells had run out of order, and the objects are elsewhere in memory; what they say counts."""

    def cells(number, output):
        text = f"{head('cell', Place('x', number))}\n<output>\n{output}\n</output>\n</cell>\n"
        made = SentCell(Place("x", number), text)
        return Cells("above", (Cell(made.place, len(text), lambda: made),))

    say(api, "One.", "Two.", "Three.")
    talk = Conversation.named()
    first = at.ask("a", "Hi", history=talk, cells=cells(7, "[<Line2D at 0x7f27>]"))
    at.ask("b", "And?", history=talk)
    at.save(a=record(first))
    at.restart(backups=True)
    talk = Conversation.named()

    at.ask("a", "Hi", history=talk, cells=cells(2, "[<Line2D at 0x7f99>]"))
    at.ask("b", "And?", history=talk)
    assert len(api.requests) == 2
    at.ask("a", "Hi", history=talk, cells=cells(2, "at 0x7f99"))
    assert len(api.requests) == 3


def test_what_changed_is_named(at, api):
    """The value, the prompt, the model, an option, an earlier turn."""
    say(api, *map(str, range(9)))
    at.variables["df"] = pd.DataFrame({"a": [1]})
    at.ask("a", "What? {{df}}")
    at.variables["df"] = pd.DataFrame({"a": [2]})
    assert at.ask("a", "What? {{df}}").notes[-1] == "asked again: {{df}} changed"
    assert at.ask("a", "Why? {{df}}").notes[-1] == "asked again: the prompt changed"
    again = at.ask("a", "Why? {{df}}", model="claude-haiku-5-5", max_tokens=99)
    assert again.notes[-1] == "asked again: the model and max_tokens changed"
    assert at.ask("b", "Other").notes == ()


def test_after_a_crash_in_the_middle_the_backups_have_it(at, api):
    """A save has overwritten the outputs that were cleared, and the kernel's memory is gone."""
    say(api, "One.", "Two.")
    first = at.ask("a", "Hi"), at.ask("b", "Hello")
    at.save(a=record(first[0]), b=record(first[1]))
    at.restart()
    at.ask("a", "Hi")
    at.save(a=record(first[0]))
    at.restart(backups=True)

    assert at.ask("b", "Hello").text == "Two."
    assert len(api.requests) == 2


def test_finding_one_of_ten_thousand_answers_takes_no_more_than_finding_one_of_two(kept):
    """Neither does it take more to find none."""
    say(kept, "One.", "Two.")
    ask()
    given = keeper._by_cell[""].popitem()[1]
    asked = Asked(Place("a"), "Hi", given.data, None, "--keep")
    other = replace(asked, data=given.data | {"id": "none"})
    few = work.calls(lambda: keeper.find(asked)), work.calls(lambda: keeper.find(other))
    for number in range(10_000):
        keeper._add(_Given(Place(f"cell {number}"), given.data | {"id": f"{number:064x}"}, 1))

    assert keeper.find(asked).answer is not None
    many = work.calls(lambda: keeper.find(asked)), work.calls(lambda: keeper.find(other))
    assert all(more <= 1.1 * fewer for more, fewer in zip(many, few, strict=True))


def test_the_setting_of_a_cell_is_stronger_than_that_of_the_notebook(api, monkeypatch):
    """And that than the trait, and the trait than the environment."""
    magics = ClaudeMagics()
    try:
        assert not keeper.is_on
        monkeypatch.setenv("CLAUDE_NB_KEEP", "1")
        assert keeper.is_on
        magics.keep = False
        assert not keeper.is_on
        magics.claude_nb("keep on")
        assert keeper.is_on
        magics.claude_nb("keep off")
        magics.keep = True
        assert not keeper.is_on
    finally:
        keeper.configured = None


def test_a_folder_keeps_answers_as_recordings(api, tmp_path, capsys):
    """What is there is shown, what is not is asked and recorded; it can be replayed as well."""
    magics = ClaudeMagics()
    folder = tmp_path / "answers"
    magics.claude_nb(f"keep {folder}")
    say(api, "One.", "Two.")
    ask("Why is the sky blue?")
    keeper.__init__()
    magics.claude_nb(f"keep {folder}")

    assert ask("Why is the sky blue?").text == "One."
    assert len(api.requests) == 1
    (path,) = folder.iterdir()
    assert path.name.startswith("why-is-the-sky-blue-")

    keeper.__init__()
    path.write_text(path.read_text().replace("One.", "Won."))
    magics.claude_nb(f"keep {folder}")
    again = ask("Why is the sky blue?")
    assert again.text == "Two."
    assert again.notes == (f"asked again: {path.name} was edited",)


def test_a_folder_of_the_environment_turns_it_on(api, tmp_path, monkeypatch):
    """As for papermill in CI; a recording of %claude_nb record serves as well."""
    magics = ClaudeMagics()
    say(api, "One.", "Two.")
    magics.claude_nb(f"record {tmp_path}")
    try:
        ask()
    finally:
        magics.claude_nb("record off")
    keeper.__init__()
    monkeypatch.setenv("CLAUDE_NB_KEEP_DIR", str(tmp_path))

    assert ask().text == "One."
    assert ask("Other").text == "Two."
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_a_folder_that_cannot_be_written_is_a_warning(api, tmp_path, monkeypatch):
    """The reply is there, and paid for."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLAUDE_NB_KEEP_DIR", str(tmp_path / "file" / "folder"))
    say(api, "One.")

    with pytest.warns(UserWarning, match="The answer was not kept"):
        assert ask().text == "One."


def test_keep_and_fresh_exclude_each_other():
    """The error names both."""
    from IPython.core.interactiveshell import InteractiveShell

    with pytest.raises(ClaudeError, match="--keep and --fresh"):
        run(InteractiveShell(), "--keep --fresh", "Hi", ClaudeMagics()._defaults())


def test_what_was_not_paid_again_is_summed(at, api, capsys):
    """By the command line, where a kept answer and the original are one; and by the magic."""
    say(api, "One.")
    first = at.ask("a", "Hi")
    again = at.ask("a", "Hi")
    at.save(a=record(first))
    copy = At(at.path.with_name("copy.ipynb"))
    copy.save(a=record(again))

    assert main(["usage", str(at.path), str(copy.path)]) == 0

    printed = " ".join(capsys.readouterr().out.split())
    assert f"${first.cost:.4f} not paid again: 1 kept answer." in printed
    assert "1 in more than one notebook: counted once in total." in printed
    assert "not paid again: " in repr(reports.usage())


def test_nothing_is_saved_for_it_where_it_was_turned_off(at, api):
    """Unless the cell itself asks for it; what is out of date is known all the same."""
    say(api, "One.", "Two.", "Three.")
    keeper.notebook = False
    assert "answer" not in record(at.ask("a", "Hi"))
    assert len(list(keeper.shown)) == 1
    assert "answer" in record(at.ask("a", "Hi", keep=True))
    keeper.notebook = None
    assert "answer" in record(at.ask("b", "Hi"))
