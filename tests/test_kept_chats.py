"""Restart and Run All: what was said in a chat is there again, whatever was saved meanwhile."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.played import said, start, text

pytestmark = pytest.mark.kernel

LOAD = "%load_ext claude_nb"
# As if a page had told that it can cover the saved form, which then takes the widget's place.
CHAT = "import claude_nb\nchat = claude_nb.Chat('second')\ndisplay(chat)\nchat._page.cover()"
RESTART = """
import os
os.environ["JPY_SESSION_NAME"] = {path!r}
get_ipython().extension_manager.loaded.discard("claude_nb")
"""
NO_BACKUP = "%config ClaudeMagics.backup = False"
DELETE_BACKUPS = """
from claude_nb.conversation.snapshot import snapshot
snapshot.store.delete(snapshot.store.all())
"""
PROMPTS = "[e.prompt for e in chat.conversation.branch]"


class Notebook:
    """A notebook that is open in a front end: its cells, their outputs, and its file."""

    def __init__(self, kernel, path) -> None:
        self.kernel = kernel
        self.path = path
        self.cells = [new_code_cell(LOAD, id="load")]
        self.save()

    def add(self, source, id_):
        self.cells.append(new_code_cell(source, id=id_))

    def save(self):
        nbformat.write(new_notebook(cells=self.cells), self.path)

    def restart(self, told=None):
        """A new kernel, which is told the notebook's path."""
        self.kernel.clear()
        self.silent(RESTART.format(path=str(told or self.path)))

    def silent(self, code):
        reply = self.kernel.run(code)
        assert reply["status"] == "ok", reply

    def clear_outputs(self):
        """What JupyterLab does when Run All schedules the cells."""
        for cell in self.cells:
            cell.outputs = []

    def run(self, *ids: str):
        """Run cells, whose outputs are then those of the kernel."""
        for id_ in ids:
            cell = next(cell for cell in self.cells if cell.id == id_)
            reply = self.kernel.run(cell.source, id_)
            assert reply["status"] == "ok", reply
            self.take_outputs(id_)

    def take_outputs(self, id_):
        """Give a cell the outputs of the kernel as they are now."""
        next(cell for cell in self.cells if cell.id == id_).outputs = [
            new_output("display_data", shown["data"], metadata=shown["metadata"])
            for shown in self.kernel.shown.values()
        ]

    def run_all(self):
        self.run(*(cell.id for cell in self.cells))

    def restart_and_run_all(self):
        """As JupyterLab does it, with a save as soon as the first cell has run."""
        self.restart()
        self.clear_outputs()
        self.run("load")
        self.save()
        self.run(*(cell.id for cell in self.cells[1:]))

    def value(self, expression):
        """The value of an expression in the kernel, as text."""
        self.silent(f"print({expression}, end='')")
        return self.kernel.printed

    def says(self):
        """What the chat says about what was restored."""
        return self.value("chat._page.restored.said")


@pytest.fixture
def notebook(kernel, tmp_path):
    """A notebook with a chat in its second cell, saved, and a kernel that has run nothing of it."""
    book = Notebook(kernel, tmp_path / "n.ipynb")
    book.add(CHAT, "chat")
    book.save()
    book.restart()
    yield book
    book.silent(DELETE_BACKUPS)


@pytest.fixture
def talk(notebook, simulator):
    """The notebook with two turns that were typed in its chat; nothing of them is saved."""
    simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
    notebook.run_all()
    notebook.silent("chat.ask('First'); chat.ask('Second')")
    return notebook


@pytest.fixture
def saved_talk(talk):
    """The same, saved in the notebook and nowhere else."""
    talk.run("chat")
    talk.save()
    talk.silent(DELETE_BACKUPS)
    return talk


def prompts(request):
    """The questions in a request."""
    contents = [m["content"] for m in request.body["messages"] if m["role"] == "user"]
    return [c if isinstance(c, str) else c[0]["text"] for c in contents]


