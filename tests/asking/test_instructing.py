"""Instructions in the middle of a conversation: kept beside the system prompt, from there on."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb import CachedSystem, Chat, Conversation, Policy
from claude_nb.conversation.history import INSTRUCTED, REPLACED, THINKING_LEFT_OUT
from claude_nb.conversation.outline import tree
from claude_nb.cost.models import facts, known_models
from claude_nb.errors import InputError, RequestError
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.render.saved_output import record
from claude_nb.simulator import Error, Stream
from tests.played import said, start, text

QUIET = {"show": False}
BRIEF = "From now on, answer in one sentence."


def roles(request):
    """The messages of a request: role and text of those of the system, else the role."""
    return [
        message["content"] if message["role"] == "system" else message["role"]
        for message in request.body["messages"]
    ]


def talk_with_instruction(name):
    """A conversation whose second turn brings an instruction."""
    talk = Conversation(name, system=CachedSystem("manual", "Long. " * 2000))
    talk.ask("Think about it.", **QUIET)
    talk.ask("And now?", instruct=BRIEF, **QUIET)
    return talk


def test_it_stands_behind_its_question_from_then_on(api):
    """Cache and thinking are kept, and the system prompt is what it was."""
    talk = talk_with_instruction("instructed")
    reply = talk.ask("Go on.", **QUIET)

    turn = ["user", "assistant"]
    assert roles(api.requests[-1]) == [*turn, "user", BRIEF, "assistant", "user"]
    system = [found.body["system"] for found in api.requests]
    assert system[0] == system[1] == system[2]
    sent = api.requests[-1].body["messages"]
    kinds = [
        block["type"] for message in sent for block in message["content"] if type(block) is dict
    ]
    assert kinds.count("thinking") == 2
    assert THINKING_LEFT_OUT not in reply.notes
    assert reply.usage.cache_read_tokens > 2000


def test_the_note_tells_an_instruction_from_a_new_system_prompt(api):
    """One is added, the other replaces what there was; the same one again changes nothing."""
    talk = Conversation("noted", system="Be kind.")
    talk.ask("Hello?", **QUIET)

    added = talk.ask("Go on.", instruct=BRIEF, **QUIET).notes
    replaced = talk.ask("Go on.", system="Be short.", **QUIET).notes
    same = talk.ask("Go on.", system="Be short.", **QUIET).notes

    found = [
        [note for note in notes if note in (INSTRUCTED, REPLACED)]
        for notes in (added, replaced, same)
    ]
    assert found == [[INSTRUCTED], [REPLACED], []]


def test_undo_and_fork_go_back_to_before_it(api):
    """It belongs to the branch of its turn."""
    talk = talk_with_instruction("undone")

    talk.undo()
    talk.ask("Go on.", **QUIET)
    assert BRIEF not in roles(api.requests[-1])

    talk.fork(2)
    talk.ask("Go on.", **QUIET)
    assert BRIEF in roles(api.requests[-1])


def test_it_is_sent_when_an_answer_is_continued_and_when_tools_are_called(api):
    """Behind the user's first messages, where the API takes it."""

    def weather(city: str) -> str:
        """The weather of a city."""
        return f"rain in {city}"

    api.enqueue(Stream([start(), *text("Half of")[:-1]], end="reset"), Stream(said("the rest.")))
    claude_nb.ask("Drop.", instruct=BRIEF, policy=Policy(tries=3), **QUIET)
    refused = Error(400, "invalid_request_error", "No prefill.")
    half = Stream([start(), *text("Half of")[:-1]], end="reset")
    api.enqueue(half, refused, Stream(said("the rest.")))
    claude_nb.ask("Drop.", instruct=BRIEF, policy=Policy(tries=3), **QUIET)
    quoted = api.requests[-1]
    claude_nb.ask("Weather?", tools=[weather], instruct=BRIEF, **QUIET)

    others = [found for found in api.requests if found is not quoted]
    assert all(roles(found)[:2] == ["user", BRIEF] for found in others)
    assert roles(quoted) == ["user", "user", BRIEF]
    assert roles(api.requests[-1]) == ["user", BRIEF, "assistant", "user"]


