"""The tree of exchanges: what is sent with a question, and what of an answer stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from claude_nb.conversation.history import History
from claude_nb.conversation.outline import tree
from claude_nb.errors import DroppedError, InputError
from claude_nb.render import labels
from claude_nb.request.place import Place
from claude_nb.request.request import Request
from claude_nb.streaming.events import Failed, Resumed, Stopped, Waiting
from claude_nb.streaming.turns import turns
from tests.played import block, end, said, start, text, thinking, tool_use
from tests.streaming.test_progress import ACCEPTED, SENT, progress

ANSWER = [SENT, ACCEPTED, *said("Yes.")]
THOUGHT = [SENT, ACCEPTED, start(), *thinking("Hm."), *text("Yes.", index=1), *end()]
SEARCH = [
    *block(0, type="server_tool_use", id="srv_1", name="web_search", input={"query": "x"}),
    *block(1, type="web_search_tool_result", tool_use_id="srv_1", content=[]),
]


def ask(
    history, prompt, *, cell="", execution=0, came=ANSWER, new=False, origin="api", **fields: object
):
    """Ask, let the events come, and return the request that was sent."""
    place = Place(cell, execution)
    with history.asking():
        request = history.next(Request(prompt, **fields), place, origin, new=new)
        history.keep(request, place, origin, progress(*came))
    return request


def prompts(request):
    """The user's words in what was sent, the question's own last."""
    return [m["content"] for m in request.params()["messages"] if m["role"] == "user"]


def run(history, steps):
    """Run cells, each with a number of its own, and return what the last one sent."""
    for execution, (cell, prompt) in enumerate(steps, 1):
        sent = ask(history, prompt, cell=cell, execution=execution)
    return sent


NOTEBOOK = [("a", "A"), ("b", "B"), ("c", "C")]


@pytest.mark.parametrize(
    ("steps", "sent", "left"),
    [
        pytest.param(NOTEBOOK, "ABC", "", id="run-all"),
        pytest.param([*NOTEBOOK, *NOTEBOOK], "ABC", "", id="run-all-twice"),
        pytest.param([*NOTEBOOK, *NOTEBOOK, *NOTEBOOK], "ABC", "", id="run-all-three-times"),
        pytest.param([*NOTEBOOK, ("c", "C")], "ABC", "", id="the-last-cell-again"),
        pytest.param([*NOTEBOOK, ("b", "B")], "AB", "cell [3]", id="an-earlier-cell-again"),
        pytest.param([*NOTEBOOK, ("b", "b")], "Ab", "cell [3]", id="an-earlier-cell-edited"),
        pytest.param(
            [*NOTEBOOK, ("a", "a")], "a", "cell [2], cell [3]", id="the-first-cell-edited"
        ),
        pytest.param([*NOTEBOOK, ("b", "b"), ("c", "C")], "AbC", "", id="edited-and-on"),
        pytest.param([*NOTEBOOK, ("d", "D")], "ABCD", "", id="a-new-cell-at-the-end"),
        pytest.param([*NOTEBOOK, ("n", "N")], "ABCN", "", id="a-new-cell-between-is-the-newest"),
        pytest.param([("b", "B"), ("a", "A")], "BA", "", id="out-of-order"),
        pytest.param(
            [("b", "B"), ("a", "A"), ("b", "B")], "B", "cell [2]", id="out-of-order-and-again"
        ),
        pytest.param([("", "A"), ("", "A")], "AA", "", id="a-front-end-without-cell-ids"),
    ],
)
def test_a_cell_that_runs_again_asks_in_its_old_place(steps, sent, left):
    """What is sent is what stands in the notebook above, in the order in which it was asked."""
    history = History()

    request = run(history, steps)

    assert list(sent) == prompts(request)
    said_so = [note for note in request.notes if note.startswith("no longer in this conversation")]
    assert ([f"no longer in this conversation: {left}"] if left else []) == said_so


def test_two_questions_in_one_cell_follow_each_other():
    """A loop over questions is one conversation, and so is the same loop run again."""
    history = History()
    for execution in (1, 2):
        for prompt in "XYZ":
            request = ask(history, prompt, cell="loop", execution=execution)

    assert prompts(request) == ["X", "Y", "Z"]


def test_the_notes_say_what_is_remembered():
    """Nothing for a first turn; then its number, and how many were sent."""
    history = History()

    notes = [ask(history, prompt).notes for prompt in "ABC"]

    assert notes == [
        (),
        ("turn 2 · sent with the 1 before it",),
        ("turn 3 · sent with the 2 before it",),
    ]


def test_a_conversation_with_a_name_says_it():
    """Cells of several conversations can stand among each other."""
    history = History("trains")

    assert ask(history, "A").notes == ("trains",)


def test_new_begins_at_the_beginning():
    """Nothing is sent along, and nothing is no longer in this conversation by accident."""
    history = History()
    ask(history, "A")

    request = ask(history, "B", new=True)

    assert (prompts(request), request.notes) == (["B"], ())
    assert prompts(ask(history, "C")) == ["B", "C"]


def test_undo_fork_and_new_move_the_head():
    """Nothing leaves the tree, so that each step can be taken back."""
    history = History()
    for prompt in "ABC":
        ask(history, prompt)

    assert [e.prompt for e in history.undo()] == ["C"]
    assert prompts(ask(history, "D")) == ["A", "B", "D"]
    history.fork(3)
    assert prompts(ask(history, "E")) == ["A", "B", "C", "E"]
    history.new()
    assert prompts(ask(history, "F")) == ["F"]
    assert len(history.exchanges) == 6


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_fork_needs_an_exchange(number):
    """The error says which there are."""
    history = History()
    ask(history, "A")

    with pytest.raises(InputError, match="There is no exchange"):
        history.fork(number)


def test_several_turns_are_undone_at_once():
    """As many as there are, and no others."""
    history = History()
    for prompt in "ABC":
        ask(history, prompt)

    assert [e.prompt for e in history.undo(2)] == ["B", "C"]
    assert prompts(ask(history, "D")) == ["A", "D"]
    for many in (0, 3):
        with pytest.raises(InputError, match=f"no {many} turns to undo .* It has 2 turns"):
            history.undo(many)
    assert len(history.branch) == 2


def test_there_may_be_nothing_to_undo():
    """It is said, rather than passed over."""
    with pytest.raises(InputError, match="nothing to undo"):
        History().undo()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m", "x" * 61])
def test_a_name_can_be_seen(name):
    """It is shown in one line, so it is one."""
    with pytest.raises(InputError, match="cannot be the name"):
        History(name)


@pytest.mark.parametrize("name", ["Äpfel & Birnen", "a/b", "2", "日本語", "it's"])
def test_a_name_may_be_odd(name):
    """It need not be an identifier."""
    assert name == History(name).name


DROPPED = Failed(DroppedError("Lost."))
AGAIN = [
    Waiting(DroppedError("Lost."), 0.0, 0.0, 2, 5),
    Resumed(DroppedError("Lost.")),
    SENT,
    ACCEPTED,
]


@pytest.mark.parametrize(
    ("came", "kept"),
    [
        pytest.param(ANSWER, [{"type": "text", "text": "Yes."}], id="complete"),
        pytest.param(
            THOUGHT,
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "signed"},
                {"type": "text", "text": "Yes."},
            ],
            id="signed-thinking-as-it-came",
        ),
        pytest.param(
            [
                *[SENT, ACCEPTED, start()],
                *block(0, type="redacted_thinking", data="ENC"),
                *text("Yes.", index=1),
                *end(),
            ],
            [{"type": "redacted_thinking", "data": "ENC"}, {"type": "text", "text": "Yes."}],
            id="encrypted-thinking-as-it-came",
        ),
        pytest.param(
            [
                *[SENT, ACCEPTED, start(), *thinking("Hm.")],
                *block(1, type="thinking", thinking="unsigned", signature=""),
                *text("Yes.", index=2),
                *end(),
            ],
            [{"type": "text", "text": "Yes."}],
            id="unsigned-thinking-takes-the-signed-with-it",
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *thinking("Hm."), *text("Ye", index=1)[:-1], Stopped()],
            [{"type": "text", "text": "Ye"}],
            id="stopped",
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *text("Ye"), *end("max_tokens")],
            [{"type": "text", "text": "Ye"}],
            id="truncated",
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *text("Ye \n")[:-1], DROPPED],
            [{"type": "text", "text": "Ye"}],
            id="dropped",
        ),
        pytest.param(
            [
                *[SENT, ACCEPTED, start(), *thinking("Hm."), *text("Yes, ", index=1)[:-1]],
                *AGAIN,
                *[start(), *thinking("On."), *text("it is.", index=1), *end()],
            ],
            [{"type": "text", "text": "Yes, it is."}],
            id="continued-keeps-the-thinking-of-neither-part",
        ),
        pytest.param([SENT, ACCEPTED, start(), *text("No"), *end("refusal")], [], id="refused"),
        pytest.param([SENT, Failed(DroppedError("Lost."))], [], id="failed"),
        pytest.param([SENT, ACCEPTED, start(), Stopped()], [], id="stopped-before-any-text"),
        pytest.param([SENT, ACCEPTED, start(), *end()], [], id="empty"),
        pytest.param([SENT, ACCEPTED, start(), *text(" \n"), *end()], [], id="blank"),
        pytest.param(
            [SENT, ACCEPTED, start(), *thinking("Hm."), *end("max_tokens")], [], id="only-thinking"
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *text("Look:"), *tool_use("{}", index=1), *end("tool_use")],
            [{"type": "text", "text": "Look:"}],
            id="a-call-without-its-result",
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *SEARCH, *text("Found.", index=2), *end()],
            [
                {
                    "type": "server_tool_use",
                    "id": "srv_1",
                    "name": "web_search",
                    "input": {"query": "x"},
                },
                {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
                {"type": "text", "text": "Found."},
            ],
            id="a-server-tool-with-its-result",
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *SEARCH[:2], *text("Hm.", index=1), *end()],
            [{"type": "text", "text": "Hm."}],
            id="a-server-tool-without-its-result",
        ),
        pytest.param(
            [SENT, ACCEPTED, start(), *SEARCH[2:], *text("Hm.", index=2), *end()],
            [{"type": "text", "text": "Hm."}],
            id="a-result-of-nothing",
        ),
        pytest.param(
            [
                *[SENT, ACCEPTED, start()],
                *block(0, type="hologram", beam="x"),
                *text("Yes.", index=1),
                *end(),
            ],
            [{"type": "text", "text": "Yes."}],
            id="a-block-that-nobody-knows",
        ),
    ],
)
def test_what_stays_of_an_answer(came, kept):
    """One clean assistant turn that the API takes back, or none: then the question goes too."""
    history = History()
    ask(history, "A")
    ask(history, "B", came=came)

    assert ([], kept) == turns(progress(*came))
    assert (["A", "B", "C"] if kept else ["A", "C"]) == prompts(ask(history, "C"))


def test_a_cell_that_fails_again_leaves_the_branch_as_it_was():
    """A retry that comes to nothing loses nothing."""
    history = History()
    run(history, NOTEBOOK)

    ask(history, "B", cell="b", execution=4, came=[SENT, DROPPED])

    assert [exchange.prompt for exchange in history.branch] == ["A", "B", "C"]


def test_the_system_prompt_of_a_branch_stays():
    """Byte for byte: the cache and signed thinking depend on it."""
    history = History(system="Default.")
    first = ask(history, "A", system="Be terse.")
    second = ask(history, "B")
    fresh = ask(history, "C", new=True)

    assert [first.system, second.system, fresh.system] == ["Be terse.", "Be terse.", "Default."]


def sent_thinking(request):
    """For each earlier answer, whether its thinking is sent along."""
    answers = [m["content"] for m in request.before if m["role"] == "assistant"]
    return [any(item["type"] == "thinking" for item in answer) for answer in answers]


def test_thinking_is_sent_along_while_the_system_prompt_is_the_same():
    """As it came: the API checks it."""
    history = History()
    ask(history, "A", came=THOUGHT)
    ask(history, "B", came=THOUGHT)

    assert sent_thinking(ask(history, "C")) == [True, True]


def test_another_system_prompt_takes_earlier_thinking_out_for_good():
    """Also when the first one comes back: what was taken out may not be put in again."""
    history = History()
    ask(history, "A", came=THOUGHT, system="One.")
    changed = ask(history, "B", came=THOUGHT, system="Two.")
    on = ask(history, "C", came=THOUGHT)
    back = ask(history, "D", system="One.")

    assert list(map(sent_thinking, (changed, on, back))) == [
        [False],
        [False, True],
        [False, False, False],
    ]
    assert (
        "earlier thinking not resent (it only works with the prompt and tools it was written for)"
        in changed.notes
    )


def test_a_fork_keeps_the_thinking_before_it():
    """Nothing before it has changed, so it is valid still."""
    history = History()
    for execution, cell in enumerate("abc", 1):
        ask(history, cell.upper(), cell=cell, execution=execution, came=THOUGHT)

    assert sent_thinking(ask(history, "b", cell="b", execution=4)) == [True]


def test_what_another_server_answered_is_sent_as_text():
    """Its signatures are none here; what this one has signed goes along as it came."""
    history = History()
    ask(history, "A", came=THOUGHT, origin="simulator")
    request = ask(history, "B", came=THOUGHT)

    assert request.before[1]["content"] == [{"type": "text", "text": "Yes."}]
    assert sent_thinking(ask(history, "C")) == [False, True]


def test_texts_that_belong_together_keep_the_space_between_them():
    """Only the end of the last one is taken off."""
    history = History()
    two = [SENT, ACCEPTED, start(), *text("Yes, "), *text("it is. ", index=1), *end()]
    ask(history, "A", came=two, origin="elsewhere")

    answer = ask(history, "B").before[1]["content"]

    assert [block["text"] for block in answer] == ["Yes, ", "it is."]


def test_another_model_gets_the_same_history():
    """The API itself leaves out thinking that a model cannot read."""
    history = History()
    ask(history, "A", came=THOUGHT)

    assert sent_thinking(ask(history, "B", model="claude-haiku-5-5")) == [True]


def test_one_question_at_a_time():
    """Two at once would each miss the other; the error says what to do instead."""
    history = History()
    with history.asking(), pytest.raises(InputError, match="is still being answered"):
        ask(history, "B")

    assert prompts(ask(history, "C")) == ["C"]


def test_the_messages_are_those_of_the_api():
    """User and assistant in turn, from the beginning of the branch."""
    history = History()
    ask(history, "A")

    assert history.messages() == [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
    ]


@pytest.mark.parametrize(
    ("words", "shown"),
    [("Why?", "Why?"), ("Why\n is\tthe sky", "Why is the…"), ("x" * 100, "x" * 10 + "…")],
)
def test_first_words(words, shown):
    """One line, cut where it is too long."""
    assert shown == labels.first_words(words, 11)


def test_a_place_that_was_chosen():
    """A turn can follow any exchange; nothing is said of what that leaves behind."""
    history = History("talk")
    ask(history, "First")
    first = history.head
    ask(history, "Second")

    request = history.next(Request("Other"), Place(), after=first)

    assert [m["content"] for m in request.before if m["role"] == "user"] == ["First"]
    assert request.turn.parent == first.id
    assert not any("no longer in this conversation" in note for note in request.notes)


def test_who_listens_hears_of_each_change():
    """Of another exchange and another head; and of nothing more when it has ended."""
    history, heard = History("talk"), []
    end = history.listen(lambda: heard.append(len(history.branch)))
    ask(history, "First")
    ask(history, "Second")
    first = history.undo()[0].parent
    history.go_to(first)
    history.new()
    end()
    history.fork(1)

    assert heard == [1, 2, 1, 1, 0]


def moves(history):
    """What the user can do to the head, each from a branch of three."""
    return {
        "undo": history.undo,
        "new": history.new,
        "fork": lambda: history.fork(1),
    }


@pytest.mark.parametrize("move", ["undo", "new", "fork"])
def test_an_answer_leaves_the_head_where_it_was_moved(move):
    """It is in the tree after what it was asked about, and the conversation goes on elsewhere."""
    history = History()
    run(history, NOTEBOOK)
    last = history.head

    with history.asking():
        request = history.next(Request("D"), Place())
        moves(history)[move]()
        moved_to = history.head
        history.keep(request, Place(), None, progress(*ANSWER))

    assert history.head is moved_to
    assert (history.exchanges[-1].prompt, history.exchanges[-1].parent) == ("D", last)
    assert ask(history, "E").turn.parent == (moved_to.id if moved_to else None)
    assert history.head.prompt == "E"


def test_a_first_answer_stays_out_of_a_conversation_that_begins_anew():
    """Though the head is at the beginning before and after."""
    history = History()

    with history.asking():
        request = history.next(Request("A"), Place())
        history.new()
        history.keep(request, Place(), None, progress(*ANSWER))

    assert (history.branch, [e.prompt for e in history.exchanges]) == ([], ["A"])


def test_who_stops_listening_while_being_told_keeps_the_news_from_nobody():
    """Those that come after it hear of the change too."""
    history, heard = History(), []
    ends = [history.listen(lambda: (heard.append("a"), ends[0]()))]
    history.listen(lambda: heard.append("b"))

    history.new()
    history.new()

    assert heard == ["a", "b", "b"]


def is_free(lock):
    """Whether another thread could take a lock now."""
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(lock.acquire, blocking=False).result()
        if taken:
            pool.submit(lock.release).result()
    return taken


class Watched(History):
    """A history that notes, when its head changes, whether another thread could change it too."""

    def __setattr__(self, name, value) -> None:
        super().__setattr__(name, value)
        if name == "head" and hasattr(self, "was_free"):
            self.was_free.append(is_free(self.lock))


@pytest.mark.parametrize("change", ["ask", "undo", "new", "fork", "add"])
def test_a_change_is_made_under_the_lock_and_told_without_it(change):
    """Several threads change a history; one that listens may wait for another that does."""
    history, other = Watched(), History()
    run(other, NOTEBOOK)
    if change != "add":
        run(history, NOTEBOOK)
    history.was_free, told = [], []
    history.listen(lambda: told.append(is_free(history.lock)))
    does = {
        **moves(history),
        "ask": lambda: ask(history, "D"),
        "add": lambda: history.add(other.exchanges, other.head),
    }

    does[change]()

    assert (history.was_free, told) == ([False], [True])


def test_the_outline_shows_words_without_markup():
    """The marks of Markdown are left out, and the spaces between words stay."""
    history = History("notebook")
    ask(history, "How many?", came=[SENT, ACCEPTED, *said("# Sum\n**Twenty-three.** `n` C#")])

    assert tree(history).splitlines() == [
        "notebook · 1 exchange, 1 on the current branch",
        "● 1  How many? → Sum Twenty-three. n C#  ← here",
    ]


def test_whoever_asks_at_the_same_time_is_told_what_to_do():
    """In a chat and in Python without the options of a cell."""
    history = History("notebook")

    with history.asking(), pytest.raises(InputError) as caught:
        ask(history, "Now?")
    assert caught.value.advice == "Wait until it ends, or ask in another one."
    with (
        history.asking(),
        pytest.raises(InputError, match="-c NAME, or in none: --once"),
        history.asking(in_cell=True),
    ):
        pass