@pytest.mark.parametrize("backup", [True, False])
def test_run_all_after_a_restart_keeps_what_was_said(saved_talk, backup):
    """Also where the notebook is saved right after its first cell, twice in a row."""
    if not backup:
        saved_talk.cells[0].source += f"\n{NO_BACKUP}"
        saved_talk.save()

    for _ in range(2):
        saved_talk.restart_and_run_all()
        assert saved_talk.value(PROMPTS) == "['First', 'Second']"
        assert saved_talk.value("chat.cost > 0") == "True"
        saved_talk.save()

    record = nbformat.read(saved_talk.path, 4).cells[1].outputs[-1].data[MIME]
    assert [reply["turn"]["text"] for reply in record["replies"]] == ["One.", "Two."]
    assert all(reply["usage"]["output_tokens"] for reply in record["replies"])


def test_a_run_that_ends_before_the_cell_of_the_chat_loses_nothing(saved_talk):
    """The outputs were cleared and saved, and the next kernel finds the talk all the same."""
    saved_talk.restart()
    saved_talk.clear_outputs()
    saved_talk.run("load")
    saved_talk.save()
    saved_talk.silent("from claude_nb.conversation.snapshot import snapshot; snapshot.files")

    saved_talk.restart()
    saved_talk.run_all()

    assert saved_talk.value(PROMPTS) == "['First', 'Second']"
    assert saved_talk.says() == "Restored 2 turns from the backup on this computer."


def test_what_was_never_saved_is_in_the_backups(talk):
    """As after a kernel that died: each turn is there as soon as it has ended."""
    talk.restart()
    talk.run_all()

    assert talk.value(PROMPTS) == "['First', 'Second']"
    assert talk.says() == "Restored 2 turns from the backup on this computer."


def test_what_was_forgotten_is_nowhere(saved_talk, simulator):
    """Neither in the file, once it is saved, nor in the backups; cells keep what they asked."""
    simulator.enqueue(Stream(said("Three.")), Stream(said("Four.")))
    saved_talk.restart()
    saved_talk.add("%%claude -c second\nThird", "cell")
    saved_talk.run_all()
    cell = saved_talk.cells[-1]  # the chat's output was renewed meanwhile, and taken for the cell's
    cell.outputs = [o for o in cell.outputs if "chat" not in o.data.get(MIME, ())]
    saved_talk.silent("chat.ask('Fourth'); chat.forget()")
    saved_talk.silent("from claude_nb.conversation.snapshot import snapshot")
    restored = saved_talk.value("(snapshot.files[0].saved.records, chat._page.restored.said)")
    saved_talk.run("chat")
    saved_talk.save()
    text = saved_talk.path.read_text("utf-8")
    assert restored == "((), '')"
    assert [answer in text for answer in ("One.", "Two.", "Three.", "Four.")] == [0, 0, 1, 0]

    saved_talk.restart()
    saved_talk.run("load", "chat")
    assert saved_talk.value("[e.prompt for e in chat.conversation.exchanges]") == "['Third']"
    assert saved_talk.value(PROMPTS) == "[]"


def test_what_was_said_since_the_save_is_added(saved_talk, simulator):
    """And the chat says where each part comes from."""
    simulator.enqueue(Stream(said("Three.")))
    saved_talk.silent("chat.ask('Third')")

    saved_talk.restart()
    saved_talk.run_all()

    assert saved_talk.value(PROMPTS) == "['First', 'Second', 'Third']"
    assert saved_talk.says().startswith("Restored 3 turns from n.ipynb, saved on 20")
    assert saved_talk.says().endswith(", 1 of them from the backup.")


def test_a_second_load_does_not_replace_what_was_read(saved_talk):
    """By then a save may have overwritten it."""
    saved_talk.restart()
    saved_talk.silent(NO_BACKUP)
    saved_talk.run("load")
    saved_talk.clear_outputs()
    saved_talk.save()
    saved_talk.silent(DELETE_BACKUPS)

    saved_talk.silent("%reload_ext claude_nb")
    saved_talk.run("chat")

    assert saved_talk.value(PROMPTS) == "['First', 'Second']"