@pytest.mark.parametrize("model", [m for m in known_models() if facts(m).system_messages is False])
def test_models_that_take_none_are_refused_before_anything_is_sent(api, model):
    """The error names models that do, and the way that is left."""
    with pytest.raises(InputError, match=f"{model} does not support instructions") as caught:
        claude_nb.ask("Hello?", instruct=BRIEF, model=model, **QUIET)

    assert caught.value.advice.startswith("Replace the system prompt with system, or ask one of")
    assert "claude-opus-5-5" in caught.value.advice
    assert not api.requests


def test_a_conversation_with_one_is_not_asked_of_such_a_model(api):
    """What is in the branch could not be sent."""
    talk = talk_with_instruction("changing")
    count = len(api.requests)

    with pytest.raises(InputError, match="and this one contains some"):
        talk.ask("Go on.", model="claude-sonnet-5", **QUIET)

    assert len(api.requests) == count
    assert talk.ask("Go on.", model="claude-sonnet-5", new=True, **QUIET).text


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_one_is_refused(api, blank):
    """Nothing is sent."""
    with pytest.raises(InputError, match="The instruction is blank"):
        claude_nb.ask("Hello?", instruct=blank, **QUIET)

    with pytest.raises(InputError, match="The instruction is blank"):
        Chat("blank").instruct(blank)
    assert not api.requests


def test_it_is_exported_restored_and_shown_in_the_history(api, tmp_path):
    """In all three forms, and as an option of the exported cell."""
    talk = talk_with_instruction("kept")
    talk.to_notebook(tmp_path / "talk.ipynb")

    restored = Conversation.from_notebook(tmp_path / "talk.ipynb")
    messages = Conversation.from_messages(talk.to_messages())

    for again in (restored, messages):
        again.ask("Go on.", **QUIET)
        assert roles(api.requests[-1])[2:4] == ["user", BRIEF]
    assert f'--instruct \\"{BRIEF}\\"' in (tmp_path / "talk.ipynb").read_text()
    assert f"**Instruction from here on**\n\n{BRIEF}" in talk.to_markdown()
    assert f"[instruction from here on: “{BRIEF}”]" in tree(talk)


def test_a_cell_gives_it_and_its_record_keeps_it(api, capsys):
    """The note above the reply says so; errors name the options of the cell."""
    shell = InteractiveShell()
    shell.register_magics(ClaudeMagics(shell))

    shell.run_cell_magic("claude", f'-c instructing --instruct "{BRIEF}" -o reply', "Hello?")
    with pytest.raises(InputError, match="--system"):
        shell.run_cell_magic("claude", f'-m claude-sonnet-5 --once --instruct "{BRIEF}"', "Hello?")
    with pytest.raises(InputError, match="Leave out --json or --cite"):
        shell.run_cell_magic("claude", "--once --cite --json int", "Hello?")

    reply = shell.user_ns["reply"]
    assert INSTRUCTED in reply.notes
    assert record(reply, reply.request)["turn"]["instruct"] == BRIEF
    assert INSTRUCTED in capsys.readouterr().out


def test_a_chat_gives_it_with_the_next_question_once(api):
    """It stays where it was given; a question that fails keeps it for the next one."""
    chat = Chat("instructed chat")
    chat.ask("Hello?")
    chat.instruct(BRIEF)

    api.enqueue(Error(400, "invalid_request_error", "No."))
    with pytest.raises(RequestError):
        chat.ask("This one fails.")
    chat.ask("And now?")
    chat.ask("Go on.")

    turn = ["user", "assistant"]
    assert roles(api.requests[-1]) == [*turn, "user", BRIEF, "assistant", "user"]


def test_a_chat_refuses_it_for_a_model_that_takes_none(api):
    """At once, and not with the next question."""
    with pytest.raises(InputError, match="does not support instructions"):
        Chat("old model", model="claude-sonnet-5").instruct(BRIEF)