def test_cells_ask_the_same_again_after_a_restart(notebook, simulator):
    """Each request is sent once; what was typed in between stays, as another version."""
    notebook.add("chat.ask('From a cell')", "ask")
    notebook.add("%%claude -c second\nFrom a claude cell", "claude")
    simulator.enqueue(*(Stream(said(text)) for text in ("One.", "Two.", "To what was typed.")))
    notebook.run_all()
    first = [prompts(request) for request in simulator.requests]
    notebook.silent("chat.ask('Typed')")
    notebook.run("chat")
    notebook.save()

    for _ in range(2):
        simulator.forget()
        simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
        notebook.restart_and_run_all()
        notebook.save()
        assert [prompts(request) for request in simulator.requests] == first
        assert notebook.value(PROMPTS) == "['From a cell', 'From a claude cell']"
        texts = notebook.value("[e.text for e in chat.conversation.exchanges]")
        assert "To what was typed." in texts


@pytest.mark.parametrize("anew", ["%%claude -c second --new\nB", "%claude_nb undo 1 -c second"])
def test_cells_before_a_new_beginning_ask_the_same_again(notebook, simulator, anew):
    """They are not sent after the branch that the chat goes on with, which begins further down."""
    for number, source in enumerate(("%%claude -c second\nA", anew, "%%claude -c second\nC")):
        notebook.add(source, f"cell{number}")
    simulator.enqueue(*(Stream(said("So.")) for _ in range(3)))
    notebook.run_all()
    first = [request.body["messages"] for request in simulator.requests]

    for _ in range(2):
        simulator.drain()
        simulator.forget()
        simulator.enqueue(*(Stream(said("So.")) for _ in range(3)))
        notebook.restart_and_run_all()
        notebook.save()
        assert [request.body["messages"] for request in simulator.requests] == first


def test_an_answer_under_way_stays_on_the_branch(saved_talk, simulator):
    """A chat of its conversation that is made meanwhile restores what was said, as another one."""
    saved_talk.restart()
    saved_talk.run("load")
    simulator.enqueue(Stream([start(), *text("Half")[:-1]], end="hang"))
    saved_talk.silent("%%claude -c second --background --out live\nNew")
    saved_talk.silent("while not live.text: await __import__('asyncio').sleep(0)")
    saved_talk.run("chat")
    restored = saved_talk.value(PROMPTS)
    saved_talk.silent("%claude_nb jobs stop all")
    saved_talk.silent("%claude_nb jobs wait")

    assert (restored, saved_talk.value(PROMPTS)) == ("['First', 'Second']", "['New']")


def test_a_cell_goes_on_with_the_system_prompt_of_the_chat(notebook, simulator):
    """After a restart too: it is sent with what was typed in the chat."""
    notebook.cells[1].source = CHAT.replace("'second'", "'second', system='Be brief.'")
    notebook.add("%%claude -c second\nFrom a cell", "cell")
    simulator.enqueue(*(Stream(said("So.")) for _ in range(3)))
    notebook.run("load", "chat")
    notebook.silent("chat.ask('Typed')")
    notebook.run("cell")
    notebook.restart_and_run_all()

    first, again = (request.body for request in simulator.requests[-2:])
    assert first["system"] == again["system"] == "Be brief."
    assert first["messages"] == again["messages"]


def test_a_batch_is_found_after_its_output_was_cleared(notebook):
    """By the ids in the notebook as it was when the kernel began."""
    batch = {"version": 1, "simulated": True, "batch": {"ids": ["msgbatch_1"], "options": {}}}
    output = new_output("display_data", {"text/plain": "x", MIME: batch})
    notebook.cells.append(new_code_cell("claude_nb.Batch.resume()", id="b", outputs=[output]))
    notebook.save()
    notebook.restart()
    notebook.clear_outputs()
    notebook.run("load")
    notebook.save()

    notebook.silent("from claude_nb.batches import resume")
    assert notebook.value("resume.find(())[0]") == "('msgbatch_1',)"


def test_a_cell_that_is_run_again_asks_in_its_old_place(notebook, simulator):
    """With ``chat.ask`` as with ``%%claude``; several questions of one cell follow each other."""
    simulator.enqueue(*(Stream(said("So.")) for _ in range(5)))
    notebook.add("chat.ask('A'); chat.ask('B')", "ask")
    notebook.run_all()
    notebook.silent("chat.ask('Typed')")
    notebook.run("ask")

    assert [prompts(r) for r in simulator.requests][-2:] == [["A"], ["A", "B"]]
    assert notebook.value(PROMPTS) == "['A', 'B']"


def test_chats_without_a_name_belong_to_their_cells(notebook, simulator):
    """In whatever order they run, and when a cell is run again; a new cell has a new one."""
    for name in "ab":
        notebook.add(f"{name} = claude_nb.Chat()", name)
    simulator.enqueue(Stream(said("In a.")), Stream(said("In b.")))
    notebook.run_all()
    notebook.silent("a.ask('A'); b.ask('B')")
    notebook.run("a")
    again = notebook.value("a.conversation.head.prompt")
    notebook.restart()
    notebook.add("new = claude_nb.Chat()", "new")
    notebook.run("load", "chat", "new", "b", "a")

    assert again == "A"
    assert notebook.value("[c.conversation.head.prompt for c in (a, b)]") == "['A', 'B']"
    assert notebook.value("(new.conversation.name, new.turns)") == "('chat 3', 0)"


def test_a_chat_in_a_new_notebook_of_an_old_name_is_a_new_one(talk, simulator):
    """Its cells are others than those of the notebook that was deleted."""
    talk.cells = [new_code_cell(LOAD, id="load2"), new_code_cell(CHAT, id="chat2")]
    talk.save()
    talk.restart()
    talk.run_all()

    assert (talk.value(PROMPTS), talk.says()) == ("[]", "")
    simulator.enqueue(Stream(said("New.")))
    talk.silent("chat.ask('New')")
    talk.restart()
    talk.run_all()
    assert talk.value("[e.prompt for e in chat.conversation.exchanges]") == "['New']"


def test_start_empty_keeps_the_old_turns(saved_talk):
    """They can be brought back; until then the chat stays empty, after another restart too."""
    saved_talk.restart()
    saved_talk.run_all()
    saved_talk.silent("chat._page.restored.start_empty()")
    saved_talk.run("chat")
    saved_talk.save()
    saved_talk.restart()
    saved_talk.run_all()
    empty = saved_talk.value(PROMPTS)
    saved_talk.silent("chat._transcript.bring_back()")

    assert (empty, saved_talk.value(PROMPTS)) == ("[]", "['First', 'Second']")


def test_a_notebook_that_was_renamed_is_found_by_its_cells(saved_talk):
    """Its kernel still knows the old name, which another notebook may have by then."""
    old, new = saved_talk.path, saved_talk.path.with_name("renamed.ipynb")
    old.rename(new)
    nbformat.write(new_notebook(cells=[new_code_cell("1", id="other")]), old)

    saved_talk.restart(told=old)
    saved_talk.run_all()

    assert saved_talk.value(PROMPTS) == "['First', 'Second']"
    assert "from renamed.ipynb" in saved_talk.says()


def test_backups_follow_a_notebook_that_was_renamed(talk):
    """Under its new name they are found by its cells; a copy does not get the original's."""
    new = talk.path.with_name("renamed.ipynb")
    nbformat.write(new_notebook(cells=talk.cells), new)
    talk.restart(told=new)
    talk.run_all()
    of_copy = talk.value(PROMPTS)
    talk.path.unlink()
    talk.restart(told=new)
    talk.run_all()

    assert (of_copy, talk.value(PROMPTS)) == ("[]", "['First', 'Second']")


def test_of_several_copies_the_user_chooses(saved_talk, simulator):
    """Where the file is gone and its copies differ; until then nothing empty is saved."""
    simulator.enqueue(Stream(said("Three.")))
    copy = saved_talk.path.with_name("a copy.ipynb")
    copy.write_bytes(saved_talk.path.read_bytes())
    saved_talk.silent("chat.ask('Third')")
    saved_talk.run("chat")
    saved_talk.save()
    saved_talk.path.rename(saved_talk.path.with_name("moved.ipynb"))
    saved_talk.silent(DELETE_BACKUPS)
    saved_talk.restart()
    saved_talk.run_all()
    saved = saved_talk.cells[1].outputs[-1]
    saved_talk.silent("restored = chat._page.restored")
    choices = saved_talk.value("sorted(choice.label[:22] for choice in restored.choices)")
    number = saved_talk.value("[c.file.path.name for c in restored.choices].index('a copy.ipynb')")
    saved_talk.silent(f"restored.choose({number})")

    assert choices == "['a copy.ipynb · 2 turns', 'moved.ipynb · 3 turns ']"
    assert MIME not in saved.data
    assert "Several notebooks in this folder contain this chat." in saved.data["text/plain"]
    assert saved_talk.value(PROMPTS) == "['First', 'Second']"


@pytest.mark.parametrize(
    ("damage", "why"), [("damaged", "is not a notebook"), ("gone", "There is no file")]
)
def test_what_cannot_be_read_is_said(saved_talk, damage, why):
    """And nothing empty is saved in its place, until the user decides."""
    if damage == "gone":
        saved_talk.path.unlink()
    else:
        saved_talk.path.write_bytes(saved_talk.path.read_bytes()[:50])
    saved_talk.restart()
    saved_talk.run_all()
    before = saved_talk.cells[1].outputs[-1]
    says = saved_talk.says()
    saved_talk.silent("chat._page.restored.start_empty()")
    saved_talk.run("chat")

    assert says.startswith("Earlier chats could not be found: ")
    assert why in says
    assert MIME not in before.data
    assert why in before.data["text/plain"]
    assert saved_talk.cells[1].outputs[-1].data[MIME]["replies"] == []


def test_without_backups_nothing_is_written(notebook, simulator):
    """The trait turns them off, and ``status`` says so."""
    simulator.enqueue(Stream(said("One.")))
    notebook.silent(NO_BACKUP)
    notebook.run_all()
    notebook.silent("chat.ask('First')")
    notebook.silent("from claude_nb.conversation.snapshot import snapshot")

    assert notebook.value("snapshot.store.all()") == "[]"
    notebook.silent("%claude_nb status")
    assert "backups: off" in notebook.kernel.printed


def test_backups_are_listed_restored_and_deleted(notebook, simulator):
    """Those of ``%%claude`` cells too; each is deleted by name."""
    simulator.enqueue(Stream(said("One.")), Stream(said("Two.")))
    notebook.add("%%claude\nA question", "claude")
    notebook.run_all()
    notebook.silent("chat.ask('First')")
    listed = notebook.value("get_ipython().run_line_magic('claude_nb', 'backups')").splitlines()
    notebook.restart()
    notebook.silent("%claude_nb restore")
    restored = notebook.kernel.printed
    notebook.silent("%claude_nb backups delete second")
    one = notebook.kernel.printed
    notebook.silent("%claude_nb backups delete n.ipynb")
    rest = notebook.kernel.printed
    gone = notebook.kernel.run("%claude_nb backups delete n.ipynb")

    own = [line.split()[1:3] for line in listed if line.startswith(str(notebook.path))]
    assert own == [["notebook", "1"], ["second", "(chat)"]]
    assert "A question → One." in restored
    assert (one, rest) == ("Deleted: the backups of 1 turn.\n",) * 2
    assert (gone["ename"], "no backups of n.ipynb" in gone["evalue"]) == ("InputError", True)


def test_a_chat_on_a_conversation_of_its_own_goes_on(notebook, simulator):
    """Each chat with what was said in its own cell, although the conversations have one name."""
    simulator.enqueue(*(Stream(said("So.")) for _ in range(3)))
    notebook.cells[1].source = "import claude_nb"
    for name in "ab":
        made = f"{name} = claude_nb.Chat(claude_nb.Conversation())\ndisplay({name})"
        notebook.add(f"{made}\n{name}._page.cover()", name)
    notebook.add("%%claude\nFrom a cell", "cell")
    notebook.save()
    notebook.restart()
    notebook.run_all()
    notebook.silent("a.ask('A'); b.ask('B')")
    held = "[[e.prompt for e in c.conversation.exchanges] for c in (a, b)]"

    notebook.run("a")
    again = notebook.value(held)
    notebook.run("b")
    notebook.save()
    notebook.silent(DELETE_BACKUPS)
    simulator.enqueue(Stream(said("So.")))
    notebook.restart_and_run_all()

    assert again == notebook.value(held) == "[['A'], ['B']]"


def test_a_chat_of_another_notebook_goes_on_from_what_was_said_here(notebook, simulator, tmp_path):
    """And is not mixed with a chat of this notebook that was given no name either."""
    other = Notebook(notebook.kernel, tmp_path / "other.ipynb")
    chat = "chat = claude_nb.Chat()\ndisplay(chat)\nchat._page.cover()"
    other.add("import claude_nb\n" + chat, "chat")
    other.restart()
    simulator.enqueue(*(Stream(said(text)) for text in ("Old.", "Mine.", "New.")))
    other.run_all()
    other.silent("chat.ask('Old')")
    other.run("chat")
    other.save()
    cost = other.value("chat.cost")

    notebook.cells[1].source = "import claude_nb\nmine = claude_nb.Chat()\nmine"
    restored = f"claude_nb.Chat.restore({str(other.path)!r})"
    notebook.add(chat.replace("claude_nb.Chat()", restored), "restored")
    notebook.save()
    notebook.restart()
    notebook.run("load", "chat")
    notebook.silent("mine.ask('Mine')")
    notebook.run("restored")
    assert notebook.value(PROMPTS) == "['Old']"
    assert notebook.value("chat.cost") == cost
    notebook.silent("chat.ask('New')")
    notebook.run("restored")
    notebook.save()
    notebook.silent(DELETE_BACKUPS)

    for _ in range(2):
        notebook.restart_and_run_all()
        assert notebook.value(PROMPTS) == "['Old', 'New']"
        notebook.save()
    assert notebook.value("chat.conversation.name, mine.conversation.name") == "chat 2 chat"


@pytest.mark.parametrize("kept", ["backups", "notebook"])
def test_another_chat_that_was_shown_is_in_the_list_after_a_restart(saved_talk, simulator, kept):
    """The cell shows its own again; the other one can be gone back to, from wherever it is kept."""
    simulator.enqueue(Stream(said("Three.")))
    saved_talk.silent("chat._messages.on_new_chat({})\nchat.ask('Third')\nchat._page.settle()")
    saved_talk.run("chat") if kept == "backups" else saved_talk.take_outputs("chat")
    saved_talk.save()
    if kept == "notebook":
        saved_talk.silent(DELETE_BACKUPS)

    saved_talk.restart_and_run_all()
    own = saved_talk.value(PROMPTS)
    listed = "[(c['name'], c['turns']) for c in chat._messages.on_chats({})['chats']]"
    found = saved_talk.value(listed)
    saved_talk.silent("chat._messages.on_open({'name': 'chat'})")

    assert own == "['First', 'Second']"
    assert found == "[('second', 2), ('chat', 1)]"
    assert saved_talk.value(PROMPTS) == "['Third']"
    assert "Restored 1 turn" in saved_talk.says()
